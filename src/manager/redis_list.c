/* A manager's list on a server: a LIST.
 *
 * What the server has no command for is a script.  One that puts an item into the middle or takes
 * one out marks its place by a value that is like no other, since the server finds places by value.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/items.h"
#include "manager/redis_manager.h"
#include "os/os.h"
#include <limits.h>

/* ARGV[1] the room, ARGV[2] the index, ARGV[3] the command */
static const kri_redis_script pop_script = {"local v = redis.call('LINDEX', KEYS[1], ARGV[2]) "
                                            "if not v then return false end "
                                            "if #v > tonumber(ARGV[1]) then return #v end "
                                            "return redis.call(ARGV[3], KEYS[1])"};

/* ARGV[1] the index, ARGV[2] the item, ARGV[3] the mark */
static const kri_redis_script insert_script = {
    "local n = redis.call('LLEN', KEYS[1]) "
    "local i = tonumber(ARGV[1]) "
    "if i < 0 then i = i + n end "
    "if i <= 0 then redis.call('LPUSH', KEYS[1], ARGV[2]) return 0 end "
    "if i >= n then redis.call('RPUSH', KEYS[1], ARGV[2]) return 0 end "
    "local v = redis.call('LINDEX', KEYS[1], i) "
    "redis.call('LSET', KEYS[1], i, ARGV[3]) "
    "redis.call('LINSERT', KEYS[1], 'BEFORE', ARGV[3], ARGV[2]) "
    "redis.call('LSET', KEYS[1], i + 1, v) return 0"};

/* ARGV[1] the index, ARGV[2] the mark */
static const kri_redis_script take_out = {
    "if not redis.call('LINDEX', KEYS[1], ARGV[1]) then return 0 end "
    "redis.call('LSET', KEYS[1], ARGV[1], ARGV[2]) "
    "return redis.call('LREM', KEYS[1], 1, ARGV[2])"};

static const kri_redis_script reverse_script = {
    "local all = redis.call('LRANGE', KEYS[1], 0, -1) "
    "redis.call('DEL', KEYS[1]) "
    "for i = 1, #all do redis.call('LPUSH', KEYS[1], all[i]) end return 0"};

/* What all items come to, and the items. */
#define DIGEST                                                                                     \
    "local all = redis.call('LRANGE', KEYS[1], 0, -1) local sum = '' "                             \
    "for i = 1, #all do sum = redis.sha1hex(sum .. #all[i] .. ':' .. all[i]) end "
static const kri_redis_script look = {DIGEST "return {sum, all}"};

/* ARGV[1] what they were, ARGV[2] ... the order that they are to have */
static const kri_redis_script reorder = {
    DIGEST "if sum ~= ARGV[1] then return 0 end "
           "for i = 2, #ARGV do redis.call('LSET', KEYS[1], i - 2, all[tonumber(ARGV[i])]) end "
           "return 1"};

static int append(kr_list *l, bool left, const void *item, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    int64_t length = kri_object_ask(
        o,
        KRI_WORDS(kri_word(left ? "LPUSH" : "RPUSH"), kri_object_word(o), kri_word_of(item, size)),
        0);
    return length < 0 ? (int)length : 0;
}

static int pop(kr_list *l, bool left, void *item, size_t room, size_t *size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_reply *reply;
    kri_digits digits;
    int64_t fits = room < INT64_MAX ? (int64_t)room : INT64_MAX;
    int err =
        kri_object_run(o, &pop_script, 1,
                       KRI_WORDS(kri_object_word(o), kri_word_integer(&digits, fits),
                                 kri_word(left ? "0" : "-1"), kri_word(left ? "LPOP" : "RPOP")),
                       0, &reply);
    if (err == 0)
        err = kri_object_copy(reply, item, room, size);
    kri_reply_free(reply);
    return err;
}

static int get(kr_list *l, int64_t index, void *item, size_t room, size_t *size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_digits digits;
    return kri_object_fetch(
        o, KRI_WORDS(kri_word("LINDEX"), kri_object_word(o), kri_word_integer(&digits, index)),
        item, room, size);
}

static int set(kr_list *l, int64_t index, const void *item, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_digits digits;
    int64_t err =
        kri_object_ask(o,
                       KRI_WORDS(kri_word("LSET"), kri_object_word(o),
                                 kri_word_integer(&digits, index), kri_word_of(item, size)),
                       0);
    return (int)err;
}

