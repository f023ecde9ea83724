/* Messages over a stream of bytes.
 *
 * The frame is CPython's: the size as four bytes, signed, the highest first; for sizes above
 * 0x7fffffff -1 instead and then eight bytes; then the message.
 *
 * Protocol.
 *     send     One call of the system, if it takes it all: a small message is copied behind its
 *              size, a large one goes from where it lies.
 *     receive  As much as is there is read ahead into a buffer, so that small messages need one
 *              call or less each.  What a message has beyond it is read to where it shall lie, and
 *              what comes behind that into the buffer again.  After a large message, which is
 *              probably followed by another, no more than a header is read ahead, so that nearly
 *              all of the next is copied by nobody but the system, and in one call.
 *     waiting  A thread that nothing but the other end can interrupt waits in the call itself; any
 *              other tries, and waits for the descriptor.  Such a thread looks for a moment before
 *              it sleeps, where the last bytes came from another processor and waits were short of
 *              late: a receiver is faster than a sender of small messages, who would have to wake
 *              it for each.
 *     gathering  Even where he need not wake it: to take each message as it comes makes the system
 *              acknowledge each for itself, and both ends stand in each other's way at the locks of
 *              the sockets.  So who has to wait begins it with a pause without any call.  That is
 *              of use if more than one message has come by then; after a pause that was not the
 *              next ones are left out, 64 at first, then twice as many each time.
 *
 * A receive that is given up keeps what it got.  A send that is given up in the midst of a message
 * cannot: the rest would have to come before anything else, and nobody has it any more.
 *
 * Why not one call for the size and one for the rest?  Two calls of the system where one does.
 * Why not read ahead without end?  Whoever sends shall wait when nobody takes it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/stream.h"
#include "loop/descriptor.h"
#include "os/os.h"
#include "os/socket.h"
#include <string.h>

enum { SHORT_HEADER = 4, LONG_HEADER = 12, COPIED = 4096, LARGE = 8192, SHORT_REACH = 16 };
enum { BUDGET = 40 * 1000, LONG_WAIT = 150 * 1000 }; /* nanoseconds */
enum { FEW_LONG = 3, MANY_LONG = 6, PAUSES = 16 };
enum { GATHER = 10 * 1000 /* nanoseconds */, LEAST_HASTY = 64, MOST_HASTY = 16 * 1024 };

/* Headers */

static void put_number(unsigned char *at, uint64_t number, int bytes)
{
    for (int i = bytes; i-- > 0; number >>= 8)
        at[i] = (unsigned char)number;
}

static uint64_t number_at(const unsigned char *at, int bytes)
{
    uint64_t number = 0;
    for (int i = 0; i < bytes; i++)
        number = number << 8 | at[i];
    return number;
}

static size_t put_header(unsigned char *header, uint64_t size)
{
    if (size <= INT32_MAX) {
        put_number(header, size, SHORT_HEADER);
        return SHORT_HEADER;
    }
    put_number(header, UINT32_MAX, SHORT_HEADER);
    put_number(header + SHORT_HEADER, size, LONG_HEADER - SHORT_HEADER);
    return LONG_HEADER;
}

/* The header's length, 0: there is not enough to tell; -EPROTO: a negative size. */
static int read_header(const unsigned char *bytes, size_t count, uint64_t *size)
{
    if (count < SHORT_HEADER)
        return 0;
    *size = number_at(bytes, SHORT_HEADER);
    if (*size <= INT32_MAX)
        return SHORT_HEADER;
    if (*size != UINT32_MAX)
        return -EPROTO;
    if (count < LONG_HEADER)
        return 0;
    *size = number_at(bytes + SHORT_HEADER, LONG_HEADER - SHORT_HEADER);
    return LONG_HEADER;
}

/* Waiting */

/* Nobody but the other end has to do with the wait, so that it needs no kri_wait_fd. */
static bool waits_in_call(kr_time deadline)
{
    const kri_party *self = kri_party_self();
    return deadline == KRI_NEVER && self->scope == NULL && self->hooks == NULL &&
           self->ops->wait_fd == NULL && kri_load_rlx(&kri_relied) == 0;
}

/* 0: it may be ready. */
static int wait_for(const kri_stream *s, unsigned events, kr_time deadline)
{
    int ready = kri_wait_fd(s->fd, events, deadline);
    return ready < 0 ? ready : 0;
}

/* Looking before sleeping, as in src/wait/spin.c */

static kr_time budget_of(const kri_stream *s)
{
    return s->long_waits < FEW_LONG ? BUDGET : s->long_waits < MANY_LONG ? BUDGET / 8 : 0;
}

static bool may_look(const kri_stream *s)
{
    if (s->local || budget_of(s) == 0 || !kri_spin_pays())
        return false;
    int cpu = os_socket_cpu(s->fd);
    return cpu >= 0 && cpu != os_cpu_current();
}

