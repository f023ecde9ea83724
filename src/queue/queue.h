/* What a kind of queue implements.  queue.c checks the arguments and calls these.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_QUEUE_H
#define KRI_QUEUE_QUEUE_H

#include "wait/wait.h"
#include <krait/queue.h>

/* What somebody waits for at a queue; a shutdown ends both. */
typedef enum kri_queue_side { KRI_ITEMS, KRI_ROOM } kri_queue_side;

/* Arguments have been checked: the sizes fit the queue, a priority other than 0 comes with
 * KR_PRIORITY only, counts are 1 to INT_MAX, a private queue is not a forked copy.  Results are
 * those of the public function.  Deadlines are kri_deadline's: 0 never sleeps. */
typedef struct kri_queue_ops {
    /* Add one item of `size` bytes. */
    int (*put)(kr_queue *q, const void *item, size_t size, int64_t priority, kr_time deadline);

    /* Take one, of at most `room` bytes.  size and priority are never NULL; *size is set also with
     * -EMSGSIZE. */
    int (*get)(kr_queue *q, void *item, size_t room, size_t *size, int64_t *priority,
               kr_time deadline);

    int (*put_many)(kr_queue *q, const void *items, size_t count, kr_time deadline);
    int (*get_many)(kr_queue *q, void *items, size_t count, kr_time deadline);

    size_t (*qsize)(const kr_queue *q);
    size_t (*maxsize)(const kr_queue *q);
    int (*set_maxsize)(kr_queue *q, size_t maxsize); /* NULL: -EINVAL */

    int (*task_done)(kr_queue *q);
    int (*join)(kr_queue *q, kr_time deadline);
    int (*shutdown)(kr_queue *q, bool immediate);
    bool (*is_shutdown)(const kr_queue *q);

    void (*release)(kr_queue *q); /* frees the handle too */

    /* For waiting for any of several things; NULL: -EINVAL.  Between watch, which returns the word
     * to sleep on (with KRI_SHARED on a shared or reentrant queue), and unwatch the caller counts
     * as one who waits for an item or for room.  It asks `ready` after the watch, after each wake
     * and whenever the word differs; if that is false, or somebody else was faster, it sleeps while
     * the word is *expected.  Asking takes the call that has woken it; unwatch passes on one that
     * it has not used. */
    kr_word *(*watch)(kr_queue *q, kri_queue_side side);
    bool (*ready)(kr_queue *q, kri_queue_side side, uint32_t *expected);
    void (*unwatch)(kr_queue *q, kri_queue_side side);
} kri_queue_ops;

/* What begins every handle; all const. */
struct kr_queue {
    const kri_queue_ops *ops;
    size_t item_size; /* 0: any length */
    kr_queue_order order;
    kr_scope scope;
    unsigned wait_flags; /* KRI_SHARED, for the word of `watch` */
    uint32_t generation; /* of the process that made a private queue */
};

/* The kinds.  The options are not NULL and have been checked as far as they can be without knowing
 * the kind.  Each fills in all of the handle. */

/* Private queues. */
int kri_fifo_create(kr_queue **q, size_t item_size, size_t maxsize, const kr_queue_options *o);
int kri_ordered_create(kr_queue **q, size_t item_size, size_t maxsize, const kr_queue_options *o);
int kri_reentrant_create(kr_queue **q, size_t item_size, const kr_queue_options *o);

/* Queues in shared memory.  memory NULL: anonymous memory of its own, given back by the release. */
size_t kri_ring_size(size_t item_size, size_t maxsize,
                     const kr_queue_options *o); /* 0: cannot be */
int kri_ring_create(kr_queue **q, void *memory, size_t size, size_t item_size, size_t maxsize,
                    const kr_queue_options *o);
int kri_ring_attach(kr_queue **q, void *memory, size_t size);

#endif
