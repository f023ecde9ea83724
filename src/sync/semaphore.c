/* kr_semaphore: a word that holds the number of free permits.
 *
 * State.
 *     value, bits 0 to 30    free permits
 *     value, bit 31          WAITERS, in shared memory only: somebody may sleep in the kernel
 *
 * Fields.
 *     value           as above
 *     hint            where the last releaser ran; see wait/spin_word.c
 *     all others      constant; those of a semaphore with holders are explained in owned.c
 *
 * Protocol.  Acquire takes one off by compare-and-swap; at 0 it sleeps on the word.  Release adds
 * and wakes as many as it added.  Whoever is woken tries again; when somebody who came by was
 * faster, it sleeps again, and that one's permit comes back with its own wake.
 *
 * Private: a waiter that leaves was not taken by a wake (kri_wait is exact about that), so no
 * wake-up is lost with it.
 *
 * Shared: nobody knows who sleeps, so a waiter leaves WAITERS before it does.  A release takes the
 * bit away and wakes as many as it added; without the bit it makes no system call.  Others may
 * still sleep behind those who are woken, so whoever has slept puts the bit back when it takes a
 * permit; and, since releases since then have found no bit and woken nobody, it wakes one more when
 * there is another permit.  So while somebody sleeps, either there is no permit and the bit is set,
 * or somebody is awake who will see to it.  When that one dies, the sleepers find out at the end of
 * their slice (shared.c).  A waiter that dies asleep leaves nothing but the bit, and one release
 * more looks for sleepers.
 *
 * Ordering.
 *     [semaphore-1]  release gives what the releaser wrote to whoever takes the permit
 *     The release's change is sequentially consistent because kri_wake wants it so, and is the last
 *     touch of the object: who has got the permit may free it at once.  So all else is read before.
 *     In shared memory the kernel compares the word as it queues the sleeper, so a release is
 *     either seen by that or finds WAITERS: both are changes of the one word.
 *
 * Why not count the sleepers?  One who dies asleep would stay counted for good.
 * Why does the releaser not keep the bit, and clear it when it woke nobody?  It would have to touch
 * the semaphore after somebody had the permit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/options.h"
#include "sync/semaphore.h"
#include "wait/stall.h"

_Static_assert(sizeof(kr_semaphore) == 32, "part of the layout in shared memory");
_Static_assert(offsetof(kr_semaphore, bound) == 4, "part of the layout in shared memory");
_Static_assert(offsetof(kr_semaphore, hint) == 8, "part of the layout in shared memory");
_Static_assert(offsetof(kr_semaphore, flags) == 12, "part of the layout in shared memory");
_Static_assert(offsetof(kr_semaphore, holder_count) == 14, "part of the layout in shared memory");
_Static_assert(offsetof(kr_semaphore, holders) == 16, "part of the layout in shared memory");
_Static_assert(offsetof(kr_semaphore, lock) == 24, "part of the layout in shared memory");

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "a permit of a semaphore at %p", (const void *)word);
}

static bool are_valid(int64_t permits, const kr_semaphore_options *o)
{
    if (permits < 0 || permits > KR_SEMAPHORE_MAX || o->bound < 0 || o->bound > KR_SEMAPHORE_MAX)
        return false;
    if (o->bound != 0 && permits > o->bound)
        return false;
    if (o->scope != KR_PRIVATE && o->scope != KR_SHARED)
        return false;
    if ((o->holders == NULL) != (o->holder_count == 0) || o->holder_count > UINT16_MAX)
        return false;
    return (o->holders == NULL || o->scope == KR_SHARED) && kri_reserved_is_clear(o->reserved);
}

int kr_semaphore_init(kr_semaphore *semaphore, int64_t permits, const kr_semaphore_options *options)
{
    static const kr_semaphore_options defaults;
    const kr_semaphore_options *o = options != NULL ? options : &defaults;
    if (!are_valid(permits, o))
        return -EINVAL;
    *semaphore = (kr_semaphore){.bound = (uint32_t)o->bound,
                                .flags = o->scope == KR_SHARED ? KRI_SEMAPHORE_SHARED : 0};
    kri_store_rlx(&semaphore->value, (uint32_t)permits);
    return o->holders != NULL ? kri_semaphore_init_owned(semaphore, o) : 0;
}

bool kri_semaphore_take(kr_word *value, uint32_t slept)
{
    uint32_t seen = kri_load_rlx(value);
    while ((seen & KR_SEMAPHORE_MAX) > 0) {
        if (!kri_cas_acq(value, &seen, (seen - 1) | slept)) /* [semaphore-1] */
            continue;
        if (slept && (seen & KR_SEMAPHORE_MAX) > 1)
            kri_wake(value, 1, KRI_SHARED);
        return true;
    }
    return false;
}

