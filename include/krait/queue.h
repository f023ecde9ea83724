/* kr_queue - hand items from those who make them to those who use them.
 *
 *     KR_AUTO(kr_queue) *q = NULL;
 *     err = kr_queue_create(&q, sizeof(struct job), 100, NULL);
 *     err = kr_queue_put(q, &job, KR_FOREVER);        // in one runner: copied in
 *     err = kr_queue_get(q, &job, KR_FOREVER);        // in another: copied out
 *
 * Python's queue.Queue, LifoQueue, PriorityQueue and SimpleQueue, and in shared memory
 * multiprocessing.Queue and JoinableQueue, without a feeder thread: an item is copied once in and
 * once out.  Every wait ends by its event, time, cancel, or shutdown.  A runner that is cancelled
 * or timed out has neither put nor taken anything.  A queue of NULL is -EINVAL, but to the release.
 *
 * Nothing of the program is called while the queue is locked; so any of these may be called from
 * destructors and callbacks.  From a signal handler: only kr_queue_put and kr_queue_put_many, on a
 * queue made with .reentrant.
 *
 * Scope    a private queue serves the process that made it; in a forked child every call but the
 *          release answers KR_EFORKED.  A shared one serves all processes that have its memory; one
 *          that dies at any instant leaves a queue that works: a put it had not finished never
 *          existed, an item it took is gone, no room is lost.  One that is stopped (SIGSTOP) inside
 *          a call holds up the others at its side, or by priority all: those with a timeout until
 *          then, those that never wait (KR_NOWAIT, task_done, shutdown) for a second.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_QUEUE_H
#define KRAIT_QUEUE_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_queue kr_queue;

/* What a get takes. */
typedef enum kr_queue_order {
    KR_FIFO,     /* the oldest */
    KR_LIFO,     /* the newest; not in shared memory */
    KR_PRIORITY, /* the one with the lowest number, and of equals the oldest */
} kr_queue_order;

/* kr_queue_options - NULL or zero: the defaults.
 *
 *   .reentrant  private, KR_FIFO, maxsize 0: put may interrupt any call, see kr_queue_put
 *   .reserve    private: items for which memory is taken now, so that puts up to there cannot fail
 *               for want of it; the bytes of items of any length need more all the same
 *   .bytes      shared, item_size 0: room for the items' bytes; an item may take half of it.
 *               0: 64 KiB
 *   .owners     shared: so many processes at a time may owe a task_done, and what one owes when it
 *               dies is settled; 0: it is owed for ever
 *   .mode       shared: who may attach, as of a file: 0600, 0660, 0666; 0: 0600
 */
typedef struct kr_queue_options {
    kr_queue_order order;
    kr_scope scope;
    bool reentrant;
    size_t reserve;
    size_t bytes;
    unsigned owners;
    unsigned mode;
    uint64_t reserved[4];
} kr_queue_options;

/* kr_queue_create - make an empty queue.
 *
 *   item_size  bytes of each item; 0: items of any length, with kr_queue_put_bytes and _get_bytes
 *   maxsize    how many items it holds at most; 0: no limit, in shared memory only with item_size 0
 *
 * A shared queue made here lies in anonymous memory, which forked children inherit with the handle.
 *
 * Returns   0; -ENOMEM; -EINVAL: options that do not go together, or sizes that cannot be
 */
KR_API KR_NODISCARD int kr_queue_create(kr_queue **q, size_t item_size, size_t maxsize,
                                        const kr_queue_options *options);

/* kr_queue_memory_size - how many bytes kr_queue_create_at needs for such a shared queue; 0: there
 * is no such queue. */
KR_API size_t kr_queue_memory_size(size_t item_size, size_t maxsize,
                                   const kr_queue_options *options);

/* kr_queue_create_at - make a shared queue in memory of the caller's, whatever it held before.
 *
 *   memory    of `size` bytes, aligned to 64, in every process that is to use it; stays until the
 *             last of them has released its handle
 *   options   .scope may be left out
 *
 * Returns   0 and a handle for this process; -EINVAL; -ENOMEM; -ENOSPC: size is too small
 */
