/* Loops over a range, shared out over the workers of an executor.
 *
 *     static int scale(size_t first, size_t end, void *arg)
 *     {
 *         double *x = arg;
 *         for (size_t i = first; i < end; i++)
 *             x[i] *= 2;
 *         return 0;
 *     }
 *
 *     err = kr_parallel_for(pool, 0, count, scale, x, NULL);
 *
 * Python has no such thing; OpenMP's parallel for, oneTBB's parallel_reduce.  The function is given
 * pieces of the range, so that its own loop is one that the compiler can see.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_PARALLEL_H
#define KRAIT_PARALLEL_H

#include <krait/executor.h>

KR_EXTERN_BEGIN

typedef struct kr_parallel_options {
    size_t grain;    /* a piece is at least so long, but for the last; 0: found out by running */
    int runners;     /* at most so many at a time, the caller included; 0: as many as the executor
                        has workers, or the machine processors where these are fewer */
    kr_time timeout; /* for the whole, from the call; 0: none */
    uint64_t reserved[4];
} kr_parallel_options;

/* kr_range_fn - what to do for first <= i < end; several run at a time, on pieces that do not
 * overlap.  Returns 0 or a negative error, which keeps further pieces from beginning. */
typedef int (*kr_range_fn)(size_t first, size_t end, void *arg);

/* kr_parallel_for - call fn for pieces that together are the range; returns when all are done.
 *
 * The caller takes part, wherever it is called from, as a party of its own inside the caller's
 * cancel scope: so it never waits for a worker to be free.  A coroutine does so only in an executor
 * whose task it is, for it would hold up its loop, and otherwise leaves it all to helpers.  Pieces
 * get shorter towards the end, so that all end together.
 *
 * Without a grain the caller begins alone, with short pieces, which tell how long others may be; it
 * calls helpers when what is left looks worth it.  So a range that is soon done costs no wake-up.
 * Where a single index may take long, give a grain of 1: then helpers are called at once.
 *
 * When the time is out, the caller's scope is cancelled or fn returns an error, no further piece
 * begins and what runs is asked to stop through its cancel scope; the call then waits for it.
 *
 * Returns   0             fn returned 0 for the whole range
 *           the error     of the piece that failed first
 *           -ETIMEDOUT, -ECANCELED: which came first
 *           -EINVAL       end < first, no fn, a negative option, or a reserved field is set
 *           KR_ESHUTDOWN  the executor is shut down, and nothing was done
 *           -EDEADLK      the caller is an initializer of this pool, and nothing was done
 *           KR_EFORKED    the executor is the parent's; or fn forked, and this is the child
 *           Where no helper can be had (-ENOMEM, -EAGAIN, KR_EBROKEN) the caller does it all
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_parallel_for(kr_executor *executor, size_t first, size_t end,
                                        kr_range_fn fn, void *arg,
                                        const kr_parallel_options *options);

/* kr_reduction - how partial results are made and put together. */
typedef struct kr_reduction {
    size_t size; /* of a partial result, bytes: 1 to 4096.  It is aligned as malloc's */
    /* Add first <= i < end to `partial`, which is a copy of the initial value or holds pieces that
     * lie before. */
    int (*add)(size_t first, size_t end, void *partial, void *arg);
    /* left = left + right, where left's pieces lie before right's. */
    void (*join)(void *left, const void *right, void *arg);
} kr_reduction;

/* kr_parallel_reduce - as kr_parallel_for, for a result.
 *
 *   result    at the call the initial value, which `add` and `join` must not change anything by
 *             being joined with (0 for a sum, 1 for a product); receives the result with 0, and is
 *             unchanged otherwise
 *
 * join is only ever called with neighbours, left before right: it must be associative, it need not
 * be commutative.  It is called by the caller, at the end.  Where the pieces lie depends on the
 * run, so sums of floating-point numbers may differ from run to run in their last digits, but not
 * with a grain of the whole range.
 *
 * At most 64 partial results a runner are kept; where there is no memory for them, the caller does
 * it all.
 *
 * Returns   as kr_parallel_for
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_parallel_reduce(kr_executor *executor, size_t first, size_t end,
                                           const kr_reduction *reduction, void *arg, void *result,
                                           const kr_parallel_options *options);

KR_EXTERN_END

#endif
