/* kr_cancel_on_signal: from a signal to a cancelled scope.
 *
 * The protocol, and the lock, are those of signals.c: it cancels with the lock held, so once
 * kr_cancel_on_signal has taken a scope out, nobody touches it.  A signal that came for the old
 * scope, and was not served when a new one takes its place, is served then.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "thread/thread.h"
#include <krait/cancel.h>

typedef struct scope_of {
    kri_listener listener;
    kr_cancel_scope *scope;
} scope_of;

static scope_of scopes[OS_SIGNALS + 1] KRI_GLOBAL; /* guarded by the lock of signals.c */

static void cancel(kri_listener *l)
{
    kr_cancel(((scope_of *)l)->scope);
}

static int replace(int signo, kr_cancel_scope *scope)
{
    scope_of *s = &scopes[signo];
    if (scope == NULL) {
        kri_signals_remove(&s->listener);
        return 0;
    }
    if (s->listener.listed) {
        kri_signals_settle(signo);
        s->scope = scope;
        return 0;
    }
    *s = (scope_of){{.hear = cancel, .signo = signo}, scope};
    return kri_signals_add(&s->listener);
}

int kr_cancel_on_signal(int signo, kr_cancel_scope *scope)
{
    int err = os_signal_can_be_caught(signo) ? kri_threads_begin() : -EINVAL;
    if (err < 0)
        return err;
    kri_signals_lock();
    err = replace(signo, scope);
    kri_signals_unlock();
    return err;
}
