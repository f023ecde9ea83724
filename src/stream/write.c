/* Writing to a stream.  See internal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include <string.h>

static int64_t transmit(kr_stream *s, const void *bytes, size_t size, kr_time deadline)
{
    int64_t n = kri_stream_enter(s, &s->out.scope);
    if (n < 0)
        return n;
    n = s->transport->ops->write(s->transport, bytes, size, kri_left_until(deadline));
    (void)kr_cancel_scope_exit(&s->out.scope);
    n = kri_stream_result(s, n);
    if (n < 0 && !kri_transport_passes(n))
        kri_stream_lost(s, (int)n);
    return n;
}

/* From memory that nobody changes meanwhile.  pre: `sending` is free, the lock is held. */
static int64_t send_bytes(kr_stream *s, const void *bytes, size_t size, kr_time deadline)
{
    s->sending = true;
    kri_mutex_unlock(&s->lock);
    int64_t n = transmit(s, bytes, size, deadline);
    size_t held = s->transport->ops->held != NULL ? s->transport->ops->held(s->transport) : 0;
    kri_mutex_lock(&s->lock);
    s->out.held = held;
    s->sending = false;
    return n;
}

int kri_stream_push(kr_stream *s, kr_time deadline)
{
    kri_stream_out *out = &s->out;
    size_t straight = s->high - out->begin;
    size_t size = out->used < straight ? out->used : straight;
    int64_t n = send_bytes(s, size > 0 ? out->bytes + out->begin : "", size, deadline);
    if (n > 0) {
        out->begin = (out->begin + (size_t)n) % s->high;
        out->used -= (size_t)n;
    }
    kri_stream_raise(s);
    return n < 0 ? (int)n : 0;
}

/* pre: the lock. */
static int state_of(const kr_stream *s)
{
    return s->closing ? -EBADF : s->out.error;
}

/* The lock is held. */
static int wait_sent(kr_stream *s, size_t most, kr_time deadline)
{
    int err;
    while ((err = state_of(s)) == 0 && (s->out.used > most || s->out.held > 0)) {
        err = s->sending ? kri_stream_sleep(s, deadline) : kri_stream_push(s, deadline);
        if (err < 0)
            break;
    }
    return err;
}

/* At the end of a write or a drain: somebody has to send what is left.  The lock is held. */
static int64_t see_to_rest(kr_stream *s, int64_t result, bool leave, kr_time deadline)
{
    if (!kri_stream_some_left(s) || (result < 0 && !kri_transport_passes(result)))
        return result;
    if (leave && (s->sending || kri_stream_pump(s) == 0))
        return result;
    return result == 0 ? wait_sent(s, 0, deadline) : result;
}

int kri_stream_wait_sent(kr_stream *s, size_t most, kr_time deadline)
{
    kri_mutex_lock(&s->lock);
    int64_t err = wait_sent(s, most, deadline);
    if (err == 0)
        err = see_to_rest(s, 0, s->sending || kri_stream_can_pump(), deadline);
    kri_stream_leave(s);
    return (int)err;
}

/* Writing */

/* Put bytes behind those that are left, as many as there is room for; or -ENOMEM.  pre: the turn,
 * and the lock, which is given up for the copying. */
static int64_t append(kr_stream *s, const char *bytes, size_t size)
{
    kri_stream_out *out = &s->out;
    if (out->bytes == NULL && (out->bytes = os_alloc(s->high)) == NULL)
        return -ENOMEM;
    size_t room = s->high - out->used;
    size_t at = (out->begin + out->used) % s->high;
    size_t n = size < room ? size : room;
    size_t straight = s->high - at < n ? s->high - at : n;
    kri_mutex_unlock(&s->lock);
    memcpy(out->bytes + at, bytes, straight);
    memcpy(out->bytes, bytes + straight, n - straight);
    kri_mutex_lock(&s->lock);
    out->used += n;
    return (int64_t)n;
}

/* Leave bytes to the pump; what no coroutine can be had for is sent at the end of the write. */
static int64_t leave_bytes(kr_stream *s, const char *bytes, size_t size, bool *leave)
{
    int64_t n = append(s, bytes, size);
    if (n < 0 || (!s->sending && kri_stream_pump(s) < 0))
        *leave = false;
    return n < 0 ? 0 : n;
}

/* One step of a write: how many bytes it took, maybe 0, or the error.  pre: the turn, the lock. */
static int64_t write_some(kr_stream *s, const char *bytes, size_t size, bool *leave,
                          kr_time deadline)
{
    bool idle = s->out.used == 0 && !s->sending;
    if (idle) {
        bool once = *leave && size <= s->high;
        int64_t n = send_bytes(s, bytes, size, once ? 0 : deadline);
        kri_stream_raise(s);
        if (n != -ETIMEDOUT || !once)
            return n;
    }
    if (*leave && s->out.used < s->high && !s->closing)
        return leave_bytes(s, bytes, size, leave);
    if (s->sending)
        return kri_stream_sleep(s, deadline);
    return idle ? 0 : kri_stream_push(s, deadline);
}

static bool is_ending(const kr_stream *s)
{
    const kri_transport *transport = s->transport;
    return s->ending || (transport->ops->ending != NULL && transport->ops->ending(transport));
}

/* Of one that is closed the transport may be gone. */
static int open_for_writing(const kr_stream *s, bool from_above)
{
    if (s->closing || (!from_above && is_ending(s)))
        return -EBADF;
    return s->out.eof ? -EPIPE : state_of(s);
}

