/* kr_timer - a function that runs once, after a while, in a thread of its own.
 *
 *     kr_timer *timer;
 *     err = kr_timer_start(&timer, kr_sec(30), give_up, &job, sizeof job, NULL);
 *     ...
 *     kr_timer_cancel(timer);                         // done in time
 *     kr_timer_release(timer);
 *
 * Python's threading.Timer, started as it is made.  The thread exists from the start, so thousands
 * of timers are better served by one loop.  As any thread it is waited for at exit unless it is a
 * daemon, also while it has not fired.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_TIMER_H
#define KRAIT_TIMER_H

#include <krait/thread.h>

KR_EXTERN_BEGIN

typedef struct kr_timer kr_timer;

/* kr_timer_start - call fn once `delay` has passed.
 *
 *   timer     gets a handle, to be released by the caller; NULL: fire and forget
 *   delay     not KR_FOREVER; KR_NOWAIT fires at once
 *   arg       as kr_thread_start: copied, or with arg_size 0 the pointer itself
 *
 * Returns   0; -EINVAL: delay is negative or KR_FOREVER; else as kr_thread_start
 */
KR_API KR_NODISCARD int kr_timer_start(kr_timer **timer, kr_time delay, kr_run_fn fn,
                                       const void *arg, size_t arg_size,
                                       const kr_thread_options *options);

/* kr_timer_cancel - do not call the function, if it has not begun.  Ends the thread at once.
 *
 * Returns   1: it will never be called, by this or an earlier cancel; 0: too late, it has begun
 */
KR_API int kr_timer_cancel(kr_timer *timer);

/* kr_timer_join - wait until the timer's thread has ended: the function has returned, or was
 * cancelled, which makes *result -ECANCELED.
 *
 * Returns   as kr_thread_join */
KR_API int kr_timer_join(kr_timer *timer, int *result, kr_time timeout);

/* kr_timer_alive - is it still going to fire, or running? */
KR_API bool kr_timer_alive(const kr_timer *timer);

/* kr_timer_release - give the handle back; the timer itself goes on.  NULL is allowed. */
KR_API void kr_timer_release(kr_timer *timer);
KR_API void kr_timer_auto(kr_timer **timer); /* for KR_AUTO(kr_timer) */

KR_EXTERN_END

#endif
