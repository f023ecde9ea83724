/* Done callbacks: kept newest first, called oldest first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/future.h"

#include "os/os.h"

static void call(kr_future *f, kr_done_fn fn, void *arg)
{
    int err = fn(f, arg);
    if (err < 0)
        kri_task_report_error(err, "done callback", NULL);
}

static kri_callback *reversed(kri_callback *newest_first)
{
    kri_callback *oldest_first = NULL;
    while (newest_first) {
        kri_callback *callback = newest_first;
        newest_first = callback->next;
        callback->next = oldest_first;
        oldest_first = callback;
    }
    return oldest_first;
}

void kri_callbacks_run(kr_future *f, kri_callback *newest_first)
{
    kri_callback *callback = reversed(newest_first);
    while (callback) {
        kri_callback *next = callback->next;
        call(f, callback->fn, callback->arg);
        os_free(callback);
        callback = next;
    }
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
