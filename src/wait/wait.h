/* The waiting point: the only place that knows who waits.
 *
 * Every primitive is a few words and calls these functions.  A party is whoever can wait: a thread
 * here, a coroutine in a layer above, which registers itself by entering a kri_party of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_WAIT_WAIT_H
#define KRI_WAIT_WAIT_H

#include "base/atomic.h"
#include "base/global.h"
#include <krait/base.h>
#include <krait/cancel.h>
#include <stddef.h>

/* Deadlines: absolute on os_now()'s clock. */

#define KRI_NEVER INT64_MAX

/* kri_deadline - the deadline of a relative timeout that is not negative; saturates at KRI_NEVER.
 * KR_NOWAIT gives 0, which has always passed. */
kr_time kri_deadline(kr_time timeout);

/* kri_left_until - the other way: the timeout that ends at the deadline. */
kr_time kri_left_until(kr_time deadline);

/* Waiting on a word. */

enum kri_wait_flags {
    KRI_SHARED = 1,        /* the word lies in memory shared between processes */
    KRI_UNCANCELLABLE = 2, /* goes on inside a cancelled scope */
    KRI_IDLE = 4,          /* waits to be given work, so it is no part of a stall */
    KRI_NO_SPIN = 8,       /* sleeps at once: to leave the processor alone is what it is for */
    KRI_HANDS = 16,        /* of a wake in private scope: who is taken has what it waits for */
};

/* What a wait is for, in words; see stall.h. */
typedef struct kri_text {
    char *end;
    size_t room;
    bool brief; /* asked for by the waiter itself: nothing that takes the queues to be held */
} kri_text;
typedef void (*kri_describe)(const kr_word *word, kri_text *text);

/* kri_wait_for - sleep while *word == expected, until a kri_wake on the word takes this party.
 *
 * 0: taken by a wake (shared: or for nothing): look again, for the wake may have been meant for
 * another word that lay there before.  KRI_TAKEN: by one with KRI_HANDS; -EAGAIN: *word differed,
 * nobody slept; -ETIMEDOUT, -ECANCELED: left, and no wake was spent on this party.  In private
 * scope that is exact: a wake that counted this party makes the result 0, whatever else happened
 * meanwhile.  In shared scope a cancelled waiter passes on a wake that it may have taken.
 *
 * A thread sleeps, a coroutine is suspended.  Signals neither end nor lengthen the wait.
 *
 * describe adds what stands around the word to the report of a stall, such as "a lock at 0x..."; it
 * is called by others while this party sleeps.  NULL: the address will do.
 */
int kri_wait_for(kr_word *word, uint32_t expected, kr_time deadline, unsigned flags,
                 kri_describe describe);

/* kri_pause - sleep until the deadline, which comes: -ETIMEDOUT, -ECANCELED. */
int kri_pause(kr_time deadline);

/* kri_wait_to_take - the same in private scope, for who then calls take(word).
 *
 * KRI_TAKEN: the waker has called it already, with success.  It does so for a coroutine of its own
 * loop: so no other coroutine of that loop comes first, and they are served in their order. */
typedef bool (*kri_take_fn)(kr_word *word);
int kri_wait_to_take(kr_word *word, uint32_t expected, kr_time deadline, unsigned flags,
                     kri_describe describe, kri_take_fn take);
enum { KRI_TAKEN = 1 };

static inline int kri_wait(kr_word *word, uint32_t expected, kr_time deadline, unsigned flags)
{
    return kri_wait_for(word, expected, deadline, flags, NULL);
}

/* Waiting on several words. */

/* One place of a waiter in the queue of a word; see park.c and words.h. */
typedef struct kri_place {
    struct kri_waiter *waiter;
    kr_word *word;
    struct kri_place *next;     /* guarded by the bucket's lock, as the rest */
    struct kri_place *previous; /* NULL: it is the first of its word */
    struct kri_place *last;     /* of its word; the first one's, as the next */
    struct kri_place *side[2];
    bool queued;
    bool moved; /* a requeue has taken the waiter already */
} kri_place;

/* A shared word that somebody else sleeps on for a coroutine, in the frame of which this lies: told
 * becomes 1, and is woken, when the word is woken or differs from what is expected. */
