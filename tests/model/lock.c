/* kr_lock under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/cancel.h>
#include <krait/lock.h>

static struct {
    kr_lock lock;
    long counter; /* plain: guarded by lock */
    int results[3];
    kr_cancel_scope scope;
} s;

static void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.lock, sizeof s.lock, "lock");
    kr_explore_name(&s.counter, sizeof s.counter, "counter");
}

static void count_once(void *arg)
{
    (void)arg;
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    s.counter++;
    kr_explore_check(kr_lock_release(&s.lock) == 0);
}

static void count_with(void *arg)
{
    (void)arg;
    kr_with (&s.lock)
        s.counter++;
}

static void settled(long counted)
{
    kr_explore_join_all();
    kr_explore_check(s.counter == counted);
    kr_explore_check(!kr_lock_locked(&s.lock));
}

SCENARIO(lock_two)
{
    fresh();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_with, NULL);
    settled(2);
}

/* Nobody of three sleeps for ever. */
SCENARIO(lock_three, .stale = 1)
{
    fresh();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    settled(3);
}

/* A timed acquire: holds it or does not, and leaves no wake behind that another needed. */
static void count_timed(void *arg)
{
    int err = kr_lock_acquire(&s.lock, kr_ms(1));

    *(int *)arg = err;
    kr_explore_check(err == 0 || err == -ETIMEDOUT);
    if (err < 0)
        return;
    s.counter++;
    kr_explore_check(kr_lock_release(&s.lock) == 0);
}

SCENARIO(lock_timed)
{
    fresh();
    kr_explore_spawn(count_timed, &s.results[0]);
    kr_explore_spawn(count_once, NULL);
    kr_explore_join_all();
    kr_explore_check(s.counter == 1 + (s.results[0] == 0));
}

SCENARIO(lock_timed_beside_waiter, .stale = 1)
{
    fresh();
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    kr_explore_spawn(count_timed, &s.results[0]);
    kr_explore_spawn(count_once, NULL);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_join_all();
    kr_explore_check(s.counter == 1 + (s.results[0] == 0));
}

/* A cancelled acquire passes on what it may have been given. */
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
}

SCENARIO(lock_cancelled)
{
    fresh();
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    kr_explore_spawn(count_in_scope, &s.results[0]);
    kr_cancel(&s.scope);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_join_all();
    kr_explore_check(s.counter == (s.results[0] == 0));
}

SCENARIO(lock_cancelled_beside_waiter, .stale = 1)
{
    fresh();
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    kr_explore_spawn(count_in_scope, &s.results[0]);
    kr_explore_spawn(count_once, NULL);
    kr_cancel(&s.scope);
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    kr_explore_join_all();
    kr_explore_check(s.counter == 1 + (s.results[0] == 0));
}

/* Whoever holds it last may free it. */
typedef struct box {
    kr_lock lock;
    long owners;
} box;

static void leave_box(void *arg)
{
    box *b = arg;

    kr_explore_check(kr_lock_acquire(&b->lock, KR_FOREVER) == 0);
    bool last = --b->owners == 0;
    kr_explore_check(kr_lock_release(&b->lock) == 0);
    if (last)
        kr_explore_free(b);
}

SCENARIO(lock_freed_by_last_owner)
{
    box *b = kr_explore_alloc(sizeof *b);

    b->owners = 2;
    kr_explore_spawn(leave_box, b);
    kr_explore_spawn(leave_box, b);
    kr_explore_join_all();
}

/* Released by another than who acquired it. */
static void release_it(void *arg)
{
    (void)arg;
    s.counter++;
    kr_explore_check(kr_lock_release(&s.lock) == 0);
}

SCENARIO(lock_released_by_another)
{
    fresh();
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(release_it, NULL);
    settled(2);
}

/* With two processors the library spins before it sleeps; the spin must lose nothing either. */
SCENARIO(lock_spinning, .processors = 2)
{
    fresh();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    settled(2);
}

/* Sleeps in the kernel that end for nothing change nothing. */
SCENARIO(lock_spurious, .spurious = 2)
{
    fresh();
    kr_explore_spawn(count_once, NULL);
    kr_explore_spawn(count_once, NULL);
    settled(2);
}
