/* Queues in shared memory: their layout, and the view of them that one process has.
 *
 *     segment   who made it, and the numbers that never change (segment.h)
 *     put, get  the two sides, a lock and a position each
 *     bells     who sleeps
 *     ledger    what join waits for
 *     then      fifo: the ring.  priority: slots, order, links, marks, chunks
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_SHARED_H
#define KRI_QUEUE_SHARED_H

#include "queue/segment.h"
#include "sync/internal.h"
#include "wait/wait.h"
#include <krait/lock.h>

/* Two lines of the processor's cache: it fetches neighbours in pairs. */
enum { KRI_LINES = 128 };

/* One side.  Only `at` is read by the other. */
typedef struct kri_side {
    kr_lock lock;
    kri_word64 at;   /* how far this side has come: one store commits everything; see each order */
    kri_word64 seen; /* guarded by lock: the other side's `at`, as it was when last looked at */
    kr_word cpu;     /* hint: processor + 1 of whoever was here last */
    kr_word reserved[KRI_LINES / 4 - 7];
} kri_side;

/* A bell: bit 0 somebody sleeps, or may; the rest counts the rings.  See shared_bell.c. */
typedef struct kri_bells {
    kr_word items;         /* for whoever waits for an item */
    kr_word space;         /* for room */
    kr_word settled;       /* for the last task_done */
    kr_word closed;        /* KRI_OPEN, ... */
    kri_word64 processors; /* that those who attached may use, as os_cpu_mask has it */
    uint64_t reserved[KRI_LINES / 8 - 3];
} kri_bells;

enum { KRI_OPEN = 0, KRI_CLOSED = 1, KRI_CLOSED_AND_EMPTY = 3 };

typedef struct kri_ledger {
    kri_word64 done;      /* calls of task_done */
    uint32_t first_free;  /* priority, guarded by put.lock: chunks that no item has */
    uint32_t free_chunks; /* the same */
    uint64_t reserved[KRI_LINES / 8 - 2];
} kri_ledger;

typedef struct kri_shared_state {
    kri_segment segment;
    kri_side put;
    kri_side get;
    kri_bells bells;
    kri_ledger ledger;
} kri_shared_state;

_Static_assert(sizeof(kri_side) == KRI_LINES, "part of the layout");
_Static_assert(offsetof(kri_side, lock) == 0, "part of the layout");
_Static_assert(offsetof(kri_side, at) == 8, "part of the layout");
_Static_assert(offsetof(kri_side, seen) == 16, "part of the layout");
_Static_assert(offsetof(kri_side, cpu) == 24, "part of the layout");
_Static_assert(sizeof(kri_bells) == KRI_LINES, "part of the layout");
_Static_assert(offsetof(kri_bells, items) == 0, "part of the layout");
_Static_assert(offsetof(kri_bells, space) == 4, "part of the layout");
_Static_assert(offsetof(kri_bells, settled) == 8, "part of the layout");
_Static_assert(offsetof(kri_bells, closed) == 12, "part of the layout");
_Static_assert(offsetof(kri_bells, processors) == 16, "part of the layout");
_Static_assert(sizeof(kri_ledger) == KRI_LINES, "part of the layout");
_Static_assert(offsetof(kri_ledger, done) == 0, "part of the layout");
_Static_assert(offsetof(kri_ledger, first_free) == 8, "part of the layout");
_Static_assert(offsetof(kri_ledger, free_chunks) == 12, "part of the layout");
_Static_assert(offsetof(kri_shared_state, segment) == 0, "part of the layout");
_Static_assert(offsetof(kri_shared_state, put) == 128, "part of the layout");
_Static_assert(offsetof(kri_shared_state, get) == 256, "part of the layout");
_Static_assert(offsetof(kri_shared_state, bells) == 384, "part of the layout");
_Static_assert(offsetof(kri_shared_state, ledger) == 512, "part of the layout");
_Static_assert(sizeof(kri_shared_state) == 640, "part of the layout");

/* An item of a priority queue. */
typedef struct kri_slot {
    kr_word state;  /* KRI_SLOT_FULL: it counts; one store commits a put or a get */
    kr_word length; /* this and the rest: const while full; atomic, to be read once by a get */
    uint32_t first; /* of its chunks */
    uint32_t reserved;
    int64_t priority; /* the smallest comes first ... */
    uint64_t serial;  /* ... and among equals the oldest */
} kri_slot;

enum { KRI_SLOT_FREE = 0, KRI_SLOT_FULL = 1 };

_Static_assert(sizeof(kri_slot) == 32, "part of the layout");
_Static_assert(offsetof(kri_slot, state) == 0, "part of the layout");
_Static_assert(offsetof(kri_slot, length) == 4, "part of the layout");
_Static_assert(offsetof(kri_slot, first) == 8, "part of the layout");
_Static_assert(offsetof(kri_slot, priority) == 16, "part of the layout");
_Static_assert(offsetof(kri_slot, serial) == 24, "part of the layout");

/* What a process owes; see shared_owing.c. */
typedef struct kri_owing {
    kri_word64 process; /* 0: a free entry */
    kri_word64 owed;    /* low half: how many task_done; high half: what is under way */
} kri_owing;

_Static_assert(sizeof(kri_owing) == 16, "part of the layout");
_Static_assert(offsetof(kri_owing, process) == 0, "part of the layout");
_Static_assert(offsetof(kri_owing, owed) == 8, "part of the layout");

enum { KRI_SHARED_BYTES = 65536 };

