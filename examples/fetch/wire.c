/* One connection: lines and bytes, over a stream of krait's.
 *
 * Every wait here is krait's: in a thread it blocks, in a coroutine others run meanwhile, and in
 * both it ends by its time or with the caller's cancel scope.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>
#include <string.h>

int wire_open(struct wire *wire, const struct url *url, const struct options *options)
{
    const kr_stream_options limited = {.limit = sizeof wire->bytes - 1};
    kr_tls_context *trust;
    int err;
    wire->timeout = options->timeout;
    wire->stream = NULL;
    if (!url->tls) {
        err = kr_stream_connect(&wire->stream, url->host, url->port, &limited, wire->timeout);
    } else {
        err = trust_get(&trust, options);
        if (!err)
            err =
                kr_tls_connect(&wire->stream, trust, url->host, url->port, &limited, wire->timeout);
    }
    return err == -ENOENT ? NO_SUCH_HOST : err;
}

int wire_send(struct wire *wire, const char *bytes, size_t size)
{
    return kr_stream_write(wire->stream, bytes, size, NULL, wire->timeout);
}

int wire_line(struct wire *wire, char **line)
{
    const char *data;
    size_t size;
    int err = kr_stream_read_line(wire->stream, &data, &size, wire->timeout);
    if (err == -EMSGSIZE)
        return HEAD_TOO_LONG;
    if (err == KR_EOF || (!err && data[size - 1] != '\n'))
        return CUT_OFF;
    if (err)
        return err;
    size--;
    if (size > 0 && data[size - 1] == '\r')
        size--;
    memcpy(wire->bytes, data, size);
    wire->bytes[size] = '\0';
    *line = wire->bytes;
    return 0;
}

int64_t wire_read(struct wire *wire, const char **bytes, size_t most)
{
    size_t size = most < sizeof wire->bytes ? most : sizeof wire->bytes;
    *bytes = wire->bytes;
    return kr_stream_read(wire->stream, wire->bytes, size, wire->timeout);
}

/* Nothing that we have said is still to be sent. */
void wire_close(struct wire *wire)
{
    if (wire->stream)
        kr_stream_abort(wire->stream);
    kr_stream_release(wire->stream);
    wire->stream = NULL;
}
