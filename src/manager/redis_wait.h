/* Waiting at a manager's objects on a server; see redis_wait.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_REDIS_WAIT_H
#define KRI_MANAGER_REDIS_WAIT_H

#include "manager/redis_object.h"

/* Functions for scripts.
 *     now()           the server's clock, milliseconds
 *     stand(room, id) to wait there, from now on or still
 *     leave(room, id) not any more; 0: it was rung for, or did not wait
 *     ring(room, n)   for the n that have waited longest and are alive; how many there were */
#define KRI_LUA_WAIT                                                                               \
    "local function now() local t = redis.call('TIME') "                                           \
    "  return t[1] * 1000 + math.floor(t[2] / 1000) end "                                          \
    "local function stand(room, id) local t = redis.call('TIME') "                                 \
    "  redis.call('ZADD', room, 'NX', t[1] * 1000000 + t[2], id) "                                 \
    "  redis.call('HSET', room .. ':live', id, now() + 6000) end "                                 \
    "local function leave(room, id) redis.call('HDEL', room .. ':live', id) "                      \
    "  return redis.call('ZREM', room, id) end "                                                   \
    "local function ring(room, n) local rung = 0 "                                                 \
    "  while rung < n do "                                                                         \
    "    local id = redis.call('ZRANGE', room, 0, 0)[1] "                                          \
    "    if not id then break end "                                                                \
    "    local until_ = tonumber(redis.call('HGET', room .. ':live', id) or '0') "                 \
    "    leave(room, id) "                                                                         \
    "    if until_ >= now() then rung = rung + 1 "                                                 \
    "      redis.call('RPUSH', 'krait:bell:' .. id, '1') "                                         \
    "      redis.call('PEXPIRE', 'krait:bell:' .. id, 20000) end "                                 \
    "  end return rung end "

/* Somebody who waits: an id of his own. */
typedef struct kri_redis_bell {
    char id[KRI_REDIS_TOKEN];
} kri_redis_bell;

static inline void kri_redis_bell_begin(kri_redis_bell *bell)
{
    kri_redis_token(bell->id);
}

/* Sleep until it is rung, for so long at most and until the deadline.
 *
 * 1: it was rung; 0: not, or nobody knows: look again; -ETIMEDOUT: the deadline has passed;
 * -ECANCELED; errors of the server's. */
int kri_redis_bell_wait(const kri_redis_object *o, const kri_redis_bell *bell, kr_time most,
                        kr_time deadline);
enum { KRI_REDIS_SLICE_S = 2 };

/* Wait no more in that room, whatever the caller's scope says; who was rung for in vain passes it
 * on to the next. */
void kri_redis_leave(const kri_redis_object *o, kri_redis_word room, const kri_redis_bell *bell);

#endif