/* What a creator wants. */
typedef struct kri_shared_plan {
    bool priority;
    size_t item_size; /* of every item; 0: they differ */
    size_t maxsize;   /* items; 0: as many as fit, only where sizes differ */
    size_t bytes;     /* of all items together, where they differ; 0: KRI_SHARED_BYTES */
    uint32_t owners;
    uint32_t mode;
} kri_shared_plan;

/* The view: private memory, so its numbers can be trusted.  Constant after attaching. */
typedef struct kri_shared {
    kri_shared_state *state;
    unsigned char *bytes; /* the ring, or the chunks */
    uint32_t units;       /* of the ring; or how many chunks there are */
    uint32_t maxsize;     /* items */
    bool limited;         /* the creator has named that number */
    size_t item_size;
    size_t longest; /* item that ever fits */
    size_t chunk;   /* its size */
    kri_slot *slots;
    uint32_t *order; /* heap of full slots, and after it the free ones */
    uint32_t *links;
    unsigned char *marks;
    kri_owing *owing;
    uint32_t owners; /* how many entries it has */
    bool priority;
    kr_time slice;             /* how long a sleeper trusts that it will be woken */
    kr_word long_waits[2];     /* atomic, hints: of the puts and of the gets of this process */
    kr_word yields_in_vain[2]; /* the same */
} kri_shared;

/* One call. */
typedef struct kri_put {
    const unsigned char *items;
    size_t length; /* of each */
    size_t count;
    int64_t priority;
} kri_put;

typedef struct kri_get {
    unsigned char *items;
    size_t room; /* for each */
    size_t count;
    size_t length;    /* out: of the item, also when it is longer than the room */
    int64_t priority; /* out */
} kri_get;

/* Sizes and beginnings; shared_layout.c. */
size_t kri_shared_size(const kri_shared_plan *plan); /* 0: no such queue */
int kri_shared_make(kri_shared *q, void *memory, size_t size, const kri_shared_plan *plan);
int kri_shared_attach(kri_shared *q, void *memory, size_t size);

/* The lock is held.  How many, or -EAGAIN: full, empty; KR_ECORRUPT; -EMSGSIZE. */
int kri_ring_put(const kri_shared *q, const kri_put *put);
int kri_ring_get(const kri_shared *q, kri_get *get);
int kri_heap_put(const kri_shared *q, const kri_put *put);
int kri_heap_get(const kri_shared *q, kri_get *get);
bool kri_ring_has_room(const kri_shared *q); /* for an item of the smallest size; a guess */
int kri_heap_repair(const kri_shared *q);    /* what a dead holder of the lock has left */

/* One try, with the lock; shared_try.c.  As above, and KR_ESHUTDOWN.  The deadline is for the lock,
 * which somebody may hold who was stopped; 0: a second. */
int kri_shared_try_put(const kri_shared *q, const kri_put *put, kr_time deadline);
int kri_shared_try_get(const kri_shared *q, kri_get *get, kr_time deadline);
uint32_t kri_shared_count(const kri_shared *q);
bool kri_shared_has_room(const kri_shared *q);
uint32_t kri_shared_unfinished(const kri_shared *q);
int kri_shared_task_done(const kri_shared *q);
int kri_shared_close(const kri_shared *q, bool immediate);
int kri_side_enter_slow(const kri_shared *q, kri_side *side, kr_time deadline);
static inline int kri_side_enter(const kri_shared *q, kri_side *side, kr_time deadline)
{
    if (__builtin_expect(kri_lock_take_shared(&side->lock), 1))
        return 0;
    return kri_side_enter_slow(q, side, deadline);
}

static inline void kri_side_leave(kri_side *side)
{
    if (__builtin_expect(!kri_lock_give_shared(&side->lock), 0))
        (void)kr_lock_release(&side->lock);
}

/* kri_side_look - how far a side has come; not less than when its lock was last released, as far as
 * who did so does not see a bell that the caller has armed. */
static inline uint64_t kri_side_look(const kri_side *side)
{
    kri_lock_look(&side->lock); /* [bell-1] */
    return kri_load_sc64(&side->at);
}

static inline kri_side *kri_getting_side(const kri_shared *q)
{
    return q->priority ? &q->state->put : &q->state->get;
}

/* Who owes; shared_owing.c.  All with the lock of the getting side. */
int kri_owing_begin(const kri_shared *q, kri_owing **mine); /* before a get; -ENOSPC */
void kri_owing_end(kri_owing *mine, int taken);
void kri_owing_resolve(const kri_shared *q); /* a holder of the lock has died */
void kri_owing_settle(const kri_shared *q);  /* what dead processes owed */
void kri_owing_task_done(const kri_shared *q);

/* Bells; shared_bell.c. */
enum { KRI_BELL_ARMED = 1 };
uint32_t kri_bell_arm(kr_word *bell);
void kri_bell_call_all(kr_word *bell);
static inline bool kri_bell_armed(const kr_word *bell)
{
    return kri_load_sc(bell) & KRI_BELL_ARMED; /* [bell-1] */
}

void kri_bell_ring_armed(kr_word *bell, int count);
static inline void kri_bell_ring(kr_word *bell, int count) /* each time the same: 1 or KRI_ALL */
{
    if (__builtin_expect(kri_bell_armed(bell), 0))
        kri_bell_ring_armed(bell, count);
}

/* The whole of a call; shared_wait.c.  Also -ETIMEDOUT, -ECANCELED. */
int kri_shared_put(kri_shared *q, const kri_put *put, kr_time deadline);
int kri_shared_get(kri_shared *q, kri_get *get, kr_time deadline);
int kri_shared_join(kri_shared *q, kr_time deadline);

#endif
