/* kr_semaphore: a word that holds the number of free permits.
 *
 * Protocol.  Acquire takes one off by compare-and-swap; at 0 it sleeps on the word.  Release adds
 * and wakes as many as it added.  Whoever is woken tries again; when somebody who came by was
 * faster, it sleeps again, and that one's permit comes back with its own wake.  A waiter that
 * leaves was not taken by a wake (kri_wait is exact about that), so no wake-up is lost with it.
 *
 * Ordering.
 *     [semaphore-1]  release gives what the releaser wrote to whoever takes the permit
 *     The release's change is sequentially consistent because kri_wake wants it so, and is the last
 *     touch of the object: who has got the permit may free it at once.  So bound is read before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "sync/internal.h"
#include "wait/stall.h"

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "a permit of a semaphore at %p", (const void *)word);
}

int kr_semaphore_init(kr_semaphore *semaphore, int64_t permits, int64_t bound)
{
    if (permits < 0 || permits > KR_SEMAPHORE_MAX || bound < 0 || bound > KR_SEMAPHORE_MAX)
        return -EINVAL;
    if (bound != 0 && permits > bound)
        return -EINVAL;
    *semaphore = (kr_semaphore){.bound = (uint32_t)bound};
    kri_store_rlx(&semaphore->value, (uint32_t)permits);
    return 0;
}

static bool take(kr_word *value)
{
    uint32_t free_permits = kri_load_rlx(value);
    while (free_permits > 0) {
        if (kri_cas_acq(value, &free_permits, free_permits - 1)) /* [semaphore-1] */
            return true;
    }
    return false;
}

int kr_semaphore_acquire(kr_semaphore *semaphore, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    if (take(&semaphore->value))
        return 0;
    kr_time deadline = kri_deadline(timeout);
    do {
        int err = kri_wait_for(&semaphore->value, 0, deadline, 0, describe);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
    } while (!take(&semaphore->value));
    return 0;
}

int kr_semaphore_release(kr_semaphore *semaphore, int permits)
{
    if (permits < 1)
        return -EINVAL;
    uint32_t most = semaphore->bound != 0 ? semaphore->bound : KR_SEMAPHORE_MAX;
    uint32_t value = kri_load_rlx(&semaphore->value);
    do {
        if (value > most || (uint32_t)permits > most - value)
            return -EOVERFLOW;
    } while (!kri_cas_sc(&semaphore->value, &value, value + (uint32_t)permits)); /* [semaphore-1] */
    kri_wake(&semaphore->value, permits, 0);
    return 0;
}

unsigned kr_semaphore_value(const kr_semaphore *semaphore)
{
    return kri_load_rlx(&semaphore->value);
}
