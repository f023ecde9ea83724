/* How long is waited for which lock, while somebody is interested.
 *
 * State.  A table of buckets, by the lock's address, of some places each, in the one block that the
 * first switching on, or the first name, allocates.  A place is free, or a lock's.
 *
 * Fields.
 *     kri_contention   atomic: 0: off; else which switching on this is
 *     switched         atomic: how often it was switched on
 *     table            set once
 *     a bucket         all of it: [its mutex]
 *
 * Protocol.  Who is about to wait for a lock enters the lock, where it has no place yet, and counts
 *     himself in, with the time; and out when the wait is over.  Both are for one switching on:
 *     what began before it, or ends after the next, is left out.
 *     Where a bucket is full, the lock that was waited for least, has no name and is not waited for
 *     now gives way.
 *
 * Ordering.  The mutexes order the table.
 *     [contention-1]  Who counts himself in has read which switching on it is, and reads it again
 *                     with the bucket's mutex: had the bucket been cleared for another meanwhile,
 *                     the mutex would show him the switching off that came before that.
 *
 * Why not in the lock?  It is one word.  Why a mutex for each bucket?  Who comes here is about to
 * sleep, or has slept.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/contention.h"

#include <stdio.h>
#include <string.h>

#include "base/global.h"
#include "os/os.h"
#include "sync/internal.h"

#ifdef KRI_MODEL
enum { BUCKETS = 1, PLACES = 2 };
#else
enum { BUCKETS = 64, PLACES = 8 };
#endif
enum { RAW_FRAMES = 12 };

struct bucket {
    kri_mutex mutex;
    uint32_t forgotten;
    kri_contention_count places[PLACES];
};

kr_word kri_contention KRI_GLOBAL;
static kr_word switched KRI_GLOBAL;
static kri_pointer table KRI_GLOBAL; /* struct bucket[BUCKETS] */

static struct bucket *buckets(void)
{
    return kri_load_acq_ptr(&table);
}

static struct bucket *bucket_of(const void *lock)
{
    uint64_t mixed = (uint64_t)(uintptr_t)lock * 0x9e3779b97f4a7c15u;
    return &buckets()[(mixed >> 32) % BUCKETS];
}

/* Places. */

static kri_contention_count *find(struct bucket *b, const void *lock)
{
    for (int i = 0; i < PLACES; i++)
        if (b->places[i].lock == lock)
            return &b->places[i];
    return NULL;
}

static bool may_give_way(const kri_contention_count *c)
{
    return c->waiting == 0 && c->name[0] == '\0';
}

/* NULL: all of them have to stay. */
static kri_contention_count *make_place(struct bucket *b)
{
    kri_contention_count *least = find(b, NULL);
    if (least != NULL)
        return least;
    for (int i = 0; i < PLACES; i++) {
        kri_contention_count *c = &b->places[i];
        if (may_give_way(c) && (least == NULL || c->waited < least->waited))
            least = c;
    }
    if (least != NULL)
        b->forgotten += least->waits != 0;
    return least;
}

static kri_contention_count *find_or_make(struct bucket *b, const void *lock)
{
    kri_contention_count *c = find(b, lock);
    if (c != NULL)
        return c;
    c = make_place(b);
    if (c != NULL)
        *c = (kri_contention_count){.lock = lock};
    return c;
}

static void clear_counts(kri_contention_count *c)
{
    kri_contention_count cleared = {.lock = c->name[0] != '\0' ? c->lock : NULL};
    memcpy(cleared.name, c->name, sizeof cleared.name);
    *c = cleared;
}

/* From `caller` outwards. */
static void note_places(kri_contention_count *c, const void *caller)
{
    const void *raw[RAW_FRAMES];
    int count = os_backtrace(raw, RAW_FRAMES), first = 0;
    while (first < count && raw[first] != caller)
        first++;
    for (int i = 0; i < KRI_CONTENTION_FRAMES && first + i < count; i++)
        c->frames[i] = raw[first + i];
    if (first == count)
        c->frames[0] = caller;
}

/* Waits. */

