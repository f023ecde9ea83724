/* A manager's queue on a server.
 *
 * State.  A LIST of the items; and a hash: `owed`, how many task_done are; `shut`.  What the queue
 * is bounded by stands in its handles.  Two rooms: of those who wait to put, and of those who wait
 * until nothing is owed.  `end` is a list that gets an item with a shutdown.
 *
 * Protocol.
 *     get       First a script, which takes an item that fits, or says why not.  Where there is
 *               none, a blocking pop of the list and of `end`: so any client's RPUSH is a put.
 *               Whoever was given the item of `end` puts it back for the next.  An item that is
 *               longer than the room goes back to the front.
 *     cancel    See request.c: an item that was given away while the caller gave up is his.
 *     put       A script; where the queue is full, one that waits in the room of those who put.  A
 *               get from a bounded queue rings there.
 *
 * Why not rooms for getters, too?  Other clients' puts would not ring.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_queue.h"
#include "manager/redis_wait.h"
#include "os/os.h"
#include <limits.h>
#include <stdio.h>

typedef struct redis_queue {
    kr_queue base;       /* first */
    kr_manager *manager; /* held */
    kri_redis *redis;
    size_t maxsize;
    char name[KRI_REDIS_NAME + 1];
} redis_queue;

static kri_redis_object object_of(const kr_queue *q)
{
    const redis_queue *s = (const redis_queue *)(const void *)q;
    return (kri_redis_object){s->redis, s->name};
}

static size_t maxsize_of(const kr_queue *q)
{
    return ((const redis_queue *)(const void *)q)->maxsize;
}

/* KEYS: the list, the hash, the putters' room.  ARGV: id, whether to wait, the bound, items ...
 * How many were put; -1: it is shut down. */
static const kri_redis_script put_some = {
    KRI_LUA_WAIT
    "if redis.call('HGET', KEYS[2], 'shut') then return -1 end "
    "local room = #ARGV - 3 "
    "local bound = tonumber(ARGV[3]) "
    "if bound > 0 then room = math.min(room, bound - redis.call('LLEN', KEYS[1])) end "
    "if room <= 0 then if ARGV[2] == '1' then stand(KEYS[3], ARGV[1]) end return 0 end "
    "for i = 4, room + 3 do redis.call('RPUSH', KEYS[1], ARGV[i]) end "
    "redis.call('HINCRBY', KEYS[2], 'owed', room) "
    "leave(KEYS[3], ARGV[1]) return room"};

/* ARGV: the room for an item, how many, whether an item has to fill it.  A list of items; or -1:
 * shut down and empty, 0: empty, or how long the item is, plus one. */
static const kri_redis_script take_some = {
    KRI_LUA_WAIT
    "local got = {} "
    "for i = 1, tonumber(ARGV[2]) do "
    "  local item = redis.call('LINDEX', KEYS[1], 0) "
    "  if not item then break end "
    "  if #item > tonumber(ARGV[1]) or (ARGV[3] == '1' and #item < tonumber(ARGV[1])) then "
    "    if i == 1 then return #item + 1 end break end "
    "  got[i] = redis.call('LPOP', KEYS[1]) end "
    "if #got == 0 then if redis.call('HGET', KEYS[2], 'shut') then return -1 end return 0 end "
    "ring(KEYS[3], #got) return got"};

/* KEYS: the hash, the room of those who join */
static const kri_redis_script done = {
    KRI_LUA_WAIT
    "local owed = tonumber(redis.call('HGET', KEYS[1], 'owed') or '0') "
    "if owed <= 0 then return 0 end "
    "if redis.call('HINCRBY', KEYS[1], 'owed', -1) == 0 then ring(KEYS[2], 2147483647) end "
    "return 1"};

/* KEYS: the hash, the room.  ARGV: id, whether to wait. */
static const kri_redis_script nothing_owed = {
    KRI_LUA_WAIT "if tonumber(redis.call('HGET', KEYS[1], 'owed') or '0') <= 0 then "
                 "  leave(KEYS[2], ARGV[1]) return 1 end "
                 "if ARGV[2] == '1' then stand(KEYS[2], ARGV[1]) end return 0"};

