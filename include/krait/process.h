/* kr_process - a function that runs in a process of its own.
 *
 *     static int greet(void *arg)                     // gets the address of its copy
 *     {
 *         return puts(arg) < 0 ? -EIO : 0;
 *     }
 *     KR_TASK(greet);                                 // krait/init.h
 *
 *     kr_process *p;
 *     err = kr_process_start(&p, greet, "hello", sizeof "hello", NULL);
 *     err = kr_process_join(p, &exit_code, KR_FOREVER);
 *     kr_process_release(p);                          // or KR_AUTO(kr_process) *p = NULL;
 *
 * Python's multiprocessing.Process, started as it is made.  A thread becomes a process by changing
 * one word.
 *
 * Handles are counted references.  A process runs on whether or not somebody holds one.
 *
 * The end.  When the function has returned, the callbacks of kr_at_exit that were registered in the
 * child run, then its threads that are no daemons are waited for, then its own children, then
 * stdout and stderr are flushed.  Under KR_FORK and KR_FORKSERVER it leaves by _exit then, as
 * Python's do: handlers of atexit, destructors of libraries and what lies in other streams are
 * taken for those of the process that it was forked from.  Its exit code is 0, or 1 for a negative
 * result (which is printed to standard error, but for -ECANCELED and KR_ESHUTDOWN), or the low byte
 * of a positive one.  A process that a signal has ended has the negative number of that signal.
 *
 * When this process exits, after its threads have been waited for, its children that are daemons
 * are told to end by SIGTERM, and killed a second later; the others are waited for.  A child that
 * is to die with its parent is killed by the kernel the moment the parent process is gone, however
 * it went.  That hangs on a descriptor: who closes all in the child, or calls exec there, undoes
 * it.
 *
 * What is done with SIGCHLD, and who else waits for children, is no matter, but for the exit code:
 * when another has taken it, or SIGCHLD is ignored, it is KR_EXIT_UNKNOWN.
 *
 * Scope    the process that started it.  In a forked child every call for a handle of its parent
 *          answers KR_EFORKED.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_PROCESS_H
#define KRAIT_PROCESS_H

#include <krait/base.h>
#include <krait/connection.h>
#include <krait/init.h>
#include <krait/thread.h>

KR_EXTERN_BEGIN

typedef struct kr_process kr_process;

/* How a process comes to be.
 *
 *   KR_FORK        a copy of this one, with its memory and its descriptors.  Of its threads only
 *                  the starting one is there: what others hold at that moment stays held.
 *   KR_SPAWN       this program once more, from its beginning, with standard input, output and
 *                  error and what is handed over, and nothing else.
 *   KR_FORKSERVER  a fork of a helper, which is this program once more, without threads: as clean
 *                  as KR_SPAWN, but quick however big this process is.  While starts follow each
 *                  other within two seconds it keeps one child forked ahead, for the next.
 *
 * KR_START_DEFAULT is what kr_process_set_start_method has said; else KR_FORK while this process
 * has one thread, or where main has not called kr_init; else KR_FORKSERVER.
 */
typedef enum kr_start_method {
    KR_START_DEFAULT = 0,
    KR_FORK = 1,
    KR_SPAWN = 2,
    KR_FORKSERVER = 3,
} kr_start_method;

/* KR_EXIT_UNKNOWN - the exit code of a process that is over, but whose code another has taken, or
 * whose fork server was killed, or stopped for more than five seconds. */
enum { KR_EXIT_UNKNOWN = 255 };

/* KR_HANDED_MAX - descriptors of one start; a connection may have four. */
enum { KR_HANDED_MAX = 200 };

typedef struct kr_process_options {
    const char *name;      /* NULL or "": "Process-N", of a child's child "Process-N:M" */
    int daemon;            /* KR_DAEMON_; to inherit: as the starting process */
    kr_start_method start; /* KR_START_DEFAULT: see there */
    bool die_with_parent;  /* killed when this process is gone; the default of daemons */
    bool outlive_parent;   /* not even if it is a daemon */
    kr_connection *const *connections; /* handed over, see kr_process_connection */
    int connection_count;
    bool keep_connections;      /* they stay open here, too; else they are closed by a start */
    const int *descriptors;     /* handed over, see kr_process_descriptor; they stay open here */
    int descriptor_count;       /* together with connections at most KR_HANDED_MAX */
    const kr_cpu_set *affinity; /* NULL: as the starting thread */
    uint64_t memory_limit;      /* bytes of address space, kept by the kernel; 0: as this process */
    uint64_t reserved[4];
} kr_process_options;

/* kr_process_start - start a process.
 *
 *   p         gets a handle, to be released by the caller; NULL: fire and forget
 *   arg       arg_size bytes are copied, aligned for any type, and run gets the address of the
 *             copy.  With arg_size 0 run gets `arg` itself, which must be NULL where the process
 *             is not a KR_FORK
 *
 * stdout and stderr are flushed before.  The child begins outside all cancel scopes, with the
 * starting thread's signal mask.
 *
 * Returns   0
 *           -EINVAL       run is NULL, options that make no sense, a reserved one is set, an
 *                         address for another image, or no processor of the set is available
 *           KR_EINIT      main has not called kr_init yet, and KR_SPAWN or KR_FORKSERVER is asked
 *                         for, or this is the image of a child that has not come to kr_init
 *           KR_ETASK      run is not declared with KR_TASK, or the child's program is another
 *           -EBADF        no such descriptor or connection
 *           -EAGAIN, -ENOMEM, -EMFILE, -ENFILE   a limit of the system is reached
 *           -ENOENT       /proc is not there, which all but a fork that outlives its parent needs
 *           -ENOSYS       the system has no descriptors of processes: Linux before 5.4
 *           -ETIMEDOUT    the new image has not reached kr_init in 60 seconds
 *           KR_ESHUTDOWN  the process is exiting and has already waited for its children
 * Blocks    for as long as the system takes
 */
