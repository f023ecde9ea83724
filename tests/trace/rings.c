/* Traces: rings that overflow, too many threads, signals, and those who start, stop and read while
 * others write.
 *
 * SPDX-License-Identifier: MIT
 */
#include "trace/help.h"

#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#include "base/atomic.h"

static void mark_number(int number)
{
    char name[32];
    snprintf(name, sizeof name, "%d", number);
    kr_trace_mark(name);
}

static void expect_marks(const events *all, int first, int end)
{
    int number = first;
    for (const kr_trace_event *e = NULL; (e = next_of(all, e, KR_TRACE_MARK, NULL)) != NULL;) {
        CHECK_EQ(atoi(e->name), number);
        number++;
    }
    CHECK_EQ(number, end);
}

TEST(test_overflow_keeps_the_newest)
{
    kr_trace_totals totals;
    begin_trace(64);
    for (int i = 0; i < 1000; i++)
        mark_number(i);
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_EQ(totals.events, 1000);
    CHECK_EQ(totals.lost, 936);
    events all = end_trace();
    expect_marks(&all, 936, 1000);
}

/* A ring that is larger than what it gets memory for at once; and then one of another size. */
TEST(test_rings_grow)
{
    static const size_t sizes[] = {3000, 40000, 100, 0};
    for (int i = 0; i < 4; i++) {
        int room = sizes[i] != 0 ? (int)sizes[i] : 16384;
        begin_trace(sizes[i]);
        for (int n = 0; n < room + 10; n++)
            mark_number(n);
        events all = end_trace();
        expect_marks(&all, 10, room + 10);
    }
}

/* A span whose beginning is overwritten begins with what is left. */
TEST(test_overwritten_beginning)
{
    begin_trace(64);
    kr_trace_begin("long");
    for (int i = 0; i < 100; i++)
        mark_number(i);
    kr_trace_end();
    events all = end_trace();
    const kr_trace_event *span = the_only(&all, KR_TRACE_USER, NULL);
    CHECK(span->unfinished);
    CHECK_EQ(span->at, next_of(&all, NULL, KR_TRACE_MARK, NULL)->at);
    CHECK(end_of(span) >= all.list[all.count - 1].at);
}

static int mark(void *arg)
{
    (void)arg;
    kr_trace_mark("here");
    return 0;
}

static void run_threads(int count)
{
    for (int i = 0; i < count; i++) {
        kr_thread *t;
        CHECK_EQ(kr_thread_start(&t, mark, NULL, 0, NULL), 0);
        CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
        kr_thread_release(t);
    }
}

/* Rings of threads that have ended are kept, until the next trace. */
TEST(test_table_of_threads_is_full)
{
    enum { ROOM = 512, TOO_MANY = 9 };
    kr_trace_totals totals;
    begin_trace(64);
    kr_trace_mark("main");
    run_threads(ROOM - 1 + TOO_MANY);
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_EQ(totals.threads, ROOM);
    CHECK_EQ(totals.left_out, TOO_MANY);
    events all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_MARK, "here"), ROOM - 1);
    begin_trace(64);
    run_threads(3);
    all = end_trace();
    CHECK_EQ(count_of(&all, KR_TRACE_MARK, "here"), 3);
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_EQ(totals.left_out, 0);
    CHECK_EQ(totals.threads, 4);
}

/* Signals. */

static kr_word signals;

static void on_alarm(int signo)
{
    (void)signo;
    int saved = errno;
    kr_trace_mark("signal");
    kri_add_rlx(&signals, 1);
    errno = saved;
}

/* At any moment, also while the thread is in a point, or gets more memory for its ring. */
TEST(test_points_in_signal_handlers)
{
    enum { SIGNALS = 200 };
    struct sigaction action = {.sa_handler = on_alarm};
    struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
    kr_trace_totals totals;
    uint64_t marks = 0;
    sigaction(SIGALRM, &action, NULL);
    begin_trace(1 << 12);
    kr_trace_mark("first");
    setitimer(ITIMER_REAL, &often, NULL);
    while (kri_load_rlx(&signals) < SIGNALS) {
        kr_trace_mark("main");
        marks++;
    }
    setitimer(ITIMER_REAL, &never, NULL);
    CHECK_EQ(kr_trace_stop(), 0);
    CHECK_EQ(kr_trace_about(&totals), 0);
    CHECK_EQ(totals.events, 1 + marks + kri_load_rlx(&signals));
    events all = gather();
    CHECK_GE(all.count, 1);
}

/* Everything at once. */

static kr_word over;

static void note_all_the_time(void *arg)
{
    (void)arg;
    while (!kri_load_rlx(&over)) {
        kr_trace_begin("outer");
        kr_trace_mark("mark");
        kr_trace_begin("inner");
        kr_trace_end();
        kr_trace_end();
    }
}

static void check_names(const kr_trace_event *e, void *arg)
{
    ++*(size_t *)arg;
    if (e->kind == KR_TRACE_MARK)
        CHECK_STR(e->name, "mark");
    else if (e->kind == KR_TRACE_USER && !e->unfinished)
        CHECK(strcmp(e->name, "outer") == 0 || strcmp(e->name, "inner") == 0);
}

TEST(test_start_and_stop_while_others_note)
{
    enum { ROUNDS = 60 };
    kri_bunch bunch;
    size_t seen = 0;
    kri_bunch_start(&bunch, 3, note_all_the_time, NULL);
    kri_bunch_wait_started(&bunch, 3);
    for (int i = 0; i < ROUNDS; i++) {
        begin_trace(i % 2 == 0 ? 64 : 256);
        kr_trace_totals totals;
        do
            CHECK_EQ(kr_trace_about(&totals), 0);
        while (totals.events < 500);
        CHECK_EQ(kr_trace_visit(check_names, &seen), 0);
        CHECK_EQ(kr_trace_write("/dev/null"), 0);
        CHECK_EQ(kr_trace_stop(), 0);
        CHECK_EQ(kr_trace_visit(check_names, &seen), 0);
    }
    kri_store_rlx(&over, 1);
    kri_bunch_end(&bunch);
    CHECK_GE(seen, ROUNDS);
}

static void start_and_stop(void *arg)
{
    (void)arg;
    for (int i = 0; i < 200; i++) {
        (void)!kr_trace_start(NULL);
        kr_trace_mark("mark");
        (void)kr_trace_stop();
        (void)!kr_trace_visit(check_names, &(size_t){0});
    }
}

TEST(test_many_start_and_stop)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 4, start_and_stop, NULL);
    kri_bunch_end(&bunch);
    CHECK(!kr_trace_running());
}
