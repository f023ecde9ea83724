/* A stream's life: opening, closing, handles, addresses.  See internal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include "wait/stall.h"

enum { LIMIT = 64 * 1024, CHUNK = 16 * 1024, HIGH = 64 * 1024 };

bool kri_stream_options_check(const kr_stream_options *o)
{
    if (o == NULL)
        return true;
    size_t high = o->high_water != 0 ? o->high_water : HIGH;
    return kri_all_zero(o->reserved) && o->low_water <= high && o->limit <= SIZE_MAX / 8 &&
           o->read_buffer <= SIZE_MAX / 8 && high <= SIZE_MAX / 8;
}

static kr_stream *new_stream(const kr_stream_options *options)
{
    static const kr_stream_options defaults;
    const kr_stream_options *o = options != NULL ? options : &defaults;
    kr_stream *s = os_alloc(sizeof *s);
    if (s == NULL)
        return NULL;
    s->references.bits = 1;
    s->holds.bits = 1;
    s->limit = o->limit != 0 ? o->limit : LIMIT;
    s->chunk = o->read_buffer != 0 ? o->read_buffer : CHUNK;
    s->high = o->high_water != 0 ? o->high_water : HIGH;
    s->generation = kri_fork_generation();
    s->low = o->low_water != 0 ? o->low_water : s->high / 4;
    return s;
}

int kri_stream_over(kr_stream **s, kri_transport *transport, const kr_stream_options *options)
{
    *s = NULL;
    if (!kri_stream_options_check(options))
        return -EINVAL;
    kr_stream *made = new_stream(options);
    if (made == NULL)
        return -ENOMEM;
    made->transport = transport;
    *s = made;
    return 0;
}

int kr_stream_open(kr_stream **s, int fd, const kr_stream_options *options)
{
    if (s == NULL)
        return -EINVAL;
    *s = NULL;
    if (fd < 0)
        return -EINVAL;
    int err = kri_stream_over(s, NULL, options);
    if (err == 0) {
        kri_fd_transport_begin(&(*s)->own, fd);
        (*s)->transport = &(*s)->own.base;
    }
    return err;
}

/* Whoever closes it says so under the lock, before the transport goes. */
kri_transport *kri_stream_keep_open(kr_stream *s)
{
    kri_mutex_lock(&s->lock);
    if (!s->closing)
        return s->transport;
    kri_mutex_unlock(&s->lock);
    return NULL;
}

void kri_stream_let_close(kr_stream *s)
{
    kri_mutex_unlock(&s->lock);
}

void kri_stream_raise(kr_stream *s)
{
    (void)kri_add_sc(&s->changed, 1); /* [wait-1] */
    if (s->waiting != 0)
        (void)kri_wake(&s->changed, KRI_ALL, 0);
}

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "a stream at %p",
                 (const void *)((const char *)word - offsetof(kr_stream, changed)));
}

int kri_stream_sleep(kr_stream *s, kr_time deadline)
{
    uint32_t seen = kri_load_rlx(&s->changed);
    s->waiting++;
    kri_mutex_unlock(&s->lock);
    int err = kri_wait_for(&s->changed, seen, deadline, 0, describe);
    kri_mutex_lock(&s->lock);
    s->waiting--;
    return err == -EAGAIN ? 0 : err;
}

int64_t kri_stream_result(kr_stream *s, int64_t result)
{
    if (result != -ECANCELED)
        return result;
    kri_mutex_lock(&s->lock);
    bool closing = s->closing || s->ending;
    kri_mutex_unlock(&s->lock);
    return closing ? -EBADF : -ECANCELED;
}

int kri_stream_enter(kr_stream *s, kr_cancel_scope *scope)
{
    if (kr_cancel_scope_cancelled(scope)) {
        kri_mutex_lock(&s->lock);
        bool for_good = s->closing || (s->ending && scope == &s->in.scope);
        if (!for_good)
            *scope = (kr_cancel_scope)KR_CANCEL_SCOPE_INIT;
        kri_mutex_unlock(&s->lock);
    }
    return kr_cancel_scope_enter(scope, KR_FOREVER);
}

void kri_stream_lost(kr_stream *s, int error)
{
    kri_mutex_lock(&s->lock);
    if (s->out.error == 0)
        s->out.error = error;
    kri_stream_raise(s);
    kri_mutex_unlock(&s->lock);
}

