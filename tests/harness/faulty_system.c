/* What the system may refuse to make, each with the error that it is likeliest to have.  See
 * faulty.c for how a call comes here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"

#include "base/atomic.h"
#include "os/child.h"
#include "os/events.h"
#include "os/io.h"
#include "os/message.h"
#include "os/net.h"
#include "os/os.h"
#include "os/spawn.h"
#include "os/stack.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define REFUSED(error, name, parameters, ...)                                                      \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        return faulty_fails(FAULTY_SYSTEM) ? (error) : __real_##name(__VA_ARGS__);                 \
    }

#define REFUSED_BARE(error, name)                                                                  \
    int __real_##name(void);                                                                       \
    int __wrap_##name(void);                                                                       \
    int __wrap_##name(void)                                                                        \
    {                                                                                              \
        return faulty_fails(FAULTY_SYSTEM) ? (error) : __real_##name();                            \
    }

/* Loops. */
REFUSED_BARE(-EMFILE, os_bell_create)
REFUSED_BARE(-ENFILE, os_events_create)
REFUSED(-ENOSPC, os_events_add, (int events, int fd), events, fd)
REFUSED(-ENOMEM, os_events_add_bell, (int events, int bell), events, bell)
REFUSED(-EAGAIN, os_thread_start,
        (os_thread * thread, void (*run)(void *), void *arg, bool block_signals,
         const os_thread_options *options),
        thread, run, arg, block_signals, options)
REFUSED(-ENOMEM, os_stack_guard_light, (void *pages, size_t size), pages, size)
REFUSED(-ENOMEM, os_stack_guard_mapped, (void *pages, size_t size), pages, size)
REFUSED(-ENOMEM, os_signal_stack_begin, (os_signal_stack * stack), stack)

WRAPPED(void *, os_stack_map, size_t size)
{
    return faulty_fails(FAULTY_SYSTEM) ? NULL : __real_os_stack_map(size);
}

/* Descriptors. */
REFUSED(-EMFILE, os_open, (const char *path, int flags, unsigned mode), path, flags, mode)
REFUSED(-ENFILE, os_accept, (int fd, struct sockaddr *from, socklen_t *from_size), fd, from,
        from_size)
REFUSED(-ENFILE, os_net_socket, (unsigned family, bool datagram), family, datagram)
REFUSED(-EMFILE, os_net_bind,
        (const os_address *address, const os_net_options *options, os_address *bound), address,
        options, bound)
REFUSED_BARE(-EMFILE, os_watch_create)
REFUSED(-ENOSPC, os_watch_add_for, (int watch, int fd, unsigned events), watch, fd, events)
REFUSED(-ENOSPC, os_net_watch_connect, (int watch, int fd, uint64_t key), watch, fd, key)
REFUSED(-EMFILE, os_call_pair, (int *hears, int *calls), hears, calls)
REFUSED(-EMFILE, os_rights_pair, (int fds[2]), fds)
REFUSED(-EMFILE, os_duplicate, (int fd), fd)

WRAPPED(int, os_net_connect, const os_address *address, int *fd)
{
    *fd = -1;
    return faulty_fails(FAULTY_SYSTEM) ? -EMFILE : __real_os_net_connect(address, fd);
}

static bool refuses_flags(int flags)
{
    enum { NO_SIGNAL = 0x100 };
    if (!faulty_fails(FAULTY_NO_FLAGS) && !((flags & NO_SIGNAL) && faulty_fails(FAULTY_NO_FLAG)))
        return false;
    errno = EOPNOTSUPP;
    return true;
}

#ifdef RWF_NOWAIT
WRAPPED(ssize_t, pwritev2, int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    return refuses_flags(flags) ? -1 : __real_pwritev2(fd, parts, count, offset, flags);
}
#else /* the C library has none, and krait asks the system itself: see src/os/linux/libc.h */
WRAPPED(long, syscall, long number, ...)
{
    long with[6];
    va_list arguments;
    va_start(arguments, number);
    for (int i = 0; i < 6; i++)
        with[i] = va_arg(arguments, long);
    va_end(arguments);
    if (number == SYS_pwritev2 && refuses_flags((int)with[5]))
        return -1;
    return __real_syscall(number, with[0], with[1], with[2], with[3], with[4], with[5]);
}
#endif

/* Processes. */
REFUSED(-EMFILE, os_spawn_pipe, (int ends[2], int mine), ends, mine)
REFUSED_BARE(-ENFILE, os_spawn_null)
REFUSED(-EAGAIN, os_spawn_program, (const os_spawn *s), s)
REFUSED(-EMFILE, os_pidfd_open, (pid_t id), id)
REFUSED_BARE(-EAGAIN, os_fork)
REFUSED(-ENOMEM, os_spawn_self, (const char *name, const char *argument, int descriptor), name,
        argument, descriptor)
REFUSED(-EMFILE, os_channel_create, (int ends[2]), ends)
REFUSED(-EMFILE, os_life_create, (int ends[2]), ends)
REFUSED(-EMFILE, os_duplicate_above, (int descriptor), descriptor)

static struct {
    void (*fn)(void *arg);
    void *arg;
    kr_word asked;
} before_kill;

void faulty_before_kill(void (*fn)(void *arg), void *arg)
{
    before_kill.fn = fn;
    before_kill.arg = arg;
    kri_store_sc(&before_kill.asked, 1);
}

WRAPPED(int, os_pidfd_signal, int pidfd, int signo)
{
    if (signo == SIGKILL && kri_swap_sc(&before_kill.asked, 0))
        before_kill.fn(before_kill.arg);
    return __real_os_pidfd_signal(pidfd, signo);
}
