/* One try of each operation of a shared queue: the lock, what a death has left, the bells.
 *
 * State.  Open; closed, nothing can be put; closed and empty, what is inside does not count either.
 * It only ever goes on.
 *
 * Fields.
 *     side.lock, side.at   of either side; see shared_ring.c and shared_heap.c
 *     bells.closed         atomic; set under put.lock, unless its holder was stopped
 *     ledger.done          atomic: how many task_done there were; see shared_owing.c
 *
 * Protocol.  A fifo has a lock for either side, a priority queue uses one for both.  Whoever gets a
 * lock that a dead process held puts right what is derived (a heap, what is owed, what was seen of
 * the other side) and goes on; what was put and taken is whole at every instant, see shared_ring.c
 * and shared_heap.c.
 *
 * Puts and the shutdown are ordered by the lock of the putting side: once it is set no item comes
 * any more, unless who holds the lock has been stopped for long: then the shutdown does not wait
 * for it.  So a get looks at it first and for items then.  An immediate shutdown drops what is
 * inside by saying so: items still lie there but do not count, so it is one store, too.
 *
 * Ordering.
 *     [shared-1]  who sees the shutdown sees all items put before it
 *     [bell-1]    the locks and done are loaded sequentially consistent for who is about to sleep
 *
 * Why not.  Waiting for the lock without a limit where the caller does not wait: the kernel stops a
 * process anywhere, for a debugger or a terminal, and such a holder is not dead.  Taking the lock
 * away from it: it may go on at any moment, in the middle of a copy.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "queue/shared.h"

/* Nobody who runs holds a lock for a second: calls that do not wait give up on who was stopped. */
static int acquire(kr_lock *lock, kr_time deadline)
{
    if (!kri_lock_is_shared(lock))
        return KR_ECORRUPT; /* a sound lock too, but one that no death frees */
    if (deadline == 0)
        return kri_lock_take_within(lock, kr_sec(1));
    kr_time timeout = deadline == KRI_NEVER ? KR_FOREVER : kri_left_until(deadline);
    return kr_lock_acquire(lock, timeout);
}

/* Before anything is done with it, what a dead holder has left. */
static int repair(const kri_shared *q, kri_side *side)
{
    const kri_side *other = side == &q->state->put ? &q->state->get : &q->state->put;
    kri_store_rlx64(&side->seen, kri_load_acq64(&other->at));
    int err = q->priority ? kri_heap_repair(q) : 0;
    if (err == 0 && side == kri_getting_side(q))
        kri_owing_resolve(q);
    if (err == 0)
        (void)kr_lock_recover(&side->lock);
    else
        kri_side_leave(side);
    return err;
}

__attribute__((noinline)) int kri_side_enter_slow(const kri_shared *q, kri_side *side,
                                                  kr_time deadline)
{
    int err = acquire(&side->lock, deadline);
    if (err == 0)
        return 0;
    if (err == KR_OWNER_DIED)
        return repair(q, side);
    return err == -ETIMEDOUT || err == -ECANCELED ? err : KR_ECORRUPT;
}

/* For who spins on the other side. */
static void note_processor(kri_side *side)
{
    uint32_t here = (uint32_t)os_cpu_current() + 1;
    if (kri_load_rlx(&side->cpu) != here)
        kri_store_rlx(&side->cpu, here);
}

int kri_shared_try_put(const kri_shared *q, const kri_put *put, kr_time deadline)
{
    kri_side *side = &q->state->put;
    int result = kri_side_enter(q, side, deadline);
    if (result != 0)
        return result;
    if (kri_load_rlx(&q->state->bells.closed) != KRI_OPEN)
        result = KR_ESHUTDOWN;
    else
        result = q->priority ? kri_heap_put(q, put) : kri_ring_put(q, put);
    note_processor(side);
    kri_side_leave(side);
    return result;
}

