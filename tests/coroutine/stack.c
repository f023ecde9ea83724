/* Stacks: how many, what they take, what happens at their low end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/slab.h"
#include "coroutine/stack.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include "os/stack.h"
#include <krait/coroutine.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 100000, SMALL_TASK = 1500, MOST_RESIDENT = 8192 };

/* valgrind looks through all stacks that it has been told of. */
#define MANY (KRI_SANITIZED ? 5000 : KRI_VALGRIND ? 1000 : MOST)

static kri_stack stacks[MOST];

static size_t resident(void)
{
    unsigned long size, pages;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL);
    CHECK_EQ(fscanf(file, "%lu %lu", &size, &pages), 2);
    fclose(file);
    return pages * os_page_size();
}

static void use(const kri_stack *stack, size_t bytes)
{
    memset(stack->low + stack->size - bytes, 0x5A, bytes);
}

static void take_all(int count)
{
    for (int i = 0; i < count; i++) {
        CHECK_EQ(kri_stack_take(&stacks[i], 0), 0);
        use(&stacks[i], SMALL_TASK);
    }
}

static void give_all(int count)
{
    for (int i = 0; i < count; i++)
        kri_stack_give(&stacks[i]);
}

/* Room for all, little of it used, nothing shared, and most of it goes back. */
static void check_many(void)
{
    const int many = MANY;
    size_t before = resident();
    take_all(many);
    size_t each = (resident() - before) / (size_t)many;
    kri_test_note("%s: %zu bytes each", kr_stack_guard(), each);
    if (!KRI_CHECKED)
        CHECK_LE(each, MOST_RESIDENT);
    for (int i = 0; i < many; i++) {
        CHECK(kri_stack_intact(&stacks[i]));
        memcpy(stacks[i].low, &i, sizeof i);
    }
    for (int i = 0; i < many; i++)
        CHECK(memcmp(stacks[i].low, &i, sizeof i) == 0);
    size_t mapped = kri_slab_mapped();
    give_all(many);
    if (!KRI_CHECKED) {
        CHECK_LE(kri_slab_mapped(), mapped / 2);
        CHECK_LE(resident() - before, (size_t)many * MOST_RESIDENT / 2);
    }
    take_all(100);
    give_all(100);
}

TEST(test_many_with_the_best_guards)
{
    check_many();
}

TEST(test_many_with_mapped_guards)
{
    kri_stack_allow_guard(KRI_GUARD_MAPPED);
    CHECK_STR(kr_stack_guard(), "guard pages");
    take_all(MANY);
    int canaries = 0;
    for (int i = 0; i < MANY; i++)
        canaries += stacks[i].canary;
    size_t guards = os_map_limit() / 4 / 2;
    CHECK_EQ(MANY - canaries, guards < MANY ? (int)guards : MANY);
    CHECK_STR(kr_stack_guard(), canaries > 0 ? "guard pages and canaries" : "guard pages");
    give_all(MANY);
    check_many();
}

TEST(test_many_with_canaries)
{
    kri_stack_allow_guard(KRI_GUARD_CANARY);
    check_many();
}

TEST(test_sizes)
{
    static const size_t sizes[] = {0,        1,       KRI_STACK_LEAST, KRI_STACK_LEAST + 1,
                                   100000,   1 << 20, 8u << 20,        (8u << 20) + 1,
                                   40u << 20};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        CHECK_EQ(kri_stack_take(&stacks[i], sizes[i]), 0);
        CHECK_GE(stacks[i].size, sizes[i] == 0 ? (size_t)KRI_STACK_DEFAULT : sizes[i]);
        CHECK_EQ((uintptr_t)(stacks[i].low + stacks[i].size) % os_page_size(), 0);
        use(&stacks[i], sizes[i]);
        CHECK(kri_stack_intact(&stacks[i]));
    }
    size_t mapped = kri_slab_mapped();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        kri_stack_give(&stacks[i]);
    CHECK_LE(kri_slab_mapped() + (48u << 20), mapped);
    CHECK_EQ(kri_stack_take(&stacks[0], SIZE_MAX), -ENOMEM);
    CHECK_EQ(kri_stack_take(&stacks[0], SIZE_MAX / 8), -ENOMEM);
}

