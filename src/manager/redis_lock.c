/* A manager's locks on a server.
 *
 * State.  A lock that is held is a key with its holder's token, which the server takes away when
 * its lease is over.  Beside it: `fence`, a number that rises with each acquire; `held`, which is
 * there from an acquire to its release, so that who finds it at a lock that nobody holds knows that
 * a lease ran out; and the room of those who wait.
 *
 * Protocol.  Acquiring is a script, so that nothing comes between the look and the taking; a second
 * one with the same token finds that it holds the lock already, so it may be sent again.  Who waits
 * sleeps no longer than the lease at hand lasts.  Releasing compares the token, so that nobody
 * releases another's lock because his own lease is over.  Who did not acquire it through this
 * handle releases it whoever holds it, as Python lets him.
 *
 * A recursive lock's key is a hash: its owner, which is a party of a process, and a count.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_lock.h"
#include "base/global.h"
#include "os/os.h"
#include <stdio.h>

/* KEYS: the lock, fence, held, room.  ARGV: token, milliseconds, id, whether to wait.
 * {1, fence}: it is ours; {2, fence}: and a lease ran out before; {0, milliseconds}: it is not. */
static const kri_redis_script acquire = {
    KRI_LUA_WAIT "local held = redis.call('GET', KEYS[1]) "
                 "if held == ARGV[1] then return {1, tonumber(redis.call('GET', KEYS[2]))} end "
                 "if not held then "
                 "  local died = redis.call('EXISTS', KEYS[3]) "
                 "  redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) "
                 "  redis.call('SET', KEYS[3], '1') "
                 "  leave(KEYS[4], ARGV[3]) "
                 "  return {1 + died, redis.call('INCR', KEYS[2])} end "
                 "if ARGV[4] == '1' then stand(KEYS[4], ARGV[3]) end "
                 "return {0, redis.call('PTTL', KEYS[1])}"};

/* KEYS: the lock, held, room.  ARGV: the token, or "": whoever's it is. */
static const kri_redis_script release = {
    KRI_LUA_WAIT "local held = redis.call('GET', KEYS[1]) "
                 "if not held or (ARGV[1] ~= '' and ARGV[1] ~= held) then return 0 end "
                 "redis.call('DEL', KEYS[1], KEYS[2]) ring(KEYS[3], 1) return 1"};

/* As `acquire`, and ARGV[1] is who.  `last` is the id that it was acquired with the last time. */
static const kri_redis_script acquire_again = {
    KRI_LUA_WAIT "local owner = redis.call('HGET', KEYS[1], 'owner') "
                 "if owner == ARGV[1] then "
                 "  if redis.call('HGET', KEYS[1], 'last') ~= ARGV[3] then "
                 "    redis.call('HINCRBY', KEYS[1], 'count', 1) "
                 "    redis.call('HSET', KEYS[1], 'last', ARGV[3]) end "
                 "  return {1, tonumber(redis.call('GET', KEYS[2]))} end "
                 "if not owner then "
                 "  local died = redis.call('EXISTS', KEYS[3]) "
                 "  redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'count', 1, 'last', ARGV[3]) "
                 "  redis.call('PEXPIRE', KEYS[1], ARGV[2]) "
                 "  redis.call('SET', KEYS[3], '1') "
                 "  leave(KEYS[4], ARGV[3]) "
                 "  return {1 + died, redis.call('INCR', KEYS[2])} end "
                 "if ARGV[4] == '1' then stand(KEYS[4], ARGV[3]) end "
                 "return {0, redis.call('PTTL', KEYS[1])}"};

/* KEYS: the lock, held, room.  -1: not the owner's; else how often it is still held. */
static const kri_redis_script release_once = {
    KRI_LUA_WAIT
    "if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return -1 end "
    "local count = redis.call('HINCRBY', KEYS[1], 'count', -1) "
    "if count == 0 then redis.call('DEL', KEYS[1], KEYS[2]) ring(KEYS[3], 1) end return count"};

