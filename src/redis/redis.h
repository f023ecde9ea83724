/* A server that speaks Redis' protocol: its address, a pool of connections, requests and answers.
 *
 *     kri_redis *r;
 *     err = kri_redis_open(&r, "redis://localhost/0", NULL);
 *     err = kri_redis_do(r, KRI_WORDS(kri_word("GET"), kri_word_of(key, size)), KRI_REDIS_AGAIN,
 *                        kri_redis_deadline(r), &reply);
 *     ...
 *     kri_reply_free(reply);
 *
 * Called from a thread these block it, from a coroutine they suspend it.  Deadlines are absolute,
 * as kri_deadline makes them.
 *
 * What became of a request
 *   Nothing is sent twice that might have been applied, unless its caller says that this does no
 *   harm (KRI_REDIS_AGAIN): reading, and what carries a token by which a second one is known.  A
 *   request that was not sent as a whole was not applied; it is sent again on another connection,
 *   within the deadline.  So is one that the server itself refuses for the moment (LOADING,
 *   READONLY ...).  One that went out and was not answered is KR_EUNSURE.
 *
 * In a build without hiredis kri_redis_open is -ENOSYS, and kr_redis_error_text says why; nothing
 * else can be called then.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REDIS_REDIS_H
#define KRI_REDIS_REDIS_H

#include "wait/wait.h"
#include <krait/redis.h>
#include <krait/tls.h>
#include <string.h>

typedef struct kri_redis kri_redis;

typedef struct kri_redis_options {
    kr_time timeout;     /* of a request that has no limit of its own; 0: KRI_REDIS_TIMEOUT */
    kr_tls_context *tls; /* for rediss://; NULL: whom the system trusts */
    unsigned lines;      /* connections for requests at a time; 0: KRI_REDIS_LINES */
} kri_redis_options;
enum { KRI_REDIS_TIMEOUT_S = 5, KRI_REDIS_LINES = 16 };

/* kri_redis_is_address - "redis:", "rediss:" or "unix:", whatever follows. */
bool kri_redis_is_address(const char *where);

/* kri_redis_open - a pool of connections, with one that stands.  A server that is not there yet, or
 * whose name is not known yet, is waited for as long as .timeout; what it refuses is told at once.
 *
 *   where   redis://[user:password@]host[:port][/db]
 *           rediss://...                               the same inside TLS
 *           unix:/path, unix://[user:password@]/path[?db=N]
 *           with %xx in user, password and path; "password@" alone is ":password@"
 *
 * 0; -EINVAL: no such address; -ENOSYS: built without hiredis (or, rediss, OpenSSL); KR_EAUTH: it
 * refuses user or password; -ECONNREFUSED, -ENOENT ... as kr_stream_connect and kr_tls_connect,
 * when the time is up; -ETIMEDOUT: it was there, and did not answer; -ECANCELED; KR_EREPLY: it
 * refuses something else, such as that database; -ENOMEM.  On an error *r is NULL. */
int kri_redis_open(kri_redis **r, const char *where, const kri_redis_options *options);
kri_redis *kri_redis_retain(kri_redis *r);
void kri_redis_release(kri_redis *r); /* NULL is allowed */

/* kri_redis_deadline - of a call that names no time-out. */
kr_time kri_redis_deadline(const kri_redis *r);
kr_time kri_redis_timeout(const kri_redis *r);

/* Answers, to be freed; the parts of one belong to it. */
typedef struct redisReply kri_reply;
enum kri_reply_kind { KRI_NIL, KRI_INTEGER, KRI_STRING, KRI_STATUS, KRI_ARRAY, KRI_ERROR };

enum kri_reply_kind kri_reply_kind(const kri_reply *reply);
int64_t kri_reply_integer(const kri_reply *reply);                 /* of any other kind: 0 */
const char *kri_reply_bytes(const kri_reply *reply, size_t *size); /* none: "" and 0 */
size_t kri_reply_count(const kri_reply *reply); /* of an array; any other kind: 0 */
const kri_reply *kri_reply_at(const kri_reply *reply, size_t i); /* beyond its parts: nil */
void kri_reply_free(kri_reply *reply);                           /* NULL is allowed */

