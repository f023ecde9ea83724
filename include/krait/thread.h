/* kr_thread - a function that runs beside the others.
 *
 *     static int greet(void *arg)                     // gets the address of its copy
 *     {
 *         return puts(arg) < 0 ? -EIO : 0;
 *     }
 *
 *     kr_thread *t;
 *     err = kr_thread_start(&t, greet, "hello", sizeof "hello", NULL);
 *     err = kr_thread_join(t, NULL, KR_FOREVER);
 *     kr_thread_release(t);                           // or KR_AUTO(kr_thread) *t = NULL;
 *
 * Python's threading.Thread, started as it is made: there is no thread that is not yet started.
 *
 * Handles are counted references.  A thread runs on whether or not somebody holds one; whoever
 * holds one may ask about the thread and join it at any time, also after its end.
 *
 * At exit (exit() or the return from main, but not _exit, quick_exit or abort) the process first
 * runs the callbacks of kr_at_exit, then waits for all threads that are not daemons, with the
 * destructors that run at their end.  Daemons are not waited for; they go on until the process is
 * gone, and nothing of krait is taken from under them.
 *
 * Scope    the process.  In a forked child only the forking thread lives on, as its main thread;
 *          the others count as ended, with the result KR_EFORKED.  When its function returns,
 *          the child exits, as at the return from main: with 1 for a negative result, else 0.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_THREAD_H
#define KRAIT_THREAD_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_thread kr_thread;

/* kr_run_fn - what a thread runs: returns 0 (or a number of its own), or a negative error, which
 * the failure hook sees. */
typedef int (*kr_run_fn)(void *arg);

/* kr_cpu_set - a set of processors, by the system's numbers.  All zero is empty. */
#define KR_CPU_MAX 1024

typedef struct kr_cpu_set {
    uint64_t words[KR_CPU_MAX / 64]; /* bit n % 64 of word n / 64 */
} kr_cpu_set;

/* kr_cpu_set_add - put one in; kr_cpu_set_has - is it in?; kr_cpu_set_count - how many are in.
 *
 * Returns   kr_cpu_set_add: 0; -EINVAL: there is no such number */
KR_API int kr_cpu_set_add(kr_cpu_set *set, int cpu);
KR_API bool kr_cpu_set_has(const kr_cpu_set *set, int cpu);
KR_API int kr_cpu_set_count(const kr_cpu_set *set);

/* kr_cpu_count - how many processors' worth of work this process may do, at least 1.
 *
 * The smallest of the processors that the calling thread may run on and the processor quota of the
 * control groups (version 1 and 2) that the process is in, rounded up.  It is every pool's default
 * size.  It reads files: some tens of microseconds.  Python's os.process_cpu_count knows no quota.
 *
 * Returns   the number
 */
KR_API int kr_cpu_count(void);

enum {
    KR_DAEMON_INHERIT = 0, /* as the starting thread; from main and from foreign threads: no */
    KR_DAEMON_YES = 1,     /* not waited for at exit */
    KR_DAEMON_NO = -1,
};

typedef struct kr_thread_options {
    const char *name;           /* NULL or "": "Thread-N"; cut as in kr_thread_set_name */
    int daemon;                 /* KR_DAEMON_ */
    size_t stack_size;          /* bytes; 0: the system's default, often 8 MiB */
    const kr_cpu_set *affinity; /* NULL: as the starting thread */
    uint64_t reserved[4];
} kr_thread_options;

/* kr_thread_start - start a thread.
 *
 *   t         gets a handle, to be released by the caller; NULL: fire and forget
 *   arg       arg_size bytes are copied, aligned for any type, and run gets the address of the
 *             copy, which lives until the thread ends.  With arg_size 0 run gets `arg` itself
 *
 * Below the stack lies a guard page: overflowing it is a SIGSEGV, not damage elsewhere.
 *
 * When it returns 0 the thread is alive and listed.  On an error nothing has happened and *t is
 * NULL.
 *
 * Returns   0
 *           -EINVAL       run is NULL, a reserved option is set, no such KR_DAEMON_, the stack is
 *                         below the system's minimum (some 16 KiB), or no processor of the set
 *                         is available
 *           -EAGAIN       a limit of the system is reached: threads, or memory for the stack
 *           -ENOMEM       no memory
 *           KR_ESHUTDOWN  the process is exiting and has already waited for its threads
 */
KR_API KR_NODISCARD int kr_thread_start(kr_thread **t, kr_run_fn run, const void *arg,
                                        size_t arg_size, const kr_thread_options *options);

/* kr_thread_join - wait until the thread has ended, including the destructors of its locals.
 *
 *   result    gets what run returned; -ECANCELED when it left by other ways (pthread_exit);
 *             KR_EFORKED when it did not follow into this forked child.  May be NULL
 *
 * Any number of runners may join the same thread, any number of times.  After it the thread has
 * left nothing behind but its handle.  The main thread counts as ended once exit begins.
 *
 * Returns   0
 *           -ETIMEDOUT    it is still alive after the timeout
 *           -ECANCELED    the caller's scope is cancelled.  Not with KR_NOWAIT
 *           -EDEADLK      a thread cannot wait for its own end
 *           -EINVAL       NULL, a negative timeout, or a foreign thread, whose end nobody can see
 *           KR_ESHUTDOWN  the process is exiting, has waited for its threads, and this one, a
 *                         daemon, is still alive: it may never end
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API int kr_thread_join(kr_thread *t, int *result, kr_time timeout);

/* kr_thread_alive - has it not ended yet?  Once false it stays so, and join does not wait. */
KR_API bool kr_thread_alive(const kr_thread *t);

