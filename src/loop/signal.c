/* kr_signal_handle: signals as callbacks of a loop.
 *
 * Each signal of a loop that has a callback has a handler; all of them are in one list of the loop.
 *
 * Fields.
 *     posted          whether it stands in the loop's inbox or line; atomic
 *     taken_away      written under the lock of signals.c, by the loop's thread
 *     fn, arg, next   the loop's thread
 *
 * Protocol.  The service thread posts the handler to the loop unless it stands there already.  The
 * loop says that it does not before it calls, so that what comes meanwhile calls once more, and
 * does not touch it after the call, in which it may be taken away.  A
 * handler that is taken away hears nothing after that, and is freed once it stands nowhere.  The
 * loop's end takes all away when its inbox is closed, and empty.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/signal.h"
#include "base/atomic.h"
#include "os/os.h"
#include "thread/thread.h"
#include <krait/signal.h>

struct kri_signal_handler {
    kri_listener listener;
    kri_posted posting;
    kr_word posted;
    kri_loop *loop; /* const */
    kr_signal_fn fn;
    void *arg;
    bool taken_away;
    kri_signal_handler *next;
};

static kri_signal_handler *behind(kri_posted *posting)
{
    return (kri_signal_handler *)((char *)posting - offsetof(kri_signal_handler, posting));
}

static void hear(kri_listener *l)
{
    kri_signal_handler *h = (kri_signal_handler *)l;
    if (h->taken_away)
        return;
    if (kri_swap_acq_rel(&h->posted, 1) == 0 && !kri_loop_post(h->loop, &h->posting))
        kri_store_rel(&h->posted, 0);
}

static void call_handler(void *arg)
{
    const kri_signal_handler *h = arg;
    h->fn(h->listener.signo, h->arg);
}

static void call(kri_posted *posting)
{
    kri_signal_handler *h = behind(posting);
    (void)kri_swap_acq_rel(&h->posted, 0);
    if (h->taken_away)
        os_free(h);
    else
        kri_loop_call(call_handler, h);
}

static kri_signal_handler **find(kri_loop *loop, int signo)
{
    kri_signal_handler **at = &loop->signals;
    while (*at != NULL && (*at)->listener.signo != signo)
        at = &(*at)->next;
    return at;
}

/* It is in no list. */
static void take_away(kri_signal_handler *h)
{
    kri_signals_lock();
    h->taken_away = true;
    kri_signals_remove(&h->listener);
    kri_signals_unlock();
    if (kri_load_acq(&h->posted) == 0)
        os_free(h);
}

static int add(kri_loop *loop, int signo, kr_signal_fn fn, void *arg)
{
    int err = kri_threads_begin();
    if (err < 0)
        return err;
    kri_signal_handler *h = os_alloc(sizeof *h);
    if (h == NULL)
        return -ENOMEM;
    *h = (kri_signal_handler){.listener = {.hear = hear, .signo = signo},
                              .posting = {.run = call},
                              .loop = loop,
                              .fn = fn,
                              .arg = arg,
                              .next = loop->signals};
    kri_signals_lock();
    err = kri_signals_add(&h->listener);
    kri_signals_unlock();
    if (err < 0)
        os_free(h);
    else
        loop->signals = h;
    return err;
}

int kr_signal_handle(int signo, kr_signal_fn fn, void *arg)
{
    kri_loop *loop = kri_loop_here();
    if (!os_signal_can_be_caught(signo))
        return -EINVAL;
    if (loop == NULL)
        return -EPERM;
    kri_signal_handler **at = find(loop, signo);
    kri_signal_handler *h = *at;
    if (h == NULL)
        return fn != NULL ? add(loop, signo, fn, arg) : -ENOENT;
    if (fn != NULL) {
        h->fn = fn;
        h->arg = arg;
        return 0;
    }
    *at = h->next;
    take_away(h);
    return 0;
}

void kri_loop_signals_end(kri_loop *loop)
{
    while (loop->signals != NULL) {
        kri_signal_handler *h = loop->signals;
        loop->signals = h->next;
        take_away(h);
    }
}
