/* What the files of src/wait share with each other and with nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_WAIT_INTERNAL_H
#define KRI_WAIT_INTERNAL_H

#include "trace/trace.h"
#include "wait/wait.h"

/* A waiter stands in the frame of the party that waits.  Its state and who may change it are told
 * at the top of park.c. */
struct kri_waiter {
    kr_word state;
    int bell;                        /* const: descriptor + 1 to ring before it is woken, 0: none */
    kri_party *party;                /* const */
    kri_waiter *next;                /* of the waker that has taken it */
    const struct kri_place *through; /* the waker: in which queue it was found */
    kr_cancel_scope *slotted;        /* the scope from the slot of which a direct waker takes it */
    struct kri_spin *spin;           /* const: history of the word it waits for; NULL: no spin */
    kr_time began;                   /* owner: when a thread began to spin, 0: it has not */
    kri_take_fn take;                /* const; NULL: none */
    const struct kri_place *main;    /* const: where a wake is followed by `take` */
    bool taken;         /* the waker: it was, with success; or what it waits for given */
    kr_word *waits_for; /* what a report of a stall tells of; NULL: nothing */
    kri_describe describe;
    const struct kri_place *shown; /* const: the one of several places that a report looks at */
};

/* kri_waiter_begin - without a word to tell of, spin on, or take.  Member by member: compilers
 * clear the whole with a string instruction, which takes longer. */
static inline void kri_waiter_begin(kri_waiter *w, kri_party *party)
{
    w->state.bits = 0;
    w->bell = 0;
    w->party = party;
    w->next = NULL;
    w->through = NULL;
    w->spin = NULL;
    w->began = 0;
    w->take = NULL;
    w->main = NULL;
    w->taken = false;
    w->waits_for = NULL;
    w->describe = NULL;
    w->shown = NULL;
    w->slotted = NULL;
    if (kri_trace_is_on()) /* who wakes it reads that: so before it stands anywhere */
        (void)kri_party_runner_now(party);
}

/* What is known about waits on one word (or on several that share a bucket); hints all. */
struct kri_spin {
    kr_word waker_cpu;  /* processor of the last waker + 1; 0: none yet */
    kr_word long_waits; /* how many waits in a row were long */
};

/* kri_place_enter - queue the waiter on the word if *word == expected still; false: it differs. */
bool kri_place_enter(kri_place *place, kri_waiter *waiter, kr_word *word, uint32_t expected);
void kri_place_leave(kri_place *place); /* does nothing for one that a waker took out */
struct kri_spin *kri_spin_of(kr_word *word);

/* Where a waiter stands for a cancel of its scope: in the scope's slot, or in the queue of its
 * state; see slot.c. */
typedef struct kri_stand {
    bool in_slot;
    kri_place place;
} kri_stand;

/* kri_stand_enter - false: the scope is cancelled, and the waiter stands nowhere.
 * kri_stand_leave - after an enter that was true, however the wait has ended; not after
 * kri_slot_take was true.
 * kri_slot_take - for one that stands in the slot, in place of a wake: no cancel can take it any
 * more.  false: one has, or it was taken so before. */
bool kri_stand_enter(kri_stand *stand, kri_waiter *w, kr_cancel_scope *scope);
void kri_stand_leave(kri_stand *stand, const kri_waiter *w, kr_cancel_scope *scope);
bool kri_slot_take(kr_cancel_scope *scope, kri_waiter *w);
void kri_slot_close(kr_cancel_scope *scope);  /* by a cancel, under the scope's lock */
void kri_slot_forked(kr_cancel_scope *scope); /* in a child: of those who are not there */

/* kri_waiter_wake - take a waiter, unless somebody was first, and wake it. */
void kri_waiter_wake(kri_waiter *w);

/* kri_waiter_leave - take the waiter back for its own party; false: a waker was first, and the
 * waiter is woken any moment. */
bool kri_waiter_leave(kri_waiter *w);

/* kri_waiter_doze - for a thread that sleeps on the waiter's state beside other words: the state to
 * sleep on; false: it is woken. */
bool kri_waiter_doze(kri_waiter *w, uint32_t *state);

/* kri_waiter_sleep - park until woken or the deadline has passed; true: woken. */
bool kri_waiter_sleep(kri_waiter *w, kr_time deadline);

void kri_spin_meet(void); /* a thread begins to wait: which processors may it use? */
bool kri_spin_until_woken(kri_waiter *w, kr_time deadline);
void kri_spin_learn(const kri_waiter *w);
void kri_spin_note_waker(struct kri_spin *spin);
bool kri_spin_crowded(const struct kri_spin *spin); /* others wait there too */

/* kri_park_each - visit each waiter on a private word, until `visit` returns false; between freeze
 * and thaw, while nobody is queued or taken and nobody who is queued leaves. */
void kri_park_freeze(void);
void kri_park_thaw(void);
void kri_park_each(bool (*visit)(kri_waiter *w, void *arg), void *arg);
bool kri_waiter_nudge(kri_waiter *w); /* wake a thread that sleeps for ever, for nothing */

/* Of stalls; see stall.c. */
typedef struct kri_stall_watch {
    uint64_t seen; /* census */
    kr_time until;
} kri_stall_watch;

#ifdef KRI_MODEL
static inline void kri_stall_meet(void)
{
}
static inline void kri_stall_party_ended(void)
{
}
static inline void kri_stall_forked(void)
{
}
static inline bool kri_stall_counts(void)
{
    return false;
}
static inline void kri_stall_enter(kri_stall_watch *watch)
{
    (void)watch;
}
static inline void kri_stall_leave(void)
{
}
static inline void kri_stall_look(kri_stall_watch *watch)
{
    (void)watch;
}
#else
void kri_stall_meet(void); /* count the calling thread, unless it is counted */
void kri_stall_party_ended(void);
void kri_stall_forked(void);
bool kri_stall_counts(void);                  /* does the calling thread? */
void kri_stall_enter(kri_stall_watch *watch); /* before a sleep for ever; not past watch->until */
void kri_stall_leave(void);                   /* by the waker of one that has entered */
void kri_stall_look(kri_stall_watch *watch);  /* woken for nothing, or at watch->until */
#endif

/* trace.c: a wait of the calling party begins, once it stands in its queue, and ends.  name: what
 * for, where describe is NULL. */
void kri_note_wait(const void *object, kri_describe describe, const char *name);
static inline void kri_wait_begins(const void *object, kri_describe describe, const char *name)
{
    KRI_PROBE(wait__begin, object, 0);
    if (kri_trace_is_on())
        kri_note_wait(object, describe, name);
}
static inline void kri_wait_is_over(const void *object, int result)
{
    KRI_TRACE_ENDS(wait__end, WAIT, (uintptr_t)object, result);
}

void kri_nap_forked(void);

void kri_fork_watch(void); /* have the functions below run in forked children */
void kri_park_forked(void);
void kri_party_forked(void);
void kri_scope_forked(kr_cancel_scope *innermost);

/* Of cancel scopes. */
bool kri_scope_cancelled(kr_cancel_scope *scope); /* of the calling party's own scope */
void kri_scope_cut(kr_cancel_scope *scope);       /* its deadline has ended a wait */

/* kri_scope_join - from now on the scope's state says whether it is cancelled, time limits aside:
 * where the scope and those around it are not joined to the tree of scopes, they join.  By a party
 * that stands inside, or is about to. */
void kri_scope_join(kr_cancel_scope *innermost);
void kri_scope_lock(kr_cancel_scope *scope);
void kri_scope_unlock(kr_cancel_scope *scope);

#endif
