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
 * Python's Executor.map.  kr_map has all of the input in an array; kr_map_open takes it from a
 * function, piece by piece, and hands the results out in order while later ones are still computed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_MAP_H
#define KRAIT_MAP_H

#include <krait/executor.h>

KR_EXTERN_BEGIN

typedef struct kr_map_options {
    size_t chunk;    /* items that a runner takes at a time; 0: found out by running */
    size_t window;   /* chunks in flight at most; 0: as many as there are workers, or for each loop
                        64, as tasks that wait there let others run */
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
 * The caller takes part in the work, as one of the runners and as a party of its own: in a task of
 * this executor, and otherwise unless the pool has an initializer or .no_outside_help, or it is a
 * coroutine, which would hold up its loop.  Where it does, it never waits for a worker to be free.
 * All items run inside one cancel scope, which stands in the caller's.
 *
 * Returns   0             every item returned 0
 *           the error     of the first item, by index, that failed, where all were run
 *           -ETIMEDOUT    .timeout passed first
 *           -ECANCELED    the caller's scope was cancelled first
 *           KR_ESHUTDOWN, KR_EFORKED: as kr_submit, or forked by an item and now in the child
 *           KR_EBROKEN, -EAGAIN, -ENOMEM: as kr_submit, where the caller does not take part; what
 *                         was not done by then is not begun.  A caller that does does it all
 *           -EDEADLK      the caller is an initializer of this pool; nothing was done
 *           -EINVAL       nothing was done
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_map(kr_executor *executor, kr_task_fn fn, const void *args,
                               size_t arg_size, size_t count, void *results, size_t result_size,
                               const kr_map_options *options);

/* A map over a source */

/* kr_map_source - the next argument, to be written to `arg`: arg_size zero bytes, or NULL with size
 * 0, when fn gets NULL too.
 *
 * Returns   1: there is one; 0: that was all; a negative error ends the input: kr_map_next delivers
 *           what came before, then returns it.  After the end it is not called again.  -ECANCELED
 *           in a caller whose scope is cancelled is no end: it took nothing, and a later
 *           kr_map_next asks again */
typedef int (*kr_map_source)(void *arg, void *context);

typedef struct kr_map_stream_options {
    size_t window;   /* arguments taken ahead of the results delivered; 0: for two tasks
                        a worker, or for each loop 128 */
    size_t chunk;    /* arguments of one task, no more than the window; 0: one */
    kr_time timeout; /* for the whole, from kr_map_open; 0: none */
    uint64_t reserved[4];
} kr_map_stream_options;

/* kr_map_open - begin a map over a source; Python's map with its buffersize.
 *
 *     err = kr_map_open(&map, pool, parse_line, next_line, file, sizeof(char *), sizeof parsed,
 *                       NULL);
 *     while ((err = kr_map_next(map, &parsed, sizeof parsed, &item_error)) == 1)
 *         ...
 *     kr_map_close(map);
 *
 *   executor  to be released after the map is closed; it may be shut down before
 *   next      called by kr_map_open and kr_map_next, in the caller, never by two at once
 *
 * The window is filled at once, and one argument is taken for each result that is delivered, before
 * the call that delivers it returns: so memory does not grow with the input, which need not end.
 * Where .max_queued of the pool is reached both calls wait for room; when the caller's scope is
 * cancelled meanwhile, what was taken is kept for a later call.
 *
 * Items of one chunk share a cancel scope.  A chunk begins when it is complete, when the input has
 * ended, or at the end of this call.
 *
 * An argument is bytes; for items that never begin, and results that are not fetched, nobody gives
 * back what those bytes point to.  Where they may own something let the context keep count of it.
 *
 * Returns   0
 *           -EINVAL, -ENOMEM, KR_EFORKED
 *           KR_ESHUTDOWN, KR_EBROKEN, -EAGAIN: as kr_submit, of the first task; those of a
 *                       later one end the input as an error of the source does
 *           -ETIMEDOUT  .timeout passed before the first task was queued
 *           On every error nothing is open and *map is NULL; what was taken from the source is
 *           lost
 * Blocks    only for room: a thread sleeps, a coroutine is suspended
 */
typedef struct kr_map_stream kr_map_stream;
KR_API KR_NODISCARD int kr_map_open(kr_map_stream **map, kr_executor *executor, kr_task_fn fn,
                                    kr_map_source next, void *context, size_t arg_size,
                                    size_t result_size, const kr_map_stream_options *options);

/* kr_map_next - the next result, in the order of the input.  One caller at a time.
 *
 *   result      receives result_size bytes when the item's error is 0; NULL: not wanted
 *   size        the same as at kr_map_open; with NULL: 0
 *   item_error  receives 0 or what fn returned for this item; the items after it go on.  NULL: the
 *               error is returned instead, and the next call goes on with the next item
 *
 * Waits as kr_future_result does, and helps as it does when the map has no time limit.  An item
 * that is done is delivered also after the time limit, or inside a cancelled scope.
 *
 * Returns   1             *result and *item_error are those of the next item
 *           0             all were delivered, or an error below was returned before
 *           -ETIMEDOUT    .timeout passed before this item was done, or could begin: what has not
 *                         begun is cancelled, what runs is asked to stop
 *           KR_ESHUTDOWN  the executor was shut down, and took no more or cancelled this item
 *           KR_EBROKEN    an initializer failed
 *           other errors  of the source, or as kr_submit's
 *                         After these four the next call returns 0
 *           the item's    with item_error NULL: what fn returned for it
 *           -ECANCELED    the caller's scope is cancelled; nothing is lost, call again
 *           -EDEADLK      the caller is the task of this very item; nothing is lost
 *           -EBUSY        another call is under way, such as the one that called this source
 *           -EINVAL, KR_EFORKED
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_map_next(kr_map_stream *map, void *result, size_t size, int *item_error);

/* kr_map_close - cancel what has not begun, and free the map; NULL is allowed.
 *
 * Does not wait: what runs is asked to stop through its cancel scope, and ends by itself; a chunk
 * begins no further item.  What was not delivered is dropped, errors too.  Not from the source, nor
 * while a kr_map_next is under way.  In a forked child it only frees.
 */
KR_API void kr_map_close(kr_map_stream *map);

KR_EXTERN_END

#endif
