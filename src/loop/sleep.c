/* Letting time pass, and letting others run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include "base/atomic.h"
#include "os/os.h"

/* On a word, by which the report of a stall tells of it. */
static int sleep_for_ever(void)
{
    kr_word word = {0};
    int err;
    do {
        err = kri_wait(&word, 0, KRI_NEVER, KRI_NO_SPIN);
    } while (err == 0 || err == -EAGAIN);
    return err;
}

int kr_sleep(kr_time duration)
{
    if (duration < 0)
        return -EINVAL;
    if (duration == 0)
        return kr_yield();
    int err = duration == KR_FOREVER ? sleep_for_ever() : kri_pause(kri_deadline(duration));
    return err == -ETIMEDOUT ? 0 : err;
}

/* The same as kr_cancelled, and at hand where there is no time limit. */
static bool is_cancelled(void)
{
    const kr_cancel_scope *scope = kri_party_self()->scope;
    if (scope == NULL || (scope->deadline == KRI_NEVER && !kri_scope_marked(scope)))
        return false;
    return kr_cancelled();
}

int kr_yield(void)
{
    kri_runner *self = kri_runner_self();
    if (self != NULL)
        kri_runner_yield(self);
    else
        os_yield();
    return is_cancelled() ? -ECANCELED : 0;
}
