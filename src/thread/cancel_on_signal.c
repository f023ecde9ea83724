/* kr_cancel_on_signal: from a signal to a cancelled scope.
 *
 * State.  `pending` has a bit for each signal that came and was not yet served.  `bell` is the
 * descriptor (+ 1) that the service thread waits for, 0 before the first call.
 *
 * Fields.
 *     pending           set by the handler, taken by the service thread
 *     bell              set under the lock, read by the handler; changed only in a forked child
 *     scopes, service, running, ended   the lock
 *
 * Protocol.  The handler runs anywhere, between any two instructions, so it only sets its bit and
 * rings; then the service thread, in which all signals are blocked, takes the bits and cancels.  It
 * cancels with the lock held: once kr_cancel_on_signal has taken a scope out, nobody touches it.
 * A signal that came for the old scope, and was not served when a new one takes its place, is
 * served then: it is neither lost nor given to the new one.  Where there was no old scope, a signal
 * that comes as soon as it is caught is for the new one.
 *
 *     Exit.  After all other threads were waited for, the signals get their old dispositions back
 *     and the service thread ends.  The bell stays open: a handler may still be on its way to it.
 *
 *     Fork.  The child has the handler, but no service thread, and shares the parent's bell.  It
 *     gives the dispositions back first, then closes its copy.
 *
 * Ordering.
 *     [signal-1] the bit is set before the bell is rung, and the ring is cleared before the bits
 *                are taken: a bit that is missed has a ring after it.  The bell is a descriptor;
 *                the kernel orders it
 *
 * Why not signalfd?  It needs the signal blocked in every thread of the program, those that others
 * started too.  Why not cancel in the handler?  It would have to take locks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "thread/thread.h"
#include "wait/stall.h"
#include <krait/cancel.h>

static kri_word64 pending KRI_GLOBAL;
static kr_word bell KRI_GLOBAL;
static kri_mutex lock KRI_GLOBAL;
static kr_cancel_scope *scopes[OS_SIGNALS + 1] KRI_GLOBAL;
static os_thread service KRI_GLOBAL;
static bool running KRI_GLOBAL;
static bool ended KRI_GLOBAL;

static uint64_t bit_of(int signo)
{
    return (uint64_t)1 << (signo - 1);
}

static void on_signal(int signo)
{
    kri_or_sc64(&pending, bit_of(signo)); /* [signal-1] */
    uint32_t rung = kri_load_acq(&bell);
    if (rung != 0)
        os_bell_ring((int)rung - 1);
}

/* With the lock held, as the rest up to the service thread. */
static void serve(uint64_t signals)
{
    for (int signo = 1; signo <= OS_SIGNALS; signo++) {
        if ((signals & bit_of(signo)) != 0 && scopes[signo] != NULL)
            kr_cancel(scopes[signo]);
    }
}

static bool serve_pending(int fd)
{
    os_bell_clear(fd);
    kri_mutex_lock(&lock);
    serve(kri_swap_sc64(&pending, 0)); /* [signal-1] */
    bool go_on = !ended;
    kri_mutex_unlock(&lock);
    return go_on;
}

static void run_service(void *arg)
{
    (void)arg;
    int fd = (int)kri_load_acq(&bell) - 1;
    os_thread_set_name(os_thread_id(), "krait-signals");
    kri_stall_serve();
    while (serve_pending(fd))
        (void)kri_wait_fd(fd, OS_READABLE, KRI_NEVER);
}

static int start_service(void)
{
    if (ended)
        return KR_ESHUTDOWN;
    if (running)
        return 0;
    if (kri_load_rlx(&bell) == 0) {
        int fd = os_bell_create();
        if (fd < 0)
            return fd;
        kri_store_rel(&bell, (uint32_t)fd + 1);
    }
    int err = os_thread_start(&service, run_service, NULL, true, NULL);
    running = err == 0;
    return err;
}

static void replace(int signo, kr_cancel_scope *scope)
{
    if (scopes[signo] != NULL && (kri_and_sc64(&pending, ~bit_of(signo)) & bit_of(signo)) != 0)
        serve(bit_of(signo));
    kri_stall_may_act((scope != NULL) - (scopes[signo] != NULL)); /* the signal may */
    scopes[signo] = scope;
}

static int catch_for(int signo, kr_cancel_scope *scope)
{
    int err = start_service();
    if (err == 0)
        err = os_signal_catch(signo, on_signal);
    if (err == 0)
        replace(signo, scope);
    return err;
}

static int release(int signo)
{
    int err = os_signal_release(signo);
    if (err == 0)
        replace(signo, NULL);
    return err;
}

int kr_cancel_on_signal(int signo, kr_cancel_scope *scope)
{
    int err = kri_threads_begin();
    if (err < 0)
        return err;
    kri_mutex_lock(&lock);
    err = scope != NULL ? catch_for(signo, scope) : release(signo);
    kri_mutex_unlock(&lock);
    return err;
}

/* The ends. */

static void release_all(void)
{
    for (int signo = 1; signo <= OS_SIGNALS; signo++) {
        if (scopes[signo] != NULL)
            (void)os_signal_release(signo);
        scopes[signo] = NULL;
    }
}

void kri_signals_end(void)
{
    kri_mutex_lock(&lock);
    release_all();
    ended = true;
    bool must_join = running;
    running = false;
    kri_mutex_unlock(&lock);
    if (!must_join)
        return;
    os_bell_ring((int)kri_load_acq(&bell) - 1);
    os_thread_join(service);
}

void kri_signals_lock(void)
{
    kri_mutex_lock(&lock);
}

void kri_signals_unlock(void)
{
    kri_mutex_unlock(&lock);
}

/* With the lock held. */
void kri_signals_forked(bool exiting)
{
    release_all();
    uint32_t shared = kri_load_rlx(&bell);
    kri_store_rel(&bell, 0);
    if (shared != 0)
        os_close((int)shared - 1);
    kri_store_rlx64(&pending, 0);
    running = false;
    ended = ended && exiting;
}
