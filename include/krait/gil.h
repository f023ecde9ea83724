/* kr_gil - an interpreter lock: for an interpreter, or any library, that one runner at a time may
 * be in.
 *
 *     kr_gil_thread *self;
 *     kr_gil_attach(gil, &self);             // known, and holding it
 *     while (running) {
 *         step(interpreter);
 *         if (kr_gil_check(self) != 0)       // a load and a branch when nobody asks
 *             break;
 *         kr_allow_threads (self) {
 *             read(fd, line, sizeof line);   // others run meanwhile
 *         }
 *     }
 *     kr_gil_detach(self);
 *
 * CPython's GIL, as its C API has it (docs/gil.md compares the names).  Every wait of krait's gives
 * it up and takes it again by itself.  It takes turns between runners; it does not guard data that
 * must be whole between two calls of kr_gil_check: use a kr_lock.
 *
 * Who is attached is a runner: a thread, or a coroutine, which gives it up while it is suspended.
 * A thread that is attached before it calls kr_run has it for all its coroutines; it gives it up
 * when the loop itself sleeps.
 *
 * A runner may be attached to several.  All must attach to them in the same order, as with locks.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_GIL_H
#define KRAIT_GIL_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_gil kr_gil;
typedef struct kr_gil_thread kr_gil_thread; /* one runner at one lock */

/* kr_gil_policy - who is next, and when the holder is asked. */
typedef enum kr_gil_policy {
    KR_GIL_DEADLINE = 0, /* handed directly to who is due; who comes back from a wait comes soon */
    KR_GIL_INTERVAL = 1, /* as CPython since 3.2: asked after an interval, whoever comes first */
    KR_GIL_TICKS = 2,    /* as before: given up and taken again every so many checks */
} kr_gil_policy;

/* kr_gil_options - NULL or zero: the defaults. */
typedef struct kr_gil_options {
    kr_gil_policy policy;
    kr_time switch_interval; /* how long one may have it while others wait; 0: 5 ms.  Not TICKS */
    kr_time min_slice;       /* DEADLINE: so long nobody is asked for it; 0: 65 us */
    uint32_t check_interval; /* TICKS: checks between two give-aways; 0: 100 */
    size_t log;              /* so many events are kept for kr_gil_log, and every hold is measured;
                                0: none */
    uint64_t reserved[4];
} kr_gil_options;

/* kr_gil_create - an interpreter lock that nobody has.
 *
 * Returns   0; -EINVAL: no such policy, a negative time, a log of more than 2^24 events, reserved
 *           not 0, gil is NULL; -ENOMEM
 */
KR_API KR_NODISCARD int kr_gil_create(kr_gil **gil, const kr_gil_options *options);

/* kr_gil_shutdown - let nobody in any more.
 *
 * Who waits for it gets KR_ESHUTDOWN, and so does who comes.  Who holds it has it until he lets go;
 * his checks say KR_ESHUTDOWN, unless he himself has called this.  A wait or kr_allow_threads that
 * he was in goes on to its own end and result, but without the lock afterwards: his next check says
 * so, and before it he must not touch what the lock guards.  A second call does nothing.
 *
 * Returns   0; -EINVAL: NULL
 */
KR_API int kr_gil_shutdown(kr_gil *gil);

/* kr_gil_destroy - take it apart, when nobody is attached any more.
 *
 * Returns   0, also for NULL; -EBUSY: somebody is attached
 */
KR_API int kr_gil_destroy(kr_gil *gil);

/* kr_gil_attach - make the calling runner known, and take the lock.  PyGILState_Ensure.
 *
 * It nests: attached already, the runner gets the same *thread and holds the lock on return,
 * whether or not it did before.  Allocates, the first time, as the last detach may, a little.
 *
 * Returns   0; KR_ESHUTDOWN: not attached; -ENOMEM; -EOVERFLOW: nested too deep;
 *           -EDEADLK: a coroutine, or a callback, of a thread that holds it for all of them
 * Blocks    a thread sleeps, a coroutine is suspended; not ended by a cancel
 */