typedef struct kri_sentry {
    kr_word *word;
    uint32_t expected;
    kr_word *told;           /* private */
    struct kri_sentry *next; /* the watcher's, as the rest */
    struct kri_sentry *previous;
    void *watcher;
    bool over;
} kri_sentry;

/* A word to wait on beside others, in a list; in the frame of the party that waits. */
typedef struct kri_spot {
    struct kri_spot *next;
    kr_word *word;
    uint32_t expected;
    bool shared;          /* as KRI_SHARED; at most KRI_SPOTS_SHARED in a list */
    union {               /* of kri_wait_any */
        kri_place place;  /* private */
        kri_sentry watch; /* shared */
    };
} kri_spot;
enum { KRI_SPOTS_SHARED = 127 };

typedef struct kri_told {
    kr_word *word; /* private */
    kri_describe describe;
} kri_told;

/* kri_wait_any - as kri_wait_for, on the word of every spot of a list.
 *
 * 0: a wake of the word of **which has taken this party; -EAGAIN: that word differed, nobody slept;
 * -ETIMEDOUT, -ECANCELED.  Private words: at most one wake is spent on the party, and only when the
 * result is 0.  Shared words: a wake that may have been spent in vain is passed on.
 *
 * told: what the report of a stall calls describe with. */
int kri_wait_any(kri_spot *first, kr_time deadline, unsigned flags, const kri_told *told,
                 kri_spot **which);

/* kri_wait_direct - sleep until kri_wake_direct(*place), which who shares the caller's thread with
 * it calls; *place is NULL, but for while the caller sleeps.  No part of a stall.  See direct.c.
 * place NULL: nobody calls it, and a thread may sleep so, too.
 *
 * 0; -ETIMEDOUT, -ECANCELED: no wake was spent on it.  kri_wake_direct: false: NULL, or it was
 * taken before. */
struct kri_waiter;
int kri_wait_direct(struct kri_waiter **place, kr_time deadline);
bool kri_wake_direct(struct kri_waiter *waiter);

/* kri_wake - take up to `count` parties that wait on the word, the longest waiting first.
 *
 * Returns how many.  pre: the word was changed before, by a sequentially consistent operation, so
 * that a party on its way to sleep sees either the change or is seen here [wait-1].  Only the
 * address is used: the word may be gone, unless flags have KRI_HANDS.  Never blocks for long, needs
 * no system call when nobody waits, and may be called from any thread, not from a signal handler.
 */
int kri_wake(kr_word *word, int count, unsigned flags);
#define KRI_ALL INT32_MAX

/* kri_requeue - take up to `count` parties that wait on `from` as kri_wake would, but let them
 * sleep on as if they waited on `to`, until a kri_wake there; their kri_wait is then 0 as ever.
 *
 * Returns how many.  In private scope they can no more leave than the woken can, so a wake on `to`
 * must be sure to come.  describe takes the place of theirs. */
int kri_requeue(kr_word *from, int count, kr_word *to, unsigned flags, kri_describe describe);

enum { KRI_SCOPE_LIVE = 0, KRI_SCOPE_CANCELLED = 1 }; /* what stands in its state */

/* kri_scope_reached - the same in one load, for a scope on which kr_cancel was called itself; a
 * cancel from further out shows only in a scope that is joined. */
static inline bool kri_scope_reached(const kr_cancel_scope *scope)
{
    return kri_load_acq(&scope->state) != KRI_SCOPE_LIVE; /* [scope-1] */
}

/* kri_scope_marked - was kr_cancel called on the scope or on one around it?  Time limits aside.
 * From any runner, while the scope is entered.  A few loads, unless somebody has cancelled
 * something meanwhile: then one more for each scope around it that is not joined to the tree. */
bool kri_scope_look(const kr_cancel_scope *innermost);
extern kri_word64 kri_cancels; /* atomic: calls of kr_cancel so far */

static inline kri_word64 *kri_scope_looked(const kr_cancel_scope *scope)
{
    return (kri_word64 *)&scope->looked;
}