KR_API KR_NODISCARD int kr_queue_create_at(kr_queue **q, void *memory, size_t size,
                                           size_t item_size, size_t maxsize,
                                           const kr_queue_options *options);

/* kr_queue_attach - a handle for the queue that another process has made in this memory.
 *
 * Returns   0; -ENOMEM; -EINVAL; -EPERM: another user's, whose mode leaves the caller out;
 *           -EXDEV: made in another pid or time namespace; KR_ECORRUPT: no queue lies there, or
 *           one of another version of the library, or a damaged one, or one that needs more than
 *           `size` bytes
 */
KR_API KR_NODISCARD int kr_queue_attach(kr_queue **q, void *memory, size_t size);

/* kr_queue_release - give the handle back; NULL is allowed.
 *
 * Nobody else in this process may use it any more.  With a private queue the items left are
 * dropped; a shared one lives on in its memory.
 */
KR_API void kr_queue_release(kr_queue *q);

/* For KR_AUTO(kr_queue): releases *q. */
KR_API void kr_queue_auto(kr_queue **q);

/* kr_queue_put - add a copy of an item of item_size bytes, waiting while the queue is full.
 *
 * With KR_NOWAIT this is Python's put_nowait, and -ETIMEDOUT its Full.  In a queue with KR_PRIORITY
 * the item gets priority 0.
 *
 * With .reentrant a put never waits, takes no lock, and asks nobody for memory but the system
 * itself: a signal handler may put while the thread that it interrupts is inside any call on this
 * queue.  No more than 2^31 - 1 items may be inside.  Other queues: not from a signal handler.
 *
 * Returns   0             the queue has the item
 *           -ETIMEDOUT    it was full all the time; nothing was put
 *           -ECANCELED    the caller's scope is cancelled; nothing was put.  Not with KR_NOWAIT
 *           KR_ESHUTDOWN  the queue is shut down; nothing was put
 *           -EINVAL       negative timeout, no item, or not for this kind of queue
 *           -ENOMEM       (private) no memory for one more; nothing was put, all is as before
 *           KR_EFORKED    (private) see Scope
 *           KR_ECORRUPT   (shared) the memory is damaged.  And -ETIMEDOUT here says also that
 *                         others were at it until the time had passed
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_queue_put(kr_queue *q, const void *item, kr_time timeout);

/* kr_queue_put_priority - kr_queue_put with a number; only with KR_PRIORITY.
 * Returns   as kr_queue_put */
KR_API KR_NODISCARD int kr_queue_put_priority(kr_queue *q, const void *item, int64_t priority,
                                              kr_time timeout);

/* kr_queue_get - take an item, waiting while there is none.
 *
 *   item      receives item_size bytes
 *
 * With KR_NOWAIT this is Python's get_nowait, and -ETIMEDOUT its Empty.  No promise of order among
 * those who wait.
 *
 * Returns   0             *item is the caller's
 *           -ETIMEDOUT    it was empty all the time
 *           -ECANCELED    the caller's scope is cancelled; nothing was taken.  Not with KR_NOWAIT
 *           KR_ESHUTDOWN  the queue is shut down and empty
 *           -ENOSPC       (shared) .owners processes owe a task_done already, and all live; nothing
 *                         was taken
 *           -EINVAL, KR_EFORKED, KR_ECORRUPT, and -ETIMEDOUT where it is shared: as kr_queue_put
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_queue_get(kr_queue *q, void *item, kr_time timeout);

/* kr_queue_get_priority - kr_queue_get, and *priority is the number that the item was put with.
 * Returns   as kr_queue_get */
KR_API KR_NODISCARD int kr_queue_get_priority(kr_queue *q, void *item, int64_t *priority,
                                              kr_time timeout);

/* kr_queue_put_many - add copies of items from an array, in order; kr_queue_get_many - take some.
 *
 * A put waits until all are put; others' items may come between them.  A get waits for the first
 * item only, and takes at most `count` of those that are there.  Cheaper for each item than one by
 * one.
 *
 * Returns   how many items were put or taken, 1 to count; when none, the error of kr_queue_put or
 *           kr_queue_get.  So a put that was ended in the middle returns the number put until then.
 *           0 for a count of 0, -EINVAL for one above INT_MAX
 */
