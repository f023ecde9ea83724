/* Letting time pass, and letting others run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/loop.h"

#include "base/atomic.h"
#include "os/os.h"

int kr_sleep(kr_time duration)
{
    if (duration < 0)
        return -EINVAL;
    if (duration == 0)
        return kr_yield();
    kr_word word = {0};
    kr_time deadline = kri_deadline(duration);
    int err;
    do {
        err = kri_wait(&word, 0, deadline, KRI_NO_SPIN | (duration == KR_FOREVER ? 0 : KRI_IDLE));
    } while (err == 0 || err == -EAGAIN);
    return err == -ETIMEDOUT ? 0 : err;
}

int kr_yield(void)
{
    kri_runner *self = kri_runner_self();
    if (self == NULL) {
        os_yield();
    } else if (self->loop->ready.count != 0 || self->loop->budget == 0) {
        kri_runner_ready(self);
        kri_runner_suspend(self->loop);
    } else {
        self->loop->budget--;
    }
    return kr_cancelled() ? -ECANCELED : 0;
}
