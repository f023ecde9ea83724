/* A manager's objects on a server: what their operations share.
 *
 * An object's content is the server's key of the same name: a dict is a HASH, a list and a queue
 * are LISTs, a set is a SET, values and arrays are STRINGs; so others read and write them with any
 * client.  What krait needs beside is under names that begin with "krait:".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_REDIS_OBJECT_H
#define KRI_MANAGER_REDIS_OBJECT_H

#include "redis/redis.h"
#include <krait/manager.h>

enum { KRI_REDIS_NAME = KR_MANAGER_NAME, KRI_REDIS_KEY = KRI_REDIS_NAME + 32 };

/* One of them, for the time of a call. */
typedef struct kri_redis_object {
    kri_redis *redis;
    const char *name;
} kri_redis_object;

static inline kri_redis_word kri_object_word(const kri_redis_object *o)
{
    return kri_word(o->name);
}

/* The key "krait:<what>:<name>", in room of the caller's. */
typedef struct kri_redis_key {
    char text[KRI_REDIS_KEY];
} kri_redis_key;
kri_redis_word kri_object_key(const kri_redis_object *o, const char *what, kri_redis_key *room);

/* One request within the manager's time-out. */
int kri_object_do(const kri_redis_object *o, const kri_redis_word *words, int count, unsigned flags,
                  kri_reply **reply);

/* The same of a script; the first `keys` words are keys. */
int kri_object_run(const kri_redis_object *o, const kri_redis_script *script, int keys,
                   const kri_redis_word *words, int count, unsigned flags, kri_reply **reply);

/* One whose answer is an integer; or the error. */
int64_t kri_object_ask(const kri_redis_object *o, const kri_redis_word *words, int count,
                       unsigned flags);
int64_t kri_object_run_ask(const kri_redis_object *o, const kri_redis_script *script, int keys,
                           const kri_redis_word *words, int count, unsigned flags);

/* The number in a field of its hash, 0 where there is none; or the error. */
int64_t kri_object_number(const kri_redis_object *o, const char *field);

/* To clean up behind a call that failed, whatever its caller's scope says, and not for long: a
 * server that does not answer is not waited for a second time.  All goes out in one request, which
 * such a server may still find; at most KRI_OBJECT_CLEANS words. */
enum { KRI_OBJECT_CLEANS = 5 };
void kri_object_clean(const kri_redis_object *o, const kri_redis_script *script, int keys,
                      const kri_redis_word *words, int count);

/* A value out of an answer: nothing: -ENOENT; an integer: it is that long, and stays: -ERANGE. */
int kri_object_copy(const kri_reply *reply, void *value, size_t room, size_t *size);

/* The same of a request, whose answer is freed. */
int kri_object_fetch(const kri_redis_object *o, const kri_redis_word *words, int count, void *value,
                     size_t room, size_t *size);

/* A number that no other caller has, in any process: hexadecimal digits. */
enum { KRI_REDIS_TOKEN = 33 };
void kri_redis_token(char token[static KRI_REDIS_TOKEN]);

#endif
