/* Futures: one word of state, one claim, and who may change them.
 *
 * State.  Two words.  The claim says who runs it, or that nobody will:
 *     UNCLAIMED   pending
 *     a scope     somebody runs it, inside that cancel scope
 *     SILENT      somebody runs it who cannot be asked to stop
 *     DROPPED     it will never run, and is done any moment
 *     + OUTSIDE   claimed under the mutex while a queue still holds it
 * It is changed once, by compare-and-swap: by a worker that has it out of a queue, by a helper, by
 * a cancel, by a shutdown.
 *
 * The state says whether it is done, and counts references:
 *     PENDING     not done
 *     FINISHED    done: error and result stand
 *     CANCELLED   done: it never ran, or was asked to stop and said -ECANCELED
 *     + ASKED     kr_future_cancel found it running; from then on, also when done
 *     + SEEN      somebody asked how it ended, so nobody needs to be told
 *     + SLOW      there are watchers, callbacks, or somebody at the scope: whoever ends it takes
 *                 the mutex
 *     + n * REFERENCE
 *
 * Fields.  The legend is at the struct.
 *
 * References.  One of each holder of a handle; one of the queue, which passes to whoever takes the
 * future out of it, and is given up once it is done.  A future that was claimed in the queue stays
 * there as a shell, with the queue's reference, until a worker comes upon it or the queue is swept;
 * whoever runs it then has a reference of his own, or that of the one who waits for it.
 * Watchers hold none: who watches does.
 *
 * Protocol.
 *     A task ends by one compare-and-swap that marks it done and gives up the runner's reference at
 *     once, if SLOW is not set.  If it is, the runner takes the mutex, so whoever has set SLOW
 *     under the mutex keeps it from ending until he lets go.  Under the mutex the watchers are
 *     told and the callbacks taken away; after it those who wait on the word are woken, and the
 *     callbacks run, oldest first.  A callback or watcher that comes later finds it done.
 *     The mutex comes before the lock of a queue, and before that of a cancel scope.
 *
 * Ordering.
 *     [future-1]  what the finisher wrote is visible to whoever sees it done: the state is changed
 *                 sequentially consistent, as the wake needs it, and read with acquire
 *     [future-2]  the executor may be gone once the future is claimed, but for its workers, who
 *                 keep it: no worker leaves while there are futures in the queue.  Others claim
 *                 under the mutex and with OUTSIDE, and reach the executor before they unlock.
 *                 A worker that comes upon such a shell passes through the mutex before he forgets
 *                 it; so the executor is there as long as they are under the mutex.
 *     [future-3]  the last release sees all that other holders did: the count falls with
 *                 acquire-release.  Who retains has a reference already, so it rises relaxed.  Who
 *                 sees that his is the only one needs no more than acquire: nobody else can retain.
 *     [future-4]  the scope is visible to whoever asks it: the claim releases, the look acquires.
 *                 That is the look which has told a cancel that it comes too late to remove it
 *
 * Why a claim beside the state?  The scope of the runner must be known to a cancel from the very
 * moment that the future is running; as the value that is swapped in it is, with one operation.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"

#include <string.h>

#include "executor/block.h"
#include "os/os.h"

enum { ALIGNMENT = 16 };

static size_t aligned(size_t size)
{
    return (size + (ALIGNMENT - 1)) & ~(size_t)(ALIGNMENT - 1);
}

static bool is_over(uint32_t state)
{
    return (state & KRI_STATE) != KRI_PENDING;
}

bool kri_future_is_over(const kr_future *f)
{
    return is_over(kri_load_acq(&f->state)); /* [future-1] */
}

bool kri_future_is_forked(const kr_future *f)
{
    return kri_forked_since(f->generation);
}

int kri_future_check(const kr_future *f)
{
    if (!f)
        return -EINVAL;
    return kri_future_is_forked(f) ? KR_EFORKED : 0;
}

int kri_future_error(const kr_future *f)
{
    return f->error;
}

void kri_future_seen(kr_future *f)
{
    if (!(kri_load_rlx(&f->state) & KRI_SEEN))
        kri_or_rlx(&f->state, KRI_SEEN);
}

/* Most results are a word or two: not worth a call. */
static inline void clear(void *at, size_t size)
{
    if (size == ALIGNMENT)
        memset(at, 0, ALIGNMENT);
    else if (size)
        memset(at, 0, size);
}

