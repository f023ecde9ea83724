/* A condition, used as it is meant to be: wait until something is true.
 *
 * Row 68 of docs/lessons.md, put right.  What one waits for is a fact, here whose turn it is, and
 * the notify only says that the facts have changed.  Who finds the fact true does not wait at all,
 * so no notify can come too early; who is woken looks again.
 *
 *     with condition:
 *         condition.wait_for(lambda: turn == mine)      # Python
 *
 * Watch: the six lines are the same whoever is started first.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { LINES = 3 };

enum who { SPEAKER, LISTENER };

static kr_condition condition = KR_CONDITION_INIT; /* its lock guards the turn */
static enum who turn;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int take_part(void *arg)
{
    static const char *const names[] = {"Speaker", "Listener"};
    static const char *const lines[][LINES] = {
        {"Hello!", "How are you?", "Fine too.  Bye!"},
        {"Hello, Speaker!", "Fine, and you?", "Bye!"},
    };
    const enum who *self = arg;

    kr_with (&condition) {
        for (int i = 0; i < LINES; i++) {
            while (turn != *self) {
                int err = kr_condition_wait(&condition, KR_FOREVER);
                if (err)
                    return err;
            }
            printf("%s: %s\n", names[*self], lines[*self][i]);
            turn = *self == SPEAKER ? LISTENER : SPEAKER;
            kr_condition_notify(&condition, 1);
        }
    }
    return 0;
}

/* The first in a thread of its own, the second in this one. */
static int hold_dialogue(enum who first, enum who second)
{
    KR_AUTO(kr_thread) *thread = NULL;
    int result = 0;
    turn = SPEAKER;
    int err = kr_thread_start(&thread, take_part, &first, sizeof first, NULL);
    if (!err)
        err = take_part(&second);
    if (!err)
        err = kr_thread_join(thread, &result, KR_FOREVER);
    return err ? err : result;
}

int main(void)
{
    int err = hold_dialogue(SPEAKER, LISTENER);
    if (err)
        return fail("Speaker first", err);
    puts("and again, the Listener first:");
    err = hold_dialogue(LISTENER, SPEAKER);
    if (err)
        return fail("Listener first", err);
    return EXIT_SUCCESS;
}
