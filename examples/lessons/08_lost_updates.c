/* The race: two threads count without a lock, and updates are lost.
 *
 * Row 58 of docs/lessons.md.  In Python one thread does counter += 1 a million times, another
 * counter -= 1, and the article says that 0 is not what comes out.  On Python 3.10 and later it is,
 * as long as nothing is called in between: the interpreter switches threads at few places only.
 * Processors have no such places.
 *
 * `counter++` is three steps: read, add, write.  Who reads before another writes, and writes after
 * it, takes the other's update back.  Plain `counter++` by two threads is also undefined behaviour
 * in C, a compiler may make of it what it likes; so the steps are written out here, on an atomic
 * variable, and the loss is all that goes wrong.
 *
 * Watch how much is lost: who is interrupted between its read and its write takes back all that the
 * other did meanwhile, be it the whole million.  Addition in one step, atomic_fetch_add, loses
 * nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { TIMES = 1000000, ATTEMPTS = 1000 };

static _Atomic long counter;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int count_in_steps(void *arg)
{
    const long *step = arg;
    for (int i = 0; i < TIMES; i++) {
        long seen = atomic_load_explicit(&counter, memory_order_relaxed);
        atomic_store_explicit(&counter, seen + *step, memory_order_relaxed);
    }
    return 0;
}

static int count_at_once(void *arg)
{
    const long *step = arg;
    for (int i = 0; i < TIMES; i++)
        atomic_fetch_add_explicit(&counter, *step, memory_order_relaxed);
    return 0;
}

/* One thread counts up, one down: what is left? */
static int count(kr_run_fn run, long *left)
{
    KR_AUTO(kr_thread) *up = NULL;
    KR_AUTO(kr_thread) *down = NULL;
    atomic_store(&counter, 0);
    int err = kr_thread_start(&up, run, &(long){1}, sizeof(long), NULL);
    if (!err)
        err = kr_thread_start(&down, run, &(long){-1}, sizeof(long), NULL);
    if (!err)
        err = kr_thread_join(up, NULL, KR_FOREVER);
    if (!err)
        err = kr_thread_join(down, NULL, KR_FOREVER);
    *left = atomic_load(&counter);
    return err;
}

int main(void)
{
    long left = 0;
    int attempts = 0;

    /* On a machine that is busy, or has one processor only, they may happen not to meet. */
    while (left == 0 && attempts++ < ATTEMPTS) {
        int err = count(count_in_steps, &left);
        if (err)
            return fail("count in steps", err);
    }
    printf("in three steps: %d up and %d down leave %ld, %s\n", TIMES, TIMES, left,
           left == 0 ? "by luck" : "not 0");

    int err = count(count_at_once, &left);
    if (err)
        return fail("count at once", err);
    printf("in one step: %d up and %d down leave %ld\n", TIMES, TIMES, left);
    return EXIT_SUCCESS;
}
