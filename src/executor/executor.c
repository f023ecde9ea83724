/* The public face of executors, whatever stands behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"

#include "base/options.h"
#include "os/os.h"
#include "trace/trace.h"

size_t kri_executor_under_way(const kr_executor *executor)
{
    enum { OVERLAPPING = 64 };
    return (size_t)executor->workers * (executor->ops->overlaps ? OVERLAPPING : 1);
}

int kri_executor_check(const kr_executor *executor)
{
    if (!executor)
        return -EINVAL;
    return kri_forked_since(executor->generation) ? KR_EFORKED : 0;
}

int kri_executor_check_wait(const kr_executor *executor)
{
    int err = kri_executor_check(executor);
    return !err && kri_frame_initializes(executor) ? -EDEADLK : err;
}

/* After a refusal: nobody else knows the future. */
static int give_up(kr_future *f, kr_future **future, int err)
{
    kr_future_release(f);
    if (future) {
        kr_future_release(f);
        *future = NULL;
    }
    return err;
}

int kri_submit(kr_executor *executor, kr_future **future, const kri_task *task, kr_time deadline)
{
    kr_future *f;
    int err = executor->ops->make ? executor->ops->make(executor, &f, task, !future)
                                  : kri_future_new(&f, executor, task, !future);
    if (err)
        return err;
    if (future)
        *future = f;
    KRI_PROBE(submit, f, task->fn);
    if (kri_trace_is_on())
        kri_trace_note(kri_trace_what(KR_TRACE_SUBMIT, KRI_TRACE_MOMENT), kri_future_traced_as(f),
                       (uintptr_t)task->fn, NULL);
    err = executor->ops->submit(executor, f, deadline);
    return err ? give_up(f, future, err) : 0;
}

int kr_submit(kr_executor *executor, kr_future **future, kr_task_fn fn, const void *arg,
              size_t arg_size, size_t result_size)
{
    if (future)
        *future = NULL;
    int err = fn ? kri_executor_check(executor) : -EINVAL;
    if (err)
        return err;
    kri_task task = {.fn = fn, .arg = arg, .arg_size = arg_size, .result_size = result_size};
    return kri_submit(executor, future, &task, KRI_NEVER);
}

static bool is_valid(const kr_submit_options *o)
{
    return o->priority <= KR_PRIORITY_LOW && o->timeout >= 0 && kri_reserved_is_clear(o->reserved);
}

static kr_time room_deadline(const kr_submit_options *o)
{
    if (o->dont_wait)
        return 0;
    return o->timeout ? kri_deadline(o->timeout) : KRI_NEVER;
}

int kr_submit_with(kr_executor *executor, kr_future **future, kr_task_fn fn, const void *arg,
                   size_t arg_size, size_t result_size, const kr_submit_options *options)
{
    static const kr_submit_options defaults;
    if (future)
        *future = NULL;
    if (!options)
        options = &defaults;
    int err = fn && is_valid(options) ? kri_executor_check(executor) : -EINVAL;
    if (err)
        return err;
    kri_task task = {.fn = fn,
                     .arg = arg,
                     .arg_size = arg_size,
                     .result_size = result_size,
                     .lane = options->priority};
    return kri_submit(executor, future, &task, room_deadline(options));
}

int kr_executor_shutdown(kr_executor *executor, const kr_shutdown_options *options, kr_time timeout)
{
    int err = kri_executor_check(executor);
    if (err)
        return err;
    if (timeout < 0 || (options && !kri_reserved_is_clear(options->reserved)))
        return -EINVAL;
    bool cancel_pending = options && options->cancel_pending;
    return executor->ops->shutdown(executor, cancel_pending, kri_deadline(timeout), 0);
}

void kr_executor_release(kr_executor *executor)
{
    if (!executor || kri_executor_check(executor) != 0)
        return;
    if (!kri_load_acq(&executor->shut)) {
        kr_time deadline = kri_frame_in_executor(executor) ? 0 : KRI_NEVER;
        (void)executor->ops->shutdown(executor, false, deadline, KRI_UNCANCELLABLE);
    }
    executor->ops->release(executor);
}

void kr_executor_auto(kr_executor **executor)
{
    kr_executor_release(*executor);
}

int kr_executor_workers(const kr_executor *executor)
{
    return executor ? executor->workers : -EINVAL;
}
