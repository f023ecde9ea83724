/* The inside of a pool of loops; the protocol is told in loop_pool.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_LOOP_POOL_H
#define KRI_LOOP_LOOP_POOL_H

#include <krait/thread.h>

#include "executor/finish.h"
#include "loop/loop.h"

enum { KRI_LOOP_POOL_NAME = 32 };

typedef struct kri_loop_pool kri_loop_pool;

typedef struct kri_loop_member {
    kri_loop_pool *pool;
    kri_loop *loop;
    kr_thread *thread;
    kri_posted end;
    kri_posted cancel;
    bool told; /* the loop's thread */
} kri_loop_member;

struct kri_loop_pool {
    kr_executor executor;
    kri_loop_member *members; /* const; as many as the executor has workers */
    kr_word started;          /* atomic: threads; const once made */
    kr_word alive;            /* atomic: threads whose loop has not ended */
    kr_word references;       /* atomic */
    kr_word queued;           /* atomic: tasks that have not begun, with .max_queued; closed? */
    size_t max_queued;        /* const; 0: no limit */
    int (*initializer)(void *arg);
    void *initializer_arg;
    kr_word broken;  /* atomic: an initializer failed */
    kr_word cancels; /* atomic: what has not begun is cancelled */
    kri_mutex mutex;
    bool told; /* [mutex] a shutdown has been told to all */
    kri_finish finish;
    char name[KRI_LOOP_POOL_NAME];
};

#endif
