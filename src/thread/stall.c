/* Threads in the report of a stall: their names, and waiting for them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "thread/thread.h"
#include "wait/stall.h"

/* The names may be held by one who wants a queue that the report holds. */
bool kri_thread_describe_name(int native_id, kri_text *text)
{
    if (!kri_mutex_try(&kri_threads.lock))
        return false;
    const kr_thread *t = kri_threads.first;
    while (t != NULL && (int)kri_load_rlx(&t->native_id) != native_id)
        t = t->next;
    if (t != NULL)
        kri_text_add(text, "%s", t->name);
    kri_mutex_unlock(&kri_threads.lock);
    return t != NULL;
}

static void describe(const kr_thread *t, kri_text *text, const char *what)
{
    bool held = kri_mutex_try(&kri_threads.lock);
    kri_text_add(text, "the thread %s%s%s", held ? t->name : "", held ? " " : "", what);
    if (held)
        kri_mutex_unlock(&kri_threads.lock);
}

static const kr_thread *thread_at(const kr_word *word, size_t at)
{
    return (const kr_thread *)((uintptr_t)word - at);
}

void kri_thread_describe_state(const kr_word *word, kri_text *text)
{
    describe(thread_at(word, offsetof(kr_thread, state)), text, "to end");
}

void kri_thread_describe_id(const kr_word *word, kri_text *text)
{
    describe(thread_at(word, offsetof(kr_thread, native_id)), text, "to begin");
}
