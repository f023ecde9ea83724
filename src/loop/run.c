/* kr_run: a loop in the calling thread, from the first coroutine to the last.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/signal.h"

#include "os/os.h"

struct program {
    int (*main)(void *arg);
    void *arg;
    const char *name;
    bool keep_interrupt;
    int result;
    bool over;
};

static int run_main(const void *arg, void *result)
{
    struct program *program = *(struct program *const *)arg;
    (void)result;
    (void)kr_task_set_name(program->name);
    kri_coroutine_runs_for((uintptr_t)program->main);
    program->result = program->main(program->arg);
    program->over = true;
    return 0;
}

static bool is_valid(const kr_run_options *o)
{
    return o->slow_after >= 0 && (o->stack_size == 0 || o->stack_size >= KRI_STACK_LEAST) &&
           !(o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]);
}

static bool is_forked(const kri_loop *loop)
{
    return kri_forked_since(loop->executor.generation);
}

/* Those that are left are cancelled, again whenever new ones have begun. */
static void finish(kri_loop *loop)
{
    kri_store_rel(&loop->executor.shut, 1);
    uint64_t begun = 0;
    do {
        if (begun != loop->begun || loop->alive == 0)
            kri_loop_cancel_all(loop);
        begun = loop->begun;
        kri_runner_go_on(loop);
        if (is_forked(loop))
            return;
        kri_loop_look(loop, loop->alive != 0);
    } while (!kri_loop_is_empty(loop) || !kri_inbox_close(&loop->inbox));
}

static int run_loop(kri_loop *loop, struct program *program)
{
    kr_future *future = NULL;
    kri_task task = {.fn = run_main, .arg = &program, .arg_size = sizeof program};
    kri_loop_enter(loop);
    int err = kri_submit(&loop->executor, &future, &task, KRI_NEVER);
    bool interruptible = err == 0 && !program->keep_interrupt && kri_interrupt_begin(future);
    while (err == 0 && !kr_future_done(future)) {
        kri_runner_go_on(loop);
        if (is_forked(loop))
            return program->over ? program->result : KR_EFORKED;
        kri_loop_look(loop, !kr_future_done(future));
    }
    bool interrupted = interruptible && kri_interrupt_end();
    if (err == 0)
        err = kr_future_exception(future, NULL, KR_NOWAIT);
    if (err == 0)
        err = program->result;
    kr_future_release(future);
    finish(loop);
    if (is_forked(loop))
        return KR_EFORKED;
    kri_loop_leave(loop);
    kri_loop_free(loop);
    return interrupted && err == -ECANCELED ? -EINTR : err;
}

int kr_run_with(int (*main)(void *arg), void *arg, const kr_run_options *options)
{
    static const kr_run_options defaults;
    if (options == NULL)
        options = &defaults;
    if (main == NULL || !is_valid(options))
        return -EINVAL;
    if (kri_loop_here() != NULL)
        return -EBUSY;
    kri_loop *loop;
    int err = kri_loop_create(&loop, options, NULL);
    if (err != 0)
        return err;
    struct program program = {.main = main,
                              .arg = arg,
                              .name = options->name != NULL ? options->name : "main",
                              .keep_interrupt = options->keep_interrupt};
    return run_loop(loop, &program);
}

int kr_run(int (*main)(void *arg), void *arg)
{
    return kr_run_with(main, arg, NULL);
}
