/* The parking table: who waits on which private word.
 *
 * A word has no queue of its own.  A table of buckets, found by the word's address, holds lines of
 * places, see words.h; a place names the word and the waiter, and stands in the waiting party's
 * frame.
 *
 * State.  A waiter's state has a phase and a bit:
 *     WAITING   nobody has taken it
 *     TAKEN     a wake or a cancel has taken it and will set WOKEN; it must not leave
 *     WOKEN     the waker is done with it
 *     LEFT      its own party took it back, for a time-out or because it was cancelled
 *     + ASLEEP  a thread sleeps in the kernel on the state: who sets WOKEN must wake it
 *     + ENDLESS and without a time limit: who sets WOKEN must count it in again, see stall.c
 * WAITING turns into TAKEN or LEFT by compare-and-swap, so one of the two happens, once.
 *
 * Fields.
 *     bucket.count    atomic; changed under the bucket's lock
 *     bucket.lock     inner lock: the words, and how their places hang together
 *     waiter.next, waiter.through
 *                     the waker that has taken the waiter; the waiter itself once it is woken
 *     waiter.waits_for, waiter.describe, place.word, place.moved
 *                     constant while the place is queued, but for a requeue, between two queues
 *     all other members of a place and a waiter are constant while it is queued
 *
 * Protocol.
 *     The waiter locks the bucket, counts itself, reads the word again; if it has changed it
 *     uncounts itself and goes, else it queues its place and unlocks, and sleeps on its own state.
 *     The waker, after it has changed the word, reads the count; nobody there: done.  Else it locks
 *     the bucket, takes places of this word out of its line from the front, takes their waiters,
 *     unlocks, and only then wakes them, one after the other.
 *     A waiter may stand in two queues, its word's and its cancel scope's (or in the slot of that,
 *     slot.c), or in more (any.c).
 *     Whichever wake takes it first counts it; the others find it taken and go on to the next in
 *     line, so that no wake-up is spent on a party that does not use it.  Having been woken, the
 *     party locks the other buckets once to take out the places that are still there.
 *     A requeue takes waiters of one word as a wake does and, instead of waking them, queues their
 *     places on another word.  They stay TAKEN: they cannot leave any more, and the next wake on
 *     that word finds them like any other, without taking them a second time.
 *
 * Ordering.
 *     [wait-1]  The waker writes the word and reads the count; the waiter writes the count and
 *               reads the word.  All four are sequentially consistent, so that one of the two sees
 *               the other.  Weaker, both could read the old value: the waiter sleeps, the waker
 *               goes.  The bucket's lock does not help, since the count is read outside it.
 *     [wait-2]  What the waker did before is visible to the woken: set_woken releases, woken
 *               acquires.  It is also the waker's last touch of the waiter's frame.
 *
 * Why not sleep on the word in the kernel?  Coroutines and threads would stand in two queues, a
 * wake would have to choose, a cancelled sleeper could swallow a wake-up, and waiting for several
 * words would need another system call.  Here there is one queue, in order of arrival.
 * Measurements: docs/design/waiting-point.md.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "wait/internal.h"
#include "wait/words.h"

enum { WAITING = 0, TAKEN = 2, WOKEN = 4, LEFT = 6, PHASE = 6, ASLEEP = 1, ENDLESS = 8 };

struct bucket {
    kr_word count;
    kri_mutex lock;
    kri_words words;
    struct kri_spin spin;
} __attribute__((aligned(64)));

#ifdef KRI_MODEL
/* Few, so that words share buckets. */
enum { BUCKETS = 2 };
#define HASH(word) KRI_WORD_NUMBER(word)
#else
enum { BUCKETS = 1024 };
#define HASH(word) ((uint32_t)(kri_word_path(word) >> 40))
#endif

static struct bucket table[BUCKETS] KRI_GLOBAL;

static struct bucket *bucket_of(const kr_word *word)
{
    return &table[HASH(word) % BUCKETS];
}

struct kri_spin *kri_spin_of(kr_word *word)
{
    return &bucket_of(word)->spin;
}

bool kri_spin_crowded(const struct kri_spin *spin)
{
    const struct bucket *b =
        (const struct bucket *)((uintptr_t)spin - offsetof(struct bucket, spin));
    return kri_load_rlx(&b->count) > 1;
}

/* Under the lock nobody else changes it, so this needs no locked instruction. */
static inline void uncount(struct bucket *b)
{
    kri_store_rlx(&b->count, kri_load_rlx(&b->count) - 1);
}

static void take_out(struct bucket *b, kri_place *place)
{
    kri_words_take_out(&b->words, place);
    uncount(b);
}

