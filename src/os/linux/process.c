/* Processes and signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "os/linux/held.h"
#include "os/os.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.3; the kernel headers of the build may be older. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

pid_t os_process_id(void)
{
    return getpid();
}

/* The 22nd field of the line; the second is a name, which may hold anything. */
static uint64_t start_in(char *line)
{
    enum { FIELDS_BEFORE = 20 };
    char *at = strrchr(line, ')');
    for (int i = 0; at != NULL && i < FIELDS_BEFORE; i++)
        at = strchr(at + 1, ' ');
    return at != NULL ? strtoull(at, NULL, 10) : 0;
}

uint64_t os_process_start(pid_t id)
{
    char text[1024];
    int saved = errno;
    snprintf(text, sizeof text, "/proc/%d/stat", (int)id);
    int fd = open(text, O_RDONLY | O_CLOEXEC);
    ssize_t length = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    if (fd >= 0)
        close(fd);
    errno = saved;
    if (length <= 0)
        return 0;
    text[length] = '\0';
    return start_in(text);
}

/* A process descriptor is readable once the whole process is over, reaped or not.  The state in
 * /proc is no proof: it is that of the first thread, which may end before the others. */
static bool has_ended(pid_t id)
{
    if (kill(id, 0) < 0)
        return errno == ESRCH;
    int fd = (int)syscall(SYS_pidfd_open, id, 0);
    if (fd < 0)
        return errno == ESRCH || errno == EINVAL; /* EINVAL: the number of a mere thread now */
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    bool ended = poll(&poll_fd, 1, 0) == 1 && (poll_fd.revents & POLLIN);
    close(fd);
    return ended;
}

bool os_process_ended(pid_t id)
{
    int saved = errno;
    bool ended = has_ended(id);
    errno = saved;
    return ended;
}

int os_at_fork(void (*prepare)(void), void (*parent)(void), void (*child)(void))
{
    return -pthread_atfork(prepare, parent, child);
}

int os_at_exit(void (*fn)(void))
{
    return atexit(fn) == 0 ? 0 : -ENOMEM;
}

static struct sigaction before_catch[OS_SIGNALS + 1] KRI_GLOBAL;
static bool caught[OS_SIGNALS + 1] KRI_GLOBAL;

static bool catchable(int signo)
{
    switch (signo) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGSYS:
    case SIGABRT:
        return false;
    default:
        return signo >= 1 && signo <= OS_SIGNALS;
    }
}

int os_signal_catch(int signo, void (*handler)(int signo))
{
    if (!catchable(signo))
        return -EINVAL;
    struct sigaction action = {.sa_handler = handler};
    struct sigaction old;
    int saved = errno;
    kri_run_held_signals();
    int error = sigaction(signo, &action, &old) == 0 ? 0 : -errno;
    errno = saved;
    if (error == 0 && !caught[signo]) {
        before_catch[signo] = old;
        caught[signo] = true;
    }
    return error;
}

int os_signal_release(int signo)
{
    if (!catchable(signo))
        return -EINVAL;
    if (!caught[signo])
        return 0;
    int saved = errno;
    sigaction(signo, &before_catch[signo], NULL);
    errno = saved;
    caught[signo] = false;
    return 0;
}