KR_API KR_NODISCARD int kr_gil_attach(kr_gil *gil, kr_gil_thread **thread);

/* kr_gil_detach - take one attach back.  PyGILState_Release.
 *
 * The lock is then held or not as before that attach.  The last one gives it away, frees *thread,
 * and notes what its thread has had beyond its share.  A runner must not end before that.
 *
 * Returns   0; -EPERM: not the caller's
 */
KR_API int kr_gil_detach(kr_gil_thread *thread);

/* kr_gil_acquire, kr_gil_release - take it, give it away; PyEval_RestoreThread and
 * PyEval_SaveThread.  errno is kept.
 *
 * Returns   0
 *           -EPERM        thread is another runner's; release: it does not hold the lock
 *           -EDEADLK      acquire: it holds the lock
 *           KR_ESHUTDOWN  acquire: not taken
 * Blocks    acquire: a thread sleeps, a coroutine is suspended; not ended by a cancel
 */
KR_API KR_NODISCARD int kr_gil_acquire(kr_gil_thread *thread);
KR_API int kr_gil_release(kr_gil_thread *thread);

/* kr_allow_threads - kr_allow_threads (thread) { ... }: the block runs without the lock.
 *
 * Py_BEGIN_ALLOW_THREADS.  Taken again when the block is left, by its end, break, continue (both
 * belong to the macro), return or goto; not by longjmp.  Inside one, or without the lock, the block
 * just runs.  After a shutdown it is not taken again: kr_gil_held and the next check say so.
 */
#define kr_allow_threads(thread) KR_ALLOW_THREADS_NAMED(KR_UNIQUE(kr_gil_guard_), thread)
#define KR_ALLOW_THREADS_NAMED(guard, thread)                                                      \
    for (kr_gil_guard guard KR_CLEANUP(kr_gil_guard_end) = {(thread), false, false};               \
         kr_gil_guard_next(&guard);)

/* Of the macro's own. */
typedef struct kr_gil_guard {
    kr_gil_thread *thread;
    bool begun;
    bool released;
} kr_gil_guard;
KR_API bool kr_gil_guard_next(kr_gil_guard *guard);
KR_API void kr_gil_guard_end(kr_gil_guard *guard);

/* kr_gil_checkpoint - what kr_gil_check calls when there is something to do.
 *
 * Runs pending calls, gives the lock to who waits when it is time, and takes it again.  errno is
 * kept.
 *
 * Returns   0             the caller holds the lock, nothing is to be told
 *           KR_ESHUTDOWN  see kr_gil_shutdown; whether it holds the lock kr_gil_held says
 *           -EPERM        thread is another runner's, or does not hold the lock
 *           other         what a pending call returned, or the error of kr_gil_interrupt
 */
KR_API KR_NODISCARD int kr_gil_checkpoint(kr_gil_thread *thread);

/* kr_gil_check - to be called now and then by who holds the lock: at each back edge, say.
 *
 * Returns   as kr_gil_checkpoint, which is called when somebody asks; else 0 after one load, also
 *           to one who does not hold the lock */
KR_NODISCARD static inline int kr_gil_check(kr_gil_thread *thread)
{
    const kr_word *asked = (const kr_word *)(const void *)thread; /* its first member */
    if (__builtin_expect(__atomic_load_n(&asked->bits, __ATOMIC_RELAXED) == 0, 1))
        return 0;
    return kr_gil_checkpoint(thread);
}

/* kr_gil_current - the calling runner at this lock; NULL: not attached. */
KR_API kr_gil_thread *kr_gil_current(kr_gil *gil);

/* kr_gil_held - does it hold the lock?  PyGILState_Check.  From any runner. */
KR_API bool kr_gil_held(const kr_gil_thread *thread);

