/* Cancellation: ending the waits of a task, a group, a block, from outside or by time.
 *
 *     kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
 *     kr_cancel_scope_enter(&scope, kr_sec(5));       // or KR_FOREVER: no time limit
 *     err = serve(client);                            // any wait in here may return -ECANCELED
 *     int cut = kr_cancel_scope_exit(&scope);         // -ECANCELED, -ETIMEDOUT, or 0: ran through
 *
 * The flag belongs to the scope, not to the thread: a late cancel never hits what runs next.
 * Inside a cancelled scope every wait that would have to sleep returns -ECANCELED, each time anew
 * until the scope is left, because C code forgets return values; a computing task asks
 * kr_cancelled().  Scopes nest: cancelling the outer one cancels the inner ones.  A wait that was
 * already handed what it waited for returns it, and the next wait sees the cancel: nothing is lost.
 *
 * From trio's cancel scopes and asyncio.timeout; nsync's notes.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_CANCEL_H
#define KRAIT_CANCEL_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* kr_cancel_scope - a block of code whose waits can be ended.  All zero is valid.
 *
 * Lives in the caller's frame or in a longer-lived object, and must stay where it is from enter to
 * exit.  Of one process: it must not lie in shared memory.  Private members.
 */
typedef struct kr_cancel_scope {
    kr_word state;
    kr_word lock;
    struct kr_cancel_scope *outer;    /* what the runner returns to at exit */
    struct kr_cancel_scope *parent;   /* whose cancel reaches this one; NULL: nobody's */
    struct kr_cancel_scope *children; /* guarded by lock */
    struct kr_cancel_scope *next;     /* guarded by the parent's lock */
    struct kr_cancel_scope *previous; /* guarded by the parent's lock */
    kr_time deadline;                 /* the soonest of its own and those around it */
    kr_time limit;                    /* its own; 0: none */
    uint32_t flags;                   /* of the runner inside */
    kr_word joined;
    struct {
        uint64_t bits;
    } looked; /* how many cancels there had been when it was last found live */
    struct {
        void *bits;
    } sleeper; /* one that sleeps inside */
} kr_cancel_scope;

/* clang-format off */
#define KR_CANCEL_SCOPE_INIT { { 0 }, { 0 }, NULL, NULL, NULL, NULL, NULL, 0, 0, 0, { 0 }, { 0 }, { NULL } }
/* clang-format on */

/* kr_cancel_scope_enter - from here to the exit the calling runner is inside `scope`.
 *
 * With a timeout other than KR_FOREVER the scope counts as cancelled once that time has passed.
 * A scope that was cancelled before stays so.  Exits in reverse order of enters, by the same
 * runner.
 *
 * Returns   0; -EINVAL: the timeout is negative, or the scope is already entered
 */
KR_API int kr_cancel_scope_enter(kr_cancel_scope *scope, kr_time timeout);

/* kr_cancel_scope_exit - leave the scope.
 *
 * Returns   0           no wait inside was cut short by this scope and it is not cancelled
 *           -ECANCELED  it was cancelled, itself or from an outer scope
 *           -ETIMEDOUT  its time ran out, and ended a wait inside or was seen by kr_cancelled().
 *                       (A wait that got what it waited for at that very moment returns 0 and
 *                       may count all the same.)
 *           -EINVAL     not the calling runner's innermost scope; nothing was done
 */
KR_API int kr_cancel_scope_exit(kr_cancel_scope *scope);

/* kr_cancel_scope_reschedule - from now the scope's time is `timeout`: later or sooner than before,
 * or none, with KR_FOREVER.  By the runner inside, also from inner scopes, which follow.
 *
 * Returns   0; -EALREADY: its time was up already, and has ended a wait or was seen by
 *           kr_cancelled(); -EINVAL: the caller is not inside it, or the timeout is negative;
 *           -EBUSY: a group or a loop of the caller is open inside the scope, whose tasks have
 *           their time limit from it
 */
KR_API KR_NODISCARD int kr_cancel_scope_reschedule(kr_cancel_scope *scope, kr_time timeout);

/* kr_cancel_scope_deadline - when the scope's own time is up, on the clock of kr_now; KR_FOREVER:
 * it has no time limit of its own, or is not entered.  By the runner inside. */
KR_API kr_time kr_cancel_scope_deadline(const kr_cancel_scope *scope);

/* kr_cancel - cancel a scope and all scopes inside it, and end their waits now.
 *
 * The scope must exist; it need not be entered yet.  From any runner, not from a signal handler
 * (see kr_cancel_on_signal).  Doing it again does nothing.
 */
KR_API void kr_cancel(kr_cancel_scope *scope);

/* kr_cancelled - is the calling runner inside a cancelled scope?  A few loads (and the clock, where
 * a scope has a time limit): cheap enough for a loop. */
KR_API bool kr_cancelled(void);

/* kr_cancel_scope_cancelled - is that scope cancelled?  From any runner. */
KR_API bool kr_cancel_scope_cancelled(const kr_cancel_scope *scope);

/* kr_shield - kr_shield { ... }: the block is not reached by a cancel from outside it.
 *
 * For clean-up that has to wait.  Leave it by its end, `break`, `return` or `goto`.
 */
typedef struct kr_shield_guard {
    kr_cancel_scope scope;
    bool begun;
} kr_shield_guard;

KR_API bool kr_shield_next(kr_shield_guard *guard);
KR_API void kr_shield_end(kr_shield_guard *guard);

#define kr_shield KR_SHIELD_NAMED(KR_UNIQUE(kr_shield_guard_))
#define KR_SHIELD_NAMED(guard)                                                                     \
    for (kr_shield_guard guard KR_CLEANUP(kr_shield_end) = {KR_CANCEL_SCOPE_INIT, false};          \
         kr_shield_next(&guard);)

/* kr_cancel_on_signal - cancel `scope` whenever the process gets `signo`, such as SIGINT.
 *
 * Ctrl-C then ends the waits inside the scope, in whichever thread.  Replaces the signal's
 * handler; a small service thread, started by the first call, does the cancelling.  With scope
 * NULL the signal gets back the disposition that it had before the first call.  The scope must
 * stay until then.  At most one scope a signal.  A system call of the program's own that the signal
 * happens to interrupt ends with EINTR, so that it can ask kr_cancelled().
 *
 * Returns   0; -EINVAL: no such signal, or SIGKILL, SIGSTOP or one that reports a fault of the
 *           program; -ENOMEM, -EAGAIN, -EMFILE: no service thread could be had; KR_ESHUTDOWN:
 *           the process is exiting.  On an error nothing changed
 * Scope     the process; in a forked child the old disposition is back
 */
KR_API KR_NODISCARD int kr_cancel_on_signal(int signo, kr_cancel_scope *scope);

KR_EXTERN_END

#endif
