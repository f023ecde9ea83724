/* Exit: the callbacks, then waiting for all threads that are no daemons.
 *
 * State.  RUNNING -> EXITING when the handler begins, -> CLOSED when there is no thread left to
 * wait for, in one step with finding that under the registry's lock.  Until then threads may start
 * others; they are waited for too.
 *
 * Nothing is taken down: daemons, and what the program still does at exit, find krait as it was.
 *
 * Fork.  A child that another thread forks while this process exits is not exiting: it is RUNNING,
 * and asks the system again to be called, which has crossed the handler off already.  The child of
 * the thread that exits goes on with the exit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "status/status.h"
#include "thread/thread.h"

typedef struct callback {
    struct callback *next;
    void (*fn)(void *arg);
    void *arg;
} callback;

static callback *callbacks KRI_GLOBAL; /* guarded by the registry's lock; the newest first */

int kr_at_exit(void (*fn)(void *arg), void *arg)
{
    int err = fn != NULL ? kri_threads_begin() : -EINVAL;
    callback *c = err == 0 ? os_alloc(sizeof *c) : NULL;
    if (c == NULL)
        return err < 0 ? err : -ENOMEM;
    c->fn = fn;
    c->arg = arg;
    kri_mutex_lock(&kri_threads.lock);
    bool in_time = kri_threads.phase == KRI_RUNNING;
    if (in_time) {
        c->next = callbacks;
        callbacks = c;
    }
    kri_mutex_unlock(&kri_threads.lock);
    if (!in_time)
        os_free(c);
    return in_time ? 0 : KR_ESHUTDOWN;
}

static callback *next_callback(void)
{
    kri_mutex_lock(&kri_threads.lock);
    callback *c = callbacks;
    if (c != NULL)
        callbacks = c->next;
    kri_mutex_unlock(&kri_threads.lock);
    return c;
}

/* Those above who have something to end after the threads. */
enum { LASTS = 4 };
static void (*lasts[LASTS])(void) KRI_GLOBAL; /* guarded by the registry's lock */

int kri_at_last(void (*fn)(void))
{
    int err = -ENOMEM;
    kri_mutex_lock(&kri_threads.lock);
    for (int i = 0; err < 0 && i < LASTS; i++) {
        if (lasts[i] == NULL || lasts[i] == fn) {
            lasts[i] = fn;
            err = 0;
        }
    }
    kri_mutex_unlock(&kri_threads.lock);
    return err;
}

static void call_lasts(void)
{
    for (int i = 0; i < LASTS; i++) {
        kri_mutex_lock(&kri_threads.lock);
        void (*last)(void) = lasts[i];
        kri_mutex_unlock(&kri_threads.lock);
        if (last != NULL)
            last();
    }
}

KRI_THREAD_LOCAL(bool, own_exit) /* the calling thread is in the handler */

/* Without memory for the handler the next kri_threads_begin tries again. */
bool kri_exit_forked(void)
{
    if (*own_exit() || kri_threads.phase == KRI_RUNNING)
        return *own_exit();
    kri_threads.phase = KRI_RUNNING;
    kri_threads.begun = os_at_exit(kri_threads_exit) == 0;
    return false;
}

/* What was registered before is the parent's to call. */
void kri_exit_anew(void)
{
    kri_mutex_lock(&kri_threads.lock);
    callback *c = callbacks;
    callbacks = NULL;
    kri_threads.phase = KRI_RUNNING;
    kri_mutex_unlock(&kri_threads.lock);
    *own_exit() = false;
    while (c != NULL) {
        callback *next = c->next;
        os_free(c);
        c = next;
    }
}

static void run_callbacks(void)
{
    for (callback *c = next_callback(); c != NULL; c = next_callback()) {
        c->fn(c->arg);
        os_free(c);
    }
}

/* A thread to wait for, with a reference; NULL: there is none, and none can start any more. */
static kr_thread *next_thread(const kr_thread *self)
{
    kri_mutex_lock(&kri_threads.lock);
    kr_thread *t = kri_threads.first;
    while (t != NULL && (t->daemon || !t->started || t == self || t == kri_threads.main))
        t = t->next;
    if (t == NULL)
        kri_threads.phase = KRI_CLOSED;
    else
        kr_thread_retain(t);
    kri_mutex_unlock(&kri_threads.lock);
    return t;
}

/* A fork server's child may have done nothing that there would be something to end of. */
static bool begin(void)
{
    kri_mutex_lock(&kri_threads.lock);
    bool first = kri_threads.main != NULL && kri_threads.phase == KRI_RUNNING;
    if (first)
        kri_threads.phase = KRI_EXITING;
    kri_mutex_unlock(&kri_threads.lock);
    return first;
}

static void count_as_ended(kr_thread *t)
{
    kri_mutex_lock(&kri_threads.lock);
    if (kr_thread_alive(t)) {
        if (!t->started || t == kri_threads.main)
            t->result = 0;
        kri_store_sc(&t->state, KRI_GONE);
    }
    kri_mutex_unlock(&kri_threads.lock);
    kri_wake(&t->state, KRI_ALL, 0);
}

/* The thread that exits, and main, count as ended from here on, so that those who are waited for
 * may join them. */
void kri_threads_exit(void)
{
    if (!begin())
        return;
    *own_exit() = true;
    kr_thread *self = kri_thread_self();
    if (self == NULL && os_thread_id() == os_process_id())
        self = kri_threads.main;
    if (self != NULL)
        count_as_ended(self);
    count_as_ended(kri_threads.main);
    run_callbacks();
    for (kr_thread *t = next_thread(self); t != NULL; t = next_thread(self)) {
        (void)kri_thread_await(t, KRI_NEVER, KRI_UNCANCELLABLE);
        kr_thread_release(t);
    }
    kri_signals_end();
    call_lasts();
    kri_status_end();
}