/* The switch interval; sys.getswitchinterval and setswitchinterval.  Who waits already goes by the
 * one that was in force when he began.
 * Returns   kr_gil_set_switch_interval: 0; -EINVAL: not positive */
KR_API kr_time kr_gil_switch_interval(const kr_gil *gil);
KR_API int kr_gil_set_switch_interval(kr_gil *gil, kr_time interval);

/* kr_gil_add_pending_call - have a holder call `call(arg)` at its next check.  Py_AddPendingCall.
 *
 *   whose   who is to call it: it must stay attached; NULL: whoever checks first
 *
 * One at a time, in the order of their adding, with the lock held; `call` may itself give it up and
 * take it again, but no pending call runs inside another.  What is not 0 its check returns; the
 * others then run at a later check.  Those left at the last detach, or at a destroy, never run.
 * From any thread, not from a signal handler.
 *
 * Returns   0; -ENOBUFS: 300 wait already, or 32 of that runner's; -EINVAL: no call, or whose is at
 *           another lock
 */
KR_API KR_NODISCARD int kr_gil_add_pending_call(kr_gil *gil, kr_gil_thread *whose,
                                                int (*call)(void *arg), void *arg);

/* kr_gil_interrupt - have the runner's next check return err.  PyThreadState_SetAsyncExc.
 *
 *   err   below 0; 0 takes back what was not told yet
 *
 * From any thread; the runner must stay attached meanwhile.
 *
 * Returns   0; -EINVAL: err is above 0
 */
KR_API int kr_gil_interrupt(kr_gil_thread *thread, int err);

/* kr_gil_set_name - how the log calls this runner; else by its thread's name.  15 bytes are kept.
 */
KR_API void kr_gil_set_name(kr_gil_thread *thread, const char *name);

/* kr_gil_times - of some durations; of the percentiles 7 bits are right. */
typedef struct kr_gil_times {
    uint64_t count;
    kr_time p50;
    kr_time p99;
    kr_time max;
} kr_gil_times;

/* kr_gil_metrics - what has happened at a lock, or to one runner there.
 *
 * To ask for the time at every release would cost more than the release.  So waits are measured
 * when somebody really waited, and holds at whose end somebody waits: from the take on, or, where
 * nobody waited at that, from when first somebody came.  With a log all are.
 */
typedef struct kr_gil_metrics {
    uint64_t switches;     /* takes by another than had it before, with somebody waiting */
    uint64_t forced_drops; /* times that a holder gave it away in a check because it was asked */
    uint64_t waits;        /* takes that had to wait */
    kr_time held;          /* how long it was held while others waited */
    unsigned waiting;      /* now */
    unsigned attached;     /* now */
    kr_gil_times wait;
    kr_gil_times hold;
} kr_gil_metrics;

/* Of the whole lock; of one runner, which stays attached meanwhile.  From any thread. */
KR_API void kr_gil_measure(kr_gil *gil, kr_gil_metrics *metrics);
KR_API void kr_gil_measure_thread(kr_gil_thread *thread, kr_gil_metrics *metrics);

typedef enum kr_gil_what {
    KR_GIL_WAITS,  /* begins to wait for it */
    KR_GIL_TAKES,  /* has it */
    KR_GIL_ASKED,  /* has it and is asked for it */
    KR_GIL_DROPS,  /* gives it away because it was asked */
    KR_GIL_BLOCKS, /* gives it away by itself, around a wait */
    KR_GIL_LEAVES, /* detaches */
} kr_gil_what;

typedef struct kr_gil_event {
    kr_time time;    /* as kr_now */
    uint64_t thread; /* a number of the runner at this lock: 1, 2, ... */
    char name[16];
    kr_gil_what what;
} kr_gil_event;

/* kr_gil_log - copy the newest events, at most `most`, the oldest of them first.
 *
 * Returns   how many; 0 also for a lock that keeps none
 */
KR_API size_t kr_gil_log(kr_gil *gil, kr_gil_event *events, size_t most);

KR_EXTERN_END

#endif
