/* krait's switch and its stacks, without loop and scheduler.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine.h"

#include "coroutine/context.h"

#include <stdint.h>

static kri_context caller, other;
static unsigned long visits;

static void begin(kri_stack *stack, void (*entry)(void *arg))
{
    bench_check(kri_stack_take(stack, BENCH_STACK) == 0, "kri_stack_take");
    bench_check(kri_context_make(&other, stack, stack->low + stack->size, entry, NULL) == 0,
                "kri_context_make");
}

static void bounce(void *arg)
{
    (void)arg;
    for (;;) {
        visits++;
        kri_context_switch(&other, &caller);
    }
}

static double change(unsigned long count)
{
    kri_stack stack;
    kri_context_of_thread(&caller);
    begin(&stack, bounce);
    visits = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i += 2)
        kri_context_switch(&caller, &other);
    double taken = bench_clock() - begun;
    bench_check(visits == (count + 1) / 2, "krait's switches");
    kri_context_end(&other);
    kri_stack_give(&stack);
    kri_context_end_thread(&caller);
    return taken;
}

static double create(unsigned long count)
{
    kri_context_of_thread(&caller);
    visits = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i++) {
        kri_stack stack;
        begin(&stack, bounce);
        kri_context_switch(&caller, &other);
        kri_context_end(&other);
        kri_stack_give(&stack);
    }
    double taken = bench_clock() - begun;
    bench_check(visits == count, "krait's bare coroutines");
    kri_context_end_thread(&caller);
    return taken;
}

const struct bench_coroutines bench_krait_bare = {.change = change, .create = create};