bool kri_place_enter(kri_place *place, kri_waiter *waiter, kr_word *word, uint32_t expected)
{
    struct bucket *b = bucket_of(word);
    place->waiter = waiter;
    place->word = word;
    place->moved = false;
    kri_mutex_lock(&b->lock);
    kri_add_sc(&b->count, 1);                       /* [wait-1] */
    bool unchanged = kri_load_sc(word) == expected; /* [wait-1] */
    if (unchanged)
        kri_words_append(&b->words, place);
    else
        uncount(b);
    kri_mutex_unlock(&b->lock);
    return unchanged;
}

void kri_place_leave(kri_place *place)
{
    struct bucket *b = bucket_of(place->word);
    kri_mutex_lock(&b->lock);
    if (place->queued)
        take_out(b, place);
    kri_mutex_unlock(&b->lock);
}

/* WAITING becomes `phase`, the bits stay. */
static bool claim(kri_waiter *w, uint32_t phase)
{
    uint32_t state = kri_load_rlx(&w->state);
    while ((state & PHASE) == WAITING) {
        if (kri_cas_rlx(&w->state, &state, state | phase))
            return true;
    }
    return false;
}

bool kri_waiter_leave(kri_waiter *w)
{
    return claim(w, LEFT);
}

bool kri_waiter_woken(const kri_waiter *w)
{
    return (kri_load_acq(&w->state) & PHASE) == WOKEN; /* [wait-2] */
}

void kri_waiter_set_woken(kri_waiter *w)
{
    kr_word *state = &w->state;
    uint32_t before = kri_swap_rel(state, WOKEN); /* [wait-2] */
    if (before & ENDLESS)
        kri_stall_leave();
    if (before & ASLEEP)
        os_futex_wake(state, 1, false);
}

void kri_waiter_wake(kri_waiter *w)
{
    if (!claim(w, TAKEN))
        return;
    (void)kri_party_self(); /* a foreign thread is known from here on as one who may act */
    KRI_TRACE_HAPPENS(cancel, WAKE, 0, kri_party_runner(w->party));
    w->party->ops->unpark(w);
}

kri_party *kri_waiter_party(const kri_waiter *w)
{
    return w->party;
}

void kri_waiter_set_next(kri_waiter *w, uintptr_t next)
{
    w->next = (kri_waiter *)next;
}

uintptr_t kri_waiter_next(const kri_waiter *w)
{
    return (uintptr_t)w->next;
}

/* Take up to `count` waiters of the word out of the bucket, in order of arrival. */
static kri_waiter *take(struct bucket *b, const kr_word *word, int count, int *taken)
{
    kri_waiter *first = NULL;
    kri_waiter **end = &first;
    kri_place *next;
    kri_place *place = *kri_words_find(&b->words, word);
    for (; place != NULL && *taken < count; place = next) {
        next = place->next;
        kri_waiter *w = place->waiter;
        take_out(b, place);
        if (!place->moved && !claim(w, TAKEN))
            continue;
        w->through = place;
        w->next = NULL;
        *end = w;
        end = &w->next;
        ++*taken;
    }
    return first;
}

/* The same with the lock taken, when anybody is there. */
static kri_waiter *take_parked(const kr_word *word, int count, int *taken)
{
    struct bucket *b = bucket_of(word);
    if (kri_load_sc(&b->count) == 0) /* [wait-1] */
        return NULL;
    kri_mutex_lock(&b->lock);
    kri_waiter *w = take(b, word, count, taken);
    kri_mutex_unlock(&b->lock);
    if (w != NULL) {
        if (!w->party->ops->shares_thread) /* that one does not spin */
            kri_spin_note_waker(&b->spin);
        (void)kri_party_self(); /* a foreign thread is known from here on as one who may act */
    }
    return w;
}

static int wake_parked(kr_word *word, int count, bool hands)
{
    int taken = 0;
    kri_waiter *w = take_parked(word, count, &taken);
    while (w != NULL) {
        KRI_TRACE_HAPPENS(wake, WAKE, (uintptr_t)word, kri_party_runner(w->party));
        if (hands)
            w->taken = true;
        kri_waiter *next = w->next;
        w->party->ops->unpark(w);
        w = next;
    }
    return taken;
}

int kri_wake(kr_word *word, int count, unsigned flags)
{
    if (flags & KRI_SHARED)
        return os_futex_wake(word, count, true);
    return wake_parked(word, count, flags & KRI_HANDS);
}

