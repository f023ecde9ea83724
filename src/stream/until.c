/* Reading up to a separator.
 *
 * As in Python the limit is for what stands before the separator, and what has been looked at is
 * not looked at again when more comes, but for the bytes that a separator may begin with.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/read.h"
#include <string.h>

typedef struct search {
    const kr_separator *separators;
    int count;
    size_t shortest;
    size_t longest;
    size_t from;  /* where it goes on, counted from what is to be read next */
    size_t start; /* of the separator that was found */
    size_t end;
} search;

/* Whichever ends first; of two that end there, the longer. */
static bool find(search *f, const char *data, size_t size)
{
    bool found = false;
    for (int i = 0; i < f->count; i++) {
        const kr_separator *separator = &f->separators[i];
        const char *at =
            memmem(data + f->from, size - f->from, separator->bytes, separator->length);
        if (at == NULL)
            continue;
        size_t start = (size_t)(at - data);
        size_t end = start + separator->length;
        if (!found || end < f->end || (end == f->end && start < f->start)) {
            f->start = start;
            f->end = end;
        }
        found = true;
    }
    return found;
}

static int hand_out(kri_stream_in *in, const char **data, size_t *size, size_t length)
{
    if (length > 0)
        *data = in->bytes + in->begin;
    *size = length;
    in->begin += length;
    return 0;
}

static int read_until(kr_stream *s, search *f, const char **data, size_t *size, kr_time deadline)
{
    kri_stream_in *in = &s->in;
    for (;;) {
        size_t there = in->end - in->begin;
        bool found = there >= f->from + f->shortest && find(f, in->bytes + in->begin, there);
        if (!found && there + 1 > f->longest)
            f->from = there + 1 - f->longest;
        size_t before = found ? f->start : f->from;
        if (before > s->limit) {
            *size = before;
            return -EMSGSIZE;
        }
        if (found)
            return hand_out(in, data, size, f->end);
        int64_t n = kri_stream_fill(s, deadline);
        if (n < 0)
            return (int)n;
        if (n == 0) {
            (void)hand_out(in, data, size, there);
            return KR_EOF;
        }
    }
}

/* false: there is an empty one, or none. */
static bool measure(search *f)
{
    for (int i = 0; i < f->count; i++) {
        size_t length = f->separators[i].length;
        if (length == 0 || length > SIZE_MAX / 8)
            return false;
        if (i == 0 || length < f->shortest)
            f->shortest = length;
        if (length > f->longest)
            f->longest = length;
    }
    return f->count > 0;
}

int kr_stream_read_until_any(kr_stream *s, const kr_separator *separators, int count,
                             const char **data, size_t *size, kr_time timeout)
{
    search f = {.separators = separators, .count = count};
    *data = "";
    *size = 0;
    if (timeout < 0 || !measure(&f))
        return -EINVAL;
    int err = kri_stream_begin_read(s);
    if (err < 0)
        return err;
    err = read_until(s, &f, data, size, kri_deadline(timeout));
    kri_stream_end_read(s);
    return err;
}

int kr_stream_read_until(kr_stream *s, const void *separator, size_t length, const char **data,
                         size_t *size, kr_time timeout)
{
    kr_separator only = {separator, length};
    return kr_stream_read_until_any(s, &only, 1, data, size, timeout);
}

int kr_stream_read_line(kr_stream *s, const char **line, size_t *size, kr_time timeout)
{
    int err = kr_stream_read_until(s, "\n", 1, line, size, timeout);
    return err == KR_EOF && *size > 0 ? 0 : err;
}
