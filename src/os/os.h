/* The contract with the system.
 *
 * Only src/os makes system calls or knows a processor; a port implements this list and nothing
 * else.  src/os/linux is the real one.  The model build has another, src/explore/os.c, where a
 * thread is a logical one and the clock is virtual.
 *
 * Errors are negative errno.  Deadlines are absolute on the monotonic clock; OS_NEVER waits for
 * ever.  Unless it says otherwise a function neither blocks nor is interrupted by a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_OS_H
#define KRI_OS_OS_H

#include <krait/base.h>
#include <sys/types.h>

#define OS_NEVER INT64_MAX

/* Time */

kr_time os_now(void);

/* Sleeping on a word */

/* Sleep while *word == expected.
 * pre: word is 4-byte aligned; shared words lie in memory mapped by every party.
 * May block.  0: woken, perhaps for nothing; -EAGAIN: *word differed; -ETIMEDOUT; -EINTR: a signal
 * handler ran.  The comparison is one with the wake: a wake that follows a change of the word
 * never misses a sleeper that still saw the old value. */
int os_futex_wait(kr_word *word, uint32_t expected, kr_time deadline, bool shared);

/* Sleep while *cancel == cancel_expected and *word == expected; cancel is private, word is shared.
 * May block.  Returns 0: cancel was woken, 1: word was woken (when both were: 1, so that a wake of
 * word is never lost), -EAGAIN, -ETIMEDOUT, -EINTR, -ENOSYS before Linux 5.16. */
int os_futex_wait_either(kr_word *cancel, uint32_t cancel_expected, kr_word *word,
                         uint32_t expected, kr_time deadline);

/* One word of several to sleep on. */
typedef struct os_sleep {
    kr_word *word;
    uint32_t expected;
    bool shared;
} os_sleep;
enum { OS_SLEEPS = 128 };

/* Sleep while every word of the list is as expected; 1 to OS_SLEEPS of them.
 * May block.  Returns the index of the last of those that were woken (a wake may have been spent on
 * each of those before it too), -EAGAIN, -ETIMEDOUT, -EINTR: none was; -ENOSYS before Linux 5.16.
 */
int os_futex_wait_any(const os_sleep *list, unsigned count, kr_time deadline);

/* Wake at most count sleepers and say how many.  Only the address is used: the word may be gone. */
int os_futex_wake(kr_word *word, int count, bool shared);

/* Let at most count sleepers of one word sleep on as if on another, and say how many; to them a
 * wake there is one of where they began.  pre: nobody changes `from` meanwhile. */
int os_futex_requeue(kr_word *from, int count, kr_word *to, bool shared);

/* The processor */

void os_yield(void);        /* let the system choose who goes on */
void os_pause(void);        /* in a loop that waits for another processor */
int os_cpu_current(void);   /* the number of the processor that runs us, a hint; -1: unknown */
int os_cpu_affinity(void);  /* how many processors the calling thread may use, at least 1 */
uint64_t os_cpu_mask(void); /* which they are: bit n % 64 for number n; at least one */
int os_cpu_quota(void);     /* processors' worth of the cgroup's quota, rounded up; 0: no quota */
int os_cpu_quota_below(const char *root); /* the same with a made-up /proc and cgroups below root */

/* Threads */

typedef struct os_thread {
    uintptr_t handle;
} os_thread;

typedef struct os_thread_options {
    size_t stack_size;    /* bytes; 0: the system's default; rounded up to whole pages */
    const uint64_t *cpus; /* one bit a processor, NULL: inherit */
    size_t cpu_words;     /* length of cpus */
} os_thread_options;

/* Start a thread; all signals are blocked in it when block_signals.  -EAGAIN or -ENOMEM: the
 * system refuses, -EINVAL: stack or processors. */
int os_thread_start(os_thread *thread, void (*run)(void *), void *arg, bool block_signals,
                    const os_thread_options *options);
void os_thread_join(os_thread thread); /* may block, until its last instruction */
void os_thread_detach(os_thread thread);
pid_t os_thread_id(void); /* the kernel's number of the calling thread */
void os_thread_set_name(pid_t id,
                        const char *name);    /* of any thread of this process; first 15 bytes */
void os_thread_name(char *name, size_t size); /* what the system calls the calling one */
int os_thread_set_affinity(pid_t id, const uint64_t *cpus, size_t words);
int os_thread_get_affinity(pid_t id, uint64_t *cpus, size_t words);
size_t os_thread_stack_minimum(void);
size_t os_thread_stack_left(void); /* bytes that the calling thread may still use, about */

