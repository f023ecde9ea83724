/* A name as one word that a shell takes back to the same bytes, for messages.
 *
 * The shortest of four forms that says it: as it is; 'in single quotes'; "in double quotes" when
 * it has a single quote and nothing that double quotes would change; or single quotes with
 * $'\n' pieces for what cannot be printed.  These are the forms of the GNU tools.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <stdlib.h>
#include <string.h>
#include <wchar.h>
#include <wctype.h>

struct quoted {
    char *text;
    size_t length;
    bool escaping; /* inside $'...' */
};

/* How many bytes the character at `bytes` has, and whether it can be printed.  A byte that is no
 * character in this locale is one that cannot. */
static size_t measure_character(const char *bytes, size_t left, bool *printable)
{
    mbstate_t state = {0};
    wchar_t wide;
    size_t length = mbrtowc(&wide, bytes, left, &state);
    if (length == 0 || length > left) {
        *printable = false;
        return 1;
    }
    *printable = iswprint((wint_t)wide) != 0;
    return length;
}

struct traits {
    bool special;     /* not to be written without quotes */
    bool apostrophe;  /* has a single quote */
    bool unprintable; /* has something for $'...' */
    bool changed;     /* has something that double quotes do not keep as it is */
};

static struct traits examine(const char *name)
{
    static const char quoted[] = " !\"$&'()*:;<=>?[\\^`|";
    static const char kept_in_double_quotes[] = " ':";
    size_t left = strlen(name);
    struct traits traits = {.special = left == 0};
    for (size_t i = 0; left > 0;) {
        bool printable;
        size_t length = measure_character(name + i, left, &printable);
        char c = name[i];
        bool first_only = i == 0 && (c == '#' || c == '~');
        bool alone_only = (c == '{' || c == '}') && strlen(name) == 1;
        bool quotes = strchr(quoted, c) || first_only || alone_only;
        traits.special |= quotes;
        traits.apostrophe |= c == '\'';
        traits.unprintable |= !printable;
        traits.changed |= (quotes && !first_only && !strchr(kept_in_double_quotes, c)) ||
                          (!first_only && strchr("#~{}", c));
        i += length;
        left -= length;
    }
    return traits;
}

static void append(struct quoted *quoted, const char *bytes, size_t size)
{
    memcpy(quoted->text + quoted->length, bytes, size);
    quoted->length += size;
    quoted->text[quoted->length] = '\0';
}

static void append_text(struct quoted *quoted, const char *text)
{
    append(quoted, text, strlen(text));
}

static void append_escape(struct quoted *quoted, unsigned char byte)
{
    static const char named[] = "\a\b\f\n\r\t\v";
    static const char letters[] = "abfnrtv";
    if (!quoted->escaping)
        append_text(quoted, "'$'");
    quoted->escaping = true;
    const char *found = byte ? strchr(named, byte) : NULL;
    char octal[] = {'\\', (char)('0' + (byte >> 6)), (char)('0' + (byte >> 3 & 7)),
                    (char)('0' + (byte & 7))};
    char letter[] = {'\\', found ? letters[found - named] : '\0'};
    append(quoted, found ? letter : octal, found ? sizeof letter : sizeof octal);
}

static void append_character(struct quoted *quoted, const char *bytes, size_t length)
{
    if (*bytes == '\'') {
        append_text(quoted, "'\\''");
    } else {
        if (quoted->escaping)
            append_text(quoted, "''");
        append(quoted, bytes, length);
    }
    quoted->escaping = false;
}

static void append_quoted(struct quoted *quoted, const char *name)
{
    size_t left = strlen(name);
    append_text(quoted, "'");
    while (left > 0) {
        bool printable;
        size_t length = measure_character(name, left, &printable);
        if (printable)
            append_character(quoted, name, length);
        for (size_t i = 0; i < length && !printable; i++)
            append_escape(quoted, (unsigned char)name[i]);
        name += length;
        left -= length;
    }
    append_text(quoted, "'");
}

char *quote(const char *name)
{
    /* At worst each second byte opens and closes a $'\ooo' piece. */
    struct quoted quoted = {.text = malloc(9 * strlen(name) + 3)};
    if (!quoted.text)
        return NULL;
    struct traits traits = examine(name);
    if (!traits.special && !traits.unprintable) {
        append_text(&quoted, name);
    } else if (traits.apostrophe && !traits.unprintable && !traits.changed) {
        append_text(&quoted, "\"");
        append_text(&quoted, name);
        append_text(&quoted, "\"");
    } else {
        append_quoted(&quoted, name);
    }
    return quoted.text;
}
