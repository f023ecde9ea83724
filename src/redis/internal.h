/* What the files of src/redis share with each other and with nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REDIS_INTERNAL_H
#define KRI_REDIS_INTERNAL_H

#include "redis/redis.h"
#include "stream/stream.h"
#include <krait/semaphore.h>
#include <krait/stream.h>

/* Where a server is; strings that are not there are NULL. */
typedef struct kri_redis_address {
    bool tls;
    bool local;    /* a Unix socket: host is its path */
    unsigned base; /* number of the database */
    char *host;
    const char *service;
    char *user;
    char *password;
    char *memory; /* what they lie in */
} kri_redis_address;

/* 0; -EINVAL, -ENOMEM.  To be freed in any case. */
int kri_redis_address_read(kri_redis_address *address, const char *where);
void kri_redis_address_free(kri_redis_address *address);

/* A connection; one runner has it at a time, see line.c. */
typedef struct kri_line {
    kr_stream *stream;
    int fd;           /* of the stream, where bytes need no translation; -1: they do */
    int descriptor;   /* the same in any case */
    void *reader;     /* hiredis' */
    kr_time used;     /* when it last had an answer */
    kr_time patience; /* how long a receive may last, as the system was told; 0: nothing was told */
    int64_t id;       /* the server's number for it; 0: not asked yet */
    bool extra;       /* it counts for none of the pool's places */
    kri_half_open half;    /* until the pool lists it */
    struct kri_line *next; /* guarded by the pool's lock: all of the pool's, and the idle ones */
    struct kri_line *previous;
    struct kri_line *next_idle;
} kri_line;

/* Connect, and say who we are.  0, and its `half` is noted; as kri_redis_open. */
int kri_line_open(kri_line **line, const kri_redis_address *address, kr_tls_context *tls,
                  kr_time deadline);
void kri_line_close(kri_line *line);

/* In a forked child: its descriptor is closed, the rest is left as it was when its user was lost.
 */
void kri_line_abandon(kri_line *line);

/* Is it still connected, as far as one can tell without a word?  Asks only one that was idle. */
bool kri_line_is_alive(kri_line *line);

/* Send bytes; *sent is how many went out, also on an error. */
int kri_line_send(kri_line *line, const void *bytes, size_t size, size_t *sent, kr_time deadline);

/* The next answer.  0; -ETIMEDOUT, -ECANCELED: it may still come; KR_EOF, -EPROTO, -ECONNRESET ...:
 * the line is of no use any more; -ENOMEM: so too. */
int kri_line_receive(kri_line *line, kri_reply **reply, kr_time deadline);

/* A request and its answer, errors of the server's as kri_reply_error; for the pool's own words. */
int kri_line_ask(kri_line *line, const kri_redis_word *words, int count, kri_reply **reply,
                 kr_time deadline);

/* hiredis, or its absence */

/* The bytes of a request, to be freed by kri_format_free.  Their number; -ENOMEM. */
int64_t kri_format(char **bytes, const kri_redis_word *words, int count);
void kri_format_free(char *bytes);
bool kri_reader_is_there(void);
void *kri_reader_create(void);
void kri_reader_free(void *reader);
int kri_reader_feed(void *reader, const char *bytes, size_t size); /* 0, -ENOMEM */
/* 1: *reply is the next answer; 0: not all of it is there; -EPROTO, -ENOMEM. */
int kri_reader_next(void *reader, kri_reply **reply);

/* The pool */

typedef struct kri_known_script {
    const kri_redis_script *script;
    char digest[48]; /* "": not known */
} kri_known_script;

struct kri_redis {
    kr_word references; /* atomic */
    unsigned most;      /* const, as the next three: how many places */
    kr_time timeout;
    kr_tls_context *tls;
    kri_redis_address address;
    kr_semaphore places; /* for requests that do not block there */
    kri_mutex lock;
    kri_line *lines; /* guarded by lock, as the rest: all that stand */
    kri_line *idle;  /* the last that was used first */
    unsigned idle_count;
    unsigned busy_count;
    uint64_t made;
    unsigned failures;      /* in a row, of connecting */
    int last_error;         /* of the last */
    kr_time not_before;     /* when the next attempt may begin */
    struct kri_redis *next; /* guarded by the list's lock: of all of this process */
    struct kri_redis *previous;
    kri_known_script scripts[KRI_REDIS_SCRIPTS];
};

/* Have a line: an idle one, or a new one.  0; the last error of connecting, -ETIMEDOUT, -ECANCELED,
 * -ENOMEM ...  `extra`: beside the places. */
int kri_line_take(kri_redis *r, bool extra, kr_time deadline, kri_line **line);
/* Give it back; not good: it is closed. */
void kri_line_give(kri_redis *r, kri_line *line, bool good);
/* The server refuses for the moment: as after a failed attempt to connect, whoever connects or
 * calls kri_redis_hold waits a little. */
void kri_redis_stumbled(kri_redis *r, int error);
int kri_redis_hold(kri_redis *r, kr_time deadline);
void kri_redis_drop_idle(kri_redis *r);

#endif
