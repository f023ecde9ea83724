/* Receiving from a ring.
 *
 * Protocol.  With the lock of the receiving side: wait for a record, copy it out, pass it, call a
 * sender that waits for room.  A message in parts is put together in memory of this process; when
 * the wait ends before the message does, what there is stays with this handle, and its next receive
 * goes on.  If another handle or process has received meanwhile, the rest went there: the place of
 * the next part shows it, and the beginning is dropped.  So is a rest without a beginning.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/ring.h"
#include "os/message.h"
#include "os/os.h"
#include <stdlib.h>

/* Other results of a step than errors. */
enum { DONE = 0, GO_ON = 1 };

enum { MOST_RIGHTS = 4096 };

void kri_pipe_drop_partial(kri_pipe_end *p)
{
    free(p->partial);
    p->partial = NULL;
}

static void pass(kri_pipe_end *p, const kri_record *record)
{
    kri_ring_pass(&p->in, record);
    kri_pipe_call_writer(p, false);
}

static uint64_t place(const kri_pipe_end *p)
{
    return kri_load_rlx64(&p->in.state->get.at);
}

static int take_whole(kri_pipe_end *p, const kri_record *record, kri_delivery *d)
{
    kri_pipe_drop_partial(p);
    int err = kri_delivery_room(d, record->length);
    if (err != 0)
        return err;
    kri_ring_copy(&p->in, 0, d->room, record->length);
    pass(p, record);
    return DONE;
}

static int take_first(kri_pipe_end *p, const kri_record *record, const kri_delivery *d,
                      size_t *size)
{
    uint64_t total = 0;
    size_t head = sizeof total;
    if (record->length <= head)
        return KR_ECORRUPT;
    size_t length = record->length - head;
    kri_ring_copy(&p->in, 0, &total, head);
    if (total <= length || total > SIZE_MAX / 2)
        return KR_ECORRUPT;
    *size = (size_t)total;
    if (!d->allocate && total > d->room_size)
        return -EMSGSIZE;
    kri_pipe_drop_partial(p);
    p->partial = malloc((size_t)total);
    if (p->partial == NULL)
        return -ENOMEM;
    p->partial_size = (size_t)total;
    kri_ring_copy(&p->in, head, p->partial, length);
    p->partial_have = length;
    pass(p, record);
    p->partial_next = place(p);
    return GO_ON;
}

static int take_more(kri_pipe_end *p, const kri_record *record, kri_delivery *d)
{
    if (p->partial != NULL && p->partial_next != place(p))
        kri_pipe_drop_partial(p);
    if (p->partial == NULL) { /* its beginning went elsewhere */
        pass(p, record);
        return GO_ON;
    }
    size_t length = record->length;
    if (length == 0 || length > p->partial_size - p->partial_have)
        return KR_ECORRUPT;
    if (p->partial_have + length == p->partial_size && !d->allocate &&
        p->partial_size > d->room_size) {
        d->size = p->partial_size; /* begun by a receive with more room */
        return -EMSGSIZE;
    }
    kri_ring_copy(&p->in, 0, p->partial + p->partial_have, length);
    p->partial_have += length;
    pass(p, record);
    p->partial_next = place(p);
    if (p->partial_have < p->partial_size)
        return GO_ON;
    int err = kri_delivery_give(d, p->partial, p->partial_size);
    if (err == 0)
        p->partial = NULL;
    return err;
}

static int take(kri_pipe_end *p, kri_delivery *d)
{
    kri_record record;
    int err = kri_ring_look(&p->in, &record);
    if (err != 0)
        return err;
    if (record.kind == KRI_RECORD_WHOLE)
        return take_whole(p, &record, d);
    if (record.kind == KRI_RECORD_FIRST)
        return take_first(p, &record, d, &d->size);
    if (record.kind == KRI_RECORD_MORE)
        return take_more(p, &record, d);
    return -EBADMSG;
}

static int enter(kri_pipe_end *p, kr_time deadline)
{
    kri_ring_state *state = p->in.state;
    bool died;
    int err = kri_side_take(&state->get, &state->put, deadline, &died);
    if (err == 0 && died)
        kri_pipe_call_writer(p, true);
    if (err == -ETIMEDOUT && deadline == 0 && !kri_ring_has(&p->in) &&
        (os_call_look(p->hears) & OS_CALLS_OVER))
        return KR_EOF;
    return err;
}

