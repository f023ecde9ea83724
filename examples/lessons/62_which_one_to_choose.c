/* The same four tasks, one after the other, under the interpreter lock, in coroutines, in threads
 * and in processes: concurrency, and parallelism.
 *
 * Rows 1, 2, 6, 17 and 23 of docs/lessons.md.  Concurrent is what is under way at the same time,
 * as many tables with one waiter; parallel is what is done at the same time, by many waiters.
 *
 * Watch the two columns.  Tasks that wait need concurrency only: every way but the first gives it,
 * and coroutines are the cheapest.  Tasks that compute need processors: one that can be used, under
 * the lock or in one loop, does them as if one after the other.  So in Python the advice is asyncio
 * or threads for what waits, processes for what computes; in C threads serve for both.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 4, WAIT_MS = 50, STEPS = 10000000, CHECK_EVERY = 1000 };

static kr_gil *gil;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int wait_for_something(const void *arg, void *result)
{
    (void)arg, (void)result;
    return kr_sleep(kr_ms(WAIT_MS));
}

static int compute(const void *arg, void *result)
{
    volatile unsigned sum = 0;
    kr_gil_thread *self = kr_gil_current(gil); /* NULL: not under the lock */
    int err = 0;
    (void)arg, (void)result;
    for (unsigned i = 0; i < STEPS && !err; i++) {
        sum = sum + i;
        if (self && i % CHECK_EVERY == 0)
            err = kr_gil_check(self);
    }
    return err;
}

/* Another task, as a thread of an interpreter would run it. */
static int under_the_lock(const void *arg, void *result)
{
    kr_task_fn task = *(kr_task_fn const *)arg;
    kr_gil_thread *self;
    int err = kr_gil_attach(gil, &self);
    if (err)
        return err;
    err = task(NULL, result);
    kr_gil_detach(self);
    return err;
}

/* All four at once on the executor, without one: one after the other.  How long it has taken. */
static int run_four(kr_executor *executor, kr_task_fn task, const void *arg, size_t arg_size,
                    double *ms)
{
    kr_future *futures[TASKS] = {NULL};
    kr_time begin = kr_now();
    int err = 0;
    for (int i = 0; i < TASKS && !err; i++)
        err = executor ? kr_submit(executor, &futures[i], task, arg, arg_size, 0) : task(arg, NULL);
    if (!err && executor)
        err = kr_gather(futures, TASKS, NULL, NULL, KR_FOREVER);
    for (int i = 0; i < TASKS; i++)
        kr_future_release(futures[i]);
    *ms = (double)(kr_now() - begin) / 1e6;
    return err;
}

static int show(const char *how, kr_executor *executor, bool lock)
{
    const kr_task_fn tasks[] = {wait_for_something, compute};
    double ms[2];
    for (int i = 0; i < 2; i++) {
        int err = lock ? run_four(executor, under_the_lock, &tasks[i], sizeof tasks[i], &ms[i])
                       : run_four(executor, tasks[i], NULL, 0, &ms[i]);
        if (err)
            return err;
    }
    printf("%-24s waiting %.0f ms, computing %.0f ms\n", how, ms[0], ms[1]);
    return 0;
}

int main(void)
{
    KR_AUTO(kr_executor) *processes = NULL;
    KR_AUTO(kr_executor) *threads = NULL;
    KR_AUTO(kr_executor) *loop = NULL;
    const kr_pool_options four = {.workers = TASKS};

    int err = kr_gil_create(&gil, NULL);
    if (!err)
        err = kr_process_pool(&processes, &four); /* while there is one thread: forks */
    if (!err)
        err = kr_thread_pool(&threads, &four);
    if (!err)
        err = kr_loop_pool(&loop, &(kr_pool_options){.workers = 1});
    if (err)
        return fail("pools", err);
    err = show("one after the other", NULL, false);
    if (!err)
        err = show("threads under the lock", threads, true);
    if (!err)
        err = show("coroutines of one loop", loop, false);
    if (!err)
        err = show("threads", threads, false);
    if (!err)
        err = show("processes", processes, false);
    return err ? fail("tasks", err) : EXIT_SUCCESS;
}
