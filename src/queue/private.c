/* What the private queues have in common.
 *
 * State.  A kind tries: it puts or takes at once, or says that the queue is full, empty, shut down.
 * Here stands what is done with that: waiting at a gate, and what is owed.
 *
 * Fields.  Told in private.h and gate.h.
 *
 * Protocol.
 *     put, get  Try; if that will not do, look again for a moment, then enter the gate, and try
 *               whenever there is something.  Whoever has tried with success is through: a cancel
 *               or a time-out that comes later takes nothing back.
 *     latch     As kr_lock: who has waited takes it as contended, so no debt of a wake is lost; and
 *               who finds it held looks a few times before it waits.
 *     join      Looks whether as many are done as were put, and sleeps while all_done stays.
 *
 * Ordering.
 *     [latch-1]  who takes the latch sees what its holders before did
 *     [latch-2]  Whoever gives the latch swaps it, then reads a word of a gate, all sc.  A waiter
 *                changes that word, then reads the latch: so either it is seen there, or it reads
 *                what that swap wrote or a later one, and with it what was done under the latch.
 *     [join-1]   A task_done changes done, then reads joining; a join adds to joining, then reads
 *                done: all sc.
 *     [join-2]   what was done before the last task_done is visible after the join
 *
 * Why look for a moment before waiting?  To be woken costs microseconds, and a consumer that is
 * faster than its producer would sleep for each item; after a pause it finds a batch.  It only
 * looks while nobody else waits at the gate and there is another processor: someone else could run
 * here.
 *
 * Why yield the processor then, which waits elsewhere never do (src/wait/spin.c)?  Where there are
 * more threads than processors those who could bring an item, or room, are mostly ready and have no
 * processor.  A yield hands it to them for a tenth of what a sleep and a wake cost, and they move
 * many items before they come to an end themselves: four who put and four who get on two
 * processors take half the time.  Whether it was one of them who ran is not known beforehand, so it
 * is learnt: a yield after which there is nothing was in vain, and so was one that took long,
 * because then the processor went to somebody else's work.  One who holds an interpreter lock must
 * not: that is given up around a sleep only.
 *
 * A coroutine that is the only one to run in its loop does as a thread, as long as that is so: the
 * loop would sleep for it.  Another one gives way once instead, which costs a tenth of going to
 * sleep.  They keep their order among those of their loop: who has given way goes on before who
 * came later and did; but one who came before may have looked, and entered the gate, meanwhile, and
 * may have been called then, and so stand further back.  So while some wait and there is something,
 * it gives way again, as often as there were some.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/private.h"

#include <string.h>

#include "os/os.h"
#include "wait/stall.h"

#ifdef KRI_MODEL
enum { FIRST_PAUSES = 1, LAST_PAUSES = 0, LOOKS = 0 }; /* there is nothing to gain in a model */
#else
enum { FIRST_PAUSES = 8, LAST_PAUSES = 64, LOOKS = 16 };
#endif
enum { PAUSES = 12, YIELDS = 2, LONG_YIELD = 500 * 1000 };

/* The latch. */

static void describe_latch(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "the inside of a queue at %p", (const void *)word);
}

/* A few looks, each after twice the time of the one before, as at a kr_lock: meanwhile the holder
 * goes on without losing the line. */
static bool take_latch_soon(kr_word *latch)
{
    for (int pauses = FIRST_PAUSES; pauses <= LAST_PAUSES; pauses *= 2) {
        for (int i = 0; i < pauses; i++)
            os_pause();
        uint32_t seen = kri_load_rlx(latch);
        if (seen == KRI_LATCH_FREE && kri_cas_acq(latch, &seen, KRI_LATCH_HELD)) /* [latch-1] */
            return true;
    }
    return false;
}

__attribute__((noinline)) void kri_latch_wait(kr_word *latch)
{
    if (LOOKS > 0 && kri_spin_pays() && take_latch_soon(latch))
        return;
    while (kri_swap_acq(latch, KRI_LATCH_CONTENDED) != KRI_LATCH_FREE) /* [latch-1] */
        kri_wait_for(latch, KRI_LATCH_CONTENDED, KRI_NEVER, KRI_UNCANCELLABLE, describe_latch);
}

