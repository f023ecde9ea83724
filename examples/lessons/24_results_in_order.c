/* Results in the order of submission, whoever is done first.
 *
 * Row 70 of docs/lessons.md.  In Python: ThreadPoolExecutor(2), tasks that sleep 1, 2 and 3 s, and
 * result() of each future in turn: at 1, 2 and 4 s, since the third begins when a worker is free.
 *
 * Watch .no_outside_help.  In krait who waits for a task that nobody has begun runs it himself, and
 * does not sleep beside work; main would be a third worker here, and the last result come after 3
 * s. For work that is a good thing.  For a limit of two at a time it is not, so it is switched off.
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

/* Sleeps for its argument, and tells how many milliseconds that was to be. */
static int rest(const void *arg, void *result)
{
    const kr_time *duration = arg;
    *(int *)result = (int)(*duration / kr_ms(1));
    return kr_sleep(*duration);
}

int main(void)
{
    KR_AUTO(kr_executor) *pool = NULL;
    kr_future *futures[TASKS] = {NULL};
    kr_time begin = kr_now();

    int err = kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .no_outside_help = true});
    for (int i = 0; i < TASKS && !err; i++) {
        kr_time duration = kr_ms(100 * (i + 1));
        err = kr_submit(pool, &futures[i], rest, &duration, sizeof duration, sizeof(int));
    }
    if (err)
        return fail("submit", err);

    for (int i = 0; i < TASKS && !err; i++) {
        int slept;
        /* With no place for the task's error, that is what the call returns, as in Python. */
        err = kr_future_result(futures[i], &slept, sizeof slept, NULL, KR_FOREVER);
        if (!err)
            printf("%.2f s  the task of %d ms\n", (double)(kr_now() - begin) / 1e9, slept);
        kr_future_release(futures[i]);
    }
    if (err)
        return fail("result", err);
    return EXIT_SUCCESS;
}
