/* The contract with the system for loops: events of many descriptors, and naps to the nanosecond.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_EVENTS_H
#define KRI_OS_EVENTS_H

#include <krait/base.h>

enum { OS_EVENTS_AT_ONCE = 128 };

typedef struct os_event {
    int fd;         /* as it was added */
    unsigned ready; /* OS_READABLE, OS_WRITABLE; errors and hang-ups are reported as both */
    bool special;   /* there may be an end, an error or an urgent byte behind what is read next */
} os_event;

int os_events_create(void); /* a descriptor; -EMFILE, -ENFILE, -ENOMEM */

/* Have changes of a descriptor told, in both directions, each once: what is ready as it is added,
 * and then what becomes so.  -EEXIST, -EBADF, -ENOMEM, -ENOSPC; -EPERM: it is always ready.
 * os_events_again - what is ready now is told once more: -ENOENT: it is not there, or another
 * descriptor has its number; -EBADF. */
int os_events_add(int events, int fd);
int os_events_again(int events, int fd);
void os_events_remove(int events, int fd);

/* Up to OS_EVENTS_AT_ONCE of them.  May block, until the deadline; 0 does not.  now: what os_now()
 * has just said; 0: it was not asked.  How many; 0 at the deadline; -EINTR. */
int os_events_wait(int events, os_event *list, kr_time deadline, kr_time now);

/* A bell (os_bell_create) among them is told again as long as it is rung. */
int os_events_add_bell(int events, int bell);
uint64_t os_bell_take(int bell); /* how often it was rung since; 0: not */

#endif
