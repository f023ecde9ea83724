/* A manager on a server: names, and the handles of its objects.
 *
 * The register is a hash: an object's name, and what it is: the kind's number, and two numbers that
 * it was made with.  It says what is whose, and what belongs together when an object is deleted; an
 * object itself is a key of its name, which other programs may know.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_manager.h"
#include "manager/redis_dict.h"
#include "manager/redis_lock.h"
#include "manager/redis_queue.h"
#include "os/os.h"
#include <stdio.h>
#include <stdlib.h>

#define REGISTER    "krait:names"
#define OUR_OWN     "krait:"
#define KINDS_COUNT (KR_MANAGER_BARRIER + 1)

/* What each kind's key is on the server, where it is there. */
static const char *const types[KINDS_COUNT] = {
    [KR_MANAGER_DICT] = "hash",      [KR_MANAGER_LIST] = "list",
    [KR_MANAGER_SET] = "set",        [KR_MANAGER_NAMESPACE] = "hash",
    [KR_MANAGER_VALUE] = "string",   [KR_MANAGER_ARRAY] = "string",
    [KR_MANAGER_QUEUE] = "list",     [KR_MANAGER_LOCK] = "string",
    [KR_MANAGER_RLOCK] = "hash",     [KR_MANAGER_CONDITION] = "string",
    [KR_MANAGER_SEMAPHORE] = "hash", [KR_MANAGER_EVENT] = "string",
    [KR_MANAGER_BARRIER] = "hash",
};

/* KEYS: the register, the object.  ARGV: name, kind and numbers, type, whether it must be there.
 * {1, ""}: entered; {0, what stands there}; {-1, ""}: it is not there; {-2, ""}: other's key. */
static const kri_redis_script enter = {
    "local there = redis.call('HGET', KEYS[1], ARGV[1]) "
    "if there then return {0, there} end "
    "if ARGV[4] == '1' then return {-1, ''} end "
    "local type = redis.call('TYPE', KEYS[2]).ok "
    "if type ~= 'none' and type ~= ARGV[3] then return {-2, ''} end "
    "redis.call('HSET', KEYS[1], ARGV[1], ARGV[2]) return {1, ''}"};

/* KEYS: the register, the object, its waiting rooms, and what else belongs to it.  ARGV: name, a
 * pattern of kinds that are busy while their key is there.  1: gone; 0: there is none; 2: busy */
static const kri_redis_script drop_object = {
    "local there = redis.call('HGET', KEYS[1], ARGV[1]) "
    "if not there then return 0 end "
    "local kind = ' ' .. string.match(there, '^%d+') .. ' ' "
    "if string.find(ARGV[2], kind, 1, true) and redis.call('EXISTS', KEYS[2]) == 1 then return 2 "
    "end "
    "for i = 3, 5 do if redis.call('ZCARD', KEYS[i]) > 0 then return 2 end end "
    "for i = 2, #KEYS do redis.call('UNLINK', KEYS[i]) end "
    "for i = 3, 5 do redis.call('UNLINK', KEYS[i] .. ':live') end "
    "redis.call('HDEL', KEYS[1], ARGV[1]) return 1"};

/* Names */

static int read_entry(const char *entry, kr_manager_kind kind, int64_t *numbers)
{
    char *rest;
    if (strtol(entry, &rest, 10) != (long)kind)
        return -EEXIST;
    for (int i = 0; numbers != NULL && i < KRI_REDIS_NUMBERS; i++)
        numbers[i] = strtoll(rest, &rest, 10);
    return 0;
}

