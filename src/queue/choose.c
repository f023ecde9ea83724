/* Getting from a queue as a choice of kr_wait_any.
 *
 * From watch to unwatch the caller counts as a getter (queue.h), so it must ask `ready` before it
 * sleeps; a get may still find that somebody else was faster, and then it asks again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/queue.h"
#include "sync/choice.h"
#include "wait/stall.h"

static int check(const kr_choice *choice)
{
    const kr_queue *q = choice->object;
    if (choice->item == NULL || q->item_size == 0)
        return -EINVAL;
    return q->scope == KR_PRIVATE && kri_forked_since(q->generation) ? KR_EFORKED : 0;
}

/* noted: it is watched. */
static void begin(kr_choice *choice)
{
    choice->noted = false;
}

static void watch(kr_choice *choice)
{
    kr_queue *q = choice->object;
    kr_word *word;
    uint32_t expected;
    q->ops->watch(q, &word, &expected);
    kri_spot_set(kri_choice_spot(choice), word, expected, q->wait_flags & KRI_SHARED);
    choice->noted = true;
}

static void unwatch(kr_choice *choice)
{
    kr_queue *q = choice->object;
    q->ops->unwatch(q);
}

static bool attempt(kr_choice *choice, kri_spot *spot)
{
    kr_queue *q = choice->object;
    (void)spot;
    while (!choice->noted || q->ops->ready(q)) {
        choice->result = kr_queue_get(q, choice->item, KR_NOWAIT);
        if (choice->result != -ETIMEDOUT)
            return true;
        if (!choice->noted)
            return false;
    }
    return false;
}

static void describe(const kr_choice *choice, kri_text *text)
{
    kri_text_add(text, "an item of a queue at %p", choice->object);
}

static const kr_choice_kind get_kind = {
    .check = check,
    .begin = begin,
    .watch = watch,
    .unwatch = unwatch,
    .attempt = attempt,
    .describe = describe,
};

kr_choice kr_choose_get(kr_queue *q, void *item)
{
    return (kr_choice){.kind = &get_kind, .object = q, .item = item};
}
