/* What a server, or the lack of one, has to say.
 *
 * State.  The last few texts stand in a ring; a thread knows the number of its own.
 *
 * Fields.  `texts` is guarded by texts_lock; own_text is the thread's.
 *
 * Protocol.  Whoever has something to say takes the next number and writes its slot.  Whoever asks
 * compares the number in the slot with his own: it may be another's by now.
 *
 * Why not a text in each thread?  What a shared library may take of a thread's block is short.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "redis/redis.h"
#include <stdarg.h>
#include <stdio.h>

enum { TEXTS = 32, TEXT_BYTES = 200 };

static struct {
    uint64_t number;
    char text[TEXT_BYTES];
} texts[TEXTS] KRI_GLOBAL;
static uint64_t last_number KRI_GLOBAL;
static kri_mutex texts_lock KRI_GLOBAL;
KRI_THREAD_LOCAL(uint64_t, own_text)

int kri_redis_note(int error, const char *format, ...)
{
    char text[TEXT_BYTES];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    kri_mutex_lock(&texts_lock);
    uint64_t number = ++last_number;
    texts[number % TEXTS].number = number;
    memcpy(texts[number % TEXTS].text, text, sizeof text);
    kri_mutex_unlock(&texts_lock);
    *own_text() = number;
    return error;
}

const char *kr_redis_error_text(char *text, size_t size)
{
    uint64_t number = *own_text();
    if (size == 0)
        return text;
    kri_mutex_lock(&texts_lock);
    bool there = number != 0 && texts[number % TEXTS].number == number;
    (void)snprintf(text, size, "%s", there ? texts[number % TEXTS].text : "no error");
    kri_mutex_unlock(&texts_lock);
    return text;
}
