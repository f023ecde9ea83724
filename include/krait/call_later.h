/* kr_call - functions that a loop calls, soon or at a time, without a coroutine of their own.
 *
 *     static kr_call idle;                                  // as long as it may be pending
 *     err = kr_call_later(&idle, kr_sec(30), hang_up, peer);
 *     ...
 *     err = kr_call_rearm(&idle, kr_sec(30));               // at each message: a few stores
 *     ...
 *     (void)kr_call_cancel(&idle);
 *
 * Python's loop.call_soon, call_later and call_at.  A call belongs to the loop of the thread that
 * sets it: all but kr_call_soon_threadsafe are for coroutines and callbacks of that loop, and
 * answer -EPERM elsewhere.  There is no allocation but the loop's room for timers.
 *
 * Callbacks run in the loop itself, those that are set first, first, and those of timers in the
 * order of their times.  What one sets soon, or for a time that has passed, runs in the next turn
 * of the loop, after the coroutines that are ready.
 *
 * A callback must not wait, for nothing else of the loop would run meanwhile: it stands in a
 * cancelled scope, so each wait that would have to sleep returns -ECANCELED.  It may set events,
 * put into queues that have room, finish futures, spawn coroutines, and set and cancel calls, also
 * itself.
 *
 * A call that is pending when its loop ends is forgotten.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_CALL_LATER_H
#define KRAIT_CALL_LATER_H

#include <krait/executor.h>

KR_EXTERN_BEGIN

typedef void (*kr_call_fn)(void *arg);

/* Private, as all members of the next one. */
typedef struct kri_timer {
    kr_time deadline; /* when it is to fire; of one that is set */
    uint32_t place;   /* + 1 in the list of slots; 0: not set */
    uint32_t order;   /* of those with the same deadline the first set fires first */
    void (*fire)(struct kri_timer *timer);
} kri_timer;

typedef struct kr_call_link {
    struct kr_call_link *next;
    struct kr_call_link *previous;
} kr_call_link;

/* kr_call - a call that is pending or not.  All zero is one that is not.  Its memory is the
 * caller's, and must stay while it is pending; the callback itself may free it. */
typedef struct kr_call {
    kri_timer timer;
    kr_call_link link;
    struct kri_loop *loop;
    kr_call_fn fn;
    void *arg;
} kr_call;

/* kr_call_soon - have fn(arg) called in the loop's next turn.
 *
 * kr_call_later - after a while; kr_call_at - at a time on the clock of kr_now, which may have
 * passed.  One that is pending is moved, with the new fn and arg.
 *
 * Returns   0
 *           -EPERM        the caller is in no loop, or it is pending in another one
 *           -ENOMEM       no room for a timer; what was pending still is
 *           -EINVAL       no call, no fn, or a negative delay
 *           KR_ESHUTDOWN  the loop is at its end
 */
KR_API KR_NODISCARD int kr_call_soon(kr_call *call, kr_call_fn fn, void *arg);
KR_API KR_NODISCARD int kr_call_later(kr_call *call, kr_time delay, kr_call_fn fn, void *arg);
KR_API KR_NODISCARD int kr_call_at(kr_call *call, kr_time when, kr_call_fn fn, void *arg);

/* kr_call_rearm - as kr_call_later with the same fn and arg as before, pending or not.  Cheapest
 * when it is pending and moves to later.
 *
 * Returns   as kr_call_later; -EINVAL: it never had an fn, too */
KR_API KR_NODISCARD int kr_call_rearm(kr_call *call, kr_time delay);

/* kr_call_cancel - it will not be called.
 *
 * Returns   1: it was pending; 0: it was not; -EPERM: it is pending in another loop */
KR_API int kr_call_cancel(kr_call *call);

/* kr_call_pending - will it be called?  In the loop's thread. */
KR_API bool kr_call_pending(const kr_call *call);

/* kr_call_soon_threadsafe - have fn(arg) called by a loop, from any thread.
 *
 *   loop   what kr_running_loop gave in a coroutine of kr_run
 *
 * It costs an allocation and cannot be taken back.
 *
 * Returns   0; -ENOMEM; -EINVAL: no such loop, such as a pool; KR_ESHUTDOWN: it is at its end, fn
 *           will not be called; KR_EFORKED
 */
KR_API KR_NODISCARD int kr_call_soon_threadsafe(kr_executor *loop, kr_call_fn fn, void *arg);

KR_EXTERN_END

#endif
