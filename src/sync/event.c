/* kr_event: a word with the flag and a count of how often it was raised.
 *
 * State.  Bit 0 is the flag; the bits above count the times it went up.
 *
 * Protocol.  A waiter remembers the count and sleeps on the word; it is done when the flag is up
 * or the count has moved on.  So a set that is cleared at once still lets go everyone who was
 * waiting.  (A waiter that is kept from running for exactly 2^31 raises misses them; it then waits
 * for the next.)
 *
 * Ordering.
 *     [event-1]  what was done before the set is visible after the wait
 *     The set is sequentially consistent because kri_wake wants it so, and is the last touch of the
 *     word: a waiter may free the event at once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/internal.h"
#include "wait/stall.h"

enum { FLAG = 1, ONE_RAISE = 2 };

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "an event at %p", (const void *)word);
}

void kr_event_set(kr_event *event)
{
    uint32_t old = kri_load_rlx(&event->word);
    do {
        if (old & FLAG)
            return;
    } while (!kri_cas_sc(&event->word, &old, (old + ONE_RAISE) | FLAG)); /* [event-1] */
    kri_wake(&event->word, KRI_ALL, 0);
}

void kr_event_clear(kr_event *event)
{
    kri_and_rlx(&event->word, ~(uint32_t)FLAG);
}

bool kr_event_is_set(const kr_event *event)
{
    return kri_load_acq(&event->word) & FLAG; /* [event-1] */
}

int kr_event_wait(kr_event *event, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    uint32_t first = kri_load_acq(&event->word); /* [event-1] */
    if (first & FLAG)
        return 0;
    kr_time deadline = kri_deadline(timeout);
    for (;;) {
        int err = kri_wait_for(&event->word, first, deadline, 0, describe);
        if (kri_load_acq(&event->word) != first) /* [event-1] */
            return 0;
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    }
}

void kr_event_reinit(kr_event *event)
{
    kri_store_rlx(&event->word, 0);
}
