/* Echo by libuv.  What is sent is tried at once, as its own advice is, and only what did not go is
 * copied for a write that takes its time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo.h"

#include <stdlib.h>
#include <string.h>
#include <uv.h>

struct later {
    uv_write_t write;
    char bytes[];
};

static uv_loop_t loop;

static void give_room(uv_handle_t *handle, size_t wanted, uv_buf_t *room)
{
    static char bytes[ECHO_ROOM];
    (void)handle;
    (void)wanted;
    *room = uv_buf_init(bytes, sizeof bytes);
}

static void closed(uv_handle_t *handle)
{
    free(handle);
}

static void end(uv_stream_t *stream)
{
    if (!uv_is_closing((uv_handle_t *)stream))
        uv_close((uv_handle_t *)stream, closed);
}

static void written(uv_write_t *write, int status)
{
    if (status < 0)
        end(write->handle);
    free(write);
}

static void write_later(uv_stream_t *stream, const char *bytes, size_t count)
{
    struct later *later = malloc(sizeof *later + count);
    ECHO_MUST(later != NULL);
    memcpy(later->bytes, bytes, count);
    uv_buf_t rest = uv_buf_init(later->bytes, (unsigned)count);
    if (uv_write(&later->write, stream, &rest, 1, written) < 0) {
        free(later);
        end(stream);
    }
}

static void received(uv_stream_t *stream, ssize_t got, const uv_buf_t *room)
{
    if (got == 0)
        return;
    if (got < 0) {
        end(stream);
        return;
    }
    uv_buf_t bytes = uv_buf_init(room->base, (unsigned)got);
    int sent = uv_try_write(stream, &bytes, 1);
    if (sent < 0 && sent != UV_EAGAIN) {
        end(stream);
        return;
    }
    sent = sent < 0 ? 0 : sent;
    if (sent < got)
        write_later(stream, room->base + sent, (size_t)(got - sent));
}

static void connected(uv_stream_t *listener, int status)
{
    uv_tcp_t *tcp = malloc(sizeof *tcp);
    ECHO_MUST(tcp != NULL && status == 0 && uv_tcp_init(&loop, tcp) == 0);
    if (uv_accept(listener, (uv_stream_t *)tcp) != 0)
        end((uv_stream_t *)tcp);
    else
        ECHO_MUST(uv_read_start((uv_stream_t *)tcp, give_room, received) == 0);
}

void echo_uv(int listener)
{
    static uv_tcp_t tcp;
    ECHO_MUST(uv_loop_init(&loop) == 0 && uv_tcp_init(&loop, &tcp) == 0);
    ECHO_MUST(uv_tcp_open(&tcp, listener) == 0);
    ECHO_MUST(uv_listen((uv_stream_t *)&tcp, 1024, connected) == 0);
    uv_run(&loop, UV_RUN_DEFAULT);
}
