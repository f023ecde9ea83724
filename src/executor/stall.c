/* Futures and pools in the report of a stall.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/stall.h"

#include <stddef.h>

#include "executor/pool.h"
#include "wait/stall.h"

static const void *around(const kr_word *word, size_t at)
{
    return (const char *)word - at;
}

/* Not done, and it cannot become so now: so its executor is there, if it is queued or runs. */
static void describe_open(const kr_future *f, kri_text *text)
{
    uint64_t claim = kri_load_acq64(&f->claim) & ~(uint64_t)KRI_CLAIM_OUTSIDE;
    const kr_cancel_scope *scope = (const kr_cancel_scope *)(uintptr_t)claim;
    if (f->executor)
        kri_text_add(text, "a task of %s", f->executor->name);
    else
        kri_text_add(text, "a future");
    if (claim == KRI_UNCLAIMED)
        kri_text_add(text, f->executor ? " that is queued" : " that nobody has begun");
    else if (claim < KRI_CLAIM_SCOPE || !kri_text_add_runner(text, ", which runs in ", scope))
        kri_text_add(text, f->executor ? " that runs" : " that somebody has begun");
}

/* The mutex may be held by one who wants a queue that the report holds. */
void kri_future_describe(const kr_word *word, kri_text *text)
{
    kr_future *f = (kr_future *)(uintptr_t)around(word, offsetof(kr_future, state));
    if (text->brief || !kri_mutex_try(&f->mutex)) {
        kri_text_add(text, "a future");
        return;
    }
    uint32_t state = kri_or_acq_rel(&f->state, KRI_SLOW);
    if (state & KRI_STATE)
        kri_text_add(text, "a future that is done");
    else
        describe_open(f, text);
    if (!(state & KRI_SLOW))
        kri_and_rel(&f->state, ~(uint32_t)KRI_SLOW);
    kri_mutex_unlock(&f->mutex);
}

void kri_group_describe(const kr_word *word, kri_text *text)
{
    (void)word;
    kri_text_add(text, "the tasks of a group");
}

void kri_futures_describe(const kr_future *open, kri_text *text)
{
    kri_text_add(text, "several futures");
    if (open) {
        kri_text_add(text, ", the first of them ");
        kri_future_describe(&open->state, text);
    }
}

void kri_pool_describe_room(const kr_word *word, kri_text *text)
{
    const kri_pool *pool = around(word, offsetof(kri_pool, room));
    kri_text_add(text, "room in the queue of %s", pool->name);
}

void kri_pool_describe_end(const kr_word *word, kri_text *text)
{
    const kri_pool *pool = around(word, offsetof(kri_pool, ended));
    kri_text_add(text, "the workers of %s to end", pool->name);
}
