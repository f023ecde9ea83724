/* kr_event: a word with the flag and a count of how often it was raised.
 *
 * State.
 *     bit 0          SHARED, constant: 1 in an event for several processes
 *     bit 1          FLAG
 *     bit 2          WAITERS, in shared memory only: somebody may sleep in the kernel
 *     bits 3 to 31   how often the flag went up
 *
 * Fields.
 *     word     as above
 *     hint     where the last setter ran; see wait/spin_word.c
 *
 * Protocol.  A waiter remembers the count and sleeps on the word; it is done when the flag is up
 * or the count has moved on.  So a set that is cleared at once still lets go everyone who was
 * waiting.  (A waiter that is kept from running for exactly 2^29 raises misses them; it then waits
 * for the next.)
 *
 * In shared memory nobody knows who sleeps, so that a waiter leaves WAITERS before it does, and a
 * set takes it away and wakes them all.  Without it a set makes no system call.  A waiter that dies
 * or times out leaves it behind, and one set more looks for sleepers.  A setter that dies before
 * the wake is why sleepers look again now and then.
 *
 * Ordering.
 *     [event-1]  what was done before the set is visible after the wait
 *     [event-2]  and after the clear, also what was done before a set that found the flag up: so
 *                who clears and then looks whether there is something to do misses nothing.  Hence
 *                a set writes the word in any case
 *     The set is sequentially consistent because kri_wake wants it so, and is the last touch of the
 *     word: a waiter may free the event at once.
 *     In shared memory the kernel compares the word as it queues the sleeper, so a set is either
 *     seen by that or finds WAITERS: both are changes of the one word.
 *
 * Why not count the sleepers?  One who dies asleep would stay counted for good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/internal.h"
#include "wait/stall.h"

enum { SHARED = 1, FLAG = 2, WAITERS = 4, ONE_RAISE = 8 };

_Static_assert(sizeof(kr_event) == 8, "part of the layout in shared memory");
_Static_assert(offsetof(kr_event, hint) == 4, "part of the layout in shared memory");

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "an event at %p", (const void *)word);
}

int kr_event_init(kr_event *event, kr_scope scope)
{
    if (scope != KR_PRIVATE && scope != KR_SHARED)
        return -EINVAL;
    kri_store_rlx(&event->hint, 0);
    kri_store_rlx(&event->word, scope == KR_SHARED ? SHARED : 0);
    return 0;
}

/* What a set makes of the word.  One that is up stays as it is, but is written all the same. */
static uint32_t raised(uint32_t old)
{
    return old & FLAG ? old : ((old + ONE_RAISE) | FLAG) & ~(uint32_t)WAITERS;
}

void kr_event_set(kr_event *event)
{
    uint32_t old = kri_load_rlx(&event->word);
    if (old & SHARED)
        kri_spin_word_note_waker(&event->hint);
    while (!kri_cas_sc(&event->word, &old, raised(old))) { /* [event-1] [event-2] */
    }
    if (old & FLAG)
        return;
    if (!(old & SHARED))
        kri_wake(&event->word, KRI_ALL, 0);
    else if (old & WAITERS)
        kri_wake(&event->word, KRI_ALL, KRI_SHARED);
}

void kr_event_clear(kr_event *event)
{
    kri_and_acq(&event->word, ~(uint32_t)FLAG); /* [event-2] */
}

bool kr_event_is_set(const kr_event *event)
{
    return kri_load_acq(&event->word) & FLAG; /* [event-1] */
}

/* Has the flag gone up since the word was `first`? */
static bool raised_since(uint32_t first, const kr_event *event)
{
    uint32_t now = kri_load_acq(&event->word); /* [event-1] */
    return (now | WAITERS) != (first | WAITERS);
}

static int wait_private(kr_event *event, uint32_t first, kr_time deadline)
{
    for (;;) {
        int err = kri_wait_for(&event->word, first, deadline, 0, describe);
        if (raised_since(first, event))
            return 0;
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    }
}

static int sleep_shared(kr_event *event, uint32_t first, kr_time deadline)
{
    for (;;) {
        uint32_t seen = first;
        (void)kri_cas_rlx(&event->word, &seen, first | WAITERS);
        int err = kri_wait_slice(&event->word, first | WAITERS, deadline, describe);
        if (raised_since(first, event))
            return 0;
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    }
}

static int wait_shared(kr_event *event, uint32_t first, kr_time deadline)
{
    kr_time began = 0;
    int err = 0;
    bool alone = !(first & WAITERS);
    first &= ~(uint32_t)WAITERS;
    if (!alone || !kri_spin_word(&event->word, first, deadline, &event->hint, &began) ||
        !raised_since(first, event))
        err = sleep_shared(event, first, deadline);
    if (err == 0)
        kri_spin_word_learn(&event->hint, began);
    return err;
}

int kr_event_wait(kr_event *event, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    uint32_t first = kri_load_acq(&event->word); /* [event-1] */
    if (first & FLAG)
        return 0;
    if (timeout == KR_NOWAIT)
        return -ETIMEDOUT;
    kr_time deadline = kri_deadline(timeout);
    return first & SHARED ? wait_shared(event, first, deadline)
                          : wait_private(event, first, deadline);
}

bool kri_event_look(kr_event *event, uint32_t first, uint32_t *expected)
{
    uint32_t seen = first & ~(uint32_t)WAITERS;
    *expected = first & SHARED ? first | WAITERS : first;
    if (first & FLAG || raised_since(first, event))
        return true;
    if (first & SHARED)
        (void)kri_cas_rlx(&event->word, &seen, first | WAITERS);
    return false;
}

void kr_event_reinit(kr_event *event)
{
    kri_store_rlx(&event->word, kri_load_rlx(&event->word) & SHARED);
}
