/* Done callbacks: kept newest first, called oldest first.
 *
 * A callback may finish another future, whose callback finishes the next, and so on.  So that such
 * a chain needs no stack, a party that is in a callback queues what becomes due meanwhile, and
 * calls it after that callback has returned.  The queue lies in the frame of the outermost call;
 * what stands in it keeps its future.
 *
 * A task that a callback's wait runs is a party of its own, so what it sets off is called at once:
 * it may well wait for what its callbacks do.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/future.h"

#include "os/os.h"

typedef struct kri_due kri_due;
struct kri_due {
    kri_callback *first;
    kri_callback *last;
};

static void call(kr_future *f, kr_done_fn fn, void *arg)
{
    int err = fn(f, arg);
    if (err < 0)
        kri_task_report_future(f, err, "done callback");
}

static kri_callback *reversed(kr_future *f, kri_callback *newest_first)
{
    kri_callback *oldest_first = NULL;
    while (newest_first) {
        kri_callback *callback = newest_first;
        newest_first = callback->next;
        callback->future = kr_future_retain(f);
        callback->next = oldest_first;
        oldest_first = callback;
    }
    return oldest_first;
}

static void call_all(kri_due *due)
{
    while (due->first) {
        kri_callback *callback = due->first;
        due->first = callback->next;
        call(callback->future, callback->fn, callback->arg);
        kr_future_release(callback->future);
        os_free(callback);
    }
}

/* `newest` is the last in the order of calling. */
void kri_callbacks_run(kr_future *f, kri_callback *newest)
{
    kri_due **here = &kri_party_self()->callbacks_due;
    kri_callback *oldest = reversed(f, newest);
    if (*here) {
        *((*here)->first ? &(*here)->last->next : &(*here)->first) = oldest;
        (*here)->last = newest;
        return;
    }
    kri_due due = {oldest, newest};
    *here = &due;
    call_all(&due);
    *here = NULL;
}

void kri_callbacks_free(kri_callback *callback)
{
    while (callback) {
        kri_callback *next = callback->next;
        os_free(callback);
        callback = next;
    }
}

int kr_future_add_done_callback(kr_future *f, kr_done_fn fn, void *arg)
{
    int err = fn ? kri_future_check(f) : -EINVAL;
    if (err)
        return err;
    if (!kri_future_is_over(f)) {
        kri_callback *callback = os_alloc(sizeof *callback);
        if (!callback)
            return -ENOMEM;
        callback->fn = fn;
        callback->arg = arg;
        if (kri_future_add_callback(f, callback))
            return 0;
        os_free(callback);
    }
    call(f, fn, arg);
    return 0;
}
