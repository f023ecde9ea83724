/* Child processes: making, knowing, reaping.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/child.h"
#include "os/linux/read_start.h"
#include "os/linux/libc.h"
#include <dirent.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Linux 5.1 to 5.4; the kernel headers of the build may be older. */
#ifndef SYS_pidfd_send_signal
#define SYS_pidfd_send_signal 424
#endif
#ifndef SYS_pidfd_open
#define SYS_pidfd_open 434
#endif
enum { BY_PIDFD = 3 }; /* P_PIDFD */

static int result_of(int64_t result)
{
    return result < 0 ? -errno : (int)result;
}

pid_t os_fork(void)
{
    int saved = errno;
    pid_t pid = result_of(fork());
    errno = saved;
    return pid;
}

static int spawn(pid_t *pid, posix_spawn_file_actions_t *actions, const char *name,
                 const char *argument, int descriptor)
{
    char *arguments[] = {(char *)(uintptr_t)name, (char *)(uintptr_t)argument, NULL};
    int error = posix_spawn_file_actions_adddup2(actions, descriptor, OS_SPAWNED);
    if (error == 0)
        error = posix_spawn_file_actions_addclosefrom_np(actions, OS_SPAWNED + 1);
    if (error == 0)
        error = posix_spawn(pid, "/proc/self/exe", actions, NULL, arguments, environ);
    return error;
}

pid_t os_spawn_self(const char *name, const char *argument, int descriptor)
{
    posix_spawn_file_actions_t actions;
    pid_t pid = 0;
    int saved = errno;
    int error = posix_spawn_file_actions_init(&actions);
    if (error == 0) {
        error = spawn(&pid, &actions, name, argument, descriptor);
        posix_spawn_file_actions_destroy(&actions);
    }
    errno = saved;
    return error != 0 ? -error : pid;
}

int os_thread_count(void)
{
    char text[1024];
    /* In /proc/self/stat qemu's user emulation has none. */
    if (kri_read_start("/proc/thread-self/stat", text, sizeof text) <= 0)
        return 0;
    char *at = strrchr(text, ')');
    enum { FIELDS_BEFORE = 18 }; /* the 20th; the second is a name, which may hold anything */
    for (int i = 0; at != NULL && i < FIELDS_BEFORE; i++)
        at = strchr(at + 1, ' ');
    return at != NULL ? atoi(at) : 0;
}

/* The first thread stays as a zombie while there are others. */
bool os_is_left_alone(void)
{
    char text[1024];
    if (kri_read_start("/proc/self/stat", text, sizeof text) <= 0)
        return false;
    const char *at = strrchr(text, ')');
    return at != NULL && at[1] == ' ' && at[2] == 'Z' && os_thread_count() == 2;
}

bool os_argument_begins(const char *s)
{
    char text[8192];
    ssize_t length = kri_read_start("/proc/self/cmdline", text, sizeof text);
    if (length <= 0)
        return false;
    size_t first = strlen(text) + 1;
    return first < (size_t)length && strncmp(text + first, s, strlen(s)) == 0;
}

void os_exit_now(int status)
{
    _exit(status);
}

void os_flush_standard(void)
{
    int saved = errno;
    fflush(stdout);
    fflush(stderr);
    errno = saved;
}

int os_pidfd_open(pid_t id)
{
    int saved = errno;
    int fd = result_of(syscall(SYS_pidfd_open, id, 0));
    errno = saved;
    return os_above_standard(fd);
}

int os_poll_some(const int *descriptors, bool *ready, int count, kr_time deadline)
{
    enum { MOST = 1056 };
    struct pollfd fds[MOST];
    int some = count < MOST ? count : MOST;
    for (int i = 0; i < some; i++)
        fds[i] = (struct pollfd){.fd = descriptors[i], .events = POLLIN};
    struct timespec left = {0}, *timeout = NULL;
    if (deadline != OS_NEVER) {
        kr_time rest = deadline - os_now();
        rest = rest < 0 ? 0 : rest;
        left = (struct timespec){rest / 1000000000, rest % 1000000000};
        timeout = &left;
    }
    int saved = errno;
    int found = result_of(ppoll(fds, (nfds_t)some, timeout, NULL));
    errno = saved;
    for (int i = 0; i < count; i++)
        ready[i] = i < some && found > 0 && fds[i].revents != 0;
    return found == 0 ? -ETIMEDOUT : found;
}

bool os_pidfd_over(int pidfd)
{
    bool ready;
    return os_poll_some(&pidfd, &ready, 1, 0) > 0 && ready;
}

int os_pidfd_signal(int pidfd, int signo)
{
    int saved = errno;
    int error = result_of(syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0));
    errno = saved;
    return error;
}

static int code_of(const siginfo_t *info)
{
    return info->si_code == CLD_EXITED ? info->si_status : -info->si_status;
}

/* The system's own call tells of resources, too. */
static pid_t reap(int kind, id_t id, int *code, uint64_t *max_rss)
{
    siginfo_t info = {0};
    struct rusage used = {0};
    int saved = errno;
    int error = result_of(syscall(SYS_waitid, kind, id, &info, WEXITED | WNOHANG, &used));
    errno = saved;
    if (error == 0 && info.si_pid != 0) {
        *code = code_of(&info);
        *max_rss = (uint64_t)used.ru_maxrss * 1024;
    }
    return error < 0 ? error : info.si_pid;
}

int os_pidfd_reap(int pidfd, int *code, uint64_t *max_rss)
{
    pid_t pid = reap(BY_PIDFD, (id_t)pidfd, code, max_rss);
    return pid == 0 ? -EAGAIN : pid < 0 ? pid : 0;
}

int os_child_reap(pid_t id)
{
    int code;
    uint64_t unused;
    pid_t pid = reap(P_PID, (id_t)id, &code, &unused);
    return pid == 0 ? -EAGAIN : pid < 0 ? pid : 0;
}

pid_t os_reap_any(int *code, uint64_t *max_rss)
{
    return reap(P_ALL, 0, code, max_rss);
}

/* Signals. */

uint64_t os_signal_mask(void)
{
    sigset_t set;
    uint64_t mask = 0;
    pthread_sigmask(SIG_SETMASK, NULL, &set);
    for (int signo = 1; signo <= OS_SIGNALS; signo++)
        mask |= sigismember(&set, signo) == 1 ? (uint64_t)1 << (signo - 1) : 0;
    return mask;
}

void os_signal_set_mask(uint64_t mask)
{
    sigset_t set;
    sigemptyset(&set);
    for (int signo = 1; signo <= OS_SIGNALS; signo++)
        if (mask >> (signo - 1) & 1)
            sigaddset(&set, signo);
    pthread_sigmask(SIG_SETMASK, &set, NULL);
}

bool os_signal_ignore(int signo, bool ignore)
{
    struct sigaction action = {.sa_handler = ignore ? SIG_IGN : SIG_DFL}, old;
    int saved = errno;
    int error = sigaction(signo, &action, &old);
    errno = saved;
    return error == 0 && old.sa_handler == SIG_IGN;
}

int os_child_signal_open(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    int saved = errno;
    signal(SIGCHLD, SIG_DFL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int fd = result_of(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
    errno = saved;
    return os_above_standard(fd);
}

void os_child_signal_clear(int descriptor)
{
    struct signalfd_siginfo info;
    int saved = errno;
    while (read(descriptor, &info, sizeof info) > 0)
        continue;
    errno = saved;
}
