/* kr_wait_any - wait for whichever comes first: an event, a permit, an item, a future.
 *
 *     kr_choice any[] = {
 *         kr_choose_event(&stop),
 *         kr_choose_semaphore(&connections),
 *         kr_choose_get(jobs, &job),
 *         kr_choose_future(f),
 *     };
 *     switch (kr_wait_any(any, 4, kr_sec(1))) {
 *     case 0: ...                       // stop is set
 *     case 1: ...                       // we have a connection
 *     case 2: ...                       // any[2].result == 0: job is ours
 *     case 3: ...                       // f is done
 *     case -ETIMEDOUT: ...              // nothing was taken
 *     }
 *
 * Go's select, and asyncio.wait with FIRST_COMPLETED, of what stands still until it is chosen:
 * exactly one choice is carried out, as a whole, by the call that returns it, and nothing was
 * taken from the others, also when several become ready at once.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_WAIT_ANY_H
#define KRAIT_WAIT_ANY_H

#include <krait/event.h>
#include <krait/future.h>
#include <krait/queue.h>
#include <krait/semaphore.h>

KR_EXTERN_BEGIN

/* One of the things to wait for.  An array of them may be used again and again, by one runner at a
 * time.  It holds no reference: what it names must stay until the call returns. */
typedef struct kr_choice {
    int result; /* of the chosen one: 0, or what its own call would have returned */

    /* Private. */
    uint32_t noted;
    const struct kr_choice_kind *kind;
    void *object;
    void *item;
    void *room[16];
} kr_choice;

/* kr_choose_event - chosen when the event is set, or was while the call waited; it stays set. */
KR_API kr_choice kr_choose_event(kr_event *event);

/* kr_choose_semaphore - chosen with a permit, which the caller gives back; or without one, when its
 * acquire fails for another reason than time: with holders, -ENOSPC or KR_ECORRUPT. */
KR_API kr_choice kr_choose_semaphore(kr_semaphore *semaphore);

/* kr_choose_get - chosen when it has taken an item from a queue of items of one size.
 *
 *   item      receives it
 *
 * A queue that is shut down and empty is chosen too, with the result KR_ESHUTDOWN. */
KR_API kr_choice kr_choose_get(kr_queue *q, void *item);

/* kr_choose_put - chosen when it has put a copy of the item into such a queue; also when the queue
 * is shut down, with KR_ESHUTDOWN, or there is no memory, with -ENOMEM: then nothing was put.
 * A queue in shared memory is chosen with any other error of its own call, too, here and above. */
KR_API kr_choice kr_choose_put(kr_queue *q, const void *item);

/* kr_choose_future - chosen when the future is done, however it ended; then kr_future_result does
 * not wait.  A queued task is not run by who waits for it here, unlike there; the caller's own
 * task, and what an initializer may not wait for, is never chosen. */
KR_API kr_choice kr_choose_future(kr_future *future);

/* kr_wait_any - carry out the first of the choices that can be.
 *
 *   choices   count of them; an object may occur more than once, and in several roles
 *
 * When several are ready at once, the first of them in the array is chosen: put what must not be
 * late at the front.  To serve equals evenly, move the chosen one to the end before the next call.
 * When the call has to wait, it returns the one that woke it, if that is still to be had.
 *
 * Returns   the index of the chosen one, choices[index].result with it
 *           -ETIMEDOUT  none was ready within the timeout; with KR_NOWAIT: at once
 *           -ECANCELED  the caller's scope is cancelled and none was ready.  Not with KR_NOWAIT
 *           -EDEADLK    all are futures that end only after the caller.  Not with KR_NOWAIT
 *           -EINVAL     negative timeout, no choices or more than INT_MAX, a NULL for an object or
 *                       an item, a queue of items of any length, or more than 127 in shared memory,
 *                       as which reentrant queues count too
 *           KR_EFORKED  a future or a private queue is the parent's
 *           In each of these cases nothing was taken and no result is set
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_wait_any(kr_choice *choices, size_t count, kr_time timeout);

KR_EXTERN_END

#endif
