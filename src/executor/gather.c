/* kr_gather and kr_wait_for: waits that cancel what they wait for when they end early.
 *
 * Why are those that were cancelled waited for even by a cancelled caller?  So that nothing which
 * he has begun outlives him: they may use what is his.  A task that cannot be asked to stop may
 * take as long as it likes, so it is not waited for.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/gather.h>

#include <string.h>

#include "executor/executor.h"
#include "os/os.h"

/* Whether it is over, or will be as soon as it has heard of the cancel. */
static bool cancel(kr_future *f)
{
    return kr_future_cancel(f) >= 0 || kri_future_is_over(f);
}

static void await_end(kr_future *f)
{
    if (!kri_future_is_over(f))
        (void)kri_future_await_here(f, KRI_NEVER, KRI_UNCANCELLABLE);
}

static int end_early(kr_future *f, int err)
{
    if (cancel(f))
        await_end(f);
    if (!kri_future_is_over(f))
        return err;
    if (kri_future_error(f) == -ECANCELED) {
        kri_future_seen(f);
        return err;
    }
    return 0;
}

int kr_wait_for(kr_future *f, void *result, size_t size, int *task_error, kr_time timeout)
{
    int err = kri_future_check(f);
    if (err)
        return err;
    if (timeout < 0 || size != (result ? f->result_size : 0))
        return -EINVAL;
    err = kri_future_wait(f, timeout);
    if (err == -ETIMEDOUT || err == -ECANCELED)
        err = end_early(f, err);
    return err ? err : kr_future_result(f, result, size, task_error, KR_NOWAIT);
}

/* Gathering. */

static bool is_valid(const kr_gather_options *o)
{
    return !(o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]);
}

/* Nobody else is to be told of their errors. */
static void mark_all(kr_future *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        kri_future_seen(futures[i]);
}

/* All are cancelled before the first is waited for. */
static int cancel_all(kr_future *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)cancel(futures[i]);
    for (size_t i = 0; i < count; i++)
        if (cancel(futures[i]))
            await_end(futures[i]);
    return -ECANCELED;
}

/* 0, the first error, or -ETIMEDOUT. */
static int outcome(kr_future *const *futures, size_t count, size_t failed, int *errors)
{
    int missing = 0;
    for (size_t i = 0; i < count; i++) {
        bool over = kri_future_is_over(futures[i]);
        missing += !over;
        if (errors)
            errors[i] = over ? kri_future_error(futures[i]) : -EINPROGRESS;
    }
    if (failed)
        return kri_future_error(futures[failed - 1]);
    return missing ? -ETIMEDOUT : 0;
}

static size_t find_failed(kr_future *const *futures, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (kri_future_is_over(futures[i]) && kri_future_error(futures[i]))
            return i + 1;
    return 0;
}

int kr_gather(kr_future *const *futures, size_t count, int *errors,
              const kr_gather_options *options, kr_time timeout)
{
    static const kr_gather_options defaults;
    const bool all = (options ? options : &defaults)->return_exceptions;
    size_t failed = 0;
    int err = kri_futures_check(futures, count);
    if (err)
        return err;
    if (timeout < 0 || (options && !is_valid(options)))
        return -EINVAL;
    if (timeout != KR_NOWAIT && count)
        err = kri_futures_wait(futures, count, all ? KR_ALL_COMPLETED : KRI_FIRST_ERROR, &failed,
                               timeout);
    else if (!all)
        failed = find_failed(futures, count);
    if (err == KRI_ALL_DONE && !failed) {
        if (errors)
            memset(errors, 0, count * sizeof *errors);
        return 0;
    }
    if (err == KRI_ALL_DONE)
        err = 0;
    if (err == -ECANCELED)
        err = cancel_all(futures, count);
    int result = outcome(futures, count, all ? 0 : failed, errors);
    if (err != -ENOMEM && err != -EDEADLK && result != -ETIMEDOUT)
        mark_all(futures, count);
    return err ? err : result;
}
