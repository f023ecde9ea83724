/* A barrier: nobody begins the next step before all have finished this one.
 *
 * Row 14 of docs/lessons.md.  Python's threading.Barrier, with its action.
 *
 * Watch: within a step the workers come in any order, but the steps do not mix.  The last one to
 * arrive calls the action, while the others still wait.  And who gives up breaks the barrier: it
 * is better that all hear of it than that they wait for ever for one who will not come.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 3, STEPS = 2 };

static kr_barrier barrier = KR_BARRIER_INIT(WORKERS);

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int complete_step(void *arg)
{
    const int *step = arg;
    printf("step %d is complete\n", *step);
    return 0;
}

static int work(void *arg)
{
    const int *number = arg;
    for (int step = 1; step <= STEPS; step++) {
        printf("worker %d does step %d\n", *number, step);
        /* Tells in which order they came, 0 to 2; below 0 it is an error. */
        int place = kr_barrier_wait_action(&barrier, complete_step, &step, KR_FOREVER);
        if (place < 0)
            return place;
    }
    if (*number == 1)
        return kr_barrier_abort(&barrier);
    int place = kr_barrier_wait(&barrier, KR_FOREVER);
    printf("worker %d waits in vain: %s\n", *number, kr_errname(place));
    return 0;
}

int main(void)
{
    kr_thread *workers[WORKERS] = {NULL};
    int err = 0;

    for (int i = 0; i < WORKERS && !err; i++)
        err = kr_thread_start(&workers[i], work, &(int){i + 1}, sizeof(int), NULL);
    if (err) {
        kr_barrier_abort(&barrier); /* or those who came would wait for ever */
        return fail("start", err);
    }
    for (int i = 0; i < WORKERS && !err; i++) {
        int result = 0;
        err = kr_thread_join(workers[i], &result, KR_FOREVER);
        kr_thread_release(workers[i]);
        err = err ? err : result;
    }
    if (err)
        return fail("join", err);
    printf("the barrier is %s\n", kr_barrier_broken(&barrier) ? "broken" : "whole");
    return EXIT_SUCCESS;
}
