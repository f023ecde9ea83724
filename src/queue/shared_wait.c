/* Waiting for an item, for room, and for the last task_done of a shared queue.
 *
 * State.  A call tries, or spins, or sleeps on a bell.
 *
 * Fields.
 *     bells        shared; see shared_bell.c
 *     long_waits, yields_in_vain
 *                  this process's own, atomic, hints: how many waits in a row were long, how many
 *                  yields of the processor brought nothing, of puts and of gets
 *     side.cpu     a hint: the processor of whoever was at that side last
 *     processors   which ones all who attached may use
 *
 * Protocol.  A call tries; when it cannot, it arms the bell of what it waits for, tries again and
 * sleeps.  After a success it rings the other side's bell.  Who leaves something for another who
 * sleeps at its own bell rings that, too: the one that rang last may have come while this one was
 * on its way, when nobody else was to be called.  That holds for who has what it wanted and for who
 * leaves with an error after it has slept: a wake may have been spent on it.
 *
 * Items of different lengths need different room, so there all who wait for room are called, and
 * nobody has anything to pass on.
 *
 * A sleeper never trusts a bell for longer than a slice: whoever should have rung may have died.
 * Slices differ by chance, so that many sleepers do not look all at once.
 *
 * Before it sleeps a thread spins as src/wait/spin.c has it, by the same two hints: while the last
 * one on the other side ran on another processor, and less after waits that were long; and only
 * where nobody sleeps already.  Then it yields the processor, for the reason that private.c gives.
 *
 * Ordering.  Bells and positions are sequentially consistent, see [bell-1] in shared_bell.c; hints
 * need no order.
 *
 * Why not.  The end of a sleep as the sign that there is something: bells are rung for who is on
 * its way, too, and by a shutdown.  Waiting for room by its size: the sleepers' sizes would have to
 * stand in shared memory, and go with those who die.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "queue/shared.h"

enum { PUTS = 0, GETS = 1 };
enum { MICROSECOND = 1000 };
enum { FULL_BUDGET = 50 * MICROSECOND, LEAST_BUDGET = MICROSECOND, LONG_WAIT = 150 * MICROSECOND };
enum { LONG_WAITS_TO_REDUCE = 4, LOOKS_PER_CLOCK = 2 };
/* Looking takes the line of the cache away from whoever is at work there.  After so long some items
 * have come together, and one look finds them all. */
enum { PAUSES_PER_LOOK = 40 };
#ifdef KRI_MODEL
enum { YIELDS = 0 }; /* neither spins: there is nothing to gain in a model */
#else
enum { YIELDS = 2 };
#endif
enum { LONG_YIELD = 500 * MICROSECOND, IN_VAIN_TO_STOP = 2, NOW_AND_THEN = 16 };

typedef int (*attempt)(const kri_shared *q, void *call, kr_time deadline);

/* What a call waits for. */
typedef struct kri_want {
    attempt try;
    void *call;
    kr_word *bell;
    const kri_side *own;
    const kri_side *other; /* who can bring it */
    int side;
    bool (*more)(const kri_shared *q); /* as of pass_on */
} kri_want;

static kr_time end_of_slice(const kri_shared *q, kr_time deadline)
{
    if (q->slice == KRI_NEVER)
        return deadline;
    kr_time now = os_now();
    kr_time by_chance = (now >> 4) % (q->slice / 2 + 1);
    kr_time end = now + q->slice - by_chance;
    return end < deadline ? end : deadline;
}

static kr_time budget_of(const kri_shared *q, const kri_want *want)
{
    uint64_t processors = kri_load_rlx64(&q->state->bells.processors);
    if ((processors & (processors - 1)) == 0 || kri_bell_armed(want->bell))
        return 0;
    bool pays = kri_load_rlx(&q->long_waits[want->side]) < LONG_WAITS_TO_REDUCE;
    return pays ? FULL_BUDGET : LEAST_BUDGET;
}