void kri_contention_begin(kri_contended *wait, const kr_lock *lock, const void *caller)
{
    *wait =
        (kri_contended){.lock = lock, .since = os_now(), .epoch = kri_load_acq(&kri_contention)};
    if (wait->epoch == 0)
        return;
    struct bucket *b = bucket_of(lock);
    bool is_first = false;
    kri_mutex_lock(&b->mutex); /* [contention-1] */
    kri_contention_count *c =
        kri_load_rlx(&kri_contention) == wait->epoch ? find_or_make(b, lock) : NULL;
    if (c != NULL) {
        is_first = c->frames[0] == NULL;
        if (is_first)
            c->frames[0] = caller;
        c->shared = kri_lock_is_shared(lock);
        c->waiting++;
        c->begun += wait->since;
    } else {
        wait->epoch = 0;
    }
    kri_mutex_unlock(&b->mutex);
    if (!is_first)
        return;
    kri_contention_count places = {.lock = NULL};
    note_places(&places, caller);
    kri_mutex_lock(&b->mutex);
    c = find(b, lock);
    if (c != NULL)
        memcpy(c->frames, places.frames, sizeof c->frames);
    kri_mutex_unlock(&b->mutex);
}

void kri_contention_end(const kri_contended *wait)
{
    if (wait->epoch == 0)
        return;
    struct bucket *b = bucket_of(wait->lock);
    kr_time took = os_now() - wait->since;
    kri_mutex_lock(&b->mutex);
    kri_contention_count *c =
        kri_load_rlx(&kri_contention) == wait->epoch ? find(b, wait->lock) : NULL;
    if (c != NULL) {
        c->waiting--;
        c->begun -= wait->since;
        c->waits++;
        c->waited += took;
        c->longest = took > c->longest ? took : c->longest;
    }
    kri_mutex_unlock(&b->mutex);
}

/* Switching. */

/* Who has stood in them is not here.  Names stay, but in a bucket that somebody was changing. */
static void forked(void)
{
    struct bucket *all = buckets();
    kri_store_rlx(&kri_contention, 0);
    for (int i = 0; all != NULL && i < BUCKETS; i++) {
        if (kri_load_rlx(&all[i].mutex) != 0)
            memset(all[i].places, 0, sizeof all[i].places);
        kri_store_rlx(&all[i].mutex, 0);
    }
}

static int begin(void)
{
    if (buckets() != NULL)
        return 0;
    int err = kri_at_fork_child(forked);
    if (err != 0)
        return err;
    void *made = os_alloc(BUCKETS * sizeof(struct bucket));
    void *none = NULL;
    if (made == NULL)
        return -ENOMEM;
    if (!kri_cas_acq_rel_ptr(&table, &none, made))
        os_free(made);
    return 0;
}

int kri_contention_start(void)
{
    const void *frames[1];
    int err = begin();
    if (err != 0)
        return err;
    (void)os_backtrace(frames, 1); /* what it loads, it loads now */
    struct bucket *all = buckets();
    for (int i = 0; i < BUCKETS; i++) {
        kri_mutex_lock(&all[i].mutex); /* [contention-1] */
        all[i].forgotten = 0;
        for (int p = 0; p < PLACES; p++)
            clear_counts(&all[i].places[p]);
        kri_mutex_unlock(&all[i].mutex);
    }
    uint32_t epoch = kri_add_rlx(&switched, 1) + 1;
    kri_store_rel(&kri_contention, epoch != 0 ? epoch : 1);
    return 0;
}

void kri_contention_stop(void)
{
    kri_store_rlx(&kri_contention, 0);
}

int kri_contention_name(const void *lock, const char *name)
{
    int err = begin();
    if (err != 0)
        return err;
    struct bucket *b = bucket_of(lock);
    kri_mutex_lock(&b->mutex);
    kri_contention_count *c = name != NULL ? find_or_make(b, lock) : find(b, lock);
    if (c != NULL)
        snprintf(c->name, sizeof c->name, "%s", name != NULL ? name : "");
    if (c != NULL && name == NULL && c->waiting == 0)
        *c = (kri_contention_count){.lock = NULL};
    kri_mutex_unlock(&b->mutex);
    return c == NULL && name != NULL ? -ENOMEM : 0;
}

uint64_t kri_contention_visit(void (*visit)(const kri_contention_count *count, void *arg),
                              void *arg, bool *missed)
{
    struct bucket *all = buckets();
    uint64_t forgotten = 0;
    for (int i = 0; all != NULL && i < BUCKETS; i++) {
        struct bucket *b = &all[i];
        if (!kri_mutex_try(&b->mutex)) {
            *missed = true;
            continue;
        }
        forgotten += b->forgotten;
        for (int p = 0; p < PLACES; p++)
            if (b->places[p].waits != 0 || b->places[p].waiting != 0)
                visit(&b->places[p], arg);
        kri_mutex_unlock(&b->mutex);
    }
    return forgotten;
}