/* KEYS: the list, the hash, both rooms, `end`.  ARGV: whether to drop what is inside. */
static const kri_redis_script shut = {
    KRI_LUA_WAIT
    "redis.call('HSET', KEYS[2], 'shut', 1) "
    "if redis.call('LLEN', KEYS[5]) == 0 then redis.call('RPUSH', KEYS[5], '1') end "
    "if ARGV[1] == '1' then "
    "  local count = redis.call('LLEN', KEYS[1]) "
    "  redis.call('DEL', KEYS[1]) "
    "  local owed = redis.call('HINCRBY', KEYS[2], 'owed', -count) "
    "  if owed <= 0 then redis.call('HSET', KEYS[2], 'owed', 0) ring(KEYS[4], 2147483647) end end "
    "ring(KEYS[3], 2147483647) return 0"};

typedef struct queue_keys {
    kri_redis_key state;
    kri_redis_key room;
    kri_redis_key joiners;
    kri_redis_key end;
} queue_keys;

static kri_redis_word state_of(const kri_redis_object *o, queue_keys *k)
{
    return kri_object_key(o, "queue", &k->state);
}

static kri_redis_word room_of(const kri_redis_object *o, queue_keys *k)
{
    return kri_object_key(o, "room", &k->room);
}

/* Putting */

enum { AT_A_TIME = 512, PUT_WORDS = 6 };

typedef struct putting {
    const char *items;
    size_t size; /* of each */
    size_t count;
    const kri_redis_bell *bell;
    bool wait;
} putting;

static int64_t try_put(const kri_redis_object *o, const putting *p, size_t maxsize)
{
    queue_keys k;
    kri_digits digits;
    kri_redis_word words[PUT_WORDS + AT_A_TIME] = {kri_object_word(o),
                                                   state_of(o, &k),
                                                   room_of(o, &k),
                                                   kri_word(p->bell->id),
                                                   kri_word(p->wait ? "1" : "0"),
                                                   kri_word_integer(&digits, (int64_t)maxsize)};
    size_t count = p->count < AT_A_TIME ? p->count : AT_A_TIME;
    for (size_t i = 0; i < count; i++)
        words[PUT_WORDS + i] = kri_word_of(p->items + i * p->size, p->size);
    int64_t got = kri_object_run_ask(o, &put_some, 3, words, PUT_WORDS + (int)count, 0);
    if (got > (int64_t)count)
        return -EPROTO;
    return got == -1 ? KR_ESHUTDOWN : got;
}

/* How many, or the error of the first. */
static int put_all(kr_queue *q, putting *p, kr_time deadline)
{
    queue_keys k;
    kri_redis_bell bell;
    kri_redis_object o = object_of(q);
    int64_t total = 0;
    int64_t got = 0;
    kri_redis_bell_begin(&bell);
    p->bell = &bell;
    p->wait = deadline != 0;
    while (p->count > 0) {
        got = try_put(&o, p, maxsize_of(q));
        if (got == 0)
            got = deadline != 0 ? kri_redis_bell_wait(&o, &bell, KR_FOREVER, deadline) : -ETIMEDOUT;
        else if (got > 0) {
            p->items += (size_t)got * p->size;
            p->count -= (size_t)got;
            total += got;
        }
        if (got < 0)
            break;
    }
    if (got < 0 && p->wait)
        kri_redis_leave(&o, room_of(&o, &k), &bell);
    return (int)(total > 0 ? total : got);
}

static int put(kr_queue *q, const void *item, size_t size, int64_t priority, kr_time deadline)
{
    (void)priority;
    putting p = {.items = item, .size = size, .count = 1};
    int got = put_all(q, &p, deadline);
    return got > 0 ? 0 : got;
}

static int put_many(kr_queue *q, const void *items, size_t count, kr_time deadline)
{
    putting p = {.items = items, .size = q->item_size, .count = count};
    return put_all(q, &p, deadline);
}

/* Taking */

typedef struct taking {
    char *items;
    size_t room; /* of each */
    size_t count;
    size_t *size; /* of the first; NULL: all are of one size */
} taking;

