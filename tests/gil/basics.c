/* Attach, acquire, release, check under each policy.  Answers section 14 of tests/behaviours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"

#include <krait/krait.h>
#include <unistd.h>

typedef struct shared {
    kr_gil *gil;
    long counter; /* plain: the lock guards it between two checks */
    int rounds;
    kr_barrier all;
} shared;

static kr_gil *create(kr_gil_policy policy)
{
    kr_gil *gil;
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.policy = policy}), 0);
    return gil;
}

static int count_up(void *arg)
{
    shared *s = *(shared **)arg;
    kr_gil_thread *self;
    CHECK_EQ(kr_gil_attach(s->gil, &self), 0);
    CHECK_GE(kr_barrier_wait(&s->all, KR_FOREVER), 0); /* gives it up meanwhile */
    for (int i = 0; i < s->rounds; i++) {
        CHECK(kr_gil_held(self));
        if (i % 64 == 0) {
            CHECK_EQ(kr_gil_release(self), 0);
            CHECK_EQ(kr_gil_acquire(self), 0);
        }
        long seen = s->counter;
        s->counter = seen + 1;
        CHECK_EQ(kr_gil_check(self), 0);
    }
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static void count_together(kr_gil_policy policy)
{
    shared s = {.gil = create(policy), .rounds = 1000000};
    shared *p = &s;
    kr_thread *threads[4];
    CHECK_EQ(kr_barrier_init(&s.all, 4, NULL), 0);
    CHECK_EQ(kr_gil_set_switch_interval(s.gil, kr_us(200)), 0);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_thread_start(&threads[i], count_up, &p, sizeof p, NULL), 0);
    for (int i = 0; i < 4; i++) {
        CHECK_EQ(kr_thread_join(threads[i], NULL, KR_FOREVER), 0);
        kr_thread_release(threads[i]);
    }
    CHECK_EQ(s.counter, 4L * s.rounds);
    kr_gil_metrics m;
    kr_gil_measure(s.gil, &m);
    kri_test_note("policy %d: %llu switches, %llu forced drops, %llu waits, wait p50 %lld p99 %lld "
                  "max %lld us",
                  policy, (unsigned long long)m.switches, (unsigned long long)m.forced_drops,
                  (unsigned long long)m.waits, (long long)m.wait.p50 / 1000,
                  (long long)m.wait.p99 / 1000, (long long)m.wait.max / 1000);
    CHECK_EQ(kr_gil_destroy(s.gil), 0);
}

TEST(test_counts_deadline)
{
    count_together(KR_GIL_DEADLINE);
}

TEST(test_counts_interval)
{
    count_together(KR_GIL_INTERVAL);
}

TEST(test_counts_ticks)
{
    count_together(KR_GIL_TICKS);
}
