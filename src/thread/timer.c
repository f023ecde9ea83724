/* Timers: a thread that sleeps, then runs the function unless it was cancelled.
 *
 * State.  PENDING -> FIRED by the thread when the time has come, PENDING -> CANCELLED by
 * kr_timer_cancel. Both by compare-and-swap, so exactly one of the two happens and both sides know
 * which.
 *
 * Fields.
 *     references  the thread's and the handle's
 *     thread      the starter, before it gives up its reference; const for the holder of the handle
 *     the rest    const
 *
 * Protocol.  The thread sleeps on `state` until the deadline; the cancel changes the word and then
 * wakes it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "thread/thread.h"
#include <krait/timer.h>
#include <string.h>

enum { PENDING, FIRED, CANCELLED };

struct kr_timer {
    kr_word state;
    kr_word references;
    kr_time deadline;
    kr_run_fn fn;
    void *arg;
    kr_thread *thread;
    max_align_t copy[];
};

void kr_timer_release(kr_timer *timer)
{
    if (timer == NULL || kri_sub_acq_rel(&timer->references, 1) != 1)
        return;
    kr_thread_release(timer->thread);
    os_free(timer);
}

void kr_timer_auto(kr_timer **timer)
{
    kr_timer_release(*timer);
}

static bool await_time(kr_timer *timer)
{
    int err;
    do {
        err = kri_wait(&timer->state, PENDING, timer->deadline, KRI_UNCANCELLABLE);
    } while (err != -ETIMEDOUT && kri_load_acq(&timer->state) == PENDING);
    uint32_t seen = PENDING;
    return kri_cas_acq_rel(&timer->state, &seen, FIRED);
}

static int run_timer(void *arg)
{
    kr_timer *timer = arg;
    int result = await_time(timer) ? timer->fn(timer->arg) : -ECANCELED;
    kr_timer_release(timer);
    return result;
}

static kr_timer *create(kr_time delay, kr_run_fn fn, const void *arg, size_t arg_size)
{
    if (arg_size > SIZE_MAX / 2)
        return NULL;
    kr_timer *timer = os_alloc(sizeof *timer + arg_size);
    if (timer == NULL)
        return NULL;
    kri_store_rlx(&timer->references, 2);
    timer->deadline = kri_deadline(delay);
    timer->fn = fn;
    timer->arg = arg_size > 0 ? memcpy(timer->copy, arg, arg_size) : (void *)(uintptr_t)arg;
    return timer;
}

int kr_timer_start(kr_timer **timer, kr_time delay, kr_run_fn fn, const void *arg, size_t arg_size,
                   const kr_thread_options *options)
{
    if (timer != NULL)
        *timer = NULL;
    if (delay < 0 || delay == KR_FOREVER || fn == NULL)
        return -EINVAL;
    kr_timer *made = create(delay, fn, arg, arg_size);
    if (made == NULL)
        return -ENOMEM;
    int err = kr_thread_start(&made->thread, run_timer, made, 0, options);
    if (err < 0)
        kr_timer_release(made); /* the one that would have been the thread's */
    if (err == 0 && timer != NULL)
        *timer = made;
    else
        kr_timer_release(made);
    return err;
}

int kr_timer_cancel(kr_timer *timer)
{
    uint32_t seen = PENDING;
    if (!kri_cas_sc(&timer->state, &seen, CANCELLED))
        return seen == CANCELLED;
    kri_wake(&timer->state, KRI_ALL, 0);
    return 1;
}

int kr_timer_join(kr_timer *timer, int *result, kr_time timeout)
{
    return kr_thread_join(timer->thread, result, timeout);
}

bool kr_timer_alive(const kr_timer *timer)
{
    return kr_thread_alive(timer->thread);
}