static inline bool kri_scope_marked(const kr_cancel_scope *scope)
{
    if (kri_scope_reached(scope))
        return true;
    uint64_t count = kri_load_acq64(&kri_cancels); /* [scope-4] */
    return count != kri_load_rlx64(kri_scope_looked(scope)) && kri_scope_look(scope);
}

/* kri_wait_fd - sleep until a descriptor is ready for OS_READABLE or OS_WRITABLE.
 *
 * The ready ones of `events`; -ETIMEDOUT, -ECANCELED, -EBADF, -EMFILE (no descriptor left for
 * being cancelled by). */
int kri_wait_fd(int fd, unsigned events, kr_time deadline);

/* kri_wait_call - sleep until a call (os/message.h) comes, and take it: with one system call where
 * nothing else can end the wait.  Nobody else may take calls there meanwhile.
 *
 * 1: taken; 0: nobody can call any more; -ETIMEDOUT, -ECANCELED, -EBADF, -EMFILE. */
int kri_wait_call(int hears, kr_time deadline);

/* kri_wait_fds - kri_wait_fd for OS_READABLE on the first count of a list, with room for one more
 * behind them.  How many are ready (`ready` of each says), or as kri_wait_fd; -EINVAL, -ENOMEM. */
struct os_polled;
int kri_wait_fds(struct os_polled *list, size_t count, kr_time deadline);

/* kri_waiting - how many parties wait on a private word now; for tests and reports. */
int kri_waiting(kr_word *word);

/* kri_spin_pays - false where all parties so far share one processor, or the caller is a coroutine:
 * whoever is waited for cannot run before the waiter sleeps. */
bool kri_spin_pays(void);

/* kri_spin_may_pay - the same, whatever the caller is. */
bool kri_spin_may_pay(void);

/* Naps; see nap.c.  kri_nap sleeps until the deadline, or until kri_nap_calls() is no longer what
 * it was, which is so once somebody sleeps who has called kri_nap_rely. */
uint32_t kri_nap_calls(void);
void kri_nap_call(void); /* end all naps */
void kri_nap(uint32_t seen, kr_time deadline);
extern kr_word kri_relied;
static inline void kri_nap_rely(void)
{
    if (kri_load_rlx(&kri_relied) == 0)
        kri_store_rlx(&kri_relied, 1);
}

/* kri_spin_word - look at a word for a while before sleeping on it; see spin_word.c.
 *
 * True: *word is not `expected` any more.  hint lies beside the word; *began, 0 at first, is for
 * kri_spin_word_learn once the whole wait is over.  The waker calls kri_spin_word_note_waker before
 * it changes the word. */
bool kri_spin_word(const kr_word *word, uint32_t expected, kr_time deadline, const kr_word *hint,
                   kr_time *began);
void kri_spin_word_learn(kr_word *hint, kr_time began);
void kri_spin_word_note_waker(kr_word *hint);
enum { KRI_WAKER_UNKNOWN = 0, KRI_WAKER_ELSEWHERE = 0xfff };
void kri_spin_word_note(kr_word *hint, uint32_t waker); /* by an object that knows more */

/* Parties. */

typedef struct kri_party kri_party;
typedef struct kri_waiter kri_waiter;

/* What a kind of party does to sleep.  Both get the waiter that stands on the party's stack.
 *
 * park: return once kri_waiter_woken(w), or once the deadline has passed, or earlier for nothing.
 * May be called again for the same waiter.  On a passed deadline the caller claims the waiter for
 * itself, and when that fails because a wake came first, it parks again with KRI_NEVER.
 *
 * unpark: called exactly once for a waiter that a wake or a cancel has taken, by that thread, which
 * holds no lock but, on a cancel, those of cancel scopes: it must enter, leave and cancel none.  It
 * calls kri_waiter_set_woken(w) as its last touch of the waiter.  For a party whose park returns
 * only after unpark, w and its party stay alive until then. */