static void move(kri_waiter *w, struct bucket *b, kr_word *to, kri_describe describe)
{
    kri_place *place = (kri_place *)(uintptr_t)w->through;
    place->word = to;
    place->moved = true;
    if (w->waits_for != NULL)
        w->waits_for = to;
    w->describe = describe;
    kri_add_sc(&b->count, 1);
    kri_words_append(&b->words, place);
}

static int requeue_parked(const kr_word *from, int count, kr_word *to, kri_describe describe)
{
    int taken = 0;
    kri_waiter *w = take_parked(from, count, &taken);
    if (w == NULL)
        return 0;
    struct bucket *b = bucket_of(to);
    kri_mutex_lock(&b->lock);
    for (; w != NULL; w = w->next)
        move(w, b, to, describe);
    kri_mutex_unlock(&b->lock);
    return taken;
}

int kri_requeue(kr_word *from, int count, kr_word *to, unsigned flags, kri_describe describe)
{
    if (flags & KRI_SHARED)
        return os_futex_requeue(from, count, to, true);
    return requeue_parked(from, count, to, describe);
}

/* Nobody else holds two of these locks, so there is no order to keep. */
void kri_park_freeze(void)
{
    for (struct bucket *b = table; b < table + BUCKETS; b++)
        kri_mutex_lock(&b->lock);
}

void kri_park_thaw(void)
{
    for (struct bucket *b = table; b < table + BUCKETS; b++)
        kri_mutex_unlock(&b->lock);
}

/* Not through its place in the queue of a scope, nor through each of several. */
static bool stands_for(const kri_place *place)
{
    const kr_word *word = place->waiter->waits_for;
    if (place->waiter->shown != NULL)
        return place->waiter->shown == place;
    return word == NULL || word == place->word;
}

struct visiting {
    bool (*visit)(kri_waiter *w, void *arg);
    void *arg;
};

static bool visit_place(const kri_place *place, void *arg)
{
    const struct visiting *v = arg;
    return !stands_for(place) || v->visit(place->waiter, v->arg);
}

void kri_park_each(bool (*visit)(kri_waiter *w, void *arg), void *arg)
{
    struct visiting v = {visit, arg};
    for (struct bucket *b = table; b < table + BUCKETS; b++) {
        if (!kri_words_each(b->words.root, visit_place, &v))
            return;
    }
}

bool kri_waiter_nudge(kri_waiter *w)
{
    if (!(kri_load_rlx(&w->state) & ENDLESS))
        return false;
    os_futex_wake(&w->state, 1, false);
    return true;
}

int kri_waiting(kr_word *word)
{
    struct bucket *b = bucket_of(word);
    int count = 0;
    kri_mutex_lock(&b->lock);
    const kri_place *place = *kri_words_find(&b->words, word);
    for (; place != NULL; place = place->next)
        count++;
    kri_mutex_unlock(&b->lock);
    return count;
}

void kri_thread_park(kri_waiter *w, kr_time deadline)
{
    if (kri_spin_until_woken(w, deadline))
        return;
    uint32_t asleep = deadline == KRI_NEVER && kri_stall_counts() ? ASLEEP | ENDLESS : ASLEEP;
    kri_stall_watch watch = {.until = deadline};
    uint32_t state = kri_load_acq(&w->state); /* [wait-2] */
    while ((state & PHASE) != WOKEN) {
        bool again = state & ASLEEP;
        if (!again && !kri_cas_acq(&w->state, &state, state | asleep))
            continue;
        if (!again)
            state |= asleep;
        if (state & ENDLESS)
            (again ? kri_stall_look : kri_stall_enter)(&watch);
        if (os_futex_wait(&w->state, state, watch.until, false) == -ETIMEDOUT &&
            deadline != KRI_NEVER)
            return;
        state = kri_load_acq(&w->state); /* [wait-2] */
    }
}

bool kri_waiter_doze(kri_waiter *w, uint32_t *state)
{
    *state = kri_load_acq(&w->state); /* [wait-2] */
    while ((*state & PHASE) != WOKEN && !(*state & ASLEEP)) {
        if (kri_cas_acq(&w->state, state, *state | ASLEEP)) /* [wait-2] */
            *state |= ASLEEP;
    }
    return (*state & PHASE) != WOKEN;
}

void kri_thread_unpark(kri_waiter *w)
{
    if (w->bell != 0)
        os_bell_ring(w->bell - 1);
    kri_waiter_set_woken(w);
}

/* In a forked child the other threads are gone, and with them all who waited or held a bucket.  The
 * thread sanitizer would see races with threads that are not here: hence no memset, either. */
__attribute__((no_sanitize("thread"))) void kri_park_forked(void)
{
    static const struct bucket empty;
    for (volatile struct bucket *b = table; b < table + BUCKETS; b++)
        *b = empty;
}
