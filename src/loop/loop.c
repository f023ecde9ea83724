/* The loop: what it does, in which order.
 *
 * Order.  A turn is:
 *     1. what is ready, first come first served, until nothing is or until as many have run as were
 *        ready at its beginning, at least 64.  What becomes ready meanwhile stands behind;
 *     2. what other threads have put in: wake-ups, tasks, functions, in the order of their putting;
 *     3. timers that are due, in the order of their deadlines.  Where they are very many some
 *        hundreds at a time, so that whom they make ready runs while he is still in the caches;
 *     4. events of descriptors.  If nothing is ready now, the loop sleeps here until there is
 *        something, or until the first timer is due.
 *
 * Where nobody waits for a descriptor the loop sleeps on a word, as threads do, and descriptors
 * cost nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include <errno.h>

#include "base/global.h"
#include "loop/line.h"
#include "loop/sentry.h"
#include "loop/signal.h"
#include "os/os.h"
#include "status/status.h"

KRI_SHARED_THREAD_LOCAL_HERE(kri_loop *, kri_loop_current)

static KRI_GLOBAL kri_mutex loops_lock; /* guards the list of all loops and its links */
static KRI_GLOBAL kri_loop *first_loop;
static KRI_GLOBAL kr_word loops_read;    /* atomic: 1: who has the lock only reads the list */
static KRI_GLOBAL kr_word loops_watched; /* atomic: forks are */

/* The parent's loops are not here, and who was a coroutine is a thread now. */
static void forked(void)
{
    /* Nobody was in the middle of changing the list. */
    bool whole = kri_load_rlx(&loops_lock) == 0 || kri_load_rlx(&loops_read) != 0;
    for (kri_loop *loop = first_loop; whole && loop != NULL; loop = loop->next_loop)
        kri_poller_forked(loop);
    loops_lock = (kri_mutex){0};
    kri_store_rlx(&loops_read, 0);
    first_loop = NULL;
    kri_interrupt_forked();
    kri_sentries_forked();
    if (kri_runner_self() != NULL)
        kri_party_be_thread();
    *kri_loop_current() = NULL;
}

static int watch_forks(void)
{
    if (kri_load_acq(&loops_watched))
        return 0;
    int err = kri_at_fork_child(forked);
    if (err == 0)
        kri_store_rel(&loops_watched, 1);
    return err;
}

static void enlist(kri_loop *loop)
{
    kri_mutex_lock(&loops_lock);
    loop->next_loop = first_loop;
    if (first_loop != NULL)
        first_loop->previous_loop = loop;
    first_loop = loop;
    kri_mutex_unlock(&loops_lock);
}

static void delist(kri_loop *loop)
{
    kri_mutex_lock(&loops_lock);
    *(loop->previous_loop != NULL ? &loop->previous_loop->next_loop : &first_loop) =
        loop->next_loop;
    if (loop->next_loop != NULL)
        loop->next_loop->previous_loop = loop->previous_loop;
    kri_mutex_unlock(&loops_lock);
}

void kri_loops_each(void (*visit)(kri_loop *loop, void *arg), void *arg)
{
    kri_mutex_lock(&loops_lock);
    for (kri_loop *loop = first_loop; loop != NULL; loop = loop->next_loop)
        visit(loop, arg);
    kri_mutex_unlock(&loops_lock);
}

bool kri_loops_try_each(void (*visit)(kri_loop *loop, void *arg), void *arg)
{
    if (!kri_view_try(&loops_lock))
        return false;
    kri_store_rlx(&loops_read, 1);
    for (kri_loop *loop = first_loop; loop != NULL; loop = loop->next_loop)
        visit(loop, arg);
    kri_store_rlx(&loops_read, 0);
    kri_mutex_unlock(&loops_lock);
    return true;
}