typedef struct kri_party_ops {
    void (*park)(kri_waiter *w, kr_time deadline);
    void (*unpark)(kri_waiter *w);
    void (*settle)(kri_waiter *w); /* return once its unpark is over; NULL: it is when woken */
    void (*resume)(kri_waiter *w); /* unpark by kri_wake_direct, in its thread; w stays as it is */
    int (*wait_fd)(int fd, unsigned events, kr_time deadline); /* as kri_wait_fd; NULL: poll */
    int (*wait_fds)(struct os_polled *list, size_t count, kr_time deadline); /* the same */
    /* Have somebody sleep in the kernel on shared words; NULL: the thread does that itself. */
    int (*watch)(struct kri_sentry *watch);    /* 0, -EAGAIN: it differs, -ENOMEM: nobody can */
    bool (*unwatch)(struct kri_sentry *watch); /* true: a wake may have been spent on it */
    bool (*give_way)(void); /* let those run who are ready in the caller's thread; false: nobody */
    bool (*is_alone)(void); /* would the thread sleep now, if the caller did?  NULL: yes */
    bool shares_thread;     /* others run while it sleeps: so it neither spins nor helps */
    bool exact;             /* its park never returns earlier for nothing */
} kri_party_ops;

/* Blocking hooks: `before` runs when the party is about to sleep in any krait wait, `after` when it
 * has woken, in reverse order.  An interpreter lock is given up and retaken here.  They may wake
 * others; `after` may itself wait uncancellably, and no hook runs around that wait.  Hooks neither
 * add nor remove hooks. */
typedef struct kri_block_hook {
    struct kri_block_hook *next;
    void (*before)(struct kri_block_hook *hook);
    void (*after)(struct kri_block_hook *hook);
} kri_block_hook;

struct kri_party {
    const kri_party_ops *ops;
    kr_cancel_scope *scope;  /* innermost; owner */
    kri_block_hook *hooks;   /* owner */
    uint64_t id;             /* owner: see kri_party_id; 0: it has not asked yet */
    void *runner;            /* owner: what the layer above hangs here (a kr_thread, a task) */
    void *locals;            /* owner: the party's values of kr_local */
    struct kr_context *vars; /* owner: its values of kr_context_var */
    struct kri_due *callbacks_due; /* owner: what it calls after the done callback that it is in */
    kri_party *outer; /* owner: whom its thread acted as before; NULL: the thread's own */
    int bell;         /* owner: descriptor + 1 that ends its poll, 0: none yet */
    int thread;       /* const: the kernel's number, of a thread's own party; else 0 */
};

KRI_SHARED_THREAD_LOCAL(kri_party *, kri_party_current)
kri_party *kri_party_begin_thread(void);

static inline kri_party *kri_party_self(void) /* a foreign thread gets one at its first call */
{
    kri_party *party = *kri_party_current();
    return __builtin_expect(party != NULL, 1) ? party : kri_party_begin_thread();
}

/* kri_party_shares_thread - is the caller a coroutine? */
static inline bool kri_party_shares_thread(void)
{
    return kri_party_self()->ops->shares_thread;
}

/* kri_party_end - give back what the calling thread's own party holds, as the thread ends. */
void kri_party_end(void);

/* kri_party_enter - from now on the calling thread acts as `party` (a coroutine it is about to
 * run), until kri_party_leave, which returns it to `previous`. */
static inline kri_party *kri_party_enter(kri_party *party)
{
    kri_party *previous = kri_party_self();
    party->outer = previous;
    *kri_party_current() = party;
    return previous;
}

static inline void kri_party_leave(kri_party *previous)
{
    *kri_party_current() = previous;
}

/* kri_party_id - the number of the calling party, given to it when it first asks: never 0, and no
 * other party's in this process, before or after. */
uint64_t kri_party_id(kri_party *self);
uint64_t kri_party_new_id(void);

/* kri_party_runner - the number that a trace knows it by: of a thread the kernel's, of a coroutine
 * one above 2^32.  0: a coroutine that has not been in a trace yet. */
static inline uint64_t kri_party_runner(const kri_party *party)
{
    if (party->thread != 0)
        return (uint64_t)party->thread;
    return party->id != 0 ? UINT64_C(1) << 32 | party->id : 0;
}

/* kri_party_runner_now - the same, given to it if need be: by the party, or while it sleeps by who
 * lets it run. */
static inline uint64_t kri_party_runner_now(kri_party *party)
{
    if (party->thread == 0)
        (void)kri_party_id(party);
    return kri_party_runner(party);
}

