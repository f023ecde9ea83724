/* The locks of a ring's two sides, and how who has nothing to do there sleeps and is called.
 *
 * State.  One at a time is inside a side, with its lock, and goes to sleep without giving it up:
 * others who want the same wait for the lock.  A receiver sleeps in a read of `hears`, into which
 * senders write a byte to call it; a sender that waits for room sleeps in a poll of the socket
 * `rights`, into which receivers write.  Both end by themselves when the other side's last process
 * is gone, so a kill is an end like any other.  And pollers, who hold no lock, poll `hears`.
 *
 * Fields.
 *     calls.items    KRI_CALL_SLEEPER: a receiver sleeps, or is about to; KRI_CALL_POLLERS:
 *                    somebody polls.  A sender takes the bits away and writes a byte for each
 *     calls.space    KRI_CALL_SLEEPER: a sender sleeps
 *     side.sleeps    whoever has the lock sleeps: a call that may not wait need not ask for it
 *     put.holders    how many processes have the sending end.  One that is killed is counted for
 *                    ever, which costs its partners a look now and then
 *
 * Protocol.  Set the bit, look at the ring, sleep; the other side changes the ring and then looks
 * at the bit [pipe-call].  So at most one byte lies there for each time that somebody wanted to
 * sleep, and with nobody asleep there is no system call.
 *
 * Bytes that nobody waited for in the end stay behind.  They are taken away one by one, with the
 * lock, by who has seen the ring empty with its bit set: whatever comes after that writes a byte of
 * its own.  So a byte that stands for something in the ring stays, and a poller sees it.  Only
 * where several poll one end may one take what stood for the others; they look again after a slice.
 * A sleeper that finds that it has taken a poller's byte sets the bit for the poller again.
 *
 * A sender that is killed after its put has called nobody.  If it was the last one its end is seen;
 * else another has the end (put.holders), and then nobody sleeps longer than a slice.  A process
 * that becomes one of several, by a fork or by unpacking, calls who sleeps, so that it knows.
 *
 * A receiver calls a sender when as much is free as that wants, but at least an eighth of the ring:
 * else in a full ring the two would take turns for each message.  A sender for whom less would do
 * looks by itself every SPACE_SLICE.
 *
 * Before it sleeps a receiver spins as src/wait/spin.c has it, by the same two hints: while the
 * last sender ran on another processor, and less after waits that were long.
 *
 * Ordering.
 *     [pipe-call]  The change of a position, the look at the bit, the setting of the bit and the
 *                  look at the position are sequentially consistent: either the sleeper sees the
 *                  change, or the caller sees the bit.
 *
 * Why not.  A futex: nobody is woken by a kill.  A socket for the calls of both directions: waking
 * through one takes nearly twice as long as through a pipe (measured pinned to one processor: 6
 * and 11 us a round trip), and two kinds of sleepers would take each other's bytes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/ring.h"
#include "os/message.h"
#include "os/os.h"

enum { MICROSECOND = 1000, MILLISECOND = 1000 * MICROSECOND };
enum { SLICE = 40 * MILLISECOND, SPACE_SLICE = 5 * MILLISECOND };
enum { ALIVE_FOR = 40000 }; /* of os_count: some 20 us */
enum { FULL_BUDGET = 50 * MICROSECOND, LEAST_BUDGET = MICROSECOND, LONG_WAIT = 150 * MICROSECOND };
enum { LONG_WAITS_TO_REDUCE = 4, LOOKS_PER_CLOCK = 2 };
enum { PAUSES = 20, PAUSES_IN_A_STREAM = 100 }; /* between two looks */
enum { TRIES_WITHOUT_WAITING = 1000, MOST_LOOKS = 1000 };

/* Locks */

/* Nobody who runs holds it for long, but for who sleeps with it. */
static int take_briefly(kri_ring_side *side)
{
    int err = kr_lock_acquire(&side->lock, KR_NOWAIT);
    for (int i = 0; err == -ETIMEDOUT && i < TRIES_WITHOUT_WAITING; i++) {
        if (kri_load_acq(&side->sleeps))
            return -ETIMEDOUT;
        err = kr_lock_acquire(&side->lock, MILLISECOND);
    }
    return err == -ECANCELED ? -ETIMEDOUT : err;
}

int kri_side_take(kri_ring_side *side, const kri_ring_side *other, kr_time deadline, bool *died)
{
    int err = deadline == KRI_NEVER ? kr_lock_acquire(&side->lock, KR_FOREVER)
              : deadline == 0       ? take_briefly(side)
                                    : kr_lock_acquire(&side->lock, kri_left_until(deadline));
    *died = false;
    if (__builtin_expect(err == 0, 1))
        return 0;
    if (err != KR_OWNER_DIED)
        return err == -ETIMEDOUT || err == -ECANCELED ? err : KR_ECORRUPT;
    *died = true;
    kri_store_rlx64(&side->seen, kri_load_acq64(&other->at));
    kri_store_rel(&side->sleeps, 0);
    (void)kr_lock_recover(&side->lock);
    return 0;
}

