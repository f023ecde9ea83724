/* Logical threads as stacks.
 *
 * A switch saves the registers that a call preserves and loads another stack pointer: some five
 * nanoseconds where the processor is known, ucontext elsewhere.  The stacks lie side by side at
 * one place for the life of the process, so that a variable has the same address in each run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "explore/engine.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>

static char *stacks;
static void *conductor;
static char fault_stack[1 << 16];
enum { SIGNALS = 4, HANG_SECONDS = 2 };
static struct sigaction before[SIGNALS];
static const int caught[SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGVTALRM};
static uint64_t steps_at_tick; /* of the run, when the clock of the processor time last ticked */
static uint64_t run_at_tick;
static uint64_t runs;

#if defined(__x86_64__)

void kri_ex_swap(void **save, void *load);
__asm__(".text\n"
        ".p2align 4\n"
        ".hidden kri_ex_swap\n"
        ".globl kri_ex_swap\n"
        ".type kri_ex_swap, @function\n"
        "kri_ex_swap:\n"
        "    pushq %rbp\n"
        "    pushq %rbx\n"
        "    pushq %r12\n"
        "    pushq %r13\n"
        "    pushq %r14\n"
        "    pushq %r15\n"
        "    movq %rsp, (%rdi)\n"
        "    movq %rsi, %rsp\n"
        "    popq %r15\n"
        "    popq %r14\n"
        "    popq %r13\n"
        "    popq %r12\n"
        "    popq %rbx\n"
        "    popq %rbp\n"
        "    ret\n"
        ".size kri_ex_swap, . - kri_ex_swap\n");

/* The stack as kri_ex_swap expects it: six registers, where to go, and no caller. */
static void *first_frame(char *top)
{
    void **sp = (void **)(void *)top;

    *--sp = NULL;
    *--sp = (void *)(uintptr_t)kri_ex_thread_main;
    for (int i = 0; i < 6; i++)
        *--sp = NULL;
    return sp;
}

#else

#include <ucontext.h>

static ucontext_t contexts[EX_THREADS + 1];

static void kri_ex_swap(void **save, void *load)
{
    ucontext_t here;

    *save = &here;
    swapcontext(&here, load);
}

static void *first_frame(char *top)
{
    unsigned i = (unsigned)((size_t)(top - stacks) / EX_STACK) - 1;
    ucontext_t *c = &contexts[i];

    getcontext(c);
    c->uc_stack.ss_sp = top - EX_STACK;
    c->uc_stack.ss_size = EX_STACK;
    c->uc_link = NULL;
    makecontext(c, kri_ex_thread_main, 0);
    return c;
}

#endif

int kri_ex_stacks_map(void)
{
    if (stacks)
        return 0;
    void *p = mmap(NULL, (size_t)EX_THREADS * EX_STACK, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return -ENOMEM;
    stacks = p;
    return 0;
}

void kri_ex_stack_prepare(unsigned thread)
{
    kri_ex.threads[thread].stack_pointer = first_frame(stacks + (size_t)(thread + 1) * EX_STACK);
}

void kri_ex_switch_to(unsigned thread)
{
    void **save = &EX_SELF->stack_pointer;

    if (thread == kri_ex.self)
        return;
    kri_ex.self = thread;
    kri_ex_swap(save, EX_SELF->stack_pointer);
}

void kri_ex_enter(unsigned thread)
{
    kri_ex.self = thread;
    kri_ex.active = true;
    runs++;
    kri_ex_swap(&conductor, EX_SELF->stack_pointer);
    kri_ex.active = false;
}

/* A tick of processor time without a step since the last one: a loop in which nobody else can be
 * run, and which will not end. */
static void tick(void)
{
    if (run_at_tick == runs && steps_at_tick == kri_ex.steps)
        kri_ex_fail(KR_EXPLORE_LIVELOCK, "hang: a loop without a step, for %d seconds",
                    HANG_SECONDS);
    run_at_tick = runs;
    steps_at_tick = kri_ex.steps;
}

/* A wild pointer, or a hang, ends the run as a failure, not the program.  The handler has a stack
 * of its own and is left for good by a switch. */
static void catch (int signo, siginfo_t *info, void *context)
{
    char name[64];

    (void)context;
    if (signo == SIGVTALRM) {
        if (kri_ex.active)
            tick();
        return;
    }
    if (kri_ex.active)
        kri_ex_fail(KR_EXPLORE_CHECK, "%s at %s", strsignal(signo),
                    kri_ex_name(info->si_addr, name, sizeof name));
    signal(signo, SIG_DFL);
    raise(signo);
}

void kri_ex_catch_faults(bool on)
{
    stack_t own = {.ss_sp = fault_stack, .ss_size = sizeof fault_stack};
    struct sigaction action = {.sa_sigaction = catch,
                               .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART};
    struct itimerval timer = {{on ? HANG_SECONDS : 0, 0}, {on ? HANG_SECONDS : 0, 0}};

    sigaltstack(&own, NULL);
    if (!on)
        setitimer(ITIMER_VIRTUAL, &timer, NULL);
    for (int i = 0; i < SIGNALS; i++)
        sigaction(caught[i], on ? &action : &before[i], on ? &before[i] : NULL);
    if (on)
        setitimer(ITIMER_VIRTUAL, &timer, NULL);
}

void kri_ex_leave(void)
{
    void *ignored;

    kri_ex_swap(&ignored, conductor);
    __builtin_unreachable();
}

bool kri_ex_in_stack(const void *p, unsigned *thread, size_t *offset)
{
    uintptr_t from = (uintptr_t)stacks;
    uintptr_t at = (uintptr_t)p;

    if (at < from || at >= from + (uintptr_t)EX_THREADS * EX_STACK)
        return false;
    *thread = (unsigned)((at - from) / EX_STACK);
    *offset = EX_STACK - (at - from) % EX_STACK;
    return true;
}
