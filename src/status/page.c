/* The status page: one writer, and readers in other processes.
 *
 * State.  `sequence` counts the writings by two: while it is odd one is under way, and so it stays
 * when the writer dies then.
 *
 * Fields.
 *     sequence    atomic: written by the writer alone
 *     words       atomic: the same; the words of a kri_view
 *
 * Protocol.  The writer counts up, writes the words, counts up.  A reader reads the count, the
 * words, and the count again: if it was even, and is the same, the words are those of one writing.
 * A reader neither writes nor holds up the writer.
 *
 * Ordering.
 *     [page-1]  each word is released, and acquired: who has read one of a later writing sees that
 *               the count is odd, or further, when he reads it again
 *     [page-2]  the even count is released behind the words, and acquired before them: who has read
 *               it gets none of an older writing
 *
 * Why not a lock in the page?  Whoever may read could then stop the writer, by being killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "status/page.h"

#include <stdio.h>
#include <string.h>

enum { TRIES = 4 };

void kri_words_write(kri_word64 *sequence, kri_word64 *words, const uint64_t *from, size_t count)
{
    uint64_t n = kri_load_rlx64(sequence);
    kri_store_rlx64(sequence, n + 1);
    for (size_t i = 0; i < count; i++)
        kri_store_rel64(&words[i], from[i]); /* [page-1] */
    kri_store_rel64(sequence, n + 2);        /* [page-2] */
}

bool kri_words_read(const kri_word64 *sequence, const kri_word64 *words, uint64_t *to, size_t count)
{
    uint64_t n = kri_load_acq64(sequence); /* [page-2] */
    if (n % 2 != 0)
        return false;
    for (size_t i = 0; i < count; i++)
        to[i] = kri_load_acq64(&words[i]); /* [page-1] */
    return kri_load_rlx64(sequence) == n;
}

void kri_page_write(kri_page *page, const kri_view *view)
{
    kri_words_write(&page->sequence, page->words, (const uint64_t *)view, KRI_VIEW_WORDS);
}

bool kri_page_read(const kri_page *page, kri_view *view)
{
    return kri_words_read(&page->sequence, page->words, (uint64_t *)view, KRI_VIEW_WORDS);
}

static bool is_text(const char *text, size_t size)
{
    return memchr(text, 0, size) != NULL;
}

bool kri_view_judge(kri_view *view)
{
    if (view->pool_count > KRI_PAGE_POOLS || view->worker_count > KRI_PAGE_WORKERS ||
        view->loop_count > KRI_PAGE_LOOPS || view->lock_count > KRI_PAGE_LOCKS)
        return false;
    bool sound = true;
    for (uint32_t i = 0; i < view->pool_count; i++)
        sound = sound && is_text(view->pools[i].name, KRI_PAGE_TEXT);
    for (uint32_t i = 0; i < view->loop_count; i++)
        sound = sound && is_text(view->loops[i].name, KRI_PAGE_TEXT);
    for (uint32_t i = 0; i < view->lock_count; i++)
        sound = sound && is_text(view->locks[i].name, KRI_PAGE_LOCK_TEXT);
    return sound;
}

kri_pool_row *kri_view_pool(kri_view *view, uint32_t kind, uint64_t id, const char *name)
{
    if (view->pool_count == KRI_PAGE_POOLS) {
        view->pools_omitted++;
        return NULL;
    }
    kri_pool_row *row = &view->pools[view->pool_count++];
    *row = (kri_pool_row){.kind = kind, .id = id};
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

kri_worker_row *kri_view_worker(kri_view *view, const kri_pool_row *pool, uint32_t number)
{
    if (view->worker_count == KRI_PAGE_WORKERS) {
        view->workers_omitted++;
        return NULL;
    }
    kri_worker_row *row = &view->workers[view->worker_count++];
    *row = (kri_worker_row){.pool = pool->id, .number = number};
    return row;
}

kri_loop_row *kri_view_loop(kri_view *view, uint64_t id, const char *name)
{
    if (view->loop_count == KRI_PAGE_LOOPS) {
        view->loops_omitted++;
        return NULL;
    }
    kri_loop_row *row = &view->loops[view->loop_count++];
    *row = (kri_loop_row){.id = id};
    snprintf(row->name, sizeof row->name, "%s", name);
    return row;
}

/* Such locks are held for microseconds, unless their holder was stopped. */
bool kri_view_try(kri_mutex *mutex)
{
    bool taken = kri_mutex_try(mutex);
    for (int i = 0; i < TRIES && !taken; i++) {
        (void)kri_pause(kri_deadline(kr_ms(1)));
        taken = kri_mutex_try(mutex);
    }
    return taken;
}
