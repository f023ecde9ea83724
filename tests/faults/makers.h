/* Making something where the system refuses the k-th of what is asked for, or all from there on:
 * the error says so, and nothing is left of it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_FAULTS_MAKERS_H
#define KRI_TESTS_FAULTS_MAKERS_H

#include "harness/faulty.h"
#include "harness/test.h"
#include <dirent.h>

/* One way to make something; it is released at once.  The error, or 0. */
typedef int (*maker)(void);

static inline int open_descriptors(void)
{
    int count = 0;
    DIR *all = opendir("/proc/self/fd");
    CHECK(all != NULL);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

static inline uint32_t try_with(maker make, faulty_group group, uint32_t k, bool all_after)
{
    int64_t live = faulty_live();
    int descriptors = open_descriptors();
    faulty_begin(group, k, all_after);
    int err = make();
    uint32_t failed = faulty_failed(), calls = faulty_end();
    CHECK(err <= 0);
    CHECK(err == 0 || failed > 0);
    CHECK_EQ(faulty_live(), live);
    CHECK_EQ(open_descriptors(), descriptors);
    return calls;
}

/* How many there were to refuse. */
static inline uint32_t refuse_each(maker make, faulty_group group)
{
    uint32_t k = 1;
    CHECK_EQ(make(), 0); /* what is taken once for all */
    while (try_with(make, group, k, false) >= k) {
        (void)try_with(make, group, k, true);
        CHECK_EQ(make(), 0);
        k++;
    }
    return k - 1;
}

static inline void refuse_all(maker make, const char *what, uint32_t least)
{
    uint32_t memory = refuse_each(make, FAULTY_MEMORY);
    uint32_t segment = refuse_each(make, FAULTY_SEGMENT);
    kri_test_note("%s: %u requests for memory and %u other calls, each refused once", what, memory,
                  segment);
    CHECK_GE(memory, least);
}

#endif
