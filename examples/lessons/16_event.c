/* An event: a flag that many wait for, and one sets.
 *
 * Row 14 of docs/lessons.md.  Python's threading.Event.
 *
 * Watch: one set lets all three runners go, and who comes later does not wait at all.  Until it is
 * cleared: then the next wait waits again, here for 20 ms, which is no error but an answer.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { RUNNERS = 3 };

static kr_event shot = KR_EVENT_INIT;
static kr_semaphore at_the_line = KR_SEMAPHORE_INIT(0);

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int run(void *arg)
{
    const int *number = arg;
    printf("runner %d is at the line\n", *number);
    kr_semaphore_release(&at_the_line, 1);
    int err = kr_event_wait(&shot, KR_FOREVER);
    if (err)
        return err;
    printf("runner %d runs\n", *number);
    return 0;
}

int main(void)
{
    kr_thread *runners[RUNNERS] = {NULL};
    int err = 0;

    for (int i = 0; i < RUNNERS && !err; i++)
        err = kr_thread_start(&runners[i], run, &(int){i + 1}, sizeof(int), NULL);
    for (int i = 0; i < RUNNERS && !err; i++)
        err = kr_semaphore_acquire(&at_the_line, KR_FOREVER);
    if (!err)
        puts("ready ...");
    kr_event_set(&shot); /* in any case: whoever stands there is let go */
    if (err)
        return fail("start", err);
    for (int i = 0; i < RUNNERS && !err; i++) {
        int result = 0;
        err = kr_thread_join(runners[i], &result, KR_FOREVER);
        kr_thread_release(runners[i]);
        err = err ? err : result;
    }
    if (err)
        return fail("join", err);

    err = kr_event_wait(&shot, KR_NOWAIT);
    printf("who comes late: %s\n", err == 0 ? "runs at once" : kr_strerror(err));
    kr_event_clear(&shot);
    err = kr_event_wait(&shot, kr_ms(20));
    printf("who comes to the next race: %s\n", err == -ETIMEDOUT ? "waits" : kr_strerror(err));
    return EXIT_SUCCESS;
}
