/* kr_event - a flag that runners can wait for.
 *
 * Python's threading.Event, multiprocessing.Event and asyncio.Event.  In shared memory a process
 * may die at any moment: later sets wake all others, and who was owed a wake by a dead one sees the
 * flag within 100 ms.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_EVENT_H
#define KRAIT_EVENT_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* All zero is an event that is not set, for the runners of one process.  Needs no destroy, never
 * allocates; a runner whose wait has returned 0 may free it at once, even while kr_event_set has
 * not returned.  Private members. */
typedef struct kr_event {
    kr_word word;
    kr_word hint;
} kr_event;

/* clang-format off */
#define KR_EVENT_INIT        { { 0 }, { 0 } }
#define KR_EVENT_INIT_SHARED { { 1 }, { 0 } }
/* clang-format on */

/* kr_event_init - an event that is not set.
 *
 *   scope     KR_SHARED: for all processes that have the memory in which it lies
 *
 * Returns   0; -EINVAL: no such scope
 */
KR_API int kr_event_init(kr_event *event, kr_scope scope);

/* kr_event_set - set the flag and wake all who wait; setting it again does nothing. */
KR_API void kr_event_set(kr_event *event);

/* kr_event_clear - later waits sleep again.  Those who were already waiting at a set before are
 * woken all the same, also when this call comes before they run. */
KR_API void kr_event_clear(kr_event *event);

/* kr_event_is_set - is the flag set?  When it is, what its setter did before is visible. */
KR_API bool kr_event_is_set(const kr_event *event);

/* kr_event_wait - wait until the flag is set.
 *
 * Returns   0           it is set, or was while this call waited
 *           -ETIMEDOUT  it was not set within the timeout
 *           -ECANCELED  the caller's scope is cancelled and the flag not set.  Not with KR_NOWAIT
 *           -EINVAL     negative timeout
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_event_wait(kr_event *event, kr_time timeout);

/* kr_event_reinit - make it unset with nobody waiting; for a forked child, whose copy of a private
 * event names waiters that are not there. */
KR_API void kr_event_reinit(kr_event *event);

KR_EXTERN_END

#endif
