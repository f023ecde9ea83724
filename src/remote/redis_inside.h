/* What the files of kr_redis_pool share: redis_pool.c, redis_look.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REMOTE_REDIS_INSIDE_H
#define KRI_REMOTE_REDIS_INSIDE_H

#include "remote/post.h"
#include <krait/coroutine.h>
#include <krait/lock.h>

/* Where a task that was sent lies. */
typedef struct kri_redis_task {
    uint64_t number; /* 0: nowhere, as far as we know */
    char id[KRI_POST_ID];
    bool missing; /* neither it nor, perhaps, its result is there */
} kri_redis_task;

enum { KRI_REDIS_LOOK_WORDS = 8 };

/* The fields: redis_pool.c, and of the last ones redis_look.c. */
typedef struct kri_redis_pool {
    kri_cluster cluster; /* first */
    kri_post post;
    kri_signer signer;  /* the sender's */
    kri_signer checker; /* the reader's */
    unsigned char session[KRI_MESSAGE_SESSION];
    char results[KRI_POST_KEY];
    char mark[KRI_POST_KEY];
    kr_lock sending;
    uint64_t marked;
    kr_word sent;
    kr_word forgotten;
    kr_word stop;
    kr_word failed;
    char last[KRI_POST_ID];
    size_t untrimmed;
    kr_time next_look;
    kr_cancel_scope scope; /* the reader's */
    kr_thread *reader;
    size_t missing; /* [sending] */
    char missed_at[KRI_POST_ID];
    kri_redis_task tasks[KRI_ERRANDS];
    uint64_t asked[KRI_ERRANDS];
    kri_redis_word words[KRI_REDIS_LOOK_WORDS + KRI_ERRANDS];
} kri_redis_pool;

/* kri_redis_note_sent - a task of that number has this id in the stream.  With `sending`. */
void kri_redis_note_sent(kri_redis_pool *p, uint64_t number, const kri_reply *id);

/* kri_redis_look - is there what was sent?  Tasks that are not are sent again.  With `sending`, by
 * the reader.  1: yes; 0: the server has lost more than that; or an error. */
int kri_redis_look(kri_redis_pool *p);

#endif
