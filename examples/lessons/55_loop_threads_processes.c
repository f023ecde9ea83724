/* A loop, threads and processes in one program: each for what it is good at.
 *
 * Row 16 of docs/lessons.md.  In Python:
 *
 *     page = asyncio.create_task(fetch())                       # waits: a coroutine
 *     words = loop.run_in_executor(threads, count)              # computes: a thread
 *     image = loop.run_in_executor(processes, decode)           # might crash: a process
 *     await asyncio.gather(page, words, image, return_exceptions=True)
 *
 * Watch that it is one kind of task and one kind of future, whoever runs it, and one wait for all.
 * One of them does crash, and takes nobody with it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct whereabouts {
    int process;
    uint64_t thread;
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static struct whereabouts here(void)
{
    return (struct whereabouts){(int)getpid(), kr_thread_ident(kr_thread_current())};
}

static int work(const void *arg, void *result)
{
    (void)arg;
    *(struct whereabouts *)result = here();
    return kr_sleep(kr_ms(20));
}
KR_TASK(work);

static int crash(const void *arg, void *result)
{
    (void)arg, (void)result;
    return raise(SIGKILL);
}
KR_TASK(crash);

static int program(void *arg)
{
    enum { TASKS = 4 };
    static const char *const names[TASKS] = {"coroutine", "thread", "process", "process"};
    kr_executor **pools = arg;
    kr_future *futures[TASKS] = {NULL};
    int errors[TASKS];
    struct whereabouts home = here(), there;

    int err = kr_spawn(&futures[0], work, NULL, 0, sizeof there, NULL);
    if (!err)
        err = kr_submit(pools[0], &futures[1], work, NULL, 0, sizeof there);
    if (!err)
        err = kr_submit(pools[1], &futures[2], work, NULL, 0, sizeof there);
    if (!err)
        err = kr_submit(pools[1], &futures[3], crash, NULL, 0, 0);
    if (!err)
        err = kr_gather(futures, TASKS, errors, &(kr_gather_options){.return_exceptions = true},
                        KR_FOREVER);
    for (int i = 0; i < TASKS && !err; i++) {
        if (errors[i]) {
            printf("%-10s %s\n", names[i], kr_strerror(errors[i]));
            continue;
        }
        err = kr_future_result(futures[i], &there, sizeof there, NULL, KR_FOREVER);
        if (err)
            break;
        printf("%-10s %s process, %s thread\n", names[i],
               there.process == home.process ? "this" : "another",
               there.process == home.process && there.thread == home.thread ? "this" : "another");
    }
    for (int i = 0; i < TASKS; i++)
        kr_future_release(futures[i]);
    return err;
}

int main(int argc, char **argv)
{
    KR_AUTO(kr_executor) *processes = NULL;
    KR_AUTO(kr_executor) *threads = NULL;

    kr_init(argc, argv);
    int err = kr_process_pool(&processes, &(kr_pool_options){.workers = 2});
    if (err)
        return fail("process pool", err);
    err = kr_thread_pool(&threads, &(kr_pool_options){.workers = 2});
    if (err)
        return fail("thread pool", err);
    err = kr_run(program, (kr_executor *[]){threads, processes});
    return err ? fail("program", err) : EXIT_SUCCESS;
}
