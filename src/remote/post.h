/* What pools and workers that meet at a Redis server share: where things lie there.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REMOTE_POST_H
#define KRI_REMOTE_POST_H

#include <krait/redis_pool.h>

#include "redis/redis.h"
#include "remote/cluster.h"

enum { KRI_POST_KEY = 160, KRI_POST_ID = 48 };
enum { KRI_POST_TTL = 3600 * 1000, KRI_POST_SIGN_TTL = 60 * 1000 }; /* milliseconds */
#define KRI_POST_GROUP "workers"

typedef struct kri_post {
    kri_redis *server;
    uint64_t program;
    uint64_t max_message;
    kr_time timeout;
    kr_time lease;
    char name[72];
    char tasks[KRI_POST_KEY];
    char sign[KRI_POST_KEY];
} kri_post;

/* 0, or an error of kr_redis_pool's. */
int kri_post_open(kri_post *post, const char *where, const char *name,
                  const kr_remote_options *remote);
void kri_post_close(kri_post *post);
int kri_post_make_group(kri_post *post, kr_time deadline);

/* kri_post_enter - the group, and is our key that of the others?  0; KR_EAUTH: it is not; KR_ETASK:
 * they are another program. */
int kri_post_enter(kri_post *post, kri_signer *signer, kr_time deadline);

/* What a session has of its own; `what` is "results" or "mark". */
void kri_post_key(const kri_post *post, const char *what, const unsigned char *session,
                  char key[KRI_POST_KEY]);

/* An entry of a stream is [id, ["m", bytes]]; false: it is no such. */
bool kri_post_entry(const kri_reply *entry, char id[KRI_POST_ID], const unsigned char **bytes,
                    size_t *size);

#endif
