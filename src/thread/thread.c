/* Threads: start, end, join.
 *
 * State.  A thread's state only grows:
 *
 *     STARTING -> ALIVE -> ENDED -> REAPING -> GONE
 *     STARTING -> GONE           the system refused
 *     ALIVE -> GONE              main and foreign threads, and those that a fork left behind
 *
 * Fields.
 *     state       STARTING -> ALIVE by the starter, -> ENDED by the thread, the rest by a joiner;
 *                 -> GONE also by the exit handler and in a forked child
 *     references  anybody who holds one; the thread and the starter begin with one each
 *     native_id   the thread, once
 *     os          the starter, before ALIVE
 *     result      the thread, before ENDED
 *     next, previous, listed, name   whoever holds the registry's lock
 *
 * Protocol.
 *     Start.  The object is listed before there is a thread, so that exit cannot close between the
 *     two; enumerate passes over it while it is STARTING.  The starter has the thread's handle from
 *     the system only when the thread may already run, so the thread does nothing before it sees
 *     ALIVE: whoever has got hold of the object from there finds `os` set.  When the system
 *     refuses, the object is taken off the list and nobody has ever seen it.
 *
 *     End.  It happens in kri_thread_ending, which the system calls after the program's own
 *     thread-local destructors, so also for a thread that left by pthread_exit.  The thread leaves
 *     the list and becomes ENDED under the registry's lock: who holds that lock and finds it ALIVE
 *     may use its native_id, which the kernel has not yet given to another.
 *
 *     Join.  A joiner sleeps on `state` while it is ALIVE.  The end changes the word and then wakes
 *     all [thread-1]; the waiting point guarantees that a joiner on its way to sleep sees the one
 *     or gets the other, so the end is not missed.  The first joiner to move ENDED to REAPING
 *     waits for the system's thread, which has only its way out before it, and says GONE to the
 *     others: after a join nothing is left of the thread.
 *
 *     Release.  The thread's own reference outlives all its touches of the object.  So the last
 *     reference goes only after the end: by the thread itself, or later by anybody.  Then nobody
 *     can join any more, and the system's thread is detached.
 *
 *     Fork.  In the child the registry's lock is free and its list whole, because the forking
 *     thread held the lock across the fork.  All listed threads but the forking one become GONE.
 *     One that had ENDED is not listed; its `generation` shows that the system's thread is not
 *     here.
 *
 * Ordering.
 *     [thread-1] the change of state is sequentially consistent, as kri_wake asks, and releases the
 *                result; every look at the state acquires
 *     [thread-2] dropping a reference releases, dropping the last acquires: all uses come before
 *                the free.  Who retains has a reference already, so the count rises relaxed
 *
 * Why not leave the counting of joiners to pthread_join?  It allows one joiner, knows no time-out,
 * no cancel and no coroutines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/options.h"
#include "base/result.h"
#include "thread/thread.h"
#include "trace/trace.h"
#include "base/atomic.h"
#include "wait/stall.h"
#include <string.h>

static enum kri_thread_state state_of(const kr_thread *t)
{
    return (enum kri_thread_state)kri_load_acq(&t->state); /* [thread-1] */
}

void kri_thread_change(kr_thread *t, enum kri_thread_state state)
{
    kri_store_sc(&t->state, state); /* [thread-1] */
    kri_wake(&t->state, KRI_ALL, 0);
}

/* Of this process, and not the copy of a thread of its parent. */
static bool is_here(const kr_thread *t)
{
    return t->generation == kri_fork_generation();
}

/* Handles. */

kr_thread *kr_thread_retain(kr_thread *t)
{
    if (t != NULL)
        kri_add_rlx(&t->references, 1); /* [thread-2] */
    return t;
}

void kr_thread_release(kr_thread *t)
{
    if (t == NULL || kri_sub_acq_rel(&t->references, 1) != 1) /* [thread-2] */
        return;
    if (t->started && state_of(t) == KRI_ENDED && is_here(t))
        os_thread_detach(t->os);
    os_free(t);
}

