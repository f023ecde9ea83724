/* What a switch keeps; for tests here and for programs that run on another processor.
 *
 * Each function gives NULL, or what went wrong.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_COROUTINE_SWITCHES_H
#define KRI_COROUTINE_SWITCHES_H

#include "coroutine/context.h"
#include <fenv.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__)
#define EACH_KEPT(do)                                                                              \
    do                                                                                             \
    (rbx) do(r12) do(r13) do(r14) do(r15)
#define EACH_KEPT_FLOAT(do)
#elif defined(__aarch64__)
#define EACH_KEPT(do)                                                                              \
    do                                                                                             \
    (x19) do(x20) do(x21) do(x22) do(x23) do(x24) do(x25) do(x26) do(x27) do(x28)
#define EACH_KEPT_FLOAT(do)                                                                        \
    do                                                                                             \
    (d8) do(d9) do(d10) do(d11) do(d12) do(d13) do(d14) do(d15)
#else
#define EACH_KEPT(do)
#define EACH_KEPT_FLOAT(do)
#endif

typedef struct switch_pair {
    kri_context outer;
    kri_context inner;
    kri_stack stack;
    int steps;
    const char *wrong;
} switch_pair;

static inline const char *begin_pair(switch_pair *pair, void (*entry)(void *arg))
{
    memset(pair, 0, sizeof *pair);
    kri_context_of_thread(&pair->outer);
    if (kri_stack_take(&pair->stack, 0) != 0)
        return "no stack";
    if (kri_context_make(&pair->inner, &pair->stack, pair->stack.low + pair->stack.size, entry,
                         pair) != 0)
        return "no context";
    return NULL;
}

static inline void end_pair(switch_pair *pair)
{
    kri_context_end(&pair->inner);
    kri_stack_give(&pair->stack);
    kri_context_end_thread(&pair->outer);
}

/* Fill the registers that a caller keeps, switch, and look at them; `seed` tells the two apart. */
__attribute__((noinline)) static void switch_with_registers(switch_pair *pair, kri_context *from,
                                                            kri_context *to, uint64_t seed)
{
    uint64_t next = seed;
#define FILL(name)       register uint64_t name __asm__(#name) = ++next;
#define FILL_FLOAT(name) register double name __asm__(#name) = (double)++next;
#define HOLD(name)       __asm__ volatile("" : "+r"(name));
#define HOLD_FLOAT(name) __asm__ volatile("" : "+w"(name));
#define LOOK(name)                                                                                 \
    if (name != ++next)                                                                            \
        pair->wrong = #name " is lost";
#define LOOK_FLOAT(name)                                                                           \
    if (name != (double)++next)                                                                    \
        pair->wrong = #name " is lost";
    EACH_KEPT(FILL)
    EACH_KEPT_FLOAT(FILL_FLOAT)
    EACH_KEPT(HOLD)
    EACH_KEPT_FLOAT(HOLD_FLOAT)
    kri_context_switch(from, to);
    EACH_KEPT(HOLD)
    EACH_KEPT_FLOAT(HOLD_FLOAT)
    next = seed;
    EACH_KEPT(LOOK)
    EACH_KEPT_FLOAT(LOOK_FLOAT)
    pair->steps++;
}

static void inner_registers(void *arg)
{
    switch_pair *pair = arg;
    for (uint64_t seed = 1 << 20;; seed += 100)
        switch_with_registers(pair, &pair->inner, &pair->outer, seed);
}

static inline const char *check_registers(void)
{
    switch_pair pair;
    const char *wrong = begin_pair(&pair, inner_registers);
    for (uint64_t i = 0; i < 100 && wrong == NULL; i++) {
        switch_with_registers(&pair, &pair.outer, &pair.inner, i * 100);
        wrong = pair.wrong;
    }
    if (wrong == NULL && pair.steps != 199)
        wrong = "some switches did not come back";
    end_pair(&pair);
    return wrong;
}

static void inner_rounding(void *arg)
{
    switch_pair *pair = arg;
    if (fegetround() != FE_UPWARD)
        pair->wrong = "a new context has other modes than its maker";
    fesetround(FE_DOWNWARD);
    for (;;) {
        kri_context_switch(&pair->inner, &pair->outer);
        if (fegetround() != FE_DOWNWARD)
            pair->wrong = "the inner rounding mode is lost";
    }
}

static inline const char *check_rounding(void)
{
    switch_pair pair;
    fesetround(FE_UPWARD);
    const char *wrong = begin_pair(&pair, inner_rounding);
    fesetround(FE_TOWARDZERO);
    for (int i = 0; i < 10 && wrong == NULL; i++) {
        kri_context_switch(&pair.outer, &pair.inner);
        wrong = pair.wrong;
        if (fegetround() != FE_TOWARDZERO)
            wrong = "the outer rounding mode is lost";
    }
    fesetround(FE_TONEAREST);
    end_pair(&pair);
    return wrong;
}

/* A double on a stack that is not aligned to 16, or a variable that wants 64, would tell. */
static void inner_alignment(void *arg)
{
    switch_pair *pair = arg;
    volatile _Alignas(64) char wide[64] = {0};
    if ((uintptr_t)wide % 64 != 0 || (uintptr_t)__builtin_frame_address(0) % 16 != 0)
        pair->wrong = "the stack is not aligned";
    for (;;)
        kri_context_switch(&pair->inner, &pair->outer);
}

static inline const char *check_alignment(void)
{
    switch_pair pair;
    const char *wrong = begin_pair(&pair, inner_alignment);
    if (wrong == NULL) {
        kri_context_switch(&pair.outer, &pair.inner);
        wrong = pair.wrong;
    }
    end_pair(&pair);
    return wrong;
}

/* A ring of contexts, each of which goes on to the next. */
enum { RING = 50 };
typedef struct switch_ring {
    kri_context at[RING + 1];
    kri_stack stacks[RING];
    int here;
    int64_t sum;
} switch_ring;

static void ring_member(void *arg)
{
    switch_ring *ring = arg;
    int own = ring->here;
    for (int64_t local = own;; local += RING) {
        ring->sum += local;
        ring->here = own + 1;
        kri_context_switch(&ring->at[own], &ring->at[own + 1]);
    }
}

static inline const char *check_ring(void)
{
    static switch_ring ring;
    enum { ROUNDS = 200 };
    kri_context_of_thread(&ring.at[RING]);
    for (int i = 0; i < RING; i++) {
        if (kri_stack_take(&ring.stacks[i], KRI_STACK_LEAST) != 0 ||
            kri_context_make(&ring.at[i], &ring.stacks[i],
                             ring.stacks[i].low + ring.stacks[i].size - 700, ring_member,
                             &ring) != 0)
            return "no context";
    }
    for (int i = 0; i < ROUNDS; i++) {
        ring.here = 0;
        kri_context_switch(&ring.at[RING], &ring.at[0]);
    }
    for (int i = 0; i < RING; i++) {
        if (!kri_stack_intact(&ring.stacks[i]))
            return "a stack is not intact";
        kri_context_end(&ring.at[i]);
        kri_stack_give(&ring.stacks[i]);
    }
    int64_t last = (int64_t)ROUNDS * RING;
    return ring.sum == last * (last - 1) / 2 ? NULL : "the sum is wrong";
}

#endif