/* kri_reply_error - what an error that the server tells means to us, noted for
 * kr_redis_error_text: KR_EAUTH, -EACCES (NOPERM), -EPROTOTYPE (WRONGTYPE), -EDQUOT (OOM),
 * -ENOEXEC (NOSCRIPT), -EAGAIN (LOADING and its kin), -EROFS (READONLY), -EBADMSG and -EOVERFLOW
 * (of adding to what is no integer, or too large), -ENOENT (no such index), KR_EREPLY: any other.
 * 0: the reply is none. */
int kri_reply_error(const kri_reply *reply);

/* Requests */

typedef struct kri_redis_word {
    const void *bytes;
    size_t size;
} kri_redis_word;

static inline kri_redis_word kri_word_of(const void *bytes, size_t size)
{
    return (kri_redis_word){bytes, size};
}

static inline kri_redis_word kri_word(const char *text)
{
    return kri_word_of(text, strlen(text));
}

/* A number as a word, in room of the caller's. */
typedef struct kri_digits {
    char text[24];
} kri_digits;
kri_redis_word kri_word_integer(kri_digits *room, int64_t number);

#define KRI_WORDS(...)                                                                             \
    (const kri_redis_word[]){__VA_ARGS__},                                                         \
        (int)(sizeof((const kri_redis_word[]){__VA_ARGS__}) / sizeof(kri_redis_word))

enum {
    KRI_REDIS_AGAIN = 1, /* may be applied twice: send it again when its answer is lost */
    KRI_REDIS_BLOCKS = 2 /* the server may take its time: a connection beside the others.  When the
                            caller's time is up or he is cancelled, the server is told to end the
                            wait, and what it had given away by then is the answer */
};

/* kri_redis_do - one request, one answer.
 *
 * 0: *reply is the answer, and no error.  Else *reply is NULL:
 *    KR_EUNSURE           it went out, no answer came: it may have been applied or not
 *    -ETIMEDOUT, -ECANCELED, and those of connecting: it was not applied (of KRI_REDIS_AGAIN: there
 *                          is no answer)
 *    as kri_reply_error    the server's answer
 *    -ENOMEM */
int kri_redis_do(kri_redis *r, const kri_redis_word *words, int count, unsigned flags,
                 kr_time deadline, kri_reply **reply);

/* Batches: requests that go out in one piece, and their answers in order. */
typedef struct kri_redis_batch {
    char *bytes;
    size_t size;
    size_t room;
    int count;
    int error; /* an add has failed */
} kri_redis_batch;

void kri_redis_batch_begin(kri_redis_batch *batch);
void kri_redis_batch_add(kri_redis_batch *batch, const kri_redis_word *words, int count);
void kri_redis_batch_end(kri_redis_batch *batch); /* frees what it has, not the answers */

/* kri_redis_batch_run - send them all; replies[i] is the answer to the i-th, maybe an error.
 *
 * 0: all are there; else none is, as kri_redis_do.  KR_EUNSURE: any number of them, from the first
 * on, may have been applied.  A batch is no transaction: others' requests may come in between. */
int kri_redis_batch_run(kri_redis *r, kri_redis_batch *batch, unsigned flags, kr_time deadline,
                        kri_reply **replies);

/* Scripts: by their digest, and in full where the server does not know it (any more).
 *
 *   keys   how many of the words are keys; the rest are arguments
 *
 * As kri_redis_do. */
typedef struct kri_redis_script {
    const char *text; /* constant: its address is what it is known by here */
} kri_redis_script;

int kri_redis_run(kri_redis *r, const kri_redis_script *script, int keys,
                  const kri_redis_word *words, int count, unsigned flags, kr_time deadline,
                  kri_reply **reply);
enum {
    KRI_REDIS_SCRIPTS = 64
}; /* that a pool knows by their digests; others are loaded each time */

/* kri_redis_note - what kr_redis_error_text is to say in this thread; returns the error. */
int kri_redis_note(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* For tests: how often a connection was made, and how many stand. */
typedef struct kri_redis_counts {
    uint64_t made;
    unsigned idle;
    unsigned busy;
} kri_redis_counts;
kri_redis_counts kri_redis_count(kri_redis *r);

#endif
