/* A lock that its holder may take again.
 *
 * Row 67 of docs/lessons.md.  In Python a function that holds an RLock calls another that takes it
 * too; two threads count up and down, and 0 is left.  With a plain Lock the first would wait for
 * itself for ever.
 *
 * Watch the count: the lock is free for others only when it was released as often as acquired.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TIMES = 50000 };

static kr_rlock lock = KR_RLOCK_INIT; /* guards the counter */
static long counter;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* May be called with the lock held, or without. */
static void add(long step)
{
    kr_with (&lock)
        counter += step;
}

/* Nobody is to see the counter between the two. */
static void add_twice(long step)
{
    kr_with (&lock) {
        add(step);
        add(step);
    }
}

static int count(void *arg)
{
    const long *step = arg;
    for (int i = 0; i < TIMES; i++)
        add_twice(*step);
    return 0;
}

static int run_both(void)
{
    KR_AUTO(kr_thread) *up = NULL;
    KR_AUTO(kr_thread) *down = NULL;
    int err = kr_thread_start(&up, count, &(long){1}, sizeof(long), NULL);
    if (!err)
        err = kr_thread_start(&down, count, &(long){-1}, sizeof(long), NULL);
    if (!err)
        err = kr_thread_join(up, NULL, KR_FOREVER);
    if (!err)
        err = kr_thread_join(down, NULL, KR_FOREVER);
    return err;
}

int main(void)
{
    int err = run_both();
    if (err)
        return fail("two threads", err);
    printf("2 * %d up and 2 * %d down leave %ld\n", TIMES, TIMES, counter);

    kr_with (&lock) {
        kr_with (&lock)
            printf("held %u times", kr_rlock_count(&lock));
        printf(", then %u", kr_rlock_count(&lock));
    }
    printf(", then %u\n", kr_rlock_count(&lock));

    /* A plain lock does not know who holds it.  Without the time limit this would be the end. */
    kr_lock plain = KR_LOCK_INIT;
    kr_with (&plain) {
        err = kr_lock_acquire(&plain, kr_ms(20));
        printf("a plain lock, taken again: %s\n", kr_errname(err));
    }
    return err == -ETIMEDOUT ? EXIT_SUCCESS : EXIT_FAILURE;
}
