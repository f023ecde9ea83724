/* A hash on a Redis server over its Unix socket, by bare hiredis: one request at a time, and many
 * in one piece.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dict.h"
#include "redis.h"

#include <hiredis/hiredis.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 16 };

struct hand {
    const char *path;
    redisContext *c;
};

static void *connect_to(const char *path)
{
    struct hand *hand = malloc(sizeof *hand);
    if (hand == NULL)
        bench_fail("malloc");
    *hand = (struct hand){path, redisConnectUnix(path)};
    if (hand->c == NULL || hand->c->err != 0)
        bench_fail("connecting to the server");
    return hand;
}

static void *create(void)
{
    return connect_to(bench_redis_start());
}

static void *enter(void *created)
{
    return connect_to(((struct hand *)created)->path);
}

static void ask_for(void *dict, const bench_key *key, const char *value)
{
    redisContext *c = ((struct hand *)dict)->c;
    const char *words[] = {value != NULL ? "HSET" : "HGET", "dict", *key, value};
    size_t sizes[] = {4, 4, BENCH_KEY, BENCH_VALUE};
    if (redisAppendCommandArgv(c, value != NULL ? 4 : 3, words, sizes) != REDIS_OK)
        bench_fail("a request");
}

/* To a get: the value. */
static void take(void *dict, char *value)
{
    redisContext *c = ((struct hand *)dict)->c;
    void *answer = NULL;
    if (redisGetReply(c, &answer) != REDIS_OK)
        bench_fail("an answer of the server");
    redisReply *reply = answer;
    if (reply->type != (value != NULL ? REDIS_REPLY_STRING : REDIS_REPLY_INTEGER))
        bench_fail("an answer of the server");
    if (value != NULL)
        memcpy(value, reply->str, BENCH_VALUE);
    freeReplyObject(reply);
}

static void get(void *dict, const bench_key *key, char *value)
{
    ask_for(dict, key, NULL);
    take(dict, value);
}

static void set(void *dict, const bench_key *key, const char *value)
{
    ask_for(dict, key, value);
    take(dict, NULL);
}

static void get_many(void *dict, const bench_key *const *keys, char *values)
{
    for (int i = 0; i < AT_ONCE; i++)
        ask_for(dict, keys[i], NULL);
    for (int i = 0; i < AT_ONCE; i++)
        take(dict, values + (size_t)i * BENCH_VALUE);
}

static void set_many(void *dict, const bench_key *const *keys, const char *values)
{
    for (int i = 0; i < AT_ONCE; i++)
        ask_for(dict, keys[i], values + (size_t)i * BENCH_VALUE);
    for (int i = 0; i < AT_ONCE; i++)
        take(dict, NULL);
}

const struct bench_dict bench_redis_dict = {
    .create = create, .enter = enter, .get = get, .set = set};

const struct bench_dict bench_redis_dict_piped = {.create = create,
                                                  .enter = enter,
                                                  .get = get,
                                                  .set = set,
                                                  .batch = AT_ONCE,
                                                  .get_many = get_many,
                                                  .set_many = set_many};
