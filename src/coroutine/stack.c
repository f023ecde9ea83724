/* Stacks, first form: a mapping and a guard page each.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/stack.h"
#include "os/stack.h"

int kri_stack_take(kri_stack *stack, size_t size)
{
    size_t page = os_page_size();
    if (size == 0)
        size = KRI_STACK_DEFAULT;
    if (size < KRI_STACK_LEAST)
        size = KRI_STACK_LEAST;
    if (size > SIZE_MAX / 2)
        return -ENOMEM;
    size = (size + page - 1) / page * page;
    char *memory = os_stack_map(size + page);
    if (memory == NULL)
        return -ENOMEM;
    if (os_stack_guard(memory, page) != 0) {
        os_stack_unmap(memory, size + page);
        return -ENOMEM;
    }
    *stack = (kri_stack){.low = memory + page, .size = size};
    return 0;
}

void kri_stack_give(kri_stack *stack)
{
    size_t page = os_page_size();
    os_stack_unmap(stack->low - page, stack->size + page);
    stack->low = NULL;
}

bool kri_stack_intact(const kri_stack *stack)
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
    return "guard pages";
}

int kri_stack_watch_overflow(void)
{
    return 0;
}

void kri_stack_unwatch_overflow(void)
{
}