void kr_thread_auto(kr_thread **t)
{
    kr_thread_release(*t);
}

/* The thread's own part. */

static void announce(kr_thread *t)
{
    pid_t id = os_thread_id();
    kri_mutex_lock(&kri_threads.lock);
    os_thread_set_name(id, t->name);
    kri_store_sc(&t->native_id, (uint32_t)id);
    kri_mutex_unlock(&kri_threads.lock);
    kri_wake(&t->native_id, KRI_ALL, 0);
}

static void trace_begin(const kr_thread *t)
{
    KRI_PROBE(thread__begin, t, 0);
    if (!kri_trace_is_on())
        return;
    kri_trace_name_thread(t->name);
    kri_trace_note(kri_trace_what(KR_TRACE_THREAD, KRI_TRACE_BEGIN), (uintptr_t)t, 0, t->name);
}

static void run_thread(void *arg)
{
    kr_thread *t = arg;
    kri_stall_came();
    while (state_of(t) == KRI_STARTING)
        (void)kri_wait(&t->state, KRI_STARTING, KRI_NEVER, KRI_UNCANCELLABLE);
    kri_thread_set_self(t);
    os_at_thread_end(kri_thread_ending);
    announce(t);
    trace_begin(t);
    int result = t->run(t->arg);
    KRI_TRACE_ENDS(thread__end, THREAD, (uintptr_t)t, result);
    t->result = result;
    if (!kri_is_orderly_end(result))
        kri_thread_failed(t, result);
    if (t == kri_threads.main) /* of a forked child, so this is the return of its main */
        os_exit(result < 0);
    kri_locals_end(kri_party_self());
}

static void end(kr_thread *t)
{
    kri_mutex_lock(&kri_threads.lock);
    kri_thread_unlist(t);
    if (kr_thread_alive(t)) /* at exit main counts as ended before */
        kri_store_sc(&t->state, t->started ? KRI_ENDED : KRI_GONE); /* [thread-1] */
    kri_mutex_unlock(&kri_threads.lock);
    kri_wake(&t->state, KRI_ALL, 0);
    kri_thread_set_self(NULL);
    if (t->started || t != kri_threads.main)
        kr_thread_release(t);
}

/* Locals first: their destructors may make the thread known, or give it a bell. */
void kri_thread_ending(void)
{
    kri_locals_end(kri_party_self());
    kri_vars_end(kri_party_self());
    kr_thread *t = kri_thread_self();
    if (t != NULL)
        end(t);
    kri_party_end();
    kri_stall_gone();
}

/* Start. */

static int check_options(const kr_thread_options *o)
{
    if (!kri_reserved_is_clear(o->reserved))
        return -EINVAL;
    if (o->daemon < KR_DAEMON_NO || o->daemon > KR_DAEMON_YES)
        return -EINVAL;
    if (o->stack_size != 0 && o->stack_size < os_thread_stack_minimum())
        return -EINVAL;
    return 0;
}

static bool is_daemon(const kr_thread_options *o)
{
    kr_thread *self = kri_thread_self();
    if (o->daemon != KR_DAEMON_INHERIT)
        return o->daemon == KR_DAEMON_YES;
    return self != NULL && self->started && self->daemon;
}

static kr_thread *create(kr_run_fn run, const void *arg, size_t arg_size,
                         const kr_thread_options *o)
{
    if (arg_size > SIZE_MAX / 2)
        return NULL;
    kr_thread *t = os_alloc(sizeof *t + arg_size);
    if (t == NULL)
        return NULL;
    kri_store_rlx(&t->references, 2);
    t->generation = kri_fork_generation();
    t->ident = kri_party_new_id();
    t->started = true;
    t->daemon = is_daemon(o);
    t->result = -ECANCELED; /* stays for one that leaves by pthread_exit */
    t->run = run;
    t->arg = arg_size > 0 ? memcpy(t->copy, arg, arg_size) : (void *)(uintptr_t)arg;
    kri_thread_rename(t->name, o->name);
    return t;
}

