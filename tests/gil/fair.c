/* Who gets how much of an interpreter lock.
 *
 * Shares are of held time, as the lock counts it: time that the machine steals from a holder is
 * his.  It may be much at once, and what he owes for it may not be given back before the end: so
 * the bounds are wider by the longest hold.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"
#include "harness/sanitizers.h"

#include <stdio.h>

enum { MOST = 5 };
enum { LONG = 10 * 1000 * 1000 }; /* a hold without a check */

typedef struct contest {
    kr_gil *gil;
    kr_word over;
    kr_word begun;
    int count;
    kr_time held[MOST];
    kr_time longest;
    kr_gil_times wait[MOST];
} contest;

typedef struct runner {
    contest *c;
    int index;
    kr_time hold; /* of one that gives it up by itself and asks again at once; 0: only checks */
} runner;

static void hold_for(kr_gil_thread *self, kr_time time)
{
    kr_time end = kr_now() + time;
    while (kr_now() < end) {
        if (time < LONG)
            CHECK_EQ(kr_gil_check(self), 0);
    }
}

static int compete(void *arg)
{
    runner *r = arg;
    contest *c = r->c;
    kr_gil_thread *self = gil_attach(c->gil);
    kri_add_rlx(&c->begun, 1);
    while ((int)kri_load_rlx(&c->begun) < c->count)
        CHECK_EQ(kr_sleep(kr_us(100)), 0);
    while (!kri_load_rlx(&c->over)) {
        if (r->hold == 0) {
            for (int i = 0; i < 100; i++)
                CHECK_EQ(kr_gil_check(self), 0);
        } else {
            hold_for(self, r->hold);
            CHECK_EQ(kr_gil_release(self), 0);
            CHECK_EQ(kr_gil_acquire(self), 0);
        }
    }
    kr_gil_metrics m;
    kr_gil_measure_thread(self, &m);
    c->held[r->index] = m.held;
    c->wait[r->index] = m.wait;
    CHECK_EQ(kr_gil_detach(self), 0);
    return 0;
}

static void run_contest_for(contest *c, kr_gil *gil, int count, const kr_time *holds, kr_time time)
{
    runner runners[MOST];
    kr_thread *threads[MOST];
    *c = (contest){.gil = gil, .count = count};
    for (int i = 0; i < count; i++) {
        runners[i] = (runner){.c = c, .index = i, .hold = holds != NULL ? holds[i] : 0};
        threads[i] = start(compete, &runners[i]);
    }
    CHECK_EQ(kr_sleep(time), 0);
    kri_store_rlx(&c->over, 1);
    for (int i = 0; i < count; i++)
        CHECK_EQ(join(threads[i]), 0);
    kr_gil_metrics m;
    kr_gil_measure(c->gil, &m);
    c->longest = m.hold.max;
    CHECK_EQ(kr_gil_destroy(c->gil), 0);
}

static void run_contest(contest *c, kr_gil_policy policy, int count, const kr_time *holds,
                        kr_time time)
{
    run_contest_for(c, gil_create(policy), count, holds, time);
}

static kr_time held_by_all(const contest *c)
{
    kr_time all = 1;
    for (int i = 0; i < c->count; i++)
        all += c->held[i];
    return all;
}

static double share(const contest *c, int index)
{
    return (double)c->held[index] / (double)held_by_all(c);
}

static bool is_within(const contest *c, int index, double least, double most)
{
    double slack = (double)c->longest / (double)held_by_all(c);
    return share(c, index) > least - slack && share(c, index) < most + slack;
}

static void print_shares(const contest *c, const char *what, kr_gil_policy policy)
{
    char text[128] = "";
    for (int i = 0; i < c->count; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %.1f %%", 100 * share(c, i));
    kri_test_note("%s, %s:%s, longest hold %lld us", what, policy_names[policy], text,
                  (long long)c->longest / 1000);
}

/* Under the deadline policy each has a share within the bounds; the others' are told of. */
static void contend(const char *what, int count, const kr_time *holds, const double (*bounds)[2])
{
    contest c;
    run_contest(&c, KR_GIL_DEADLINE, count, holds, kr_sec(2));
    print_shares(&c, what, KR_GIL_DEADLINE);
    for (int i = 0; i < count; i++)
        CHECK(is_within(&c, i, bounds[i][0], bounds[i][1]));
    for (int i = 1; i < POLICIES; i++) {
        run_contest(&c, policies[i], count, holds, kr_ms(500));
        print_shares(&c, what, policies[i]);
    }
}

/* A quarter each, within a tenth of it. */
TEST(test_equal_shares)
{
    const double bounds[][2] = {{0.225, 0.275}, {0.225, 0.275}, {0.225, 0.275}, {0.225, 0.275}};
    contend("four that compute", 4, NULL, bounds);
}

/* Two that compute and one that gives it up every millisecond and asks again at once: it has no
 * more than its third for that.  How much less depends on how soon the machine lets it run and ask.
 */
TEST(test_greedy_visitor)
{
    const kr_time holds[] = {0, 0, kr_ms(1)};
    const double bounds[][2] = {{0, 1}, {0, 1}, {0.01, 0.367}};
    contend("two that compute and a visitor", 3, holds, bounds);
}

/* One that keeps it for a slice at a time without a check owes it to the others. */
TEST(test_long_holds)
{
    const kr_time holds[] = {0, 0, kr_ms(12)};
    const double bounds[][2] = {{0.25, 0.42}, {0.25, 0.42}, {0.25, 0.42}};
    contend("two that compute and one with long holds", 3, holds, bounds);
}

static kr_time median_visit(kr_gil_policy policy, int slice_ms)
{
    const kr_time holds[] = {0, 0, 0, 0, kr_us(20)};
    contest c;
    kr_gil *gil = gil_create(policy);
    CHECK_EQ(kr_gil_set_switch_interval(gil, kr_ms(slice_ms)), 0);
    run_contest_for(&c, gil, 5, holds, kr_ms(800 + slice_ms * 40));
    print_shares(&c, "four that compute and short visits", policy);
    kri_test_note("slices of %d ms, %s: %llu visits waited, p50 %lld us, p99 %lld us", slice_ms,
                  policy_names[policy], (unsigned long long)c.wait[4].count,
                  (long long)c.wait[4].p50 / 1000, (long long)c.wait[4].p99 / 1000);
    if (policy == KR_GIL_DEADLINE)
        CHECK(is_within(&c, 4, 0, 0.5));
    return c.wait[4].p50;
}

/* Those that compute do not keep out one that wants it for 20 us at a time: mostly it waits for the
 * least slice, not for the others' turns of a whole one each.  A busy machine makes waits longer,
 * never shorter, and does so by less than the longer slices: so one good run of a few is enough,
 * and where it waits for turns there is none. */
TEST(test_short_visits)
{
    enum { RUNS = 6 };
    bool soon = false;
    int slice_ms = 5 * KRI_TIMES;
    for (int i = 1; i < POLICIES; i++)
        median_visit(policies[i], slice_ms);
    for (int i = 0; i < RUNS && !soon; i++, slice_ms *= 2)
        soon = median_visit(KR_GIL_DEADLINE, slice_ms) < kr_ms(slice_ms) * 4 / 5;
    CHECK(soon);
}
