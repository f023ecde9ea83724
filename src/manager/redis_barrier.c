/* A manager's barriers on a server.
 *
 * State.  A hash: `parties`; `round`, which rises when the round is over, however it ends;
 * `waiting`, how many have arrived in it; `over<round>`, how that one ended, for the last few: 1:
 * all had arrived, 2: it broke or was reset; `broken`.
 *
 * Protocol.  Who is the last to arrive ends the round and rings for the others; each of them finds
 * that his round is over.  Who gives up while it is not ends it by breaking the barrier.  A party
 * that dies is missed until somebody's time is up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_sync.h"

#define FIELD(name) "tonumber(redis.call('HGET', KEYS[1], '" name "') or '0')"
#define END_ROUND                                                                                  \
    "local function end_round(over, broken) "                                                      \
    "  local round = redis.call('HINCRBY', KEYS[1], 'round', 1) - 1 "                              \
    "  redis.call('HSET', KEYS[1], 'waiting', 0, 'broken', broken, 'over' .. round, over) "        \
    "  redis.call('HDEL', KEYS[1], 'over' .. (round - 64)) "                                       \
    "  ring(KEYS[2], 2147483647) end "

/* KEYS: the barrier, its room.  ARGV: id.  {round, place, last}: wait for the end of that round,
 * unless this is the last; place -1: it is broken. */
static const kri_redis_script arrive = {KRI_LUA_WAIT END_ROUND "if " FIELD(
    "broken") " == 1 then return {0, -1, 0} end "
              "local round = " FIELD(
                  "round") " "
                           "local place = redis.call('HINCRBY', KEYS[1], 'waiting', 1) - 1 "
                           "if place + 1 >= " FIELD(
                               "parties") " then end_round(1, 0) return {round, place, 1} end "
                                          "stand(KEYS[2], ARGV[1]) return {round, place, 0}"};

/* ARGV: id, the round.  1: it is over, all had arrived; 2: it is over, and broke; 0: it is not. */
#define LOOK                                                                                       \
    "local over = redis.call('HGET', KEYS[1], 'over' .. ARGV[2]) "                                 \
    "if over then return tonumber(over) end "
static const kri_redis_script look = {KRI_LUA_WAIT LOOK "stand(KEYS[2], ARGV[1]) return 0"};

/* The same of who gives up: 0: it is broken by that. */
static const kri_redis_script give_up = {KRI_LUA_WAIT END_ROUND LOOK
                                         "leave(KEYS[2], ARGV[1]) end_round(2, 1) return 0"};

/* ARGV: whether it is broken then.  Who waits is let go, as from one that broke. */
static const kri_redis_script end_now = {KRI_LUA_WAIT END_ROUND "if " FIELD(
    "waiting") " > 0 then end_round(2, ARGV[1]) "
               "else redis.call('HSET', KEYS[1], 'broken', ARGV[1]) end return 0"};

typedef struct arrival {
    kri_redis_key key;
    kri_redis_word room;
    kri_redis_bell bell;
    int64_t round;
    int64_t place;
    int64_t last;
} arrival;

static int begin(const kri_redis_object *o, arrival *a)
{
    kri_reply *reply;
    kri_redis_bell_begin(&a->bell);
    a->room = kri_object_key(o, "room", &a->key);
    int err = kri_object_run(
        o, &arrive, 2, KRI_WORDS(kri_object_word(o), a->room, kri_word(a->bell.id)), 0, &reply);
    if (err == 0) {
        a->round = kri_reply_integer(kri_reply_at(reply, 0));
        a->place = kri_reply_integer(kri_reply_at(reply, 1));
        a->last = kri_reply_integer(kri_reply_at(reply, 2));
    }
    kri_reply_free(reply);
    return err;
}

static int64_t ask(const kri_redis_object *o, const arrival *a, const kri_redis_script *script)
{
    kri_digits digits;
    return kri_object_run_ask(o, script, 2,
                              KRI_WORDS(kri_object_word(o), a->room, kri_word(a->bell.id),
                                        kri_word_integer(&digits, a->round)),
                              0);
}

/* Given up; the round may have ended all the same. */
static int leave_round(const kri_redis_object *o, const arrival *a, int error)
{
    int64_t over = 0;
    kr_shield {
        over = ask(o, a, &give_up);
    }
    if (over == 1)
        return (int)a->place;
    return over < 0 ? (int)over : error == -ETIMEDOUT ? KR_EBROKEN : error;
}

int kri_redis_barrier_wait(const kri_redis_object *o, kr_time timeout)
{
    arrival a;
    kr_time deadline = kri_deadline(timeout);
    int err = begin(o, &a);
    if (err < 0)
        return err;
    if (a.place < 0)
        return KR_EBROKEN;
    if (a.last != 0)
        return (int)a.place;
    for (;;) {
        int rung = kri_redis_bell_wait(o, &a.bell, KR_FOREVER, deadline);
        if (rung < 0)
            return leave_round(o, &a, rung);
        int64_t over = ask(o, &a, &look);
        if (over != 0)
            return over == 1 ? (int)a.place : over == 2 ? KR_EBROKEN : (int)over;
    }
}

static int end_it(const kri_redis_object *o, const char *broken)
{
    kri_redis_key key;
    return (int)kri_object_run_ask(
        o, &end_now, 2,
        KRI_WORDS(kri_object_word(o), kri_object_key(o, "room", &key), kri_word(broken)), 0);
}

int kri_redis_barrier_reset(const kri_redis_object *o)
{
    return end_it(o, "0");
}

int kri_redis_barrier_abort(const kri_redis_object *o)
{
    return end_it(o, "1");
}