static int find_or_enter(kri_redis *redis, const char *name, kr_manager_kind kind, int64_t *numbers,
                         bool there)
{
    char entry[80];
    kri_reply *reply;
    size_t size;
    int length = snprintf(entry, sizeof entry, "%d %lld %lld", (int)kind,
                          numbers != NULL ? (long long)numbers[0] : 0LL,
                          numbers != NULL ? (long long)numbers[1] : 0LL);
    int err = kri_redis_run(redis, &enter, 2,
                            KRI_WORDS(kri_word(REGISTER), kri_word(name), kri_word(name),
                                      kri_word_of(entry, (size_t)length), kri_word(types[kind]),
                                      kri_word(there ? "1" : "0")),
                            KRI_REDIS_AGAIN, kri_redis_deadline(redis), &reply);
    if (err < 0)
        return err;
    int64_t state = kri_reply_count(reply) == 2 ? kri_reply_integer(kri_reply_at(reply, 0)) : -2;
    if (state == 0)
        err = read_entry(kri_reply_bytes(kri_reply_at(reply, 1), &size), kind, numbers);
    else
        err = state == 1 ? KRI_REDIS_MADE : state == -1 ? -ENOENT : -EEXIST;
    kri_reply_free(reply);
    return err;
}

int kri_redis_name(kr_manager *m, const char *name, kr_manager_kind kind,
                   int64_t numbers[KRI_REDIS_NUMBERS], bool there, char made[KR_MANAGER_NAME + 1])
{
    if (name == NULL)
        kri_manager_name_make(made);
    else
        memcpy(made, name, strlen(name) + 1);
    if (strncmp(made, OUR_OWN, sizeof OUR_OWN - 1) == 0)
        return -EINVAL;
    return find_or_enter(kri_redis_of(m), made, kind, numbers, there);
}

/* Objects that are nothing but a key */

static int open_dict_as(kr_manager *m, const char *name, kr_manager_kind kind, kr_dict **d)
{
    kr_dict *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_redis_name(m, name, kind, NULL, false, made->name);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->ops = kind == KR_MANAGER_SET ? &kri_redis_set_ops : &kri_redis_dict_ops;
    made->manager = m;
    kri_manager_retain(m);
    *d = made;
    return 0;
}

static int open_dict(kr_manager *m, const char *name, kr_dict **d)
{
    return open_dict_as(m, name, KR_MANAGER_DICT, d);
}

static int open_list(kr_list **l, kr_manager *m, const char *name)
{
    kr_list *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_redis_name(m, name, KR_MANAGER_LIST, NULL, false, made->handle.name);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->ops = &kri_redis_list_ops;
    *l = made;
    return 0;
}

static int open_value(kr_managed_value **v, kr_manager *m, const char *name, size_t size,
                      const void *value)
{
    int64_t numbers[KRI_REDIS_NUMBERS] = {(int64_t)size, 0};
    kr_managed_value *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_redis_name(m, name, KR_MANAGER_VALUE, numbers, size == 0, made->handle.name);
    if (err == 0 && size != 0 && numbers[0] != (int64_t)size)
        err = -EEXIST;
    made->size = (size_t)numbers[0];
    kri_redis_object o = {kri_redis_of(m), made->handle.name};
    if (err >= 0)
        err = kri_redis_value_make(&o, made->size, value);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->ops = &kri_redis_value_ops;
    *v = made;
    return 0;
}

static int open_array(kr_managed_array **a, kr_manager *m, const char *name, size_t item_size,
                      size_t length, const void *items)
{
    int64_t numbers[KRI_REDIS_NUMBERS] = {(int64_t)item_size, (int64_t)length};
    bool there = item_size == 0 || length == 0;
    kr_managed_array *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_redis_name(m, name, KR_MANAGER_ARRAY, numbers, there, made->handle.name);
    if (err == 0 && ((item_size != 0 && numbers[0] != (int64_t)item_size) ||
                     (length != 0 && numbers[1] != (int64_t)length)))
        err = -EEXIST;
    made->item_size = (size_t)numbers[0];
    made->length = (size_t)numbers[1];
    kri_redis_object o = {kri_redis_of(m), made->handle.name};
    if (err >= 0)
        err = kri_redis_array_make(&o, made->item_size * made->length, items);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->ops = &kri_redis_array_ops;
    *a = made;
    return 0;
}

