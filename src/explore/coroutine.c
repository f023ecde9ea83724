/* Coroutines under the explorer: the library's own switch, on stacks from the arena.
 *
 * A coroutine is a matter of its logical thread alone: it orders nothing, and is no place where
 * another thread could go on.  A stack that was given back is never used again in the run, so a
 * waker that comes too late is seen.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/stack.h"
#include "explore/engine.h"

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

/* Enough for the explorer's own frames, too; and a scenario has few. */
enum { STACK = 48 << 10 };

int kri_stack_take(kri_stack *stack, size_t size)
{
    (void)size;
    char *low = kri_ex_refused() ? NULL : kri_ex_alloc(STACK, __builtin_return_address(0));
    *stack = (kri_stack){.low = low, .size = STACK};
    return low != NULL ? 0 : -ENOMEM;
}

void kri_stack_give(kri_stack *stack)
{
    kri_ex_give_back(stack->low);
}

bool kri_stack_canary_intact(const kri_stack *stack)
{
    (void)stack;
    return true;
}

void kri_stack_trim(const kri_stack *stack, const char *used_from)
{
    (void)stack;
    (void)used_from;
}

const char *kri_stack_guard(void)
{
    return "none";
}

int kri_stack_watch_overflow(void)
{
    return 0;
}

void kri_stack_unwatch_overflow(void)
{
}

void kri_stack_ask_name(const char *(*running)(void))
{
    (void)running;
}

void kri_stack_abort(const kri_stack *stack, const char *name)
{
    (void)stack;
    os_abort(name != NULL ? name : "krait: a coroutine's stack is too small");
    __builtin_unreachable();
}

/* What the compiler's library is told of switches: nothing here. */

void *__tsan_get_current_fiber(void)
{
    return &kri_ex;
}

void *__tsan_create_fiber(unsigned flags)
{
    (void)flags;
    return &kri_ex;
}

void __tsan_destroy_fiber(void *fiber)
{
    (void)fiber;
}

void __tsan_switch_to_fiber(void *fiber, unsigned flags)
{
    (void)fiber;
    (void)flags;
}
