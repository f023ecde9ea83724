/* Threads for calls that cannot be made without blocking.
 *
 * State.  A call is QUEUED, then RUNNING in a worker, then DONE.  It may be withdrawn while it is
 * queued; one that has a `drop` may be left while it runs, and is then dropped by its worker.
 * A pool has no thread at first.  One is started for a call that finds fewer idle ones than there
 * are calls queued, up to MOST, and leaves when it has been idle for IDLE_SEC.
 *
 * Fields.
 *     pool.lock         guards the rest of the pool but `calls`, and `next` and `left` of a call
 *     pool.calls        atomic: how often a call came, or all were told to leave
 *     call.state        atomic: changed by the worker, under the lock but for DONE
 *     worker.os         const before `over` is set; set under the lock
 *     worker.busy       the lock
 *
 * Protocol.  Whoever queues a call counts it in `calls` under the lock and wakes one sleeper.  An
 * idle worker reads `calls` under the lock, having found no call, and sleeps while it is the same.
 * Whoever waits sleeps on the call's state; the worker changes it to DONE as its last touch of the
 * call, then wakes by the address alone.
 *
 *     Exit.  Workers are told to leave, and joined; but those in a call are not waited for: it may
 *     be one that never ends.  So nobody takes what is queued any more; whoever waits for that is a
 *     thread that the exit has not waited for either.  Calls that come later are made in place.
 *
 *     Fork.  The child has none of the threads; it begins with empty pools.
 *
 * Ordering.
 *     [offload-1] what the call has written is there for whoever sees DONE: swapped with sequential
 *                 consistency, which kri_wake asks for, and loaded with acquire
 *
 * Why not a pool of src/executor?  It would count among the program's pools, in its reports and at
 * its exit, and a task there must not be left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/offload.h"
#include "base/global.h"
#include "thread/thread.h"
#include "wait/stall.h"

enum { QUEUED, RUNNING, DONE };
enum { MOST = 16, IDLE_SEC = 10 };

typedef struct worker {
    struct worker *next;
    struct pool *pool;
    os_thread os;
    bool busy;
    bool over;
} worker;

typedef struct pool {
    kri_mutex lock;
    kr_word calls;
    kri_offloaded *first;
    kri_offloaded *last;
    unsigned queued;
    unsigned idle;
    unsigned threads;
    worker *workers; /* those that are over are joined by whoever comes next */
    bool ended;
} pool;

static pool io_pools[KRI_OFFLOAD_POOLS] KRI_GLOBAL;
static kr_word io_watched KRI_GLOBAL; /* atomic: 1: forks and exit are */

/* The queue, with the lock. */

static void append(pool *p, kri_offloaded *call)
{
    call->next = NULL;
    if (p->first == NULL)
        p->first = call;
    else
        p->last->next = call;
    p->last = call;
    p->queued++;
}

static kri_offloaded *take(pool *p)
{
    kri_offloaded *call = p->first;
    if (call == NULL)
        return NULL;
    p->first = call->next;
    p->queued--;
    kri_store_rlx(&call->state, RUNNING);
    return call;
}

static void withdraw(pool *p, kri_offloaded *call)
{
    kri_offloaded *before = NULL;
    for (kri_offloaded *at = p->first; at != call; at = at->next)
        before = at;
    if (before == NULL)
        p->first = call->next;
    else
        before->next = call->next;
    if (p->last == call)
        p->last = before;
    p->queued--;
}

/* Workers */

/* With the lock, which is given up meanwhile. */
static void perform(worker *w, kri_offloaded *call)
{
    pool *p = w->pool;
    w->busy = true;
    kri_mutex_unlock(&p->lock);
    call->run(call);
    kri_mutex_lock(&p->lock);
    w->busy = false;
    if (call->left) {
        kri_mutex_unlock(&p->lock);
        call->drop(call);
        kri_mutex_lock(&p->lock);
        return;
    }
    kr_word *state = &call->state;
    kri_swap_sc(state, DONE); /* [offload-1] */
    kri_wake(state, KRI_ALL, 0);
}

/* With the lock, which is given up meanwhile; false: nothing came for long. */
static bool await_call(pool *p)
{
    uint32_t seen = kri_load_rlx(&p->calls);
    p->idle++;
    kri_mutex_unlock(&p->lock);
    int err = kri_wait(&p->calls, seen, kri_deadline(kr_sec(IDLE_SEC)),
                       KRI_UNCANCELLABLE | KRI_IDLE | KRI_NO_SPIN);
    kri_mutex_lock(&p->lock);
    p->idle--;
    return err != -ETIMEDOUT || p->first != NULL;
}

