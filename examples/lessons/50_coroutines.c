/* Coroutines: many runners in one thread, which change over only where one of them waits.
 *
 * Rows 45, 51 and 53 of docs/lessons.md.  In Python:
 *
 *     async def visit(): ...; await asyncio.sleep(0.1); ...
 *     await asyncio.gather(*[visit() for i in range(1000)])
 *
 * Watch the time: a thousand wait at once, in one thread.  And the two counters: what stands
 * between two waits needs no lock, for nobody else runs meanwhile; what a wait stands in the middle
 * of does.  There is no `await` to show where: every krait call that may wait is one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { COROUTINES = 1000 };

static int whole, torn; /* counters, without any lock */
static int elsewhere;   /* coroutines that have found themselves in another thread */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* Any function may wait, and need not be of a special kind for that: this one has no idea that it
 * is called by a coroutine. */
static int pause_for(int64_t ms)
{
    return kr_sleep(kr_ms(ms));
}

static int visit(const void *arg, void *result)
{
    uint64_t home = *(const uint64_t *)arg;
    (void)result;
    int value = whole;
    whole = value + 1; /* no wait in between: no other coroutine runs */

    value = torn;
    int err = pause_for(100); /* here all the others do */
    torn = value + 1;

    elsewhere += kr_thread_ident(kr_thread_current()) != home;
    return err;
}

static int program(void *arg)
{
    static kr_future *futures[COROUTINES];
    uint64_t home = kr_thread_ident(kr_thread_current());
    int err = 0;
    (void)arg;
    kr_time begin = kr_now();
    for (int i = 0; i < COROUTINES && !err; i++)
        err = kr_spawn(&futures[i], visit, &home, sizeof home, 0, NULL);
    if (!err)
        err = kr_gather(futures, COROUTINES, NULL, NULL, KR_FOREVER);
    printf("%d coroutines have slept for 0.1 s each, in %.2f s\n", COROUTINES,
           (double)(kr_now() - begin) / 1e9);
    for (int i = 0; i < COROUTINES; i++)
        kr_future_release(futures[i]);
    return err;
}

int main(void)
{
    int err = kr_run(program, NULL);
    if (err)
        return fail("program", err);
    printf("In another thread: %d\n", elsewhere);
    printf("Counted without a wait between reading and writing: %d\n", whole);
    printf("Counted with a wait between them: %d\n", torn);
    return EXIT_SUCCESS;
}
