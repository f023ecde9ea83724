/* Cutting text between characters.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BASE_UTF8_H
#define KRI_BASE_UTF8_H

#include <stddef.h>
#include <string.h>

/* kri_utf8_cut - the length of the longest beginning of `text` that has at most `most` bytes and
 * does not end inside a character.  Bytes that are no UTF-8 are cut anywhere: at most three are
 * given up. */
static inline size_t kri_utf8_cut(const char *text, size_t most)
{
    size_t length = strnlen(text, most + 1);
    if (length <= most)
        return length;
    size_t cut = most;
    while (cut > 0 && most - cut < 4 && ((unsigned char)text[cut] & 0xC0) == 0x80)
        cut--;
    return most - cut < 4 ? cut : most;
}

#endif