TEST(test_the_last_one_is_the_next)
{
    CHECK_EQ(kri_stack_watch_overflow(), 0);
    CHECK_EQ(kri_stack_take(&stacks[0], 0), 0);
    char *low = stacks[0].low;
    kri_stack_give(&stacks[0]);
    CHECK_EQ(kri_stack_take(&stacks[0], KRI_STACK_DEFAULT), 0);
    CHECK(stacks[0].low == low);
    kri_stack_give(&stacks[0]);
    kri_stack_unwatch_overflow();
}

TEST(test_no_memory)
{
    if (KRI_QEMU)
        SKIP("qemu sets no limit to memory");
#if KRI_SANITIZED
    SKIP("sanitizers need address space");
#endif
    struct rlimit limit;
    getrlimit(RLIMIT_AS, &limit);
    limit.rlim_cur = 512u << 20;
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    int count = 0, err;
    while (count < MOST && (err = kri_stack_take(&stacks[count], 0)) == 0)
        use(&stacks[count++], SMALL_TASK);
    CHECK_EQ(err, -ENOMEM);
    CHECK_GE(count, 1000);
    give_all(count);
    take_all(count);
    give_all(count);
}

TEST(test_trim)
{
    CHECK_EQ(kri_stack_take(&stacks[0], 0), 0);
    kri_stack *stack = &stacks[0];
    size_t pages = stack->size / os_page_size();
    use(stack, stack->size);
    CHECK_EQ(os_stack_resident(stack->low, stack->size), pages);
    char *from = stack->low + stack->size - SMALL_TASK;
    *from = 77;
    kri_stack_trim(stack, from);
    CHECK_LE(os_stack_resident(stack->low, stack->size), 6);
    CHECK_EQ(*from, 77);
    CHECK_EQ(*stack->low, 0);
    kri_stack_give(stack);
}

/* Who has many stacks that were used deeply keeps few of the deep pages. */
TEST(test_deep_stacks_are_trimmed)
{
    enum { COUNT = 1000 };
    CHECK_EQ(kri_stack_watch_overflow(), 0);
    size_t before = resident();
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(kri_stack_take(&stacks[i], 0), 0);
        memset(stacks[i].low + 100000, 0, stacks[i].size - 100000);
    }
    size_t most = resident() - before;
    give_all(COUNT);
    if (!KRI_CHECKED)
        CHECK_LE(resident() - before, most / 4);
    kri_stack_unwatch_overflow();
}

/* Taken by one thread, given by another. */
static kri_bunch bunch;
static kr_word handed[64];
static kri_stack handed_stacks[64];

static void take_and_give(void *arg)
{
    bool watches = kri_test_seed() & 1;
    (void)arg;
    if (watches)
        CHECK_EQ(kri_stack_watch_overflow(), 0);
    for (unsigned i = 0; i < 20000; i++) {
        unsigned at = i * 7 % 64;
        uint32_t was = kri_swap_acq_rel(&handed[at], 2);
        if (was == 1) {
            kri_stack_give(&handed_stacks[at]);
            kri_store_rel(&handed[at], 0);
        } else if (was == 0) {
            kri_stack stack;
            CHECK_EQ(kri_stack_take(&stack, (size_t)(at % 3) * 40000), 0);
            use(&stack, 100);
            handed_stacks[at] = stack;
            kri_store_rel(&handed[at], 1);
        }
    }
    if (watches)
        kri_stack_unwatch_overflow();
}

TEST(test_given_by_others)
{
    kri_bunch_start(&bunch, 4, take_and_give, NULL);
    kri_bunch_end(&bunch);
    for (int i = 0; i < 64; i++) {
        if (kri_load_acq(&handed[i]) == 1)
            kri_stack_give(&handed_stacks[i]);
    }
}
