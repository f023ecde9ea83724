/* kr_set_stall_hook - hear of it when every runner waits for ever.
 *
 * When all threads of the process that use the library wait without a time limit, for something
 * that only one of them could do, the program hangs.  A moment later (a second, if nothing has
 * moved meanwhile) the hook is called once, with a text of several lines: who waits for whom.
 *
 *     krait: every thread waits for ever:
 *       MainThread waits for the task count_words of pool-1, which pool-1_0 runs
 *       pool-1_0 waits for a lock at 0x7ffe8a3c5e08
 *
 * It is a report, not a proof: a thread or a signal handler that the library has not met yet may
 * still come and wake one of them.  Waits with a time limit, sleeps, descriptors, timers and
 * children's memory count as something that may yet happen, and so do idle workers of a pool that
 * is not shut down count as nothing.
 *
 * Python's faulthandler.dump_traceback_later is the nearest there; Go reports "all goroutines are
 * asleep".
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_STALL_H
#define KRAIT_STALL_H

#include <krait/base.h>

KR_EXTERN_BEGIN

/*   report    one line for each runner, valid during the call
 *
 * NULL is the default: the report goes to standard error.
 *
 * Returns   the hook before; NULL: the default
 */
typedef void (*kr_stall_hook)(const char *report);
KR_API kr_stall_hook kr_set_stall_hook(kr_stall_hook hook);

KR_EXTERN_END

#endif