static void learn(kri_stream *s, kr_time waited)
{
    if (waited < LONG_WAIT)
        s->long_waits = 0;
    else if (s->long_waits < MANY_LONG)
        s->long_waits++;
}

/* Opening and closing */

void kri_stream_open(kri_stream *s, int fd, uint64_t max_message)
{
    s->fd = fd;
    s->local = os_socket_is_local(fd);
    s->max_message = max_message;
    s->reach = sizeof s->ahead;
}

void kri_stream_close(kri_stream *s)
{
    kri_descriptor_close(s->fd);
    os_free(s->part);
    s->part = NULL;
    s->fd = -1;
}

/* Sending */

static void drop(os_part *parts, size_t count)
{
    for (os_part *part = parts; count > 0; part++) {
        size_t here = count < part->size ? count : part->size;
        part->bytes = (char *)part->bytes + here;
        part->size -= here;
        count -= here;
    }
}

static int send_error(int64_t error)
{
    return error == -ECONNRESET ? -EPIPE : (int)error;
}

/* The system itself refuses what comes later: -EPIPE. */
static int give_up_sending(kri_stream *s, int error)
{
    (void)os_socket_shutdown(s->fd);
    return error;
}

static int send_all(kri_stream *s, os_part *parts, size_t left, kr_time deadline)
{
    bool wait = waits_in_call(deadline);
    bool began = false;
    for (;;) {
        int first = parts[0].size == 0;
        int64_t sent =
            os_socket_send(s->fd, parts + first, parts[1].size != 0 && !first ? 2 : 1, wait);
        if (sent >= 0) {
            left -= (size_t)sent;
            if (left == 0)
                return 0;
            drop(parts, (size_t)sent);
            began = began || sent > 0;
            continue;
        }
        int err = sent == -EAGAIN ? wait_for(s, OS_WRITABLE, deadline) : send_error(sent);
        if (err < 0)
            return began ? give_up_sending(s, err) : err;
    }
}

int kri_stream_send(kri_stream *s, const void *bytes, size_t size, kr_time deadline)
{
    unsigned char small[LONG_HEADER + COPIED];
    size_t header = put_header(small, size);
    os_part parts[2] = {{small, header}, {(void *)(uintptr_t)bytes, size}};
    if (size <= COPIED) {
        if (size > 0)
            memcpy(small + header, bytes, size);
        parts[0].size += size;
        parts[1].size = 0;
    }
    return send_all(s, parts, header + size, deadline);
}

/* Receiving */

static int end_of_stream(kri_stream *s, bool within)
{
    s->unreceivable = within ? -EPROTO : KR_EOF;
    return s->unreceivable;
}

