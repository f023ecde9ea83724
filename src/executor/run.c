/* Running a task: its frame, its cancel scope, and helping.
 *
 * State.  Each thread that runs tasks has a chain of frames on its stack, innermost first: one for
 * the worker itself, one for each task, since a task that waits may run another below it.
 *
 * Protocol.
 *     A task that waits for a future that is still queued takes it out of the queue and runs it
 *     itself; nothing else is ever run while waiting.  So workers that all wait for queued tasks
 *     come on, and a task never runs below one that it has nothing to do with, whose locks it might
 *     want.  The helped task is a party of its own: it owns nothing of the waiter's and stands in
 *     no scope of the waiter's; its values of kr_local end with it.
 *     Only a task helps, only when it waits without a time limit, for a helped task takes as long
 *     as it takes, and only while there is stack left: beyond that it waits.
 *     Waiting for a future that is a frame of the same thread would never end: -EDEADLK.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"

#include "base/global.h"
#include "os/os.h"
#include "thread/local.h"

KRI_THREAD_LOCAL(kri_frame *, innermost_frame)

kri_frame *kri_frame_innermost(void)
{
    return *innermost_frame();
}

bool kri_frame_in_executor(const kr_executor *executor)
{
    for (const kri_frame *frame = *innermost_frame(); frame; frame = frame->outer)
        if (frame->executor == executor)
            return true;
    return false;
}

bool kri_frame_in_future(const kr_future *f)
{
    for (const kri_frame *frame = *innermost_frame(); frame; frame = frame->outer)
        if (frame->future == f)
            return true;
    return false;
}

void kri_frame_enter(kri_frame *frame, kr_executor *executor, kr_future *f)
{
    frame->outer = *innermost_frame();
    frame->executor = executor;
    frame->future = f;
    if (frame->outer) {
        frame->bottom = frame->outer->bottom;
        frame->room = frame->outer->room;
    }
    *innermost_frame() = frame;
}

void kri_frame_leave(const kri_frame *frame)
{
    *innermost_frame() = frame->outer;
}

/* The scope's memory stays until after the future's end: until then it may be cancelled. */
void kri_run(kr_future *f, kr_executor *executor, kr_word *finishing, bool *counted)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope scope;
    kri_scope_begin(self, &scope);
    if (kri_future_begin(f, &scope)) {
        kri_frame frame;
        kri_frame_enter(&frame, executor, f);
        int error = f->fn(f->arg, f->result);
        kri_scope_end(self, &scope);
        if (!kri_future_is_forked(f))
            kri_future_end(f, error < 0 ? error : 0, f->forgotten ? NULL : finishing, counted);
        kri_frame_leave(&frame);
    } else {
        kri_scope_end(self, &scope);
    }
    kr_future_release(f);
}

void kri_run_as_party(void (*run)(void *arg), void *arg, kr_cancel_scope *scope)
{
    kri_party party = {.scope = scope};
    kri_party *previous = kri_party_enter(&party);
    party.ops = previous->ops;
    party.runner = previous->runner;
    run(arg);
    if (party.locals)
        kri_locals_end(&party);
    kri_party_leave(previous);
    if (party.bell)
        os_close(party.bell - 1);
}

/* The stack grows downwards wherever krait runs. */
static bool has_room(const kri_frame *frame)
{
    const char *here = __builtin_frame_address(0);
    return (size_t)(frame->bottom - here) < frame->room;
}

struct help {
    kr_future *future;
    kr_executor *executor;
};

static void run_helped(void *arg)
{
    const struct help *help = arg;
    bool counted = false;
    kri_run(help->future, help->executor, NULL, &counted);
}

/* The executor that f was taken from, which stays until its `ran`; NULL: it is not queued. */
static kr_executor *take(kr_future *f)
{
    kri_mutex_lock(&f->mutex);
    kr_executor *executor = f->executor;
    bool pending = (kri_load_rlx(&f->state) & KRI_STATE) == KRI_PENDING;
    if (!pending || !executor || !executor->ops->take(executor, f, true)) /* [future-2] */
        executor = NULL;
    kri_mutex_unlock(&f->mutex);
    return executor;
}

bool kri_help(kr_future *f, kr_cancel_scope *scope)
{
    const kri_frame *frame = *innermost_frame();
    if (!frame || !has_room(frame))
        return false;
    struct help help = {f, take(f)};
    if (!help.executor)
        return false;
    kri_run_as_party(run_helped, &help, scope);
    if (help.executor->generation == kri_fork_generation())
        help.executor->ops->ran(help.executor);
    return true;
}
