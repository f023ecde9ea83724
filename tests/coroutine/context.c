/* Switching between contexts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/context.h"
#include "harness/test.h"

typedef struct switch_pair {
    kri_context outer;
    kri_context inner;
    kri_stack stack;
    int steps;
} switch_pair;

static void step(void *arg)
{
    switch_pair *pair = arg;
    for (;;) {
        pair->steps++;
        kri_context_switch(&pair->inner, &pair->outer);
    }
}

static void begin(switch_pair *pair, void (*entry)(void *arg))
{
    kri_context_of_thread(&pair->outer);
    CHECK_EQ(kri_stack_take(&pair->stack, 0), 0);
    CHECK_EQ(kri_context_make(&pair->inner, &pair->stack, pair->stack.low + pair->stack.size, entry,
                              pair),
             0);
}

static void end(switch_pair *pair)
{
    kri_context_end(&pair->inner);
    kri_stack_give(&pair->stack);
    kri_context_end_thread(&pair->outer);
}

TEST(test_switch)
{
    switch_pair pair = {.steps = 0};
    begin(&pair, step);
    for (int i = 1; i <= 1000; i++) {
        kri_context_switch(&pair.outer, &pair.inner);
        CHECK_EQ(pair.steps, i);
    }
    end(&pair);
}
