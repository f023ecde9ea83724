/* Waiting for some of several tasks: the first, the first that fails, all.
 *
 * Row 73 of docs/lessons.md.  In Python: done, not_done = wait(futures,
 * return_when=FIRST_COMPLETED) returns after 1 s, with one done and two not.
 *
 * Watch: a wait changes nothing.  Those that were not done go on, and may be waited for again.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 3 };

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* The task of 200 ms fails when it has slept. */
static int rest(const void *arg, void *result)
{
    const int *milliseconds = arg;
    (void)result;
    int err = kr_sleep(kr_ms(*milliseconds));
    return err ? err : *milliseconds == 200 ? -EIO : 0;
}

static int wait_for(const char *what, kr_future *const *futures, kr_wait_when when, kr_time begin)
{
    bool is_done[TASKS];
    int done = kr_wait(futures, TASKS, when, is_done, KR_FOREVER);
    if (done < 0)
        return done;
    printf("%.2f s  %s: %d done, %d not done:", (double)(kr_now() - begin) / 1e9, what, done,
           TASKS - done);
    for (int i = 0; i < TASKS; i++)
        printf(" %c", is_done[i] ? 'x' : '-');
    printf("\n");
    return 0;
}

int main(void)
{
    static const int durations[TASKS] = {300, 100, 200};
    KR_AUTO(kr_executor) *pool = NULL;
    kr_future *futures[TASKS] = {NULL};
    int task_error = 0;
    kr_time begin = kr_now();

    int err = kr_thread_pool(&pool, &(kr_pool_options){.workers = TASKS, .no_outside_help = true});
    for (int i = 0; i < TASKS && !err; i++)
        err = kr_submit(pool, &futures[i], rest, &durations[i], sizeof durations[i], 0);
    if (err)
        return fail("submit", err);

    err = wait_for("the first", futures, KR_FIRST_COMPLETED, begin);
    if (!err)
        err = wait_for("the first that fails", futures, KR_FIRST_EXCEPTION, begin);
    if (!err)
        err = wait_for("all", futures, KR_ALL_COMPLETED, begin);
    if (!err)
        err = kr_future_exception(futures[2], &task_error, KR_NOWAIT);
    if (err)
        return fail("wait", err);
    printf("the third has failed with %s\n", kr_errname(task_error));
    for (int i = 0; i < TASKS; i++)
        kr_future_release(futures[i]);
    return EXIT_SUCCESS;
}