static int insert(kr_list *l, int64_t index, const void *item, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_digits digits;
    char mark[KRI_REDIS_TOKEN];
    kri_redis_token(mark);
    return (int)kri_object_run_ask(o, &insert_script, 1,
                                   KRI_WORDS(kri_object_word(o), kri_word_integer(&digits, index),
                                             kri_word_of(item, size), kri_word(mark)),
                                   0);
}

static int take_out_one(kr_list *l, int64_t index)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_digits digits;
    char mark[KRI_REDIS_TOKEN];
    kri_redis_token(mark);
    int64_t done = kri_object_run_ask(
        o, &take_out, 1,
        KRI_WORDS(kri_object_word(o), kri_word_integer(&digits, index), kri_word(mark)), 0);
    return done < 0 ? (int)done : done == 0 ? -ENOENT : 0;
}

static int64_t index_of(kr_list *l, const void *item, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_reply *reply;
    int err =
        kri_object_do(o, KRI_WORDS(kri_word("LPOS"), kri_object_word(o), kri_word_of(item, size)),
                      KRI_REDIS_AGAIN, &reply);
    int64_t index = err < 0                                ? err
                    : kri_reply_kind(reply) == KRI_INTEGER ? kri_reply_integer(reply)
                                                           : -ENOENT;
    kri_reply_free(reply);
    return index;
}

static int64_t count_of(kr_list *l, const void *item, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_reply *reply;
    int err = kri_object_do(o,
                            KRI_WORDS(kri_word("LPOS"), kri_object_word(o), kri_word_of(item, size),
                                      kri_word("COUNT"), kri_word("0")),
                            KRI_REDIS_AGAIN, &reply);
    int64_t count = err < 0 ? err : (int64_t)kri_reply_count(reply);
    kri_reply_free(reply);
    return count;
}

static int remove_one(kr_list *l, const void *item, size_t size)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    int64_t had = kri_object_ask(
        o, KRI_WORDS(kri_word("LREM"), kri_object_word(o), kri_word("1"), kri_word_of(item, size)),
        0);
    return had < 0 ? (int)had : had == 0 ? -ENOENT : 0;
}

static int64_t length(kr_list *l)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    return kri_object_ask(o, KRI_WORDS(kri_word("LLEN"), kri_object_word(o)), KRI_REDIS_AGAIN);
}

/* One request for all. */
static int extend(kr_list *l, const kr_bytes *items, size_t count)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    if (count > INT_MAX - 2)
        return -EINVAL;
    kri_redis_word *words = os_alloc((count + 2) * sizeof *words);
    if (words == NULL)
        return -ENOMEM;
    words[0] = kri_word("RPUSH");
    words[1] = kri_object_word(o);
    for (size_t i = 0; i < count; i++)
        words[i + 2] = kri_word_of(items[i].data, items[i].size);
    int64_t length = kri_object_ask(o, words, (int)count + 2, 0);
    os_free(words);
    return length < 0 ? (int)length : 0;
}

static int clear(kr_list *l)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    int64_t had = kri_object_ask(o, KRI_WORDS(kri_word("UNLINK"), kri_object_word(o)), 0);
    return had < 0 ? (int)had : 0;
}

static int reverse(kr_list *l)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    return (int)kri_object_run_ask(o, &reverse_script, 1, KRI_WORDS(kri_object_word(o)), 0);
}

static kr_items *items_of(const kri_reply *reply)
{
    size_t bytes = 0;
    size_t size;
    size_t count = kri_reply_count(reply);
    for (size_t i = 0; i < count; i++) {
        (void)kri_reply_bytes(kri_reply_at(reply, i), &size);
        bytes += size;
    }
    kr_items *items = kri_items_new(count, bytes);
    for (size_t i = 0; items != NULL && i < count; i++) {
        const char *item = kri_reply_bytes(kri_reply_at(reply, i), &size);
        kri_items_add(items, item, size);
    }
    return items;
}