static void run_worker(void *arg)
{
    worker *w = arg;
    pool *p = w->pool;
    os_thread_set_name(os_thread_id(), "krait-io");
    kri_stall_serve();
    kri_mutex_lock(&p->lock);
    bool stay = true;
    while (stay) {
        kri_offloaded *call = p->ended ? NULL : take(p);
        if (call != NULL)
            perform(w, call);
        else
            stay = !p->ended && await_call(p);
    }
    p->threads--;
    w->over = true;
    kri_mutex_unlock(&p->lock);
}

/* With the lock: those that are over, or all that are not in a call, as a list of their own. */
static worker *take_workers(pool *p, bool idle_too)
{
    worker *taken = NULL;
    for (worker **at = &p->workers; *at != NULL;) {
        worker *w = *at;
        if (w->over || (idle_too && !w->busy)) {
            *at = w->next;
            w->next = taken;
            taken = w;
        } else {
            at = &w->next;
        }
    }
    return taken;
}

static void join_workers(worker *w)
{
    while (w != NULL) {
        worker *next = w->next;
        os_thread_join(w->os);
        os_free(w);
        w = next;
    }
}

/* With the lock. */
static int start_worker(pool *p)
{
    worker *w = os_alloc(sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    w->pool = p;
    int err = os_thread_start(&w->os, run_worker, w, true, NULL);
    if (err < 0) {
        os_free(w);
        return err;
    }
    w->next = p->workers;
    p->workers = w;
    p->threads++;
    return 0;
}

/* The ends */

static void end_at_exit(void)
{
    for (pool *p = io_pools; p < io_pools + KRI_OFFLOAD_POOLS; p++) {
        kri_mutex_lock(&p->lock);
        p->ended = true;
        worker *idle = take_workers(p, true);
        kri_add_sc(&p->calls, 1);
        kri_mutex_unlock(&p->lock);
        kri_wake(&p->calls, KRI_ALL, 0);
        join_workers(idle);
    }
}

static void forget_in_child(void)
{
    for (pool *p = io_pools; p < io_pools + KRI_OFFLOAD_POOLS; p++)
        *p = (pool){.ended = false};
}

static void watch(void)
{
    if (kri_load_acq(&io_watched) != 0)
        return;
    if (kri_threads_begin() == 0 && kri_at_fork_child(forget_in_child) == 0 &&
        kri_at_last(end_at_exit) == 0)
        kri_store_rel(&io_watched, 1);
}

/* Callers */

/* false: there is nobody to do it. */
static bool hand_over(pool *p, kri_offloaded *call)
{
    watch();
    kri_mutex_lock(&p->lock);
    worker *over = take_workers(p, false);
    bool taken = !p->ended;
    if (taken && p->queued + 1 > p->idle && p->threads < MOST)
        taken = start_worker(p) == 0 || p->threads > 0;
    if (taken) {
        append(p, call);
        kri_add_sc(&p->calls, 1);
    }
    kri_mutex_unlock(&p->lock);
    if (taken)
        kri_wake(&p->calls, 1, 0);
    join_workers(over);
    return taken;
}

static int await(kri_offloaded *call, kr_time deadline, unsigned flags)
{
    int err = 0;
    for (;;) {
        uint32_t state = kri_load_acq(&call->state); /* [offload-1] */
        if (state == DONE)
            return 0;
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        err = kri_wait(&call->state, state, deadline, flags | KRI_IDLE);
    }
}

/* Its wait has ended early: what becomes of the call? */
static int leave(pool *p, kri_offloaded *call, int error)
{
    kri_mutex_lock(&p->lock);
    uint32_t state = kri_load_acq(&call->state); /* [offload-1] */
    if (state == QUEUED)
        withdraw(p, call);
    else if (state == RUNNING)
        call->left = call->drop != NULL;
    bool runs = state == RUNNING && call->drop == NULL;
    kri_mutex_unlock(&p->lock);
    if (state == QUEUED && call->drop != NULL)
        call->drop(call);
    if (runs)
        return await(call, KRI_NEVER, KRI_UNCANCELLABLE);
    return state == DONE ? 0 : error;
}

int kri_offload(enum kri_offload_pool which, kri_offloaded *call, kr_time deadline)
{
    pool *p = &io_pools[which];
    kri_store_rlx(&call->state, QUEUED);
    call->left = false;
    if (!hand_over(p, call)) {
        call->run(call);
        return 0;
    }
    int err = await(call, deadline, 0);
    return err == 0 ? 0 : leave(p, call, err);
}
