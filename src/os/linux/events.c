/* Events of many descriptors: epoll, edge-triggered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/events.h"

#include "os/child.h"
#include "os/os.h"

#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SPECIAL = EPOLLRDHUP | EPOLLHUP | EPOLLERR | EPOLLPRI,
    EVERYTHING = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLPRI,
};

static int settle(int result, int saved)
{
    if (result < 0)
        result = -errno;
    errno = saved;
    return result;
}

int os_events_create(void)
{
    int saved = errno;
    return os_above_standard(settle(epoll_create1(EPOLL_CLOEXEC), saved));
}

static int control(int events, int operation, int fd, uint32_t what)
{
    int saved = errno;
    struct epoll_event event = {.events = what, .data.fd = fd};
    return settle(epoll_ctl(events, operation, fd, &event), saved);
}

int os_events_add(int events, int fd)
{
    return control(events, EPOLL_CTL_ADD, fd, EVERYTHING | (uint32_t)EPOLLET);
}

int os_events_again(int events, int fd)
{
    return control(events, EPOLL_CTL_MOD, fd, EVERYTHING | (uint32_t)EPOLLET);
}

void os_events_remove(int events, int fd)
{
    (void)control(events, EPOLL_CTL_DEL, fd, 0);
}

int os_events_add_bell(int events, int bell)
{
    return control(events, EPOLL_CTL_ADD, bell, EPOLLIN);
}

/* Kernels before 5.11 know milliseconds only; these are rounded up, so that nobody wakes too early
 * and spins. */
static int wait_in_ms(int events, struct epoll_event *list, kr_time left)
{
    int64_t ms = left < 0 ? -1 : left / 1000000 + (left % 1000000 != 0);
    return epoll_wait(events, list, OS_EVENTS_AT_ONCE, ms > INT32_MAX ? INT32_MAX : (int)ms);
}

static int wait_until(int events, struct epoll_event *list, kr_time deadline, kr_time now)
{
    if (deadline == 0 || deadline == OS_NEVER)
        return epoll_wait(events, list, OS_EVENTS_AT_ONCE, deadline == 0 ? 0 : -1);
    kr_time left = deadline - (now != 0 ? now : os_now());
    if (left < 0)
        left = 0;
#ifdef SYS_epoll_pwait2
    struct timespec timeout = {left / 1000000000, left % 1000000000};
    int got =
        (int)syscall(SYS_epoll_pwait2, events, list, OS_EVENTS_AT_ONCE, &timeout, NULL, (size_t)8);
    if (got >= 0 || errno != ENOSYS)
        return got;
#endif
    return wait_in_ms(events, list, left);
}

static unsigned ready_of(uint32_t events)
{
    if (events & (EPOLLERR | EPOLLHUP))
        return OS_READABLE | OS_WRITABLE;
    return (events & (EPOLLIN | EPOLLRDHUP | EPOLLPRI) ? OS_READABLE : 0) |
           (events & EPOLLOUT ? OS_WRITABLE : 0);
}

int os_events_wait(int events, os_event *list, kr_time deadline, kr_time now)
{
    int saved = errno;
    struct epoll_event got[OS_EVENTS_AT_ONCE];
    int count = settle(wait_until(events, got, deadline, now), saved);
    for (int i = 0; i < count; i++)
        list[i] = (os_event){.fd = got[i].data.fd,
                             .ready = ready_of(got[i].events),
                             .special = (got[i].events & SPECIAL) != 0};
    return count;
}

uint64_t os_bell_take(int bell)
{
    int saved = errno;
    uint64_t count = 0;
    if (read(bell, &count, sizeof count) != sizeof count)
        count = 0;
    errno = saved;
    return count;
}
