/* What the files of src/io share with each other and with nobody else.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_IO_IO_H
#define KRI_IO_IO_H

#include "loop/descriptor.h"
#include "os/io.h"
#include "os/os.h"
#include "wait/wait.h"

/* A call that is tried again and again until it has something to say. */
typedef struct kri_tries {
    int fd;
    unsigned events; /* what to wait for between them */
    kr_time timeout;
    kr_time deadline; /* of the timeout; 0: not looked at the clock yet */
    bool waited;      /* the descriptor was ready, at least once */
    unsigned vain;    /* tries in a row after which it still was, and so not for others */
} kri_tries;

/* kri_try_again - after a try that found nothing, *result == -EAGAIN: wait, and true: try once
 * more; false: *result is the error. */
bool kri_try_again(kri_tries *tries, int64_t *result);

/* kri_try_later - the same where nothing tells when it is worth while: after a nap. */
bool kri_try_later(kri_tries *tries, int64_t *result);

/* kri_wait_ready - kri_wait_fd, and kr_close ends a thread's wait, too. */
int kri_wait_ready(int fd, unsigned events, kr_time deadline);

/* kri_got - what a call answers, see kri_descriptor_served.  With KR_NOWAIT nobody gives way. */
static inline int64_t kri_got(int64_t result, kr_time timeout)
{
    if (result >= 0 && timeout != KR_NOWAIT)
        kri_descriptor_served();
    return result;
}

/* kri_alone_lock - for a look at a descriptor and a call that relies on it: nobody else in this
 * process does such a thing meanwhile. */
kri_mutex *kri_alone_lock(int fd);

/* kri_kind - what the descriptor is, from memory where possible; never OS_UNKNOWN. */
int kri_kind(int fd);

#endif
