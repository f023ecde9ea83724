/* A manager's values and arrays on a server: STRINGs.
 *
 * A value of 8 bytes stands there as the decimal digits of an int64_t of the same bits: so that it
 * can be added to by INCRBY, and integers are read by everybody.  A double in such a value is kept
 * to the bit, and read by krait only.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_manager.h"
#include "os/os.h"
#include <stdlib.h>

/* ARGV[1] what it is expected to be, ARGV[2] what it is to be */
static const kri_redis_script compare = {
    "if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end "
    "redis.call('SET', KEYS[1], ARGV[2]) return 1"};

/* The bytes as they stand there. */
static kri_redis_word as_kept(const void *value, size_t size, kri_digits *room)
{
    int64_t number;
    if (size != sizeof number)
        return kri_word_of(value, size);
    memcpy(&number, value, sizeof number);
    return kri_word_integer(room, number);
}

static bool read_digits(const char *text, size_t length, int64_t *number)
{
    char *end;
    char copy[24];
    if (length == 0 || length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *number = strtoll(copy, &end, 10);
    return *end == '\0';
}

static int make(const kri_redis_object *o, kri_redis_word value)
{
    kri_reply *reply;
    int err = kri_object_do(
        o, KRI_WORDS(kri_word("SET"), kri_object_word(o), value, kri_word("NX")), 0, &reply);
    kri_reply_free(reply);
    return err;
}

static int make_kept(const kri_redis_object *o, size_t size, const void *value, bool digits)
{
    kri_digits room;
    void *zero = value == NULL ? os_alloc(size) : NULL;
    const void *first = value != NULL ? value : zero;
    if (first == NULL)
        return -ENOMEM;
    int err = make(o, digits ? as_kept(first, size, &room) : kri_word_of(first, size));
    os_free(zero);
    return err;
}

int kri_redis_value_make(const kri_redis_object *o, size_t size, const void *value)
{
    return make_kept(o, size, value, true);
}

static int get(kr_managed_value *v, void *value)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&v->handle)};
    size_t size = v->size;
    kri_reply *reply;
    size_t length;
    int64_t number;
    int err =
        kri_object_do(o, KRI_WORDS(kri_word("GET"), kri_object_word(o)), KRI_REDIS_AGAIN, &reply);
    if (err < 0)
        return err;
    const char *bytes = kri_reply_bytes(reply, &length);
    if (kri_reply_kind(reply) != KRI_STRING)
        err = -ESTALE;
    else if (size == sizeof number && read_digits(bytes, length, &number))
        memcpy(value, &number, sizeof number);
    else if (length == size && size != sizeof number)
        memcpy(value, bytes, size);
    else
        err = -EBADMSG;
    kri_reply_free(reply);
    return err;
}

static int set(kr_managed_value *v, const void *value)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&v->handle)};
    size_t size = v->size;
    kri_reply *reply;
    kri_digits room;
    int err = kri_object_do(
        o, KRI_WORDS(kri_word("SET"), kri_object_word(o), as_kept(value, size, &room)), 0, &reply);
    kri_reply_free(reply);
    return err;
}

static int compare_and_set(kr_managed_value *v, const void *expected, const void *value)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&v->handle)};
    size_t size = v->size;
    kri_digits room[2];
    int64_t done =
        kri_object_run_ask(o, &compare, 1,
                           KRI_WORDS(kri_object_word(o), as_kept(expected, size, &room[0]),
                                     as_kept(value, size, &room[1])),
                           0);
    return done < 0 ? (int)done : done == 0 ? -EAGAIN : 0;
}

static int add(kr_managed_value *v, int64_t amount, int64_t *sum)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&v->handle)};
    kri_reply *reply;
    kri_digits digits;
    int err = kri_object_do(
        o, KRI_WORDS(kri_word("INCRBY"), kri_object_word(o), kri_word_integer(&digits, amount)), 0,
        &reply);
    if (err == 0 && sum != NULL)
        *sum = kri_reply_integer(reply);
    kri_reply_free(reply);
    return err;
}

int kri_redis_array_make(const kri_redis_object *o, size_t size, const void *items)
{
    return make_kept(o, size, items, false);
}

static int get_items(kr_managed_array *a, size_t first, size_t count, void *items)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&a->handle)};
    size_t from = first * a->item_size;
    size_t size = count * a->item_size;
    kri_digits digits[2];
    size_t got;
    if (size == 0)
        return 0;
    int err = kri_object_fetch(o,
                               KRI_WORDS(kri_word("GETRANGE"), kri_object_word(o),
                                         kri_word_integer(&digits[0], (int64_t)from),
                                         kri_word_integer(&digits[1], (int64_t)(from + size - 1))),
                               items, size, &got);
    return err < 0 ? err : got != size ? -ESTALE : 0;
}

static int set_items(kr_managed_array *a, size_t first, size_t count, const void *items)
{
    const kri_redis_object o[1] = {kri_redis_object_of(&a->handle)};
    size_t from = first * a->item_size;
    size_t size = count * a->item_size;
    kri_digits digits;
    if (size == 0)
        return 0;
    int64_t length = kri_object_ask(o,
                                    KRI_WORDS(kri_word("SETRANGE"), kri_object_word(o),
                                              kri_word_integer(&digits, (int64_t)from),
                                              kri_word_of(items, size)),
                                    0);
    return length < 0 ? (int)length : 0;
}

static void end_value(kr_managed_value *v)
{
    os_free(v);
}

static void end_array(kr_managed_array *a)
{
    os_free(a);
}

const kri_value_ops kri_redis_value_ops = {
    .get = get,
    .set = set,
    .compare_and_set = compare_and_set,
    .add = add,
    .end = end_value,
};

const kri_array_ops kri_redis_array_ops = {
    .get = get_items,
    .set = set_items,
    .end = end_array,
};
