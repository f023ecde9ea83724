/* Callbacks of a loop: kr_call_soon and its kin.
 *
 * State.  A call is not pending, or it is set as a timer, or it stands in one of two lists of the
 * loop: what is due, and, while callbacks run, what is left of this turn.  A call whose time has
 * come becomes due.  While something is due, a function of ours stands in the loop's line; when its
 * turn has come it takes all that is due, and calls one after the other.
 *
 * Everything here belongs to the loop's thread, but for what kr_call_soon_threadsafe posts.
 *
 * Why lists of our own, and not the loop's line?  A call can be cancelled, and its memory given
 * back, at any time; the line can be left only at its front.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/call_later.h>

#include "loop/loop.h"
#include "os/os.h"

static void reset(kr_call_link *list)
{
    list->next = list;
    list->previous = list;
}

static bool is_empty(const kr_call_link *list)
{
    return list->next == list;
}

static void append(kr_call_link *list, kr_call_link *link)
{
    link->next = list;
    link->previous = list->previous;
    list->previous->next = link;
    list->previous = link;
}

static void take_out(kr_call_link *link)
{
    link->previous->next = link->next;
    link->next->previous = link->previous;
    link->next = NULL;
}

static void move_all(kr_call_link *from, kr_call_link *to)
{
    reset(to);
    if (is_empty(from))
        return;
    *to = *from;
    to->next->previous = to;
    to->previous->next = to;
    reset(from);
}

static kr_call *call_of(kr_call_link *link)
{
    return (kr_call *)((char *)link - offsetof(kr_call, link));
}

/* Running them. */

static void call_first(void *arg)
{
    kr_call_link *now = arg;
    kr_call *call = call_of(now->next);
    take_out(now->next);
    call->fn(call->arg); /* which may be the end of it */
}

void kri_loop_call(void (*run)(void *arg), void *arg)
{
    kr_cancel_scope scope = {.state = {KRI_SCOPE_CANCELLED}, .deadline = KRI_NEVER};
    kri_run_as_party(run, arg, &scope);
}

static void run_turn(kri_posted *posted)
{
    kri_calls *calls = (kri_calls *)((char *)posted - offsetof(kri_calls, turn));
    calls->posted = false;
    move_all(&calls->due, &calls->now);
    uint32_t generation = kri_fork_generation();
    while (!is_empty(&calls->now) && !kri_forked_since(generation))
        kri_loop_call(call_first, &calls->now);
}

static void make_due(kr_call *call)
{
    kri_calls *calls = &call->loop->calls;
    append(&calls->due, &call->link);
    if (calls->posted)
        return;
    calls->posted = true;
    (void)kri_loop_post(call->loop, &calls->turn);
}

static void time_has_come(kri_timer *timer)
{
    kr_call *call = (kr_call *)timer;
    kri_timers_unreserve(&call->loop->timers, 1);
    make_due(call);
}

/* Setting them. */

static kri_loop *ready_loop(void)
{
    kri_loop *loop = kri_loop_here();
    if (loop != NULL && loop->calls.turn.run == NULL) {
        loop->calls.turn.run = run_turn;
        reset(&loop->calls.due);
        reset(&loop->calls.now);
    }
    return loop;
}

static int begin(kr_call *call, kri_loop **loop)
{
    *loop = ready_loop();
    if (*loop == NULL || (kr_call_pending(call) && call->loop != *loop))
        return -EPERM;
    return kri_load_acq(&(*loop)->executor.shut) ? KR_ESHUTDOWN : 0;
}

static void withdraw(kr_call *call)
{
    if (call->link.next != NULL)
        take_out(&call->link);
    if (!kri_timer_is_set(&call->timer))
        return;
    kri_timers_cancel(&call->loop->timers, &call->timer);
    kri_timers_unreserve(&call->loop->timers, 1);
}

static int set_timer(kr_call *call, kr_time deadline, kr_call_fn fn, void *arg)
{
    kri_loop *loop;
    int err = begin(call, &loop);
    if (err != 0)
        return err;
    if (!kri_timer_is_set(&call->timer)) {
        err = kri_timers_reserve(&loop->timers, 1);
        if (err != 0)
            return err;
        withdraw(call);
        call->timer.fire = time_has_come;
        call->loop = loop;
    }
    call->fn = fn;
    call->arg = arg;
    kri_timers_set(&loop->timers, &call->timer, deadline);
    return 0;
}

int kr_call_soon(kr_call *call, kr_call_fn fn, void *arg)
{
    kri_loop *loop;
    int err = call != NULL && fn != NULL ? begin(call, &loop) : -EINVAL;
    if (err != 0)
        return err;
    withdraw(call);
    call->loop = loop;
    call->fn = fn;
    call->arg = arg;
    make_due(call);
    return 0;
}

int kr_call_later(kr_call *call, kr_time delay, kr_call_fn fn, void *arg)
{
    if (call == NULL || fn == NULL || delay < 0)
        return -EINVAL;
    return set_timer(call, kri_deadline(delay), fn, arg);
}

int kr_call_at(kr_call *call, kr_time when, kr_call_fn fn, void *arg)
{
    if (call == NULL || fn == NULL)
        return -EINVAL;
    return set_timer(call, when, fn, arg);
}

int kr_call_rearm(kr_call *call, kr_time delay)
{
    if (call == NULL || call->fn == NULL)
        return -EINVAL;
    return kr_call_later(call, delay, call->fn, call->arg);
}

int kr_call_cancel(kr_call *call)
{
    if (!kr_call_pending(call))
        return 0;
    if (call->loop != kri_loop_here())
        return -EPERM;
    withdraw(call);
    return 1;
}

bool kr_call_pending(const kr_call *call)
{
    return call->link.next != NULL || kri_timer_is_set(&call->timer);
}

static void forget_all(kr_call_link *list)
{
    while (!is_empty(list))
        take_out(list->next);
}

static void forget_timer(kri_timer *timer, void *arg)
{
    kri_timers *timers = arg;
    if (timer->fire == time_has_come)
        kri_timers_cancel(timers, timer);
}

void kri_calls_end(kri_loop *loop)
{
    if (loop->calls.turn.run == NULL)
        return;
    forget_all(&loop->calls.due);
    kri_timers_each(&loop->timers, forget_timer, &loop->timers);
}

/* From other threads. */

typedef struct thread_call {
    kri_posted posted;
    kr_call_fn fn;
    void *arg;
} thread_call;

static void run_call(void *arg)
{
    const thread_call *call = arg;
    call->fn(call->arg);
}

static void run_posted(kri_posted *posted)
{
    thread_call *call = (thread_call *)posted;
    kri_loop_call(run_call, call);
    os_free(call);
}

int kr_call_soon_threadsafe(kr_executor *executor, kr_call_fn fn, void *arg)
{
    int err = fn != NULL ? kri_executor_check(executor) : -EINVAL;
    if (err != 0)
        return err;
    if (executor->ops != &kri_loop_ops)
        return -EINVAL;
    if (kri_load_acq(&executor->shut))
        return KR_ESHUTDOWN;
    thread_call *call = os_alloc(sizeof *call);
    if (call == NULL)
        return -ENOMEM;
    *call = (thread_call){.posted = {.run = run_posted}, .fn = fn, .arg = arg};
    if (kri_loop_post((kri_loop *)executor, &call->posted))
        return 0;
    os_free(call);
    return KR_ESHUTDOWN;
}
