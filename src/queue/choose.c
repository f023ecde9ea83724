/* Getting from a queue, and putting into it, as choices of kr_wait_any.
 *
 * State.  A choice is not watched, then watched, until the call ends.
 *
 * Fields.  Of the caller's own choice:
 *     noted   it is watched
 *     room    the spot: the word to sleep on, and what it must be then
 *
 * Protocol.  From watch to unwatch the caller counts as one who waits (queue.h), so it must ask
 * `ready` before it sleeps; where it then finds that somebody else was faster, it may sleep all the
 * same.  The first attempt comes before the watch and asks nothing.  What is there is then taken as
 * by any other who does not wait; -ETIMEDOUT says that somebody was faster, every other result is
 * that of the choice.  unwatch passes on a call that was meant for this party and not used.
 *
 * Ordering.  None of its own: that of the gates (gate.c) and of the bells (shared_bell.c).
 *
 * Why not.  Watching from the beginning: mostly something is there, and a watch is two changes of a
 * word that all who put or get read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/queue.h"
#include "sync/choice.h"
#include "wait/stall.h"

static int check(const kr_choice *choice)
{
    const kr_queue *q = choice->object;
    if (choice->item == NULL || q->item_size == 0 || q->ops->watch == NULL)
        return -EINVAL;
    return q->scope == KR_PRIVATE && kri_forked_since(q->generation) ? KR_EFORKED : 0;
}

static bool is_shared(const kr_choice *choice)
{
    const kr_queue *q = choice->object;
    return q->wait_flags & KRI_SHARED;
}

/* noted: it is watched. */
static void begin(kr_choice *choice)
{
    choice->noted = false;
}

static void watch(kr_choice *choice, kri_queue_side side)
{
    kr_queue *q = choice->object;
    kr_word *word = q->ops->watch(q, side);
    kri_spot_set(kri_choice_spot(choice), word, 0, q->wait_flags & KRI_SHARED);
    choice->noted = true;
}

static void unwatch(const kr_choice *choice, kri_queue_side side)
{
    kr_queue *q = choice->object;
    q->ops->unwatch(q, side);
}

/* Is it worth an attempt?  Once it is watched, the spot says what to sleep on if it fails. */
static bool is_ready(const kr_choice *choice, kri_spot *spot, kri_queue_side side)
{
    kr_queue *q = choice->object;
    return !choice->noted || q->ops->ready(q, side, &spot->expected);
}

/* Getting. */

static void watch_items(kr_choice *choice)
{
    watch(choice, KRI_ITEMS);
}

static void unwatch_items(kr_choice *choice)
{
    unwatch(choice, KRI_ITEMS);
}

static bool attempt_get(kr_choice *choice, kri_spot *spot)
{
    if (!is_ready(choice, spot, KRI_ITEMS))
        return false;
    choice->result = kr_queue_get(choice->object, choice->item, KR_NOWAIT);
    return choice->result != -ETIMEDOUT;
}

static void describe_get(const kr_choice *choice, kri_text *text)
{
    kri_text_add(text, "an item of a queue at %p", choice->object);
}

static const kr_choice_kind get_kind = {
    .check = check,
    .is_shared = is_shared,
    .begin = begin,
    .watch = watch_items,
    .unwatch = unwatch_items,
    .attempt = attempt_get,
    .describe = describe_get,
};

kr_choice kr_choose_get(kr_queue *q, void *item)
{
    return (kr_choice){.kind = &get_kind, .object = q, .item = item};
}

/* Putting. */

static void watch_room(kr_choice *choice)
{
    watch(choice, KRI_ROOM);
}

static void unwatch_room(kr_choice *choice)
{
    unwatch(choice, KRI_ROOM);
}

static bool attempt_put(kr_choice *choice, kri_spot *spot)
{
    if (!is_ready(choice, spot, KRI_ROOM))
        return false;
    choice->result = kr_queue_put(choice->object, choice->item, KR_NOWAIT);
    return choice->result != -ETIMEDOUT;
}

static void describe_put(const kr_choice *choice, kri_text *text)
{
    kri_text_add(text, "room in a queue at %p", choice->object);
}

static const kr_choice_kind put_kind = {
    .check = check,
    .is_shared = is_shared,
    .begin = begin,
    .watch = watch_room,
    .unwatch = unwatch_room,
    .attempt = attempt_put,
    .describe = describe_put,
};

kr_choice kr_choose_put(kr_queue *q, const void *item)
{
    return (kr_choice){.kind = &put_kind, .object = q, .item = (void *)(uintptr_t)item};
}