/* Call `last` once in the calling thread as it ends, after the program's own thread-local
 * destructors have begun; not in the main thread, not after exit().  Asking again before that does
 * nothing; those who ask late, from such a destructor, are served too, as long as the system lets
 * destructors go on.  At most 6 different functions a process, called in the order of their first
 * asking by anybody. */
void os_at_thread_end(void (*last)(void));

/* Processes and signals */

pid_t os_process_id(void);
const char *os_program_name(void); /* without its folder */
/* When the process was started, in ticks since the machine was: with its id it is like no other.
 * 0: the system does not tell. */
uint64_t os_process_start(pid_t id);
/* Is it over, with all its threads, whether or not its parent has asked for its status?  True also
 * when the id names no process.  False when the system does not tell. */
bool os_process_ended(pid_t id);
int os_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void));
int os_at_exit(void (*fn)(void));

enum { OS_SIGNALS = 64 };

/* Have `handler` called on the signal, which interrupts system calls (-EINTR); what was there
 * before the first catch is kept.  os_signal_release puts it back, and does nothing for a signal
 * that is not caught.  Both -EINVAL: no such signal, or it cannot be caught, or it reports a fault
 * of the program. */
int os_signal_catch(int signo, void (*handler)(int signo));
int os_signal_release(int signo);
bool os_signal_can_be_caught(int signo);
bool os_signal_is_default(int signo); /* is its disposition the system's? */
void os_signal_send(int signo);       /* to this process, to any thread that does not block it */

/* Descriptors */

enum { OS_READABLE = 1, OS_WRITABLE = 2 }; /* errors and hang-ups are reported as both */

/* Wait until one of the two is ready; second is -1 or a descriptor whose readability is awaited.
 * May block.  Bits of events that are ready on first (0: it was second), -ETIMEDOUT, -EINTR,
 * -EBADF. */
int os_poll(int first, unsigned events, int second, kr_time deadline);
int os_bell_create(void);    /* a descriptor that becomes readable when rung; -EMFILE, -ENFILE */
void os_bell_ring(int bell); /* async-signal-safe */
void os_bell_clear(int bell);
void os_close(int fd);

/* What processes share */

typedef struct os_identity {
    uint64_t pid_namespace;  /* process numbers mean the same where these are equal ... */
    uint64_t time_namespace; /* ... and start times, where these are; 0: the system has no such */
    uint32_t user;           /* effective */
    uint32_t group;
} os_identity;

/* Memory that forked children share with this process; zero bytes, whole pages.  NULL: none. */
void *os_shared_map(size_t size);
void os_shared_unmap(void *memory, size_t size);

/* Have memory for a part of a shared mapping, so that a touch cannot fail any more, where the
 * system can (Linux 5.14).  0; -ENOMEM: there is none.  Async-signal-safe. */
int os_shared_touch(void *memory, size_t size);
void os_identify(os_identity *identity); /* of the calling process; asks the system each time */
int os_in_group(uint32_t group); /* is it the process's, or one of its others?  1; 0; -ENOMEM */

/* Places */

/* The return addresses of the callers, innermost first; how many.  The first call may allocate. */
int os_backtrace(const void **frames, int most);

/* "function+0x12 (program)" for people, or what is known of it. */
void os_describe_place(const void *address, char *text, size_t size);

/* The name of a function by its address, of a static one, too; reads the object's file.  false: it
 * is not known there. */
bool os_function_name(const void *function, char *name, size_t size);

/* The same for people: where it has no name, "program+0x1234". */
void os_describe_function(const void *function, char *text, size_t size);

/* Memory and last words */

void *os_alloc(size_t size); /* zero bytes; NULL when there is none */
void os_free(void *memory);

/* Pages from the system itself: zero bytes; NULL when there are none.  os_pages is
 * async-signal-safe. */
void *os_pages(size_t size);
void os_pages_free(void *pages, size_t size);
bool os_memory_is_checked(void); /* somebody watches each allocation: keep no memory to use again */
void os_random(void *bytes, size_t count);
void os_print_error(const char *line); /* to standard error, whole, in one write */
_Noreturn void os_exit(int status);    /* with the handlers of exit, as the return of main */
_Noreturn void os_abort(const char *sentence);

#endif