/* The server counts both ends in. */
static int slice(kr_list *l, int64_t first, int64_t end, kr_items **items)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    kri_digits digits[2];
    kri_reply *reply;
    int64_t last = end == INT64_MAX ? -1 : end - 1;
    if (end == 0 || end == INT64_MIN) { /* -1 would be the last one */
        first = 1;
        last = 0;
    }
    int err = kri_object_do(o,
                            KRI_WORDS(kri_word("LRANGE"), kri_object_word(o),
                                      kri_word_integer(&digits[0], first),
                                      kri_word_integer(&digits[1], last)),
                            KRI_REDIS_AGAIN, &reply);
    *items = err == 0 ? items_of(reply) : NULL;
    kri_reply_free(reply);
    return err < 0 ? err : *items == NULL ? -ENOMEM : 0;
}

/* Sorting: a look at all, and the new order, which is put in place if they are still the same. */

typedef struct sorting {
    kr_list_compare compare;
    void *arg;
    kr_bytes *items; /* as they are */
    size_t *order;   /* which of them comes where */
    size_t *room;
    size_t count;
} sorting;

static bool comes_later(const sorting *s, size_t a, size_t b)
{
    return s->compare(&s->items[a], &s->items[b], s->arg) > 0;
}

/* Of equal ones the one from the lower half comes first. */
static void merge(sorting *s, size_t first, size_t middle, size_t end)
{
    size_t a = first;
    size_t b = middle;
    for (size_t i = first; i < end; i++) {
        bool upper = a == middle || (b < end && comes_later(s, s->order[a], s->order[b]));
        s->room[i] = upper ? s->order[b++] : s->order[a++];
    }
    memcpy(s->order + first, s->room + first, (end - first) * sizeof *s->order);
}

static void sort_items(sorting *s)
{
    for (size_t width = 1; width < s->count; width *= 2) {
        for (size_t first = 0; first + width < s->count; first += 2 * width) {
            size_t end = first + 2 * width;
            merge(s, first, first + width, end < s->count ? end : s->count);
        }
    }
}

static int put_in_order(const kri_redis_object *o, const sorting *s, kri_redis_word sum)
{
    kri_redis_word *words = os_alloc((s->count + 2) * sizeof *words);
    kri_digits *digits = os_alloc(s->count * sizeof *digits);
    int64_t done = -ENOMEM;
    if (words != NULL && digits != NULL) {
        words[0] = kri_object_word(o);
        words[1] = sum;
        for (size_t i = 0; i < s->count; i++)
            words[i + 2] = kri_word_integer(&digits[i], (int64_t)s->order[i] + 1);
        done = kri_object_run_ask(o, &reorder, 1, words, (int)s->count + 2, 0);
    }
    os_free(words);
    os_free(digits);
    return (int)done;
}

static int sort_once(const kri_redis_object *o, const kri_reply *all, kri_redis_word sum,
                     sorting *s)
{
    s->count = kri_reply_count(all);
    if (s->count < 2)
        return 1;
    s->items = os_alloc(s->count * (sizeof *s->items + 2 * sizeof *s->order));
    if (s->items == NULL)
        return -ENOMEM;
    s->order = (size_t *)(void *)(s->items + s->count);
    s->room = s->order + s->count;
    for (size_t i = 0; i < s->count; i++) {
        s->items[i].data = kri_reply_bytes(kri_reply_at(all, i), &s->items[i].size);
        s->order[i] = i;
    }
    sort_items(s);
    int done = put_in_order(o, s, sum);
    os_free(s->items);
    return done;
}

static int sort(kr_list *l, kr_list_compare compare, void *arg)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&l->handle)};
    int done = 0;
    while (done == 0) {
        sorting s = {.compare = compare, .arg = arg};
        kri_reply *reply;
        kri_redis_word sum;
        done = kri_object_run(o, &look, 1, KRI_WORDS(kri_object_word(o)), KRI_REDIS_AGAIN, &reply);
        if (done < 0)
            return done;
        sum.bytes = kri_reply_bytes(kri_reply_at(reply, 0), &sum.size);
        done = sort_once(o, kri_reply_at(reply, 1), sum, &s);
        kri_reply_free(reply);
    }
    return done < 0 ? done : 0;
}

static void end_list(kr_list *l)
{
    os_free(l);
}

const kri_list_ops kri_redis_list_ops = {
    .append = append,
    .extend = extend,
    .pop = pop,
    .get = get,
    .set = set,
    .insert = insert,
    .take_out = take_out_one,
    .index = index_of,
    .count = count_of,
    .remove = remove_one,
    .length = length,
    .clear = clear,
    .reverse = reverse,
    .sort = sort,
    .slice = slice,
    .end = end_list,
};
