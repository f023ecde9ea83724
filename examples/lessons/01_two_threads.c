/* Two threads run beside main: each does a little, waits, and goes on.
 *
 * Rows 7 and 46 of docs/lessons.md.  In Python:
 *
 *     a = threading.Thread(target=work, args=("A", 0.1)); a.start()
 *     b = threading.Thread(target=work, args=("B", 0.16)); b.start()
 *     time.sleep(0.2)                 # main works too
 *     a.join(); b.join()
 *
 * Watch the times: all three wait at once, so the whole takes as long as B alone, 0.48 s, and not
 * 0.3 + 0.48 + 0.2 s.  A's lines are in order, and B's; how the two mix only the clock decides.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

/* What a thread is given.  krait copies it at the start, so it may lie anywhere. */
struct job {
    const char *name;
    kr_time pause;
};

static kr_time begin;

static double seconds(void)
{
    return (double)(kr_now() - begin) / 1e9;
}

/* Every lesson has these lines: errors are negative numbers, and main says what they mean. */
static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* What a thread runs.  It gets the address of its own copy of the job, and returns 0 or an error,
 * which whoever joins the thread is told. */
static int work(void *arg)
{
    const struct job *job = arg;
    for (int round = 1; round <= 3; round++) {
        int err = kr_sleep(job->pause);
        if (err)
            return err;
        printf("%.2f s  %s %d\n", seconds(), job->name, round);
    }
    return 0;
}

int main(void)
{
    KR_AUTO(kr_thread) *a = NULL; /* a handle, given back when main returns, as with `with` */
    KR_AUTO(kr_thread) *b = NULL;
    int a_result = 0, b_result = 0;
    begin = kr_now();

    /* Python's Thread(...) and start() in one: there is no thread that is not yet started. */
    int err = kr_thread_start(&a, work, &(struct job){"A", kr_ms(100)}, sizeof(struct job), NULL);
    if (err)
        return fail("start A", err);
    err = kr_thread_start(&b, work, &(struct job){"B", kr_ms(160)}, sizeof(struct job), NULL);
    if (err)
        return fail("start B", err);

    err = kr_sleep(kr_ms(200));
    if (err)
        return fail("sleep", err);
    printf("%.2f s  main has done its own work\n", seconds());

    err = kr_thread_join(a, &a_result, KR_FOREVER);
    if (!err)
        err = kr_thread_join(b, &b_result, KR_FOREVER);
    if (err)
        return fail("join", err);
    if (a_result || b_result)
        return fail("a thread", a_result ? a_result : b_result);
    printf("%.2f s  both have ended\n", seconds());
    return EXIT_SUCCESS;
}
