/* What takes two looks to know: how many tasks end in a second, and since when a worker is in its
 * task.
 *
 * A rate is over the last second: from the oldest look kept that is no older, or the first behind.
 * Looks that follow each other closely are not all kept, so that those kept reach back so far.
 *
 * SPDX-License-Identifier: MIT
 */
#include "status/status.h"

#include <string.h>

static const kr_time span = 1000 * 1000 * 1000;

static const kri_history_look *look_at(const kri_history *h, unsigned back)
{
    return &h->looks[(h->taken - back) % KRI_HISTORY_LOOKS];
}

/* The youngest that is as old as a second, or the oldest there is; NULL: there is none. */
static const kri_history_look *reference(const kri_history *h, kr_time now)
{
    const kri_history_look *found = NULL;
    for (unsigned back = 1; back <= h->taken && back <= KRI_HISTORY_LOOKS; back++) {
        found = look_at(h, back);
        if (now - found->at >= span)
            break;
    }
    return found;
}

static uint64_t rate_since(const kri_history_look *before, uint64_t id, uint64_t done, kr_time now)
{
    if (before == NULL || now <= before->at)
        return 0;
    for (uint32_t i = 0; i < before->count; i++) {
        if (before->counts[i].id != id || done < before->counts[i].done)
            continue;
        double seconds = (double)(now - before->at) / 1e9;
        return (uint64_t)((double)(done - before->counts[i].done) * 1000 / seconds);
    }
    return 0; /* it is new */
}

static void add_rates(const kri_history *h, kri_view *view)
{
    const kri_history_look *before = reference(h, view->at);
    for (uint32_t i = 0; i < view->pool_count; i++) {
        kri_pool_row *row = &view->pools[i];
        row->rate = rate_since(before, row->id, row->done, view->at);
    }
    for (uint32_t i = 0; i < view->loop_count; i++) {
        kri_loop_row *row = &view->loops[i];
        row->rate = rate_since(before, row->id, row->done, view->at);
    }
}

static void keep_counts(kri_history *h, const kri_view *view)
{
    kr_time apart = span / (KRI_HISTORY_LOOKS - 1);
    if (h->taken > 0 && view->at - look_at(h, 1)->at < apart)
        return;
    kri_history_look *look = &h->looks[h->taken++ % KRI_HISTORY_LOOKS];
    look->at = view->at;
    look->count = 0;
    for (uint32_t i = 0; i < view->pool_count; i++)
        look->counts[look->count++] = (kri_history_count){view->pools[i].id, view->pools[i].done};
    for (uint32_t i = 0; i < view->loop_count; i++)
        look->counts[look->count++] = (kri_history_count){view->loops[i].id, view->loops[i].done};
}

/* Rows come in the same order mostly, so the search begins where the last one was found. */
static const kri_worker_row *row_before(const kri_history *h, const kri_worker_row *row,
                                        uint32_t *hint)
{
    for (uint32_t i = 0; i < h->worker_count; i++) {
        uint32_t at = (*hint + i) % h->worker_count;
        const kri_worker_row *before = &h->workers[at];
        if (before->pool == row->pool && before->number == row->number) {
            *hint = at + 1;
            return before;
        }
    }
    return NULL;
}

static bool is_in_task(const kri_worker_row *row)
{
    return row->state == KRI_ROW_RUNS || row->state == KRI_ROW_WAITS;
}

static void add_times(const kri_history *h, kri_view *view)
{
    uint32_t hint = 0;
    for (uint32_t i = 0; i < view->worker_count; i++) {
        kri_worker_row *row = &view->workers[i];
        const kri_worker_row *before = row_before(h, row, &hint);
        bool same = before != NULL && is_in_task(before) && before->begun == row->begun &&
                    before->done == row->done;
        if (row->since == 0 && is_in_task(row) && same)
            row->since = before->since + (uint64_t)(view->at - h->at);
    }
}

void kri_history_add(kri_history *history, kri_view *view)
{
    add_rates(history, view);
    add_times(history, view);
    keep_counts(history, view);
    history->at = view->at;
    history->worker_count = view->worker_count;
    memcpy(history->workers, view->workers, view->worker_count * sizeof view->workers[0]);
}
