/* What the files of src/stream share.
 *
 * State of a stream
 *   open      calls read and write
 *   closing   no call begins any more; those that are inside are ended through their scopes
 *   gone      the transport is closed, by the last that left, or by the close itself
 *
 * Fields: at the struct.
 *
 * Protocol
 *   - A reader takes `reading`, one at a time, and owns `in` until it gives it back.
 *   - Writers take turns by `turn`.  Whoever calls the transport's write holds `sending`: the
 * writer itself, somebody who flushes, or the pump, a coroutine that sends on what a writer has
 * left.
 *   - What is left lies in a ring of a fixed size: the holder of `turn` puts in behind it, the
 *     holder of `sending` takes out; both copy outside the lock, for neither moves the other's end.
 *   - What the transport holds is left, too: a push sends it before anything else, though the ring
 *     may be empty.  What it has given to a stream below is that one's, which flushes wait for.
 *   - Who finds bytes left and nobody sending sends them: so they are not stuck when a pump was
 *     cancelled with its loop.
 *   - A pump holds the stream's memory and no handle: with the last handle it is aborted, and ends.
 *   - Whoever waits for one of these sleeps on `changed`, which is raised with each.
 *   - A transport's calls are made inside one of two cancel scopes that live as long as the stream;
 *     closing cancels both.  So a descriptor is not closed under somebody who uses it, whose number
 *     might be another file's by then.
 *   - A cancel of the caller marks the scope of his call, too, and a mark is for good: so the next
 *     call begins with a new scope, unless it is the close that has cancelled it.  That says so
 *     under the lock, before it cancels.
 *
 * Fork: who was inside is not in the child, nor who had the lock, nor a pump.  Whoever closes the
 * child's copy is alone with it.
 *
 * Ordering: everything is behind `lock`; `changed` is raised under it, sequentially consistent, as
 * kri_wake asks [wait-1].
 *
 * Why not: a lock for each direction, since it is held for a few instructions.  A write buffer that
 * is always filled first costs a copy, which nearly every write is spared by asking the system
 * first.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_INTERNAL_H
#define KRI_STREAM_INTERNAL_H

#include "os/net.h"
#include "os/os.h"
#include "stream/stream.h"
#include <krait/lock.h>

/* The transport over a descriptor. */
typedef struct kri_fd_transport {
    kri_transport base;
    int fd; /* const */
} kri_fd_transport;

void kri_fd_transport_begin(kri_fd_transport *transport, int fd);

typedef struct kri_stream_in {
    char *bytes; /* NULL until something is read ahead */
    size_t room;
    size_t begin; /* what is read ahead is from here.. */
    size_t end;   /* ..to here */
    bool eof;     /* the end has come */
    int error;    /* reading has failed for good; 0: it has not */
    kr_cancel_scope scope;
} kri_stream_in;

typedef struct kri_stream_out {
    char *bytes;  /* a ring of `high` bytes; NULL until something is left */
    size_t begin; /* guarded by lock, as all but `turn` */
    size_t used;
    size_t held;  /* bytes before those, which the transport has taken and could not send */
    bool eof;     /* no more is to be written */
    int error;    /* writing has failed for good */
    kr_lock turn; /* of writers, for a whole call */
    kr_cancel_scope scope;
} kri_stream_out;

struct kr_stream {
    kr_word references; /* atomic: handles */
    kr_word holds;      /* atomic: one for all handles, one of each pump: so long it is there */
    kri_mutex lock;
    kr_word changed;  /* guarded by lock; waited on */
    uint32_t waiting; /* guarded by lock, as the next seven: who waits on `changed` */
    bool reading;     /* somebody owns `in` */
    bool sending;     /* somebody is in the transport's write */
    bool ending;      /* its runner is to close it: calls answer as if it were closed */
    bool closing;
    bool aborted; /* it was not closed in good order */
    bool gone;
    kri_transport *transport; /* const */
    size_t limit;             /* const, as the next three: the options */
    size_t chunk;
    size_t high;
    size_t low;
    uint32_t generation; /* of forks; const but in a forked child, which comes to close its copy */
    kri_stream_in in;    /* of who has `reading` */
    kri_stream_out out;
    kri_fd_transport own;
};

/* From a call of the transport, of which -ECANCELED may mean that the stream is closed. */
int64_t kri_stream_result(kr_stream *s, int64_t result);

/* A call of the transport begins, in one of the two scopes: 0, or the error. */
int kri_stream_enter(kr_stream *s, kr_cancel_scope *scope);

/* One more who needs its memory, and one less. */
void kri_stream_hold(kr_stream *s);
void kri_stream_drop(kr_stream *s);

/* Have who uses the stream close it: it cannot but that any more. */
void kri_stream_end(kr_stream *s);

/* The connection is lost: whoever writes or drains is to know. */
void kri_stream_lost(kr_stream *s, int error);

/* pre: the lock is held, in these four, and again after them.
 * raise: something is not what it was.  sleep: until that; 0, -ETIMEDOUT, -ECANCELED.
 * push: send some of what is left; `sending` is free, something is left.  some_left: is it? */
void kri_stream_raise(kr_stream *s);
int kri_stream_sleep(kr_stream *s, kr_time deadline);
int kri_stream_push(kr_stream *s, kr_time deadline);
static inline bool kri_stream_some_left(const kr_stream *s)
{
    return s->out.used > 0 || s->out.held > 0;
}
/* leave: unlock, after something was given back, and close the transport if it is time. */
void kri_stream_leave(kr_stream *s);

/* Have a coroutine send what is left: 0; -EPERM: the caller is none ...  pre: `sending` is free,
 * the lock is held, and again after it. */
int kri_stream_pump(kr_stream *s);
bool kri_stream_can_pump(void);

/* Wait until at most `most` bytes are left here, and none is held; 0 or what a write would
 * answer. */
int kri_stream_wait_sent(kr_stream *s, size_t most, kr_time deadline);

/* After all that is left, a last word of the transport's, by who has the writers' turn. */
typedef int (*kri_last_word)(kri_transport *transport, kr_time timeout);
int kri_stream_say(kr_stream *s, kri_last_word say, kr_time deadline);

bool kri_stream_options_check(const kr_stream_options *options);

/* Addresses */

void kri_address_from_os(kr_address *address, const os_address *from);
int kri_address_to_os(os_address *address, const kr_address *from);

/* Connect, as kr_stream_connect says: the descriptor, noted in *half, or the error. */
int kri_connect_any(os_address *list, int count, kr_time deadline, kri_half_open *half);

/* The addresses of a host, in the system's order, at most `most`.  How many; as kr_getaddrinfo. */
int kri_address_look_up(os_address *list, int most, const char *host, const char *service,
                        bool datagram, bool listening, kr_time deadline);

enum { KRI_STREAM_ADDRESSES = 16 };

static inline bool kri_all_zero(const uint64_t *reserved)
{
    return (reserved[0] | reserved[1] | reserved[2] | reserved[3]) == 0;
}

#endif
