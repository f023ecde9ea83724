/* Processes and signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "os/linux/held.h"
#include "os/linux/read_start.h"
#include "os/os.h"
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Linux 5.3; the kernel headers of the build may be older. */
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif

const char *os_program_name(void)
{
    return program_invocation_short_name;
}

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
    char path[48], text[1024];
    /* As others see it: qemu's user emulation makes up what a process reads of itself in the file
     * one level higher, with another time. */
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)id, (int)id);
    return kri_read_start(path, text, sizeof text) > 0 ? start_in(text) : 0;
}

/* Of a child of this process: its parent may ask.  -ECHILD: it is no such. */
static int child_has_ended(pid_t id)
{
    siginfo_t info = {.si_pid = 0};
    if (waitid(P_PID, (id_t)id, &info, WEXITED | WNOHANG | WNOWAIT | __WALL) < 0)
        return -errno;
    return info.si_pid == id;
}

/* The first thread has ended, or never was a program. */
static bool has_no_program(const char *path)
{
    char text[1];
    return readlink(path, text, sizeof text) < 0 && errno == ENOENT;
}

/* By the names in /proc alone.  The first thread is over when its program is gone; it stays in the
 * list of threads until all others have ended.  In this order, because others may be started while
 * it lives; and looked at again, because one of the others may have replaced the program and is the
 * first now. */
static bool is_remains(pid_t id)
{
    enum { ENTRIES_OF_NONE = 2 };
    char program[40], threads[40];
    struct stat list;
    snprintf(program, sizeof program, "/proc/%d/exe", (int)id);
    snprintf(threads, sizeof threads, "/proc/%d/task", (int)id);
    return has_no_program(program) && stat(threads, &list) == 0 &&
           list.st_nlink == ENTRIES_OF_NONE + 1 && has_no_program(program);
}

/* The number is nobody's any more, or that of a mere thread: kill takes that one for its process,
 * which is asked for here by the same number. */
static bool is_no_process(pid_t id)
{
    return syscall(SYS_tgkill, id, id, 0) < 0 && errno == ESRCH;
}

/* Where no descriptor can be had: there are too many, or the system is too old. */
static bool has_ended_by_name(pid_t id)
{
    if (is_no_process(id))
        return true;
    int ended = child_has_ended(id);
    return ended >= 0 ? ended : is_remains(id);
}

/* Why no descriptor could be had: the process is gone, or the number is that of a mere thread now,
 * which is EINVAL, or ENOENT in newer systems. */
static bool names_no_process(int error)
{
    return error == ESRCH || error == EINVAL || error == ENOENT;
}

/* A process descriptor is readable once the whole process is over, reaped or not.  The state in
 * /proc is no proof: it is that of the first thread, which may end before the others.  A signal is
 * refused by the zombie of another user, too. */
static bool has_ended(pid_t id)
{
    if (kill(id, 0) < 0 && errno == ESRCH)
        return true;
    int fd = (int)syscall(SYS_pidfd_open, id, 0);
    if (fd < 0 && names_no_process(errno))
        return true;
    if (fd < 0)
        return has_ended_by_name(id);
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

bool os_signal_can_be_caught(int signo)
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
    if (!os_signal_can_be_caught(signo))
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
    if (!os_signal_can_be_caught(signo))
        return -EINVAL;
    if (!caught[signo])
        return 0;
    int saved = errno;
    sigaction(signo, &before_catch[signo], NULL);
    errno = saved;
    caught[signo] = false;
    return 0;
}

bool os_signal_is_default(int signo)
{
    struct sigaction action = {.sa_handler = SIG_IGN};
    int saved = errno;
    sigaction(signo, NULL, &action);
    errno = saved;
    return action.sa_handler == SIG_DFL;
}

void os_signal_send(int signo)
{
    int saved = errno;
    kill(getpid(), signo);
    errno = saved;
}
