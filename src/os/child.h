/* The contract with the system about child processes.
 *
 * As in os.h, errors are negative errno, and nothing blocks unless it says so.  Descriptors that
 * are made here are closed by exec, and none of them has the number of a standard one.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_CHILD_H
#define KRI_OS_CHILD_H

#include "os/os.h"
#include <signal.h>

/* Making one */

pid_t os_fork(void); /* with the handlers of os_at_fork: 0 in the child, its number, an error */

/* Start this program once more, with the arguments name and argument; it inherits the standard
 * descriptors, and `descriptor` as OS_SPAWNED, and nothing else.  Its number, or an error. */
enum { OS_SPAWNED = 3 };
pid_t os_spawn_self(const char *name, const char *argument, int descriptor);

int os_thread_count(void);   /* threads of this process; 0: the system does not tell */
bool os_is_left_alone(void); /* has main's thread ended, and is the caller the only one? */
bool os_argument_begins(const char *s); /* does the process's first argument begin so? */
_Noreturn void os_exit_now(int status); /* without any handler */
void os_flush_standard(void);           /* stdout and stderr */

/* Knowing one */

int os_pidfd_open(pid_t id);   /* readable when the process is over; -ESRCH, -EMFILE, ... */
bool os_pidfd_over(int pidfd); /* is it? */
int os_pidfd_signal(int pidfd, int signo); /* -ESRCH: it has been reaped */

/* The exit code of a child that is over, which is reaped: 0 to 255, or the negative number of a
 * signal; and the most bytes that it had resident.
 * 0; -EAGAIN: it is not over; -ECHILD: no child of ours, or reaped by another. */
int os_pidfd_reap(int pidfd, int *code, uint64_t *max_rss);

int os_child_reap(pid_t id); /* the same by number, for one that nobody else waits for */

/* Any child that is over, when there is one: its number.  0: none is; -ECHILD: there are none. */
pid_t os_reap_any(int *code, uint64_t *max_rss);

/* Wait until one of `count` descriptors, at most 1056, is readable, in error or hung up.  May
 * block. Which of them are is written to `ready`.  How many; -EINTR, -ETIMEDOUT. */
int os_poll_some(const int *descriptors, bool *ready, int count, kr_time deadline);

/* Signals */

uint64_t os_signal_mask(void); /* of the calling thread: bit n - 1 for signal n */
void os_signal_set_mask(uint64_t mask);
bool os_signal_ignore(int signo, bool ignore); /* was it ignored before? */
int os_child_signal_open(void); /* blocks SIGCHLD; a descriptor that is readable when one came */
void os_child_signal_clear(int descriptor);

/* Channels: connected pairs of sockets, for bytes and descriptors */

enum { OS_HANDED = 240 }; /* descriptors in one message */
int os_channel_create(int ends[2]);
bool os_channel_is(int descriptor);

/* Send all of it, the descriptors with the first byte.  May block.  -EPIPE: nobody is there. */
int os_channel_send(int channel, const void *bytes, size_t size, const int *descriptors, int count);

/* Receive exactly `size` bytes, and at most *count descriptors.  May block.  KR_EOF: the other end
 * is closed before the end; -ETIMEDOUT; -EMFILE: descriptors came for which there was no room. */
int os_channel_receive(int channel, void *bytes, size_t size, int *descriptors, int *count,
                       kr_time deadline);

/* Descriptors */

bool os_descriptor_valid(int descriptor);
int os_duplicate_above(int descriptor);

/* Where a program has closed standard descriptors, what the library opens must not keep their
 * place: the same descriptor with another number, the old one closed.  Errors pass through.  It had
 * that place until this call, and another thread that prints then can hit it: no system call that
 * opens takes a lowest number, and dup2 would close what a third thread opens. */
int os_above_standard(int descriptor);
int os_both_above_standard(int ends[2]);          /* both or none; 0, or the first one's error */
int os_keep_over_exec(int descriptor, bool keep); /* -EBADF */
void os_close_all_but(int *keep, int count);      /* sorts them; the standard ones stay too */
void os_raise_descriptor_limit(uint64_t *before); /* to what is allowed */
void os_set_descriptor_limit(uint64_t limit);

/* A life line: a pipe that nobody writes to.  Its second end is held by one process alone, and when
 * that is gone, whoever holds the first one can tell, or is killed. */

int os_life_create(int ends[2]);
bool os_life_over(int line); /* is the holder of the other end gone? */

/* From now on the kernel kills this process (not its forks) when the other end is closed; dies at
 * once when it is.  A descriptor that must stay open, or an error. */
int os_life_depend(int line);
bool os_life_depends(int bond); /* is that still so, or was the descriptor closed? */

/* Limits and sizes */

int os_limit_memory(uint64_t bytes);   /* address space of this process */
int64_t os_process_resident(pid_t id); /* bytes; negative: not to be had */
int64_t os_process_mapped(pid_t id);   /* address space; the same */

/* Images */

/* The build-id of the object that has `address` in it (NULL: the program), at most `size` bytes.
 * How many; 0: it has none. */
size_t os_build_id(const void *address, uint8_t *id, size_t size);

/* Where the program lies: the difference of two functions' addresses here and there. */
uint64_t os_image_base(void);

#endif
