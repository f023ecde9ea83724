/* Two who wait for each other: a notify that nobody heard.
 *
 * Row 68 of docs/lessons.md.  In Python a Speaker and a Listener hold a dialogue of six lines: each
 * says one, notifies the other and waits to be notified.  As the article has it, the Speaker is
 * started first; it notifies when nobody is waiting yet, and a notify is not kept.  Then both wait,
 * and the program hangs without a word.
 *
 * The same here, with krait's report of who waits for what, a second after nothing moves any more.
 * Without a hook it goes to standard error; this one also lets the two go, so that the lesson ends.
 * The right dialogue is the next lesson.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static kr_condition condition = KR_CONDITION_INIT; /* its lock guards given_up */
static bool given_up;
static kr_event spoken = KR_EVENT_INIT;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int speak(void *arg)
{
    static const char *const lines[] = {"Hello!", "How are you?", "Fine too.  Bye!"};
    (void)arg;
    kr_with (&condition) {
        for (int i = 0; i < 3 && !given_up; i++) {
            printf("Speaker: %s\n", lines[i]);
            printf("Speaker notifies %d\n", kr_condition_notify(&condition, 1));
            kr_event_set(&spoken);
            int err = kr_condition_wait(&condition, KR_FOREVER); /* gives the lock up meanwhile */
            if (err)
                return err;
        }
    }
    return 0;
}

static int answer(void *arg)
{
    static const char *const lines[] = {"Hello, Speaker!", "Fine, and you?", "Bye!"};
    (void)arg;
    kr_with (&condition) {
        for (int i = 0; i < 3; i++) {
            int err = kr_condition_wait(&condition, KR_FOREVER);
            if (err || given_up)
                return err;
            printf("Listener: %s\n", lines[i]);
            kr_condition_notify(&condition, 1);
        }
    }
    return 0;
}

/* Called by one of those who wait. */
static void give_up(const char *report)
{
    puts(report);
    kr_with (&condition) {
        given_up = true;
        kr_condition_notify_all(&condition);
    }
}

int main(void)
{
    KR_AUTO(kr_thread) *speaker = NULL;
    KR_AUTO(kr_thread) *listener = NULL;
    kr_set_stall_hook(give_up);

    int err = kr_thread_start(&speaker, speak, NULL, 0, &(kr_thread_options){.name = "Speaker"});
    if (!err)
        err = kr_event_wait(&spoken, KR_FOREVER); /* so that it is the first on every run */
    if (!err)
        err = kr_thread_start(&listener, answer, NULL, 0, &(kr_thread_options){.name = "Listener"});
    if (err)
        return fail("start", err);

    err = kr_thread_join(speaker, NULL, KR_FOREVER);
    if (!err)
        err = kr_thread_join(listener, NULL, KR_FOREVER);
    if (err)
        return fail("join", err);
    puts("given up");
    return EXIT_SUCCESS;
}
