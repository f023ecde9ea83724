/* Opening a named pipe, which is to wait until somebody opens the other end.
 *
 * The system's own wait would need a thread for each, which no cancel ends, and some of them would
 * keep all other files waiting.  So it is opened without waiting, and asked again after naps:
 * nothing tells when the other end is there.  Who reads has it open meanwhile, so that a writer
 * finds him; who writes can have it only once there is a reader.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/file.h"

static int open_end(const char *path, int flags, unsigned mode, kri_tries *tries)
{
    int64_t fd;
    do {
        fd = os_open_now(path, flags, mode);
    } while (fd == -ENXIO && os_open_waits(path, flags) && kri_try_later(tries, &fd));
    return (int)fd;
}

int kri_fifo_open(const char *path, int flags, unsigned mode, unsigned end, kr_time timeout,
                  kr_time deadline)
{
    kri_tries tries = {.timeout = timeout, .deadline = deadline};
    int fd = open_end(path, flags, mode, &tries);
    if (fd < 0)
        return fd;
    int64_t met = 0;
    if (end == OS_READABLE) {
        do {
            met = os_fifo_is_met(fd);
        } while (met == -EAGAIN && kri_try_later(&tries, &met));
        if (met < 0 && os_fifo_is_met(fd) == 0) /* who has come meanwhile would find nobody */
            met = 0;
    }
    if (met == 0) {
        (void)os_make_blocking(fd);
        return fd;
    }
    os_close(fd);
    return (int)met;
}
