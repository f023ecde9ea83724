/* Reading from a stream.  See internal.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include "stream/read.h"
#include <string.h>

enum { STRAIGHT = 4096 }; /* a read of as much goes into the caller's memory */

int kri_stream_begin_read(kr_stream *s)
{
    kri_mutex_lock(&s->lock);
    int err = s->closing || s->ending ? -EBADF : s->reading ? -EBUSY : 0;
    if (err == 0)
        s->reading = true;
    kri_mutex_unlock(&s->lock);
    return err;
}

void kri_stream_end_read(kr_stream *s)
{
    kri_mutex_lock(&s->lock);
    s->reading = false;
    kri_stream_leave(s);
}

static bool passes(int64_t error)
{
    return kri_transport_passes(error) || error == -EBADF;
}

/* From the transport; 0: the end. */
static int64_t receive(kr_stream *s, void *bytes, size_t size, kr_time deadline)
{
    if (s->in.eof || s->in.error != 0)
        return s->in.error;
    int64_t n = kri_stream_enter(s, &s->in.scope);
    if (n < 0)
        return n;
    n = s->transport->ops->read(s->transport, bytes, size, kri_left_until(deadline));
    (void)kr_cancel_scope_exit(&s->in.scope);
    n = kri_stream_result(s, n);
    if (n == 0) {
        s->in.eof = true;
    } else if (n < 0 && !passes(n)) {
        s->in.error = (int)n;
        kri_stream_lost(s, (int)n);
    }
    return n;
}

/* The buffer */

static size_t buffered(const kri_stream_in *in)
{
    return in->end - in->begin;
}

static bool grow(kri_stream_in *in, size_t room)
{
    char *bytes = os_alloc(room);
    if (bytes == NULL)
        return false;
    size_t used = buffered(in);
    if (used > 0)
        memcpy(bytes, in->bytes + in->begin, used);
    os_free(in->bytes);
    in->bytes = bytes;
    in->room = room;
    in->begin = 0;
    in->end = used;
    return true;
}

/* Room for a good part of `chunk` bytes behind what there is. */
static bool make_room(kri_stream_in *in, size_t chunk)
{
    size_t used = buffered(in);
    if (used == 0)
        in->begin = in->end = 0;
    if (in->room - in->end > chunk / 4)
        return true;
    if (in->room < chunk || used > in->room / 2) /* to move it often would be slow */
        return grow(in, in->room < chunk ? used + chunk : in->room * 2);
    memmove(in->bytes, in->bytes + in->begin, used);
    in->begin = 0;
    in->end = used;
    return true;
}

int64_t kri_stream_fill(kr_stream *s, kr_time deadline)
{
    kri_stream_in *in = &s->in;
    if (!make_room(in, s->chunk))
        return -ENOMEM;
    size_t room = in->room - in->end;
    int64_t n = receive(s, in->bytes + in->end, room < s->chunk ? room : s->chunk, deadline);
    if (n > 0)
        in->end += (size_t)n;
    return n;
}

static size_t take(kri_stream_in *in, void *bytes, size_t size)
{
    size_t n = size < buffered(in) ? size : buffered(in);
    if (n > 0)
        memcpy(bytes, in->bytes + in->begin, n);
    in->begin += n;
    return n;
}

/* Calls; each between begin_read and end_read. */

static int64_t read_some(kr_stream *s, void *bytes, size_t size, kr_time deadline)
{
    if (buffered(&s->in) == 0) {
        if (size >= STRAIGHT || size >= s->chunk)
            return receive(s, bytes, size, deadline);
        int64_t n = kri_stream_fill(s, deadline);
        if (n <= 0)
            return n;
    }
    return (int64_t)take(&s->in, bytes, size);
}

int64_t kr_stream_read(kr_stream *s, void *bytes, size_t size, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    int64_t n = kri_stream_begin_read(s);
    if (n < 0)
        return n;
    if (size > 0)
        n = read_some(s, bytes, size < INT64_MAX ? size : INT64_MAX, kri_deadline(timeout));
    kri_stream_end_read(s);
    return n;
}