/* The same of who does not know whether he has it: if that id was the last. */
static const kri_redis_script release_last = {
    KRI_LUA_WAIT "if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] or "
                 "   redis.call('HGET', KEYS[1], 'last') ~= ARGV[2] then return 0 end "
                 "redis.call('HDEL', KEYS[1], 'last') "
                 "if redis.call('HINCRBY', KEYS[1], 'count', -1) == 0 then "
                 "  redis.call('DEL', KEYS[1], KEYS[2]) ring(KEYS[3], 1) end return 1"};

/* KEYS: the lock, held, room, the condition's room.  ARGV: the token, id. */
static const kri_redis_script give_up_and_stand = {
    KRI_LUA_WAIT "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
                 "stand(KEYS[4], ARGV[2]) "
                 "redis.call('DEL', KEYS[1], KEYS[2]) ring(KEYS[3], 1) return 1"};

/* KEYS: the condition's room; ARGV: id.  1: still there; 0: notified. */
static const kri_redis_script still_stand = {
    KRI_LUA_WAIT "if redis.call('ZSCORE', KEYS[1], ARGV[1]) == false then return 0 end "
                 "stand(KEYS[1], ARGV[1]) return 1"};

/* KEYS: the lock, the condition's room; ARGV: the token, how many. */
static const kri_redis_script notify = {
    KRI_LUA_WAIT "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end "
                 "return ring(KEYS[2], tonumber(ARGV[2]))"};

typedef struct lock_keys {
    kri_redis_key fence;
    kri_redis_key held;
    kri_redis_key room;
} lock_keys;

/* How one kind is had, and given back by who does not know whether he has it. */
typedef struct lock_kind {
    const kri_redis_script *acquire;
    const kri_redis_script *release;
} lock_kind;

/* One try.  1, 2: it is ours, *number is the fence; 0: for how many ms it is another's. */
static int64_t try_acquire(const kri_redis_object *o, const kri_redis_script *script,
                           const char *who, kr_time lease, const kri_redis_bell *bell, bool wait,
                           int64_t *number)
{
    lock_keys k;
    kri_digits digits;
    kri_reply *reply;
    int64_t err = kri_object_run(o, script, 4,
                                 KRI_WORDS(kri_object_word(o), kri_object_key(o, "fence", &k.fence),
                                           kri_object_key(o, "held", &k.held),
                                           kri_object_key(o, "room", &k.room), kri_word(who),
                                           kri_word_integer(&digits, lease / kr_ms(1)),
                                           kri_word(bell->id), kri_word(wait ? "1" : "0")),
                                 KRI_REDIS_AGAIN, &reply);
    if (err == 0 && kri_reply_count(reply) != 2)
        err = -EPROTO;
    if (err == 0) {
        err = kri_reply_integer(kri_reply_at(reply, 0));
        *number = kri_reply_integer(kri_reply_at(reply, 1));
    }
    kri_reply_free(reply);
    return err;
}

/* After a try without an answer, it may be ours; or nobody could renew it. */
static void give_up_for_sure(const kri_redis_object *o, const kri_redis_script *script,
                             const char *who, const kri_redis_bell *bell)
{
    lock_keys k;
    kri_object_clean(o, script, 3,
                     KRI_WORDS(kri_object_word(o), kri_object_key(o, "held", &k.held),
                               kri_object_key(o, "room", &k.room), kri_word(who),
                               kri_word(bell->id)));
}

/* How long to sleep for somebody's lease; a key that others have put there may have none. */
static kr_time lease_of(int64_t ms)
{
    enum { SLACK_MS = 2, MOST_MS = 1000 * KRI_REDIS_SLICE_S };
    return kr_ms((ms < 0 || ms > MOST_MS ? MOST_MS : ms) + SLACK_MS);
}

