/* Getting a future's outcome, and giving it by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"
#include "executor/stall.h"

#include <string.h>

static bool is_over(uint32_t state)
{
    return (state & KRI_STATE) != KRI_PENDING;
}

int kri_future_await(kr_future *f, kr_time deadline, unsigned flags)
{
    for (;;) {
        uint32_t state = kri_load_acq(&f->state); /* [future-1] */
        if (is_over(state))
            return 0;
        int err = kri_wait_for(&f->state, state, deadline, flags, kri_future_describe);
        if (err != 0 && err != -EAGAIN)
            return kri_future_is_over(f) ? 0 : err;
    }
}

int kri_future_await_here(kr_future *f, kr_time deadline, unsigned flags)
{
    kri_frame *frame = kri_frame_innermost();
    *kri_streak() = 0;
    if (!f->remote && kri_wait_briefly(&f->state, is_over))
        return 0;
    kri_wait_begin(frame);
    int err = f->remote ? f->remote->ops->await(f, deadline, flags)
                        : kri_future_await(f, deadline, flags);
    kri_wait_end(frame);
    return err;
}

int kri_future_wait(kr_future *f, kr_time timeout)
{
    *kri_streak() = 0;
    if (timeout < 0)
        return -EINVAL;
    if (kri_future_is_over(f))
        return 0;
    if (timeout == KR_NOWAIT)
        return kr_future_done(f) ? 0 : -ETIMEDOUT;
    if (timeout == KR_FOREVER && !kr_cancelled() && kri_help(f, NULL))
        return kri_future_is_forked(f) ? KR_EFORKED : 0; /* the task may have forked */
    if (kri_frame_holds_up(f))
        return -EDEADLK;
    return kri_future_await_here(f, kri_deadline(timeout), 0);
}

/* What became of the call, once the future is done. */
static int outcome(kr_future *f, int *task_error)
{
    if (f->error)
        kri_future_seen(f);
    if (!task_error)
        return f->error;
    *task_error = f->error;
    return 0;
}

int kr_future_result(kr_future *f, void *result, size_t size, int *task_error, kr_time timeout)
{
    int err = kri_future_check(f);
    if (err)
        return err;
    if (size != (result ? f->result_size : 0))
        return -EINVAL;
    err = kri_future_wait(f, timeout);
    if (err)
        return err;
    if (f->error == 0)
        kri_copy(result, f->result, size);
    return outcome(f, task_error);
}

int kr_future_exception(kr_future *f, int *task_error, kr_time timeout)
{
    return kr_future_result(f, NULL, 0, task_error, timeout);
}

int kr_future_create(kr_future **future, size_t result_size)
{
    if (!future)
        return -EINVAL;
    kri_task task = {.result_size = result_size};
    return kri_future_new(future, NULL, &task, true);
}

/* Why a future cannot be changed by hand, where it cannot. */
static int refusal(const kr_future *f)
{
    return kr_future_cancelled(f) ? -ECANCELED : -EALREADY;
}

int kr_future_set_running(kr_future *f, kr_cancel_scope *scope)
{
    int err = kri_future_check(f);
    if (err)
        return err;
    if (f->fn)
        return refusal(f);
    if (kri_future_claim(f, scope ? (uintptr_t)scope : KRI_CLAIM_SILENT))
        return 0;
    return kri_future_is_dropped(f) ? -ECANCELED : refusal(f);
}

int kr_future_set_result(kr_future *f, const void *result, size_t size)
{
    int err = kri_future_check(f);
    if (err)
        return err;
    if (f->fn)
        return refusal(f);
    if (size != f->result_size || (size && !result))
        return -EINVAL;
    return kri_future_end_with(f, 0, result) ? 0 : refusal(f);
}

int kr_future_set_error(kr_future *f, int error)
{
    int err = kri_future_check(f);
    if (err)
        return err;
    if (f->fn)
        return refusal(f);
    if (error >= 0)
        return -EINVAL;
    return kri_future_end_with(f, error, NULL) ? 0 : refusal(f);
}
