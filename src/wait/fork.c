/* What a forked child has to set right, once for the whole library.
 *
 * In the child only the calling thread is left.  Whatever the others held stays held, whoever
 * they were in a queue stays queued; each folder registers a function that puts its own globals
 * back.  They run in the order of registration, so the waiting point comes first.
 *
 * Half-open descriptors stand in a list that changes with the table's lock held, as does the
 * system's making of one: a fork falls before it was made, or after it was noted.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/os.h"
#include "wait/half_open.h"
#include "wait/internal.h"

enum { HANDLERS = 32 };

static void (*handlers[HANDLERS])(void) KRI_GLOBAL;
static unsigned handler_count KRI_GLOBAL;
static kri_mutex handlers_lock KRI_GLOBAL;
static kri_half_open *half_open KRI_GLOBAL; /* guarded by handlers_lock */
static kr_word watching KRI_GLOBAL;
kr_word kri_forks KRI_GLOBAL; /* atomic: the generation */

/* Held across the fork, so that the child finds the table whole. */
static void before(void)
{
    kri_mutex_lock(&handlers_lock);
}

static void in_parent(void)
{
    kri_mutex_unlock(&handlers_lock);
}

static void close_half_open(void)
{
    for (kri_half_open *half = half_open; half != NULL; half = half->next) {
        half->noted = false;
        os_close(half->fd);
    }
    half_open = NULL;
}

static void in_child(void)
{
    kri_store_rlx(&handlers_lock, 0);
    kri_add_rlx(&kri_forks, 1);
    close_half_open();
    kri_park_forked();
    kri_nap_forked();
    kri_party_forked();
    for (unsigned i = 0; i < handler_count; i++)
        handlers[i]();
}

void kri_fork_watch(void)
{
    uint32_t seen = kri_load_rlx(&watching);
    if (seen == 0 && kri_cas_rlx(&watching, &seen, 1))
        os_at_fork(before, in_parent, in_child);
}

#ifndef KRI_MODEL
/* As the library is loaded: while a first thread has this done, another one might fork, and its
 * child would not be told, but find the lock held. */
__attribute__((constructor)) static void watch_from_the_first(void)
{
    kri_fork_watch();
}
#endif

static int add(void (*fn)(void))
{
    for (unsigned i = 0; i < handler_count; i++) {
        if (handlers[i] == fn)
            return 0;
    }
    if (handler_count == HANDLERS)
        return -ENOMEM;
    handlers[handler_count++] = fn;
    return 0;
}

int kri_at_fork_child(void (*fn)(void))
{
    kri_fork_watch();
    kri_mutex_lock(&handlers_lock);
    int err = add(fn);
    kri_mutex_unlock(&handlers_lock);
    return err;
}

uint32_t kri_fork_generation(void)
{
    kri_fork_watch();
    return kri_load_rlx(&kri_forks);
}

void kri_half_open_begin(void)
{
    kri_fork_watch();
    kri_mutex_lock(&handlers_lock);
}

/* With the lock held. */
static void list(kri_half_open *half, int fd)
{
    *half = (kri_half_open){.noted = true, .fd = fd, .next = half_open};
    if (half_open != NULL)
        half_open->previous = half;
    half_open = half;
}

static void unlist(kri_half_open *half)
{
    if (!half->noted)
        return;
    if (half->next != NULL)
        half->next->previous = half->previous;
    *(half->previous != NULL ? &half->previous->next : &half_open) = half->next;
    half->noted = false;
}

void kri_half_open_note(kri_half_open *half, int fd)
{
    half->noted = false;
    if (fd >= 0)
        list(half, fd);
    kri_mutex_unlock(&handlers_lock);
}

void kri_half_open_hand_on(kri_half_open *half, kri_half_open *to)
{
    kri_mutex_lock(&handlers_lock);
    to->noted = false;
    if (half->noted)
        list(to, half->fd);
    unlist(half);
    kri_mutex_unlock(&handlers_lock);
}

void kri_half_open_end(kri_half_open *half)
{
    kri_mutex_lock(&handlers_lock);
    unlist(half);
    kri_mutex_unlock(&handlers_lock);
}
