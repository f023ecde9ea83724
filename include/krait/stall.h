/* kr_set_stall_hook - hear of it when every thread waits for ever.
 *
 * When all threads wait without a time limit, each for something that only another could do, the
 * program hangs.  A second later, if nothing has moved meanwhile, a report is made, once: who waits
 * for what.  With no hook it goes to standard error, in one piece.
 *
 *     krait: every thread waits for ever:
 *       MainThread waits for a task of pool-1, which runs in pool-1_0
 *       pool-1_0 waits for a lock at 0x7ffe8a3c5e08
 *
 * It is a report, not a proof.  It counts the main thread, the threads that krait has started, and
 * others from their first wait, or their first waking of a waiter, to their end.  A thread that has
 * done neither yet, or a signal handler of the program's own, may still come and end the stall;
 * then all goes on as if nothing had been said, and a later stall is reported again.
 *
 * Whoever may yet act holds the report off: a thread that runs or is in the system for something
 * else; a wait with a time limit, its own or that of a cancel scope around it, and so a pending
 * timer; a wait for a descriptor or on memory shared with other processes; a signal that
 * kr_cancel_on_signal has caught.  An idle worker of a pool does not, nor is it in the report.  A
 * main thread that has left by pthread_exit holds the report off for good.
 *
 * Nothing is paid for it but two additions for each wait without a time limit that really sleeps.
 * Nobody wakes up to look, but once, in what looks like a stall.  Under the explorer, which finds
 * deadlocks by itself, no report is made.
 *
 * Python has only faulthandler.dump_traceback_later, for which one must guess a time; Go says "all
 * goroutines are asleep".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_STALL_H
#define KRAIT_STALL_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/* A hook is called by one of the threads that wait, in the midst of its wait, which goes on when
 * the hook returns.  It may use krait, and may end the stall, say by cancelling a scope; what it
 * waits for itself is not reported.
 *
 *   report    lines separated by '\n', one for each waiting thread after the first; what does not
 *             fit into 16 KiB is counted in the last.  Valid during the call
 */
typedef void (*kr_stall_hook)(const char *report);

/* kr_set_stall_hook - have `hook` called instead of the hook before, from now on.  One that does
 * nothing silences the report; NULL, as at the start, lets it be printed.
 *
 * Returns   the hook before
 * Blocks    never
 */
KR_API kr_stall_hook kr_set_stall_hook(kr_stall_hook hook);

KR_EXTERN_END

#endif
