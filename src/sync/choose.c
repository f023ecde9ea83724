/* Events and semaphores as choices of kr_wait_any.
 *
 * State.  That of the objects, see event.c and semaphore.c; a choice itself adds
 *     noted, event        the word at the beginning of the call
 *     noted, semaphore    1 from watch on: the caller may have slept on it, or be about to
 *
 * Fields.  Both kinds use `noted` alone, which belongs to the caller.
 *
 * Protocol.  An event is ready if the flag is up or the count has moved on since the beginning.  A
 * semaphore is ready when a permit can be taken, or when its acquire fails for another reason than
 * time, for that will not change by waiting.
 *     In shared memory an attempt that fails leaves WAITERS in the word, as whoever is about to
 *     sleep there does.  It may stay behind when another choice is carried out; then one set or
 *     release looks for sleepers in vain.  Who takes a permit after it may have slept puts the bit
 *     back for those behind it, and wakes one of them if there is another permit, as in
 *     semaphore.c.
 *
 * Ordering.  [event-1] as in event.c, [semaphore-1] as in semaphore.c.
 *
 * Why is an event's word noted, and not only its flag?  A set that is cleared at once would be
 * missed.  Why does a semaphore not put the bit back in one step with the permit, as its own
 * acquire does?  With a table of holders the permit is taken under a lock (owned.c); so both kinds
 * are served by one way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/choice.h"
#include "sync/semaphore.h"
#include "wait/stall.h"

/* An event, as kr_event_wait sees it: a set that is cleared at once is not missed. */

static bool is_shared_event(const kr_choice *choice)
{
    return kri_event_is_shared(kri_load_rlx(&((kr_event *)choice->object)->word));
}

static void begin_event(kr_choice *choice)
{
    choice->noted = kri_load_acq(&((kr_event *)choice->object)->word); /* [event-1] */
}

static bool attempt_event(kr_choice *choice, kri_spot *spot)
{
    kr_event *event = choice->object;
    uint32_t expected;
    bool up = kri_event_look(event, choice->noted, &expected);
    kri_spot_set(spot, &event->word, expected, kri_event_is_shared(choice->noted));
    choice->result = 0;
    return up;
}

static void describe_event(const kr_choice *choice, kri_text *text)
{
    kri_text_add(text, "an event at %p", choice->object);
}

static const kr_choice_kind event_kind = {
    .is_shared = is_shared_event,
    .begin = begin_event,
    .attempt = attempt_event,
    .describe = describe_event,
};

kr_choice kr_choose_event(kr_event *event)
{
    return (kr_choice){.kind = &event_kind, .object = event};
}

/* A semaphore; noted: the caller may have slept on it. */

static bool is_shared_semaphore(const kr_choice *choice)
{
    return ((const kr_semaphore *)choice->object)->flags != 0;
}

static void watch_semaphore(kr_choice *choice)
{
    choice->noted = 1;
}

static void begin_semaphore(kr_choice *choice)
{
    choice->noted = 0;
}

/* The bit is gone if a release has woken the caller: as whoever has slept, it puts the bit back and
 * wakes another one if there is more. */
static void take_after_sleep(kr_word *value)
{
    if ((kri_or_sc(value, KRI_SEMAPHORE_WAITERS) & KR_SEMAPHORE_MAX) > 0)
        kri_wake(value, 1, KRI_SHARED);
}

static bool take_shared(kr_choice *choice, kr_semaphore *semaphore)
{
    for (;;) {
        uint32_t seen = 0;
        choice->result = kr_semaphore_acquire(semaphore, KR_NOWAIT);
        if (choice->result != -ETIMEDOUT && choice->noted)
            take_after_sleep(&semaphore->value);
        if (choice->result != -ETIMEDOUT)
            return true;
        if (kri_cas_rlx(&semaphore->value, &seen, KRI_SEMAPHORE_WAITERS) ||
            seen == KRI_SEMAPHORE_WAITERS)
            return false;
    }
}

static bool attempt_semaphore(kr_choice *choice, kri_spot *spot)
{
    kr_semaphore *semaphore = choice->object;
    if (is_shared_semaphore(choice)) {
        kri_spot_set(spot, &semaphore->value, KRI_SEMAPHORE_WAITERS, true);
        return take_shared(choice, semaphore);
    }
    kri_spot_set(spot, &semaphore->value, 0, false);
    choice->result = kr_semaphore_acquire(semaphore, KR_NOWAIT);
    return choice->result != -ETIMEDOUT;
}

static void describe_semaphore(const kr_choice *choice, kri_text *text)
{
    kri_text_add(text, "a permit of a semaphore at %p", choice->object);
}

static const kr_choice_kind semaphore_kind = {
    .is_shared = is_shared_semaphore,
    .begin = begin_semaphore,
    .watch = watch_semaphore,
    .attempt = attempt_semaphore,
    .describe = describe_semaphore,
};

kr_choice kr_choose_semaphore(kr_semaphore *semaphore)
{
    return (kr_choice){.kind = &semaphore_kind, .object = semaphore};
}
