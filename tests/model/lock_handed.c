/* The handing over of a kr_lock under every schedule.  The model's patience is none: a waiter that
 * was woken and came too late is handed the lock next.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/event.h>
#include <krait/lock.h>

static struct {
    kr_lock lock;
    long counter; /* plain: guarded by lock */
    kr_word left; /* how many are through */
    int results[3];
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.lock, sizeof s.lock, "lock");
    kr_explore_name(&s.counter, sizeof s.counter, "counter");
    kr_explore_check(kr_lock_acquire(&s.lock, KR_NOWAIT) == 0);
}

static void count_once(void *arg)
{
    (void)arg;
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    s.counter++;
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    kri_add_rlx(&s.left, 1);
}

/* False: somebody is through already. */
static bool await_asleep(int thread)
{
    while (!kr_explore_asleep(thread)) {
        if (kri_load_rlx(&s.left) > 0)
            return false;
        kr_explore_yield();
    }
    return true;
}

/* Release the caller's lock and take it again before the waiter, twice, so that this one waits to
 * be handed it.  False: somebody was faster, and the caller has the lock no more. */
static bool outrun(kr_lock *lock, int thread)
{
    for (int i = 0; i < 2; i++) {
        if (!await_asleep(thread))
            return true;
        kr_explore_check(kr_lock_release(lock) == 0);
        if (kr_lock_acquire(lock, KR_NOWAIT) != 0)
            return false;
    }
    (void)await_asleep(thread);
    return true;
}

static void settled(bool held, long counted)
{
    if (held)
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_join_all();
    kr_explore_check(s.counter == counted);
    kr_explore_check(!kr_lock_locked(&s.lock));
    kr_explore_check(kr_lock_acquire(&s.lock, KR_NOWAIT) == 0);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
}

SCENARIO(handed_to_one, .early = KR_EXPLORE_NONE)
{
    fresh();
    int one = kr_explore_spawn(count_once, NULL);
    settled(outrun(&s.lock, one), 1);
}

/* The releaser that comes back at once is too late. */
SCENARIO(handed_is_handed, .early = KR_EXPLORE_NONE)
{
    fresh();
    int one = kr_explore_spawn(count_once, NULL);
    if (outrun(&s.lock, one)) {
        kr_explore_check(kr_lock_release(&s.lock) == 0);
        if (kr_lock_acquire(&s.lock, KR_NOWAIT) == 0) {
            kr_explore_check(s.counter == 1);
            kr_explore_check(kr_lock_release(&s.lock) == 0);
        }
    }
    settled(false, 1);
}

SCENARIO(handed_to_two, .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE)
{
    fresh();
    int one = kr_explore_spawn(count_once, NULL);
    int two = kr_explore_spawn(count_once, NULL);
    bool held = true;
    for (int i = 0; i < 3 && held && await_asleep(one) && await_asleep(two); i++) {
        kr_explore_check(kr_lock_release(&s.lock) == 0);
        held = kr_lock_acquire(&s.lock, KR_NOWAIT) == 0;
    }
    settled(held, 2);
}

/* One is about to wait for the hand-over while another is handed the lock. */
SCENARIO(handed_beside_waiter, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    int one = kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    settled(outrun(&s.lock, one), 2);
}

SCENARIO(handed_beside_newcomer, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    int one = kr_explore_spawn(count_once, NULL);
    bool held = outrun(&s.lock, one);
    kr_explore_spawn(count_once, NULL);
    settled(held, 2);
}

static void count_timed(void *arg)
{
    int *result = arg;

    *result = kr_lock_acquire(&s.lock, kr_sec(1));
    kr_explore_check(*result == 0 || *result == -ETIMEDOUT);
    if (*result == 0) {
        s.counter++;
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    }
    kri_add_rlx(&s.left, 1);
}

SCENARIO(handed_to_timed, .preemptions = 1)
{
    fresh();
    int one = kr_explore_spawn(count_timed, &s.results[0]);
    bool held = outrun(&s.lock, one);
    if (held)
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_join_all();
    kr_explore_check(s.counter == (s.results[0] == 0));
    kr_explore_check(!kr_lock_locked(&s.lock));
}

static void count_in_scope(void *arg)
{
    int *result = arg;

    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    *result = kr_lock_acquire(&s.lock, KR_FOREVER);
    kr_explore_check(*result == 0 || *result == -ECANCELED);
    if (*result == 0) {
        s.counter++;
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    }
    kr_cancel_scope_exit(&s.scope);
    kri_add_rlx(&s.left, 1);
}

static void cancel_it(void *arg)
{
    kr_cancel(arg);
}

