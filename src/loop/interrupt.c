/* SIGINT in kr_run: the first one cancels the first coroutine, the second ends the process.
 *
 * Only where the signal has its default disposition, so one kr_run at a time, and none where the
 * program has a handler, ignores it, or listens to it.  Who begins to listen meanwhile gets it.
 * After the first one the disposition is the default again (signals.c).
 *
 * Fields.
 *     in_use     atomic
 *     the rest   who has set in_use; `interrupted` under the lock of signals.c
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "loop/signal.h"
#include "os/child.h"
#include "thread/thread.h"

static struct {
    kr_word in_use;
    kri_listener listener;
    kr_future *future;
    bool interrupted;
} own KRI_GLOBAL;

static void hear(kri_listener *l)
{
    (void)l;
    own.interrupted = true;
    (void)kr_future_cancel(own.future);
}

bool kri_interrupt_begin(kr_future *future)
{
    uint32_t free = 0;
    if (!os_signal_is_default(SIGINT) || kri_threads_begin() < 0 ||
        !kri_cas_acq_rel(&own.in_use, &free, 1))
        return false;
    own.listener = (kri_listener){.hear = hear, .signo = SIGINT, .gives_way = true};
    own.future = future;
    own.interrupted = false;
    kri_signals_lock();
    int err = kri_signals_add(&own.listener);
    kri_signals_unlock();
    if (err < 0)
        kri_store_rel(&own.in_use, 0);
    return err == 0;
}

bool kri_interrupt_end(void)
{
    kri_signals_lock();
    kri_signals_remove(&own.listener);
    bool interrupted = own.interrupted;
    kri_signals_unlock();
    kri_store_rel(&own.in_use, 0);
    return interrupted;
}

/* The loop is the parent's. */
void kri_interrupt_forked(void)
{
    kri_store_rel(&own.in_use, 0);
}
