/* Coroutines that run over their stacks, and what a thread with coroutines has for itself.
 *
 * The fault that an overflow is comes on the thread's alternate signal stack, since the other one
 * is used up.  The sentence is written there with what may be called in a signal handler; the end
 * is the system's, or the program's own handler's, so there is a core where there would be one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "coroutine/cache.h"
#include "coroutine/slab.h"
#include "os/stack.h"
#include <errno.h>
#include <string.h>

/* What a thread has while it watches. */
typedef struct watch {
    kri_stack_cache cache;
    os_signal_stack signal_stack;
    unsigned depth;
} watch;

KRI_THREAD_LOCAL(watch *, own_watch)

static kri_pointer name_of_running KRI_GLOBAL; /* const char *(*)(void) */

kri_stack_cache *kri_stack_cache_own(void)
{
    watch *w = *own_watch();
    return w != NULL ? &w->cache : NULL;
}

/* Text without the library's formatting */

enum { SENTENCE = 256, DIGITS = 20, LONGEST_NAME = 100 };

static char *put_text(char *at, const char *text, size_t most)
{
    size_t length = strnlen(text, most);
    memcpy(at, text, length);
    return at + length;
}

static char *put_number(char *at, size_t number)
{
    char digits[DIGITS];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    while (count > 0)
        *at++ = digits[--count];
    return at;
}

static void compose(char *sentence, size_t stack_size, const char *name)
{
    char *at = put_text(sentence, "krait: the coroutine ", SENTENCE);
    if (name != NULL) {
        at = put_text(at, name, LONGEST_NAME);
        at = put_text(at, " ", 1);
    }
    at = put_text(at, "has run over its stack of ", SENTENCE);
    at = put_number(at, stack_size);
    at = put_text(at, " bytes; give it a larger one", SENTENCE);
    *at = '\0';
}

static void look(uintptr_t address)
{
    kri_stack stack;
    char sentence[SENTENCE];
    if (!kri_slab_find(address, &stack))
        return;
    void *name = kri_load_acq_ptr(&name_of_running);
    compose(sentence, stack.size, name != NULL ? ((const char *(*)(void))(uintptr_t)name)() : NULL);
    os_print_error(sentence);
}

_Noreturn void kri_stack_abort(const kri_stack *stack, const char *name)
{
    char sentence[SENTENCE];
    compose(sentence, stack->size, name);
    os_abort(sentence);
}

void kri_stack_ask_name(const char *(*running)(void))
{
    kri_store_rel_ptr(&name_of_running, (void *)(uintptr_t)running);
}

int kri_stack_watch_overflow(void)
{
    watch *w = *own_watch();
    if (w != NULL) {
        w->depth++;
        return 0;
    }
    w = os_alloc(sizeof *w);
    if (w == NULL)
        return -ENOMEM;
    int err = os_signal_stack_begin(&w->signal_stack);
    if (err != 0) {
        os_free(w);
        return err;
    }
    os_fault_watch_begin(look);
    kri_stack_cache_begin(&w->cache);
    w->depth = 1;
    *own_watch() = w;
    return 0;
}

void kri_stack_unwatch_overflow(void)
{
    watch *w = *own_watch();
    if (w == NULL || --w->depth > 0)
        return;
    *own_watch() = NULL;
    kri_stack_cache_end(&w->cache);
    os_fault_watch_end();
    os_signal_stack_end(&w->signal_stack);
    os_free(w);
}
