/* A manager's dict on a server: a HASH.
 *
 * Each call is one request or one script, so nobody sees half of it.  A pop leaves what does not
 * fit, so it is a script, which is told the room.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_dict.h"
#include "os/os.h"
#include <stdlib.h>

/* KEYS[1] the dict, ARGV[1] the key */
const kri_redis_script kri_redis_set_default = {
    "if redis.call('HSETNX', KEYS[1], ARGV[1], ARGV[2]) == 1 then return false end "
    "return redis.call('HGET', KEYS[1], ARGV[1])"};

const kri_redis_script kri_redis_pop_key = {"local v = redis.call('HGET', KEYS[1], ARGV[1]) "
                                            "if not v then return false end "
                                            "if #v > tonumber(ARGV[2]) then return #v end "
                                            "redis.call('HDEL', KEYS[1], ARGV[1]) return v"};

static const kri_redis_script pop_any = {"local k = redis.call('HRANDFIELD', KEYS[1]) "
                                         "if not k then return false end "
                                         "local v = redis.call('HGET', KEYS[1], k) "
                                         "redis.call('HDEL', KEYS[1], k) return {k, v}"};

/* ARGV[2] is "1" when ARGV[3] is expected, ARGV[4] when ARGV[5] is to be there. */
static const kri_redis_script compare = {
    "local v = redis.call('HGET', KEYS[1], ARGV[1]) "
    "if ARGV[2] == '1' then if v ~= ARGV[3] then return 0 end elseif v then return 0 end "
    "if ARGV[4] == '1' then redis.call('HSET', KEYS[1], ARGV[1], ARGV[5]) "
    "else redis.call('HDEL', KEYS[1], ARGV[1]) end return 1"};

static int get_op(kr_dict *d, const void *key, size_t key_size, void *value, size_t room,
                  size_t *size)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    return kri_object_fetch(
        o, KRI_WORDS(kri_word("HGET"), kri_object_word(o), kri_word_of(key, key_size)), value, room,
        size);
}

static int set_op(kr_dict *d, const void *key, size_t key_size, const void *value, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    int64_t added = kri_object_ask(o,
                                   KRI_WORDS(kri_word("HSET"), kri_object_word(o),
                                             kri_word_of(key, key_size), kri_word_of(value, size)),
                                   0);
    return added < 0 ? (int)added : 0;
}

static int setdefault_op(kr_dict *d, const void *key, size_t key_size, const void *value,
                         size_t size, void *found, size_t room, size_t *found_size)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    kri_reply *reply;
    int err = kri_object_run(
        o, &kri_redis_set_default, 1,
        KRI_WORDS(kri_object_word(o), kri_word_of(key, key_size), kri_word_of(value, size)), 0,
        &reply);
    if (err == 0)
        err = kri_object_copy(reply, found, room, found_size);
    kri_reply_free(reply);
    return err == -ENOENT ? KR_DICT_NEW : err;
}

static int pop_op(kr_dict *d, const void *key, size_t key_size, void *value, size_t room,
                  size_t *size)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    kri_reply *reply;
    kri_digits digits;
    int64_t fits = room < INT64_MAX ? (int64_t)room : INT64_MAX;
    int err = kri_object_run(
        o, &kri_redis_pop_key, 1,
        KRI_WORDS(kri_object_word(o), kri_word_of(key, key_size), kri_word_integer(&digits, fits)),
        0, &reply);
    if (err == 0)
        err = kri_object_copy(reply, value, room, size);
    kri_reply_free(reply);
    return err;
}

int kri_redis_item_of(const kri_reply *key, const kri_reply *value, kr_dict_item **item)
{
    unsigned char *to_key;
    unsigned char *to_value;
    size_t key_size;
    size_t size = 0;
    const char *key_bytes = kri_reply_bytes(key, &key_size);
    const char *bytes = value != NULL ? kri_reply_bytes(value, &size) : "";
    *item = kri_dict_item_make(key_size, size, &to_key, &to_value);
    if (*item == NULL)
        return -ENOMEM;
    memcpy(to_key, key_bytes, key_size);
    memcpy(to_value, bytes, size);
    return 0;
}

/* It is out of the dict when it comes here: where there is no memory for it, it is put back. */
static int popitem_op(kr_dict *d, kr_dict_item **item)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    kri_reply *reply;
    int err = kri_object_run(o, &pop_any, 1, KRI_WORDS(kri_object_word(o)), 0, &reply);
    if (err < 0)
        return err;
    if (kri_reply_count(reply) != 2) {
        kri_reply_free(reply);
        return -ENOENT;
    }
    err = kri_redis_item_of(kri_reply_at(reply, 0), kri_reply_at(reply, 1), item);
    if (err < 0) {
        kri_redis_word words[4] = {kri_word("HSETNX"), kri_object_word(o)};
        for (size_t i = 0; i < 2; i++)
            words[2 + i].bytes = kri_reply_bytes(kri_reply_at(reply, i), &words[2 + i].size);
        (void)kri_object_ask(o, words, 4, KRI_REDIS_AGAIN);
    }
    kri_reply_free(reply);
    return err;
}

static int drop_op(kr_dict *d, const void *key, size_t key_size)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    int64_t had = kri_object_ask(
        o, KRI_WORDS(kri_word("HDEL"), kri_object_word(o), kri_word_of(key, key_size)), 0);
    return had < 0 ? (int)had : had == 0 ? -ENOENT : 0;
}

