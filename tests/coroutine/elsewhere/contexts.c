/* The switch and the stacks in a program of their own, for a processor or a switch that the tests
 * are not built for.  Prints what is wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../switches.h"
#include <stdio.h>

/* Nothing forks here. */
int kri_at_fork_child(void (*child)(void))
{
    (void)child;
    return 0;
}

static int failed(const char *what, const char *wrong)
{
    if (wrong != NULL)
        printf("%s: %s\n", what, wrong);
    return wrong != NULL;
}

static const char *check_many(void)
{
    enum { MANY = 2000 };
    static kri_stack stacks[MANY];
    for (int i = 0; i < MANY; i++) {
        if (kri_stack_take(&stacks[i], 0) != 0)
            return "no stack";
        stacks[i].low[stacks[i].size - 1] = 1;
    }
    for (int i = 0; i < MANY; i++)
        kri_stack_give(&stacks[i]);
    return NULL;
}

int main(void)
{
    printf("%s\n", kri_stack_guard());
    int failures = failed("registers", check_registers()) + failed("rounding", check_rounding()) +
                   failed("alignment", check_alignment()) + failed("ring", check_ring()) +
                   failed("many", check_many());
    if (failures == 0)
        printf("all is well\n");
    return failures;
}
