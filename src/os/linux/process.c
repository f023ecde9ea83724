/* Processes and signals.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "os/linux/held.h"
#include "os/os.h"
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

pid_t os_process_id(void)
{
    return getpid();
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
