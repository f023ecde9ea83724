/* Waiting at a manager's objects on a server.
 *
 * State.  An object at which somebody waits has a room: a sorted set of the ids of those who wait,
 * the first that came first, and beside it until when each of them is known to be alive.  Each id
 * has a bell: a list that is empty, or holds one item when it was rung.
 *
 * Protocol.
 *     waiting   A script tries, and where that fails puts the caller's id into the room: one step,
 *               so nothing is missed between.  Then the caller sleeps in a blocking pop of his
 *               bell.  After some seconds at most he tries again, which also says that he is alive.
 *     ringing   A script that makes something possible takes ids out of the room and rings their
 *               bells; whom nothing was heard of for some seconds is passed over.
 *     leaving   Who gives up takes his id out.  If it was out already he was rung for, and passes
 *               that on.
 *     deaths    A bell that nobody hears any more is gone after some seconds.  What it was rung for
 *               is found by those who wait when they try again.
 *
 * Why not a blocking pop of the object itself?  That serves a queue, where what is waited for is an
 * item; what a lock or a barrier hands out is not one.  Why not publish and subscribe?  Who is not
 * connected at that moment misses it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_wait.h"
#include "os/os.h"
#include <stdio.h>

/* KEYS[1] the room, ARGV[1] the id */
static const kri_redis_script leave = {
    KRI_LUA_WAIT "if leave(KEYS[1], ARGV[1]) == 0 then "
                 "  if redis.call('DEL', 'krait:bell:' .. ARGV[1]) == 1 then ring(KEYS[1], 1) end "
                 "end return 0"};

static kr_time least(kr_time a, kr_time b)
{
    return a < b ? a : b;
}

/* As the server counts: seconds, with a fraction; never 0, which would be for ever. */
static kri_redis_word seconds(char text[static 32], kr_time time)
{
    int64_t ms = time / 1000000 + 1;
    int length = snprintf(text, 32, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
    return kri_word_of(text, (size_t)length);
}

int kri_redis_bell_wait(const kri_redis_object *o, const kri_redis_bell *bell, kr_time most,
                        kr_time deadline)
{
    char text[32];
    char key[KRI_REDIS_TOKEN + 16];
    kri_reply *reply;
    kr_time left = kri_left_until(deadline);
    if (left == 0)
        return -ETIMEDOUT;
    kr_time nap = least(least(most, kr_sec(KRI_REDIS_SLICE_S)), left);
    (void)snprintf(key, sizeof key, "krait:bell:%s", bell->id);
    kr_time limit = kri_deadline(nap + kri_redis_timeout(o->redis));
    int err =
        kri_redis_do(o->redis, KRI_WORDS(kri_word("BLPOP"), kri_word(key), seconds(text, nap)),
                     KRI_REDIS_BLOCKS, limit, &reply);
    int rung = err < 0 ? err : kri_reply_count(reply) > 0;
    kri_reply_free(reply);
    return rung == KR_EUNSURE ? 0 : rung;
}

void kri_redis_leave(const kri_redis_object *o, kri_redis_word room, const kri_redis_bell *bell)
{
    kri_object_clean(o, &leave, 1, KRI_WORDS(room, kri_word(bell->id)));
}
