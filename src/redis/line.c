/* A connection to a server: bytes out, answers in.
 *
 * Protocol.
 *     bytes     They go through a stream of krait's, where there is TLS.  Else the stream is for
 *               connecting and closing, and bytes go straight through its descriptor: a request is
 *               one send and one receive.
 *     waiting   A thread that nothing but the other end can interrupt, and that has no hooks, waits
 *               in the receive itself, for as long as the system was told for this descriptor.
 *               Everybody else tries, waits for the descriptor, and receives.  What the system was
 *               told is left as it is while it is about right: it ends a wait a little late, or
 *               early, and then there is another.
 *     broken    After an error, a time-out or a cancel in the midst of an answer nobody can say
 *               what the next bytes belong to, so the line is closed.
 *     idle      A server that restarts or fails over closes its connections, which is seen by a
 *               look at one that was not used for a moment: otherwise the next request would be
 *               lost on it, and nobody could say whether it was applied.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "os/socket.h"
#include "redis/internal.h"
#include <krait/io.h>

enum { IDLE_MS = 1, CHUNK = 16 * 1024 };

typedef struct line_memory {
    kri_line line;
    char chunk[CHUNK];
} line_memory;

static char *chunk_of(kri_line *line)
{
    return ((line_memory *)(void *)line)->chunk;
}

/* Bytes */

int kri_line_send(kri_line *line, const void *bytes, size_t size, size_t *sent, kr_time deadline)
{
    kr_time left = kri_left_until(deadline);
    return line->fd >= 0 ? kr_write_all(line->fd, bytes, size, sent, left)
                         : kr_stream_write(line->stream, bytes, size, sent, left);
}

static bool waits_in_call(void)
{
    const kri_party *self = kri_party_self();
    return self->scope == NULL && self->hooks == NULL && self->ops->wait_fd == NULL &&
           kri_load_rlx(&kri_relied) == 0;
}

/* Hardly too late, and not so early that it would often be for nothing. */
static bool is_about(kr_time patience, kr_time left)
{
    return patience != 0 && patience - patience / 64 <= left && patience >= left / 4;
}

static int64_t receive_in_call(kri_line *line, kr_time deadline)
{
    for (;;) {
        kr_time left = kri_left_until(deadline);
        if (left == 0)
            return kr_recv(line->fd, chunk_of(line), CHUNK, 0, 0);
        if (!is_about(line->patience, left)) {
            int err = os_socket_set_patience(line->fd, left);
            if (err < 0)
                return err;
            line->patience = left;
        }
        int64_t got = os_socket_receive_patiently(line->fd, chunk_of(line), CHUNK);
        if (got != -EAGAIN && got != -EINTR)
            return got;
    }
}

static int64_t receive(kri_line *line, kr_time deadline)
{
    if (line->fd < 0)
        return kr_stream_read(line->stream, chunk_of(line), CHUNK, kri_left_until(deadline));
    if (waits_in_call())
        return receive_in_call(line, deadline);
    return kr_recv(line->fd, chunk_of(line), CHUNK, 0, kri_left_until(deadline));
}

int kri_line_receive(kri_line *line, kri_reply **reply, kr_time deadline)
{
    for (;;) {
        int err = kri_reader_next(line->reader, reply);
        if (err != 0)
            return err > 0 ? 0 : err;
        int64_t got = receive(line, deadline);
        if (got <= 0)
            return got < 0 ? (int)got : KR_EOF;
        err = kri_reader_feed(line->reader, chunk_of(line), (size_t)got);
        if (err < 0)
            return err;
    }
}

int kri_line_ask(kri_line *line, const kri_redis_word *words, int count, kri_reply **reply,
                 kr_time deadline)
{
    char *bytes;
    size_t sent;
    int64_t size = kri_format(&bytes, words, count);
    *reply = NULL;
    if (size < 0)
        return (int)size;
    int err = kri_line_send(line, bytes, (size_t)size, &sent, deadline);
    kri_format_free(bytes);
    if (err == 0)
        err = kri_line_receive(line, reply, deadline);
    if (err == 0)
        err = kri_reply_error(*reply);
    if (err < 0) {
        kri_reply_free(*reply);
        *reply = NULL;
    }
    return err;
}

bool kri_line_is_alive(kri_line *line)
{
    const char *data;
    size_t size;
    if (os_now() - line->used < kr_ms(IDLE_MS))
        return true;
    if (line->fd < 0)
        return kr_stream_peek(line->stream, &data, &size, KR_NOWAIT) == -ETIMEDOUT;
    os_part part = {chunk_of(line), CHUNK};
    return os_socket_receive(line->fd, &part, 1, false) == -EAGAIN;
}

/* Opening and closing */

static int connect_stream(kri_line *line, const kri_redis_address *a, kr_tls_context *tls,
                          kr_time deadline)
{
    kr_time left = kri_left_until(deadline);
    int err;
    if (a->tls)
        err = kri_tls_connect(&line->stream, tls, a->host != NULL ? a->host : "localhost",
                              a->service, NULL, left, &line->half);
    else if (a->local)
        err = kri_stream_connect_unix(&line->stream, a->host, NULL, left, &line->half);
    else
        err = kri_stream_connect(&line->stream, a->host, a->service, NULL, left, &line->half);
    if (err == 0)
        line->descriptor = kr_stream_descriptor(line->stream);
    if (err == 0 && !a->tls)
        line->fd = line->descriptor;
    return err;
}

static int say(kri_line *line, const kri_redis_word *words, int count, kr_time deadline)
{
    kri_reply *reply;
    int err = kri_line_ask(line, words, count, &reply, deadline);
    kri_reply_free(reply);
    return err;
}

/* Who we are, and which database.  A server without a user's name takes the password alone. */
static int introduce(kri_line *line, const kri_redis_address *a, kr_time deadline)
{
    int err = 0;
    kri_digits digits;
    if (a->password != NULL && a->user != NULL)
        err = say(line, KRI_WORDS(kri_word("AUTH"), kri_word(a->user), kri_word(a->password)),
                  deadline);
    else if (a->password != NULL)
        err = say(line, KRI_WORDS(kri_word("AUTH"), kri_word(a->password)), deadline);
    if (err == 0 && a->base != 0)
        err =
            say(line, KRI_WORDS(kri_word("SELECT"), kri_word_integer(&digits, a->base)), deadline);
    return err;
}

int kri_line_open(kri_line **out, const kri_redis_address *a, kr_tls_context *tls, kr_time deadline)
{
    *out = NULL;
    line_memory *memory = os_alloc(sizeof *memory);
    if (memory == NULL)
        return -ENOMEM;
    kri_line *line = &memory->line;
    line->fd = -1;
    line->reader = kri_reader_create();
    int err = line->reader != NULL ? connect_stream(line, a, tls, deadline) : -ENOMEM;
    if (err == 0)
        err = introduce(line, a, deadline);
    if (err < 0) {
        kri_half_open_end(&line->half);
        kri_line_close(line);
        return err;
    }
    line->used = os_now();
    *out = line;
    return 0;
}

void kri_line_close(kri_line *line)
{
    kr_stream_release(line->stream);
    if (line->reader != NULL)
        kri_reader_free(line->reader);
    os_free(line);
}

void kri_line_abandon(kri_line *line)
{
    os_close(line->descriptor); /* the stream's lock may be held by who is not there */
}