/* Closing */

void kri_stream_leave(kr_stream *s)
{
    bool now = s->closing && !s->gone && !s->reading && !s->sending;
    bool aborted = s->aborted;
    s->gone |= now;
    kri_mutex_unlock(&s->lock);
    if (now)
        s->transport->ops->close(s->transport, aborted);
}

static void be_alone(kr_stream *s)
{
    kri_store_rlx(&s->lock, 0);
    s->holds.bits = 1;
    s->reading = s->sending = false;
    s->generation = kri_fork_generation();
}

/* false: it was closed before. */
static bool begin_close(kr_stream *s, bool abort)
{
    if (kri_forked_since(s->generation))
        be_alone(s);
    kri_mutex_lock(&s->lock);
    bool first = !s->closing;
    bool inside = s->reading || s->sending;
    s->closing = true;
    s->aborted |= first && abort;
    kri_stream_raise(s);
    kri_stream_leave(s);
    if (first && inside) {
        kr_cancel(&s->in.scope);
        kr_cancel(&s->out.scope);
    }
    return first;
}

void kri_stream_end(kr_stream *s)
{
    kri_mutex_lock(&s->lock);
    bool inside = s->reading;
    s->ending = true;
    kri_mutex_unlock(&s->lock);
    if (inside)
        kr_cancel(&s->in.scope);
}

/* Everything is written, and the transport has said its last.  pre: the writers' turn. */
static int finish(kr_stream *s, kr_time deadline)
{
    kri_mutex_lock(&s->lock); /* another may have closed it meanwhile, and the transport be gone */
    kri_last_word say = s->closing ? NULL : s->transport->ops->finish;
    kri_mutex_unlock(&s->lock);
    return say != NULL ? kri_stream_say(s, say, deadline) : kri_stream_wait_sent(s, 0, deadline);
}

static bool is_closing(kr_stream *s)
{
    kri_mutex_lock(&s->lock);
    bool closing = s->closing;
    kri_mutex_unlock(&s->lock);
    return closing;
}

int kr_stream_close(kr_stream *s, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    if (is_closing(s))
        return -EBADF;
    kr_time deadline = kri_deadline(timeout);
    int err = kr_lock_acquire(&s->out.turn, timeout);
    if (err == 0) {
        err = finish(s, deadline);
        (void)kr_lock_release(&s->out.turn);
    }
    return begin_close(s, err < 0) ? err : -EBADF;
}

void kr_stream_abort(kr_stream *s)
{
    (void)begin_close(s, true);
}

/* Handles */

void kri_stream_hold(kr_stream *s)
{
    (void)kri_add_rlx(&s->holds, 1);
}

void kri_stream_drop(kr_stream *s)
{
    if (kri_sub_acq_rel(&s->holds, 1) != 1)
        return;
    os_free(s->in.bytes);
    os_free(s->out.bytes);
    os_free(s);
}

kr_stream *kr_stream_retain(kr_stream *s)
{
    (void)kri_add_rlx(&s->references, 1);
    return s;
}

void kr_stream_release(kr_stream *s)
{
    if (s == NULL || kri_sub_acq_rel(&s->references, 1) != 1)
        return;
    (void)begin_close(s, true);
    kri_stream_drop(s);
}

void kr_stream_auto(kr_stream **s)
{
    kr_stream_release(*s);
    *s = NULL;
}

/* About it */

int kr_stream_descriptor(kr_stream *s)
{
    kri_mutex_lock(&s->lock);
    int fd = s->closing ? -EBADF : s->transport->ops->descriptor(s->transport);
    kri_mutex_unlock(&s->lock);
    return fd;
}

static int name_of(kr_stream *s, bool peer, kr_address *address)
{
    os_address name;
    kri_mutex_lock(&s->lock);
    int err = s->closing ? -EBADF : s->transport->ops->descriptor(s->transport);
    if (err >= 0)
        err = os_net_name(err, peer, &name);
    kri_mutex_unlock(&s->lock);
    *address = (kr_address){.size = 0};
    if (err == 0)
        kri_address_from_os(address, &name);
    return err;
}

int kr_stream_peer_address(kr_stream *s, kr_address *address)
{
    return name_of(s, true, address);
}

int kr_stream_local_address(kr_stream *s, kr_address *address)
{
    return name_of(s, false, address);
}
