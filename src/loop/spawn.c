/* Tasks of a loop: submitting, spawning, naming, listing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/line.h"
#include "loop/runners.h"

#include "os/os.h"
#include "trace/trace.h"

#include <stdio.h>
#include <string.h>

static kri_item item_of(kr_future *f)
{
    return (kri_item)f | KRI_ITEM_TASK;
}

int kri_loop_submit(kri_loop *loop, kr_future *f)
{
    bool here = loop == kri_loop_here();
    if (kri_load_acq(&loop->executor.shut))
        return KR_ESHUTDOWN;
    if (kri_vars_inherit(f) != 0)
        return -ENOMEM;
    if (here) {
        bool stands_back = loop->holds_back && f->executor == loop->face;
        kri_loop_count(loop, 1);
        kri_line_put(stands_back ? &loop->held_back : &loop->ready, item_of(f));
        return 0;
    }
    kri_add_rlx(&loop->given, 1);
    if (kri_inbox_put(&loop->inbox, item_of(f)))
        return 0;
    kri_sub_rlx(&loop->given, 1);
    return KR_ESHUTDOWN;
}

void kri_loop_made_room(kr_word *queued)
{
    (void)kri_sub_sc(queued, 1);
    kri_wake(queued, 1, 0);
}

bool kri_loop_post(kri_loop *loop, kri_posted *posted)
{
    kri_item item = (kri_item)posted | KRI_ITEM_POSTED;
    if (loop != kri_loop_here())
        return kri_inbox_put(&loop->inbox, item);
    kri_line_put(&loop->ready, item);
    return true;
}

/* As an executor. */

static int submit(kr_executor *executor, kr_future *f, kr_time deadline)
{
    (void)deadline;
    return kri_loop_submit((kri_loop *)executor, f);
}

/* Its shell stays in the line, which the loop comes through before long. */
static bool claimed(kr_executor *executor, kr_future *f, bool run)
{
    (void)executor;
    (void)f;
    (void)run;
    return false;
}

static int refuse_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline,
                           unsigned flags)
{
    (void)executor;
    (void)cancel_pending;
    (void)deadline;
    (void)flags;
    return -EPERM;
}

static void release(kr_executor *executor)
{
    (void)executor;
}

const kri_executor_ops kri_loop_ops = {.overlaps = true,
                                       .submit = submit,
                                       .claimed = claimed,
                                       .shutdown = refuse_shutdown,
                                       .release = release};

kr_executor *kr_running_loop(void)
{
    const kri_loop *loop = kri_loop_here();
    return loop != NULL ? loop->face : NULL;
}

/* Spawning. */

static bool is_valid(const kr_spawn_options *o)
{
    if (o->stack_size != 0 && o->stack_size < KRI_STACK_LEAST)
        return false;
    return !(o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]);
}

/* The caller is suspended, so its blocking hooks run. */
static void give_way_to(kri_loop *loop, kri_runner *runner)
{
    kri_party *self = kri_party_self();
    kri_block_begin(self);
    kri_runner_give_way_to(loop, runner);
    kri_block_end(self);
}

/* With a runner of its own. */
static int spawn_with(kri_loop *loop, kr_future **future, const kri_task *task,
                      const kr_spawn_options *o)
{
    kr_future *f;
    kri_runner *runner;
    if (kri_load_acq(&loop->executor.shut))
        return KR_ESHUTDOWN;
    int err = kri_future_new(&f, &loop->executor, task, future == NULL);
    if (err != 0)
        return err;
    err = kri_vars_inherit(f);
    if (err == 0)
        err = kri_runner_make_for(loop, f, o->stack_size, &runner);
    if (err != 0) {
        kr_future_release(f);
        if (future != NULL)
            kr_future_release(f);
        return err;
    }
    kri_loop_count(loop, 1);
    KRI_TRACE_HAPPENS(submit, SUBMIT, (uintptr_t)f, (uintptr_t)task->fn);
    if (o->name != NULL)
        kri_runner_set_name(runner, o->name);
    if (future != NULL)
        *future = f;
    if (o->eager)
        give_way_to(loop, runner);
    else
        kri_runner_ready(runner);
    return 0;
}

