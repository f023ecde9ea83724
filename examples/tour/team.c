/* The same task, many times: by the calling runner, or on one of krait's executors.
 *
 * After -ECANCELED tasks may still run, and need what they were given.
 *
 * What differs between threads, coroutines and processes is which executor is made; tasks, futures
 * and errors are the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <stdlib.h>

static int make(kr_executor **executor, enum kind kind, int workers)
{
    kr_pool_options options = {.workers = workers, .no_outside_help = true};
    switch (kind) {
    case THREADS:
        options.name = "thread";
        return kr_thread_pool(executor, &options);
    case COROUTINES:
        options.name = "loop";
        options.workers = 1; /* one thread for all of them */
        return kr_loop_pool(executor, &options);
    default:
        /* A copy of this process: what the tasks are about is in its memory already. */
        options.name = "process";
        return kr_process_pool_with(executor, &options,
                                    &(kr_process_pool_options){.start = KR_FORK});
    }
}

static const void *argument(const struct team *team, int i)
{
    return (const char *)team->args + (size_t)i * team->arg_size;
}

static void *result(const struct team *team, int i)
{
    return team->result_size > 0 ? (char *)team->results + (size_t)i * team->result_size : NULL;
}

static int run_alone(const struct team *team)
{
    int err = 0;
    for (int i = 0; i < team->count && !err; i++) {
        err = team->task(argument(team, i), result(team, i));
        if (!err && kr_cancelled())
            err = -ECANCELED;
    }
    return err;
}

/* What becomes of the others when all is given up, such as that the server is gone. */
static void ignore(const kr_task_report *report)
{
    (void)report;
}

/* All are submitted, then all are waited for: the first error of any.  A cancel ends the waits, not
 * the tasks. */
static int run_on(kr_executor *executor, const struct team *team, kr_future **futures)
{
    int submitted = 0, err = 0;
    for (; submitted < team->count && !err; submitted += !err)
        err = kr_submit(executor, &futures[submitted], team->task, argument(team, submitted),
                        team->arg_size, team->result_size);
    for (int i = 0; i < submitted; i++) {
        int failed =
            kr_future_result(futures[i], result(team, i), team->result_size, NULL, KR_FOREVER);
        if (failed == -ECANCELED)
            (void)kr_set_task_hook(ignore);
        err = err ? err : failed;
        kr_future_release(futures[i]);
    }
    return kr_cancelled() ? -ECANCELED : err;
}

int team_run(const struct team *team)
{
    if (team->kind == ALONE)
        return run_alone(team);
    kr_executor *executor;
    kr_future **futures = calloc((size_t)team->count, sizeof *futures);
    if (!futures)
        return -ENOMEM;
    int err = make(&executor, team->kind, team->workers);
    if (!err) {
        err = run_on(executor, team, futures);
        if (err == -ECANCELED) /* then nobody is waited for: the program is about to end */
            (void)!kr_executor_shutdown(executor, &(kr_shutdown_options){.cancel_pending = true},
                                        KR_NOWAIT);
        kr_executor_release(executor);
    }
    free(futures);
    return err;
}
