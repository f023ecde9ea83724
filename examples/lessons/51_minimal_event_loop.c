/* The least that can be called an event loop: a queue, and somebody who takes from it.
 *
 * Rows 54 and 55 of docs/lessons.md.  In Python:
 *
 *     while True:
 *         try: event = queue.get(timeout=1)
 *         except queue.Empty: continue
 *         except KeyboardInterrupt: break
 *         handle(event)
 *
 * Watch event 2, whose handler fails: the loop says so and goes on.  And the end: Ctrl-C cancels
 * the scope in which the loop stands, and so the wait that it is in.  Here the program presses it
 * itself; called with an argument, it leaves that to you.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct event {
    int number;
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int handle(const struct event *event)
{
    if (event->number == 2)
        return -EDOM; /* something is wrong with this one */
    printf("Processing message: event_%d\n", event->number);
    return 0;
}

/* Runs until it is cancelled, and answers -ECANCELED then, or what else has ended it. */
static int event_loop(kr_queue *queue, bool press)
{
    for (int idle = 0;;) {
        struct event event;
        /* After the third pause nothing but the cancel is expected. */
        int err = kr_queue_get(queue, &event, press && idle == 3 ? KR_FOREVER : kr_ms(100));
        if (err == -ETIMEDOUT) {
            printf("Nothing to do\n");
            if (++idle == 3 && press)
                raise(SIGINT); /* Ctrl-C */
        } else if (err) {
            return err;
        } else {
            err = handle(&event);
            if (err)
                printf("event_%d has failed: %s\n", event.number, kr_strerror(err));
        }
    }
}

int main(int argc, char **argv)
{
    KR_AUTO(kr_queue) *queue = NULL;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    (void)argv;
    setvbuf(stdout, NULL, _IOLBF, 0);
    int err = kr_queue_create(&queue, sizeof(struct event), 0, NULL);
    if (err)
        return fail("queue", err);
    for (int i = 0; i < 5; i++) {
        err = kr_queue_put(queue, &(struct event){i}, KR_FOREVER);
        if (err)
            return fail("put", err);
    }
    err = kr_cancel_on_signal(SIGINT, &scope);
    if (err)
        return fail("signal", err);
    err = kr_cancel_scope_enter(&scope, KR_FOREVER);
    if (err)
        return fail("scope", err);
    err = event_loop(queue, argc < 2);
    (void)kr_cancel_scope_exit(&scope);
    if (err != -ECANCELED)
        return fail("event loop", err);
    printf("Interrupted: the loop has ended\n");
    err = kr_cancel_on_signal(SIGINT, NULL); /* from here on Ctrl-C ends the program */
    return err ? fail("signal", err) : EXIT_SUCCESS;
}