KR_API KR_NODISCARD int kr_process_start(kr_process **p, kr_run_fn run, const void *arg,
                                         size_t arg_size, const kr_process_options *options);

/* kr_process_join - wait until the process has ended.
 *
 *   exit_code  gets it, see the top; of the parent process KR_EXIT_UNKNOWN.  May be NULL
 *
 * Any number of runners may join the same process, any number of times.
 *
 * Returns   0
 *           -ETIMEDOUT    it is still alive after the timeout
 *           -ECANCELED    the caller's scope is cancelled.  Not with KR_NOWAIT
 *           -EDEADLK      a process cannot wait for its own end
 *           -EINVAL       NULL, a negative timeout, or closed
 *           KR_EFORKED
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API int kr_process_join(kr_process *p, int *exit_code, kr_time timeout);

/* kr_process_exit_code - the code of one that has ended.
 *
 * Returns   0; -EAGAIN: it is alive; -EINVAL; KR_EFORKED */
KR_API KR_NODISCARD int kr_process_exit_code(kr_process *p, int *exit_code);

/* kr_process_alive - does it still run?
 *
 * Returns   1; 0: it has ended; -EINVAL: closed; KR_EFORKED */
KR_API int kr_process_alive(kr_process *p);

/* kr_process_terminate, kr_process_kill, kr_process_interrupt - send SIGTERM, SIGKILL, SIGINT.
 *
 * Never to another process that has got its number: one that has ended is left alone.
 *
 * Returns   0; -EINVAL: closed; -EPERM; KR_EFORKED
 */
KR_API int kr_process_terminate(kr_process *p);
KR_API int kr_process_kill(kr_process *p);
KR_API int kr_process_interrupt(kr_process *p);

/* kr_process_sentinel - a descriptor that becomes readable when the process ends: for pollers and
 * kr_connection_wait.  It is the handle's (a pidfd).
 *
 * Returns   the descriptor; -EINVAL: closed; KR_EFORKED */
KR_API int kr_process_sentinel(const kr_process *p);

/* kr_process_close - give back its descriptor before the last handle is released.
 *
 * Later calls for the process answer -EINVAL, but this one, which does nothing then.
 *
 * Returns   0; -EBUSY: it is alive; -EINVAL: the current or the parent process; KR_EFORKED
 */
KR_API int kr_process_close(kr_process *p);

/* kr_process_retain - one more handle to the same process, which it returns; kr_process_release -
 * give one back.  NULL is allowed.  The process itself goes on, and exit knows of it. */
KR_API kr_process *kr_process_retain(kr_process *p);
KR_API void kr_process_release(kr_process *p);
KR_API void kr_process_auto(kr_process **p); /* for KR_AUTO(kr_process) */

/* kr_process_pid - its number; kr_process_daemon - does exit end it?; kr_process_name - the length
 * of the whole name, which is copied, closed by a zero byte, into `size` bytes, of which
 * KR_PROCESS_NAME_SIZE are always enough.  They answer for a closed process, too.
 *
 * Returns   no error: the number, or what was asked */
#define KR_PROCESS_NAME_SIZE 64
KR_API int kr_process_pid(const kr_process *p);
KR_API bool kr_process_daemon(const kr_process *p);
KR_API size_t kr_process_name(const kr_process *p, char *name, size_t size);

/* kr_process_active - handles of the first `max` children that are alive, each to be released; with
 * NULL none.  Those that have ended are reaped.
 *
 * Returns   how many are alive, which may be more */
KR_API int kr_process_active(kr_process **processes, int max);

/* kr_process_current - the calling process, "MainProcess" where krait has not started it; not to
 * be released.  kr_process_parent - the process that started this one through krait: it can be
 * joined, and has a sentinel; else NULL.  Not to be released. */
KR_API kr_process *kr_process_current(void);
KR_API kr_process *kr_process_parent(void);

/* kr_process_connection, kr_process_descriptor - in a child, the n-th that was handed over.  They
 * are the child's to close; each asking returns the same.
 *
 * Returns   that one; NULL and -EBADF: there is none such */
KR_API kr_connection *kr_process_connection(int n);
KR_API int kr_process_descriptor(int n);

/* kr_process_set_start_method - what KR_START_DEFAULT means from now on, also in children; with
 * KR_START_DEFAULT as at first.  kr_process_start_method - what a start would do now, which fixes
 * nothing.  kr_process_start_methods - all there are, the default first: how many.
 *
 * Returns   0; -EINVAL: no such method
 */
KR_API int kr_process_set_start_method(kr_start_method start);
KR_API kr_start_method kr_process_start_method(void);
KR_API int kr_process_start_methods(kr_start_method *methods, int max);

KR_EXTERN_END

#endif
