/* Named pipes, opened without waiting.
 *
 * Who opens one for reading with O_NONBLOCK has it at once, and no event tells when a writer comes.
 * Readiness tells of bytes, and of writers that have come and gone.  A writer that has written
 * nothing yet makes tee(2) wait where it would say that there is an end; unlike a read it takes
 * nothing away.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/io.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

unsigned os_open_waits(const char *path, int flags)
{
    int saved = errno, access = flags & O_ACCMODE;
    struct stat about;
    if ((access != O_RDONLY && access != O_WRONLY) || (flags & (O_NONBLOCK | O_PATH)) != 0)
        return 0;
    bool waits = stat(path, &about) == 0 && S_ISFIFO(about.st_mode);
    errno = saved;
    return !waits ? 0 : access == O_RDONLY ? OS_READABLE : OS_WRITABLE;
}

int os_open_now(const char *path, int flags, unsigned mode)
{
    return os_open(path, flags | O_NONBLOCK, mode);
}

static int ask_by_tee(int fd)
{
    int copy[2];
    if (pipe2(copy, O_CLOEXEC) < 0)
        return -errno;
    bool alone = tee(fd, copy[1], 1, SPLICE_F_NONBLOCK) == 0;
    close(copy[0]);
    close(copy[1]);
    return alone ? -EAGAIN : 0;
}

int os_fifo_is_met(int fd)
{
    int saved = errno;
    int ready = os_poll(fd, OS_READABLE, -1, 0);
    int result = ready == -ETIMEDOUT || ready == -EINTR ? ask_by_tee(fd) : ready;
    errno = saved;
    return result < 0 ? result : 0;
}
