/* Starting a thread takes no time; waiting for it is what join is for.
 *
 * Rows 60 and 61 of docs/lessons.md.  In Python two threads sleep for 2 s, and main prints at once
 * how long it took to start them: 0.00 s.  Only after both join() it is 2.00 s.
 *
 * Watch: both sleep for 0.2 s, at the same time, so main has waited 0.2 s for the two together.  A
 * join may also be given a time: it then says that the thread is still at it, and the thread goes
 * on.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static kr_time begin;

static double seconds(void)
{
    return (double)(kr_now() - begin) / 1e9;
}

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* What it waits for could be a server's answer. */
static int rest(void *arg)
{
    (void)arg;
    return kr_sleep(kr_ms(200));
}

int main(void)
{
    KR_AUTO(kr_thread) *one = NULL;
    KR_AUTO(kr_thread) *two = NULL;
    begin = kr_now();

    int err = kr_thread_start(&one, rest, NULL, 0, NULL);
    if (!err)
        err = kr_thread_start(&two, rest, NULL, 0, NULL);
    if (err)
        return fail("start", err);
    printf("%.2f s  both are started, and main goes on\n", seconds());

    /* Not yet: -ETIMEDOUT is no failure here but an answer. */
    err = kr_thread_join(one, NULL, kr_ms(20));
    if (err != -ETIMEDOUT)
        return fail("a join of 20 ms", err);
    printf("%.2f s  the first is %s\n", seconds(), kr_thread_alive(one) ? "alive" : "gone");

    err = kr_thread_join(one, NULL, KR_FOREVER);
    if (!err)
        err = kr_thread_join(two, NULL, KR_FOREVER);
    if (err)
        return fail("join", err);
    printf("%.2f s  both have ended; the first is %s\n", seconds(),
           kr_thread_alive(one) ? "alive" : "gone");
    return EXIT_SUCCESS;
}
