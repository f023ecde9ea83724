/* Writing JSON.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/output.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "os/io.h"

enum { PIECE = 512 };

int kri_output_open(kri_output *out, const char *path)
{
    out->fd = os_create(path);
    out->error = out->fd < 0 ? out->fd : 0;
    out->length = 0;
    return out->error;
}

static void flush(kri_output *out)
{
    size_t done = 0;
    while (out->error == 0 && done < out->length) {
        int64_t written = os_write(out->fd, out->bytes + done, out->length - done);
        if (written < 0)
            out->error = (int)written;
        else if (written == 0)
            out->error = -EIO;
        else
            done += (size_t)written;
    }
    out->length = 0;
}

int kri_output_close(kri_output *out)
{
    flush(out);
    int err = os_close_for(out->fd);
    return out->error != 0 ? out->error : err;
}

void kri_output_add(kri_output *out, const char *format, ...)
{
    if (out->length + PIECE > sizeof out->bytes)
        flush(out);
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(out->bytes + out->length, PIECE, format, arguments);
    va_end(arguments);
    if (length > 0)
        out->length += (size_t)length < PIECE ? (size_t)length : PIECE - 1;
}

/* How many bytes the character at `text` has; 0: it is none in UTF-8. */
static size_t character(const unsigned char *text)
{
    static const struct {
        unsigned char mask, mark, least_second;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0xa0}, {0xf8, 0xf0, 0x90}};
    for (size_t more = 0; more < sizeof forms / sizeof forms[0]; more++) {
        if ((text[0] & forms[more].mask) != forms[more].mark)
            continue;
        for (size_t i = 1; i <= more; i++)
            if ((text[i] & 0xc0) != 0x80)
                return 0;
        bool small = more == 1 ? text[0] < 0xc2
                               : (text[0] & ~forms[more].mask) == 0 && more > 1 &&
                                     text[1] < forms[more].least_second;
        bool surrogate = text[0] == 0xed && text[1] >= 0xa0;
        bool large = more == 3 && (text[0] > 0xf4 || (text[0] == 0xf4 && text[1] >= 0x90));
        return small || surrogate || large ? 0 : more + 1;
    }
    return 0;
}

void kri_output_string(kri_output *out, const char *text)
{
    const unsigned char *at = (const unsigned char *)text;
    kri_output_add(out, "\"");
    while (*at != 0) {
        size_t length = character(at);
        if (length == 0)
            kri_output_add(out, "\\ufffd");
        else if (*at == '"' || *at == '\\')
            kri_output_add(out, "\\%c", *at);
        else if (*at < 0x20 || *at == 0x7f)
            kri_output_add(out, "\\u%04x", *at);
        else
            kri_output_add(out, "%.*s", (int)length, (const char *)at);
        at += length != 0 ? length : 1;
    }
    kri_output_add(out, "\"");
}
