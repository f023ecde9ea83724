/* Futures: one word of state, and who may change it.
 *
 * State.  The word holds one of four phases, with bits beside them:
 *     PENDING    it has not begun
 *     RUNNING    somebody runs it
 *     FINISHED   done: error and result stand
 *     CANCELLED  done: it never ran, or was asked to stop and said -ECANCELED
 *     + ASKED    kr_future_cancel found it running; from then on, also when done
 *     + SEEN     once done: somebody asked how it ended, so nobody needs to be told
 *
 *     from       to          by
 *     PENDING    RUNNING     begin: the worker or helper that has it, kr_future_set_running
 *     PENDING    CANCELLED   drop: kr_future_cancel, a shutdown that cancels
 *     PENDING    FINISHED    end: a broken pool, kr_future_set_result, kr_future_set_error
 *     RUNNING    FINISHED    end: whoever ran it
 *     RUNNING    CANCELLED   end with -ECANCELED after ASKED
 *
 * Fields.  The legend is at the struct.  The state is written under the mutex and read without it.
 *
 * References.  One of each holder of a handle; one of the queue, which passes to whoever takes the
 * future out of it, and is given up once it is done.  Watchers hold none: who watches does.
 *
 * Protocol.
 *     Whoever makes it done writes error and result, then the state, tells the watchers and takes
 *     the callbacks away, all under the mutex; then wakes those who wait on the word, and then runs
 *     the callbacks, oldest first.  A callback or watcher that comes later finds it done.
 *     A watcher is told under the mutex, so that taking it off under the mutex is exact.
 *     The mutex comes before the lock of a queue, and before that of a cancel scope.
 *
 * Ordering.
 *     [future-1]  what the finisher wrote is visible to whoever sees it done: the state is stored
 *                 sequentially consistent, as the wake needs it, and read with acquire
 *     [future-2]  executor may be gone once the future is no longer pending.  While it is pending
 *                 somebody who keeps the executor alive has it: a queue, which its workers outlive,
 *                 or a worker or helper on its way to begin.  All must take the mutex to go on.
 *     [future-3]  the last release sees all that other holders did: the count falls with
 *                 acquire-release.  Who retains has a reference already, so it rises relaxed.
 *
 * Why not a compare-and-swap on the state alone?  Cancel must reach the scope of a running task,
 * which lies in the frame of its runner, and the queue of a pending one; both could vanish between
 * the look and the reach.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"

#include <string.h>

#include "os/os.h"

enum { ALIGNMENT = 16 };

static size_t aligned(size_t size)
{
    return (size + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
}

static uint32_t phase_of(const kr_future *f)
{
    return kri_load_acq(&f->state) & KRI_STATE; /* [future-1] */
}

static bool is_over(uint32_t state)
{
    return (state & KRI_STATE) >= KRI_FINISHED;
}

bool kri_future_is_over(const kr_future *f)
{
    return is_over(phase_of(f));
}

bool kri_future_is_forked(const kr_future *f)
{
    return f->generation != kri_fork_generation();
}

int kri_future_check(const kr_future *f)
{
    if (!f)
        return -EINVAL;
    return kri_future_is_forked(f) ? KR_EFORKED : 0;
}

int kri_future_new(kr_future **future, kr_executor *executor, kr_task_fn fn, const void *arg,
                   size_t arg_size, size_t result_size, bool forgotten)
{
    const size_t most = SIZE_MAX / 4;
    *future = NULL;
    if ((arg_size && !arg) || arg_size > most || result_size > most)
        return -EINVAL;
    size_t arg_at = aligned(sizeof(kr_future));
    size_t result_at = arg_at + aligned(arg_size);
    kr_future *f = os_alloc(result_at + result_size);
    if (!f)
        return -ENOMEM;
    f->references.bits = forgotten ? 1 : 2;
    f->generation = kri_fork_generation();
    f->executor = executor;
    f->fn = fn;
    f->arg = arg_size ? (char *)f + arg_at : arg;
    if (arg_size)
        memcpy((char *)f + arg_at, arg, arg_size);
    f->result = result_size ? (char *)f + result_at : NULL;
    f->result_size = result_size;
    f->forgotten = forgotten;
    *future = f;
    return 0;
}

kr_future *kr_future_retain(kr_future *f)
{
    if (f)
        kri_add_rlx(&f->references, 1); /* [future-3] */
    return f;
}

static bool nobody_asked(const kr_future *f)
{
    uint32_t state = kri_load_acq(&f->state); /* [future-1] */
    return (state & KRI_STATE) == KRI_FINISHED && !(state & KRI_SEEN) && f->error != 0 &&
           f->error != -ECANCELED && !kri_future_is_forked(f);
}

void kr_future_release(kr_future *f)
{
    if (!f || kri_sub_acq_rel(&f->references, 1) != 1) /* [future-3] */
        return;
    if (nobody_asked(f))
        kri_task_report_error(f->error, "task", NULL);
    kri_callbacks_free(f->callbacks);
    os_free(f);
}

void kr_future_auto(kr_future **f)
{
    kr_future_release(*f);
}

