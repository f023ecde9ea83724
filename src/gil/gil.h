/* What the files of src/gil share with each other and with nobody else.
 *
 * State and fields are told at the top of take.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_GIL_GIL_H
#define KRI_GIL_GIL_H

#include "base/atomic.h"
#include "wait/wait.h"
#include <krait/gil.h>

/* Bits of kr_gil_thread.asked. */
enum {
    KRI_GIL_DROP = 1,      /* somebody wants the lock */
    KRI_GIL_CALLS = 2,     /* there are pending calls */
    KRI_GIL_INTERRUPT = 4, /* there is an interrupt */
    KRI_GIL_CLOSED = 8,    /* the lock was shut down */
    KRI_GIL_COUNTS = 16,   /* each check counts: policy TICKS */
};

/* kr_gil_thread.turn */
enum {
    KRI_TURN_WAITS = 1,  /* it may spin */
    KRI_TURN_SLEEPS = 2, /* a thread, in the kernel */
    KRI_TURN_LOOK = 3,   /* it shall see what there is to do for it */
    KRI_TURN_GIVEN = 4,  /* it has the lock; barging policies: it may try */
    KRI_TURN_REFUSED = 5,
};

/* Of durations: 8 steps an octave. */
#ifdef KRI_MODEL
enum { KRI_GIL_STEPS = 1 };
#else
enum { KRI_GIL_STEPS = 304 };
#endif
typedef struct kri_gil_histogram {
    kri_word64 count;
    kri_word64 max;
    kr_word steps[KRI_GIL_STEPS];
} kri_gil_histogram;

typedef struct kri_gil_counts {
    kri_word64 switches;
    kri_word64 forced_drops;
    kri_word64 waits;
    kri_word64 held;
    kri_gil_histogram wait;
    kri_gil_histogram hold;
} kri_gil_counts;

typedef struct kri_gil_call {
    int (*call)(void *arg);
    void *arg;
} kri_gil_call;

#ifdef KRI_MODEL
enum { KRI_GIL_CALLS_OF_ONE = 2, KRI_GIL_CALLS_OF_ANY = 2 };
#else
enum { KRI_GIL_CALLS_OF_ONE = 32, KRI_GIL_CALLS_OF_ANY = 300 };
#endif

typedef struct kri_gil_calls {
    unsigned first;
    unsigned count;
    unsigned room;
    kri_gil_call *ring;
} kri_gil_calls;

/* What a thread owes that has detached; see debt.c. */
typedef struct kri_gil_debt {
    uint64_t thread;
    kr_time end;
    kr_time since;
    kr_time contested;
} kri_gil_debt;

typedef struct kri_gil_debts {
    kri_gil_debt *all;
    size_t room; /* a power of two */
    size_t used;
} kri_gil_debts;

enum { KRI_GIL_SLICES_BEHIND = 20 }; /* so much one can owe at most */

enum { KRI_GIL_LEVELS = 16 };

struct kr_gil_thread {
    kr_word asked; /* first: kr_gil_check reads it */
    kr_word turn;
    kr_gil *gil;      /* const, as the next four */
    kri_party *party; /* the runner's */
    uint64_t number;
    kri_block_hook hook;
    char name[16]; /* gil->lock */

    /* owner */
    unsigned depth;                 /* attaches */
    unsigned levels;                /* length of `taken` */
    unsigned taken[KRI_GIL_LEVELS]; /* the depths of those attaches that found it not held */
    bool gave;                      /* the hook has given the lock up, and is to take it again */
    bool finalizer;                 /* has called kr_gil_shutdown while it held the lock */
    uint32_t ticks;                 /* checks until it is given away */

    /* gil->lock */
    kr_gil_thread *older; /* in the list of all who are attached */
    kr_gil_thread *newer;
    kr_gil_thread *before; /* in the queue */
    kr_gil_thread *behind;
    bool queued;
    bool visits;       /* has not been asked since it came */
    bool by_coroutine; /* who waits is one */
    bool arranges;     /* the holder: it sees itself to that it is asked; then the holder's */
    uint32_t cpu;      /* a hint: on which processor + 1 it began to wait */
    kr_time waits_since;
    kr_time key;   /* virtual: the smaller, the sooner; see deadline.c */
    kr_time used;  /* how much of its slice */
    kr_time spent; /* what it has held while others waited */
    int interrupt;
    kri_gil_calls calls;
    kri_gil_call call_ring[KRI_GIL_CALLS_OF_ONE];
    kri_gil_counts counts;
};

struct kr_gil {
    kri_word64 holder;    /* see take.c */
    kri_mutex lock;       /* inner */
    kr_gil_policy policy; /* const, as the next three */
    kr_time min_slice;
    uint32_t check_interval;
    size_t log_size;
    kri_word64 interval; /* atomic */
    kri_word64 due;      /* atomic: not before that the holder lets go */

