/* kr_map - one function over an array, on an executor.
 *
 *     static int area(const void *arg, void *result)
 *     {
 *         const struct box *box = arg;
 *         *(double *)result = box->width * box->height;
 *         return 0;
 *     }
 *
 *     err = kr_map(pool, area, boxes, sizeof *boxes, count, areas, sizeof *areas, NULL);
 *
 * Python's Executor.map.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_MAP_H
#define KRAIT_MAP_H

#include <krait/executor.h>

KR_EXTERN_BEGIN

typedef struct kr_map_options {
    size_t chunk;    /* items that a worker takes at a time; 0: some eight chunks a worker */
    size_t window;   /* chunks in flight at most; 0: one a worker */
    kr_time timeout; /* for the whole, from the call; 0: none */
    int *errors;     /* count elements, all written: 0, what fn returned for the item, or -ECANCELED
                        when it was never begun; NULL: not wanted */
    void (*progress)(size_t done, size_t total, void *arg);
    void *progress_arg;
    uint64_t reserved[4];
} kr_map_options;

/* kr_map - fn(&args[i], &results[i]) for every i below count; returns when all is done.
 *
 *   args      count elements of arg_size bytes, read in place; with size 0 every item gets `args`
 *   results   count elements of result_size bytes, written in place; with size 0 fn gets NULL.
 *             Not cleared before: an item that failed or never began leaves its element as it is
 *
 * An item's error does not keep the others from running.  .progress is called after each chunk, or
 * after several that ended together: by the runner that ended one, one call at a time, each seeing
 * what the one before wrote, `done` rising, the last one before the return.  It must be quick.
 *
 * When the time is out or the caller's scope is cancelled no further item begins, and what runs
 * is asked to stop through its cancel scope.  The call then waits for it, however long that takes:
 * args and results are the caller's, so no task may outlive the call.  What was done is in results.
 *
 * Called from a task, the caller takes part in the work, as a party of its own inside the caller's
 * cancel scope.  Items of one chunk share a cancel scope.
 *
 * Returns   0             every item returned 0
 *           the error     of the first item, by index, that failed, where all were run
 *           -ETIMEDOUT    .timeout passed first
 *           -ECANCELED    the caller's scope was cancelled first
 *           KR_ESHUTDOWN, KR_EBROKEN, -EAGAIN, -ENOMEM, KR_EFORKED: as kr_submit; what was not
 *                         done by then is not begun
 *           -EINVAL       nothing was done
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_map(kr_executor *executor, kr_task_fn fn, const void *args,
                               size_t arg_size, size_t count, void *results, size_t result_size,
                               const kr_map_options *options);

KR_EXTERN_END

#endif
