/* A process is killed after every single instruction of each call of a shared queue; in a short run
 * after every third, about, by chance.
 *
 * The victim is a child that is single-stepped (ptrace) through one call, and killed after step 1,
 * another one after step 2, and so on until one gets through; a system call is one step.  After
 * each kill the queue holds what it should, nothing of its room is lost, and what is owed can be
 * settled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "queue/shared.h"
#include "queue/shared_help.h"
#include "sync/internal.h"
#include <sys/ptrace.h>

enum { ROOM = 4, STEPS = 20000, LONG_ITEM = 200, MANY_SECONDS = 10 };

typedef struct step_world {
    kri_shared q;
    kr_word done; /* in shared memory: the victim is through */
} step_world;

typedef struct step_case {
    int (*victim)(step_world *w);
    bool priority;
    size_t item_size; /* 0: they differ */
    uint64_t inside;  /* items before the call: 1, 2, ... */
    uint64_t puts;    /* how many the call puts: 7, 8, ... */
    uint64_t gets;    /* or takes */
    bool each;        /* some of them may have been put, and others not */
} step_case;

static step_case now;

/* Items begin with their number. */
static size_t length_of(uint64_t value)
{
    return now.item_size != 0 ? now.item_size : value % 2 == 0 ? LONG_ITEM : 8;
}

static int put_some(step_world *w, uint64_t first, uint64_t count)
{
    unsigned char items[2 * LONG_ITEM] = {0};
    for (uint64_t i = 0; i < count; i++) {
        uint64_t value = first + i;
        memcpy(items + i * length_of(value), &value, sizeof value);
    }
    kri_put put = {
        .items = items, .length = length_of(first), .count = count, .priority = (int64_t)first};
    return kri_shared_put(&w->q, &put, KRI_NEVER);
}

/* 0: none is there. */
static uint64_t get_one(step_world *w)
{
    unsigned char item[LONG_ITEM];
    uint64_t value = 0;
    kri_get get = {.items = item, .room = sizeof item, .count = 1};
    if (kri_shared_get(&w->q, &get, 0) != 1)
        return 0;
    memcpy(&value, item, sizeof value);
    CHECK_EQ(get.length, length_of(value));
    return value;
}

static int put_7(step_world *w)
{
    return put_some(w, 7, 1);
}

static int put_7_and_8(step_world *w)
{
    return put_some(w, 7, 2);
}

static int get_and_settle(step_world *w)
{
    return get_one(w) != 0 ? kri_shared_task_done(&w->q) : -EIO;
}

static int close_at_once(step_world *w)
{
    return kri_shared_close(&w->q, true);
}

static void be_the_victim(void *arg)
{
    step_world *w = arg;
    step_world *shared = (step_world *)w->q.state->ledger.reserved[0];
    (void)kri_process_self(); /* the first call reads it from the system, in many steps */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    if (now.victim(w) < 0)
        _exit(2);
    kri_store_rel(&shared->done, 1);
}

/* True: it was killed, and not through by then. */
static bool kill_after(step_world *w, step_world *shared, int steps)
{
    int status;
    pid_t victim = child(be_the_victim, w);
    CHECK_EQ(waitpid(victim, &status, 0), victim);
    if (!WIFSTOPPED(status))
        SKIP("no process may be traced here");
    for (int i = 0; i < steps; i++) {
        CHECK_EQ(ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL), 0);
        CHECK_EQ(waitpid(victim, &status, 0), victim);
        CHECK(WIFSTOPPED(status));
        if (kri_load_acq(&shared->done) != 0)
            break;
    }
    kill_and_reap(victim);
    return kri_load_acq(&shared->done) == 0;
}

static void settle(step_world *w, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        CHECK_EQ(kri_shared_task_done(&w->q), 0);
}

/* What was inside is there, but for what the victim took; and all, or none, of what it put. */
static uint64_t check_items(step_world *w, bool through)
{
    uint64_t count = 0;
    uint64_t expected = 1;
    uint64_t value = get_one(w);
    if (now.gets == 1 && value == 2)
        expected = 2;
    CHECK(!through || now.gets == 0 || expected == 2);
    for (; expected <= now.inside; expected++, count++) {
        CHECK_EQ(value, expected);
        value = get_one(w);
    }
    uint64_t put = 0;
    for (; value != 0; count++, put++) {
        CHECK_EQ(value, 7 + put);
        value = get_one(w);
    }
    CHECK_LE(put, now.puts);
    CHECK(put == 0 || put == now.puts || now.each);
    CHECK(!through || put == now.puts);
    return count;
}

