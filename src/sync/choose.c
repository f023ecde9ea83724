/* Events and semaphores as choices of kr_wait_any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/choice.h"
#include "sync/semaphore.h"
#include "wait/stall.h"

/* An event, as kr_event_wait sees it: a set that is cleared at once is not missed. */

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
    .begin = begin_event,
    .attempt = attempt_event,
    .describe = describe_event,
};

kr_choice kr_choose_event(kr_event *event)
{
    return (kr_choice){.kind = &event_kind, .object = event};
}

/* A semaphore; noted: the caller may have slept on it. */

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
    if (semaphore->flags != 0) {
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
    .begin = begin_semaphore,
    .watch = watch_semaphore,
    .attempt = attempt_semaphore,
    .describe = describe_semaphore,
};

kr_choice kr_choose_semaphore(kr_semaphore *semaphore)
{
    return (kr_choice){.kind = &semaphore_kind, .object = semaphore};
}
