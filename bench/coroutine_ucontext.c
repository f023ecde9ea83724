/* Coroutines by the C library's ucontext, which asks the kernel for the signal mask each time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine.h"

#include <stdlib.h>
#include <ucontext.h>

static ucontext_t caller, other;
static unsigned long visits;

static void *stack(void)
{
    static void *only;
    if (!only)
        only = malloc(BENCH_STACK);
    bench_check(only != NULL, "a stack");
    return only;
}

static void begin(void (*entry)(void))
{
    bench_check(getcontext(&other) == 0, "getcontext");
    other.uc_stack.ss_sp = stack();
    other.uc_stack.ss_size = BENCH_STACK;
    other.uc_link = &caller;
    makecontext(&other, entry, 0);
}

static void bounce(void)
{
    for (;;) {
        visits++;
        swapcontext(&other, &caller);
    }
}

static double change(unsigned long count)
{
    begin(bounce);
    visits = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i += 2)
        swapcontext(&caller, &other);
    double taken = bench_clock() - begun;
    bench_check(visits == (count + 1) / 2, "the switches of ucontext");
    return taken;
}

static void visit_once(void)
{
    visits++;
}

static double create(unsigned long count)
{
    visits = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i++) {
        begin(visit_once);
        swapcontext(&caller, &other);
    }
    double taken = bench_clock() - begun;
    bench_check(visits == count, "the coroutines of ucontext");
    return taken;
}

const struct bench_coroutines bench_ucontext = {.change = change, .create = create};