/* For who spins on the other side. */
void kri_side_give(kri_ring_side *side)
{
    uint32_t here = (uint32_t)os_cpu_current() + 1;
    if (kri_load_rlx(&side->cpu) != here)
        kri_store_rlx(&side->cpu, here);
    (void)kr_lock_release(&side->lock);
}

static kr_time end_of_slice(kr_time slice, kr_time deadline)
{
    kr_time end = kri_deadline(slice);
    return end < deadline ? end : deadline;
}

/* Spinning */

static bool is_here(const kri_ring_side *other)
{
    uint32_t cpu = kri_load_rlx(&other->cpu);
    return cpu == 0 || cpu == (uint32_t)os_cpu_current() + 1;
}

/* What a spin looks for: the other side has come at least so far. */
static bool has_come(const kri_ring_side *other, uint64_t to)
{
    return (int64_t)(kri_load_rlx64(&other->at) - to) >= 0;
}

/* False: it seems better to sleep.  *began stays 0 where there is nothing to learn from the wait.
 */
static bool spin(const kri_ring_side *other, uint64_t to, const kr_word *long_waits, int pauses,
                 kr_time deadline, kr_time *began)
{
    *began = 0;
    if (is_here(other))
        return false;
    bool pays = kri_load_rlx(long_waits) < LONG_WAITS_TO_REDUCE;
    kr_time now = os_now();
    *began = now;
    kr_time end = now + (pays ? FULL_BUDGET : LEAST_BUDGET);
    end = end < deadline ? end : deadline;
    while (now < end && !is_here(other)) {
        for (int i = 0; i < LOOKS_PER_CLOCK; i++) {
            if (has_come(other, to))
                return true;
            for (int pause = 0; pause < pauses; pause++)
                os_pause();
        }
        now = os_now();
    }
    return false;
}

static void learn(kr_word *long_waits, kr_time began)
{
    if (began == 0)
        return;
    uint32_t before = kri_load_rlx(long_waits);
    uint32_t more = before < LONG_WAITS_TO_REDUCE ? before + 1 : before;
    uint32_t after = os_now() - began <= LONG_WAIT ? 0 : more;
    if (after != before)
        kri_store_rlx(long_waits, after);
}

/* Items */

static int sleep_for_item(kri_pipe_end *p, kr_time deadline)
{
    kri_ring_state *state = p->in.state;
    for (;;) {
        kri_or_sc(&state->calls.items, KRI_CALL_SLEEPER); /* [pipe-call] */
        if (kri_ring_has(&p->in))
            return 0;
        bool alone = kri_load_acq(&state->put.holders) == 1;
        kr_time until = alone ? deadline : end_of_slice(SLICE, deadline);
        int got = kri_wait_call(p->hears, until);
        if (kri_ring_has(&p->in))
            return 0;
        if (got == 0)
            return KR_EOF;
        if (got < 0 && (got != -ETIMEDOUT || until == deadline))
            return got;
        if (got == 1 && deadline != KRI_NEVER && os_now() >= deadline)
            return -ETIMEDOUT; /* somebody calls for nothing, without end */
        if (got == 1 && (kri_load_sc(&state->calls.items) & KRI_CALL_SLEEPER))
            kri_or_sc(&state->calls.items, KRI_CALL_POLLERS); /* it was theirs */
    }
}

/* Who only receives is in a stream, and lets some messages gather: else each would fetch the same
 * lines of the cache for itself.  Who has sent waits for the answer. */
static int pauses_of(kri_pipe_end *p)
{
    if (kri_load_rlx(&p->answers) == 0)
        return PAUSES_IN_A_STREAM;
    kri_store_rlx(&p->answers, 0);
    return PAUSES;
}

int kri_pipe_await_item(kri_pipe_end *p, kr_time deadline)
{
    kri_ring_side *side = &p->in.state->get;
    if (deadline == 0) {
        if (kri_ring_has(&p->in))
            return 0;
        if (!(os_call_look(p->hears) & OS_CALLS_OVER))
            return -ETIMEDOUT;
        return kri_ring_has(&p->in) ? 0 : KR_EOF;
    }
    if (deadline != KRI_NEVER && os_now() >= deadline)
        return -ETIMEDOUT;
    int err = 0;
    kr_time began;
    uint64_t next = kri_load_rlx64(&side->at) + 1;
    if (!spin(&p->in.state->put, next, &p->long_waits, pauses_of(p), deadline, &began)) {
        kri_store_rel(&side->sleeps, 1);
        err = sleep_for_item(p, deadline);
        kri_store_rel(&side->sleeps, 0);
    }
    learn(&p->long_waits, began);
    if (err == 0) /* who has sent is as good as one who was asked for */
        kri_store_rlx64(&p->alive, os_count());
    return err;
}