/* All members that begin as zero.  One by one: compilers clear the whole with a string instruction,
 * which takes longer to begin than this takes. */
static inline void empty(kr_future *f)
{
    f->mutex.bits = 0;
    f->claim.bits = KRI_UNCLAIMED;
    f->error = 0;
    f->watchers = NULL;
    f->callbacks = NULL;
    f->next = NULL;
    f->remote = NULL;
    f->submitted = 0;
    f->pool = 0;
    f->outside_help = false;
    f->streams = false;
    f->vars = NULL;
}

int kri_future_new(kr_future **future, kr_executor *executor, const kri_task *task, bool forgotten)
{
    const size_t most = SIZE_MAX / 4;
    *future = NULL;
    if ((task->arg_size && !task->arg) || task->arg_size > most || task->result_size > most)
        return -EINVAL;
    size_t result_at = sizeof(kr_future) + aligned(task->arg_size);
    size_t size = result_at + aligned(task->result_size);
    kr_future *f = kri_block_new(size);
    if (!f)
        return -ENOMEM;
    char *bytes = (char *)f;
    f->state.bits = forgotten ? KRI_REFERENCE : 2 * KRI_REFERENCE;
    empty(f);
    f->fn = task->fn;
    f->arg = task->arg_size ? bytes + sizeof *f : task->arg;
    f->result = task->result_size ? bytes + result_at : NULL;
    f->executor = executor;
    f->generation = executor ? executor->generation : kri_fork_generation();
    f->result_size = task->result_size;
    f->size = size;
    f->lane = (uint8_t)task->lane;
    f->forgotten = forgotten;
    kri_copy(bytes + sizeof *f, task->arg, task->arg_size);
    clear(f->result, aligned(task->result_size));
    *future = f;
    return 0;
}

kr_future *kr_future_retain(kr_future *f)
{
    if (f && kri_add_rlx(&f->state, KRI_REFERENCE) >= UINT32_MAX - KRI_REFERENCE) /* [future-3] */
        os_abort("krait: more than 16 million references to one future");
    return f;
}

static bool nobody_asked(const kr_future *f, uint32_t state)
{
    return (state & KRI_STATE) == KRI_FINISHED && !(state & KRI_SEEN) && f->error != 0 &&
           f->error != -ECANCELED && !kri_future_is_forked(f);
}

static void destroy(kr_future *f, uint32_t state)
{
    if (nobody_asked(f, state))
        kri_task_report_future(f, f->error, "task");
    kri_callbacks_free(f->callbacks);
    if (f->vars)
        kr_context_release(f->vars);
    if (f->remote)
        f->remote->ops->drop(f->remote);
    kri_block_free(f, f->size);
}

void kr_future_release(kr_future *f)
{
    if (!f)
        return;
    uint32_t state = kri_load_acq(&f->state); /* [future-3] */
    if (state >= 2 * KRI_REFERENCE)
        state = kri_sub_acq_rel(&f->state, KRI_REFERENCE); /* [future-3] */
    if (state < 2 * KRI_REFERENCE)
        destroy(f, state);
}

void kr_future_auto(kr_future **f)
{
    kr_future_release(*f);
}

void kri_future_pass(kr_future *f)
{
    if (!(kri_load_acq64(&f->claim) & KRI_CLAIM_OUTSIDE)) /* [future-2] */
        return;
    kri_mutex_lock(&f->mutex);
    kri_mutex_unlock(&f->mutex);
}

/* The mutex, with the end kept off; returns the state. */
static uint32_t open(kr_future *f)
{
    kri_mutex_lock(&f->mutex);
    return kri_or_acq_rel(&f->state, KRI_SLOW);
}

static void close(kr_future *f)
{
    if (!f->watchers && !f->callbacks)
        kri_and_rel(&f->state, ~(uint32_t)KRI_SLOW);
    kri_mutex_unlock(&f->mutex);
}

static uint32_t end_phase(uint32_t state, int error)
{
    return error == -ECANCELED && state & KRI_ASKED ? KRI_CANCELLED : KRI_FINISHED;
}

