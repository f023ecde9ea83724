/* Signals: from the handler to those who listen.
 *
 * State.  `pending` has a bit for each signal that came and was not yet served.  `bell` is the
 * descriptor (+ 1) that the service thread waits for, 0 before the first call.  A signal is caught
 * while somebody listens to it who is not spent.
 *
 * Fields.
 *     pending           set by the handler, taken by the service thread
 *     came              how often, since it was served; counted by the handler, taken as `pending`
 *     bell              set under the lock, read by the handler; changed only in a forked child
 *     listeners, service, running, ended   the lock
 *
 * Protocol.  The handler runs anywhere, between any two instructions, so it only sets its bit and
 * rings; then the service thread, in which all signals are blocked, takes the bits and tells those
 * who listen.  It does so with the lock held: who was taken out is told nothing any more.  A signal
 * that came before somebody leaves, or before another joins him, is served first: it is neither
 * lost nor given to the new one.  Where nobody listened, a signal that comes as soon as it is
 * caught is for the new one.
 *
 *     Who gives way hears once; the signal's old disposition is back before.  Another one that came
 *     in between, or before the first was served, is sent again.
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
 *                the kernel orders it.  A signal is counted before its bit is set, so a bit
 *                without a count is of one that was served with the one before
 *
 * Why not signalfd?  It needs the signal blocked in every thread of the program, those that others
 * started too.  Why not act in the handler?  It would have to take locks.  Why not have a loop's
 * own bell rung?  A computation that asks kr_cancelled() would hear of it when it is over.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "thread/thread.h"
#include "wait/stall.h"

static kri_word64 pending KRI_GLOBAL;
static kr_word came[OS_SIGNALS + 1] KRI_GLOBAL;
static kr_word bell KRI_GLOBAL;
static kri_mutex lock KRI_GLOBAL;
static kri_listener *listeners[OS_SIGNALS + 1] KRI_GLOBAL;
static os_thread service KRI_GLOBAL;
static bool running KRI_GLOBAL;
static bool ended KRI_GLOBAL;

static uint64_t bit_of(int signo)
{
    return (uint64_t)1 << (signo - 1);
}

static void on_signal(int signo)
{
    (void)kri_add_sc(&came[signo], 1);
    kri_or_sc64(&pending, bit_of(signo)); /* [signal-1] */
    uint32_t rung = kri_load_acq(&bell);
    if (rung != 0)
        os_bell_ring((int)rung - 1);
}

/* With the lock held, as the rest up to the service thread. */

static bool all_give_way(int signo)
{
    for (const kri_listener *l = listeners[signo]; l != NULL; l = l->next)
        if (!l->gives_way)
            return false;
    return true;
}

static void tell(kri_listener *l, uint32_t times)
{
    bool sent = l->spent;
    if (!l->spent) {
        l->spent = l->gives_way;
        if (l->spent)
            (void)os_signal_release(l->signo);
        l->hear(l);
    }
    if (sent || (l->spent && times > 1))
        os_signal_send(l->signo);
}

static void serve(int signo)
{
    bool all = all_give_way(signo);
    uint32_t times = kri_swap_sc(&came[signo], 0);
    if (times == 0) /* it was served with the one before */
        return;
    for (kri_listener *l = listeners[signo]; l != NULL; l = l->next)
        if (!l->gives_way || all)
            tell(l, times);
}

void kri_signals_settle(int signo)
{
    if (listeners[signo] != NULL && (kri_and_sc64(&pending, ~bit_of(signo)) & bit_of(signo)) != 0)
        serve(signo);
}

static bool serve_pending(int fd)
{
    os_bell_clear(fd);
    kri_mutex_lock(&lock);
    uint64_t bits = kri_swap_sc64(&pending, 0); /* [signal-1] */
    for (int signo = 1; signo <= OS_SIGNALS; signo++)
        if ((bits & bit_of(signo)) != 0)
            serve(signo);
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

int kri_signals_add(kri_listener *listener)
{
    int signo = listener->signo;
    int err = os_signal_can_be_caught(signo) ? start_service() : -EINVAL;
    if (err == 0)
        err = os_signal_catch(signo, on_signal);
    if (err < 0)
        return err;
    kri_signals_settle(signo);
    kri_stall_may_act(1); /* the signal may */
    listener->next = listeners[signo];
    listeners[signo] = listener;
    listener->listed = true;
    listener->spent = false;
    return 0;
}

/* Is there one who is yet to hear of it? */
static bool is_awaited(int signo)
{
    for (const kri_listener *l = listeners[signo]; l != NULL; l = l->next)
        if (!l->spent)
            return true;
    return false;
}

void kri_signals_remove(kri_listener *listener)
{
    if (!listener->listed)
        return;
    kri_signals_settle(listener->signo);
    kri_listener **at = &listeners[listener->signo];
    while (*at != listener)
        at = &(*at)->next;
    *at = listener->next;
    listener->listed = false;
    kri_stall_may_act(-1);
    if (!is_awaited(listener->signo))
        (void)os_signal_release(listener->signo);
}

/* The ends. */

static void release_all(void)
{
    for (int signo = 1; signo <= OS_SIGNALS; signo++) {
        if (listeners[signo] != NULL)
            (void)os_signal_release(signo);
        for (kri_listener *l = listeners[signo]; l != NULL; l = l->next)
            l->listed = false;
        listeners[signo] = NULL;
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
    for (int signo = 1; signo <= OS_SIGNALS; signo++)
        kri_store_rlx(&came[signo], 0);
    running = false;
    ended = ended && exiting;
}
