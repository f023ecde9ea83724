/* A list on a Redis server over its Unix socket, by bare hiredis, one request at a time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "list.h"
#include "redis.h"

#include <hiredis/hiredis.h>
#include <string.h>

static void *create(void)
{
    redisContext *c = redisConnectUnix(bench_redis_start());
    if (c == NULL || c->err != 0)
        bench_fail("connecting to the server");
    return c;
}

static redisReply *ask(redisContext *c, int count, const char **words, const size_t *sizes,
                       int type)
{
    redisReply *reply = redisCommandArgv(c, count, words, sizes);
    if (reply == NULL || reply->type != type)
        bench_fail("an answer of the server");
    return reply;
}

static void add(void *list, bool left, const char *item)
{
    const char *words[] = {left ? "LPUSH" : "RPUSH", "list", item};
    freeReplyObject(ask(list, 3, words, (size_t[]){5, 4, BENCH_ITEM}, REDIS_REPLY_INTEGER));
}

static void take(void *list, bool left, char *item)
{
    const char *words[] = {left ? "LPOP" : "RPOP", "list"};
    redisReply *reply = ask(list, 2, words, (size_t[]){4, 4}, REDIS_REPLY_STRING);
    memcpy(item, reply->str, BENCH_ITEM);
    freeReplyObject(reply);
}

static void end(void *list)
{
    redisFree(list);
}

const struct bench_list bench_redis_list = {create, add, take, end};