static int64_t take_answer(const taking *t, const kri_reply *reply)
{
    size_t size;
    int64_t number = kri_reply_integer(reply);
    if (kri_reply_kind(reply) == KRI_INTEGER && number > 0) {
        if (t->size != NULL)
            *t->size = (size_t)number - 1;
        return -EMSGSIZE;
    }
    if (kri_reply_kind(reply) == KRI_INTEGER)
        return number < 0 ? KR_ESHUTDOWN : 0;
    size_t count = kri_reply_count(reply);
    if (count == 0 || count > t->count)
        return -EPROTO;
    for (size_t i = 0; i < count; i++) {
        const char *bytes = kri_reply_bytes(kri_reply_at(reply, i), &size);
        if (size > t->room)
            return -EPROTO;
        if (size > 0)
            memcpy(t->items + i * t->room, bytes, size);
        if (t->size != NULL)
            *t->size = size;
    }
    return (int64_t)count;
}

static int64_t try_take(const kri_redis_object *o, const taking *t)
{
    queue_keys k;
    kri_digits digits[2];
    kri_reply *reply;
    int64_t room = t->room < INT64_MAX ? (int64_t)t->room : INT64_MAX;
    int64_t got = kri_object_run(o, &take_some, 3,
                                 KRI_WORDS(kri_object_word(o), state_of(o, &k), room_of(o, &k),
                                           kri_word_integer(&digits[0], room),
                                           kri_word_integer(&digits[1], (int64_t)t->count),
                                           kri_word(t->size == NULL ? "1" : "0")),
                                 0, &reply);
    if (got == 0)
        got = take_answer(t, reply);
    kri_reply_free(reply);
    return got;
}

/* After a blocking pop: there is room for one more. */
static const kri_redis_script made_room = {KRI_LUA_WAIT "return ring(KEYS[1], 1)"};

static int64_t take_popped(const kr_queue *q, const taking *t, const kri_reply *item)
{
    queue_keys k;
    kri_redis_object o = object_of(q);
    size_t size;
    const char *bytes = kri_reply_bytes(item, &size);
    if (t->size != NULL)
        *t->size = size;
    if (size > t->room || (t->size == NULL && size != t->room)) {
        int64_t back = 0;
        kr_shield {
            back = kri_object_ask(
                &o, KRI_WORDS(kri_word("LPUSH"), kri_object_word(&o), kri_word_of(bytes, size)), 0);
        }
        return back < 0 ? back : -EMSGSIZE;
    }
    if (size > 0)
        memcpy(t->items, bytes, size);
    if (maxsize_of(q) > 0)
        (void)kri_object_run_ask(&o, &made_room, 1, KRI_WORDS(room_of(&o, &k)), KRI_REDIS_AGAIN);
    return 1;
}

/* The item of `end` is for the next. */
static int64_t put_end_back(const kri_redis_object *o, kri_redis_word end)
{
    int64_t length = 0;
    kr_shield {
        length =
            kri_object_ask(o, KRI_WORDS(kri_word("RPUSH"), end, kri_word("1")), KRI_REDIS_AGAIN);
    }
    return length < 0 ? length : 0;
}

/* In the server, until something comes: 1; 0: look again. */
static int64_t wait_and_take(const kr_queue *q, const taking *t, kr_time deadline)
{
    enum { SLICE_S = 5 };
    queue_keys k;
    char text[32];
    kri_reply *reply;
    size_t size;
    kri_redis_object o = object_of(q);
    kr_time left = kri_left_until(deadline);
    kr_time nap = left < kr_sec(SLICE_S) ? left : kr_sec(SLICE_S);
    kri_redis_word end = kri_object_key(&o, "end", &k.end);
    int64_t ms = nap / kr_ms(1) + 1;
    if (left == 0)
        return -ETIMEDOUT;
    (void)snprintf(text, sizeof text, "%lld.%03d", (long long)(ms / 1000), (int)(ms % 1000));
    int64_t got = kri_redis_do(
        o.redis, KRI_WORDS(kri_word("BLPOP"), kri_object_word(&o), end, kri_word(text)),
        KRI_REDIS_BLOCKS, kri_deadline(nap + kri_redis_timeout(o.redis)), &reply);
    if (got == 0 && kri_reply_count(reply) == 2) {
        bool ended = strcmp(kri_reply_bytes(kri_reply_at(reply, 0), &size), end.bytes) == 0;
        got = ended ? put_end_back(&o, end) : take_popped(q, t, kri_reply_at(reply, 1));
    }
    kri_reply_free(reply);
    return got;
}

static int64_t take(kr_queue *q, const taking *t, kr_time deadline)
{
    kri_redis_object o = object_of(q);
    for (;;) {
        int64_t got = try_take(&o, t);
        if (got == 0)
            got = deadline != 0 ? wait_and_take(q, t, deadline) : -ETIMEDOUT;
        if (got != 0)
            return got;
    }
}

