/* Traces on a system that refuses the k-th call, or all from there on.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/faulty.h"
#include "harness/sanitizers.h"
#include "trace/help.h"

static void ignore(const kr_trace_event *event, void *arg)
{
    (void)event;
    ++*(int *)arg;
}

/* What fails says so, and can be done again. */
static void each(faulty_group group, bool all_after, int (*attempt)(void))
{
    uint32_t failed = 1;
    uint32_t k;
    for (k = 1; failed != 0; k++) {
        faulty_begin(group, k, all_after);
        int err = attempt();
        failed = faulty_failed();
        (void)faulty_end();
        CHECK(err == 0 || failed != 0);
        CHECK_LE(err, 0);
        CHECK_EQ(attempt(), 0);
    }
    CHECK_GE(k, 3);
}

/* Each time larger, so that it needs another segment.  qemu maps none of 32 GiB. */
static int start_larger(void)
{
    enum { LARGE = KRI_EMULATED ? 1 << 17 : 1 << 19 };
    static size_t room = 64;
    int err = kr_trace_start(&(kr_trace_options){.events = room});
    if (err != 0)
        return err;
    kr_trace_mark("one");
    room = room < 16384 ? 20000 : room < LARGE ? room * 2 : 64;
    return kr_trace_stop();
}

TEST(test_no_segment)
{
    faulty_begin(FAULTY_SEGMENT, 1, true);
    int err = kr_trace_start(NULL);
    (void)faulty_end();
    CHECK(err < 0);
    CHECK(!kr_trace_running());
    kr_trace_mark("into nothing");
    int calls = 0;
    CHECK_EQ(kr_trace_visit(ignore, &calls), -ENODATA);
    for (uint32_t k = 1; k <= 8; k++) {
        faulty_begin(FAULTY_SEGMENT, k, false);
        err = start_larger();
        (void)faulty_end();
        CHECK_LE(err, 0);
        CHECK_EQ(start_larger(), 0);
    }
}

static int read_it(void)
{
    int calls = 0;
    int err = kr_trace_visit(ignore, &calls);
    CHECK(err == 0 ? calls == 2000 : calls == 0);
    return err;
}

static int write_it(void)
{
    return kr_trace_write("/dev/null");
}

TEST(test_no_memory_to_read)
{
    begin_trace(0);
    for (int i = 0; i < 2000; i++)
        kr_trace_mark("some");
    CHECK_EQ(kr_trace_stop(), 0);
    int64_t live = faulty_live();
    each(FAULTY_MEMORY, false, read_it);
    each(FAULTY_MEMORY, true, read_it);
    each(FAULTY_MEMORY, false, write_it);
    each(FAULTY_MEMORY, true, write_it);
    CHECK_EQ(faulty_live(), live);
}

/* A ring that gets no more memory goes round in what it has; one that gets none keeps nothing. */
TEST(test_no_memory_for_rings)
{
    kr_trace_totals totals;
    begin_trace(0);
    kr_trace_mark("first"); /* with memory for some */
    faulty_begin(FAULTY_MEMORY, 1, true);
    for (int i = 0; i < 5000; i++)
        kr_trace_mark("some");
    (void)faulty_end();
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_EQ(totals.events, 5001);
    CHECK_EQ(totals.lost, 5001 - 1024);
    events all = end_trace();
    CHECK_EQ(all.count, 1024);
}

static int mark(void *arg)
{
    (void)arg;
    faulty_begin(FAULTY_MEMORY, 1, true);
    kr_trace_mark("not kept");
    (void)faulty_end();
    kr_trace_mark("kept");
    return 0;
}

TEST(test_no_memory_for_the_first_event)
{
    begin_trace(0);
    CHECK_EQ(mark(NULL), 0);
    events all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_MARK, "not kept"), 0);
    CHECK_EQ(count_of(&all, KR_TRACE_MARK, "kept"), 1);
}