/* What a receive of the system came to: how many bytes, at least 1. */
static int64_t settle(kri_stream *s, int64_t got, bool within)
{
    if (got == 0 || (got == -ECONNRESET && s->local))
        return end_of_stream(s, within);
    return got;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Some bytes into the buffer, `most` of them at most. */
static int read_ahead(kri_stream *s, size_t most, bool wait)
{
    if (s->first > 0) {
        memmove(s->ahead, s->ahead + s->first, s->last - s->first);
        s->last -= s->first;
        s->first = 0;
    }
    os_part part = {s->ahead + s->last, least(sizeof s->ahead - s->last, most)};
    int64_t got = settle(s, os_socket_receive(s->fd, &part, 1, wait), s->begun || s->last > 0);
    if (got > 0)
        s->last += (size_t)got;
    return got < 0 ? (int)got : 0;
}

static void pause_until(kr_time until)
{
    do {
        for (int i = 0; i < PAUSES; i++)
            os_pause();
    } while (os_now() < until);
}

static void gather(kri_stream *s, kr_time began)
{
    s->gathered = s->hasty == 0;
    if (s->gathered)
        pause_until(began + GATHER);
    else
        s->hasty--;
}

/* The message at hand has begun. */
static void learn_to_gather(kri_stream *s)
{
    s->gathered = false;
    if (s->last - s->first > s->size) {
        s->hasty_before = 0;
        return;
    }
    uint32_t twice = 2 * s->hasty_before;
    s->hasty_before = twice == 0 ? LEAST_HASTY : twice < MOST_HASTY ? twice : MOST_HASTY;
    s->hasty = s->hasty_before;
}

static int look_ahead(kri_stream *s, kr_time until)
{
    int err;
    do {
        for (int i = 0; i < PAUSES; i++)
            os_pause();
        err = read_ahead(s, s->reach, false);
    } while (err == -EAGAIN && os_now() < until);
    return err;
}

/* Waits in the call, but not at once. */
static int read_ahead_waiting(kri_stream *s)
{
    int err = read_ahead(s, s->reach, false);
    if (err != -EAGAIN)
        return err;
    kr_time began = os_now();
    if (may_look(s)) {
        gather(s, began);
        err = look_ahead(s, began + budget_of(s));
    }
    if (err == -EAGAIN)
        err = read_ahead(s, s->reach, true);
    learn(s, os_now() - began);
    return err;
}

/* 1: the message at hand has begun. */
static int parse(kri_stream *s)
{
    int header = read_header(s->ahead + s->first, s->last - s->first, &s->size);
    if (header > 0 && s->size > s->max_message)
        header = -EMSGSIZE;
    if (header < 0) {
        s->unreceivable = header;
        return header;
    }
    if (header == 0)
        return 0;
    s->first += (size_t)header;
    s->begun = true;
    s->reach = s->size > LARGE ? SHORT_REACH : sizeof s->ahead;
    return 1;
}

int kri_stream_begin(kri_stream *s, uint64_t *size, kr_time deadline)
{
    if (s->unreceivable != 0)
        return s->unreceivable;
    bool wait = !s->begun && waits_in_call(deadline);
    while (!s->begun) {
        int err = parse(s);
        if (err == 0)
            err = wait && !s->local ? read_ahead_waiting(s) : read_ahead(s, s->reach, wait);
        if (err == -EAGAIN)
            err = wait_for(s, OS_READABLE, deadline);
        if (err < 0)
            return err;
    }
    if (s->gathered)
        learn_to_gather(s);
    *size = s->size;
    return 0;
}

/* What has come of the message already, into the room. */
static size_t take_what_came(kri_stream *s, unsigned char *room)
{
    size_t got = s->part_size;
    if (s->part != NULL) {
        memcpy(room, s->part, got);
        os_free(s->part);
        s->part = NULL;
        s->part_size = 0;
    }
    size_t here = least((size_t)s->size - got, s->last - s->first);
    if (here > 0)
        memcpy(room + got, s->ahead + s->first, here);
    s->first += here;
    return got + here;
}

/* Until the next receive.  Only for as much as came: whoever announces much need not send it. */
static int keep_what_came(kri_stream *s, const unsigned char *room, size_t got, int error)
{
    if (got == 0)
        return error;
    s->part = os_alloc(got);
    if (s->part == NULL) {
        s->unreceivable = -ENOMEM;
        return -ENOMEM;
    }
    memcpy(s->part, room, got);
    s->part_size = got;
    return error;
}

/* pre: the buffer is empty. */
static int64_t receive_some(kri_stream *s, unsigned char *room, size_t left, bool wait)
{
    os_part parts[2] = {{room, left}, {s->ahead, s->reach}};
    int64_t got = settle(s, os_socket_receive(s->fd, parts, 2, wait), true);
    if (got <= (int64_t)left)
        return got;
    s->first = 0;
    s->last = (size_t)got - left;
    return (int64_t)left;
}

int kri_stream_take(kri_stream *s, void *room, kr_time deadline)
{
    unsigned char *bytes = room;
    size_t size = (size_t)s->size;
    if (s->unreceivable != 0)
        return s->unreceivable;
    size_t got = take_what_came(s, bytes);
    bool wait = got < size && waits_in_call(deadline);
    while (got < size) {
        int64_t more = receive_some(s, bytes + got, size - got, wait);
        int err = more == -EAGAIN ? wait_for(s, OS_READABLE, deadline) : more < 0 ? (int)more : 0;
        if (err < 0)
            return s->unreceivable != 0 ? err : keep_what_came(s, bytes, got, err);
        got += more > 0 ? (size_t)more : 0;
    }
    s->begun = false;
    return 0;
}

/* How many bytes are not there yet of the header, or of the message that has begun. */
static size_t missing(const kri_stream *s)
{
    size_t have = s->last - s->first;
    if (s->begun)
        return s->size > have ? (size_t)s->size - have : 0;
    return (have < SHORT_HEADER ? SHORT_HEADER : LONG_HEADER) - have;
}

bool kri_stream_pending(const kri_stream *s)
{
    return s->begun || s->first < s->last;
}

int kri_stream_ready(kri_stream *s)
{
    for (;;) {
        int err = s->unreceivable;
        if (err == 0 && !s->begun)
            err = parse(s);
        if (err < 0)
            return 1;
        if (s->begun && (s->size > sizeof s->ahead || s->part != NULL || missing(s) == 0))
            return 1;
        err = read_ahead(s, sizeof s->ahead, false);
        if (err < 0)
            return err != -EAGAIN;
    }
}

int kri_stream_try(kri_stream *s, size_t most, const void **bytes, size_t *size)
{
    for (;;) {
        int err = s->unreceivable;
        if (err == 0 && !s->begun)
            err = parse(s);
        if (err < 0)
            return err;
        if (s->begun && s->size > most)
            return -EMSGSIZE;
        size_t more = missing(s);
        if (more == 0)
            break;
        err = read_ahead(s, more, false);
        if (err < 0)
            return err;
    }
    *bytes = s->ahead + s->first;
    *size = (size_t)s->size;
    s->first += *size;
    s->begun = false;
    return 0;
}
