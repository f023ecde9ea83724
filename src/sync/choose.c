/* Events and semaphores as choices of kr_wait_any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/choice.h"
#include "sync/internal.h"
#include "wait/stall.h"

/* An event: the word is as kr_event_wait uses it, so that a set that is cleared at once is seen. */

static void begin_event(kr_choice *choice)
{
    choice->noted = kri_load_acq(&((kr_event *)choice->object)->word); /* [event-1] */
}

static bool attempt_event(kr_choice *choice, kri_spot *spot)
{
    kr_event *event = choice->object;
    uint32_t now = kri_load_acq(&event->word); /* [event-1] */
    kri_spot_set(spot, &event->word, now, false);
    choice->result = 0;
    return now != choice->noted || kr_event_is_set(event);
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

/* A semaphore. */

static bool attempt_semaphore(kr_choice *choice, kri_spot *spot)
{
    kr_semaphore *semaphore = choice->object;
    kri_spot_set(spot, &semaphore->value, 0, false);
    choice->result = kr_semaphore_acquire(semaphore, KR_NOWAIT);
    return choice->result != -ETIMEDOUT;
}

static void describe_semaphore(const kr_choice *choice, kri_text *text)
{
    kri_text_add(text, "a permit of a semaphore at %p", choice->object);
}

static const kr_choice_kind semaphore_kind = {
    .attempt = attempt_semaphore,
    .describe = describe_semaphore,
};

kr_choice kr_choose_semaphore(kr_semaphore *semaphore)
{
    return (kr_choice){.kind = &semaphore_kind, .object = semaphore};
}
