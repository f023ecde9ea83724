/* Signals that ThreadSanitizer holds back.
 *
 * It puts a handler off until the thread calls a function that it knows of, and knows nothing of a
 * raw system call: a thread that falls asleep in one with a handler put off would never run it.  It
 * makes the place where it notes such signals at the thread's first call that may block, and a
 * signal that comes just then is lost.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_LINUX_HELD_H
#define KRI_OS_LINUX_HELD_H

#include <poll.h>
#include <stddef.h>

#ifdef __has_feature
#define KRI_SIGNALS_ARE_HELD __has_feature(thread_sanitizer)
#elif defined(__SANITIZE_THREAD__)
#define KRI_SIGNALS_ARE_HELD 1
#else
#define KRI_SIGNALS_ARE_HELD 0
#endif

/* A call that it knows, and that may block. */
static inline void kri_run_held_signals(void)
{
    if (KRI_SIGNALS_ARE_HELD)
        (void)poll(NULL, 0, 0);
}

#endif
