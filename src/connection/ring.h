/* One direction of a pipe: a ring in memory that both sides have, and a view of it in each process.
 *
 *     head        once a pipe: which layout, and how long each ring is
 *     state       once a direction: the sending side, the receiving side, and who sleeps
 *     then        the bytes of each direction
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_RING_H
#define KRI_CONNECTION_RING_H

#include "connection/connection.h"
#include <krait/lock.h>

/* Two lines of the processor's cache: it fetches neighbours in pairs. */
enum { KRI_PIPE_LINES = 128 };

/* One side.  But for `at` and `cpu` nothing of it is read by the other. */
typedef struct kri_ring_side {
    kr_lock lock;
    kri_word64 at;   /* units this side has come past, ever: one store commits a record */
    kri_word64 seen; /* guarded by lock: the other side's `at`, as last looked at */
    kr_word cpu;     /* hint: processor + 1 of whoever was here last */
    kr_word sleeps;  /* whoever holds the lock sleeps with it */
    uint32_t serial; /* guarded by lock; sending: of the last attachment */
    kr_word holders; /* sending: how many processes have this end, or more: see ring_sleep.c */
    uint64_t reserved[KRI_PIPE_LINES / 8 - 5];
} kri_ring_side;

/* Who sleeps; see ring_sleep.c. */
typedef struct kri_ring_calls {
    kr_word items;  /* KRI_CALL_SLEEPER, KRI_CALL_POLLERS */
    kr_word space;  /* KRI_CALL_SLEEPER */
    kr_word wanted; /* units of room that who sleeps for it wants */
    kr_word closes; /* how often a process has closed a receiving end */
    uint64_t reserved[KRI_PIPE_LINES / 8 - 2];
} kri_ring_calls;

enum { KRI_CALL_SLEEPER = 1, KRI_CALL_POLLERS = 2 };

typedef struct kri_ring_state {
    kri_ring_side put;
    kri_ring_side get;
    kri_ring_calls calls;
} kri_ring_state;

typedef struct kri_pipe_head {
    uint64_t magic;
    uint32_t version;
    uint32_t rings;    /* 1 or 2 */
    uint64_t capacity; /* bytes of each, a power of two */
    uint64_t reserved[KRI_PIPE_LINES / 8 - 3];
} kri_pipe_head;

_Static_assert(sizeof(kri_ring_side) == KRI_PIPE_LINES, "part of the layout");
_Static_assert(sizeof(kri_ring_calls) == KRI_PIPE_LINES, "part of the layout");
_Static_assert(sizeof(kri_pipe_head) == KRI_PIPE_LINES, "part of the layout");

enum { KRI_RING_UNIT = 8 };

enum kri_record_kind {
    KRI_RECORD_WHOLE = 1,
    KRI_RECORD_FIRST,      /* 8 bytes: the length of the message; then as much of it as goes */
    KRI_RECORD_MORE,       /* the next part */
    KRI_RECORD_ATTACHMENT, /* kri_attachment_head, then its plain bytes */
};

/* The first unit of a record. */
typedef struct kri_record {
    uint32_t length; /* bytes behind this unit */
    uint16_t kind;
    uint16_t mark; /* of its place, so that a position that points elsewhere is found */
} kri_record;

typedef struct kri_attachment_head {
    uint32_t serial;
    uint32_t count; /* of descriptors */
} kri_attachment_head;

/* The view: private memory, so that what is constant can be trusted. */
typedef struct kri_ring {
    kri_ring_state *state;
    unsigned char *bytes;
    uint64_t units; /* a power of two */
} kri_ring;

static inline uint64_t kri_ring_units(size_t bytes)
{
    return 1 + (bytes + KRI_RING_UNIT - 1) / KRI_RING_UNIT;
}

/* Of the putting side, with its lock.  head (may be 0 bytes) and bytes become one record.
 * 0; -EAGAIN: no room; KR_ECORRUPT. */
typedef struct kri_ring_part {
    enum kri_record_kind kind;
    const void *head;
    size_t head_size;
    const void *bytes;
    size_t size;
} kri_ring_part;
int kri_ring_put_record(const kri_ring *ring, const kri_ring_part *part);

/* How many units are free by now, without a lock; negative: KR_ECORRUPT. */
int64_t kri_ring_room(const kri_ring *ring);

/* Of the getting side, with its lock: the next record.  0; -EAGAIN: none; KR_ECORRUPT. */
int kri_ring_look(const kri_ring *ring, kri_record *record);
void kri_ring_copy(const kri_ring *ring, size_t from, void *to, size_t size); /* of what it has */
void kri_ring_pass(const kri_ring *ring, const kri_record *record);           /* it is taken */

/* Has it a record?  Without a lock; true too when it is damaged. */
bool kri_ring_has(const kri_ring *ring);

/* An end of a pipe. */
typedef struct kri_pipe_end {
    kr_connection base;
    int memory_fd;
    int rights; /* a socket: descriptors come and go, calls for space, the hang-up */
    int hears;  /* -1: does not receive */
    int calls;  /* -1: does not send */
    void *memory;
    size_t memory_size;
    kri_ring in;
    kri_ring out;
    kr_word long_waits; /* atomic, hint: of the receives of this process */
    kr_word long_waits_for_room;
    kr_word closes;   /* atomic, hint: calls.closes when it was last looked into */
    kri_word64 alive; /* atomic, hint: when somebody was last seen at the other end */

    /* Guarded by in's get.lock: a message of several parts, as far as it has come. */
    unsigned char *partial;
    size_t partial_size;
    size_t partial_have;
    uint64_t partial_next; /* where the next part must lie */
} kri_pipe_end;

static inline kri_pipe_end *kri_pipe_of(const kr_connection *c)
{
    return (kri_pipe_end *)(uintptr_t)c;
}

/* Locks and sleep; ring_sleep.c. */

/* Take a side's lock; a sleeping holder keeps it as long as it sleeps.  0, -ETIMEDOUT, -ECANCELED,
 * KR_ECORRUPT.  *died: a process that held it is dead. */
int kri_side_take(kri_ring_side *side, const kri_ring_side *other, kr_time deadline, bool *died);
void kri_side_give(kri_ring_side *side);

/* Sleep, with the lock, until the ring has a record.  0; KR_EOF, -ETIMEDOUT, -ECANCELED ... */
int kri_pipe_await_item(kri_pipe_end *p, kr_time deadline);
void kri_pipe_call_reader(const kri_pipe_end *p, bool anyway); /* after a put */

/* The same for room for so many units.  0; -EPIPE, -ETIMEDOUT, -ECANCELED ... */
int kri_pipe_await_space(kri_pipe_end *p, uint64_t units, kr_time deadline);
void kri_pipe_call_writer(const kri_pipe_end *p, bool anyway); /* after a get */

/* Has every process closed the other end?  Looks when there is reason to. */
bool kri_pipe_readers_gone(kri_pipe_end *p);

/* The operations. */
int kri_pipe_send(kr_connection *c, const void *bytes, size_t size, kr_time deadline);
int kri_pipe_recv(kr_connection *c, kri_delivery *d, kr_time deadline);
int kri_pipe_ready(kr_connection *c);
int kri_pipe_send_attachment(kr_connection *c, const int *fds, int count, const void *bytes,
                             size_t size, kr_time deadline);
int kri_pipe_recv_attachment(kr_connection *c, int *fds, int *count, void *bytes, size_t size,
                             kr_time deadline);
void kri_pipe_drop_partial(kri_pipe_end *p);

#endif
