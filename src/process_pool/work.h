/* What a process pool shares with its workers: one segment, and the view that a process has of it.
 *
 *     area      the bells, the workers that are idle, the ends of the rings
 *     slots     the tasks; the truth about who runs what, see slots.c
 *     rings     the slots that are ready, one ring for each lane, see ready_ring.c
 *     records   one for each worker, and behind each its ring of what it has completed
 *
 * Nothing in it is an address, so each process may have it elsewhere.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_PROCESS_POOL_WORK_H
#define KRI_PROCESS_POOL_WORK_H

#include "base/atomic.h"
#include "wait/wait.h"

enum { KRI_WORK_LANES = 3, KRI_WORKERS_MAX = 1024, KRI_WORK_SLOTS_MAX = 1 << 15 };
enum { KRI_WORK_LINES = 128 };    /* two lines of the cache: it fetches neighbours in pairs */
enum { KRI_WORK_INLINE = 176 };   /* bytes of argument and result that need no block */
enum { KRI_WORK_CLEARED = 4096 }; /* bytes of a result, or of an item's, that are zero at first */

/* A slot's phase; the state word is ticket << 16 | worker << 4 | phase. */
enum { KRI_SLOT_IDLE = 0, KRI_SLOT_READY = 1, KRI_SLOT_RUNNING = 2, KRI_SLOT_DONE = 3 };

/* In a slot's progress: who is in the item that it counts up to must not come out of it. */
#define KRI_SLOT_CONDEMNED (UINT32_C(1) << 31)

enum { KRI_WORK_BY_ADDRESS = 1, KRI_WORK_ARG_ITSELF = 2, KRI_WORK_CLEAN = 4 };

typedef struct kri_work_slot {
    kri_word64 state;     /* atomic */
    uint64_t function;    /* the parent's while IDLE, then const, as the next seven: a number in the
                             table of tasks, or an address */
    uint64_t arg;         /* where it lies, from the area's begin; or the pointer itself */
    uint64_t result;      /* where; 0: none */
    uint64_t result_size; /* of all items and their errors together */
    uint64_t item_arg;    /* of a batch: the size of each argument .. */
    uint64_t item_result; /* .. and of each result */
    uint32_t items;       /* 0: no batch */
    uint32_t flags;       /* KRI_WORK_.. */
    kr_word progress;     /* atomic: items that have ended, KRI_SLOT_CONDEMNED */
    int32_t error;        /* the worker's while RUNNING, then const: what the task returned */
    uint64_t traced; /* the parent's while IDLE, then const: what a trace knows it by; 0: none */
    unsigned char bytes[KRI_WORK_INLINE]; /* what is inline: the argument, then the result */
} kri_work_slot;

_Static_assert(sizeof(kri_work_slot) == 256, "whole lines");
_Static_assert(offsetof(kri_work_slot, bytes) % 16 == 0, "fit for any type");

/* How a worker sleeps, or does not; see calls.c. */
enum { KRI_CALLED = 0, KRI_LOOKING = 1, KRI_ASLEEP = 2 };

enum kri_work_status {
    KRI_WORKER_STARTS = 0,
    KRI_WORKER_WORKS = 1,
    KRI_WORKER_FAILED = 2,    /* its initializer did; see error */
    KRI_WORKER_LEFT = 3,      /* it has done as many tasks as it should, or the pool is closed */
    KRI_WORKER_DISMISSED = 4, /* it worked, and leaves before its next task */
    KRI_WORKER_CONDEMNED = 5, /* it is killed before it works */
};