/* Looking before waiting. */

/* After looks that were in vain fewer and fewer, then none but now and then. */
static int worth(int looks, uint32_t in_vain)
{
    enum { FEWER = 4, NOW_AND_THEN = 16 };
    if (in_vain < FEWER)
        return looks >> in_vain;
    return in_vain % NOW_AND_THEN == 0 ? looks : 0;
}

static bool is_cancelled(const kri_party *self)
{
    return self->scope != NULL && kri_scope_marked(self->scope);
}

static void learn(kr_word *hint, uint32_t in_vain, bool paid)
{
    if (!paid || in_vain != 0)
        kri_store_rlx(hint, paid ? 0 : in_vain + 1);
}

/* By a coroutine, beside others. */
static int look_after_others(kri_party *self, kri_gate *gate, kri_gate_look look, void *p)
{
    uint32_t in_vain = kri_load_rlx(&gate->in_vain);
    bool some = false;
    if (worth(LOOKS, in_vain) > 0 && self->ops->give_way()) {
        uint32_t ahead = kri_load_rlx(&gate->waiting);
        while (ahead > 0 && look(p) && self->ops->give_way())
            ahead--;
        if (is_cancelled(self))
            return -ECANCELED;
        some = look(p);
    }
    learn(&gate->in_vain, in_vain, some);
    return some;
}

static bool is_alone(const kri_party *self)
{
    return self->ops->is_alone == NULL || self->ops->is_alone();
}

/* By a thread, as the next. */
static bool look_often(const kri_party *self, kri_gate *gate, kri_gate_look look, void *p)
{
    uint32_t in_vain = kri_load_rlx(&gate->in_vain);
    int looks = worth(LOOKS, in_vain);
    bool some = false;
    for (int i = 0; i < looks && !some && kri_load_rlx(&gate->waiting) == 0; i++) {
        for (int j = 0; j < PAUSES; j++)
            os_pause();
        some = look(p);
        if (!is_alone(self))
            return some;
    }
    learn(&gate->in_vain, in_vain, some);
    return some;
}

/* The same, who has looked in vain. */
static bool let_others_run(kri_gate *gate, kri_gate_look look, void *p)
{
    uint32_t in_vain = kri_load_rlx(&gate->yields_in_vain);
    int yields = worth(YIELDS, in_vain);
    bool some = false;
    kr_time began = yields > 0 ? os_now() : 0;
    for (int i = 0; i < yields && !some; i++) {
        os_yield();
        some = look(p);
    }
    learn(&gate->yields_in_vain, in_vain, some && os_now() - began < LONG_YIELD);
    return some;
}

/* By a coroutine.  Hooks run around a sleep, which this is not: so not where there are any. */
static bool may_look(const kri_party *self, const kri_gate *gate)
{
    return kri_load_rlx(&gate->waiting) == 0 && self->hooks == NULL && !is_cancelled(self);
}

/* 1: there is something, 0: nothing, -ECANCELED. */
static int look_for_a_moment(kri_gate *gate, kri_gate_look look, void *p)
{
    kri_party *self = kri_party_self();
    if (LOOKS == 0)
        return 0;
    if (self->ops->shares_thread && !may_look(self, gate))
        return 0;
    if (!is_alone(self))
        return look_after_others(self, gate, look, p);
    if (kri_spin_may_pay() && look_often(self, gate, look, p))
        return 1;
    return self->hooks == NULL && is_alone(self) && let_others_run(gate, look, p);
}

/* Putting. */

static void describe_room(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "room in a queue at %p",
                 (const void *)((const char *)word - offsetof(kri_private, room.called)));
}

static void describe_items(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "an item of a queue at %p",
                 (const void *)((const char *)word - offsetof(kri_private, items.called)));
}

static __attribute__((noinline)) int put_slow(kri_private *p, const void *items, size_t count,
                                              int64_t priority, kr_time deadline)
{
    if (deadline == 0)
        return -ETIMEDOUT;
    int done = look_for_a_moment(&p->room, p->ops->has_room, p);
    if (done >= 0)
        done = done > 0 ? p->ops->try_put(p, items, count, priority) : -EAGAIN;
    if (done != -EAGAIN)
        return done;
    unsigned flags = p->queue.wait_flags;
    kri_gate_enter(&p->room);
    while (done == -EAGAIN) {
        int err = kri_gate_wait(&p->room, p->ops->has_room, p, deadline, flags, describe_room);
        done = err ? err : p->ops->try_put(p, items, count, priority);
    }
    kri_gate_leave(&p->room, p->ops->has_room, p, flags);
    return done;
}

