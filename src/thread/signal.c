/* kr_signal: signals to wait for.
 *
 * State.  `pending` has a bit for each of its signals that came and was not taken; `came` counts
 * what came, and is what is waited on.
 *
 * Fields.
 *     pending, came    set by the service thread under the lock of signals.c, taken by anybody
 *     closed           under that lock; atomic
 *     references       one is the opener's, one of each that waits; atomic
 *     the rest         const
 *
 * Protocol.  Who waits reads `came` before he looks at `pending`: a signal that he misses there has
 * changed `came` after that, so he does not sleep.  Each that comes wakes one; one who is woken and
 * finds that another was quicker waits again.
 *
 * Ordering.
 *     [signal-2]  pending is set before came is changed, and came is read before pending
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "thread/thread.h"
#include <krait/signal.h>

typedef struct ear {
    kri_listener listener;
    kr_signal *owner;
} ear;

struct kr_signal {
    kri_word64 pending;
    kr_word came;
    kr_word closed;
    kr_word references;
    uint32_t generation;
    int count;
    ear ears[];
};

static void come(kr_signal *s, int count)
{
    kri_add_sc(&s->came, 1); /* [signal-2] */
    kri_wake(&s->came, count, 0);
}

static void hear(kri_listener *l)
{
    kr_signal *s = ((ear *)l)->owner;
    kri_or_sc64(&s->pending, (uint64_t)1 << (l->signo - 1)); /* [signal-2] */
    come(s, 1);
}

static void leave(kr_signal *s)
{
    if (kri_sub_acq_rel(&s->references, 1) == 1)
        os_free(s);
}

/* All or none. */
static int listen(kr_signal *s)
{
    int err = 0;
    kri_signals_lock();
    for (int i = 0; i < s->count && err == 0; i++)
        err = kri_signals_add(&s->ears[i].listener);
    for (int i = 0; i < s->count && err < 0; i++)
        kri_signals_remove(&s->ears[i].listener);
    kri_signals_unlock();
    return err;
}

int kr_signal_open(kr_signal **result, const int *signos, int count)
{
    if (result == NULL)
        return -EINVAL;
    *result = NULL;
    if (signos == NULL || count < 1 || count > OS_SIGNALS)
        return -EINVAL;
    for (int i = 0; i < count; i++)
        if (!os_signal_can_be_caught(signos[i]))
            return -EINVAL;
    int err = kri_threads_begin();
    if (err < 0)
        return err;
    kr_signal *s = os_alloc(sizeof *s + (size_t)count * sizeof(ear));
    if (s == NULL)
        return -ENOMEM;
    kri_store_rlx(&s->references, 1);
    s->generation = kri_fork_generation();
    s->count = count;
    for (int i = 0; i < count; i++)
        s->ears[i] = (ear){{.hear = hear, .signo = signos[i]}, s};
    err = listen(s);
    if (err < 0)
        os_free(s);
    else
        *result = s;
    return err;
}

/* One of those that came: its number; 0: none has. */
static int take(kr_signal *s)
{
    uint64_t bits = kri_load_sc64(&s->pending); /* [signal-2] */
    while (bits != 0) {
        uint64_t lowest = bits & (~bits + 1);
        if ((kri_and_sc64(&s->pending, ~lowest) & lowest) != 0)
            return __builtin_ctzll(lowest) + 1;
        bits = kri_load_sc64(&s->pending);
    }
    return 0;
}

static int wait_for_one(kr_signal *s, int *signo, kr_time deadline)
{
    for (;;) {
        uint32_t came = kri_load_sc(&s->came); /* [signal-2] */
        int taken = take(s);
        if (taken != 0) {
            if (signo != NULL)
                *signo = taken;
            return 0;
        }
        if (kri_load_acq(&s->closed))
            return KR_ESHUTDOWN;
        int err = kri_wait(&s->came, came, deadline, KRI_IDLE);
        if (err < 0 && err != -EAGAIN)
            return err;
    }
}

int kr_signal_wait(kr_signal *s, int *signo, kr_time timeout)
{
    if (s == NULL || timeout < 0)
        return -EINVAL;
    if (kri_forked_since(s->generation))
        return KR_EFORKED;
    kri_add_rlx(&s->references, 1);
    int err = wait_for_one(s, signo, kri_deadline(timeout));
    leave(s);
    return err;
}

void kr_signal_close(kr_signal *s)
{
    if (s == NULL)
        return;
    kri_signals_lock();
    for (int i = 0; i < s->count; i++)
        kri_signals_remove(&s->ears[i].listener);
    kri_store_rel(&s->closed, 1);
    kri_signals_unlock();
    come(s, KRI_ALL);
    leave(s);
}

void kr_signal_auto(kr_signal **s)
{
    kr_signal_close(*s);
}