/* Scopes of the library's own, around tasks and groups: entered and left with plain stores. */

/* Above two bits a scope's lock has the generation in which it was last touched: one of another is
 * a copy, see scope_tree.c. */
enum { KRI_SCOPE_GENERATION = 2 };
extern kr_word kri_forks;

static inline uint32_t kri_scope_free_lock(void)
{
    return kri_load_rlx(&kri_forks) << KRI_SCOPE_GENERATION;
}

void kri_scope_unlink(kr_cancel_scope *scope); /* by its owner: a joined one leaves the tree */

/* kri_scope_begin - as kr_cancel_scope_enter without a time limit, whatever the scope held before.
 *
 * Nobody else knows the scope before.  It is not joined to the tree: a cancel from outside is seen
 * by whoever asks inside, and joins it only where a party has to sleep inside.  Once it has begun,
 * parties of other threads may stand in it too, from after the begin to before the end. */
static inline void kri_scope_begin(kri_party *self, kr_cancel_scope *scope)
{
    kr_cancel_scope *outer = self->scope;
    *scope = (kr_cancel_scope){.lock = {kri_scope_free_lock()},
                               .outer = outer,
                               .parent = outer,
                               .deadline = outer != NULL ? outer->deadline : KRI_NEVER};
    scope->looked.bits = outer != NULL ? kri_load_rlx64(kri_scope_looked(outer))
                                       : kri_load_acq64(&kri_cancels); /* [scope-4] */
    self->scope = scope;
}

/* kri_scope_end - pre: everybody else has left the scope.
 *
 * A kr_cancel of an outer scope may be under way.  One that is aimed at this very scope must have
 * returned before its memory is used for something else, which the caller sees to. */
static inline void kri_scope_end(kri_party *self, kr_cancel_scope *scope)
{
    if (__builtin_expect(kri_load_rlx(&scope->joined) != 0, 0))
        kri_scope_unlink(scope);
    self->scope = scope->outer;
}

/* For parties' own park and unpark. */
bool kri_waiter_woken(const kri_waiter *w);
void kri_waiter_take(kri_waiter *w); /* by the waker, in the thread of the party; see above */
void kri_waiter_set_woken(kri_waiter *w);
kri_party *kri_waiter_party(const kri_waiter *w);

/* kri_waiter_set_next, _next - a link for unpark, in a line that it has anyhow: once w is set
 * woken, and as long as `settle` does not return. */
void kri_waiter_set_next(kri_waiter *w, uintptr_t next);
uintptr_t kri_waiter_next(const kri_waiter *w);
void kri_thread_park(kri_waiter *w, kr_time deadline);
void kri_thread_unpark(kri_waiter *w);

void kri_block_hook_add(kri_block_hook *hook); /* to the calling party */
void kri_block_hook_remove(kri_block_hook *hook);

/* The party's blocking hooks, around a sleep that is no kri_wait. */
void kri_block_begin(kri_party *party);
void kri_block_end(kri_party *party);

/* kri_party_be_thread - what the calling thread acts as sleeps as threads do from now on: of a
 * coroutine in a forked child, where its loop is not. */
void kri_party_be_thread(void);

/* A lock for the inside of the library: for a few instructions, never cancelled, threads only.
 * All-zero is free. */
typedef kr_word kri_mutex;

void kri_mutex_lock(kri_mutex *m);
bool kri_mutex_try(kri_mutex *m); /* false: somebody holds it */
void kri_mutex_unlock(kri_mutex *m);

/* Fork: how often this process is a forked child of one that used the library.  An object that
 * notes it at creation knows when it has become a copy. */
uint32_t kri_fork_generation(void);

/* kri_forked_since - for an object that noted the generation by kri_fork_generation: is this a
 * process that was forked since? */
static inline bool kri_forked_since(uint32_t generation)
{
    return kri_load_rlx(&kri_forks) != generation;
}

/* kri_at_fork_child - run fn in every forked child, after the waiting point is usable there; in
 * the order of registration; idempotent for the same fn.  -ENOMEM when the table (32) is full. */
int kri_at_fork_child(void (*fn)(void));

#endif
