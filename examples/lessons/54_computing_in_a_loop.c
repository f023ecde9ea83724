/* What computes holds up its loop; so it is given to an executor.
 *
 * Row 56 of docs/lessons.md.  In Python:
 *
 *     compute()                                           # no other task runs
 *     await loop.run_in_executor(None, compute)           # or asyncio.to_thread
 *
 * Watch the ticks of another coroutine.  While the loop's own thread computes there is none.  While
 * a thread of a pool does, the ticker ticks on, and after its fifth tick the program says that it
 * has seen enough: a computation may ask now and then whether it is still wanted.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static int ticks;                           /* of the loop's thread alone */
static kr_event fifth_tick = KR_EVENT_INIT; /* set at it */
static kr_event begun = KR_EVENT_INIT;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int tick(const void *arg, void *result)
{
    int err;
    (void)arg, (void)result;
    while ((err = kr_sleep(kr_ms(10))) == 0) {
        if (++ticks == 5)
            kr_event_set(&fifth_tick);
    }
    return err; /* -ECANCELED, at the end of the program */
}

/* Pi, better and better, for so long or until nobody wants it. */
static int compute_pi(const void *arg, void *result)
{
    kr_time end = kr_now() + *(const kr_time *)arg;
    double sum = 0, sign = 1;
    for (double odd = 1; kr_now() < end && !kr_cancelled(); odd += 2, sign = -sign)
        sum += sign * 4 / odd;
    *(double *)result = sum;
    return 0;
}

static int compute_elsewhere(const void *arg, void *result)
{
    kr_event_set(&begun); /* what has not begun a cancel removes, and there is no pi at all */
    return compute_pi(arg, result);
}

static int program(void *pool)
{
    KR_AUTO(kr_future) *future = NULL;
    kr_time time = kr_ms(100);
    double pi;
    int before;

    int err = kr_spawn(NULL, tick, NULL, 0, 0, NULL);
    if (!err)
        err = kr_yield(); /* it begins, and sleeps */
    before = ticks;
    if (!err)
        err = compute_pi(&time, &pi);
    if (err)
        return err;
    printf("In the loop's thread, 0.1 s: %d ticks, pi = %.2f\n", ticks - before, pi);

    time = kr_sec(60); /* at most */
    err = kr_submit(pool, &future, compute_elsewhere, &time, sizeof time, sizeof pi);
    if (!err)
        err = kr_event_wait(&begun, KR_FOREVER);
    ticks = 0;
    kr_event_clear(&fifth_tick);
    if (!err)
        err = kr_event_wait(&fifth_tick, KR_FOREVER);
    if (!err && kr_future_cancel(future) < 0)
        err = -EALREADY;
    if (!err)
        err = kr_future_result(future, &pi, sizeof pi, NULL, KR_FOREVER);
    if (!err)
        printf("In a thread of a pool, until told: %d ticks, pi = %.2f\n", ticks, pi);
    return err;
}

int main(void)
{
    KR_AUTO(kr_executor) *pool = NULL;
    int err = kr_thread_pool(&pool, &(kr_pool_options){.workers = 1});
    if (err)
        return fail("pool", err);
    err = kr_run(program, pool);
    return err ? fail("program", err) : EXIT_SUCCESS;
}
