/* Reading and writing whatever a descriptor may be.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/file.h"
#include "io/socket.h"
#include <krait/io.h>

static int64_t read_other(int fd, void *bytes, size_t size)
{
    int64_t got = os_read_now(fd, bytes, size);
    if (got != -EOPNOTSUPP)
        return got;
    kri_mutex *alone = kri_alone_lock(fd);
    kri_mutex_lock(alone);
    got = os_read_ready(fd, bytes, size);
    kri_mutex_unlock(alone);
    return got;
}

static int64_t write_other(int fd, const void *bytes, size_t size)
{
    int64_t written = os_write_now(fd, bytes, size);
    if (written != -EOPNOTSUPP)
        return written;
    kri_mutex *alone = kri_alone_lock(fd);
    kri_mutex_lock(alone);
    written = os_write_ready(fd, bytes, size);
    kri_mutex_unlock(alone);
    return written;
}

static __attribute__((noinline)) int64_t read_no_socket(int fd, void *bytes, size_t size,
                                                        kr_time timeout)
{
    int kind = kri_kind(fd);
    if (kind < 0)
        return kind;
    if (kind == OS_FILE)
        return kri_file_read(fd, bytes, size, timeout);
    if (size == 0)
        return os_read(fd, bytes, 0);
    kri_tries tries = {.fd = fd, .events = OS_READABLE, .timeout = timeout};
    int64_t got;
    do {
        got = read_other(fd, bytes, size);
    } while (got == -EAGAIN && kri_try_again(&tries, &got));
    return kri_got(got, timeout);
}

static __attribute__((noinline)) int64_t write_no_socket(int fd, const void *bytes, size_t size,
                                                         kr_time timeout)
{
    int kind = kri_kind(fd);
    if (kind < 0)
        return kind;
    if (kind == OS_FILE)
        return kri_file_write(fd, bytes, size, timeout);
    if (size == 0)
        return os_write(fd, bytes, 0);
    kri_tries tries = {.fd = fd, .events = OS_WRITABLE, .timeout = timeout};
    int64_t written;
    do {
        written = write_other(fd, bytes, size);
    } while (written == -EAGAIN && kri_try_again(&tries, &written));
    return kri_got(written, timeout);
}

/* Most are sockets, and those that are not say so. */
static bool may_be_socket(const kri_descriptor *known)
{
    return kri_descriptor_kind(known) != OS_OTHER;
}

int64_t kr_read(int fd, void *bytes, size_t size, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    kri_descriptor *known = kri_descriptor_known(fd);
    int64_t got = -ENOTSOCK;
    if (size > 0 && may_be_socket(known))
        got = kri_recv(known, fd, bytes, size, 0, timeout);
    return got != -ENOTSOCK ? got : read_no_socket(fd, bytes, size, timeout);
}

/* With a timeout that is not negative. */
static inline int64_t write_some(int fd, const void *bytes, size_t size, kr_time timeout)
{
    int64_t written = -ENOTSOCK;
    if (may_be_socket(kri_descriptor_known(fd)))
        written = kri_send(fd, bytes, size, 0, timeout);
    return written != -ENOTSOCK ? written : write_no_socket(fd, bytes, size, timeout);
}

int64_t kr_write(int fd, const void *bytes, size_t size, kr_time timeout)
{
    return timeout < 0 ? -EINVAL : write_some(fd, bytes, size, timeout);
}

/* A driver may neither take nor refuse: -EIO. */
static __attribute__((noinline)) int write_rest(int fd, const char *bytes, size_t size,
                                                size_t *done, kr_time deadline)
{
    while (*done < size) {
        int64_t more = write_some(fd, bytes + *done, size - *done, kri_left_until(deadline));
        if (more <= 0)
            return more < 0 ? (int)more : -EIO;
        *done += (size_t)more;
    }
    return 0;
}

int kr_write_all(int fd, const void *bytes, size_t size, size_t *written, kr_time timeout)
{
    if (timeout < 0 || size == 0) {
        if (written != NULL)
            *written = 0;
        return timeout < 0 ? -EINVAL : 0;
    }
    int64_t first = write_some(fd, bytes, size, timeout); /* mostly all of it */
    size_t done = first > 0 ? (size_t)first : 0;
    int err = first > 0 ? 0 : first < 0 ? (int)first : -EIO;
    if (err == 0 && done < size)
        err = write_rest(fd, bytes, size, &done, kri_deadline(timeout));
    if (written != NULL)
        *written = done;
    return err;
}
