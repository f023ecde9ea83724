/* Results in the order in which they are done.
 *
 * Row 71 of docs/lessons.md.  In Python: two workers, tasks a, b, c that sleep 3, 1 and 2 s, and
 * as_completed(futures): b after 1 s; then a and c, which begins when b is done, both after 3 s.
 *
 * Watch: first come, first served.  Which of two that end at the same moment comes first, a or c,
 * is left open.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 3 };

struct task {
    char name;
    kr_time duration;
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int rest(const void *arg, void *result)
{
    const struct task *task = arg;
    *(char *)result = task->name;
    return kr_sleep(task->duration);
}

static int print_results(kr_completed *completed, kr_time begin)
{
    kr_future *future;
    int err;
    /* 1: here is one; 0: that was all. */
    while ((err = kr_completed_next(completed, &future, KR_FOREVER)) == 1) {
        char name;
        err = kr_future_result(future, &name, sizeof name, NULL, KR_NOWAIT); /* it is done */
        if (err)
            return err;
        printf("%.2f s  %c\n", (double)(kr_now() - begin) / 1e9, name);
    }
    return err;
}

int main(void)
{
    const struct task tasks[TASKS] = {{'a', kr_ms(300)}, {'b', kr_ms(100)}, {'c', kr_ms(200)}};
    KR_AUTO(kr_executor) *pool = NULL;
    kr_future *futures[TASKS] = {NULL};
    kr_completed *completed = NULL;
    kr_time begin = kr_now();

    int err = kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .no_outside_help = true});
    for (int i = 0; i < TASKS && !err; i++)
        err = kr_submit(pool, &futures[i], rest, &tasks[i], sizeof tasks[i], sizeof(char));
    if (err)
        return fail("submit", err);

    err = kr_as_completed(&completed, futures, TASKS);
    if (!err)
        err = print_results(completed, begin);
    kr_completed_release(completed);
    for (int i = 0; i < TASKS; i++)
        kr_future_release(futures[i]);
    return err ? fail("as completed", err) : EXIT_SUCCESS;
}
