/* An interpreter lock: taking it, giving it away.
 *
 * State.  `holder` is who holds it, 0: nobody, with a bit:
 *     SLOW    whoever takes it or gives it away goes the slow way, under the inner lock: somebody
 *             waits, or the lock is watched (shut down, or with a log; INTERVAL: somebody waits
 *             until another has had it)
 *     With the bit set the word is changed under the inner lock only.  So the holder stays the
 *     holder as long as one has the inner lock, and his fields may be looked at.
 *
 * Fields.
 *     holder         atomic
 *     thread.asked   atomic: bits that others set, for the runner's next check
 *     thread.turn    wait.c
 *     the rest       as gil.h groups them: constant, the owner's, or under the inner lock
 *     counts         written by who holds the interpreter lock, or under the inner lock; relaxed
 *
 * Protocol.
 *     Nobody waits: a take is one compare-and-swap from 0, a give one back to 0.  No clock.
 *     Who finds it held takes the inner lock, sets SLOW, and looks again.  Free: it is his.  Held:
 *     the holder cannot let go without the inner lock now, and so not without seeing the queue.
 *     What the queue is, and who asks the holder when, depends on the policy: deadline.c,
 *     barging.c.
 *
 * Ordering.
 *     [gil-2]  give releases, take acquires
 *     [gil-1]  where it is handed over, the turn does: wait.c
 *     All changes of `holder` are of one word, so a SLOW that is set before a give fails that.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/gil.h"
#include "os/os.h"
#include "trace/trace.h"

static uint64_t word_of(const kr_gil_thread *t)
{
    return (uint64_t)(uintptr_t)t;
}

bool kri_gil_is_watched(const kr_gil *g)
{
    return g->closed || g->log_size != 0 || g->yielder != NULL;
}

static uint64_t slow_bit(const kr_gil *g)
{
    return g->first != NULL || kri_gil_is_watched(g) ? KRI_GIL_SLOW : 0;
}

void kri_gil_become_holder(kr_gil *g, kr_gil_thread *t, kr_time now)
{
    g->taken_at = now;
    g->slice_from = now;
    g->counted_from = g->first != NULL ? now : 0;
    if (g->last_holder != t) {
        g->last_holder = t;
        g->turns++;
        kri_gil_count(&g->counts.switches, 1);
        kri_gil_count(&t->counts.switches, 1);
    }
    if (g->events != NULL)
        kri_gil_note(g, t, KR_GIL_TAKES, now);
    kri_store_rel64(&g->holder, word_of(t) | slow_bit(g)); /* [gil-2] */
    KRI_TRACE_BEGINS(gil__held, GIL_HELD, (uintptr_t)g, kri_party_runner(t->party));
}

void kri_gil_release_word(kr_gil *g)
{
    g->taken_at = 0;
    g->counted_from = 0;
    KRI_TRACE_ENDS(gil__free, GIL_HELD, (uintptr_t)g, 0);
    kri_store_rel64(&g->holder, slow_bit(g)); /* [gil-2] */
}

static inline int note_held(const kr_gil_thread *t)
{
    KRI_TRACE_BEGINS(gil__held, GIL_HELD, (uintptr_t)t->gil, kri_party_runner(t->party));
    return 0;
}

int kri_gil_take(kr_gil_thread *t)
{
    uint64_t seen = 0;
    if (kri_cas_acq64(&t->gil->holder, &seen, word_of(t))) /* [gil-2] */
        return note_held(t);
    int saved = errno;
    KRI_TRACE_BEGINS(gil__wait, GIL_WAIT, (uintptr_t)t->gil, 0);
    kri_block_hook *hooks = kri_gil_give_later_ones(t);
    int err =
        t->gil->policy == KR_GIL_DEADLINE ? kri_gil_deadline_take(t) : kri_gil_barging_take(t);
    kri_gil_take_later_ones(t, hooks);
    KRI_TRACE_ENDS(gil__waited, GIL_WAIT, (uintptr_t)t->gil, err);
    errno = saved;
    return err;
}

static __attribute__((noinline)) void give_slowly(kr_gil_thread *t, kr_gil_what why)
{
    int saved = errno;
    if (t->gil->policy == KR_GIL_DEADLINE)
        kri_gil_deadline_give(t, why);
    else
        kri_gil_barging_give(t, why);
    errno = saved;
}

/* Before it is given: then another may have it, and say so. */
static inline void trace_give(const kr_gil_thread *t)
{
    KRI_PROBE(gil__free, t->gil, t);
    if (kri_trace_is_on() && kri_gil_has(t))
        kri_trace_note(kri_trace_what(KR_TRACE_GIL_HELD, KRI_TRACE_END), (uintptr_t)t->gil, 0,
                       NULL);
}

void kri_gil_give(kr_gil_thread *t, kr_gil_what why)
{
    uint64_t seen = word_of(t);
    trace_give(t);
    if (!kri_cas_rel64(&t->gil->holder, &seen, 0)) /* [gil-2] */
        give_slowly(t, why);
}

int kr_gil_acquire(kr_gil_thread *thread)
{
    if (!kri_gil_is_mine(thread))
        return -EPERM;
    uint64_t seen = 0;
    if (kri_cas_acq64(&thread->gil->holder, &seen, word_of(thread))) /* [gil-2] */
        return note_held(thread);
    return kri_gil_holder_in(seen) == thread ? -EDEADLK : kri_gil_take(thread);
}

int kr_gil_release(kr_gil_thread *thread)
{
    if (!kri_gil_is_mine(thread))
        return -EPERM;
    uint64_t seen = word_of(thread);
    trace_give(thread);
    if (kri_cas_rel64(&thread->gil->holder, &seen, 0)) /* [gil-2] */
        return 0;
    if (kri_gil_holder_in(seen) != thread)
        return -EPERM;
    give_slowly(thread, KR_GIL_BLOCKS);
    return 0;
}

bool kr_gil_held(const kr_gil_thread *thread)
{
    return kri_gil_has(thread);
}

bool kr_gil_guard_next(kr_gil_guard *guard)
{
    if (guard->begun)
        return false;
    guard->begun = true;
    guard->released = kr_gil_release(guard->thread) == 0;
    return true;
}

void kr_gil_guard_end(kr_gil_guard *guard)
{
    if (guard->released && !kri_gil_has(guard->thread))
        (void)kri_gil_take(guard->thread);
}