static int contains_op(kr_dict *d, const void *key, size_t key_size)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    return (int)kri_object_ask(
        o, KRI_WORDS(kri_word("HEXISTS"), kri_object_word(o), kri_word_of(key, key_size)),
        KRI_REDIS_AGAIN);
}

static int64_t length_op(kr_dict *d)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    return kri_object_ask(o, KRI_WORDS(kri_word("HLEN"), kri_object_word(o)), KRI_REDIS_AGAIN);
}

static int clear_op(kr_dict *d)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    int64_t had = kri_object_ask(o, KRI_WORDS(kri_word("UNLINK"), kri_object_word(o)), 0);
    return had < 0 ? (int)had : 0;
}

static int compare_and_set_op(kr_dict *d, const void *key, size_t key_size, const void *expected,
                              size_t expected_size, const void *value, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    int64_t done = kri_object_run_ask(
        o, &compare, 1,
        KRI_WORDS(kri_object_word(o), kri_word_of(key, key_size),
                  kri_word(expected != NULL ? "1" : "0"), kri_word_of(expected, expected_size),
                  kri_word(value != NULL ? "1" : "0"), kri_word_of(value, size)),
        0);
    return done < 0 ? (int)done : done == 0 ? -EAGAIN : 0;
}

static int add_op(kr_dict *d, const void *key, size_t key_size, int64_t addend, int64_t *result)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    kri_reply *reply;
    kri_digits digits;
    int err =
        kri_object_do(o,
                      KRI_WORDS(kri_word("HINCRBY"), kri_object_word(o), kri_word_of(key, key_size),
                                kri_word_integer(&digits, addend)),
                      0, &reply);
    if (err == 0 && result != NULL)
        *result = kri_reply_integer(reply);
    kri_reply_free(reply);
    return err;
}

/* Many at a time */

int kri_redis_items_of(const kri_reply *reply, size_t step, kr_dict_items **items)
{
    int err = 0;
    kr_dict_items *made = kri_dict_items_make();
    if (made == NULL)
        return -ENOMEM;
    for (size_t i = 0; err == 0 && i + step <= kri_reply_count(reply); i += step) {
        kr_dict_item *item;
        err = kri_redis_item_of(kri_reply_at(reply, i),
                                step > 1 ? kri_reply_at(reply, i + 1) : NULL, &item);
        if (err == 0)
            err = kri_dict_items_add(made, item);
    }
    if (err < 0) {
        kr_dict_items_release(made);
        made = NULL;
    }
    *items = made;
    return err;
}

static int snapshot_op(kr_dict *d, kr_dict_items **items)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    kri_reply *reply;
    int err = kri_object_do(o, KRI_WORDS(kri_word("HGETALL"), kri_object_word(o)), KRI_REDIS_AGAIN,
                            &reply);
    if (err == 0)
        err = kri_redis_items_of(reply, 2, items);
    kri_reply_free(reply);
    return err;
}

/* A part of the keys at a time, each once: the keys are those of the beginning. */
enum { AT_A_TIME = 100 };

int kri_redis_each(const kri_reply *key, const kri_reply *value,
                   int (*each)(const kr_dict_item *item, void *arg), void *arg)
{
    kr_dict_item item = {.value = ""};
    item.key = kri_reply_bytes(key, &item.key_size);
    if (value != NULL)
        item.value = kri_reply_bytes(value, &item.value_size);
    return each(&item, arg);
}

static int each_of_some(const kri_redis_object *o, const kri_reply *keys, size_t first,
                        size_t count, int (*each)(const kr_dict_item *item, void *arg), void *arg)
{
    kri_redis_word words[AT_A_TIME + 2] = {kri_word("HMGET"), kri_object_word(o)};
    kri_reply *values;
    for (size_t i = 0; i < count; i++)
        words[i + 2].bytes = kri_reply_bytes(kri_reply_at(keys, first + i), &words[i + 2].size);
    int err = kri_object_do(o, words, (int)count + 2, KRI_REDIS_AGAIN, &values);
    for (size_t i = 0; err == 0 && i < count && i < kri_reply_count(values); i++) {
        const kri_reply *value = kri_reply_at(values, i);
        if (kri_reply_kind(value) == KRI_STRING)
            err = kri_redis_each(kri_reply_at(keys, first + i), value, each, arg);
    }
    kri_reply_free(values);
    return err;
}

static int each_op(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg), void *arg)
{
    const kri_redis_object o[1] = {kri_redis_object_of_dict(d)};
    kri_reply *keys;
    int err =
        kri_object_do(o, KRI_WORDS(kri_word("HKEYS"), kri_object_word(o)), KRI_REDIS_AGAIN, &keys);
    size_t count = err == 0 ? kri_reply_count(keys) : 0;
    for (size_t i = 0; err == 0 && i < count; i += AT_A_TIME)
        err = each_of_some(o, keys, i, count - i < AT_A_TIME ? count - i : AT_A_TIME, each, arg);
    kri_reply_free(keys);
    return err;
}

void kri_redis_dict_end(kr_dict *d)
{
    os_free(d);
}

const kri_dict_ops kri_redis_dict_ops = {
    .end = kri_redis_dict_end,
    .get = get_op,
    .set = set_op,
    .setdefault = setdefault_op,
    .pop = pop_op,
    .popitem = popitem_op,
    .drop = drop_op,
    .contains = contains_op,
    .length = length_op,
    .clear = clear_op,
    .compare_and_set = compare_and_set_op,
    .add = add_op,
    .batch = kri_redis_dict_batch,
    .snapshot = snapshot_op,
    .each = each_op,
};