static int wait_and_acquire(const kri_redis_object *o, const lock_kind *kind, const char *who,
                            kri_redis_lock *lock, kr_time timeout)
{
    kri_redis_bell bell;
    kri_redis_key key;
    int64_t number = 0, got;
    int err;
    kr_time deadline = kri_deadline(timeout);
    kri_redis_bell_begin(&bell);
    do {
        got = try_acquire(o, kind->acquire, who, lock->time, &bell, timeout != 0, &number);
        if (got == 0 && timeout == 0)
            return -ETIMEDOUT;
        err = got < 0   ? (int)got
              : got > 0 ? kri_redis_lease_keep(o, &lock->lease, who, number, lock->time / 3)
                        : kri_redis_bell_wait(o, &bell, lease_of(number), deadline);
    } while (got == 0 && err >= 0);
    if (err >= 0)
        return got == 2 ? KR_OWNER_DIED : 0;
    if (got != 0)
        give_up_for_sure(o, kind->release, who, &bell);
    if (timeout != 0)
        kri_redis_leave(o, kri_object_key(o, "room", &key), &bell);
    return err;
}

/* Locks */

int kri_redis_lock_acquire(const kri_redis_object *o, kri_redis_lock *lock, kr_time timeout)
{
    static const lock_kind once = {&acquire, &release};
    char token[KRI_REDIS_OWNER] = "";
    kri_redis_token(token);
    return wait_and_acquire(o, &once, token, lock, timeout);
}

int kri_redis_lock_release(const kri_redis_object *o, kri_redis_lock *lock)
{
    lock_keys k;
    char token[KRI_REDIS_OWNER];
    int64_t fence;
    (void)kri_redis_lease_look(&lock->lease, token, &fence);
    int64_t done =
        kri_object_run_ask(o, &release, 3,
                           KRI_WORDS(kri_object_word(o), kri_object_key(o, "held", &k.held),
                                     kri_object_key(o, "room", &k.room), kri_word(token)),
                           0);
    if (done >= 0 || done == KR_EUNSURE)
        kri_redis_lease_drop(&lock->lease, token);
    return done < 0 ? (int)done : done == 0 ? -EPERM : 0;
}

int64_t kri_redis_lock_locked(const kri_redis_object *o)
{
    return kri_object_ask(o, KRI_WORDS(kri_word("EXISTS"), kri_object_word(o)), KRI_REDIS_AGAIN);
}

/* Recursive ones */

static kr_word process_known KRI_GLOBAL; /* the fork generation of process_token, plus one */
static char process_token[KRI_REDIS_TOKEN] KRI_GLOBAL;
static kri_mutex process_lock KRI_GLOBAL;

static void forget_process(void)
{
    kri_store_rlx(&process_lock, 0);
    kri_store_rlx(&process_known, 0);
}

/* The calling party of this process. */
static int name_party(char who[static KRI_REDIS_OWNER])
{
    int err = kri_at_fork_child(forget_process);
    if (err < 0)
        return err;
    kri_mutex_lock(&process_lock);
    if (kri_load_rlx(&process_known) == 0) {
        kri_redis_token(process_token);
        kri_store_rlx(&process_known, 1);
    }
    (void)snprintf(who, KRI_REDIS_OWNER, "%s:%llx", process_token,
                   (unsigned long long)kri_party_id(kri_party_self()));
    kri_mutex_unlock(&process_lock);
    return 0;
}

int kri_redis_rlock_acquire(const kri_redis_object *o, kri_redis_lock *lock, kr_time timeout)
{
    static const lock_kind again = {&acquire_again, &release_last};
    char who[KRI_REDIS_OWNER];
    int err = name_party(who);
    return err < 0 ? err : wait_and_acquire(o, &again, who, lock, timeout);
}

