/* A pool's common queue, first in, first out: for submitters from outside, and for what a worker's
 * own queue has no room for.
 *
 * Any thread may call any of these, but kri_injection_free.  Items are 64 bits, never 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_INJECTION_H
#define KRI_QUEUE_INJECTION_H

#include "base/atomic.h"
#include "wait/wait.h"

#ifdef KRI_MODEL
enum { KRI_INJECTION_CHUNK = 2 };
#else
enum { KRI_INJECTION_CHUNK = 64 }; /* items */
#endif

enum { KRI_INJECTION_SPARES = 2 };

typedef struct kri_injection_chunk kri_injection_chunk;

/* All zero is empty and open.  The fields are told at the top of injection.c. */
typedef struct kri_injection {
    kri_mutex lock;
    int error;
    kri_injection_chunk *first;
    kri_injection_chunk *last;
    kri_pointer spares[KRI_INJECTION_SPARES];
    unsigned char apart[64]; /* who only looks whether it is empty does not slow the others */
    kri_word64 length;
} kri_injection;

/* kri_injection_push - add the newest item.
 *
 * 0; -ENOMEM, nothing changed; the error that the queue is closed with.  Sequentially consistent
 * with kri_injection_is_empty: a pusher that then loads (sc) whether somebody sleeps, and a sleeper
 * that stores (sc) that it does and then finds the queue empty, cannot miss each other. */
int kri_injection_push(kri_injection *q, uint64_t item);

/* kri_injection_push_then - the same, and once the item is inside, `then` is called before anybody
 * can take it out.  The queue is not touched after that, but for being unlocked: whoever takes the
 * item may free it. */
int kri_injection_push_then(kri_injection *q, uint64_t item, void (*then)(void *context),
                            void *context);

/* kri_injection_take - take the oldest items, in order, at most `most` (1 to 64).
 *
 * How many; 0: it was empty at some moment of the call.  It may be fewer than `most` though there
 * are more. */
size_t kri_injection_take(kri_injection *q, uint64_t *items, size_t most);

/* kri_injection_remove - take out this very item, if it is the oldest or the newest. */
bool kri_injection_remove(kri_injection *q, uint64_t item);

bool kri_injection_is_empty(const kri_injection *q);
size_t kri_injection_length(const kri_injection *q);

/* kri_injection_close - from now on every push returns `error`; what is inside stays and can be
 * taken.  0 opens it again. */
void kri_injection_close(kri_injection *q, int error);

/* kri_injection_sweep - drop the items for which is_stale is true; how many.  The others keep their
 * order.  is_stale is called for each item once, under the queue's lock. */
size_t kri_injection_sweep(kri_injection *q, bool (*is_stale)(uint64_t item, void *context),
                           void *context);

/* kri_injection_free - give back the memory of a queue that is empty and that nobody else uses;
 * then it can be used anew. */
void kri_injection_free(kri_injection *q);

#endif
