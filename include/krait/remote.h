/* What the pools on other machines have in common: krait/mpi_pool.h, krait/redis_pool.h.
 *
 * Both are executors of krait/executor.h, as a process pool is, and tasks are given to them by the
 * same calls: kr_submit, kr_map, kr_executor_shutdown.  A task has the bytes of its argument, and
 * its result's bytes come back; both sides are the same program, or programs of the same build, and
 * only functions that are declared with KR_TASK run (others: KR_ETASK; before kr_init: KR_EINIT).
 * Programs without a build-id are told apart by the names of their tasks alone: link with
 * --build-id.  An argument of size 0 must be NULL.  Loops (krait/parallel.h) and groups work on the
 * caller's memory, and answer -EOPNOTSUPP.
 *
 * Cancel.  A task that waits in the pool can be cancelled; one that was sent has begun
 * (kr_future_running), cannot be asked to stop, and kr_future_cancel answers -EALREADY.
 *
 * Callbacks run in a thread of the pool's, one after the other, or in whoever cancels.  One that
 * waits, be it for another task of the pool, holds up the callbacks behind it and no task.
 *
 * The key.  Each message carries an HMAC-SHA256 over all of it, keyed with what both sides were
 * told; so who can write to the server, or sits between, can neither forge a task nor a result.  He
 * can read them: nothing is encrypted.  A message that is not signed with our key, is of another
 * program, was answered before, or is too long, is dropped and counted; the first of each kind is
 * told to the task hook (kr_set_task_hook).
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_REMOTE_H
#define KRAIT_REMOTE_H

#include <krait/executor.h>
#include <krait/init.h>

KR_EXTERN_BEGIN

/* KR_SERVED - of kr_mpi_serve and kr_redis_serve: there is nothing to do any more. */
enum { KR_SERVED = 1 };

enum { KR_KEY_LEAST = 16 }; /* bytes of a key, at least; random ones, not a word */

typedef struct kr_remote_counts kr_remote_counts;

typedef struct kr_remote_options {
    const void *key;      /* copied; NULL: what stands in the environment as KRAIT_KEY */
    size_t key_size;      /* with .key: at least KR_KEY_LEAST */
    uint64_t max_message; /* bytes of an argument or a result at most; 0: 1 GiB.  A submit with more
                             is -EMSGSIZE; what is more than the worker takes, or comes back as
                             more, fails with that */
    kr_time timeout;      /* how long to wait for the other side to answer for the first time; 0:
                             30 s */
    kr_time lease;        /* a worker that is silent for so long is dead; 0: 30 s; at least 1 ms */
    kr_time idle; /* of a worker over Redis: it ends after so long without a task; 0: never */
    kr_remote_counts *counts; /* of a worker: gets its counts once it has served; NULL: nobody asks
                               */
    uint64_t reserved[4];
} kr_remote_options;

/* kr_remote_read_counts - what a pool on other machines has seen; all but `workers` only rise.
 *
 * Returns   0; -EINVAL: no such pool; KR_EFORKED
 */
struct kr_remote_counts {
    uint64_t sent;      /* tasks given to workers */
    uint64_t done;      /* results taken; of a worker: sent */
    uint64_t lost;      /* workers that died or fell silent */
    uint64_t forged;    /* messages dropped that are not signed with our key */
    uint64_t replayed;  /* dropped: signed, but of another session, or no longer awaited */
    uint64_t foreign;   /* dropped: of another version, or of another program */
    uint64_t oversized; /* dropped: longer than .max_message allows */
    uint64_t again;     /* tasks that were given to another worker after one had died */
    int workers;        /* that serve now */
    uint64_t reserved[7];
};
KR_API int kr_remote_read_counts(kr_executor *pool, kr_remote_counts *counts);

KR_EXTERN_END

#endif