static int enter_registry(kr_thread *t)
{
    int err = 0;
    kri_mutex_lock(&kri_threads.lock);
    if (kri_threads.phase == KRI_CLOSED)
        err = KR_ESHUTDOWN;
    else
        kri_thread_list(t);
    kri_mutex_unlock(&kri_threads.lock);
    return err;
}

static int start_system_thread(kr_thread *t, const kr_thread_options *o)
{
    os_thread_options options = {.stack_size = o->stack_size};
    if (o->affinity != NULL) {
        options.cpus = o->affinity->words;
        options.cpu_words = KR_CPU_MAX / 64;
    }
    int err = enter_registry(t);
    if (err < 0)
        return err;
    kri_stall_may_act(1);
    KRI_TRACE_HAPPENS(thread__start, START, (uintptr_t)t, 0);
    err = os_thread_start(&t->os, run_thread, t, false, &options);
    if (err == 0) {
        kri_thread_change(t, KRI_ALIVE);
        return 0;
    }
    kri_stall_may_act(-1);
    kri_mutex_lock(&kri_threads.lock);
    kri_thread_unlist(t);
    kri_mutex_unlock(&kri_threads.lock);
    kri_thread_change(t, KRI_GONE);
    return err;
}

int kr_thread_start(kr_thread **t, kr_run_fn run, const void *arg, size_t arg_size,
                    const kr_thread_options *options)
{
    static const kr_thread_options defaults;
    if (t != NULL)
        *t = NULL;
    if (options == NULL)
        options = &defaults;
    int err = run != NULL ? check_options(options) : -EINVAL;
    if (err == 0)
        err = kri_threads_begin();
    if (err < 0)
        return err;
    kr_thread *made = create(run, arg, arg_size, options);
    if (made == NULL)
        return -ENOMEM;
    err = start_system_thread(made, options);
    if (err < 0)
        kr_thread_release(made); /* the one that would have been the thread's */
    if (err == 0 && t != NULL)
        *t = made;
    else
        kr_thread_release(made);
    return err;
}

/* Join. */

/* The reaper waits for instructions, not for the program, so the others wait without a limit. */
static void reap(kr_thread *t)
{
    uint32_t seen = KRI_ENDED;
    if (kri_cas_acq(&t->state, &seen, KRI_REAPING)) {
        if (is_here(t))
            os_thread_join(t->os);
        kri_thread_change(t, KRI_GONE);
        return;
    }
    while (state_of(t) == KRI_REAPING && is_here(t))
        (void)kri_wait(&t->state, KRI_REAPING, KRI_NEVER, KRI_UNCANCELLABLE);
}

int kri_thread_await(kr_thread *t, kr_time deadline, unsigned flags)
{
    for (;;) {
        enum kri_thread_state state = state_of(t);
        if (state >= KRI_ENDED)
            break;
        int err = kri_wait_for(&t->state, state, deadline, flags, kri_thread_describe_state);
        if (err < 0 && err != -EAGAIN && state_of(t) < KRI_ENDED)
            return err;
    }
    reap(t);
    return 0;
}

static bool closed(void)
{
    kri_mutex_lock(&kri_threads.lock);
    bool is = kri_threads.phase == KRI_CLOSED;
    kri_mutex_unlock(&kri_threads.lock);
    return is;
}

int kr_thread_join(kr_thread *t, int *result, kr_time timeout)
{
    if (t == NULL || timeout < 0 || (!t->started && t != kr_thread_main() && kr_thread_alive(t)))
        return -EINVAL;
    if (t == kri_thread_self() && kr_thread_alive(t))
        return -EDEADLK;
    if (kr_thread_alive(t) && closed())
        return KR_ESHUTDOWN;
    int err = kri_thread_await(t, kri_deadline(timeout), 0);
    if (err == 0 && result != NULL)
        *result = t->result;
    return err;
}

bool kr_thread_alive(const kr_thread *t)
{
    return state_of(t) < KRI_ENDED;
}