static int write_all(kr_stream *s, const char *bytes, size_t size, size_t *done, bool from_above,
                     kr_time deadline)
{
    bool leave = kri_stream_can_pump();
    kri_mutex_lock(&s->lock);
    int64_t n = open_for_writing(s, from_above);
    while (n == 0 && *done < size) {
        n = write_some(s, bytes + *done, size - *done, &leave, deadline);
        if (n < 0)
            break;
        *done += (size_t)n;
        n = *done < size ? open_for_writing(s, from_above) : 0; /* what is taken is taken */
    }
    n = see_to_rest(s, n, leave, deadline);
    kri_stream_leave(s);
    return (int)n;
}

static int write_in_turn(kr_stream *s, const void *bytes, size_t size, size_t *written,
                         bool from_above, kr_time timeout)
{
    size_t done = 0;
    int err = timeout < 0 ? -EINVAL : 0;
    kr_time deadline = err == 0 ? kri_deadline(timeout) : 0;
    if (err == 0)
        err = kr_lock_acquire(&s->out.turn, timeout);
    if (err == 0) {
        err = write_all(s, bytes, size, &done, from_above, deadline);
        (void)kr_lock_release(&s->out.turn);
    }
    if (written != NULL)
        *written = done;
    return err;
}

int kr_stream_write(kr_stream *s, const void *bytes, size_t size, size_t *written, kr_time timeout)
{
    return write_in_turn(s, bytes, size, written, false, timeout);
}

int kri_stream_pass_on(kr_stream *s, const void *bytes, size_t size, size_t *written,
                       kr_time timeout)
{
    return write_in_turn(s, bytes, size, written, true, timeout);
}

bool kri_stream_is_ending(kr_stream *s)
{
    kri_mutex_lock(&s->lock);
    bool ending = s->ending;
    kri_mutex_unlock(&s->lock);
    return ending;
}

/* Draining */

/* How many bytes are left in a stream, and the one below it, with a handle more; NULL: none. */
static kr_stream *look_below(kr_stream *s, size_t *left)
{
    kr_stream *below = NULL;
    kri_mutex_lock(&s->lock);
    *left = s->out.used + s->out.held;
    if (!s->closing && s->transport->ops->below != NULL)
        below = kr_stream_retain(s->transport->ops->below(s->transport));
    kri_mutex_unlock(&s->lock);
    return below;
}

/* Until at most `most` bytes are left, in the streams below, too. */
static int drain(kr_stream *s, size_t most, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    int err = 0;
    kr_time deadline = kri_deadline(timeout);
    for (s = kr_stream_retain(s); s != NULL;) {
        size_t left;
        kr_stream *below = NULL;
        if (err == 0)
            err = kri_stream_wait_sent(s, most, deadline);
        if (err == 0)
            below = look_below(s, &left);
        if (below != NULL)
            most -= left < most ? left : most;
        kr_stream_release(s);
        s = below;
    }
    return err;
}

int kr_stream_drain(kr_stream *s, kr_time timeout)
{
    return drain(s, s->low, timeout);
}

int kr_stream_flush(kr_stream *s, kr_time timeout)
{
    return drain(s, 0, timeout);
}

size_t kr_stream_unsent(kr_stream *s)
{
    size_t unsent = 0;
    for (s = kr_stream_retain(s); s != NULL;) {
        size_t left;
        kr_stream *below = look_below(s, &left);
        unsent += left;
        kr_stream_release(s);
        s = below;
    }
    return unsent;
}

/* The last word */

/* pre: the lock is held, and `sending` free. */
static int say_in_scope(kr_stream *s, kri_last_word say, kr_time deadline)
{
    s->sending = true;
    kri_mutex_unlock(&s->lock);
    int err = kri_stream_enter(s, &s->out.scope);
    if (err == 0) {
        err = say(s->transport, kri_left_until(deadline));
        (void)kr_cancel_scope_exit(&s->out.scope);
    }
    err = (int)kri_stream_result(s, err);
    kri_mutex_lock(&s->lock);
    s->sending = false;
    kri_stream_raise(s);
    return err;
}

int kri_stream_say(kr_stream *s, kri_last_word say, kr_time deadline)
{
    int err;
    kri_mutex_lock(&s->lock);
    do
        err = wait_sent(s, 0, deadline);
    while (err == 0 && s->sending && (err = kri_stream_sleep(s, deadline)) == 0);
    if (err == 0)
        err = say_in_scope(s, say, deadline);
    kri_stream_leave(s);
    return err;
}

/* pre: the turn. */
static int write_eof(kr_stream *s, kr_time deadline)
{
    kri_mutex_lock(&s->lock);
    bool said = s->out.eof;
    int err = state_of(s);
    kri_last_word say = err == 0 ? s->transport->ops->shutdown_write : NULL;
    kri_mutex_unlock(&s->lock);
    if (said || err < 0)
        return err;
    if (say == NULL)
        return -EOPNOTSUPP;
    err = kri_stream_say(s, say, deadline);
    kri_mutex_lock(&s->lock);
    s->out.eof |= err == 0;
    kri_mutex_unlock(&s->lock);
    return err;
}

int kr_stream_write_eof(kr_stream *s, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    kr_time deadline = kri_deadline(timeout);
    int err = kr_lock_acquire(&s->out.turn, timeout);
    if (err == 0) {
        err = write_eof(s, deadline);
        (void)kr_lock_release(&s->out.turn);
    }
    return err;
}
