/* What the private queues have in common: a latch, the waiting, the owed task_dones.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_PRIVATE_H
#define KRI_QUEUE_PRIVATE_H

#include "queue/gate.h"
#include "queue/queue.h"

enum { KRI_LINE = 128 }; /* bytes that travel between processors together: two lines a time */

/* A latch: a lock for a few instructions, by threads or coroutines.  All zero is free. */
enum { KRI_LATCH_FREE, KRI_LATCH_HELD, KRI_LATCH_CONTENDED };
void kri_latch_wait(kr_word *latch);

static inline void kri_latch_take(kr_word *latch)
{
    uint32_t seen = KRI_LATCH_FREE;
    if (__builtin_expect(!kri_cas_acq(latch, &seen, KRI_LATCH_HELD), 0)) /* [latch-1] */
        kri_latch_wait(latch);
}

/* Whoever swaps a word of a gate after this sees, or is seen by, whoever looks at the latch. */
static inline void kri_latch_give(kr_word *latch)
{
    if (__builtin_expect(kri_swap_sc(latch, KRI_LATCH_FREE) == KRI_LATCH_CONTENDED, 0))
        kri_wake(latch, 1, 0); /* [latch-1] */
}

/* kri_latch_look - what others did under the latch before they gave it is visible after this. */
static inline void kri_latch_look(const kr_word *latch)
{
    (void)kri_load_sc(latch); /* [latch-2] */
}

/* What a get takes, and where to. */
typedef struct kri_take {
    void *items;
    size_t count; /* at most */
    size_t room;  /* for the bytes of an item of any length */
    size_t size;  /* receives its length */
    int64_t priority;
} kri_take;

/* A record stands in the queue for an item of any length. */
typedef struct kri_record {
    void *bytes;
    size_t size;
} kri_record;

typedef struct kri_private kri_private;

/* What a kind implements below the waiting.  None of these sleeps for long.
 *
 * try_put: how many items it has put, at least 1; -EAGAIN: full; KR_ESHUTDOWN, -ENOMEM.
 * try_get: how many it has taken; -EAGAIN: empty; KR_ESHUTDOWN: and shut down; -EMSGSIZE.
 * They call the gate of the other side.
 * has_room, has_items: looks of the gates, true also once the queue is shut down.
 * puts: how many items were ever put. */
typedef struct kri_private_ops {
    int (*try_put)(kri_private *p, const void *items, size_t count, int64_t priority);
    int (*try_get)(kri_private *p, kri_take *take);
    bool (*has_room)(void *p);
    bool (*has_items)(void *p);
    uint64_t (*puts)(const kri_private *p);
} kri_private_ops;

/* What all read at each call and hardly anybody changes stands apart from what changes. */
struct kri_private {
    kr_queue queue;             /* first */
    const kri_private_ops *ops; /* const */
    size_t slot_size;           /* const: of an item, or of a record */
    void *memory;               /* const: what was allocated */
    kri_word64 closed;          /* atomic; changed under a latch of the kind */
    kri_word64 maxsize;         /* the same */
    _Alignas(KRI_LINE) kri_gate items;
    _Alignas(KRI_LINE) kri_gate room;
    _Alignas(KRI_LINE) kri_word64 done; /* atomic: how many task_dones there were */
    kr_word joining;                    /* atomic: how many are in a join */
    kr_word all_done; /* atomic: counts the moments when nothing was owed; joins sleep on it */
};

static inline kri_private *kri_private_of(const kr_queue *q)
{
    return (kri_private *)(uintptr_t)q;
}

/* kri_private_new - zero bytes for a kind's queue, which begins with a kri_private; NULL: none. */
void *kri_private_new(size_t size);
void kri_private_free(kri_private *p);

void kri_private_begin(kri_private *p, const kri_queue_ops *queue_ops, const kri_private_ops *ops,
                       size_t item_size, size_t maxsize, const kr_queue_options *o);

/* For the table of the kind. */
int kri_private_put(kr_queue *q, const void *item, size_t size, int64_t priority, kr_time deadline);
int kri_private_get(kr_queue *q, void *item, size_t room, size_t *size, int64_t *priority,
                    kr_time deadline);
int kri_private_put_many(kr_queue *q, const void *items, size_t count, kr_time deadline);
int kri_private_get_many(kr_queue *q, void *items, size_t count, kr_time deadline);
size_t kri_private_maxsize(const kr_queue *q);
int kri_private_task_done(kr_queue *q);
int kri_private_join(kr_queue *q, kr_time deadline);
bool kri_private_is_shutdown(const kr_queue *q);
kr_word *kri_private_watch(kr_queue *q, kri_queue_side side);
bool kri_private_ready(kr_queue *q, kri_queue_side side, uint32_t *expected);
void kri_private_unwatch(kr_queue *q, kri_queue_side side);

/* What is the same in the tables of all kinds. */
#define KRI_PRIVATE_OPS                                                                            \
    .put = kri_private_put, .get = kri_private_get, .put_many = kri_private_put_many,              \
    .get_many = kri_private_get_many, .maxsize = kri_private_maxsize,                              \
    .task_done = kri_private_task_done, .join = kri_private_join, .watch = kri_private_watch,      \
    .ready = kri_private_ready, .unwatch = kri_private_unwatch

/* kri_private_settle - `count` items that were put are owed no task_done any more. */
void kri_private_settle(kri_private *p, uint64_t count);

/* kri_private_call_all - after the shutdown, or after maxsize was raised. */
void kri_private_call_all(kri_private *p);

/* kri_private_take_record - copy the record's item to where `take` wants it, and free it; false: it
 * does not fit, and stays.  Either way take->size is set. */
bool kri_private_take_record(kri_take *take, const kri_record *record);
void kri_private_drop(const kri_private *p, void *slot); /* frees what the slot's record holds */

/* Small sizes are copied without a call. */
static inline void kri_copy(void *to, const void *from, size_t size)
{
    if (__builtin_expect(size == sizeof(uint64_t), 1))
        __builtin_memcpy(to, from, sizeof(uint64_t));
    else
        __builtin_memcpy(to, from, size);
}

#endif
