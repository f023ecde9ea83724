/* Bytes out of what is no socket, files, and the names of hosts.  For bytes into it see io_write.c.
 *
 * How to read without waiting from a descriptor that others want to block?  Newer kernels have a
 * flag for it, which not all drivers know.  Pipes have a second way, vmsplice; for the rest there
 * is a look with poll beforehand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/io.h"
#include "os/linux/libc.h"
#include "os/linux/memcheck.h"
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

/* The result of a system call: itself or its error; errno is put back. */
static int64_t settle(ssize_t result, int saved)
{
    int64_t settled = result < 0 ? -errno : result;
    errno = saved;
    return settled;
}

static bool again(ssize_t result)
{
    return result < 0 && errno == EINTR;
}

/* Without waiting */

static int64_t read_now(int fd, void *bytes, size_t size, int64_t offset)
{
    int saved = errno;
    struct iovec part = {bytes, size};
    ssize_t got;
    do {
        got = preadv2(fd, &part, 1, offset, RWF_NOWAIT);
    } while (again(got));
    if (got < 0 && errno == ENOSYS)
        errno = EOPNOTSUPP;
    return settle(got, saved);
}

int64_t os_pread_now(int fd, void *bytes, size_t size, int64_t offset)
{
    return offset >= 0 ? read_now(fd, bytes, size, offset) : -EINVAL;
}

/* memcheck takes every vmsplice for one that gives memory away, and would report what is not filled
 * yet. */
static ssize_t splice_out(int fd, void *bytes, size_t size)
{
    struct iovec part = {bytes, size};
    (void)VALGRIND_CHECK_MEM_IS_ADDRESSABLE(bytes, size);
    VALGRIND_DISABLE_ERROR_REPORTING;
    ssize_t got = vmsplice(fd, &part, size > 0, SPLICE_F_NONBLOCK);
    VALGRIND_ENABLE_ERROR_REPORTING;
    if (got > 0)
        (void)VALGRIND_MAKE_MEM_DEFINED(bytes, (size_t)got);
    return got;
}

int64_t os_read_now(int fd, void *bytes, size_t size)
{
    int64_t result = read_now(fd, bytes, size, -1);
    if (result != -EOPNOTSUPP)
        return result;
    int saved = errno;
    /* Into an end that writes it would write. */
    if ((fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    ssize_t got = splice_out(fd, bytes, size);
    result = settle(got, saved);
    return result >= 0 || result == -EAGAIN ? result : -EOPNOTSUPP;
}

int64_t os_read_ready(int fd, void *bytes, size_t size)
{
    int ready = os_poll(fd, OS_READABLE, -1, 0);
    if (ready < 0)
        return ready == -ETIMEDOUT || ready == -EINTR ? -EAGAIN : ready;
    int saved = errno;
    ssize_t got = read(fd, bytes, size);
    if (again(got))
        errno = EAGAIN;
    return settle(got, saved);
}

/* Files */

int64_t os_read(int fd, void *bytes, size_t size)
{
    int saved = errno;
    ssize_t got;
    do {
        got = read(fd, bytes, size);
    } while (again(got));
    return settle(got, saved);
}

int64_t os_write(int fd, const void *bytes, size_t size)
{
    int saved = errno;
    ssize_t written;
    do {
        written = write(fd, bytes, size);
    } while (again(written));
    return settle(written, saved);
}

int64_t os_pread(int fd, void *bytes, size_t size, int64_t offset)
{
    int saved = errno;
    ssize_t got;
    do {
        got = pread(fd, bytes, size, offset);
    } while (again(got));
    return settle(got, saved);
}

int64_t os_pwrite(int fd, const void *bytes, size_t size, int64_t offset)
{
    int saved = errno;
    ssize_t written;
    do {
        written = pwrite(fd, bytes, size, offset);
    } while (again(written));
    return settle(written, saved);
}

int os_fsync(int fd)
{
    int saved = errno;
    int result;
    do {
        result = fsync(fd);
    } while (again(result));
    return (int)settle(result, saved);
}

int os_open(const char *path, int flags, unsigned mode)
{
    int saved = errno;
    int fd;
    do {
        fd = open(path, flags | O_CLOEXEC, (mode_t)mode);
    } while (again(fd));
    return (int)settle(fd, saved);
}

int os_create(const char *path)
{
    return os_open(path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
}

/* Interrupted or not, the number is free. */
int os_close_for(int fd)
{
    int saved = errno;
    int result = close(fd);
    if (again(result))
        result = 0;
    return (int)settle(result, saved);
}

/* Names */

static int error_of(int error)
{
    switch (error) {
    case 0:
        return 0;
    case EAI_NONAME:
#ifdef EAI_NODATA
    case EAI_NODATA:
#endif
#ifdef EAI_ADDRFAMILY
    case EAI_ADDRFAMILY:
#endif
        return -ENOENT;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_BADFLAGS:
    case EAI_FAMILY:
    case EAI_SERVICE:
    case EAI_SOCKTYPE:
        return -EINVAL;
    default:
        return -EIO;
    }
}

int os_addresses(const char *host, const char *service, const struct addrinfo *hints,
                 struct addrinfo **list)
{
    int saved = errno;
    *list = NULL;
    int error = error_of(getaddrinfo(host, service, hints, list));
    errno = saved;
    return error;
}

void os_addresses_free(struct addrinfo *list)
{
    int saved = errno;
    if (list != NULL)
        freeaddrinfo(list);
    errno = saved;
}