/* Parts may come without end.  One try is for what is there, at most a ring full. */
static int go_on(const kri_pipe_end *p, uint64_t parts, kr_time deadline)
{
    bool may = deadline == 0 ? parts <= p->in.units : deadline == KRI_NEVER || os_now() < deadline;
    return may ? GO_ON : -ETIMEDOUT;
}

int kri_pipe_recv(kr_connection *c, kri_delivery *d, kr_time deadline)
{
    kri_pipe_end *p = kri_pipe_of(c);
    int err = enter(p, deadline);
    if (err != 0)
        return err;
    uint64_t parts = 0;
    do {
        err = take(p, d);
        if (err == GO_ON) {
            err = go_on(p, ++parts, deadline);
        } else if (err == -EAGAIN) {
            err = kri_pipe_await_item(p, deadline);
            if (err == KR_EOF)
                kri_pipe_drop_partial(p);
            if (err == 0)
                err = GO_ON;
        }
    } while (err == GO_ON);
    kri_side_give(&p->in.state->get);
    return err;
}

/* Attachments */

static void close_all(const int *fds, int count)
{
    for (int i = 0; i < count; i++)
        os_close(fds[i]);
}

/* The descriptors with this number; those with another have no record any more.  There are never
 * more of those than a socket has room for: more, and somebody goes on sending them. */
static int take_rights(kri_pipe_end *p, uint32_t serial, int fds[OS_RIGHTS])
{
    for (int looks = 0; looks < MOST_RIGHTS; looks++) {
        unsigned char tag;
        int got = os_rights_peek(p->rights, &tag, fds);
        if (got == -EAGAIN || got == -EPIPE)
            return KR_ECORRUPT;
        if (got < 0 && got != -E2BIG)
            return got;
        os_rights_drop(p->rights);
        if (tag == (unsigned char)(0x80 | (serial & 0x7f)))
            return got < 0 ? KR_ECORRUPT : got;
        close_all(fds, got < 0 ? 0 : got);
    }
    return KR_ECORRUPT;
}

/* An attachment, or a part that is passed over: those without a beginning. */
static int take_attachment(kri_pipe_end *p, int *fds, int *count, void *bytes, size_t size)
{
    kri_record record;
    int err = kri_ring_look(&p->in, &record);
    if (err != 0)
        return err;
    if (record.kind == KRI_RECORD_MORE && p->partial == NULL) {
        pass(p, &record);
        return GO_ON;
    }
    kri_attachment_head head;
    if (record.kind != KRI_RECORD_ATTACHMENT)
        return -EBADMSG;
    if (record.length < sizeof head)
        return KR_ECORRUPT;
    kri_ring_copy(&p->in, 0, &head, sizeof head);
    if (head.count > (uint32_t)*count || record.length - sizeof head != size)
        return -EBADMSG;
    int got_fds[OS_RIGHTS];
    int got = take_rights(p, head.serial, got_fds);
    if (got < 0 && got != KR_ECORRUPT)
        return got;
    if (got >= 0 && got != (int)head.count) {
        close_all(got_fds, got);
        got = KR_ECORRUPT;
    }
    kri_ring_copy(&p->in, sizeof head, bytes, size);
    kri_pipe_drop_partial(p);
    pass(p, &record);
    if (got < 0)
        return got;
    for (int i = 0; i < got; i++)
        fds[i] = got_fds[i];
    *count = got;
    return DONE;
}

int kri_pipe_recv_attachment(kr_connection *c, int *fds, int *count, void *bytes, size_t size,
                             kr_time deadline)
{
    kri_pipe_end *p = kri_pipe_of(c);
    int err = enter(p, deadline);
    if (err != 0)
        return err;
    uint64_t parts = 0;
    do {
        err = take_attachment(p, fds, count, bytes, size);
        if (err == GO_ON) {
            err = go_on(p, ++parts, deadline);
        } else if (err == -EAGAIN) {
            err = kri_pipe_await_item(p, deadline);
            if (err == 0)
                err = GO_ON;
        }
    } while (err == GO_ON);
    kri_side_give(&p->in.state->get);
    return err;
}