/* kr_thread_retain - one more handle to the same thread, which it returns; kr_thread_release - give
 * one back.  NULL is allowed.  The thread itself goes on. */
KR_API kr_thread *kr_thread_retain(kr_thread *t);
KR_API void kr_thread_release(kr_thread *t);
KR_API void kr_thread_auto(kr_thread **t); /* for KR_AUTO(kr_thread) */

/* kr_thread_name - copy its name, closed by a zero byte, into `name` of `size` bytes, of which
 * KR_THREAD_NAME_SIZE are always enough.  Returns the length of the whole name. */
#define KR_THREAD_NAME_SIZE 64
KR_API size_t kr_thread_name(const kr_thread *t, char *name, size_t size);

/* kr_thread_set_name - rename it, at any time.
 *
 * A longer name is cut to KR_THREAD_NAME_SIZE - 1 bytes.  Debuggers, top and ps show the first 15
 * bytes of it.  Neither cut falls inside a UTF-8 character.  Of the main thread the system goes on
 * showing the program's name, which is that of the process.
 */
KR_API void kr_thread_set_name(kr_thread *t, const char *name);

/* kr_thread_ident - its number, never 0 and never used again in this process.
 * kr_thread_native_id - the kernel's number, as debuggers and /proc show it; another in a forked
 * child; after the thread's end the kernel may give it to another.
 * kr_thread_daemon - does exit not wait for it?
 *
 * Returns   the number, or what was asked */
KR_API uint64_t kr_thread_ident(const kr_thread *t);
KR_API int kr_thread_native_id(kr_thread *t);
KR_API bool kr_thread_daemon(const kr_thread *t);

/* kr_thread_current - the calling thread; inside a coroutine, the thread that carries it.
 *
 * A thread that krait did not start gets a handle at its first call, named "Dummy-N", which is
 * listed until the thread ends and counts as a daemon.  When there is no memory for it the result
 * is a handle that all such threads share and that is not listed.  The handle is the thread's own:
 * good until it ends, never released; kr_thread_retain keeps it longer.
 */
KR_API kr_thread *kr_thread_current(void);

/* kr_thread_main - the main thread: the one that runs main(), in a forked child the one that
 * forked.  Not to be released. */
KR_API kr_thread *kr_thread_main(void);

/* kr_thread_enumerate - handles of the first `max` threads that are alive, main, daemons and
 * foreign ones included, each to be released.
 *
 * Returns   how many are alive, which may be more */
KR_API int kr_thread_enumerate(kr_thread **threads, int max);

/* kr_thread_active_count - how many threads are alive.
 *
 * Returns   as many as kr_thread_enumerate lists */
KR_API int kr_thread_active_count(void);

/* kr_thread_set_affinity, kr_thread_get_affinity - the processors that it may run on.
 *
 * Python's os.sched_setaffinity.
 *
 * Returns   0; -EINVAL: none of them is available; -ESRCH: it has ended
 */
KR_API KR_NODISCARD int kr_thread_set_affinity(kr_thread *t, const kr_cpu_set *set);
KR_API KR_NODISCARD int kr_thread_get_affinity(kr_thread *t, kr_cpu_set *set);

/* kr_failure_hook - called in a thread whose run returned a negative error that is no end on being
 * told (kr_thread_set_failure_hook), before its locals are destroyed.  A negative result of the
 * hook is reported on standard error. */
typedef int (*kr_failure_hook)(kr_thread *thread, int error, void *arg);

/* kr_thread_set_failure_hook - from now on call `hook` with `arg`; NULL brings back the first one.
 *
 * That prints `krait: thread "NAME" failed: ENOENT (No such file or directory)` to standard error,
 * in one write.  -ECANCELED and KR_ESHUTDOWN are no failures: a thread that ends because it was
 * told to, by a cancel or by the shutdown of the queue that it reads, is silent, as Python's
 * SystemExit is.  Who joins it gets them.  Other threads are not disturbed in any case.
 *
 * Python's threading.excepthook.
 */
KR_API void kr_thread_set_failure_hook(kr_failure_hook hook, void *arg);

/* kr_at_exit - call fn(arg) once when the process begins to exit, before its threads are waited
 * for: the place to tell them to end.  The last registered is called first.  A forked child that
 * exits calls those that were registered before the fork, too.
 *
 * Returns   0; -EINVAL: fn is NULL; -ENOMEM; KR_ESHUTDOWN: exit has begun
 */
KR_API KR_NODISCARD int kr_at_exit(void (*fn)(void *arg), void *arg);

KR_EXTERN_END

#endif