/* With the mutex held: the future is done from here on.  Returns the callbacks to run. */
static kri_callback *conclude(kr_future *f, uint32_t phase, int error)
{
    kri_callback *callbacks = f->callbacks;
    f->callbacks = NULL;
    f->error = error;
    kri_or_sc(&f->state, phase); /* [future-1] */
    while (f->watchers) {
        kri_watcher *watcher = f->watchers;
        f->watchers = watcher->next;
        if (!watcher->shared)
            watcher->watching = false;
        watcher->tell(watcher, f);
    }
    return callbacks;
}

/* After the mutex was released. */
static void announce(kr_future *f, kri_callback *callbacks)
{
    kri_wake(&f->state, KRI_ALL, 0);
    if (callbacks)
        kri_callbacks_run(f, callbacks);
}

static __attribute__((noinline)) void end_slowly(kr_future *f, int error)
{
    kri_mutex_lock(&f->mutex);
    uint32_t phase = end_phase(kri_load_rlx(&f->state), error);
    kri_callback *callbacks = conclude(f, phase, error);
    kri_mutex_unlock(&f->mutex);
    announce(f, callbacks);
    kr_future_release(f);
}

void kri_future_end(kr_future *f, int error)
{
    if (error)
        f->error = error;
    uint32_t state = kri_load_rlx(&f->state);
    uint32_t next;
    do {
        if (state & KRI_SLOW) {
            end_slowly(f, error);
            return;
        }
        next = (state | end_phase(state, error)) - KRI_REFERENCE;
    } while (!kri_cas_sc(&f->state, &state, next)); /* [future-1] [future-3] */
    if (next < KRI_REFERENCE)
        destroy(f, next);
    else
        kri_wake(&f->state, KRI_ALL, 0);
}

bool kri_future_end_quietly(kr_future *f, int error)
{
    f->error = error;
    uint32_t state = kri_load_rlx(&f->state);
    while (!(state & KRI_SLOW) && (error == 0 || state >= 2 * KRI_REFERENCE)) {
        uint32_t next = (state - KRI_REFERENCE) | end_phase(state, error);
        if (!kri_cas_sc(&f->state, &state, next)) /* [future-1] [future-3] */
            continue;
        if (next < KRI_REFERENCE)
            destroy(f, next);
        else
            kri_wake(&f->state, KRI_ALL, 0);
        return false;
    }
    kri_mutex_lock(&f->mutex);
    state = kri_load_rlx(&f->state);
    f->callbacks = conclude(f, end_phase(state, error), error);
    bool due = f->callbacks || (error && state < 2 * KRI_REFERENCE);
    kri_mutex_unlock(&f->mutex);
    kri_wake(&f->state, KRI_ALL, 0);
    if (!due)
        kr_future_release(f);
    return due;
}

bool kri_future_end_with(kr_future *f, int error, const void *result)
{
    uint32_t state = open(f);
    if (is_over(state)) {
        close(f);
        return false;
    }
    (void)kri_future_claim(f, KRI_CLAIM_SILENT);
    if (result)
        memcpy(f->result, result, f->result_size);
    kri_callback *callbacks = conclude(f, end_phase(state, error), error);
    close(f);
    announce(f, callbacks);
    return true;
}

void kri_future_conclude(kr_future *f, int error)
{
    uint32_t phase = error == -ECANCELED ? KRI_CANCELLED : KRI_FINISHED;
    kri_mutex_lock(&f->mutex);
    f->callbacks = conclude(f, phase, error);
    kri_mutex_unlock(&f->mutex);
    kri_wake(&f->state, KRI_ALL, 0);
}

void kri_future_announce(kr_future *f)
{
    kri_mutex_lock(&f->mutex);
    kri_callback *callbacks = f->callbacks;
    f->callbacks = NULL;
    kri_mutex_unlock(&f->mutex);
    if (callbacks)
        kri_callbacks_run(f, callbacks);
}

bool kri_future_remove(kr_future *f)
{
    if (kri_future_is_claimed(f)) /* [future-4] */
        return false;
    kri_callback *callbacks = NULL;
    bool out = false;
    kri_mutex_lock(&f->mutex);
    if (f->remote && !f->remote->ops->withdraw(f)) {
        kri_mutex_unlock(&f->mutex);
        return false;
    }
    bool removed = kri_future_claim(f, KRI_CLAIM_DROPPED | KRI_CLAIM_OUTSIDE);
    if (removed) {
        if (f->executor)
            out = f->executor->ops->claimed(f->executor, f, false); /* [future-2] */
        callbacks = conclude(f, KRI_CANCELLED, -ECANCELED);
    }
    kri_mutex_unlock(&f->mutex);
    if (removed && f->remote) /* before a callback that may want what a waiter holds */
        f->remote->ops->withdrawn(f);
    if (removed)
        announce(f, callbacks);
    if (out)
        kr_future_release(f);
    return removed;
}

