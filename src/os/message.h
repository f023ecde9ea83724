/* The contract with the system, continued: what wakes another process, and descriptors that travel.
 *
 * As os.h: errors are negative errno, descriptors are closed by exec, and unless it says otherwise
 * a function neither blocks nor is interrupted by a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_MESSAGE_H
#define KRI_OS_MESSAGE_H

#include "os/os.h"

/* Calls: bytes without meaning, one way.  `hears` becomes readable by a call, and for ever once
 * nobody has `calls` any more.  To call when nobody hears is no error and raises no signal.
 * -EMFILE, -ENFILE; -ENOENT: /proc is not there. */
int os_call_pair(int *hears, int *calls);
bool os_call_is(int fd); /* may it be a side of such a pair? */
enum { OS_CALLS = 4 };
void os_call(int calls, int count); /* at most OS_CALLS; those that find no room are dropped */

/* Take one call.  May block when there is none.  1; 0: nobody can call any more; -EINTR. */
int os_call_hear(int hears);

/* The same at once: -EAGAIN: there is none.  Where the system cannot say so (before Linux 6.4), it
 * may block if somebody else takes the call at that moment. */
int os_call_take(int hears);

/* OS_CALLS_WAIT: there is one; OS_CALLS_OVER: nobody can call any more. */
enum { OS_CALLS_WAIT = 1, OS_CALLS_OVER = 2 };
unsigned os_call_look(int hears);

/* Rights: a pair of connected sockets for bytes that may carry descriptors. */
int os_rights_pair(int fds[2]);

enum { OS_RIGHTS = 8 };

/* One byte, with count (0 to OS_RIGHTS) descriptors.  0; -EAGAIN: no room; -EPIPE; -EBADF: one of
 * them is none; -ETOOMANYREFS. */
int os_rights_send(int socket, unsigned char tag, const int *fds, int count);

/* Look at the next byte: copies of its descriptors become this process's, but it stays.  How many;
 * -EAGAIN: there is none; -EMFILE, -ENFILE: no room for the descriptors; -E2BIG: it has more than
 * os_rights_send sends; -EPIPE: there is none and nobody can send any more. */
int os_rights_peek(int socket, unsigned char *tag, int fds[OS_RIGHTS]);
int os_rights_look(int socket, unsigned char *tag); /* at the byte alone: 0, -EAGAIN, -EPIPE */
void os_rights_drop(int socket);                    /* the next byte */

bool os_hung_up(int socket); /* nobody has the other side */
int os_duplicate(int fd);    /* -EBADF, -EMFILE */

/* Waiting for many. */
typedef struct os_polled {
    int fd;
    short wanted; /* private */
    short ready;  /* not 0: readable, hung up, or failed */
} os_polled;

/* Until one is readable.  May block.  How many are ready, -ETIMEDOUT, -EINTR, -EBADF (one is no
 * descriptor), -EINVAL (more than the process may have), -ENOMEM. */
int os_poll_many(os_polled *list, size_t count, kr_time deadline);

/* A count that rises with time, by one to some billions a second, for what asks so often that a
 * clock costs too much. */
uint64_t os_count(void);

#endif
