/* A lock: one thread at a time, so that no update is lost.
 *
 * Rows 58 and 66 of docs/lessons.md.  In Python each += 1 and -= 1 stands in `with lock:`, and the
 * million of each leave 0.
 *
 * The counter is a plain long.  What makes that right is that nobody touches it but under the lock:
 * who acquires it sees all that was done before it was released.  ThreadSanitizer, which the tests
 * run this with, would report any access that is not.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TIMES = 100000 };

static kr_lock lock = KR_LOCK_INIT; /* guards the counter */
static long counter;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int count(void *arg)
{
    const long *step = arg;
    for (int i = 0; i < TIMES; i++)
        kr_with (&lock)
            counter += *step;
    return 0;
}

/* The same without kr_with.  It can do what kr_with cannot: give up after a while. */
static int count_by_hand(void *arg)
{
    const long *step = arg;
    for (int i = 0; i < TIMES; i++) {
        int err = kr_lock_acquire(&lock, kr_sec(60));
        if (err)
            return err; /* -ETIMEDOUT: then the counter is not ours to touch */
        counter += *step;
        kr_lock_release(&lock);
    }
    return 0;
}

int main(void)
{
    KR_AUTO(kr_thread) *up = NULL;
    KR_AUTO(kr_thread) *down = NULL;
    int up_result = 0, down_result = 0;

    int err = kr_thread_start(&up, count, &(long){1}, sizeof(long), NULL);
    if (!err)
        err = kr_thread_start(&down, count_by_hand, &(long){-1}, sizeof(long), NULL);
    if (!err)
        err = kr_thread_join(up, &up_result, KR_FOREVER);
    if (!err)
        err = kr_thread_join(down, &down_result, KR_FOREVER);
    if (err)
        return fail("two threads", err);
    if (up_result || down_result)
        return fail("count", up_result ? up_result : down_result);

    printf("%d up and %d down leave %ld\n", TIMES, TIMES, counter);
    return EXIT_SUCCESS;
}