static bool is_here(const kri_side *other)
{
    return kri_load_rlx(&other->cpu) == (uint32_t)os_cpu_current() + 1;
}

/* Until the other side has done something; false: it seems better not to go on. */
static bool spin(const kri_shared *q, const kri_want *want, uint64_t since, kr_time deadline)
{
    kr_time budget = budget_of(q, want);
    if (budget == 0)
        return false;
    kr_time now = os_now();
    kr_time end = now + budget < deadline ? now + budget : deadline;
    while (now < end && !is_here(want->other)) {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (kri_load_rlx64(&want->other->at) != since)
                return true;
            for (int pause = 0; pause < PAUSES_PER_LOOK; pause++)
                os_pause();
        }
        now = os_now();
    }
    return false;
}

/* Let others of the processor run; the same. */
static bool yield(kri_shared *q, const kri_want *want, uint64_t since)
{
    kr_word *hint = &q->yields_in_vain[want->side];
    uint32_t in_vain = kri_load_rlx(hint);
    bool some = false;
    if (in_vain < IN_VAIN_TO_STOP || in_vain % NOW_AND_THEN == 0) {
        kr_time began = os_now();
        for (int i = 0; i < YIELDS && !some; i++) {
            os_yield();
            some = kri_load_rlx64(&want->other->at) != since;
        }
        if (some && os_now() - began < LONG_YIELD) {
            if (in_vain != 0)
                kri_store_rlx(hint, 0);
            return true;
        }
    }
    kri_store_rlx(hint, in_vain + 1);
    return some;
}

static bool spin_or_yield(kri_shared *q, const kri_want *want, kr_time deadline)
{
    const kri_party *self = kri_party_self();
    if (YIELDS == 0 || self->ops->shares_thread)
        return false;
    /* Of a ring, what the try has seen; the try has not looked at it each time. */
    uint64_t since = kri_load_rlx64(q->priority ? &want->other->at : &want->own->seen);
    return spin(q, want, since, deadline) || (self->hooks == NULL && yield(q, want, since));
}

static void learn(kri_shared *q, int side, kr_time began)
{
    uint32_t before = kri_load_rlx(&q->long_waits[side]);
    uint32_t after = os_now() - began <= LONG_WAIT   ? 0
                     : before < LONG_WAITS_TO_REDUCE ? before + 1
                                                     : before;
    if (after != before)
        kri_store_rlx(&q->long_waits[side], after);
}

/* Who was woken arms the bell before it looks; see shared_bell.c. */
static int sleep_for(kri_shared *q, const kri_want *want, kr_time deadline)
{
    for (;;) {
        uint32_t seen = kri_bell_arm(want->bell);
        int result = want->try(q, want->call, deadline);
        if (result != -EAGAIN)
            return result;
        kr_time until = end_of_slice(q, deadline);
        int err = kri_wait(want->bell, seen, until, KRI_SHARED);
        if (err == -ECANCELED || (err == -ETIMEDOUT && until == deadline))
            return err;
    }
}

/* To the next, what was brought while a wake was on its way to this one.  more: is there more of
 * it?  NULL: all are called at a time. */
static inline void pass_on(const kri_shared *q, kr_word *bell, bool (*more)(const kri_shared *q))
{
    if (__builtin_expect(kri_bell_armed(bell), 0) && more != NULL && more(q))
        kri_bell_ring(bell, 1);
}

/* After a try in vain. */
static int wait_for(kri_shared *q, const kri_want *want, kr_time deadline)
{
    int result = -EAGAIN;
    if (deadline == 0)
        return -ETIMEDOUT;
    kr_time began = os_now();
    if (spin_or_yield(q, want, deadline))
        result = want->try(q, want->call, deadline);
    if (result == -EAGAIN)
        result = sleep_for(q, want, deadline);
    if (result < 0)
        pass_on(q, want->bell, want->more);
    learn(q, want->side, began);
    return result;
}

