/* Messages over a stream of bytes, framed as CPython's multiprocessing.connection does; see
 * stream.c.
 *
 * One sender and one receiver at a time; the two may be different threads.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_STREAM_H
#define KRI_CONNECTION_STREAM_H

#include "wait/wait.h"

enum { KRI_STREAM_AHEAD = 16 * 1024 };

typedef struct kri_stream {
    int fd;               /* in blocking mode */
    bool local;           /* a Unix socket: a reset is an end as any other */
    int unreceivable;     /* the receiver's, as the rest: why nothing more comes; 0: it does */
    bool begun;           /* the next message's size is known */
    uint64_t max_message; /* the longest that is received */
    uint64_t size;        /* of the next message */
    unsigned char *part;  /* what came of it before a receive was given up; NULL: nothing */
    size_t part_size;
    size_t reach;   /* how much is to be read ahead */
    int long_waits; /* how many in a row */
    bool gathered;  /* before what was read last, and the next says whether that was of use */
    uint32_t hasty; /* waits that are not to begin with gathering */
    uint32_t hasty_before; /* how many were to be so, the last time; 0: it is of use */
    size_t first, last;    /* what was read ahead lies between */
    unsigned char ahead[KRI_STREAM_AHEAD];
} kri_stream;

void kri_stream_open(kri_stream *s, int fd, uint64_t max_message);
void kri_stream_close(kri_stream *s);

/* kri_stream_send - the whole message.
 *
 * 0; -ETIMEDOUT, -ECANCELED: nothing was sent, or a part of it, after which nothing can be sent any
 * more and the other end is told that no more will come; -EPIPE: the other end is gone, or such a
 * part was sent. */
int kri_stream_send(kri_stream *s, const void *bytes, size_t size, kr_time deadline);

/* kri_stream_begin - wait for the next message and say how long it is; it stays the next.
 *
 * 0; KR_EOF: the other end is gone and all is read; -EPROTO: it went within a message, or sends
 * what is no message; -EMSGSIZE: it sends one that is longer than max_message; -ETIMEDOUT,
 * -ECANCELED. After the first three every further receive says the same. */
int kri_stream_begin(kri_stream *s, uint64_t *size, kr_time deadline);

/* kri_stream_take - receive the message that kri_stream_begin announced, all of it.
 *
 * 0; -EPROTO; -ETIMEDOUT, -ECANCELED: what came of it is kept, and the message is still the next;
 * -ENOMEM: the same, but there was no memory to keep it, and nothing can be received any more */
int kri_stream_take(kri_stream *s, void *room, kr_time deadline);

/* kri_stream_pending - has something been read ahead that is not received yet? */
bool kri_stream_pending(const kri_stream *s);

/* kri_stream_ready - 1: the next message is there, or has begun and is longer than what is read
 * ahead, or an error; 0: wait for the descriptor.  Does not wait. */
int kri_stream_ready(kri_stream *s);

/* kri_stream_try - the next message of at most `most` bytes, a few hundred, if it is there already.
 * Nothing is read ahead beyond it.
 *
 * 0: *bytes are good until the next call; -EAGAIN: it is not, wait for the descriptor; -EMSGSIZE;
 * KR_EOF; -EPROTO */
int kri_stream_try(kri_stream *s, size_t most, const void **bytes, size_t *size);

#endif