/* With the mutex held: the future is done from here on.  Returns the callbacks to run. */
static kri_callback *conclude(kr_future *f, uint32_t phase, int error)
{
    kri_callback *callbacks = f->callbacks;
    f->callbacks = NULL;
    f->scope = NULL;
    f->error = error;
    uint32_t asked = kri_load_rlx(&f->state) & KRI_ASKED;
    kri_store_sc(&f->state, phase | asked); /* [future-1] */
    while (f->watchers) {
        kri_watcher *watcher = f->watchers;
        f->watchers = watcher->next;
        watcher->watching = false;
        watcher->tell(watcher);
    }
    return callbacks;
}

/* After the mutex was released. */
static void announce(kr_future *f, kri_callback *callbacks)
{
    kri_wake(&f->state, KRI_ALL, 0);
    kri_callbacks_run(f, callbacks);
}

bool kri_future_begin(kr_future *f, kr_cancel_scope *scope)
{
    kri_mutex_lock(&f->mutex);
    bool pending = phase_of(f) == KRI_PENDING;
    if (pending) {
        f->scope = scope;
        kri_store_sc(&f->state, KRI_RUNNING);
    }
    kri_mutex_unlock(&f->mutex);
    return pending;
}

static uint32_t end_phase(uint32_t state, int error)
{
    return error == -ECANCELED && state & KRI_ASKED ? KRI_CANCELLED : KRI_FINISHED;
}

bool kri_future_end(kr_future *f, int error, kr_word *finishing, bool *counted)
{
    kri_mutex_lock(&f->mutex);
    uint32_t state = kri_load_rlx(&f->state);
    if (is_over(state)) {
        kri_mutex_unlock(&f->mutex);
        return false;
    }
    if (finishing && error == 0 && !f->callbacks) {
        kri_add_rlx(finishing, 1);
        *counted = true;
    }
    kri_callback *callbacks = conclude(f, end_phase(state, error), error);
    kri_mutex_unlock(&f->mutex);
    announce(f, callbacks);
    return true;
}

bool kri_future_end_with(kr_future *f, int error, const void *result)
{
    kri_mutex_lock(&f->mutex);
    uint32_t state = kri_load_rlx(&f->state);
    bool open = !is_over(state);
    if (open && result)
        memcpy(f->result, result, f->result_size);
    kri_callback *callbacks = open ? conclude(f, end_phase(state, error), error) : NULL;
    kri_mutex_unlock(&f->mutex);
    if (open)
        announce(f, callbacks);
    return open;
}

bool kri_future_drop(kr_future *f)
{
    kri_mutex_lock(&f->mutex);
    bool pending = phase_of(f) == KRI_PENDING;
    kri_callback *callbacks = pending ? conclude(f, KRI_CANCELLED, -ECANCELED) : NULL;
    kri_mutex_unlock(&f->mutex);
    if (pending)
        announce(f, callbacks);
    return pending;
}

bool kri_future_remove(kr_future *f)
{
    kri_callback *callbacks = NULL;
    bool taken = false;
    kri_mutex_lock(&f->mutex);
    bool pending = phase_of(f) == KRI_PENDING;
    if (pending) {
        kr_executor *executor = f->executor; /* [future-2] */
        taken = executor && executor->ops->take(executor, f, false);
        callbacks = conclude(f, KRI_CANCELLED, -ECANCELED);
    }
    kri_mutex_unlock(&f->mutex);
    if (pending)
        announce(f, callbacks);
    if (taken)
        kr_future_release(f);
    return pending;
}

static int ask(kr_future *f)
{
    int answer = -EALREADY;
    kri_mutex_lock(&f->mutex);
    if (f->scope) {
        kri_or_sc(&f->state, KRI_ASKED);
        kr_cancel(f->scope);
        answer = KR_ASKED;
    } else if (phase_of(f) == KRI_CANCELLED) {
        answer = 0;
    }
    kri_mutex_unlock(&f->mutex);
    return answer;
}

int kr_future_cancel(kr_future *f)
{
    int err = kri_future_check(f);
    if (err)
        return err;
    return kri_future_remove(f) ? 0 : ask(f);
}

bool kr_future_cancelled(const kr_future *f)
{
    return phase_of(f) == KRI_CANCELLED;
}

bool kr_future_running(const kr_future *f)
{
    return phase_of(f) == KRI_RUNNING;
}

bool kr_future_done(const kr_future *f)
{
    return kri_future_is_over(f);
}

bool kri_future_watch(kr_future *f, kri_watcher *watcher)
{
    kri_mutex_lock(&f->mutex);
    bool waiting = !kri_future_is_over(f);
    watcher->watching = waiting;
    if (waiting) {
        watcher->previous = NULL;
        watcher->next = f->watchers;
        if (watcher->next)
            watcher->next->previous = watcher;
        f->watchers = watcher;
    }
    kri_mutex_unlock(&f->mutex);
    return waiting;
}

void kri_future_unwatch(kr_future *f, kri_watcher *watcher)
{
    kri_mutex_lock(&f->mutex);
    if (watcher->watching) {
        *(watcher->previous ? &watcher->previous->next : &f->watchers) = watcher->next;
        if (watcher->next)
            watcher->next->previous = watcher->previous;
        watcher->watching = false;
    }
    kri_mutex_unlock(&f->mutex);
}
