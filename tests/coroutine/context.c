/* Switching between contexts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/test.h"
#include "switches.h"

#define CHECK_SWITCHES(check)                                                                      \
    do {                                                                                           \
        const char *wrong = check();                                                               \
        CHECK_STR(wrong != NULL ? wrong : "", "");                                                 \
    } while (0)

TEST(test_registers_are_kept)
{
    CHECK_SWITCHES(check_registers);
}

TEST(test_rounding_modes_are_kept)
{
    CHECK_SWITCHES(check_rounding);
}

TEST(test_stacks_are_aligned)
{
    CHECK_SWITCHES(check_alignment);
}

TEST(test_ring)
{
    CHECK_SWITCHES(check_ring);
}

#if defined(__x86_64__)
/* Precision and masks of the x87, masks of SSE: what rounding is not. */
static void control(uint16_t *x87, uint32_t *mxcsr)
{
    __asm__ volatile("fnstcw %0" : "=m"(*x87));
    __asm__ volatile("stmxcsr %0" : "=m"(*mxcsr));
}

static void inner_control(void *arg)
{
    switch_pair *pair = arg;
    uint16_t x87 = 0x027F; /* double precision */
    uint32_t mxcsr = 0x9FC0;
    __asm__ volatile("fldcw %0" : : "m"(x87));
    __asm__ volatile("ldmxcsr %0" : : "m"(mxcsr));
    for (;;) {
        uint16_t now_x87;
        uint32_t now_mxcsr;
        kri_context_switch(&pair->inner, &pair->outer);
        control(&now_x87, &now_mxcsr);
        if (now_x87 != x87 || (now_mxcsr & 0xFFC0) != mxcsr)
            pair->wrong = "a control word is lost";
    }
}

TEST(test_control_words_are_kept)
{
    switch_pair pair;
    uint16_t x87, now_x87;
    uint32_t mxcsr, now_mxcsr;
    if (KRI_VALGRIND)
        SKIP("valgrind keeps of both words the rounding mode only");
    control(&x87, &mxcsr);
    CHECK(begin_pair(&pair, inner_control) == NULL);
    for (int i = 0; i < 10; i++) {
        kri_context_switch(&pair.outer, &pair.inner);
        control(&now_x87, &now_mxcsr);
        CHECK_EQ(now_x87, x87);
        CHECK_EQ(now_mxcsr & 0xFFC0, mxcsr & 0xFFC0);
    }
    CHECK(pair.wrong == NULL);
    end_pair(&pair);
}
#endif

/* A context that is given up in the middle, again and again: sanitizers forget its frames. */
static void deep_inside(switch_pair *pair, int depth)
{
    volatile char frame[100];
    memset((char *)frame, depth, sizeof frame);
    if (depth > 0)
        deep_inside(pair, depth - 1);
    kri_context_switch(&pair->inner, &pair->outer);
}

static void inner_deep(void *arg)
{
    deep_inside(arg, 20);
    for (;;)
        kri_context_switch(&((switch_pair *)arg)->inner, &((switch_pair *)arg)->outer);
}

TEST(test_given_up_in_the_middle)
{
    const int times = KRI_TSAN ? 500 : 20000; /* it takes a millisecond to make an account */
    for (int i = 0; i < times; i++) {
        switch_pair pair;
        CHECK(begin_pair(&pair, inner_deep) == NULL);
        kri_context_switch(&pair.outer, &pair.inner);
        end_pair(&pair);
    }
}

/* Contexts of several threads at once. */
static void in_thread(void *arg)
{
    (void)arg;
    for (int i = 0; i < 20; i++) {
        CHECK_SWITCHES(check_registers);
        CHECK_SWITCHES(check_alignment);
    }
}

TEST(test_threads)
{
    static kri_bunch bunch;
    kri_bunch_start(&bunch, 4, in_thread, NULL);
    kri_bunch_end(&bunch);
}

/* More contexts than the thread sanitizer has room for are refused, and do not end the program. */
TEST(test_room_of_the_thread_sanitizer)
{
    enum { MOST = 8128 };
    static switch_pair pairs[MOST];
    int count = 0;
    if (!KRI_TSAN)
        SKIP("there is room for all");
    if (kri_test_budget() < 60)
        SKIP("to make so many takes a minute or two");
    while (count < MOST && begin_pair(&pairs[count], inner_deep) == NULL)
        count++;
    CHECK_GE(count, 7000);
    CHECK_LE(count, MOST - 1);
    kri_stack_give(&pairs[count].stack);
    for (int i = 0; i < count; i++)
        end_pair(&pairs[i]);
    CHECK_SWITCHES(check_ring);
}