static void check_after(step_world *w, bool through)
{
    settle(w, check_items(w, through));
    CHECK_EQ(kri_shared_join(&w->q, kri_deadline(kr_sec(20))), 0);
    CHECK_EQ(kri_shared_task_done(&w->q), -EPERM);
    for (uint64_t i = 0; i < ROOM; i++) /* no room is lost */
        CHECK_EQ(put_some(w, 10 + 2 * i, 1), 1);
    for (uint64_t i = 0; i < ROOM; i++)
        CHECK_EQ(get_one(w), 10 + 2 * i);
    settle(w, ROOM);
    CHECK_EQ(kri_shared_join(&w->q, 0), 0);
}

static void check_closed(step_world *w)
{
    CHECK_EQ(kri_shared_close(&w->q, true), 0);
    CHECK_EQ(get_one(w), 0);
    CHECK_EQ(kri_shared_join(&w->q, 0), 0);
}

static void kill_after_each(step_case what)
{
    now = what;
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind multiply the steps");
    kri_shared_plan plan = {.priority = what.priority,
                            .item_size = what.item_size,
                            .maxsize = ROOM,
                            .bytes = what.item_size == 0 ? ROOM * LONG_ITEM : 0,
                            .owners = 2};
    size_t size = kri_shared_size(&plan);
    void *memory = shared_pages(size);
    step_world *shared = shared_pages(sizeof *shared);
    step_world w;
    uint64_t random = kri_test_seed();
    unsigned stride = kri_test_budget() > MANY_SECONDS ? 1 : 5; /* long runs: every step */
    int steps = 0;
    long kills = 0;
    bool killed = true;
    while (killed && steps < STEPS) {
        CHECK_EQ(kri_shared_make(&w.q, memory, size, &plan), 0);
        w.q.state->ledger.reserved[0] = (uint64_t)(uintptr_t)shared;
        kri_store_rel(&shared->done, 0);
        for (uint64_t i = 1; i <= what.inside; i++)
            CHECK_EQ(put_some(&w, i, 1), 1);
        steps += 1 + (int)(kri_test_random(&random) % stride);
        killed = kill_after(&w, shared, steps);
        if (what.victim == close_at_once)
            check_closed(&w);
        else
            check_after(&w, !killed);
        kills += killed;
    }
    CHECK_GE(kills, 50);
    CHECK_LE(steps, STEPS - 1);
    kri_test_note("%ld kills within %d steps", kills, steps);
}

TEST(shared_fifo_killed_in_put)
{
    kill_after_each((step_case){.victim = put_7, .item_size = 8, .inside = 2, .puts = 1});
}

TEST(shared_fifo_of_any_length_killed_in_put)
{
    kill_after_each((step_case){.victim = put_7, .inside = 3, .puts = 1});
}

TEST(shared_fifo_killed_in_put_many)
{
    kill_after_each((step_case){.victim = put_7_and_8, .item_size = 16, .inside = 2, .puts = 2});
}

TEST(shared_fifo_killed_in_get_and_task_done)
{
    kill_after_each((step_case){.victim = get_and_settle, .item_size = 8, .inside = 2, .gets = 1});
}

TEST(shared_priority_queue_killed_in_put)
{
    kill_after_each(
        (step_case){.victim = put_7, .priority = true, .item_size = 8, .inside = 3, .puts = 1});
}

TEST(shared_priority_queue_killed_in_put_many)
{
    kill_after_each((step_case){.victim = put_7_and_8,
                                .priority = true,
                                .item_size = 8,
                                .inside = 2,
                                .puts = 2,
                                .each = true});
}

TEST(shared_priority_queue_killed_in_get_and_task_done)
{
    kill_after_each(
        (step_case){.victim = get_and_settle, .priority = true, .inside = 3, .gets = 1});
}

TEST(shared_queue_killed_in_shutdown)
{
    kill_after_each((step_case){.victim = close_at_once, .item_size = 8, .inside = 2});
}
