/* Descriptors: ready, and the bell that ends a poll.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/child.h"
#include "os/os.h"
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

static int poll_until(struct pollfd *fds, nfds_t count, kr_time deadline)
{
    struct timespec left;
    struct timespec *timeout = NULL;
    if (deadline != OS_NEVER) {
        kr_time rest = deadline - os_now();
        if (rest < 0)
            rest = 0;
        left = (struct timespec){rest / 1000000000, rest % 1000000000};
        timeout = &left;
    }
    int saved = errno;
    int ready = ppoll(fds, count, timeout, NULL);
    int error = ready < 0 ? -errno : ready;
    errno = saved;
    return error;
}

int os_poll(int first, unsigned events, int second, kr_time deadline)
{
    short wanted =
        (short)((events & OS_READABLE ? POLLIN : 0) | (events & OS_WRITABLE ? POLLOUT : 0));
    struct pollfd fds[2] = {{first, wanted, 0}, {second, POLLIN, 0}};
    if (first < 0)
        return -EBADF;
    int ready = poll_until(fds, second >= 0 ? 2 : 1, deadline);
    if (ready < 0)
        return ready;
    if (ready == 0)
        return -ETIMEDOUT;
    if (fds[0].revents & POLLNVAL)
        return -EBADF;
    if (fds[0].revents & (POLLERR | POLLHUP))
        return (int)events;
    return (fds[0].revents & POLLIN ? OS_READABLE : 0) |
           (fds[0].revents & POLLOUT ? OS_WRITABLE : 0);
}

int os_bell_create(void)
{
    int saved = errno;
    int bell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result = bell < 0 ? -errno : bell;
    errno = saved;
    return os_above_standard(result);
}

/* A full counter is a rung bell, so a failed write is no loss. */
void os_bell_ring(int bell)
{
    int saved = errno;
    uint64_t one = 1;
    ssize_t written = write(bell, &one, sizeof one);
    (void)written;
    errno = saved;
}

void os_bell_clear(int bell)
{
    int saved = errno;
    uint64_t count;
    ssize_t got = read(bell, &count, sizeof count);
    (void)got;
    errno = saved;
}

void os_close(int fd)
{
    int saved = errno;
    close(fd);
    errno = saved;
}
