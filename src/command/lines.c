/* Text that grows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "command/top.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool make_room(kri_lines *lines, size_t more)
{
    if (lines->length + more < lines->room)
        return true;
    size_t room = (lines->length + more + 1) * 2;
    char *bytes = realloc(lines->bytes, room);
    if (bytes == NULL)
        return false;
    lines->bytes = bytes;
    lines->room = room;
    return true;
}

void kri_lines_add_bytes(kri_lines *lines, const char *bytes, size_t length)
{
    if (!make_room(lines, length))
        return;
    memcpy(lines->bytes + lines->length, bytes, length);
    lines->length += length;
    lines->bytes[lines->length] = '\0';
}

void kri_lines_add(kri_lines *lines, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0 || !make_room(lines, (size_t)length))
        return;
    va_start(args, format);
    (void)vsnprintf(lines->bytes + lines->length, (size_t)length + 1, format, args);
    va_end(args);
    lines->length += (size_t)length;
}

void kri_lines_end(kri_lines *lines)
{
    free(lines->bytes);
    *lines = (kri_lines){NULL, 0, 0};
}

/* Control characters of two bytes, too: 0xc2 and what is less than 0xa0. */
char *kri_text_clean(char *text)
{
    for (size_t i = 0; text[i] != '\0'; i++) {
        unsigned char c = (unsigned char)text[i];
        bool second = i > 0 && (unsigned char)text[i - 1] == 0xc2 && c >= 0x80 && c < 0xa0;
        if (c < ' ' || c == 0x7f || second)
            text[i] = '?';
        if (second)
            text[i - 1] = '?';
    }
    return text;
}
