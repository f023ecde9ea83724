/* Who is there: the list of threads, the calling one, main, and what a fork leaves of them.
 *
 * Fields.  All of kri_threads is guarded by its lock; `main` is also read without it, by those who
 * have been through kri_threads_begin, and changes only in a forked child, before anybody reads.
 *
 * A thread that krait did not start becomes known when it first asks who it is.  It is on the list
 * until kri_thread_ending, which it has asked the system to call.  Main needs no memory and never
 * leaves.
 *
 * Why not hang the thread off kri_party?  A coroutine has a party of its own, but is carried by a
 * thread, and that is what kr_thread_current tells.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "status/status.h"
#include "thread/thread.h"
#include "wait/stall.h"
#include <stdio.h>
#include <string.h>

kri_registry kri_threads KRI_GLOBAL;
static kr_thread first_main KRI_GLOBAL;
static kr_thread nameless KRI_GLOBAL; /* stands for foreign threads when memory is short */

KRI_THREAD_LOCAL(kr_thread *, current_thread)

kr_thread *kri_thread_self(void)
{
    return *current_thread();
}

void kri_thread_set_self(kr_thread *t)
{
    *current_thread() = t;
}

void kri_thread_list(kr_thread *t)
{
    t->previous = kri_threads.last;
    t->next = NULL;
    if (t->previous != NULL)
        t->previous->next = t;
    else
        kri_threads.first = t;
    kri_threads.last = t;
    t->listed = true;
}

void kri_thread_unlist(kr_thread *t)
{
    if (!t->listed)
        return;
    *(t->previous != NULL ? &t->previous->next : &kri_threads.first) = t->next;
    *(t->next != NULL ? &t->next->previous : &kri_threads.last) = t->previous;
    t->listed = false;
}

/* Fork. */

static bool calling_is_main(void)
{
    return os_thread_id() == os_process_id();
}

/* The locks are taken in the order registry, locals, signals. */
static void before_fork(void)
{
    kri_mutex_lock(&kri_threads.lock);
    kri_locals_lock();
    kri_signals_lock();
    if (kri_thread_self() == NULL && calling_is_main())
        kri_thread_set_self(kri_threads.main);
}

static void in_parent(void)
{
    kri_signals_unlock();
    kri_locals_unlock();
    kri_mutex_unlock(&kri_threads.lock);
}

/* With no memory the object of the parent's main thread is the next best, though somebody may hold
 * it and find that it has become another. */
static kr_thread *make_main(void)
{
    kr_thread *t = os_alloc(sizeof *t);
    if (t == NULL)
        t = &first_main;
    kri_store_rlx(&t->references, 1);
    kri_store_rlx(&t->state, KRI_ALIVE);
    t->ident = kri_party_new_id();
    return t;
}

static void become_main(kr_thread *t)
{
    if (t == NULL)
        t = make_main();
    if (t->started) {
        kr_thread_retain(t); /* main is never freed, also when its function returns here */
    } else {
        t->daemon = false;
        strcpy(t->name, "MainThread");
    }
    t->generation = kri_fork_generation();
    kri_store_rlx(&t->native_id, (uint32_t)os_thread_id());
    kri_store_rlx(&t->state, KRI_ALIVE);
    kri_threads.main = t;
    kri_thread_set_self(t);
    kri_thread_list(t);
}

static void leave_behind(kr_thread *t)
{
    t->listed = false;
    t->result = KR_EFORKED;
    kri_store_rlx(&t->state, KRI_GONE);
    if (t != &first_main)
        kr_thread_release(t);
}

/* Nobody else is here, and the waiting point is already as new. */
static void in_child(void)
{
    if (kri_threads.main == NULL) { /* nobody has begun */
        in_parent();
        return;
    }
    kr_thread *self = kri_thread_self();
    kr_thread *t = kri_threads.first;
    kri_threads.first = kri_threads.last = NULL;
    while (t != NULL) {
        kr_thread *next = t->next;
        if (t != self)
            leave_behind(t);
        t = next;
    }
    become_main(self != &nameless ? self : NULL);
    kri_signals_forked(kri_exit_forked());
    in_parent();
}

/* Begin. */