/* With the end kept off: ask whoever runs it, if he can be asked. */
static int ask(kr_future *f)
{
    uint64_t claim = kri_load_rlx64(&f->claim) & ~(uint64_t)KRI_CLAIM_OUTSIDE;
    if (claim == KRI_CLAIM_DROPPED)
        return 0;
    if (claim < KRI_CLAIM_SCOPE)
        return -EALREADY;
    kri_or_rlx(&f->state, KRI_ASKED);
    kr_cancel((kr_cancel_scope *)(uintptr_t)claim);
    return KR_ASKED;
}

int kr_future_cancel(kr_future *f)
{
    int err = kri_future_check(f);
    if (err)
        return err;
    if (kri_future_remove(f))
        return 0;
    uint32_t state = open(f);
    int answer = (state & KRI_STATE) == KRI_CANCELLED ? 0 : -EALREADY;
    if (!is_over(state))
        answer = ask(f);
    close(f);
    return answer;
}

bool kr_future_cancelled(const kr_future *f)
{
    return (kri_load_acq(&f->state) & KRI_STATE) == KRI_CANCELLED; /* [future-1] */
}

void kri_future_look(const kr_future *f, bool watched)
{
    if (f->remote && !kri_future_is_over(f) && !kri_future_is_forked(f))
        f->remote->ops->look(f, watched);
}

bool kr_future_running(const kr_future *f)
{
    kri_future_look(f, false);
    uint64_t claim = kri_load_acq64(&f->claim) & ~(uint64_t)KRI_CLAIM_OUTSIDE;
    if (claim == KRI_UNCLAIMED && f->remote)
        return !kri_future_is_over(f) && f->remote->ops->has_begun(f);
    return claim >= KRI_CLAIM_SILENT && !kri_future_is_over(f);
}

bool kr_future_done(const kr_future *f)
{
    kri_future_look(f, false);
    return kri_future_is_over(f);
}

bool kri_future_add_callback(kr_future *f, kri_callback *callback)
{
    bool waiting = !is_over(open(f));
    if (waiting) {
        callback->next = f->callbacks;
        f->callbacks = callback;
    }
    close(f);
    kri_future_look(f, true);
    return waiting;
}

bool kri_future_watch(kr_future *f, kri_watcher *watcher)
{
    bool waiting = !is_over(open(f));
    watcher->watching = waiting;
    if (waiting) {
        watcher->previous = NULL;
        watcher->next = f->watchers;
        if (watcher->next && !watcher->next->shared)
            watcher->next->previous = watcher;
        f->watchers = watcher;
    }
    close(f);
    kri_future_look(f, true);
    return waiting;
}

/* In a forked child nobody is told any more, and the mutex may have been held at the fork. */
void kri_future_unwatch(kr_future *f, kri_watcher *watcher)
{
    if (kri_future_is_forked(f))
        return;
    (void)open(f);
    if (watcher->watching) {
        *(watcher->previous ? &watcher->previous->next : &f->watchers) = watcher->next;
        if (watcher->next && !watcher->next->shared)
            watcher->next->previous = watcher->previous;
        watcher->watching = false;
    }
    close(f);
}

static kri_watcher **shared_place(kr_future *f)
{
    kri_watcher **at = &f->watchers;
    while (*at && !(*at)->shared)
        at = &(*at)->next;
    return at;
}

int kri_future_watch_shared(kr_future *f, kri_watcher *watcher)
{
    int result = 0;
    if (!is_over(open(f))) {
        kri_watcher **place = shared_place(f);
        result = *place ? -EBUSY : 1;
        if (!*place)
            *place = watcher;
    }
    close(f);
    kri_future_look(f, true);
    return result;
}

void kri_future_unwatch_shared(kr_future *f, const kri_watcher *watcher)
{
    if (kri_future_is_forked(f))
        return;
    (void)open(f);
    kri_watcher **place = shared_place(f);
    if (*place == watcher)
        *place = NULL;
    close(f);
}