int kri_semaphore_sleep(kr_semaphore *semaphore, kr_time deadline)
{
    uint32_t seen = 0;
    if (!kri_cas_rlx(&semaphore->value, &seen, KRI_SEMAPHORE_WAITERS) &&
        seen != KRI_SEMAPHORE_WAITERS)
        return -EAGAIN;
    return kri_wait_slice(&semaphore->value, KRI_SEMAPHORE_WAITERS, deadline, describe);
}

static bool take_for_waiter(kr_word *value)
{
    return kri_semaphore_take(value, 0);
}

static int acquire_private(kr_semaphore *semaphore, kr_time deadline)
{
    do {
        int err = kri_wait_to_take(&semaphore->value, 0, deadline, 0, describe, take_for_waiter);
        if (err == KRI_TAKEN)
            return 0;
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    } while (!kri_semaphore_take(&semaphore->value, 0));
    return 0;
}

static int acquire_shared(kr_semaphore *semaphore, kr_time deadline)
{
    kr_time began = 0;
    uint32_t slept = 0;
    bool taken = kri_spin_word(&semaphore->value, 0, deadline, &semaphore->hint, &began) &&
                 kri_semaphore_take(&semaphore->value, 0);
    while (!taken) {
        int err = kri_semaphore_sleep(semaphore, deadline);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        if (err != -EAGAIN)
            slept = KRI_SEMAPHORE_WAITERS;
        taken = kri_semaphore_take(&semaphore->value, slept);
    }
    kri_spin_word_learn(&semaphore->hint, began);
    return 0;
}

int kr_semaphore_acquire(kr_semaphore *semaphore, kr_time timeout)
{
    unsigned flags = semaphore->flags;
    if (timeout < 0)
        return -EINVAL;
    if (__builtin_expect(flags & KRI_SEMAPHORE_OWNED, 0))
        return kri_semaphore_acquire_owned(semaphore, timeout);
    if (kri_semaphore_take(&semaphore->value, 0))
        return 0;
    if (timeout == KR_NOWAIT)
        return -ETIMEDOUT;
    kr_time deadline = kri_deadline(timeout);
    return flags ? acquire_shared(semaphore, deadline) : acquire_private(semaphore, deadline);
}

int kr_semaphore_release(kr_semaphore *semaphore, int permits)
{
    unsigned flags = semaphore->flags;
    if (permits < 1)
        return -EINVAL;
    if (__builtin_expect(flags & KRI_SEMAPHORE_OWNED, 0))
        return kri_semaphore_release_owned(semaphore, (uint32_t)permits);
    uint32_t most = semaphore->bound != 0 ? semaphore->bound : KR_SEMAPHORE_MAX;
    uint32_t old = kri_load_rlx(&semaphore->value);
    uint32_t value;
    if (flags)
        kri_spin_word_note_waker(&semaphore->hint);
    do {
        value = old & KR_SEMAPHORE_MAX;
        if (value > most || (uint32_t)permits > most - value)
            return -EOVERFLOW;
    } while (!kri_cas_sc(&semaphore->value, &old, value + (uint32_t)permits)); /* [semaphore-1] */
    if (!flags)
        kri_wake(&semaphore->value, permits, 0);
    else if (old & KRI_SEMAPHORE_WAITERS)
        kri_wake(&semaphore->value, permits, KRI_SHARED);
    return 0;
}

unsigned kr_semaphore_value(const kr_semaphore *semaphore)
{
    return kri_load_rlx(&semaphore->value) & KR_SEMAPHORE_MAX;
}

bool kri_semaphore_is_plain(const kr_semaphore *s)
{
    return s->flags == KRI_SEMAPHORE_SHARED && s->holder_count == 0 && s->holders == 0;
}
