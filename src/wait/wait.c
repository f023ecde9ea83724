/* Waiting on a word: the steps that are the same for every kind of party.
 *
 * Protocol.  In private memory a waiter queues on the word, and inside a cancel scope it stands in
 * the scope's slot too, or queues on its state (slot.c), to which a cancel of any scope around it
 * comes once the scope is joined; then it sleeps.  In shared memory a thread sleeps in the kernel
 * on the word and the state.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "os/os.h"
#include "wait/internal.h"

/* Kernels before 5.16 cannot sleep on two words: a cancel is then noticed this late. */
enum { SLICE_MS = 20 };

enum { MOMENT_MS = 1 };

/* While hooks run the party has none: a sleep inside one, such as to take an interpreter lock
 * again, is not a sleep outside that lock. */
void kri_block_begin(kri_party *party)
{
    if (kri_load_rlx(&kri_relied) != 0)
        kri_nap_call();
    kri_block_hook *first = party->hooks;
    party->hooks = NULL;
    for (kri_block_hook *hook = first; hook != NULL; hook = hook->next)
        hook->before(hook);
    party->hooks = first;
}

/* In the reverse order of before. */
static void run_after(kri_block_hook *hook)
{
    if (hook == NULL)
        return;
    run_after(hook->next);
    hook->after(hook);
}

void kri_block_end(kri_party *party)
{
    kri_block_hook *first = party->hooks;
    party->hooks = NULL;
    run_after(first);
    party->hooks = first;
}

bool kri_waiter_sleep(kri_waiter *w, kr_time deadline)
{
    while (!kri_waiter_woken(w)) {
        w->party->ops->park(w, deadline);
        if (deadline == KRI_NEVER || kri_waiter_woken(w))
            continue;
        if (!w->party->ops->exact && os_now() < deadline)
            continue;
        if (kri_waiter_leave(w))
            return false;
        deadline = KRI_NEVER;
    }
    if (w->party->ops->settle != NULL)
        w->party->ops->settle(w);
    kri_spin_learn(w);
    return true;
}

/* A place through which the waiter was taken is out of its queue already. */
static void leave(const kri_waiter *w, kri_place *place)
{
    if (w->through != place)
        kri_place_leave(place);
}

static int wait_private(kr_word *word, uint32_t expected, kr_time deadline, kr_cancel_scope *scope,
                        unsigned flags, kri_describe describe, kri_take_fn take)
{
    bool endless = deadline == KRI_NEVER && !(flags & KRI_IDLE);
    kri_waiter w;
    kri_place on_word;
    kri_stand in_scope;
    kri_waiter_begin(&w, kri_party_self());
    w.spin = flags & KRI_NO_SPIN ? NULL : kri_spin_of(word);
    w.waits_for = endless ? word : NULL;
    w.take = take;
    w.describe = describe;
    w.main = &on_word;
    if (!kri_place_enter(&on_word, &w, word, expected))
        return -EAGAIN;
    bool live = scope == NULL || kri_stand_enter(&in_scope, &w, scope);
    kri_wait_begins(word, describe, flags & KRI_IDLE ? "idle" : "wait");
    kri_block_begin(w.party);
    bool woken =
        !live && kri_waiter_leave(&w) ? false : kri_waiter_sleep(&w, live ? deadline : KRI_NEVER);
    leave(&w, &on_word);
    if (scope != NULL && live)
        kri_stand_leave(&in_scope, &w, scope);
    kri_block_end(w.party);
    kri_wait_is_over(word, woken);
    if (woken && w.through == &on_word)
        return w.taken ? KRI_TAKEN : 0;
    return woken || !live ? -ECANCELED : -ETIMEDOUT;
}

/* Sleep on a shared word inside a scope, on a kernel that cannot sleep on two words. */
static int wait_in_slices(kr_word *word, uint32_t expected, kr_time deadline,
                          kr_cancel_scope *scope)
{
    for (;;) {
        kr_time slice = kri_deadline(kr_ms(SLICE_MS));
        int err = os_futex_wait(word, expected, slice < deadline ? slice : deadline, true);
        if (kri_load_acq(&scope->state) != KRI_SCOPE_LIVE) {
            os_futex_wake(word, 1, true);
            return -ECANCELED;
        }
        if (err != -ETIMEDOUT || slice >= deadline)
            return err;
    }
}