int kr_spawn(kr_future **future, kr_task_fn fn, const void *arg, size_t arg_size,
             size_t result_size, const kr_spawn_options *options)
{
    static const kr_spawn_options defaults;
    kri_loop *loop = kri_loop_here();
    if (future != NULL)
        *future = NULL;
    if (options == NULL)
        options = &defaults;
    if (fn == NULL || !is_valid(options))
        return -EINVAL;
    if (loop == NULL || (options->eager && loop->running == NULL))
        return -EPERM;
    kri_task task = {.fn = fn, .arg = arg, .arg_size = arg_size, .result_size = result_size};
    if (options->name != NULL || options->stack_size != 0 || options->eager)
        return spawn_with(loop, future, &task, options);
    return kri_submit(&loop->executor, future, &task, KRI_NEVER);
}

/* Asking. */

const char *kr_stack_guard(void)
{
    return kri_stack_guard();
}

kr_future *kr_task_current(void)
{
    const kri_frame *frame = kri_frame_innermost();
    return frame != NULL ? frame->future : NULL;
}

/* Also one that has not begun, where it has a runner already. */
static kri_runner *runner_with(const kr_future *f)
{
    const kri_loop *loop = kri_loop_here();
    kri_runner *runner = loop != NULL && f != NULL ? loop->runners : NULL;
    while (runner != NULL && runner->future != f)
        runner = runner->next_of_all;
    return runner;
}

const char *kri_runner_name(kri_runner *runner)
{
    if (!runner->named && runner->number == 0)
        return "";
    if (!runner->named)
        snprintf(runner->name, sizeof runner->name, "task-%llu",
                 (unsigned long long)runner->number);
    runner->named = true;
    return runner->name;
}

const char *kr_task_name(const kr_future *future)
{
    kri_runner *runner = kri_runner_self();
    if (runner == NULL || runner->future != future)
        runner = runner_with(future);
    if (runner == NULL || (runner->number == 0 && kr_future_done(future)))
        return "";
    return kri_runner_name(runner);
}

int kr_task_set_name(const char *name)
{
    kri_runner *self = kri_runner_self();
    if (self == NULL)
        return -EPERM;
    kri_runner_set_name(self, name != NULL ? name : "");
    return 0;
}

struct listing {
    kr_future **futures;
    int most;
    int count;
};

static void note(struct listing *all, kr_future *f)
{
    if (all->count < all->most)
        all->futures[all->count] = kr_future_retain(f);
    all->count++;
}

static void note_unbegun(struct listing *all, const kri_line *line)
{
    kri_item item = line->count != 0 ? line->first : 0;
    for (; item != 0; item = kri_line_next(item)) {
        kr_future *f = NULL;
        if ((item & KRI_ITEM_KIND) == KRI_ITEM_TASK)
            f = kri_item_address(item);
        else if (kri_item_is_runner(item))
            f = ((kri_runner *)item)->future;
        if (f != NULL && !kr_future_running(f) && !kr_future_done(f))
            note(all, f);
    }
}

int kr_task_all(kr_future **futures, int most)
{
    const kri_runner *self = kri_runner_self();
    struct listing all = {futures, most, 0};
    if (self == NULL)
        return -EPERM;
    for (kri_runner *r = kri_runners_in_order(self->loop); r != NULL; r = r->next_of_all) {
        if (kri_runner_task(r) != NULL)
            note(&all, r->future);
    }
    note_unbegun(&all, &self->loop->ready);
    note_unbegun(&all, &self->loop->held_back);
    return all.count;
}

static void drop_unbegun(kr_future *f)
{
    if (f != NULL && kri_future_claim(f, KRI_CLAIM_DROPPED))
        kri_future_conclude(f, -ECANCELED);
}

static void announce_dropped(kr_future *f)
{
    if (f != NULL && kr_future_done(f))
        kri_future_announce(f);
}

static void announce_all(void *arg)
{
    const kri_loop *loop = arg;
    kri_line_each_task(&loop->ready, announce_dropped);
    kri_line_each_task(&loop->held_back, announce_dropped);
}

/* All are done before the first callback runs: it may ask for another of them.  It runs in the loop
 * itself, which a wait for a coroutine would hold up for ever. */
void kri_loop_cancel_unbegun(kri_loop *loop)
{
    kri_line_each_task(&loop->ready, drop_unbegun);
    kri_line_each_task(&loop->held_back, drop_unbegun);
    kri_loop_call(announce_all, loop);
}

void kri_loop_cancel_all(kri_loop *loop)
{
    kri_loop_cancel_unbegun(loop);
    for (kri_runner *r = kri_runners_in_order(loop); r != NULL; r = r->next_of_all) {
        if (kri_runner_task(r) != NULL)
            (void)kr_future_cancel(r->future);
    }
}