static int take(const kri_shared *q, kri_get *get)
{
    uint32_t closed = kri_load_acq(&q->state->bells.closed); /* [shared-1] */
    if (closed == KRI_CLOSED_AND_EMPTY)
        return KR_ESHUTDOWN;
    int taken = q->priority ? kri_heap_get(q, get) : kri_ring_get(q, get);
    return taken == -EAGAIN && closed != KRI_OPEN ? KR_ESHUTDOWN : taken;
}

static int take_and_owe(const kri_shared *q, kri_get *get)
{
    kri_owing *mine;
    int err = kri_owing_begin(q, &mine);
    if (err != 0)
        return err;
    int taken = take(q, get);
    kri_owing_end(mine, taken > 0 ? taken : 0);
    return taken;
}

int kri_shared_try_get(const kri_shared *q, kri_get *get, kr_time deadline)
{
    kri_side *side = kri_getting_side(q);
    int result = kri_side_enter(q, side, deadline);
    if (result != 0)
        return result;
    result = q->owners != 0 ? take_and_owe(q, get) : take(q, get);
    note_processor(&q->state->get);
    kri_side_leave(side);
    return result;
}

uint32_t kri_shared_count(const kri_shared *q)
{
    if (kri_load_sc(&q->state->bells.closed) == KRI_CLOSED_AND_EMPTY)
        return 0;
    uint32_t taken = (uint32_t)kri_side_look(&q->state->get); /* [bell-1] */
    uint32_t count = (uint32_t)kri_side_look(&q->state->put) - taken;
    return count <= q->maxsize ? count : q->maxsize;
}

bool kri_shared_has_room(const kri_shared *q)
{
    if (!q->priority)
        return kri_ring_has_room(q);
    return kri_shared_count(q) < q->maxsize;
}

uint32_t kri_shared_unfinished(const kri_shared *q)
{
    const kri_shared_state *state = q->state;
    uint32_t done = (uint32_t)kri_load_sc64(&state->ledger.done);
    bool dropped = kri_load_sc(&state->bells.closed) == KRI_CLOSED_AND_EMPTY;
    const kri_side *side = dropped ? &state->get : &state->put;
    int32_t owed = (int32_t)((uint32_t)kri_load_sc64(&side->at) - done);
    return owed > 0 ? (uint32_t)owed : 0;
}

static int task_done_and_owe(const kri_shared *q)
{
    kri_side *side = kri_getting_side(q);
    int err = kri_side_enter(q, side, 0);
    if (err != 0)
        return err;
    if (kri_shared_unfinished(q) == 0)
        err = -EPERM;
    else
        kri_owing_task_done(q);
    kri_side_leave(side);
    return err;
}

static int task_done(const kri_shared *q)
{
    uint64_t done = kri_load_sc64(&q->state->ledger.done);
    do {
        if (kri_shared_unfinished(q) == 0)
            return -EPERM;
    } while (!kri_cas_sc64(&q->state->ledger.done, &done, done + 1)); /* [bell-1] */
    return 0;
}

int kri_shared_task_done(const kri_shared *q)
{
    int err = q->owners != 0 ? task_done_and_owe(q) : task_done(q);
    if (err == 0 && kri_shared_unfinished(q) == 0)
        kri_bell_ring(&q->state->bells.settled, KRI_ALL);
    return err;
}

int kri_shared_close(const kri_shared *q, bool immediate)
{
    kri_bells *bells = &q->state->bells;
    int err = kri_side_enter(q, &q->state->put, 0);
    kri_or_sc(&bells->closed, immediate ? KRI_CLOSED_AND_EMPTY : KRI_CLOSED); /* [shared-1] */
    if (err == 0)
        kri_side_leave(&q->state->put);
    kri_bell_call_all(&bells->items);
    kri_bell_call_all(&bells->space);
    kri_bell_call_all(&bells->settled);
    return err == -ETIMEDOUT ? 0 : err;
}
