/* The body of an answer: of a given size, in chunks, or to the end of the connection.
 *
 * A connection that ends before the body does is an error; where only its end tells, nobody can
 * know.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <string.h>

#define TRAILER_LINES 64

static int receive(struct wire *wire, struct sink *sink, uint64_t size)
{
    while (size > 0) {
        const char *bytes;
        int64_t got = wire_read(wire, &bytes, size < WIRE_BUFFER ? (size_t)size : WIRE_BUFFER);
        if (got <= 0)
            return got ? (int)got : CUT_OFF;
        int err = sink_put(sink, bytes, (size_t)got);
        if (err)
            return err;
        size -= (uint64_t)got;
    }
    return 0;
}

static int receive_to_end(struct wire *wire, struct sink *sink)
{
    const char *bytes;
    int64_t got;
    while ((got = wire_read(wire, &bytes, WIRE_BUFFER)) > 0) {
        int err = sink_put(sink, bytes, (size_t)got);
        if (err)
            return err;
    }
    return (int)got;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "1a2b", with blanks or extensions behind it that mean nothing to us. */
static int parse_chunk(const char *line, uint64_t *size)
{
    uint64_t value = 0;
    const char *end = line;
    for (; digit_of(*end) >= 0; end++) {
        if (value >> 60)
            return BAD_SERVER;
        value = value << 4 | (unsigned)digit_of(*end);
    }
    *size = value;
    return end > line && strchr("; \t", *end) ? 0 : BAD_SERVER;
}

static int expect_line_end(struct wire *wire)
{
    char *line;
    int err = wire_line(wire, &line);
    return err ? err : *line == '\0' ? 0 : BAD_SERVER;
}

static int skip_trailer(struct wire *wire)
{
    char *line;
    for (int i = 0; i < TRAILER_LINES; i++) {
        int err = wire_line(wire, &line);
        if (err || *line == '\0')
            return err;
    }
    return HEAD_TOO_LONG;
}

static int receive_chunks(struct wire *wire, struct sink *sink)
{
    for (;;) {
        char *line;
        uint64_t size;
        int err = wire_line(wire, &line);
        if (!err)
            err = parse_chunk(line, &size);
        if (err)
            return err;
        if (size == 0)
            return skip_trailer(wire);
        err = receive(wire, sink, size);
        if (!err)
            err = expect_line_end(wire);
        if (err)
            return err;
    }
}

int body_receive(struct wire *wire, const struct answer *answer, struct sink *sink)
{
    switch (answer->kind) {
    case BODY_SIZED:
        if (answer->size > sink->most)
            return BODY_TOO_LONG;
        return receive(wire, sink, answer->size);
    case BODY_CHUNKED:
        return receive_chunks(wire, sink);
    case BODY_TO_END:
        return receive_to_end(wire, sink);
    default:
        return 0;
    }
}
