/* kr_timeout_scope - a block that has so much time.
 *
 *     kr_timeout limit;
 *     kr_timeout_scope (&limit, kr_sec(5)) {
 *         err = talk(peer);                  // its waits return -ECANCELED when the time is up
 *     }
 *     if (limit.result == -ETIMEDOUT)
 *         ...
 *
 * Python's asyncio.timeout.  The block is a cancel scope (cancel.h), so the limit may be moved from
 * inside by kr_cancel_scope_reschedule(&limit.scope, ...), and others may cancel it.  Only the
 * block whose time is up says -ETIMEDOUT: to those inside it that is a cancel like any other, and
 * so is to it what comes from outside.
 *
 * Leave the block by its end, `break`, `return` or `goto`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_TIMEOUT_H
#define KRAIT_TIMEOUT_H

#include <krait/cancel.h>

KR_EXTERN_BEGIN

/* kr_timeout - the block's scope while it runs, and after that its result, as of
 * kr_cancel_scope_exit: 0, -ETIMEDOUT, -ECANCELED; -EINVAL: the timeout was negative, and the block
 * did not run.  There is nothing to initialise; it must outlive the block. */
typedef struct kr_timeout {
    kr_cancel_scope scope;
    int result;
} kr_timeout;

/* What the macro stands on. */
typedef struct kr_timeout_guard {
    kr_timeout *timeout;
    bool begun;
} kr_timeout_guard;

KR_API bool kr_timeout_next(kr_timeout_guard *guard, kr_time timeout);
KR_API void kr_timeout_end(kr_timeout_guard *guard);

#define kr_timeout_scope(timeout, time)                                                            \
    KR_TIMEOUT_NAMED(KR_UNIQUE(kr_timeout_guard_), timeout, time)
#define KR_TIMEOUT_NAMED(guard, timeout, time)                                                     \
    for (kr_timeout_guard guard KR_CLEANUP(kr_timeout_end) = {(timeout), false};                   \
         kr_timeout_next(&guard, guard.begun ? 0 : (time));)

KR_EXTERN_END

#endif
