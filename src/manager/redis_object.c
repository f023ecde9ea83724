/* What the operations on a server share.  See redis_object.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/redis_object.h"
#include "os/os.h"
#include <stdio.h>
#include <stdlib.h>

kri_redis_word kri_object_key(const kri_redis_object *o, const char *what, kri_redis_key *room)
{
    (void)snprintf(room->text, sizeof room->text, "krait:%s:%s", what, o->name);
    return kri_word(room->text);
}

int kri_object_do(const kri_redis_object *o, const kri_redis_word *words, int count, unsigned flags,
                  kri_reply **reply)
{
    return kri_redis_do(o->redis, words, count, flags, kri_redis_deadline(o->redis), reply);
}

int kri_object_run(const kri_redis_object *o, const kri_redis_script *script, int keys,
                   const kri_redis_word *words, int count, unsigned flags, kri_reply **reply)
{
    return kri_redis_run(o->redis, script, keys, words, count, flags, kri_redis_deadline(o->redis),
                         reply);
}

static int64_t integer_of(int err, kri_reply *reply)
{
    int64_t number = err < 0 ? err : kri_reply_integer(reply);
    kri_reply_free(reply);
    return number;
}

int64_t kri_object_ask(const kri_redis_object *o, const kri_redis_word *words, int count,
                       unsigned flags)
{
    kri_reply *reply;
    int err = kri_object_do(o, words, count, flags, &reply);
    return integer_of(err, reply);
}

int64_t kri_object_run_ask(const kri_redis_object *o, const kri_redis_script *script, int keys,
                           const kri_redis_word *words, int count, unsigned flags)
{
    kri_reply *reply;
    int err = kri_object_run(o, script, keys, words, count, flags, &reply);
    return integer_of(err, reply);
}

int64_t kri_object_number(const kri_redis_object *o, const char *field)
{
    kri_reply *reply;
    size_t size;
    int err = kri_object_do(o, KRI_WORDS(kri_word("HGET"), kri_object_word(o), kri_word(field)),
                            KRI_REDIS_AGAIN, &reply);
    int64_t number = err < 0 ? err : strtoll(kri_reply_bytes(reply, &size), NULL, 10);
    kri_reply_free(reply);
    return number;
}

void kri_object_clean(const kri_redis_object *o, const kri_redis_script *script, int keys,
                      const kri_redis_word *words, int count)
{
    enum { NOT_LONG_S = 1, OWN_WORDS = 3 };
    kri_digits digits;
    kri_reply *reply;
    kri_redis_word all[OWN_WORDS + KRI_OBJECT_CLEANS] = {kri_word("EVAL"), kri_word(script->text),
                                                         kri_word_integer(&digits, keys)};
    memcpy(all + OWN_WORDS, words, (size_t)count * sizeof *words);
    kr_shield {
        (void)kri_redis_do(o->redis, all, count + OWN_WORDS, KRI_REDIS_AGAIN,
                           kri_deadline(kr_sec(NOT_LONG_S)), &reply);
        kri_reply_free(reply);
    }
}

int kri_object_copy(const kri_reply *reply, void *value, size_t room, size_t *size)
{
    size_t length = 0;
    size_t unwanted;
    size = size != NULL ? size : &unwanted;
    *size = 0;
    switch (kri_reply_kind(reply)) {
    case KRI_INTEGER:
        if (kri_reply_integer(reply) < 0)
            return -EPROTO;
        *size = (size_t)kri_reply_integer(reply);
        return -ERANGE;
    case KRI_STRING:
        break;
    default:
        return -ENOENT;
    }
    const char *bytes = kri_reply_bytes(reply, &length);
    *size = length;
    if (length > room)
        return -ERANGE;
    if (length > 0)
        memcpy(value, bytes, length);
    return 0;
}

int kri_object_fetch(const kri_redis_object *o, const kri_redis_word *words, int count, void *value,
                     size_t room, size_t *size)
{
    kri_reply *reply;
    int err = kri_object_do(o, words, count, KRI_REDIS_AGAIN, &reply);
    if (err == 0)
        err = kri_object_copy(reply, value, room, size);
    kri_reply_free(reply);
    return err;
}

void kri_redis_token(char token[static KRI_REDIS_TOKEN])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char random[KRI_REDIS_TOKEN / 2];
    os_random(random, sizeof random);
    for (size_t i = 0; i < sizeof random; i++) {
        token[2 * i] = digits[random[i] >> 4];
        token[2 * i + 1] = digits[random[i] & 15];
    }
    token[2 * sizeof random] = '\0';
}
