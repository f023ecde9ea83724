/* A counter that ten threads share: an object with its lock inside.
 *
 * Row 8 of docs/lessons.md.  In Python a class Counter has a value and a Lock; increment() reads,
 * sleeps for a millisecond as a database would, and writes.  Ten threads call it a hundred times
 * each: "Expected 1000, Actual 1000, Thread-safe: True".
 *
 * Watch what the lock costs: since only one at a time is between read and write, the thousand short
 * sleeps come one after the other.  Without it they overlap, and most of the work is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 10, TIMES = 100 };

struct counter {
    kr_lock lock;
    _Atomic int value; /* atomic for the sake of the unsafe half only */
};

static struct counter counter;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int increment_unsafely(struct counter *c)
{
    int seen = atomic_load(&c->value);
    int err = kr_sleep(kr_us(100));
    if (err)
        return err;
    atomic_store(&c->value, seen + 1);
    return 0;
}

static int increment(struct counter *c)
{
    int err = 0;
    kr_with (&c->lock)
        err = increment_unsafely(c);
    return err;
}

static int work_unsafely(void *arg)
{
    struct counter *c = arg;
    int err = 0;
    for (int i = 0; i < TIMES && !err; i++)
        err = increment_unsafely(c);
    return err;
}

static int work(void *arg)
{
    struct counter *c = arg;
    int err = 0;
    for (int i = 0; i < TIMES && !err; i++)
        err = increment(c);
    return err;
}

static int run_threads(kr_run_fn run)
{
    kr_thread *threads[THREADS] = {NULL};
    int err = 0;
    atomic_store(&counter.value, 0);
    for (int i = 0; i < THREADS && !err; i++)
        err = kr_thread_start(&threads[i], run, &counter, 0, NULL);
    for (int i = 0; i < THREADS; i++) {
        int result = 0;
        if (threads[i] && !err)
            err = kr_thread_join(threads[i], &result, KR_FOREVER);
        kr_thread_release(threads[i]);
        err = err ? err : result;
    }
    return err;
}

static void report(const char *how, kr_time begin)
{
    int expected = THREADS * TIMES, actual = atomic_load(&counter.value);
    printf("%s: expected %d, actual %d, thread-safe: %s, %.2f s\n", how, expected, actual,
           actual == expected ? "true" : "false", (double)(kr_now() - begin) / 1e9);
}

int main(void)
{
    kr_time begin = kr_now();
    int err = run_threads(work);
    if (err)
        return fail("with the lock", err);
    report("with the lock", begin);

    begin = kr_now();
    err = run_threads(work_unsafely);
    if (err)
        return fail("without", err);
    report("without", begin);
    return EXIT_SUCCESS;
}
