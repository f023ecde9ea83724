/* Coroutines as parties: how one sleeps in a wait, and is woken.
 *
 * Protocol.
 *     A runner that is parked is made ready by a notice or by its timer, and by nothing else.
 *     A wait parks the runner.  Its waker (wait.h) sets the waiter woken and then notifies the
 *     runner: itself in the loop's thread, else through the inbox.  The waiter's frame is left only
 *     after that, so that nobody notifies a runner that has gone on (`settle`).
 *     What goes through the inbox is the waiter: its line is the waker's already, while those of
 *     the runner that are written are not touched by other threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"
#include "loop/sentry.h"

static kri_item item_of(kri_waiter *w)
{
    return (kri_item)w | KRI_ITEM_WAITER;
}

static kri_runner *runner_behind(const kri_waiter *w)
{
    return kri_waiter_party(w)->runner;
}

static __attribute__((noinline)) void park_until(kri_runner *self, kr_time deadline)
{
    kri_loop *loop = self->loop;
    kri_timers_set(&loop->timers, &self->timer, deadline);
    self->parked = true;
    kri_runner_suspend(loop);
    kri_timers_cancel(&loop->timers, &self->timer);
}

static void park(kri_waiter *w, kr_time deadline)
{
    kri_runner *self = runner_behind(w);
    self->served = 0;
    if (self->notified)
        return;
    if (deadline != KRI_NEVER) {
        park_until(self, deadline);
    } else {
        self->parked = true;
        kri_runner_suspend(self->loop);
    }
}

static void settle(kri_waiter *w)
{
    kri_runner *self = runner_behind(w);
    while (!self->notified) {
        self->parked = true;
        kri_runner_suspend(self->loop);
    }
    self->notified = false;
}

static void unpark(kri_waiter *w)
{
    kri_runner *runner = runner_behind(w);
    kri_loop *loop = runner->home;
    bool here = loop == kri_loop_here();
    if (here)
        kri_waiter_take(w);
    kri_waiter_set_woken(w);
    if (here)
        kri_runner_notify(runner);
    else
        (void)kri_inbox_put(&loop->inbox, item_of(w));
}

/* By kri_wake_direct, in the loop's thread. */
static void resume(kri_waiter *w)
{
    kri_runner_notify(runner_behind(w));
}

static bool give_way_if_some(void)
{
    const kri_loop *loop = *kri_loop_current();
    if (loop->ready.count == 0)
        return false;
    kri_runner_yield(loop->running);
    return true;
}

/* Others can then be made ready by other threads only, whose word stands in the inbox. */
static bool is_alone(void)
{
    const kri_loop *loop = *kri_loop_current();
    return loop->ready.count == 0 && loop->timers.live == 0 && !kri_poller_is_awaited(loop) &&
           !kri_inbox_some(&loop->inbox);
}

const kri_party_ops kri_coroutine_ops = {
    .park = park,
    .unpark = unpark,
    .settle = settle,
    .resume = resume,
    .wait_fd = kri_poller_wait,
    .wait_fds = kri_poller_wait_many,
    .watch = kri_sentry_post,
    .unwatch = kri_sentry_relieve,
    .give_way = give_way_if_some,
    .is_alone = is_alone,
    .shares_thread = true,
    .exact = true,
};