static void introduce_main(void)
{
    if (kri_threads.main != NULL)
        return;
    kr_thread *t = &first_main;
    kri_store_rlx(&t->references, 1);
    kri_store_rlx(&t->native_id, (uint32_t)os_process_id());
    t->generation = kri_fork_generation();
    t->ident = kri_party_new_id();
    strcpy(t->name, "MainThread");
    kri_store_rel(&t->state, KRI_ALIVE);
    kri_threads.main = t;
    kri_thread_list(t);
    kri_stall_name_with(kri_thread_describe_name);
}

/* The waiting point watches forks since kri_fork_generation was called, so it is put right first.
 * Whoever comes after a failure tries again; the locks must be taken once a fork all the same. */
int kri_threads_watch_forks(void)
{
    int err = kri_at_fork_child(in_child);
    if (err == 0 && !kri_threads.forks_watched) {
        err = os_at_fork(before_fork, in_parent, NULL);
        kri_threads.forks_watched = err == 0;
    }
    return err;
}

#ifndef KRI_MODEL
/* As the library is loaded: while a first thread has this done with the lock held, another one
 * might fork, and its child would not be told, but find the lock held. */
__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_threads_watch_forks();
}
#endif

static int watch(void)
{
    int err = kri_threads_watch_forks();
    if (err == 0)
        err = os_at_exit(kri_threads_exit);
    if (err == 0)
        kri_status_end_with_threads();
    return err;
}

int kri_threads_begin(void)
{
    int err = 0;
    kri_mutex_lock(&kri_threads.lock);
    introduce_main();
    if (!kri_threads.begun) {
        err = watch();
        kri_threads.begun = err == 0;
    }
    kri_mutex_unlock(&kri_threads.lock);
    kri_status_begin();
    return err;
}

/* Who am I? */

static kr_thread *share_nameless(void)
{
    kri_mutex_lock(&kri_threads.lock);
    if (nameless.ident == 0) {
        nameless.ident = kri_party_new_id();
        nameless.daemon = true;
        strcpy(nameless.name, "Dummy");
        kri_store_rlx(&nameless.references, 1);
        kri_store_rel(&nameless.state, KRI_ALIVE);
    }
    kri_mutex_unlock(&kri_threads.lock);
    return &nameless;
}

static kr_thread *introduce_foreign(void)
{
    kr_thread *t = os_alloc(sizeof *t);
    if (t == NULL)
        return share_nameless();
    kri_store_rlx(&t->references, 1);
    kri_store_rlx(&t->native_id, (uint32_t)os_thread_id());
    t->generation = kri_fork_generation();
    t->ident = kri_party_new_id();
    t->daemon = true;
    kri_store_rel(&t->state, KRI_ALIVE);
    kri_mutex_lock(&kri_threads.lock);
    snprintf(t->name, sizeof t->name, "Dummy-%llu", (unsigned long long)++kri_threads.dummies);
    kri_thread_list(t);
    kri_mutex_unlock(&kri_threads.lock);
    os_at_thread_end(kri_thread_ending);
    (void)kri_party_self(); /* who may wake others */
    return t;
}

static kr_thread *introduce(void)
{
    (void)kri_threads_begin();
    kr_thread *t = calling_is_main() ? kri_threads.main : introduce_foreign();
    if (t != &nameless)
        kri_thread_set_self(t);
    return t;
}

kr_thread *kr_thread_current(void)
{
    kr_thread *t = kri_thread_self();
    return t != NULL ? t : introduce();
}

kr_thread *kr_thread_main(void)
{
    (void)kri_threads_begin();
    return kri_threads.main;
}

/* Who is there? */

int kr_thread_enumerate(kr_thread **threads, int max)
{
    int count = 0;
    (void)kri_threads_begin();
    kri_mutex_lock(&kri_threads.lock);
    for (kr_thread *t = kri_threads.first; t != NULL; t = t->next) {
        if (kri_load_acq(&t->state) == KRI_STARTING)
            continue;
        if (count < max)
            threads[count] = kr_thread_retain(t);
        count++;
    }
    kri_mutex_unlock(&kri_threads.lock);
    return count;
}

int kr_thread_active_count(void)
{
    return kr_thread_enumerate(NULL, 0);
}