typedef struct kri_work_record {
    kr_word call;         /* atomic: KRI_CALLED, ... */
    kr_word call_hint;    /* of kri_spin_word */
    kr_word status;       /* atomic: kri_work_status */
    int32_t error;        /* const once FAILED */
    kri_word64 running;   /* atomic: the state of the slot that `began` is about */
    kri_word64 began;     /* atomic: kr_time; when it began the item that it runs */
    kri_word64 tasks;     /* atomic: tasks that it has ended; only it writes, as the above */
    uint32_t beside;      /* only its own: sleeps in a row beside its caller, see calls.c .. */
    uint32_t more_beside; /* .. and how many more than a few are to be enough */
    uint64_t reserved[10];
    kri_word64 completed; /* atomic: how many it has put into its ring of completed slots */
    uint64_t reserved_too[15];
    /* The ring's entries follow, kr_word each: as many as there are slots. */
} kri_work_record;

_Static_assert(sizeof(kri_work_record) == 2 * KRI_WORK_LINES, "whole lines");

typedef struct kri_work_ring {
    kri_word64 head; /* atomic: moved by workers and by the parent */
    uint64_t reserved[15];
    kri_word64 tail; /* atomic: moved by the parent */
    uint64_t reserved_too[15];
} kri_work_ring;

/* Somebody of the parent's who takes what is completed; see completion.c. */
typedef struct kri_work_bell {
    kr_word word; /* atomic: KRI_CALLED: nobody needs to be called; KRI_LOOKING, KRI_ASLEEP */
    kr_word hint; /* of kri_spin_word */
    uint64_t reserved[15];
} kri_work_bell;

enum { KRI_BELL_LEADER = 0, KRI_BELL_COLLECTOR = 1, KRI_BELLS = 2 };

typedef struct kri_work_area {
    uint64_t magic;   /* const, as the rest up to size */
    uint32_t slots;   /* a power of two */
    uint32_t workers; /* at most */
    uint64_t size;    /* of all this, without the blocks behind it */
    kr_word closing;  /* atomic: 1: workers leave when nothing is ready; 2: at once */
    kr_word patience; /* atomic hint: 1: whoever waited took what was completed last */
    uint32_t reserved[24];
    kri_work_bell bells[KRI_BELLS];
    kri_word64 idle[KRI_WORKERS_MAX / 64]; /* atomic: a bit for each worker that can be called */
    kri_word64 searching[KRI_WORKERS_MAX / 64]; /* atomic: for each that will look for a task */
    kri_work_ring rings[KRI_WORK_LANES];
    /* Slots, rings' entries, records. */
} kri_work_area;

_Static_assert(offsetof(kri_work_area, bells) == KRI_WORK_LINES, "whole lines");
_Static_assert(offsetof(kri_work_area, rings) % KRI_WORK_LINES == 0, "whole lines");

/* In private memory, and const. */
typedef struct kri_work {
    kri_work_area *area;
    kri_work_slot *slots;
    kr_word *entries; /* of the rings, 2 * slots each */
    unsigned char *records;
    uint32_t slot_count;
    uint32_t workers;
    void (*long_idle)(void); /* called once each time that a worker stays idle; NULL: nothing */
    bool (*move)(void);      /* to another processor; false: there is none; NULL: nobody can */
} kri_work;

size_t kri_work_size(uint32_t slots, uint32_t workers); /* a multiple of the page's size */
void kri_work_make(kri_work *work, void *memory, uint32_t slots, uint32_t workers);
int kri_work_attach(kri_work *work, void *memory, size_t size); /* KR_ECORRUPT */

static inline size_t kri_work_record_size(uint32_t slots)
{
    size_t size = sizeof(kri_work_record) + (size_t)slots * sizeof(kr_word);
    return (size + KRI_WORK_LINES - 1) & ~(size_t)(KRI_WORK_LINES - 1);
}

static inline kri_work_record *kri_work_record_of(const kri_work *work, uint32_t worker)
{
    void *record = work->records + worker * kri_work_record_size(work->slot_count);
    return (kri_work_record *)record;
}