/* pre: a put was stored */
void kri_pipe_call_reader(const kri_pipe_end *p, bool anyway)
{
    kr_word *items = &p->out.state->calls.items;
    uint32_t seen = kri_load_sc(items); /* [pipe-call] */
    while (seen != 0) {
        if (kri_cas_sc(items, &seen, 0)) {
            os_call(p->calls, seen == (KRI_CALL_SLEEPER | KRI_CALL_POLLERS) ? 2 : 1);
            return;
        }
    }
    if (anyway)
        os_call(p->calls, 1);
}

/* Take away one byte that stands for nothing; false: could not. */
static bool take_stale(kri_pipe_end *p)
{
    bool died;
    if (kri_side_take(&p->in.state->get, &p->in.state->put, 0, &died) != 0)
        return false; /* who has the lock takes it, if it is not dead, which this has found out */
    bool takes = !kri_ring_has(&p->in) && (os_call_look(p->hears) & OS_CALLS_WAIT);
    if (takes)
        (void)os_call_hear(p->hears);
    kri_side_give(&p->in.state->get);
    return takes;
}

int kri_pipe_ready(kr_connection *c)
{
    kri_pipe_end *p = kri_pipe_of(c);
    unsigned look;
    int looks = 0;
    do {
        kri_or_sc(&p->in.state->calls.items, KRI_CALL_POLLERS); /* [pipe-call] */
        if (kri_ring_has(&p->in))
            return 1;
        look = os_call_look(p->hears);
    } while ((look & OS_CALLS_WAIT) && ++looks < MOST_LOOKS && take_stale(p));
    return (look & OS_CALLS_OVER) || kri_ring_has(&p->in);
}

/* Room */

bool kri_pipe_readers_gone(kri_pipe_end *p)
{
    uint32_t closes = kri_load_acq(&p->out.state->calls.closes);
    uint64_t now = os_count();
    bool lately = now - kri_load_rlx64(&p->alive) < ALIVE_FOR;
    if (lately && closes == kri_load_rlx(&p->closes))
        return false;
    if (os_hung_up(p->rights))
        return true;
    kri_store_rlx(&p->closes, closes);
    kri_store_rlx64(&p->alive, now);
    return false;
}

/* Descriptors that are on their way to a receiver here may lie before the call: it is left alone
 * then, and looked for again soon. */
static int sleep_for_call(kri_pipe_end *p, kr_time until)
{
    unsigned char tag;
    if (os_rights_look(p->rights, &tag) == 0 && (tag & 0x80))
        until = end_of_slice(MILLISECOND, until);
    else
        return kri_wait_fd(p->rights, OS_READABLE, until);
    return kri_wait_fd(p->rights, 0, until);
}

static void take_call(kri_pipe_end *p)
{
    unsigned char tag;
    if (os_rights_look(p->rights, &tag) == 0 && !(tag & 0x80))
        os_rights_drop(p->rights);
}

static int sleep_for_space(kri_pipe_end *p, uint64_t units, kr_time deadline)
{
    kri_ring_state *state = p->out.state;
    for (;;) {
        kri_or_sc(&state->calls.space, KRI_CALL_SLEEPER); /* [pipe-call] */
        int64_t room = kri_ring_room(&p->out);
        if (room < 0 || room >= (int64_t)units)
            return room < 0 ? KR_ECORRUPT : 0;
        if (os_hung_up(p->rights))
            return -EPIPE;
        kr_time until = end_of_slice(SPACE_SLICE, deadline);
        int got = sleep_for_call(p, until);
        if (got < 0 && (got != -ETIMEDOUT || until == deadline))
            return got;
        if (got > 0)
            take_call(p);
    }
}

int kri_pipe_await_space(kri_pipe_end *p, uint64_t units, kr_time deadline)
{
    kri_ring_state *state = p->out.state;
    int64_t room = kri_ring_room(&p->out);
    if (room < 0 || room >= (int64_t)units)
        return room < 0 ? KR_ECORRUPT : 0;
    if (deadline == 0)
        return os_hung_up(p->rights) ? -EPIPE : -ETIMEDOUT;
    uint64_t wanted = units > p->out.units / 8 ? units : p->out.units / 8;
    uint64_t to = kri_load_rlx64(&state->put.at) + wanted - p->out.units;
    int err = 0;
    kr_time began;
    if (!spin(&state->get, to, &p->long_waits_for_room, PAUSES_IN_A_STREAM, deadline, &began)) {
        kri_store_rlx(&state->calls.wanted, (uint32_t)wanted);
        kri_store_rel(&state->put.sleeps, 1);
        err = sleep_for_space(p, units, deadline);
        kri_store_rel(&state->put.sleeps, 0);
    }
    learn(&p->long_waits_for_room, began);
    return err;
}

void kri_pipe_call_writer(const kri_pipe_end *p, bool anyway)
{
    kri_ring_calls *calls = &p->in.state->calls;
    uint32_t seen = kri_load_sc(&calls->space); /* [pipe-call] */
    if (seen == 0 && !anyway)
        return;
    if (!anyway && kri_ring_room(&p->in) < (int64_t)kri_load_rlx(&calls->wanted))
        return;
    if (kri_swap_sc(&calls->space, 0) != 0 || anyway)
        (void)os_rights_send(p->rights, 0, NULL, 0);
}
