/* What the tests of managers on a server share: the server itself, asked as any client would.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SERVER_HELP_H
#define KRI_MANAGER_SERVER_HELP_H

#include "harness/children.h"
#include "manager/redis_manager.h"
#include "redis/help.h"

static inline kr_manager *open_manager(const char *url, const kr_manager_options *options)
{
    kr_manager *m;
    int err = kr_manager_open(&m, url, options);
    if (err == -ENOSYS)
        SKIP("built without hiredis");
    CHECK_EQ(err, 0);
    return m;
}

/* With leases that a test can wait for. */
static inline kr_manager *open_with_lease(const char *url, kr_time lease)
{
    kr_manager *m = open_manager(url, NULL);
    kri_redis_manager_of(m)->lease = lease;
    return m;
}

/* A request of another client's; its answer as text, good until the next. */
static inline const char *client(kr_manager *m, const kri_redis_word *words, int count)
{
    static char text[256];
    kri_reply *reply;
    size_t size;
    kri_redis *r = kri_redis_of(m);
    CHECK_EQ(kri_redis_do(r, words, count, 0, kri_redis_deadline(r), &reply), 0);
    if (kri_reply_kind(reply) == KRI_INTEGER)
        snprintf(text, sizeof text, "%lld", (long long)kri_reply_integer(reply));
    else
        snprintf(text, sizeof text, "%s", kri_reply_bytes(reply, &size));
    kri_reply_free(reply);
    return text;
}

#define CLIENT_WORDS(...)                                                                          \
    (const char *const[]){__VA_ARGS__},                                                            \
        (int)(sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))

static inline const char *client_says(kr_manager *m, const char *const *texts, int count)
{
    kri_redis_word words[8];
    CHECK_LE(count, 8);
    for (int i = 0; i < count; i++)
        words[i] = kri_word(texts[i]);
    return client(m, words, count);
}

#define CLIENT(m, ...) client_says(m, CLIENT_WORDS(__VA_ARGS__))

#endif
