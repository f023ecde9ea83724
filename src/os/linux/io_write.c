/* Bytes into what is no socket, without waiting, and without SIGPIPE.
 *
 * The newest kernels have a flag for a write that raises no signal.  Where there is none the signal
 * is blocked for the time of the write, and taken away after one that has raised it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/io.h"
#include "os/spawn.h"
#include "os/linux/libc.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <sys/uio.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

/* Linux 6.18; the C library of the build may be older. */
#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100
#endif

enum { UNKNOWN, HAS_FLAG, HAS_NONE };
static KRI_GLOBAL kr_word no_signal_flag; /* atomic */

static int64_t write_flagged(int fd, const void *bytes, size_t size, int flags)
{
    struct iovec part = {(void *)(uintptr_t)bytes, size};
    ssize_t written;
    do {
        written = pwritev2(fd, &part, 1, -1, flags);
    } while (written < 0 && errno == EINTR);
    if (written < 0)
        return errno == ENOSYS ? -EOPNOTSUPP : -errno;
    return written;
}

static int64_t write_plain(int fd, const void *bytes, size_t size, int flags)
{
    (void)flags;
    ssize_t written = write(fd, bytes, size);
    return written < 0 ? -errno : written;
}

/* The signal of a write is sent to the writing thread.  One that had been pending, which it can
 * have been only where it was blocked, is left there. */
static int64_t write_masked(int64_t (*call)(int fd, const void *bytes, size_t size, int flags),
                            int fd, const void *bytes, size_t size, int flags)
{
    sigset_t broken, before, pending;
    sigemptyset(&broken);
    sigaddset(&broken, SIGPIPE);
    sigemptyset(&pending);
    pthread_sigmask(SIG_BLOCK, &broken, &before);
    if (sigismember(&before, SIGPIPE) == 1)
        sigpending(&pending);
    int64_t written = call(fd, bytes, size, flags);
    if (written == -EPIPE && sigismember(&pending, SIGPIPE) != 1)
        while (sigtimedwait(&broken, NULL, &(struct timespec){0, 0}) < 0 && errno == EINTR)
            continue;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return written;
}

/* Drivers that do not know the flags answer as an old kernel does: so what they say tells nothing
 * of the kernel, until one of them takes a write. */
static int64_t write_now(int fd, const void *bytes, size_t size)
{
    uint32_t known = kri_load_rlx(&no_signal_flag);
    if (known != HAS_NONE) {
        int64_t written = write_flagged(fd, bytes, size, RWF_NOWAIT | RWF_NOSIGNAL);
        if (written != -EOPNOTSUPP && known == UNKNOWN)
            kri_store_rlx(&no_signal_flag, HAS_FLAG);
        if (written != -EOPNOTSUPP || known == HAS_FLAG)
            return written;
    }
    int64_t written = write_masked(write_flagged, fd, bytes, size, RWF_NOWAIT);
    if (written != -EOPNOTSUPP && known == UNKNOWN)
        kri_store_rlx(&no_signal_flag, HAS_NONE);
    return written;
}

int64_t os_write_now(int fd, const void *bytes, size_t size)
{
    int saved = errno;
    int64_t written = write_now(fd, bytes, size);
    errno = saved;
    return written;
}

/* A terminal says that it is writable when it has a piece of 256 bytes left, and looks again before
 * each control character that it puts something else for. */
static size_t terminal_takes(const struct termios *mode, const char *bytes, size_t size)
{
    enum { PIECE = 256, FIRST_PRINTABLE = 0x20 };
    size_t most = size < PIECE ? size : PIECE;
    if (!(mode->c_oflag & OPOST))
        return most;
    size_t plain = 0;
    while (plain < most && (unsigned char)bytes[plain] >= FIRST_PRINTABLE)
        plain++;
    return plain > 0 ? plain : 1;
}

/* How much a descriptor that is writable is sure to take. */
static size_t taken_for_sure(int fd, const void *bytes, size_t size)
{
    struct termios mode;
    if (!os_blocks(fd))
        return size;
    if (tcgetattr(fd, &mode) == 0)
        return terminal_takes(&mode, bytes, size);
    return size < PIPE_BUF ? size : PIPE_BUF;
}

int64_t os_write_ready(int fd, const void *bytes, size_t size)
{
    int ready = os_poll(fd, OS_WRITABLE, -1, 0);
    int saved = errno;
    /* One that is open for reads alone is never ready, and would be waited for without end. */
    if (ready < 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDONLY)
        ready = -EBADF;
    errno = saved;
    if (ready < 0)
        return ready == -ETIMEDOUT || ready == -EINTR ? -EAGAIN : ready;
    int64_t written = write_masked(write_plain, fd, bytes, taken_for_sure(fd, bytes, size), 0);
    errno = saved;
    return written == -EINTR ? -EAGAIN : written;
}

int64_t os_spawn_write(int pipe, const void *bytes, size_t size)
{
    int saved = errno;
    int64_t written = write_now(pipe, bytes, size);
    if (written == -EOPNOTSUPP) {
        do {
            written = write_masked(write_plain, pipe, bytes, size, 0);
        } while (written == -EINTR);
    }
    errno = saved;
    return written;
}