    /* lock */
    kr_gil_thread *first; /* the queue */
    kr_gil_thread *last;
    unsigned waiting;
    kr_gil_thread *newest; /* all who are attached */
    unsigned attached;
    uint64_t numbers;
    bool closed;
    kr_gil_thread *keeper; /* who waits with a time limit, to see to the holder's slice */
    kr_time keeper_wakes;  /* not later than then */
    uint64_t turns;        /* how often another has got it than had it before */
    kr_gil_thread *last_holder;
    kr_gil_thread *yielder; /* INTERVAL: has dropped it and waits until another has had it */
    kr_time taken_at;       /* 0: nobody knows */
    kr_time counted_from;   /* since when others wait for this holder; 0: nobody does */
    kr_time slice_from;     /* since when it has not been asked */
    kr_time clock;          /* virtual: the key of the last one that was due */
    kr_time contested;      /* how long it was held while others waited */
    kri_gil_debts debts;
    kr_gil_thread *caller; /* who is in a pending call */
    kri_gil_calls calls;
    kri_gil_call call_ring[KRI_GIL_CALLS_OF_ANY];
    kri_gil_counts counts;
    kr_word cpu;           /* atomic: a hint, the holder's processor + 1 */
    kr_word visitor_cpu;   /* the same of who gave it away last by itself */
    kr_word idle_spins[2]; /* atomic: hints, see wait.c */
    kr_gil_event *events;
    uint64_t event_count;

    kr_gil *next; /* all locks: their list's lock */
    kr_gil *previous;
};

/* take.c */
#define KRI_GIL_SLOW UINT64_C(1)

static inline kr_gil_thread *kri_gil_holder_in(uint64_t word)
{
    return (kr_gil_thread *)(uintptr_t)(word & ~KRI_GIL_SLOW);
}
static inline kr_gil_thread *kri_gil_holder(const kr_gil *g)
{
    return kri_gil_holder_in(kri_load_rlx64(&g->holder));
}
static inline bool kri_gil_has(const kr_gil_thread *t)
{
    return kri_gil_holder(t->gil) == t;
}
static inline bool kri_gil_is_mine(const kr_gil_thread *t)
{
    return t->party == kri_party_self();
}

int kri_gil_take(kr_gil_thread *t); /* 0, KR_ESHUTDOWN; pre: the caller's, which does not have it */
void kri_gil_give(kr_gil_thread *t, kr_gil_what why); /* pre: the caller has it */

/* With the lock held, as all that follow unless they say otherwise. */
void kri_gil_become_holder(kr_gil *g, kr_gil_thread *t, kr_time now); /* now: 0 unless needed */
void kri_gil_release_word(kr_gil *g);
bool kri_gil_is_watched(const kr_gil *g); /* every take and release goes the slow way */

/* queue.c */
void kri_gil_append(kr_gil *g, kr_gil_thread *t);
void kri_gil_insert_before(kr_gil *g, kr_gil_thread *t, kr_gil_thread *behind); /* NULL: append */
void kri_gil_take_out(kr_gil *g, kr_gil_thread *t);

/* debt.c */
void kri_gil_begin_share(kr_gil *g, kr_gil_thread *t);     /* the caller's, which attaches */
void kri_gil_end_share(kr_gil *g, const kr_gil_thread *t); /* may give the lock up meanwhile */
void kri_gil_forget_debts(kr_gil *g);

/* A wake-up that is owed once the lock is released: who sleeps, and in which way. */
typedef struct kri_gil_wake {
    kr_word *word; /* NULL: nobody */
    bool coroutine;
} kri_gil_wake;

/* wait.c */
kri_gil_wake kri_gil_tell(kr_gil_thread *t, uint32_t turn);
void kri_gil_wake_now(kri_gil_wake wake); /* without the lock */

enum kri_gil_spin {
    KRI_SPIN_NOT = -1,
    KRI_SPIN_FOR_DROP = 0,
    KRI_SPIN_FOR_RETURN = 1,
    KRI_SPIN_TO_ASK
};
bool kri_gil_holder_is_here(const kr_gil *g); /* on the caller's processor; a hint */
/* Without the lock: wait until told something, or until the deadline: what turn is then. */
uint32_t kri_gil_await(kr_gil_thread *t, kr_time deadline, enum kri_gil_spin spin, kr_time until);

/* The hooks of locks that the runner is attached to later, which it must not hold while it waits
 * for this one. */
kri_block_hook *kri_gil_give_later_ones(kr_gil_thread *t);
void kri_gil_take_later_ones(kr_gil_thread *t, kri_block_hook *hooks);

/* The policies.  All are called without the lock. */
int kri_gil_deadline_take(kr_gil_thread *t);
void kri_gil_deadline_give(kr_gil_thread *t, kr_gil_what why);
int kri_gil_deadline_drop(kr_gil_thread *t); /* the holder is asked: 0, KR_ESHUTDOWN */
int kri_gil_barging_take(kr_gil_thread *t);
void kri_gil_barging_give(kr_gil_thread *t, kr_gil_what why);
int kri_gil_barging_drop(kr_gil_thread *t);

/* check.c */
bool kri_gil_some_calls(const kr_gil_thread *t);

/* measure.c.  Under the explorer nothing is counted: it would be most of the schedule. */
#ifdef KRI_MODEL
static inline void kri_gil_count(kri_word64 *count, uint64_t more)
{
    (void)count, (void)more;
}
static inline void kri_gil_note_time(kri_gil_histogram *all, kri_gil_histogram *own, kr_time time)
{
    (void)all, (void)own, (void)time;
}
#else
static inline void kri_gil_count(kri_word64 *count, uint64_t more)
{
    kri_store_rlx64(count, kri_load_rlx64(count) + more); /* by one at a time */
}
void kri_gil_note_time(kri_gil_histogram *all, kri_gil_histogram *own, kr_time time);
#endif
void kri_gil_note(kr_gil *g, kr_gil_thread *t, kr_gil_what what, kr_time now);
void kri_gil_forget_counts(kri_gil_counts *counts);

/* Between a fork's two sides; the explorer calls them too. */
void kri_gil_before_fork(void);
void kri_gil_after_fork(void);

#endif