int kri_loop_create(kri_loop **result, const kr_run_options *options, kr_executor *face)
{
    *result = NULL;
    kri_status_begin();
    int err = watch_forks();
    if (err != 0)
        return err;
    kri_loop *loop = os_alloc(sizeof *loop);
    if (loop == NULL)
        return -ENOMEM;
    loop->executor = (kr_executor){
        .ops = &kri_loop_ops, .generation = kri_fork_generation(), .workers = 1, .name = "loop"};
    loop->face = face != NULL ? face : &loop->executor;
    loop->inbox.bell = -1;
    loop->stack_size = options->stack_size != 0 ? options->stack_size : KRI_STACK_DEFAULT;
    loop->debug = loop->timed = options->debug;
    loop->slow_after = options->slow_after != 0 ? options->slow_after : kr_ms(100);
    enlist(loop);
    *result = loop;
    return 0;
}

void kri_loop_enter(kri_loop *loop)
{
    loop->thread_party = kri_party_self();
    loop->error_number = &errno;
    kri_context_of_thread(&loop->thread);
    *kri_loop_current() = loop;
    kri_stack_ask_name(kri_runner_name_here);
    (void)kri_stack_watch_overflow();
}

void kri_loop_leave(kri_loop *loop)
{
    kri_loop_signals_end(loop);
    kri_runners_end(loop);
    kri_stack_unwatch_overflow();
    *kri_loop_current() = NULL;
    kri_context_end_thread(&loop->thread);
}

void kri_loop_free(kri_loop *loop)
{
    delist(loop);
    kri_calls_end(loop);
    kri_poller_end(loop);
    kri_inbox_end(&loop->inbox);
    kri_timers_end(&loop->timers);
    os_free(loop);
}

bool kri_loop_is_empty(const kri_loop *loop)
{
    return loop->alive == 0 && loop->ready.count == 0 && !kri_inbox_some(&loop->inbox);
}

static void take_in(kri_loop *loop)
{
    kri_item item = kri_inbox_take(&loop->inbox);
    while (item != 0) {
        kri_item next = kri_inbox_next(item);
        if ((item & KRI_ITEM_KIND) == KRI_ITEM_WAITER)
            kri_runner_notify(kri_waiter_party((const kri_waiter *)item)->runner);
        else if (loop->holds_back && (item & KRI_ITEM_KIND) == KRI_ITEM_TASK)
            kri_line_put(&loop->held_back, item);
        else
            kri_line_put(&loop->ready, item);
        item = next;
    }
}

/* Answers what the clock said, 0 where it was not asked. */
static kr_time fire_timers(kri_loop *loop)
{
    enum { AT_ONCE = 512 };
    if (loop->timers.count == 0)
        return 0;
    kr_time now = os_now();
    (void)kri_timers_fire(&loop->timers, now, AT_ONCE);
    return now;
}

static void sleep_until(kri_loop *loop, kr_time deadline, kr_time now)
{
    bool by_bell = kri_poller_is_awaited(loop);
    kri_block_begin(loop->thread_party);
    if (!by_bell) {
        kri_inbox_sleep(&loop->inbox, deadline);
    } else if (kri_inbox_lie_down(&loop->inbox)) {
        kri_poller_look(loop, deadline, now);
        kri_inbox_get_up(&loop->inbox);
    } else {
        kri_poller_look(loop, 0, 0);
    }
    kri_block_end(loop->thread_party);
}

static kr_time next_moment(kri_loop *loop)
{
    kr_time next = kri_timers_next(&loop->timers);
    return loop->trim_at != 0 && loop->trim_at < next ? loop->trim_at : next;
}

void kri_loop_look(kri_loop *loop, bool may_sleep)
{
    take_in(loop);
    kr_time now = fire_timers(loop);
    bool shows = kri_status_on() || loop->shows;
    if (__builtin_expect(shows, 0))
        kri_loop_show(loop);
    if (loop->ready.count == 0 && may_sleep && !kri_inbox_some(&loop->inbox))
        sleep_until(loop, next_moment(loop), now);
    else if (kri_poller_is_awaited(loop))
        kri_poller_look(loop, 0, 0);
    if (__builtin_expect(shows, 0))
        loop->slice_began = os_now();
}
