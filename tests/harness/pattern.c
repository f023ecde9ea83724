/* Matching a line with placeholders.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/pattern.h"

#include <ctype.h>
#include <krait/base.h>
#include <stdlib.h>
#include <string.h>

#define HEXADECIMAL "0123456789abcdef"

typedef enum kind { RANGE, TEXT, WORD, PID, ADDRESS, ERROR, NONE } kind;

typedef struct placeholder {
    kind kind;
    int kind_length;
    const char *name; /* NULL: it has none */
    int name_length;
    double least, most;
    const char *rest; /* of the pattern, behind it */
} placeholder;

static bool same(const char *left, int left_length, const char *right, int right_length)
{
    return left_length == right_length && strncmp(left, right, (size_t)left_length) == 0;
}

/* How many characters of the text are a number such as -12 or 0.50. */
static int number_length(const char *text)
{
    int length = text[0] == '-';
    if (!isdigit((unsigned char)text[length]))
        return 0;
    while (isdigit((unsigned char)text[length]))
        length++;
    if (text[length] != '.' || !isdigit((unsigned char)text[length + 1]))
        return length;
    for (length++; isdigit((unsigned char)text[length]);)
        length++;
    return length;
}

/* LOW..HIGH, of which either may be left out. */
static bool read_range(const char *text, placeholder *p)
{
    int low = number_length(text);
    if (strncmp(text + low, "..", 2) != 0)
        return false;
    const char *behind = text + low + 2;
    int high = number_length(behind);
    p->kind = RANGE;
    p->least = low > 0 ? strtod(text, NULL) : -1e300;
    p->most = high > 0 ? strtod(behind, NULL) : 1e300;
    return behind[high] == '>';
}

/* What the C library says of the error that the placeholder names; NULL: there is none. */
static const char *error_text(const placeholder *p)
{
    enum { MOST = 200 };
    for (int error = 1; p->name != NULL && error < MOST; error++) {
        const char *name = kr_errname(-error);
        if (same(p->name, p->name_length, name, (int)strlen(name)))
            return strerror(error);
    }
    return NULL;
}

/* KIND or KIND NAME; an error always has its own name. */
static bool read_kind(const char *text, placeholder *p)
{
    static const char *const kinds[] = {[TEXT] = "text", "word", "pid", "address", "error"};
    int length = (int)strcspn(text, " >");
    for (p->kind = TEXT; p->kind != NONE; p->kind++) {
        const char *word = kinds[p->kind];
        if (length != (int)strlen(word) || strncmp(text, word, (size_t)length) != 0)
            continue;
        p->kind_length = length;
        p->name = text[length] == ' ' ? text + length + 1 : NULL;
        p->name_length = p->name ? (int)strcspn(p->name, ">") : 0;
        if (p->kind == ERROR)
            return error_text(p) != NULL;
        return !p->name || p->name_length > 0;
    }
    return false;
}

static bool read_placeholder(const char *pattern, placeholder *p)
{
    const char *end = strchr(pattern, '>');
    *p = (placeholder){.rest = end ? end + 1 : NULL};
    return end && (read_range(pattern + 1, p) || read_kind(pattern + 1, p));
}

bool kri_pattern_valid(const char *pattern)
{
    placeholder p;
    while (*pattern) {
        if (*pattern == '<') {
            if (!read_placeholder(pattern, &p))
                return false;
            pattern = p.rest;
        } else if (*pattern == '\\') {
            if (!pattern[1])
                return false;
            pattern += 2;
        } else {
            pattern++;
        }
    }
    return true;
}

/* May the placeholder's name stand for this text? */
static bool bind(const placeholder *p, const char *text, int length, kri_pattern_names *names)
{
    if (!p->name || p->kind == ERROR)
        return true;
    const char *word = p->name - p->kind_length - 1;
    for (int i = 0; i < names->count; i++) {
        struct kri_pattern_name *n = &names->names[i];
        if (!same(word, p->kind_length, n->kind, n->kind_length))
            continue;
        bool same_text = same(text, length, n->text, n->text_length);
        if (same(p->name, p->name_length, n->name, n->name_length))
            return same_text;
        if (same_text && (p->kind == PID || p->kind == ADDRESS))
            return false;
    }
    if (names->count == KRI_PATTERN_NAMES)
        return false;
    names->names[names->count++] =
        (struct kri_pattern_name){word, p->name, text, p->kind_length, p->name_length, length};
    return true;
}

/* How many characters may the placeholder stand for, at least and at most? */
static bool lengths(const placeholder *p, const char *text, int *least, int *most)
{
    double value;
    *least = 1;
    switch (p->kind) {
    case RANGE:
        *least = *most = number_length(text);
        value = strtod(text, NULL);
        return *most > 0 && value >= p->least && value <= p->most;
    case PID:
        *least = *most = (int)strspn(text, "0123456789");
        return *most > 0 && text[0] != '0';
    case ADDRESS:
        *least = *most = strncmp(text, "0x", 2) ? 0 : 2 + (int)strspn(text + 2, HEXADECIMAL);
        return *most > 2;
    case ERROR:
        *least = *most = (int)strlen(error_text(p));
        return strncmp(text, error_text(p), (size_t)*most) == 0;
    case WORD:
        *most = (int)strcspn(text, " \t");
        return *most > 0;
    default:
        *most = (int)strlen(text);
        return *most > 0;
    }
}

static bool match_placeholder(const placeholder *p, const char *text, kri_pattern_names *names)
{
    int least, most, count = names->count;
    if (!lengths(p, text, &least, &most))
        return false;
    for (int length = least; length <= most; length++) {
        if (bind(p, text, length, names) && kri_pattern_match(p->rest, text + length, names))
            return true;
        names->count = count;
    }
    return false;
}

bool kri_pattern_match(const char *pattern, const char *text, kri_pattern_names *names)
{
    placeholder p;
    for (; *pattern; pattern++, text++) {
        if (*pattern == '<')
            return read_placeholder(pattern, &p) && match_placeholder(&p, text, names);
        if (*pattern == '\\')
            pattern++;
        if (*pattern != *text)
            return false;
    }
    return *text == '\0';
}
