/* The status page on a system that refuses the k-th call: an error that says so, nothing left, and
 * the next start succeeds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "memory/help.h"
#include "status/page.h"
#include <dirent.h>

static int open_descriptors(void)
{
    int count = 0;
    DIR *all = opendir("/proc/self/fd");
    CHECK(all != NULL);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

static bool page_exists(void)
{
    char name[64];
    snprintf(name, sizeof name, KRI_PAGE_NAME "%d", (int)getpid());
    return name_exists(name);
}

static void start_well(void)
{
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK(page_exists());
    CHECK_EQ(kr_status_stop(), 0);
}

static uint32_t try_with(faulty_group group, uint32_t k, bool all_after)
{
    int64_t live = faulty_live();
    int descriptors = open_descriptors();
    faulty_begin(group, k, all_after);
    int err = kr_status_start(NULL);
    uint32_t failed = faulty_failed();
    uint32_t calls = faulty_end();
    CHECK(err <= 0);
    CHECK(err == 0 || failed > 0);
    CHECK(page_exists() == (err == 0));
    if (err == 0)
        CHECK_EQ(kr_status_stop(), 0);
    CHECK_EQ(faulty_live(), live);
    CHECK_EQ(open_descriptors(), descriptors);
    CHECK(!page_exists());
    return calls;
}

static void refuse_each(faulty_group group, uint32_t least)
{
    uint32_t k = 1, calls;
    own_place(8 << 20);
    start_well(); /* what is taken once for all */
    do {
        calls = try_with(group, k, false);
        (void)try_with(group, k, true);
        start_well();
    } while (calls >= k++);
    kri_test_note("%u calls, each refused once", k - 2);
    CHECK_GE(k - 2, least);
}

TEST(status_without_memory)
{
    refuse_each(FAULTY_MEMORY, 1);
}

TEST(status_without_segments)
{
    refuse_each(FAULTY_SEGMENT, 5);
}

TEST(status_without_threads)
{
    refuse_each(FAULTY_SYSTEM, 1);
}

TEST(status_whose_name_is_in_use)
{
    refuse_each(FAULTY_NAME, 1);
}

/* The very first start has more to ask for. */
TEST(status_for_the_first_time)
{
    own_place(8 << 20);
    for (uint32_t k = 1; k <= 4; k++) {
        faulty_begin(FAULTY_MEMORY, k, true);
        int err = kr_status_start(NULL);
        uint32_t failed = faulty_failed();
        (void)faulty_end();
        CHECK_EQ(err, failed > 0 ? -ENOMEM : 0);
        if (err == 0)
            CHECK_EQ(kr_status_stop(), 0);
        CHECK(!page_exists());
    }
}

TEST(status_names_without_memory)
{
    static kr_lock lock;
    faulty_begin(FAULTY_MEMORY, 1, true);
    CHECK_EQ(kr_status_name(&lock, "lock"), -ENOMEM);
    (void)faulty_end();
    CHECK_EQ(kr_status_name(&lock, "lock"), 0);
}
