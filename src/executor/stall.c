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

/* While it runs, its executor stays for its runner. */
static void describe_task(const kr_future *f, bool runs, kri_text *text)
{
    if (f->executor)
        kri_text_add(text, "a task of %s", f->executor->name);
    else
        kri_text_add(text, "a future");
    if (!runs)
        kri_text_add(text, f->executor ? " that is queued" : " that nobody has begun");
    else if (!f->scope || !kri_text_add_runner(text, ", which runs in ", f->scope))
        kri_text_add(text, f->executor ? " that runs" : " that somebody has begun");
}

/* The mutex may be held by one who wants a queue that the report holds. */
void kri_future_describe(const kr_word *word, kri_text *text)
{
    kr_future *f = (kr_future *)(uintptr_t)around(word, offsetof(kr_future, state));
    if (!kri_mutex_try(&f->mutex)) {
        kri_text_add(text, "a future");
        return;
    }
    uint32_t phase = kri_load_rlx(&f->state) & KRI_STATE;
    if (phase >= KRI_FINISHED)
        kri_text_add(text, "a future that is done");
    else
        describe_task(f, phase == KRI_RUNNING, text);
    kri_mutex_unlock(&f->mutex);
}

void kri_futures_describe(const kr_word *word, kri_text *text)
{
    (void)word;
    kri_text_add(text, "several futures");
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