static int get(kr_queue *q, void *item, size_t room, size_t *size, int64_t *priority,
               kr_time deadline)
{
    taking t = {.items = item, .room = room, .count = 1, .size = size};
    *priority = 0;
    int64_t got = take(q, &t, deadline);
    return got > 0 ? 0 : (int)got;
}

static int get_many(kr_queue *q, void *items, size_t count, kr_time deadline)
{
    taking t = {
        .items = items, .room = q->item_size, .count = count < AT_A_TIME ? count : AT_A_TIME};
    return (int)take(q, &t, deadline);
}

/* The rest */

static size_t qsize(const kr_queue *q)
{
    kri_redis_object o = object_of(q);
    int64_t length =
        kri_object_ask(&o, KRI_WORDS(kri_word("LLEN"), kri_object_word(&o)), KRI_REDIS_AGAIN);
    return length > 0 ? (size_t)length : 0;
}

static int task_done(kr_queue *q)
{
    queue_keys k;
    kri_redis_object o = object_of(q);
    int64_t was = kri_object_run_ask(
        &o, &done, 2, KRI_WORDS(state_of(&o, &k), kri_object_key(&o, "joiners", &k.joiners)), 0);
    return was < 0 ? (int)was : was == 0 ? -EPERM : 0;
}

static int join(kr_queue *q, kr_time deadline)
{
    queue_keys k;
    kri_redis_bell bell;
    kri_redis_object o = object_of(q);
    kri_redis_word room = kri_object_key(&o, "joiners", &k.joiners);
    kri_redis_bell_begin(&bell);
    for (;;) {
        int64_t got = kri_object_run_ask(&o, &nothing_owed, 2,
                                         KRI_WORDS(state_of(&o, &k), room, kri_word(bell.id),
                                                   kri_word(deadline != 0 ? "1" : "0")),
                                         KRI_REDIS_AGAIN);
        if (got > 0)
            return 0;
        if (got == 0)
            got = deadline != 0 ? kri_redis_bell_wait(&o, &bell, KR_FOREVER, deadline) : -ETIMEDOUT;
        if (got < 0) {
            if (deadline != 0)
                kri_redis_leave(&o, room, &bell);
            return (int)got;
        }
    }
}

static int shutdown(kr_queue *q, bool immediate)
{
    queue_keys k;
    kri_redis_object o = object_of(q);
    return (int)kri_object_run_ask(&o, &shut, 5,
                                   KRI_WORDS(kri_object_word(&o), state_of(&o, &k), room_of(&o, &k),
                                             kri_object_key(&o, "joiners", &k.joiners),
                                             kri_object_key(&o, "end", &k.end),
                                             kri_word(immediate ? "1" : "0")),
                                   KRI_REDIS_AGAIN);
}

static bool is_shutdown(const kr_queue *q)
{
    queue_keys k;
    kri_redis_object o = object_of(q);
    return kri_object_ask(&o, KRI_WORDS(kri_word("HEXISTS"), state_of(&o, &k), kri_word("shut")),
                          KRI_REDIS_AGAIN) > 0;
}

static void release(kr_queue *q)
{
    redis_queue *s = (redis_queue *)(void *)q;
    kr_manager *m = s->manager;
    os_free(s);
    kr_manager_release(m);
}

static const kri_queue_ops operations = {
    .put = put,
    .get = get,
    .put_many = put_many,
    .get_many = get_many,
    .qsize = qsize,
    .maxsize = maxsize_of,
    .task_done = task_done,
    .join = join,
    .shutdown = shutdown,
    .is_shutdown = is_shutdown,
    .release = release,
};

int kri_redis_queue_open(kr_queue **q, kr_manager *m, kri_redis *redis, const char *name,
                         size_t item_size, size_t maxsize)
{
    redis_queue *s = os_alloc(sizeof *s);
    if (s == NULL)
        return -ENOMEM;
    s->base = (kr_queue){.ops = &operations, .item_size = item_size, .scope = KR_SHARED};
    s->manager = m;
    kri_manager_retain(m);
    s->redis = redis;
    s->maxsize = maxsize;
    memcpy(s->name, name, strlen(name) + 1);
    *q = &s->base;
    return 0;
}