static int try_put(const kri_shared *q, void *call, kr_time deadline)
{
    return kri_shared_try_put(q, call, deadline);
}

static int try_get(const kri_shared *q, void *call, kr_time deadline)
{
    return kri_shared_try_get(q, call, deadline);
}

static bool has_items(const kri_shared *q)
{
    return kri_shared_count(q) > 0;
}

static __attribute__((noinline)) int wait_to_put(kri_shared *q, const kri_put *put,
                                                 kr_time deadline)
{
    kri_want want = {.try = try_put,
                     .call = (void *)(uintptr_t)put,
                     .bell = &q->state->bells.space,
                     .own = &q->state->put,
                     .other = &q->state->get,
                     .side = PUTS,
                     .more = q->item_size != 0 ? kri_shared_has_room : NULL};
    return wait_for(q, &want, deadline);
}

int kri_shared_put(kri_shared *q, const kri_put *put, kr_time deadline)
{
    kri_bells *bells = &q->state->bells;
    int result = kri_shared_try_put(q, put, deadline);
    if (__builtin_expect(result == -EAGAIN, 0))
        result = wait_to_put(q, put, deadline);
    if (result > 0) {
        kri_bell_ring(&bells->items, 1);
        pass_on(q, &bells->space, q->item_size != 0 ? kri_shared_has_room : NULL);
    }
    return result;
}

static __attribute__((noinline)) int wait_to_get(kri_shared *q, kri_get *get, kr_time deadline)
{
    kri_want want = {.try = try_get,
                     .call = get,
                     .bell = &q->state->bells.items,
                     .own = &q->state->get,
                     .other = &q->state->put,
                     .side = GETS,
                     .more = has_items};
    return wait_for(q, &want, deadline);
}

int kri_shared_get(kri_shared *q, kri_get *get, kr_time deadline)
{
    kri_bells *bells = &q->state->bells;
    int result = kri_shared_try_get(q, get, deadline);
    if (__builtin_expect(result == -EAGAIN, 0))
        result = wait_to_get(q, get, deadline);
    if (result > 0) {
        kri_bell_ring(&bells->space, q->item_size != 0 ? 1 : KRI_ALL);
        pass_on(q, &bells->items, has_items);
    }
    return result;
}

/* What dead processes owe.  Not in time for the lock is as if nobody had died since. */
static int settle(const kri_shared *q, kr_time deadline)
{
    kri_side *side = kri_getting_side(q);
    int err = q->owners != 0 ? kri_side_enter(q, side, deadline) : -ETIMEDOUT;
    if (err != 0)
        return err == -ETIMEDOUT ? 0 : err;
    kri_owing_settle(q);
    kri_side_leave(side);
    if (kri_shared_unfinished(q) == 0)
        kri_bell_ring(&q->state->bells.settled, KRI_ALL);
    return 0;
}

/* Until something was settled, or a slice is over. */
static int wait_settled(const kri_shared *q, kr_time deadline)
{
    kr_word *bell = &q->state->bells.settled;
    uint32_t seen = kri_bell_arm(bell);
    if (kri_shared_unfinished(q) == 0)
        return 0;
    kr_time until = end_of_slice(q, deadline);
    int err = kri_wait(bell, seen, until, KRI_SHARED);
    if (err != -ETIMEDOUT)
        return err == -ECANCELED ? err : 0;
    err = settle(q, end_of_slice(q, deadline));
    bool late = err == 0 && until == deadline && kri_shared_unfinished(q) != 0;
    return late ? -ETIMEDOUT : err;
}

int kri_shared_join(kri_shared *q, kr_time deadline)
{
    if (kri_shared_unfinished(q) == 0)
        return 0;
    int err = settle(q, end_of_slice(q, deadline));
    while (err == 0 && kri_shared_unfinished(q) != 0)
        err = deadline != 0 ? wait_settled(q, deadline) : -ETIMEDOUT;
    return err;
}
