/* Faults: accesses to memory that is not there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "base/global.h"
#include "os/stack.h"
#include <pthread.h>
#include <signal.h>
#include <string.h>
#ifndef _SC_MINSIGSTKSZ
#include <linux/auxvec.h>
#include <sys/auxv.h>
#endif
#include <unistd.h>

enum { FAULTS = 2, ROOM = 32 * 1024 };

static const int faults[FAULTS] = {SIGSEGV, SIGBUS};

static struct sigaction before_fault[FAULTS] KRI_GLOBAL;
static kri_pointer fault_look KRI_GLOBAL; /* void (*)(uintptr_t) */
static unsigned fault_watches KRI_GLOBAL;
static pthread_mutex_t fault_lock KRI_GLOBAL;

/* A fault happens again as the handler returns, and ends the process with its core; a signal that
 * somebody has sent does not, and is sent again. */
static void do_as_before(int signo, siginfo_t *info, void *context)
{
    struct sigaction *before = &before_fault[signo == SIGBUS];
    bool sent = info->si_code <= 0;
    if (before->sa_flags & SA_SIGINFO) {
        before->sa_sigaction(signo, info, context);
    } else if (before->sa_handler == SIG_IGN && sent) {
        return;
    } else if (before->sa_handler == SIG_DFL || before->sa_handler == SIG_IGN) {
        struct sigaction ending = {.sa_handler = SIG_DFL};
        sigaction(signo, &ending, NULL);
        if (sent)
            raise(signo);
    } else {
        before->sa_handler(signo);
    }
}

static void on_fault(int signo, siginfo_t *info, void *context)
{
    int saved = errno;
    void *look = kri_load_acq_ptr(&fault_look);
    if (info->si_code > 0 && look != NULL)
        ((void (*)(uintptr_t))(uintptr_t)look)((uintptr_t)info->si_addr);
    errno = saved;
    do_as_before(signo, info, context);
}

static bool is_ours(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) && action->sa_sigaction == on_fault;
}

void os_fault_watch_begin(void (*look)(uintptr_t address))
{
    struct sigaction ours = {.sa_sigaction = on_fault,
                             .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_RESTART};
    int saved = errno;
    pthread_mutex_lock(&fault_lock);
    kri_store_rel_ptr(&fault_look, (void *)(uintptr_t)look);
    for (int i = 0; fault_watches == 0 && i < FAULTS; i++) {
        struct sigaction now;
        sigaction(faults[i], NULL, &now);
        if (is_ours(&now))
            continue;
        before_fault[i] = now; /* before ours can be called */
        sigaction(faults[i], &ours, NULL);
    }
    fault_watches++;
    pthread_mutex_unlock(&fault_lock);
    errno = saved;
}

/* Whoever has come after us, and calls us, goes on doing so. */
void os_fault_watch_end(void)
{
    int saved = errno;
    pthread_mutex_lock(&fault_lock);
    fault_watches--;
    for (int i = 0; fault_watches == 0 && i < FAULTS; i++) {
        struct sigaction now;
        sigaction(faults[i], NULL, &now);
        if (is_ours(&now))
            sigaction(faults[i], &before_fault[i], NULL);
    }
    pthread_mutex_unlock(&fault_lock);
    errno = saved;
}

static long least_signal_stack(void)
{
#ifdef _SC_MINSIGSTKSZ
    return sysconf(_SC_MINSIGSTKSZ);
#else
    return (long)getauxval(AT_MINSIGSTKSZ);
#endif
}

/* The system's minimum grows with the processor's registers. */
int os_signal_stack_begin(os_signal_stack *stack)
{
    stack_t now;
    int saved = errno;
    *stack = (os_signal_stack){.memory = NULL};
    if (sigaltstack(NULL, &now) != 0 || !(now.ss_flags & SS_DISABLE)) {
        errno = saved;
        return 0;
    }
    long least = least_signal_stack();
    size_t page = os_page_size();
    stack->size = ((least > 0 ? (size_t)least : 0) + ROOM + page - 1) / page * page;
    stack->memory = os_stack_map(stack->size);
    if (stack->memory == NULL) {
        errno = saved;
        return -ENOMEM;
    }
    stack_t ours = {.ss_sp = stack->memory, .ss_size = stack->size};
    sigaltstack(&ours, NULL);
    errno = saved;
    return 0;
}

void os_signal_stack_end(os_signal_stack *stack)
{
    stack_t now;
    int saved = errno;
    if (stack->memory == NULL)
        return;
    if (sigaltstack(NULL, &now) == 0 && now.ss_sp == stack->memory) {
        stack_t none = {.ss_flags = SS_DISABLE};
        sigaltstack(&none, NULL);
    }
    os_stack_unmap(stack->memory, stack->size);
    errno = saved;
}
