/* Waiting for an item, for room, and for the last task_done of a shared queue.
 *
 * State.  A call tries, or spins, or sleeps on a bell.
 *
 * Fields.
 *     bells        shared; see shared_bell.c
 *     long_waits   this process's own, atomic, hints: how many waits in a row were long, of puts
 *                  and of gets
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
 * Before it sleeps a call spins as src/wait/spin.c has it, by the same two hints: while the last
 * one on the other side ran on another processor, and less after waits that were long; and only
 * where nobody sleeps already.
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

typedef int (*attempt)(const kri_shared *q, void *call, kr_time deadline);

/* What a call waits for. */
typedef struct kri_want {
    attempt try;
    void *call;
    kr_word *bell;
    const kri_side *own;
    const kri_side *other; /* who can bring it */
    int side;
    bool (*more)(const kri_shared *q); /* is there more of it?  NULL: all are called at a time */
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

/* Until the other side has done something; false: it seems better to sleep. */
static bool spin(const kri_shared *q, const kri_want *want, kr_time deadline)
{
    /* Of a ring, what the try has seen; the try has not looked at it each time. */
    uint64_t since = kri_load_rlx64(q->priority ? &want->other->at : &want->own->seen);
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

/* To the next, what was brought while a wake was on its way to this one. */
static void pass_on(const kri_shared *q, const kri_want *want)
{
    if (want->more != NULL && kri_bell_armed(want->bell) && want->more(q))
        kri_bell_ring(want->bell, 1);
}

static int wait_for(kri_shared *q, const kri_want *want, kr_time deadline)
{
    int result = want->try(q, want->call, deadline);
    if (result != -EAGAIN)
        return result;
    if (deadline == 0)
        return -ETIMEDOUT;
    kr_time began = os_now();
    if (spin(q, want, deadline))
        result = want->try(q, want->call, deadline);
    if (result == -EAGAIN)
        result = sleep_for(q, want, deadline);
    if (result < 0)
        pass_on(q, want);
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

int kri_shared_put(kri_shared *q, const kri_put *put, kr_time deadline)
{
    kri_shared_state *state = q->state;
    kri_want want = {.try = try_put,
                     .call = (void *)(uintptr_t)put,
                     .bell = &state->bells.space,
                     .own = &state->put,
                     .other = &state->get,
                     .side = PUTS,
                     .more = q->item_size != 0 ? kri_shared_has_room : NULL};
    int result = wait_for(q, &want, deadline);
    if (result > 0) {
        kri_bell_ring(&state->bells.items, 1);
        pass_on(q, &want);
    }
    return result;
}

int kri_shared_get(kri_shared *q, kri_get *get, kr_time deadline)
{
    kri_shared_state *state = q->state;
    kri_want want = {.try = try_get,
                     .call = get,
                     .bell = &state->bells.items,
                     .own = &state->get,
                     .other = &state->put,
                     .side = GETS,
                     .more = has_items};
    int result = wait_for(q, &want, deadline);
    if (result > 0) {
        kri_bell_ring(&state->bells.space, q->item_size != 0 ? 1 : KRI_ALL);
        pass_on(q, &want);
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
