/* Tasks while workers are killed: every future ends exactly once, and nothing is left behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

#include <dirent.h>
#include <stdio.h>

enum { IN_FLIGHT = 64, LONG_TASKS = 1000000, LARGE = 3000 };

static int entries_of(const char *path)
{
    int count = 0;
    DIR *folder = opendir(path);
    CHECK(folder != NULL);
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* Who has worked, by the last digits of its number; shared. */
enum { NUMBERS = 1 << 16 };
static unsigned char *has_worked;

/* A task of some 0 to 200 us, that gives back what it was given. */
struct work {
    uint64_t number;
    uint32_t turns;
    uint32_t size;
    unsigned char bytes[LARGE];
};

static int work(const void *arg, void *result)
{
    const struct work *work = arg;
    struct work *out = result;
    volatile uint32_t sum = 0;
    has_worked[getpid() % NUMBERS] = 1;
    for (uint32_t i = 0; i < work->turns; i++)
        sum = sum + i;
    *out = *work;
    return 0;
}

struct killer {
    kr_executor *pool;
    kr_word stop;
    kr_word kills;
    uint64_t random;
};

/* Three that die one after the other before they have worked would break the pool. */
static int kill_some(void *arg)
{
    struct killer *killer = *(struct killer **)arg;
    bool was_early = false;
    while (!kri_load_acq(&killer->stop)) {
        int pids[8];
        uint64_t random = kri_test_random(&killer->random);
        kr_time until = kr_now() + kr_us(5000 + (int64_t)(random % 10000));
        while (kr_now() < until)
            kri_test_nap();
        int count = kr_process_pool_workers(killer->pool, pids, 8);
        if (count <= 0)
            continue;
        int victim = pids[(random >> 32) % (unsigned)(count < 8 ? count : 8)];
        bool early = !has_worked[victim % NUMBERS];
        if ((early && was_early) || kill(victim, SIGKILL) != 0)
            continue;
        kri_add_rlx(&killer->kills, 1);
        was_early = early;
    }
    return 0;
}

struct counts {
    uint64_t done;
    uint64_t crashed;
    uint64_t callbacks;
};

static kr_word called;

static int count_call(kr_future *f, void *arg)
{
    (void)f;
    (void)arg;
    kri_add_rlx(&called, 1);
    return 0;
}

static kr_future *submit_work(kr_executor *pool, uint64_t number, uint64_t *random)
{
    static struct work work_arg;
    uint64_t r = kri_test_random(random);
    bool large = r % 16 == 0;
    work_arg.number = number;
    work_arg.turns = (uint32_t)(r >> 20) % 100000;
    work_arg.size = large ? sizeof work_arg : 64;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, work, &work_arg, sizeof work_arg, sizeof work_arg), 0);
    if (r % 8 == 0)
        CHECK_EQ(kr_future_add_done_callback(f, count_call, NULL), 0);
    return f;
}

static void check_one(kr_future *f, uint64_t number, struct counts *counts)
{
    static struct work out;
    int error = 1;
    CHECK_EQ(kr_future_result(f, &out, sizeof out, &error, KR_FOREVER), 0);
    if (error == 0) {
        CHECK_EQ(out.number, number);
        counts->done++;
    } else {
        kr_crash crash;
        CHECK_EQ(error, KR_ECRASHED);
        CHECK_EQ(kr_future_crash(f, &crash), 0);
        CHECK_EQ(crash.exit_code, -SIGKILL);
        counts->crashed++;
    }
    kr_future_release(f);
}

static void soak(kr_process_pool_options more, bool whole)
{
    uint64_t seed = kri_test_seed(), random = seed;
    has_worked = kr_shared_alloc(NUMBERS);
    CHECK(has_worked != NULL);
    end(pool_with(1, more)); /* what the library opens once stays */
    int descriptors = entries_of("/proc/self/fd");
    kr_executor *pool = pool_with(3, more);
    struct killer killer = {.pool = pool, .random = seed ^ 1};
    struct killer *killers = &killer;
    kr_thread *thread;
    CHECK_EQ(kr_thread_start(&thread, kill_some, &killers, sizeof killers, NULL), 0);
    kr_future *futures[IN_FLIGHT] = {0};
    struct counts counts = {0};
    kri_store_rlx(&called, 0);
    kr_time until = kr_now() + kr_sec(kri_test_budget());
    uint64_t number = 0;
    for (; (whole && number < LONG_TASKS) || kr_now() < until; number++) {
        kr_future **place = &futures[number % IN_FLIGHT];
        if (*place)
            check_one(*place, number - IN_FLIGHT, &counts);
        *place = submit_work(pool, number, &random);
    }
    for (uint64_t i = number < IN_FLIGHT ? 0 : number - IN_FLIGHT; i < number; i++)
        check_one(futures[i % IN_FLIGHT], i, &counts);
    kri_store_rel(&killer.stop, 1);
    CHECK_EQ(kr_thread_join(thread, NULL, KR_FOREVER), 0);
    kr_thread_release(thread);
    end(pool);
    kr_shared_free(has_worked);
    CHECK_EQ(counts.done + counts.crashed, number);
    CHECK_LE(counts.crashed, kri_load_rlx(&killer.kills));
    CHECK_EQ(entries_of("/proc/self/fd"), descriptors);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
    kri_test_note("%ju tasks, %u kills, %ju crashed, %u callbacks", (uintmax_t)number,
                  kri_load_rlx(&killer.kills), (uintmax_t)counts.crashed, kri_load_rlx(&called));
}

static bool is_long(void)
{
    const char *given = getenv("KR_LONG");
    return given && strcmp(given, "1") == 0;
}

TEST(kills_at_random)
{
    soak((kr_process_pool_options){.start = KR_FORK}, is_long());
}

TEST(kills_at_random_with_retries)
{
    soak((kr_process_pool_options){.start = KR_FORK, .retries = 2, .max_tasks_per_child = 50},
         false);
}