static int sleep_shared(kr_word *word, uint32_t expected, kr_time deadline, kr_cancel_scope *scope)
{
    if (scope == NULL)
        return os_futex_wait(word, expected, deadline, true);
    int err = os_futex_wait_either(&scope->state, KRI_SCOPE_LIVE, word, expected, deadline);
    if (err == -ENOSYS)
        return wait_in_slices(word, expected, deadline, scope);
    if (err == 1)
        return 0;
    if (kri_load_acq(&scope->state) == KRI_SCOPE_LIVE)
        return err;
    os_futex_wake(word, 1, true); /* in case a wake of the word was spent on us too */
    return -ECANCELED;
}

static int wait_in_thread(kri_party *self, kr_word *word, uint32_t expected, kr_time deadline,
                          kr_cancel_scope *scope, kri_describe describe)
{
    kri_wait_begins(word, describe, "shared word");
    kri_block_begin(self);
    int err;
    do {
        err = sleep_shared(word, expected, deadline, scope);
    } while (err == -EINTR);
    kri_block_end(self);
    kri_wait_is_over(word, err);
    return err;
}

/* Nobody else can: look again after a moment, which is a wake for nothing. */
static int wait_a_moment(kr_word *told, kr_time deadline, kr_cancel_scope *scope, unsigned flags)
{
    kr_time moment = kri_deadline(kr_ms(MOMENT_MS));
    int err =
        wait_private(told, 0, moment < deadline ? moment : deadline, scope, flags, NULL, NULL);
    return err == -ETIMEDOUT && moment < deadline ? 0 : err;
}

/* Somebody else sleeps in the kernel. */
static int wait_by_watch(kri_party *self, kr_word *word, uint32_t expected, kr_time deadline,
                         kr_cancel_scope *scope, unsigned flags)
{
    kr_word told = {0};
    kri_sentry watch = {.word = word, .expected = expected, .told = &told};
    int err = self->ops->watch(&watch);
    if (err == -ENOMEM)
        return wait_a_moment(&told, deadline, scope, flags);
    if (err != 0)
        return err;
    err = wait_private(&told, 0, deadline, scope, flags, NULL, NULL);
    bool spent = self->ops->unwatch(&watch);
    if (err == 0 || err == -EAGAIN)
        return 0;
    if (spent)
        os_futex_wake(word, 1, true);
    return err;
}

static int wait_shared(kr_word *word, uint32_t expected, kr_time deadline, kr_cancel_scope *scope,
                       unsigned flags, kri_describe describe)
{
    kri_party *self = kri_party_self();
    if (self->ops->watch != NULL)
        return wait_by_watch(self, word, expected, deadline, scope, flags);
    return wait_in_thread(self, word, expected, deadline, scope, describe);
}

void kri_waiter_take(kri_waiter *w)
{
    if (w->take != NULL && w->through == w->main)
        w->taken = w->take(w->main->word);
}

int kri_wait_for(kr_word *word, uint32_t expected, kr_time deadline, unsigned flags,
                 kri_describe describe)
{
    return kri_wait_to_take(word, expected, deadline, flags, describe, NULL);
}

int kri_wait_to_take(kr_word *word, uint32_t expected, kr_time deadline, unsigned flags,
                     kri_describe describe, kri_take_fn take)
{
    if (deadline == 0)
        return -ETIMEDOUT;
    kr_cancel_scope *scope = flags & KRI_UNCANCELLABLE ? NULL : kri_party_self()->scope;
    kr_time until = deadline;
    if (scope != NULL) {
        kri_scope_join(scope);
        if (kri_scope_cancelled(scope))
            return -ECANCELED;
        if (scope->deadline < deadline)
            until = scope->deadline;
    }
    int err = flags & KRI_SHARED
                  ? wait_shared(word, expected, until, scope, flags, describe)
                  : wait_private(word, expected, until, scope, flags, describe, take);
    if (err != -ETIMEDOUT || until == deadline)
        return err;
    kri_scope_cut(scope);
    return -ECANCELED;
}