/* slots.c */
static inline uint64_t kri_slot_state(uint64_t ticket, uint32_t worker, uint32_t phase)
{
    return ticket << 16 | worker << 4 | phase;
}
static inline uint32_t kri_slot_phase(uint64_t state)
{
    return state & 15;
}
static inline uint32_t kri_slot_worker(uint64_t state)
{
    return (uint32_t)(state >> 4) & 0xfff;
}
void kri_slot_offer(kri_work_slot *slot, uint64_t ticket);    /* IDLE becomes READY */
bool kri_slot_withdraw(kri_work_slot *slot, uint64_t ticket); /* READY becomes IDLE; false: taken */
bool kri_slot_claim(kri_work_slot *slot, uint64_t ticket, uint32_t worker);
/* By the worker that has claimed it: an item has ended; false: it is condemned, and must end. */
bool kri_slot_pass(kri_work_slot *slot);
void kri_slot_finish(kri_work_slot *slot); /* and when the last has passed */
uint64_t kri_slot_look(const kri_work_slot *slot);
/* By the parent, with the mutex; `item` of what runs, and is not condemned. */
bool kri_slot_is_running(const kri_work_slot *slot, uint64_t state, uint32_t *item);
bool kri_slot_condemn(kri_work_slot *slot, uint32_t item); /* false: that item has ended */
bool kri_slot_has_ended(const kri_work_slot *slot, uint64_t state);
void kri_slot_settle(kri_work_slot *slot); /* IDLE again: it has ended, or its worker is dead */

/* ready_ring.c.  A ticket is a place in a ring and its lane. */
bool kri_ready_put(const kri_work *work, uint32_t lane, uint32_t slot); /* false: it is full */
uint64_t kri_ready_ticket(const kri_work *work, uint32_t lane);         /* of the next put */
/* The worker has claimed it; -1: nothing is ready. */
int kri_ready_take(const kri_work *work, uint32_t worker, bool low_first);
bool kri_ready_some(const kri_work *work);
bool kri_ready_seems(const kri_work *work); /* a guess */

/* calls.c */
/* Until it may be that one is ready; kept: a slot whose completion nobody was told of, or -1. */
void kri_worker_wait(const kri_work *work, uint32_t worker, int *kept);
void kri_worker_search(const kri_work *work, uint32_t worker); /* before it ends its task */
void kri_worker_found(const kri_work *work, uint32_t worker);  /* and then it has got another */
void kri_worker_call(const kri_work *work); /* after a put: wake one, if any sleeps */
void kri_worker_call_all(const kri_work *work);
void kri_worker_reset(const kri_work *work, uint32_t worker); /* it is dead, or not yet started */
/* It is to leave as soon as it is in no task; false: it has not begun to work, and is condemned. */
bool kri_worker_dismiss(const kri_work *work, uint32_t worker);
bool kri_worker_is_dismissed(const kri_work *work, uint32_t worker);

/* loop.c: until the pool closes, it is dismissed, or `most` tasks were run; 0: no limit.  false: it
 * is condemned.  `run` passes all items but the last. */
typedef void (*kri_work_run)(void *arg, uint32_t slot);
bool kri_worker_loop(const kri_work *work, uint32_t worker, uint64_t most, kri_work_run run,
                     void *arg);

/* completion.c */
/* false: nobody was told yet, see completion.c; then kri_completion_tell is owed. */
bool kri_completion_put(const kri_work *work, uint32_t worker, uint32_t slot);
void kri_completion_tell(const kri_work *work, uint32_t worker, int *kept);
void kri_completion_learn(const kri_work *work, bool by_leader);
int kri_completion_get(const kri_work *work, uint32_t worker, uint64_t *taken); /* -1: none */
void kri_work_bell_begin(const kri_work *work,
                         int bell); /* from now on it is rung; then look again */
void kri_work_bell_end(const kri_work *work, int bell);
bool kri_work_bell_spin(const kri_work *work, int bell, kr_time deadline, kr_time *began);
int kri_work_bell_wait(const kri_work *work, int bell, kr_time deadline, unsigned flags);
void kri_work_bells_ring_for_dead(const kri_work *work);
void kri_work_bell_ring(const kri_work *work,
                        int bell); /* for another reason, or for a dead worker's */
void kri_work_bell_learn(const kri_work *work, int bell, kr_time began);

#endif
