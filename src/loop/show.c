/* Loops on the status page.
 *
 * Only its own thread may look into a loop.  So, while there is a page, it tells in each turn what
 * there is to be told, in words that anybody may read; and it takes the time of each coroutine from
 * going on to suspending itself, as in debug mode, so that the page can tell who holds it up, also
 * while that lasts.
 *
 * A loop that has been asleep since before there was a page has told nothing; how many tasks it has
 * is known all the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include <string.h>

#include "os/os.h"
#include "status/status.h"
#include "wait/stall.h"

void kri_loop_show(kri_loop *loop)
{
    kri_loop_shown *shown = &loop->shown;
    bool on = kri_status_on();
    if (on && !loop->shows)
        kri_store_rlx64(&shown->longest, 0);
    loop->shows = on;
    loop->timed = loop->debug || on;
    kri_store_rlx64(&shown->since, 0);
    kri_store_rlx64(&shown->ready, loop->ready.count);
    kri_store_rlx64(&shown->done, loop->begun - loop->alive);
    kri_store_rlx(&shown->native, on ? (uint32_t)kri_party_thread(loop->thread_party) : 0);
}

static void begin_slice(kri_loop *loop, kr_time now, const kri_runner *runner)
{
    kri_store_rlx64(&loop->shown.task, runner != NULL ? (uintptr_t)runner->fn : 0);
    kri_store_rlx64(&loop->shown.since, (uint64_t)now);
}

void kri_loop_show_begin(kri_loop *loop)
{
    loop->slice_began = os_now();
    if (loop->shows)
        begin_slice(loop, loop->slice_began, loop->running);
}

/* Who goes on now may have suspended itself before its time was taken. */
void kri_loop_show_slice(kri_loop *loop, kr_time took)
{
    if ((uint64_t)took > kri_load_rlx64(&loop->shown.longest)) {
        kri_store_rlx64(&loop->shown.longest, (uint64_t)took);
        kri_store_rlx64(&loop->shown.longest_task, (uintptr_t)loop->running->fn);
    }
    loop->slice_began += took;
    begin_slice(loop, loop->slice_began, NULL);
}

static void look_at_loop(kri_loop *loop, void *arg)
{
    kri_view *view = arg;
    const kri_loop_shown *shown = &loop->shown;
    uint64_t id = (uint64_t)KRI_ROW_LOOPS << 60 | (uintptr_t)loop;
    kri_loop_row *row = kri_view_loop(view, id, loop->face->name);
    if (row == NULL)
        return;
    uint64_t since = kri_load_rlx64(&shown->since);
    row->native = kri_load_rlx(&shown->native);
    row->tasks = kri_loop_load(loop);
    row->flags = row->native == 0 ? KRI_ROW_UNSEEN : 0;
    if (kri_load_acq(&loop->face->shut))
        row->flags |= KRI_ROW_SHUT;
    row->ready = row->native != 0 ? kri_load_rlx64(&shown->ready) : 0;
    row->done = kri_load_rlx64(&shown->done);
    row->longest = row->native != 0 ? kri_load_rlx64(&shown->longest) : 0;
    row->longest_task = kri_load_rlx64(&shown->longest_task);
    if (row->native != 0 && since != 0) {
        row->running = view->at > (kr_time)since ? (uint64_t)view->at - since : 1;
        row->task = kri_load_rlx64(&shown->task);
    }
    uint64_t others = row->ready + (row->running != 0);
    row->waiting = row->tasks > others ? row->tasks - others : 0;
}

static void look_at_loops(kri_view *view)
{
    if (!kri_loops_try_each(look_at_loop, view))
        view->missed |= KRI_MISSED_LOOPS;
}

__attribute__((constructor)) static void be_looked_at(void)
{
    kri_status_source(look_at_loops);
}
