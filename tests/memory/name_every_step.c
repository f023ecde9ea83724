/* A process is killed after every single instruction of making, finding and giving up a named
 * segment; in a short run after some of them, by chance.  Nothing is left then that the next clean
 * does not remove, and who has it keeps it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/step.h"
#include <dirent.h>

enum { SIZE = 4096, STEPS = 60000, MANY_SECONDS = 10 };

static int names(void)
{
    int count = 0;
    DIR *all = opendir("/dev/shm");
    CHECK(all != NULL);
    for (struct dirent *e; (e = readdir(all)) != NULL;)
        count += e->d_name[0] != '.';
    closedir(all);
    return count;
}

static int create_and_release(void)
{
    kr_shared_memory *m = NULL;
    int err = kr_shared_memory_create(&m, "stepped", SIZE, NULL);
    kr_shared_memory_release(m);
    return err;
}

static int attach_and_release(void)
{
    kr_shared_memory *m = NULL;
    int err = kr_shared_memory_attach(&m, "stepped", NULL);
    kr_shared_memory_release(m);
    return err;
}

/* In place of the one that somebody has left. */
static int create_anew(void)
{
    return create_and_release();
}

static int leave_one(void)
{
    kr_shared_memory *m = NULL;
    return kr_shared_memory_create(&m, "stepped", SIZE, NULL);
}

static void leave_in_child(void *arg)
{
    (void)arg;
    CHECK_EQ(leave_one(), 0);
}

static void kill_after_each(int (*call)(void))
{
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind multiply the steps");
    own_place(1 << 20);
    step_victim victim = {call, shared_pages(sizeof(kr_word))};
    kr_shared_memory *kept = NULL;
    uint64_t random = kri_test_seed();
    unsigned stride = kri_test_budget() > MANY_SECONDS ? 20 : 600;
    int steps = 0, kills = 0;
    CHECK_EQ(create_and_release(), 0); /* sweeps, once a process */
    bool killed = true;
    for (; killed && steps < STEPS; kills += killed) {
        steps += 1 + (int)(kri_test_random(&random) % stride);
        if (call == create_anew)
            reap(child(leave_in_child, NULL));
        if (call == attach_and_release)
            CHECK_EQ(kr_shared_memory_create(&kept, "stepped", SIZE, NULL), 0);
        killed = step_and_kill(&victim, steps);
        CHECK_GE(kr_shared_memory_clean(NULL, NULL), 0);
        CHECK_EQ(names(), kept != NULL);
        kr_shared_memory_release(kept);
        kept = NULL;
        CHECK_EQ(names(), 0);
        CHECK_EQ(create_and_release(), 0);
    }
    CHECK_GE(kills, 5);
    CHECK_LE(steps, STEPS - 1);
    kri_test_note("%d kills within %d steps", kills, steps);
}

TEST(segment_killed_in_create_and_release)
{
    kill_after_each(create_and_release);
}

TEST(segment_killed_in_create_in_place_of_one_that_was_left)
{
    kill_after_each(create_anew);
}

TEST(segment_killed_in_attach_and_release)
{
    kill_after_each(attach_and_release);
}
