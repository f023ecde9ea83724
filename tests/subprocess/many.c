/* Many programs, and none for want of descriptors.
 *
 * SPDX-License-Identifier: MIT
 */
#include "subprocess/help.h"
#include "harness/sanitizers.h"
#include "wait/wait.h"
#include <sys/resource.h>

/* As many descriptors as `spare` above those that are open. */
static void limit_descriptors(int spare)
{
    struct rlimit limit;
    int highest = dup(0);
    close(highest);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)(highest + spare);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

RUNNER_TEST(every_descriptor_may_be_missing)
{
    enum { ENOUGH = 24 };
    kr_subprocess *p;
    int refused = 0, err = -EMFILE;
    int before = count_descriptors();
    for (int spare = 0; err != 0 && spare <= ENOUGH; spare++) {
        limit_descriptors(spare);
        err = kr_subprocess_start(&p, ARGV("cat"), OPTIONS(ALL_PIPES));
        limit_descriptors(ENOUGH);
        if (err == 0)
            break;
        CHECK_EQ(err, -EMFILE);
        CHECK_EQ(count_descriptors(), before);
        expect_no_child();
        refused++;
    }
    CHECK_EQ(err, 0);
    CHECK_GE(refused, 7);
    limit_descriptors(0);
    CHECK_EQ(kr_subprocess_communicate(p, NULL, KR_FOREVER), -EMFILE);
    limit_descriptors(ENOUGH);
    CHECK_EQ(kr_subprocess_communicate(p, NULL, KR_FOREVER), 0);
    CHECK_EQ(end(p), 0);
}

static const kr_subprocess_options pipes = {ALL_PIPES};

/* By one of the ways that a program can end. */
static void use_one(unsigned way)
{
    kr_subprocess_data data = {.input = "text", .input_size = 4};
    switch (way) {
    case 0:
        CHECK_EQ(end(start(ARGV("true"), NULL)), 0);
        break;
    case 1:
        kr_subprocess_release(start(ARGV("cat"), &pipes));
        break;
    case 2:
        CHECK_EQ(kr_subprocess_run(ARGV("cat"), NULL, &data, NULL, kr_sec(60)), 0);
        CHECK_STR(data.output, "text");
        forget(&data);
        break;
    default:
        CHECK_EQ(kr_subprocess_run(ARGV("sleep", "9"), &pipes, NULL, NULL, kr_us(500)), -ETIMEDOUT);
    }
}

static kr_word used;

static int use_many(void *arg)
{
    uint64_t state = *(uint64_t *)arg;
    kr_time until = kr_now() + kr_sec(kri_test_budget());
    while (kr_now() < until && kri_add_rlx(&used, 1) < 10000)
        use_one((unsigned)(kri_test_random(&state) % 4));
    return 0;
}

TEST(ten_thousand_programs)
{
    enum { THREADS = 3 };
    kr_thread *t[THREADS];
    uint64_t state = kri_test_seed();
    int before = count_descriptors();
    for (int i = 0; i < THREADS; i++) {
        uint64_t seed = kri_test_random(&state);
        CHECK_EQ(kr_thread_start(&t[i], use_many, &seed, sizeof seed, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(kr_thread_join(t[i], NULL, KR_FOREVER), 0);
        kr_thread_release(t[i]);
    }
    kri_test_note("%u programs", kri_load_rlx(&used));
    expect_no_child();
    CHECK_EQ(count_descriptors(), before);
}

static int use_many_here(const void *arg, void *result)
{
    uint64_t seed = *(const uint64_t *)arg;
    (void)result;
    return use_many(&seed);
}

static int spawn_users(void *arg)
{
    enum { COROUTINES = 20 };
    kr_future *f[COROUTINES];
    uint64_t *state = arg;
    for (int i = 0; i < COROUTINES; i++) {
        uint64_t seed = kri_test_random(state);
        CHECK_EQ(kr_spawn(&f[i], use_many_here, &seed, sizeof seed, 0, NULL), 0);
    }
    for (int i = 0; i < COROUTINES; i++) {
        CHECK_EQ(kr_future_result(f[i], NULL, 0, NULL, KR_FOREVER), 0);
        kr_future_release(f[i]);
    }
    return 0;
}

static int count_open(void *arg)
{
    (void)arg;
    return count_descriptors() < 3;
}

TEST(ten_thousand_programs_of_one_loop)
{
    uint64_t state = kri_test_seed();
    CHECK_EQ(kr_run(count_open, NULL), 0); /* the first loop of all keeps the bell of signals */
    int before = count_descriptors();
    CHECK_EQ(kr_run(spawn_users, &state), 0);
    kri_test_note("%u programs", kri_load_rlx(&used));
    expect_no_child();
    CHECK_EQ(count_descriptors(), before);
}