static int open_queue(kr_queue **q, kr_manager *m, const char *name, size_t item_size,
                      size_t maxsize, const kr_queue_options *options)
{
    int64_t numbers[KRI_REDIS_NUMBERS] = {(int64_t)item_size, (int64_t)maxsize};
    char made[KR_MANAGER_NAME + 1];
    if (options->order != KR_FIFO)
        return -EINVAL;
    int err = kri_redis_name(m, name, KR_MANAGER_QUEUE, numbers, false, made);
    if (err == 0 && numbers[0] != (int64_t)item_size)
        err = -EEXIST;
    if (err < 0)
        return err;
    return kri_redis_queue_open(q, m, kri_redis_of(m), made, item_size, (size_t)numbers[1]);
}

const kri_containers kri_redis_containers = {
    .list = open_list,
    .value = open_value,
    .array = open_array,
    .queue = open_queue,
    .lock = kri_redis_open_lock,
    .rlock = kri_redis_open_rlock,
    .condition = kri_redis_open_condition,
    .semaphore = kri_redis_open_semaphore,
    .event = kri_redis_open_event,
    .barrier = kri_redis_open_barrier,
};

/* All of them */

static int drop(kr_manager *m, const char *name)
{
    static const char *const parts[] = {"room", "waiting", "joiners", "held", "queue", "end"};
    enum { PARTS = sizeof parts / sizeof parts[0] };
    kri_redis_object o = {kri_redis_of(m), name};
    kri_redis_key keys[PARTS];
    kri_redis_word words[PARTS + 4] = {kri_word(REGISTER), kri_word(name)};
    char busy[64];
    for (int i = 0; i < PARTS; i++)
        words[i + 2] = kri_object_key(&o, parts[i], &keys[i]);
    (void)snprintf(busy, sizeof busy, " %d %d %d ", KR_MANAGER_LOCK, KR_MANAGER_RLOCK,
                   KR_MANAGER_CONDITION);
    words[PARTS + 2] = kri_word(name);
    words[PARTS + 3] = kri_word(busy);
    int64_t done = kri_object_run_ask(&o, &drop_object, PARTS + 2, words, PARTS + 4, 0);
    return done == 1 ? 0 : done == 0 ? -ENOENT : done > 0 ? -EBUSY : (int)done;
}

static int each_name(kr_manager *m, int (*each)(const char *name, kr_manager_kind kind, void *arg),
                     void *arg)
{
    kri_reply *reply;
    size_t size;
    kri_redis *redis = kri_redis_of(m);
    int err = kri_redis_do(redis, KRI_WORDS(kri_word("HGETALL"), kri_word(REGISTER)),
                           KRI_REDIS_AGAIN, kri_redis_deadline(redis), &reply);
    for (size_t i = 0; err == 0 && i + 1 < kri_reply_count(reply); i += 2) {
        long kind = strtol(kri_reply_bytes(kri_reply_at(reply, i + 1), &size), NULL, 10);
        err = each(kri_reply_bytes(kri_reply_at(reply, i), &size), (kr_manager_kind)kind, arg);
    }
    kri_reply_free(reply);
    return err;
}

static void end(kr_manager *m)
{
    kri_redis_release(kri_redis_of(m));
    os_free(m);
}

static const kri_manager_ops operations = {
    .end = end,
    .drop = drop,
    .each = each_name,
    .dict = open_dict,
    .dict_as = open_dict_as,
    .containers = &kri_redis_containers,
};

int kri_redis_manager_open(kr_manager **m, const char *url, const kr_manager_options *o)
{
    *m = NULL;
    kri_redis_options options = {.timeout = o->timeout != 0 ? o->timeout : KRI_MANAGER_TIMEOUT,
                                 .tls = o->tls};
    kri_redis_manager *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    int err = kri_redis_open(&made->redis, url, &options);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->face.ops = &operations;
    made->face.references = (kr_word){1};
    made->face.timeout = options.timeout;
    made->lease = kr_sec(KRI_REDIS_LEASE_S);
    *m = &made->face;
    return 0;
}