static inline int put_some(kri_private *p, const void *items, size_t count, int64_t priority,
                           kr_time deadline)
{
    int done = p->ops->try_put(p, items, count, priority);
    return __builtin_expect(done == -EAGAIN, 0) ? put_slow(p, items, count, priority, deadline)
                                                : done;
}

static __attribute__((noinline)) int put_bytes(kri_private *p, const void *bytes, size_t size,
                                               int64_t priority, kr_time deadline)
{
    kri_record record = {.bytes = size ? os_alloc(size) : NULL, .size = size};
    if (size && !record.bytes)
        return -ENOMEM;
    if (size)
        memcpy(record.bytes, bytes, size);
    int done = put_some(p, &record, 1, priority, deadline);
    if (done < 0)
        os_free(record.bytes);
    return done < 0 ? done : 0;
}

int kri_private_put(kr_queue *q, const void *item, size_t size, int64_t priority, kr_time deadline)
{
    kri_private *p = kri_private_of(q);
    if (__builtin_expect(q->item_size == 0, 0))
        return put_bytes(p, item, size, priority, deadline);
    int done = put_some(p, item, 1, priority, deadline);
    return done < 0 ? done : 0;
}

int kri_private_put_many(kr_queue *q, const void *items, size_t count, kr_time deadline)
{
    kri_private *p = kri_private_of(q);
    size_t total = 0;
    int done = 0;
    while (total < count && done >= 0) {
        const char *from = (const char *)items + total * p->slot_size;
        done = put_some(p, from, count - total, 0, deadline);
        if (done > 0)
            total += (size_t)done;
    }
    return total > 0 ? (int)total : done;
}

/* Getting. */

static __attribute__((noinline)) int get_slow(kri_private *p, kri_take *take, kr_time deadline)
{
    if (deadline == 0)
        return -ETIMEDOUT;
    int done = look_for_a_moment(&p->items, p->ops->has_items, p);
    if (done >= 0)
        done = done > 0 ? p->ops->try_get(p, take) : -EAGAIN;
    if (done != -EAGAIN)
        return done;
    unsigned flags = p->queue.wait_flags;
    kri_gate_enter(&p->items);
    while (done == -EAGAIN) {
        int err = kri_gate_wait(&p->items, p->ops->has_items, p, deadline, flags, describe_items);
        done = err ? err : p->ops->try_get(p, take);
    }
    kri_gate_leave(&p->items, p->ops->has_items, p, flags);
    return done;
}

static inline int get_some(kri_private *p, kri_take *take, kr_time deadline)
{
    int done = p->ops->try_get(p, take);
    return __builtin_expect(done == -EAGAIN, 0) ? get_slow(p, take, deadline) : done;
}

int kri_private_get(kr_queue *q, void *item, size_t room, size_t *size, int64_t *priority,
                    kr_time deadline)
{
    kri_take take = {.items = item, .count = 1, .room = room};
    int done = get_some(kri_private_of(q), &take, deadline);
    *size = take.size;
    *priority = take.priority;
    return done < 0 ? done : 0;
}

int kri_private_get_many(kr_queue *q, void *items, size_t count, kr_time deadline)
{
    kri_take take = {.items = items, .count = count, .room = q->item_size};
    return get_some(kri_private_of(q), &take, deadline);
}

/* Records. */

bool kri_private_take_record(kri_take *take, const kri_record *record)
{
    take->size = record->size;
    if (record->size > take->room)
        return false;
    if (record->size)
        memcpy(take->items, record->bytes, record->size);
    os_free(record->bytes);
    return true;
}

void kri_private_drop(const kri_private *p, void *slot)
{
    if (p->queue.item_size == 0)
        os_free(((kri_record *)slot)->bytes);
}

/* What is owed. */

