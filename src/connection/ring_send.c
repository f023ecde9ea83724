/* Sending into a ring: messages, in one record or in parts, and attachments.
 *
 * Protocol.  With the lock of the sending side: wait for room, put a record, call who sleeps.  A
 * message of more than half the ring goes in parts, all of them under one hold of the lock, so that
 * nothing comes between; the first says how long the whole is.  Who gives up in the middle, by its
 * time, a cancel or a kill, just stops: what comes next is no further part, and by that the
 * receiver knows that the message will never be whole, and drops what it has.
 *
 * The descriptors of an attachment go through the socket beside, before the record that stands for
 * them in the ring.  Both carry a number, so descriptors whose sender died between the two are
 * found, and closed, by who takes the next ones.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/ring.h"
#include "os/message.h"
#include "os/os.h"

/* Room, then the record. */
static int put(kri_pipe_end *p, const kri_ring_part *part, bool died, kr_time deadline)
{
    uint64_t need = kri_ring_units(part->head_size + part->size);
    int err = kri_ring_put_record(&p->out, part);
    while (err == -EAGAIN) {
        err = kri_pipe_await_space(p, need, deadline);
        if (err == 0)
            err = kri_ring_put_record(&p->out, part);
        if (err == -EAGAIN && deadline != KRI_NEVER && os_now() >= deadline)
            err = -ETIMEDOUT; /* somebody plays with the positions */
    }
    if (err == 0 || died)
        kri_pipe_call_reader(p, died);
    return err;
}

static int put_in_parts(kri_pipe_end *p, const unsigned char *bytes, size_t size, bool died,
                        kr_time deadline)
{
    uint64_t total = size;
    size_t most = (size_t)(p->out.units / 4 - 1) * KRI_RING_UNIT;
    size_t sent = most - sizeof total;
    kri_ring_part part = {.kind = KRI_RECORD_FIRST,
                          .head = &total,
                          .head_size = sizeof total,
                          .bytes = bytes,
                          .size = sent};
    int err = put(p, &part, died, deadline);
    while (err == 0 && sent < size) {
        size_t length = size - sent < most ? size - sent : most;
        part = (kri_ring_part){.kind = KRI_RECORD_MORE, .bytes = bytes + sent, .size = length};
        err = put(p, &part, false, deadline);
        sent += length;
    }
    return err;
}

static int enter(kri_pipe_end *p, kr_time deadline, bool *died)
{
    kri_ring_state *state = p->out.state;
    if (kri_pipe_readers_gone(p))
        return -EPIPE;
    return kri_side_take(&state->put, &state->get, deadline, died);
}

int kri_pipe_send(kr_connection *c, const void *bytes, size_t size, kr_time deadline)
{
    kri_pipe_end *p = kri_pipe_of(c);
    bool died;
    int err = enter(p, deadline, &died);
    if (err != 0)
        return err;
    uint64_t units = kri_ring_units(size);
    if (units <= p->out.units / 2 || (deadline == 0 && units <= p->out.units)) {
        kri_ring_part part = {.kind = KRI_RECORD_WHOLE, .bytes = bytes, .size = size};
        err = put(p, &part, died, deadline);
    } else if (deadline == 0) {
        err = -ETIMEDOUT; /* and no part of it in the way of others */
        if (died)
            kri_pipe_call_reader(p, true);
    } else {
        err = put_in_parts(p, bytes, size, died, deadline);
    }
    kri_side_give(&p->out.state->put);
    return err;
}

static unsigned char tag_of(uint32_t serial)
{
    return (unsigned char)(0x80 | (serial & 0x7f));
}

static int send_rights(kri_pipe_end *p, uint32_t serial, const int *fds, int count,
                       kr_time deadline)
{
    for (;;) {
        int err = os_rights_send(p->rights, tag_of(serial), fds, count);
        if (err != -EAGAIN)
            return err;
        if (deadline == 0)
            return -ETIMEDOUT;
        err = kri_wait_fd(p->rights, OS_WRITABLE, deadline);
        if (err < 0)
            return err;
    }
}

int kri_pipe_send_attachment(kr_connection *c, const int *fds, int count, const void *bytes,
                             size_t size, kr_time deadline)
{
    kri_pipe_end *p = kri_pipe_of(c);
    bool died;
    int err = enter(p, deadline, &died);
    if (err != 0)
        return err;
    kri_ring_side *side = &p->out.state->put;
    kri_attachment_head head = {.serial = ++side->serial, .count = (uint32_t)count};
    kri_ring_part part = {.kind = KRI_RECORD_ATTACHMENT,
                          .head = &head,
                          .head_size = sizeof head,
                          .bytes = bytes,
                          .size = size};
    err = kri_pipe_await_space(p, kri_ring_units(sizeof head + size), deadline);
    if (err == 0)
        err = send_rights(p, head.serial, fds, count, deadline);
    if (err == 0)
        err = put(p, &part, died, deadline);
    kri_side_give(side);
    return err;
}
