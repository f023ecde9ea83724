/* What a wait is for, in the words of a trace.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wait/internal.h"
#include "wait/stall.h"

#include <string.h>

static bool begins(const char **text, const char *with)
{
    size_t length = strlen(with);
    if (strncmp(*text, with, length) != 0)
        return false;
    *text += length;
    return true;
}

/* "a lock at 0x7ffc..." is "lock": which one the event says. */
static const char *shorten(char *words)
{
    const char *text = words;
    char *at = strstr(words, " at 0x");
    if (at != NULL)
        *at = 0;
    if (!begins(&text, "a ") && !begins(&text, "an "))
        (void)begins(&text, "the ");
    return text;
}

void kri_note_wait(const void *object, kri_describe describe, const char *name)
{
    enum { ROOM = 96 };
    char words[ROOM] = "";
    kri_text text = {.end = words, .room = sizeof words, .brief = true};
    if (describe != NULL)
        describe(object, &text);
    kri_trace_note(kri_trace_what(KR_TRACE_WAIT, KRI_TRACE_BEGIN), (uintptr_t)object, 0,
                   describe != NULL ? shorten(words) : name);
}
