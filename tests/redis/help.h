/* What the tests of connections to a server share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REDIS_HELP_H
#define KRI_REDIS_HELP_H

#include "harness/redis.h"
#include "io/help.h"
#include "redis/redis.h"
#include <krait/krait.h>

/* Skips the case in a build that has no servers. */
static inline kri_redis *open_pool(const char *url, const kri_redis_options *options)
{
    kri_redis *r;
    char text[200];
    int err = kri_redis_open(&r, url, options);
    if (err == -ENOSYS)
        SKIP(kr_redis_error_text(text, sizeof text));
    if (err != 0)
        kri_test_note("%s", kr_redis_error_text(text, sizeof text));
    CHECK_EQ(err, 0);
    return r;
}

static inline int set_text(kri_redis *r, const char *key, const char *value)
{
    kri_reply *reply;
    int err = kri_redis_do(r, KRI_WORDS(kri_word("SET"), kri_word(key), kri_word(value)), 0,
                           kri_redis_deadline(r), &reply);
    kri_reply_free(reply);
    return err;
}

static inline int get_text(kri_redis *r, const char *key, char *value, size_t room)
{
    kri_reply *reply;
    size_t size;
    int err = kri_redis_do(r, KRI_WORDS(kri_word("GET"), kri_word(key)), KRI_REDIS_AGAIN,
                           kri_redis_deadline(r), &reply);
    value[0] = '\0';
    if (err == 0 && kri_reply_kind(reply) == KRI_NIL)
        err = -ENOENT;
    if (err == 0)
        snprintf(value, room, "%s", kri_reply_bytes(reply, &size));
    kri_reply_free(reply);
    return err;
}

static inline int64_t increment(kri_redis *r, const char *key, kr_time timeout)
{
    kri_reply *reply;
    int err = kri_redis_do(r, KRI_WORDS(kri_word("INCR"), kri_word(key)), 0, kri_deadline(timeout),
                           &reply);
    int64_t value = err == 0 ? kri_reply_integer(reply) : err;
    kri_reply_free(reply);
    return value;
}

#endif