static bool is_settled(const kri_private *p)
{
    uint64_t done = kri_load_sc64(&p->done); /* [join-1] [join-2] */
    return done == p->ops->puts(p);
}

static void tell_joins(kri_private *p)
{
    if (kri_load_sc(&p->joining) == 0 || !is_settled(p)) /* [join-1] */
        return;
    kri_add_sc(&p->all_done, 1);
    kri_wake(&p->all_done, KRI_ALL, 0);
}

int kri_private_task_done(kr_queue *q)
{
    kri_private *p = kri_private_of(q);
    uint64_t done = kri_load_rlx64(&p->done);
    do {
        if (done >= p->ops->puts(p))
            return -EPERM;
    } while (!kri_cas_sc64(&p->done, &done, done + 1)); /* [join-1] [join-2] */
    tell_joins(p);
    return 0;
}

void kri_private_settle(kri_private *p, uint64_t count)
{
    if (count == 0)
        return;
    kri_add_sc64(&p->done, count); /* [join-1] */
    tell_joins(p);
}

static void describe_join(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "the tasks of a queue at %p",
                 (const void *)((const char *)word - offsetof(kri_private, all_done)));
}

int kri_private_join(kr_queue *q, kr_time deadline)
{
    kri_private *p = kri_private_of(q);
    if (is_settled(p))
        return 0;
    int err = 0;
    kri_add_sc(&p->joining, 1); /* [join-1] */
    while (err != -ETIMEDOUT && err != -ECANCELED) {
        uint32_t seen = kri_load_sc(&p->all_done);
        if (is_settled(p)) {
            err = 0;
            break;
        }
        err = kri_wait_for(&p->all_done, seen, deadline, 0, describe_join);
    }
    kri_sub_rlx(&p->joining, 1);
    return err;
}

/* The rest. */

void kri_private_call_all(kri_private *p)
{
    kri_gate_call(&p->items, p->queue.wait_flags);
    kri_gate_call(&p->room, p->queue.wait_flags);
}

size_t kri_private_maxsize(const kr_queue *q)
{
    return (size_t)kri_load_rlx64(&kri_private_of(q)->maxsize);
}

bool kri_private_is_shutdown(const kr_queue *q)
{
    return kri_load_acq64(&kri_private_of(q)->closed) != 0;
}

static kri_gate *gate_of(kri_private *p, kri_queue_side side)
{
    return side == KRI_ITEMS ? &p->items : &p->room;
}

static kri_gate_look look_of(const kri_private *p, kri_queue_side side)
{
    return side == KRI_ITEMS ? p->ops->has_items : p->ops->has_room;
}

kr_word *kri_private_watch(kr_queue *q, kri_queue_side side)
{
    kri_gate *gate = gate_of(kri_private_of(q), side);
    kri_gate_enter(gate);
    return &gate->called;
}

bool kri_private_ready(kr_queue *q, kri_queue_side side, uint32_t *expected)
{
    kri_private *p = kri_private_of(q);
    *expected = 0;
    kri_gate_answer(gate_of(p, side));
    return look_of(p, side)(p);
}

void kri_private_unwatch(kr_queue *q, kri_queue_side side)
{
    kri_private *p = kri_private_of(q);
    kri_gate_leave(gate_of(p, side), look_of(p, side), p, p->queue.wait_flags);
}

void *kri_private_new(size_t size)
{
    char *memory = os_alloc(size + KRI_LINE);
    if (!memory)
        return NULL;
    kri_private *p = (void *)(memory + KRI_LINE - (uintptr_t)memory % KRI_LINE);
    p->memory = memory;
    return p;
}

void kri_private_free(kri_private *p)
{
    os_free(p->memory);
}

void kri_private_begin(kri_private *p, const kri_queue_ops *queue_ops, const kri_private_ops *ops,
                       size_t item_size, size_t maxsize, const kr_queue_options *o)
{
    p->queue = (kr_queue){.ops = queue_ops,
                          .item_size = item_size,
                          .order = o->order,
                          .scope = KR_PRIVATE,
                          .wait_flags = o->reentrant ? KRI_SHARED : 0,
                          .generation = kri_fork_generation()};
    p->ops = ops;
    p->slot_size = item_size ? item_size : sizeof(kri_record);
    p->maxsize.bits = maxsize;
}