KR_API KR_NODISCARD int kr_queue_put_many(kr_queue *q, const void *items, size_t count,
                                          kr_time timeout);
KR_API KR_NODISCARD int kr_queue_get_many(kr_queue *q, void *items, size_t count, kr_time timeout);

/* kr_queue_put_bytes - kr_queue_put for a queue of item_size 0: `size` bytes, which may be none.
 * kr_queue_put_bytes_priority - the same with a number; only with KR_PRIORITY.
 *
 * Returns   as kr_queue_put; -EMSGSIZE: the queue could never hold so long an item
 */
KR_API KR_NODISCARD int kr_queue_put_bytes(kr_queue *q, const void *bytes, size_t size,
                                           kr_time timeout);
KR_API KR_NODISCARD int kr_queue_put_bytes_priority(kr_queue *q, const void *bytes, size_t size,
                                                    int64_t priority, kr_time timeout);

/* kr_queue_get_bytes - kr_queue_get for a queue of item_size 0.
 *
 *   bytes     room for `room` of them
 *   size      receives the item's length; NULL: not wanted
 *
 * Returns   as kr_queue_get; -EMSGSIZE: the next item is longer than room; it stays, and *size is
 *           its length
 */
KR_API KR_NODISCARD int kr_queue_get_bytes(kr_queue *q, void *bytes, size_t room, size_t *size,
                                           kr_time timeout);

/* kr_queue_qsize - how many items are inside; kr_queue_empty, kr_queue_full - none, or maxsize of
 * them (without one never full, though bytes may be short).  Guesses by the time they are read; 0
 * and true and false of a forked copy, or of NULL. */
KR_API size_t kr_queue_qsize(const kr_queue *q);
KR_API bool kr_queue_empty(const kr_queue *q);
KR_API bool kr_queue_full(const kr_queue *q);

/* kr_queue_item_size, kr_queue_maxsize - as it was made. */
KR_API size_t kr_queue_item_size(const kr_queue *q);
KR_API size_t kr_queue_maxsize(const kr_queue *q);

/* kr_queue_set_maxsize - change it; a queue that holds more is full until enough were taken.
 *
 * Returns   0; -EINVAL: shared or reentrant; KR_EFORKED */
KR_API int kr_queue_set_maxsize(kr_queue *q, size_t maxsize);

/* kr_queue_task_done - say that an item that was taken has been dealt with.
 *
 * Each item that was put is owed one; kr_queue_join waits for all.  In shared memory no more than
 * 2^31 - 1 may be owed: where nobody says task_done, nobody can join.
 *
 * Returns   0; -EPERM: none is owed; -EINVAL; KR_EFORKED; (shared, with .owners) KR_ECORRUPT, and
 *           -ETIMEDOUT: for a second another was inside a call all the time; nothing was done
 */
KR_API int kr_queue_task_done(kr_queue *q);

/* kr_queue_join - wait until no task_done is owed.  A shutdown does not end it, but for one with
 * `immediate` the items dropped are settled.
 *
 * Returns   0; -ETIMEDOUT; -ECANCELED, not with KR_NOWAIT; -EINVAL; KR_EFORKED; (shared, with
 *           .owners) KR_ECORRUPT
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_queue_join(kr_queue *q, kr_time timeout);

/* kr_queue_shutdown - from now on nothing can be put; what is inside can be taken still.
 *
 *   immediate drop what is inside, too, and settle the task_done that it is owed
 *
 * Wakes all who wait in a put, and all who wait in a get once nothing is left.  May be called
 * again, to make it immediate.
 *
 * Returns   0; -EINVAL; KR_EFORKED; KR_ECORRUPT, and it is shut down all the same.  A put inside
 *           which a process is stopped may still be finished after it
 */
KR_API int kr_queue_shutdown(kr_queue *q, bool immediate);
KR_API bool kr_queue_is_shutdown(const kr_queue *q);

KR_EXTERN_END

#endif
