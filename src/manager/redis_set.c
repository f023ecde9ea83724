/* A manager's set on a server: a SET, as a dict whose values are empty.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_dict.h"

static int64_t ask(kr_dict *d, const char *command, const void *member, size_t size, unsigned flags)
{
    kri_redis_object o = kri_redis_object_of_dict(d);
    return kri_object_ask(
        &o, KRI_WORDS(kri_word(command), kri_object_word(&o), kri_word_of(member, size)), flags);
}

static int add(kr_dict *d, const void *member, size_t member_size, const void *value, size_t size,
               void *found, size_t room, size_t *found_size)
{
    (void)value, (void)size, (void)found, (void)room;
    *found_size = 0;
    int64_t added = ask(d, "SADD", member, member_size, 0);
    return added > 0 ? KR_DICT_NEW : (int)added;
}

static int drop(kr_dict *d, const void *member, size_t size)
{
    int64_t had = ask(d, "SREM", member, size, 0);
    return had < 0 ? (int)had : had == 0 ? -ENOENT : 0;
}

static int contains(kr_dict *d, const void *member, size_t size)
{
    return (int)ask(d, "SISMEMBER", member, size, KRI_REDIS_AGAIN);
}

static int64_t length(kr_dict *d)
{
    kri_redis_object o = kri_redis_object_of_dict(d);
    return kri_object_ask(&o, KRI_WORDS(kri_word("SCARD"), kri_object_word(&o)), KRI_REDIS_AGAIN);
}

static int clear(kr_dict *d)
{
    kri_redis_object o = kri_redis_object_of_dict(d);
    int64_t had = kri_object_ask(&o, KRI_WORDS(kri_word("UNLINK"), kri_object_word(&o)), 0);
    return had < 0 ? (int)had : 0;
}

static int members(kr_dict *d, kri_reply **reply)
{
    kri_redis_object o = kri_redis_object_of_dict(d);
    return kri_object_do(&o, KRI_WORDS(kri_word("SMEMBERS"), kri_object_word(&o)), KRI_REDIS_AGAIN,
                         reply);
}

static int snapshot(kr_dict *d, kr_dict_items **items)
{
    kri_reply *reply;
    int err = members(d, &reply);
    if (err == 0)
        err = kri_redis_items_of(reply, 1, items);
    kri_reply_free(reply);
    return err;
}

static int each_member(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg), void *arg)
{
    kri_reply *reply;
    int err = members(d, &reply);
    for (size_t i = 0; err == 0 && i < kri_reply_count(reply); i++)
        err = kri_redis_each(kri_reply_at(reply, i), NULL, each, arg);
    kri_reply_free(reply);
    return err;
}

/* The rest is not called: set.c does without. */
const kri_dict_ops kri_redis_set_ops = {
    .end = kri_redis_dict_end,
    .setdefault = add,
    .drop = drop,
    .contains = contains,
    .length = length,
    .clear = clear,
    .snapshot = snapshot,
    .each = each_member,
};