int kri_redis_rlock_release(const kri_redis_object *o, kri_redis_lock *lock)
{
    lock_keys k;
    char who[KRI_REDIS_OWNER];
    int err = name_party(who);
    if (err < 0)
        return err;
    int64_t left =
        kri_object_run_ask(o, &release_once, 3,
                           KRI_WORDS(kri_object_word(o), kri_object_key(o, "held", &k.held),
                                     kri_object_key(o, "room", &k.room), kri_word(who)),
                           0);
    if (left < -1)
        return (int)left;
    if (left == 0)
        kri_redis_lease_drop(&lock->lease, who);
    return left < 0 ? -EPERM : 0;
}

int64_t kri_redis_rlock_owned(const kri_redis_object *o)
{
    char who[KRI_REDIS_OWNER];
    kri_reply *reply;
    size_t size;
    int64_t err = name_party(who);
    if (err == 0)
        err = kri_object_do(o, KRI_WORDS(kri_word("HGET"), kri_object_word(o), kri_word("owner")),
                            KRI_REDIS_AGAIN, &reply);
    if (err < 0)
        return err;
    bool is = strcmp(kri_reply_bytes(reply, &size), who) == 0;
    kri_reply_free(reply);
    return is;
}

/* Conditions */

/* Until it is notified: 0; or the error, and it waits no more. */
static int await_notify(const kri_redis_object *o, kri_redis_word room, const kri_redis_bell *bell,
                        kr_time deadline)
{
    for (;;) {
        int rung = kri_redis_bell_wait(o, bell, KR_FOREVER, deadline);
        if (rung > 0)
            return 0;
        int64_t there =
            rung < 0 ? rung
                     : kri_object_run_ask(o, &still_stand, 1, KRI_WORDS(room, kri_word(bell->id)),
                                          KRI_REDIS_AGAIN);
        if (there == 0)
            return 0;
        if (there < 0) {
            kri_redis_leave(o, room, bell);
            return (int)there;
        }
    }
}

/* Uncancelled, and for as long as it takes; a server that does not answer ends it. */
static int have_again(const kri_redis_object *o, kri_redis_lock *lock)
{
    int err = 0;
    kr_shield {
        err = kri_redis_lock_acquire(o, lock, KR_FOREVER);
    }
    return err;
}

int kri_redis_condition_wait(const kri_redis_object *o, kri_redis_lock *lock, kr_time timeout)
{
    lock_keys k;
    kri_redis_key waiting;
    kri_redis_bell bell;
    char token[KRI_REDIS_OWNER];
    int64_t fence;
    kr_time deadline = kri_deadline(timeout);
    if (!kri_redis_lease_look(&lock->lease, token, &fence))
        return -EPERM;
    kri_redis_bell_begin(&bell);
    kri_redis_word room = kri_object_key(o, "waiting", &waiting);
    int64_t done = kri_object_run_ask(
        o, &give_up_and_stand, 4,
        KRI_WORDS(kri_object_word(o), kri_object_key(o, "held", &k.held),
                  kri_object_key(o, "room", &k.room), room, kri_word(token), kri_word(bell.id)),
        0);
    if (done >= 0 || done == KR_EUNSURE)
        kri_redis_lease_drop(&lock->lease, token);
    if (done <= 0)
        return done < 0 ? (int)done : -EPERM;
    int err = await_notify(o, room, &bell, deadline);
    int again = have_again(o, lock);
    return again != 0 ? again : err;
}

int kri_redis_condition_notify(const kri_redis_object *o, kri_redis_lock *lock, int count)
{
    char token[KRI_REDIS_OWNER];
    int64_t fence;
    kri_redis_key key;
    kri_digits digits;
    if (!kri_redis_lease_look(&lock->lease, token, &fence))
        return -EPERM;
    int64_t rung =
        kri_object_run_ask(o, &notify, 2,
                           KRI_WORDS(kri_object_word(o), kri_object_key(o, "waiting", &key),
                                     kri_word(token), kri_word_integer(&digits, count)),
                           0);
    return rung == -1 ? -EPERM : rung < 0 ? (int)rung : 0;
}
