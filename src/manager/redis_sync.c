/* A manager's semaphores and events on a server.
 *
 * A semaphore is a hash with its value and its bound; an event that is set is a key.  Both have a
 * room of those who wait: see redis_wait.c.  Who waits for an event goes when its bell is rung,
 * also when the event was cleared since: whoever waited while it was set is let go.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_sync.h"
#include <limits.h>

/* KEYS: the object, its room.  ARGV: id, whether to wait. */
static const kri_redis_script take_permit = {
    KRI_LUA_WAIT
    "if tonumber(redis.call('HGET', KEYS[1], 'value') or '0') > 0 then "
    "  redis.call('HINCRBY', KEYS[1], 'value', -1) leave(KEYS[2], ARGV[1]) return 1 end "
    "if ARGV[2] == '1' then stand(KEYS[2], ARGV[1]) end return 0"};

/* ARGV: permits, the most that there may be */
static const kri_redis_script give_permits = {
    KRI_LUA_WAIT "local bound = tonumber(redis.call('HGET', KEYS[1], 'bound') or '0') "
                 "local most = tonumber(ARGV[2]) "
                 "if bound > 0 and bound < most then most = bound end "
                 "local value = tonumber(redis.call('HGET', KEYS[1], 'value') or '0') "
                 "if value + ARGV[1] > most then return 0 end "
                 "redis.call('HINCRBY', KEYS[1], 'value', ARGV[1]) "
                 "ring(KEYS[2], tonumber(ARGV[1])) return 1"};

static const kri_redis_script set_event = {
    KRI_LUA_WAIT "redis.call('SET', KEYS[1], '1') ring(KEYS[2], 2147483647) return 1"};

static const kri_redis_script look_at_event = {
    KRI_LUA_WAIT "if redis.call('EXISTS', KEYS[1]) == 1 then leave(KEYS[2], ARGV[1]) return 1 end "
                 "if ARGV[2] == '1' then stand(KEYS[2], ARGV[1]) end return 0"};

int kri_redis_try_and_wait(const kri_redis_object *o, const kri_redis_script *script,
                           bool rung_is_done, kr_time timeout)
{
    kri_redis_key key;
    kri_redis_bell bell;
    kr_time deadline = kri_deadline(timeout);
    kri_redis_word room = kri_object_key(o, "room", &key);
    kri_redis_bell_begin(&bell);
    for (;;) {
        int64_t got = kri_object_run_ask(o, script, 2,
                                         KRI_WORDS(kri_object_word(o), room, kri_word(bell.id),
                                                   kri_word(timeout != 0 ? "1" : "0")),
                                         0);
        if (got > 0)
            return 0;
        if (got == 0 && timeout == 0)
            return -ETIMEDOUT;
        int rung = got < 0 ? (int)got : kri_redis_bell_wait(o, &bell, KR_FOREVER, deadline);
        if (rung > 0 && rung_is_done)
            return 0;
        if (rung < 0) {
            if (timeout != 0)
                kri_redis_leave(o, room, &bell);
            return rung;
        }
    }
}

/* Semaphores */

int kri_redis_semaphore_acquire(const kri_redis_object *o, kr_time timeout)
{
    return kri_redis_try_and_wait(o, &take_permit, false, timeout);
}

int kri_redis_semaphore_release(const kri_redis_object *o, int permits)
{
    kri_redis_key key;
    kri_digits digits[2];
    int64_t done = kri_object_run_ask(o, &give_permits, 2,
                                      KRI_WORDS(kri_object_word(o), kri_object_key(o, "room", &key),
                                                kri_word_integer(&digits[0], permits),
                                                kri_word_integer(&digits[1], INT_MAX)),
                                      0);
    return done < 0 ? (int)done : done == 0 ? -EOVERFLOW : 0;
}

/* Events */

int kri_redis_event_set(const kri_redis_object *o)
{
    kri_redis_key key;
    int64_t done = kri_object_run_ask(
        o, &set_event, 2, KRI_WORDS(kri_object_word(o), kri_object_key(o, "room", &key)), 0);
    return done < 0 ? (int)done : 0;
}

int kri_redis_event_clear(const kri_redis_object *o)
{
    int64_t had = kri_object_ask(o, KRI_WORDS(kri_word("DEL"), kri_object_word(o)), 0);
    return had < 0 ? (int)had : 0;
}

int64_t kri_redis_event_is_set(const kri_redis_object *o)
{
    return kri_object_ask(o, KRI_WORDS(kri_word("EXISTS"), kri_object_word(o)), KRI_REDIS_AGAIN);
}

int kri_redis_event_wait(const kri_redis_object *o, kr_time timeout)
{
    return kri_redis_try_and_wait(o, &look_at_event, true, timeout);
}
