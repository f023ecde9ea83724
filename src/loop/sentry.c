/* Threads that sleep in the kernel for coroutines: on words in shared memory, which another process
 * may wake.
 *
 * A watcher sleeps on up to MOST words at a time and on one of its own, by which it is told that
 * its list has changed.  There are as many watchers as needed; none goes away before the process
 * does.
 *
 * Fields.
 *     changes    atomic: how often the list has changed; the watcher sleeps on it
 *     the rest   the watcher's lock; the watchers' list: watchers_lock, and it only grows
 *
 * Protocol.
 *     Under the watcher's lock a watch is put into its list, or taken out.  The watcher copies the
 *     list, sleeps without the lock, and then tells those whose word was woken or has changed.
 *     The kernel names the last of the words that were woken; a wake may have been spent on each of
 *     those before it.  These are told too: a wake for nothing is allowed in shared memory.
 *     A wake may also go to a copy whose watch has left meanwhile: it is passed on.
 *
 * Ordering.
 *     [sentry-1]  told is changed, and woken, under the watcher's lock, which the coroutine takes
 *                 before it leaves: so its frame outlives the wake.  Sequentially consistent, as
 *                 kri_wake wants it
 *     [sentry-2]  a watcher reads `changes` before the list, under the lock; who changes the list
 *                 adds to it afterwards: so a watcher whose copy is old does not sleep.  The add
 *                 and the kernel's look at the word are on the same word, and need no more
 *
 * Why not io_uring's futex operation?  It needs Linux 6.7, and each wait a system call more.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/sentry.h"

#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"

enum { MOST = OS_SLEEPS - 1, SLICE_MS = 20 };

typedef struct watcher {
    struct watcher *next;
    kri_mutex lock;
    kr_word changes;
    kri_sentry *first;
    int count;
} watcher;

static KRI_GLOBAL kri_mutex watchers_lock;
static KRI_GLOBAL watcher *first_watcher;

void kri_sentries_forked(void)
{
    watchers_lock = (kri_mutex){0};
    first_watcher = NULL; /* their threads are not here, and some lock may be held for ever */
}

/* What one sleep is on. */
typedef struct nap {
    os_sleep words[OS_SLEEPS];
    kri_sentry *watches[OS_SLEEPS];
    unsigned count;
} nap;

static void copy_list(watcher *w, nap *n)
{
    kri_mutex_lock(&w->lock);
    n->words[0] = (os_sleep){&w->changes, kri_load_rlx(&w->changes), false}; /* [sentry-2] */
    n->count = 1;
    for (kri_sentry *watch = w->first; watch != NULL; watch = watch->next) {
        n->watches[n->count] = watch;
        n->words[n->count++] = (os_sleep){watch->word, watch->expected, true};
    }
    kri_mutex_unlock(&w->lock);
}

static void unlink_watch(watcher *w, kri_sentry *watch)
{
    *(watch->previous != NULL ? &watch->previous->next : &w->first) = watch->next;
    if (watch->next != NULL)
        watch->next->previous = watch->previous;
    w->count--;
    watch->over = true;
}

static bool is_listed(const watcher *w, const kri_sentry *watch, const kr_word *word)
{
    const kri_sentry *at = w->first;
    while (at != NULL && at != watch)
        at = at->next;
    return at != NULL && at->word == word;
}

/* Under the lock, so that the coroutine's frame stays. */
static void tell(watcher *w, kri_sentry *watch)
{
    unlink_watch(w, watch);
    kri_store_sc(watch->told, 1); /* [sentry-1] */
    kri_wake(watch->told, 1, 0);
}

/* Those up to `woken` were woken, perhaps; the others are looked at. */
static void tell_all(watcher *w, const nap *n, unsigned woken)
{
    kri_mutex_lock(&w->lock);
    for (unsigned i = 1; i < n->count; i++) {
        kri_sentry *watch = n->watches[i];
        if (!is_listed(w, watch, n->words[i].word)) {
            if (i <= woken)
                os_futex_wake(n->words[i].word, 1, true);
        } else if (i <= woken || kri_load_sc(watch->word) != watch->expected) {
            tell(w, watch);
        }
    }
    kri_mutex_unlock(&w->lock);
}

static void serve(void *arg)
{
    watcher *w = arg;
    nap n;
    for (;;) {
        copy_list(w, &n);
        int woken = os_futex_wait_any(n.words, n.count, KRI_NEVER);
        if (woken == -ENOSYS)
            (void)os_futex_wait(n.words[0].word, n.words[0].expected,
                                n.count > 1 ? kri_deadline(kr_ms(SLICE_MS)) : KRI_NEVER, false);
        tell_all(w, &n, woken > 0 ? (unsigned)woken : 0);
    }
}

static void say_changed(watcher *w)
{
    kri_add_rlx(&w->changes, 1); /* [sentry-2] */
    os_futex_wake(&w->changes, 1, false);
}

/* With the lock of all. */
static watcher *make_watcher(void)
{
    os_thread thread;
    watcher *w = os_alloc(sizeof *w);
    if (w == NULL)
        return NULL;
    if (os_thread_start(&thread, serve, w, true, &(os_thread_options){0}) != 0) {
        os_free(w);
        return NULL;
    }
    os_thread_detach(thread);
    w->next = first_watcher;
    first_watcher = w;
    return w;
}

/* Its lock is held. */
static watcher *with_room(void)
{
    kri_mutex_lock(&watchers_lock);
    watcher *w = first_watcher;
    for (; w != NULL; w = w->next) {
        kri_mutex_lock(&w->lock);
        if (w->count < MOST)
            break;
        kri_mutex_unlock(&w->lock);
    }
    if (w == NULL && (w = make_watcher()) != NULL)
        kri_mutex_lock(&w->lock);
    kri_mutex_unlock(&watchers_lock);
    return w;
}

int kri_sentry_post(kri_sentry *watch)
{
    if (kri_load_sc(watch->word) != watch->expected)
        return -EAGAIN;
    watcher *w = with_room();
    if (w == NULL)
        return -ENOMEM;
    watch->watcher = w;
    watch->over = false;
    watch->previous = NULL;
    watch->next = w->first;
    if (w->first != NULL)
        w->first->previous = watch;
    w->first = watch;
    w->count++;
    kri_mutex_unlock(&w->lock);
    say_changed(w);
    return 0;
}

bool kri_sentry_relieve(kri_sentry *watch)
{
    watcher *w = watch->watcher;
    kri_mutex_lock(&w->lock); /* [sentry-1] */
    bool over = watch->over;
    if (!over)
        unlink_watch(w, watch);
    kri_mutex_unlock(&w->lock);
    if (!over)
        say_changed(w);
    return over;
}