/* What was copied to a caller who gets an error is to be read again. */
static int put_back(kri_stream_in *in, const char *bytes, size_t size)
{
    if (in->begin < size) {
        size_t used = buffered(in);
        char *larger = os_alloc(size + used);
        if (larger == NULL)
            return -ENOMEM;
        if (used > 0)
            memcpy(larger + size, in->bytes + in->begin, used);
        os_free(in->bytes);
        in->bytes = larger;
        in->room = in->end = size + used;
        in->begin = size;
    }
    in->begin -= size;
    memcpy(in->bytes + in->begin, bytes, size);
    return 0;
}

/* Through the buffer where that holds it, else straight to the caller. */
static int64_t read_all(kr_stream *s, char *bytes, size_t size, size_t *got, kr_time deadline)
{
    int64_t n = 1;
    if (size <= s->chunk) {
        while (buffered(&s->in) < size && n > 0)
            n = kri_stream_fill(s, deadline);
        if (buffered(&s->in) < size && n < 0)
            return n;
        *got = take(&s->in, bytes, size);
        return *got == size ? 0 : KR_EOF;
    }
    for (*got = take(&s->in, bytes, size); *got < size && n > 0; *got += n > 0 ? (size_t)n : 0)
        n = receive(s, bytes + *got, size - *got, deadline);
    if (n >= 0)
        return *got == size ? 0 : KR_EOF;
    if (*got > 0 && put_back(&s->in, bytes, *got) < 0)
        return -ENOMEM;
    *got = 0;
    return n;
}

int kr_stream_read_exactly(kr_stream *s, void *bytes, size_t size, size_t *got, kr_time timeout)
{
    size_t count = 0;
    int64_t err = timeout < 0 ? -EINVAL : kri_stream_begin_read(s);
    if (err == 0) {
        if (size > 0)
            err = read_all(s, bytes, size, &count, kri_deadline(timeout));
        kri_stream_end_read(s);
    }
    if (got != NULL)
        *got = count;
    return (int)err;
}

static int peek(kr_stream *s, const char **data, size_t *size, kr_time deadline)
{
    if (buffered(&s->in) == 0) {
        int64_t n = kri_stream_fill(s, deadline);
        if (n <= 0)
            return n == 0 ? KR_EOF : (int)n;
    }
    *data = s->in.bytes + s->in.begin;
    *size = buffered(&s->in);
    return 0;
}

int kr_stream_peek(kr_stream *s, const char **data, size_t *size, kr_time timeout)
{
    *data = "";
    *size = 0;
    int err = timeout < 0 ? -EINVAL : kri_stream_begin_read(s);
    if (err == 0) {
        err = peek(s, data, size, kri_deadline(timeout));
        kri_stream_end_read(s);
    }
    return err;
}

static int skip(kr_stream *s, size_t size, size_t *dropped, kr_time deadline)
{
    while (*dropped < size) {
        if (buffered(&s->in) == 0) {
            int64_t n = kri_stream_fill(s, deadline);
            if (n <= 0)
                return n == 0 ? KR_EOF : (int)n;
        }
        size_t n = size - *dropped;
        n = n < buffered(&s->in) ? n : buffered(&s->in);
        s->in.begin += n;
        *dropped += n;
    }
    return 0;
}

int kr_stream_skip(kr_stream *s, size_t size, size_t *got, kr_time timeout)
{
    size_t dropped = 0;
    int err = timeout < 0 ? -EINVAL : kri_stream_begin_read(s);
    if (err == 0) {
        err = skip(s, size, &dropped, kri_deadline(timeout));
        kri_stream_end_read(s);
    }
    if (got != NULL)
        *got = dropped;
    return err;
}

bool kr_stream_at_eof(kr_stream *s)
{
    if (kri_stream_begin_read(s) < 0)
        return false; /* somebody waits for more */
    bool at_eof = s->in.eof && buffered(&s->in) == 0;
    kri_stream_end_read(s);
    return at_eof;
}