/* Cancelled while it is handed the lock: it has it, or the lock is released as ever. */
SCENARIO(handed_to_cancelled, .preemptions = 1, .stale = 1)
{
    fresh();
    int one = kr_explore_spawn(count_in_scope, &s.results[0]);
    bool held = outrun(&s.lock, one);
    kr_explore_spawn(cancel_it, &s.scope);
    if (held)
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_join_all();
    kr_explore_check(s.counter == (s.results[0] == 0));
    kr_explore_check(!kr_lock_locked(&s.lock));
}

SCENARIO(handed_to_cancelled_beside_waiter, .preemptions = 1, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    int one = kr_explore_spawn(count_in_scope, &s.results[0]);
    bool held = outrun(&s.lock, one);
    kr_explore_spawn(count_once, NULL);
    kr_cancel(&s.scope);
    if (held)
        kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_join_all();
    kr_explore_check(s.counter == 1 + (s.results[0] == 0));
    kr_explore_check(!kr_lock_locked(&s.lock));
}

/* Who is handed the lock may free it, once it knows to be the last. */
typedef struct box {
    kr_lock lock;
    bool last; /* guarded by lock */
} box;

static void free_it(void *arg)
{
    box *b = arg;
    bool last;

    do {
        kr_explore_check(kr_lock_acquire(&b->lock, KR_FOREVER) == 0);
        last = b->last;
        kr_explore_check(kr_lock_release(&b->lock) == 0);
        kri_add_rlx(&s.left, 1);
        if (!last)
            kr_explore_yield();
    } while (!last);
    kr_explore_free(b);
}

SCENARIO(handed_and_freed, .stale = 1, .early = KR_EXPLORE_NONE)
{
    fresh();
    box *b = kr_explore_alloc(sizeof *b);

    memset(b, 0, sizeof *b);
    kr_explore_name(b, sizeof *b, "box");
    kr_explore_check(kr_lock_acquire(&b->lock, KR_NOWAIT) == 0);
    if (!outrun(&b->lock, kr_explore_spawn(free_it, b)))
        kr_explore_check(kr_lock_acquire(&b->lock, KR_FOREVER) == 0);
    b->last = true;
    kr_explore_check(kr_lock_release(&b->lock) == 0);
    kr_explore_join_all();
}

/* A wake that was meant for an event which is gone may still come, where the lock's upper half is
 * now.  It is late: its waker is kept from running from the change of the event on. */
static union {
    struct {
        kr_word unused;
        kr_event event;
    } before;
    kr_lock lock;
} reused;
static kr_event through[4];

static void set_event(void *arg)
{
    kr_event_set(arg);
}

/* Have the others run until they sleep: it costs no preemption, and nobody has to run. */
static void let_run(int i)
{
    (void)kr_explore_spawn(set_event, &through[i]);
    kr_explore_check(kr_event_wait(&through[i], KR_FOREVER) == 0);
}

static void count_in_reused(void *arg)
{
    (void)arg;
    kr_explore_check(kr_lock_acquire(&reused.lock, KR_FOREVER) == 0);
    s.counter++;
    kr_explore_check(kr_lock_release(&reused.lock) == 0);
}

static void make_a_lock_of_it(void *arg)
{
    (void)arg;
    kr_explore_check(kr_event_wait(&reused.before.event, KR_FOREVER) == 0);
    kr_explore_check(kr_event_init(&reused.before.event, KR_PRIVATE) == 0);
    kr_explore_check(kr_lock_init(&reused.lock, KR_PRIVATE) == 0);
    kr_explore_check(kr_lock_acquire(&reused.lock, KR_NOWAIT) == 0);
    (void)kr_explore_spawn(count_in_reused, NULL);
    let_run(0);
    for (int i = 1; i < 3; i++) {
        kr_explore_check(kr_lock_release(&reused.lock) == 0);
        if (kr_lock_acquire(&reused.lock, KR_NOWAIT) != 0)
            return;
        let_run(i);
    }
    let_run(3);
    s.counter++;
    kr_explore_check(kr_lock_release(&reused.lock) == 0);
}

SCENARIO(handed_by_no_stray_wake, .preemptions = 1, .stale = KR_EXPLORE_NONE,
         .early = KR_EXPLORE_NONE)
{
    memset(&s, 0, sizeof s);
    memset(&reused, 0, sizeof reused);
    memset(through, 0, sizeof through);
    kr_explore_name(&reused, sizeof reused, "reused");
    kr_explore_name(&s.counter, sizeof s.counter, "counter");
    (void)kr_explore_spawn(make_a_lock_of_it, NULL);
    kr_event_set(&reused.before.event);
    kr_explore_join_all();
}
