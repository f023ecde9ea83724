/* Running a task: its frame, its cancel scope, and helping.
 *
 * State.  Each thread that runs tasks has a chain of frames on its stack, innermost first: one for
 * the worker itself, one for each task that was helped, since a task that waits may run another
 * below it.
 *
 * Protocol.
 *     Who waits for a future that is still queued claims it and runs it himself; nothing else is
 *     ever run while waiting.  So workers that all wait for queued tasks come on, and a task never
 *     runs below one that it has nothing to do with, whose locks it might want.  The helped task is
 *     a party of its own: it owns nothing of the waiter's and stands in no scope of the waiter's;
 *     its values of kr_local end with it.
 *     Helping is for waits without a time limit, for a helped task takes as long as it takes, and
 *     while there is stack left: beyond that one waits, and a spare worker takes one's place.
 *     Waiting for a future that is a frame of the same thread would never end: -EDEADLK.  An
 *     initializer that waits for a task of its own pool gets the same answer: its worker must not
 *     run that task yet, and the spare that came instead would stand in the same initializer.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"

#include "base/global.h"
#include "executor/pool.h"
#include "os/os.h"
#include "thread/local.h"
#include "trace/trace.h"

KRI_SHARED_THREAD_LOCAL_HERE(kri_frame *, kri_frame_current)
KRI_THREAD_LOCAL(const char *, outside_limit)

/* NULL: none. */
static const kr_executor *initialized_here(void)
{
    const kri_frame *frame = *kri_frame_current();
    const kri_worker *worker = frame ? frame->worker : NULL;
    const kr_executor *executor = frame && !worker ? frame->executor : NULL;
    if (executor && executor->ops->initializes && executor->ops->initializes(executor))
        return executor;
    return worker && worker->initializes ? &worker->pool->executor : NULL;
}

bool kri_frame_initializes(const kr_executor *executor)
{
    return executor && initialized_here() == executor;
}

size_t kri_frame_may_hold_up(void)
{
    size_t frames = 0;
    if (initialized_here())
        return SIZE_MAX;
    for (const kri_frame *frame = *kri_frame_current(); frame; frame = frame->outer, frames++)
        if (frame->worker && frame->worker->initializes)
            return SIZE_MAX;
    return frames;
}

bool kri_frame_in_executor(const kr_executor *executor)
{
    for (const kri_frame *frame = *kri_frame_current(); frame; frame = frame->outer)
        if (frame->executor == executor)
            return true;
    return false;
}

bool kri_frame_holds_up(const kr_future *f)
{
    const kr_executor *initialized = initialized_here();
    if (initialized && f->executor == initialized)
        return true;
    for (const kri_frame *frame = *kri_frame_current(); frame; frame = frame->outer)
        if (frame->future == f)
            return true;
    return false;
}

void kri_frames_disown(void)
{
    for (kri_frame *frame = *kri_frame_current(); frame; frame = frame->outer)
        frame->worker = NULL;
}

/* The scope's memory stays until after the future's end: until then it may be cancelled. */
bool kri_run(kr_future *f, kr_cancel_scope *scope)
{
    kri_party *self = kri_party_self();
    KRI_TRACE_BEGINS(task__begin, TASK, (uintptr_t)f, (uintptr_t)f->fn);
    int error = f->fn(f->arg, f->result);
    KRI_TRACE_ENDS(task__end, TASK, (uintptr_t)f, error);
    kri_scope_end(self, scope);
    if (kri_future_is_forked(f))
        return false;
    kri_pool_before_end(*kri_frame_current());
    kri_future_end(f, error < 0 ? error : 0);
    return true;
}

/* Its destructors run as the party itself. */
void kri_party_clean_up(kri_party *party)
{
    if (party->locals || party->vars) {
        kri_party *previous = kri_party_enter(party);
        kri_locals_end(party);
        kri_vars_end(party);
        kri_party_leave(previous);
    }
    if (party->bell)
        os_close(party->bell - 1);
}

/* Where helping ends on the stack of a thread that is no worker: with half of what is left. */
const char *kri_frame_limit_outside(void)
{
    const char **limit = outside_limit();
    if (!*limit)
        *limit = (const char *)__builtin_frame_address(0) - os_thread_stack_left() / 2;
    return *limit;
}

/* If this worker sleeps, nobody may come in its place. */
bool kri_frame_is_the_last(const kri_frame *frame)
{
    return frame->worker && kri_load_rlx(&frame->worker->pool->spent);
}

struct help {
    kr_future *future;
    kri_worker *worker;    /* of the future's executor; NULL: the helper is none */
    kr_executor *executor; /* of a future that ran outside, to be told; NULL: none */
    bool ran;
};

/* Claim f for a thread that is no worker of its executor's, which then stays until `ran`. */
static bool claim_outside(struct help *help, kr_cancel_scope *scope)
{
    kr_future *f = help->future;
    if (!f->outside_help)
        return false;
    kri_mutex_lock(&f->mutex);
    bool claimed = kri_future_claim(f, (uintptr_t)scope | KRI_CLAIM_OUTSIDE);
    if (claimed) {
        help->executor = f->executor;
        if (!f->executor->ops->claimed(f->executor, f, true)) /* [future-2] */
            kr_future_retain(f);
    }
    kri_mutex_unlock(&f->mutex);
    return claimed;
}

static bool claim(struct help *help, kr_cancel_scope *scope)
{
    if (help->worker)
        return kri_worker_claim(help->worker, help->future, scope);
    return claim_outside(help, scope);
}

static void run_claimed(struct help *help, kr_cancel_scope *scope)
{
    if (!kri_run(help->future, scope))
        help->executor = NULL;
    else if (help->worker)
        kri_worker_helped(help->worker);
}

static void run_helped(void *arg)
{
    struct help *help = arg;
    kri_frame *outer = *kri_frame_current();
    kri_party *self = kri_party_self();
    kri_worker *thread = outer ? outer->worker : NULL;
    kr_cancel_scope scope;
    kri_scope_begin(self, &scope);
    if (!claim(help, &scope)) {
        kri_scope_end(self, &scope);
        return;
    }
    kri_frame frame = {
        .outer = outer,
        .future = help->future,
        .executor = help->future->executor,
        .worker = thread,
        .limit = outer ? outer->limit : kri_frame_limit_outside(),
        .last = outer ? outer->last : kri_frame_limit_outside(),
    };
    uint64_t task = thread ? kri_worker_turn(thread, (uintptr_t)help->future->fn) : 0;
    *kri_frame_current() = &frame;
    help->ran = true;
    run_claimed(help, &scope);
    *kri_frame_current() = outer;
    if (thread)
        (void)kri_worker_turn(thread, task);
}

bool kri_help(kr_future *f, kr_cancel_scope *outer)
{
    const kri_frame *frame = *kri_frame_current();
    if (kri_party_shares_thread())
        return false;
    if (kri_future_is_claimed(f) || !f->executor || f->remote || !kri_frame_has_room(frame))
        return false;
    if (kri_frame_initializes(f->executor))
        return false;
    struct help help = {.future = f};
    if (frame && frame->worker && kri_worker_of(frame->worker, f))
        help.worker = frame->worker;
    kri_run_while_waiting(run_helped, &help, outer);
    if (help.executor)
        help.executor->ops->ran(help.executor);
    return help.ran;
}
