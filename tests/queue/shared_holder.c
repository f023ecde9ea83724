/* A shared queue while a process that holds one of its locks is stopped, or after its death.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared.h"
#include "queue/shared_help.h"
#include <krait/cancel.h>

typedef struct place {
    kri_shared q;
    void *memory;
    bool gets; /* which side's lock is taken */
} place;

static void begin(place *p, bool priority, bool gets)
{
    kri_shared_plan plan = {.priority = priority, .item_size = 8, .maxsize = 4, .owners = 8};
    size_t size = kri_shared_size(&plan);
    p->memory = shared_pages(size);
    p->gets = gets;
    CHECK_EQ(kri_shared_make(&p->q, p->memory, size, &plan), 0);
}

static int put(place *p, uint64_t value, kr_time timeout)
{
    kri_put one = {.items = (const unsigned char *)&value, .length = 8, .count = 1};
    return kri_shared_put(&p->q, &one, kri_deadline(timeout));
}

static int get(place *p, uint64_t *value, kr_time timeout)
{
    kri_get one = {.items = (unsigned char *)value, .room = 8, .count = 1};
    return kri_shared_get(&p->q, &one, kri_deadline(timeout));
}

static kri_side *side_of(place *p)
{
    return p->gets ? kri_getting_side(&p->q) : &p->q.state->put;
}

static void stop_inside(void *arg)
{
    place *p = arg;
    CHECK_EQ(kri_side_enter(&p->q, side_of(p), KRI_NEVER), 0);
    CHECK_EQ(raise(SIGSTOP), 0);
    kri_side_leave(side_of(p));
}

static pid_t stopped(place *p)
{
    pid_t id = child(stop_inside, p);
    int status;
    CHECK_EQ(waitpid(id, &status, WUNTRACED), id);
    CHECK(WIFSTOPPED(status));
    return id;
}

/* Every wait ends in time, the other side goes on, and all is well when it runs again. */
static void beside_a_stopped_holder(bool priority, bool gets)
{
    place p;
    uint64_t value = 0;
    begin(&p, priority, gets);
    CHECK_EQ(put(&p, 1, KR_FOREVER), 1);
    pid_t id = stopped(&p);
    kr_time began = kr_now();
    int got = get(&p, &value, kr_ms(50));
    int done = put(&p, 2, kr_ms(50));
    CHECK_EQ(got, priority || gets ? -ETIMEDOUT : 1);
    CHECK_EQ(done, priority || !gets ? -ETIMEDOUT : 1);
    CHECK_TIME(kr_now() - began, priority ? kr_ms(100) : kr_ms(50));
    CHECK_EQ(gets ? get(&p, &value, KR_NOWAIT) : put(&p, 2, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kri_shared_close(&p.q, false), 0);
    CHECK_EQ(kill(id, SIGCONT), 0);
    reap(id);
    CHECK_EQ(put(&p, 3, KR_FOREVER), KR_ESHUTDOWN);
    while ((got = get(&p, &value, KR_FOREVER)) == 1)
        continue;
    CHECK_EQ(got, KR_ESHUTDOWN);
}

TEST(shared_fifo_writer_is_stopped_inside)
{
    beside_a_stopped_holder(false, false);
}

TEST(shared_fifo_reader_is_stopped_inside)
{
    beside_a_stopped_holder(false, true);
}

TEST(shared_priority_queue_user_is_stopped_inside)
{
    beside_a_stopped_holder(true, true);
}

/* A cancelled caller that does not wait is kept no longer than others are. */
TEST(shared_queue_of_a_stopped_holder_in_a_cancelled_scope)
{
    place p;
    uint64_t value = 0;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    begin(&p, true, true);
    CHECK_EQ(put(&p, 1, KR_NOWAIT), 1);
    pid_t id = stopped(&p);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(get(&p, &value, KR_FOREVER), -ECANCELED);
    kr_time began = kr_now();
    CHECK_EQ(get(&p, &value, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kri_shared_task_done(&p.q), -ETIMEDOUT);
    CHECK_EQ(kri_shared_join(&p.q, 0), -ETIMEDOUT);
    CHECK_EQ(kri_shared_close(&p.q, false), 0);
    CHECK_GE(kr_now() - began, kr_sec(1));
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    kill_and_reap(id);
    CHECK_EQ(get(&p, &value, KR_NOWAIT), 1);
    CHECK_EQ(kri_shared_task_done(&p.q), 0);
}

/* Nobody would ever say that the last task is done. */
TEST(join_of_a_damaged_queue_ends)
{
    place p;
    begin(&p, false, true);
    CHECK_EQ(put(&p, 1, KR_NOWAIT), 1);
    memset(&p.q.state->get.lock, 0xff, sizeof p.q.state->get.lock);
    CHECK_EQ(kri_shared_join(&p.q, kri_deadline(KR_FOREVER)), KR_ECORRUPT);
    memset(&p.q.state->get.lock, 0, sizeof p.q.state->get.lock); /* as a private lock is */
    CHECK_EQ(kri_shared_join(&p.q, kri_deadline(KR_FOREVER)), KR_ECORRUPT);
}

/* The next call has the lock soon: CHECK_TIME's upper bound is for hangs; what is usual is said. */
static void after_a_dead_holder(bool priority, bool gets)
{
    place p;
    uint64_t value = 0;
    kr_time longest = 0;
    begin(&p, priority, gets);
    for (uint64_t i = 0; i < 50; i++) {
        pid_t id = stopped(&p);
        kill_and_reap(id);
        kr_time began = kr_now();
        CHECK_EQ(put(&p, i, KR_FOREVER), 1);
        CHECK_EQ(get(&p, &value, KR_FOREVER), 1);
        kr_time took = kr_now() - began;
        CHECK_EQ(value, i);
        CHECK_EQ(kri_shared_task_done(&p.q), 0);
        longest = took > longest ? took : longest;
    }
    CHECK_LE(longest, kr_sec(5));
    CHECK_EQ(kri_shared_join(&p.q, 0), 0);
    kri_test_note("after a holder's death at most %.3f ms", (double)longest / 1e6);
}

TEST(shared_fifo_writer_is_killed_inside)
{
    after_a_dead_holder(false, false);
}

TEST(shared_fifo_reader_is_killed_inside)
{
    after_a_dead_holder(false, true);
}

TEST(shared_priority_queue_user_is_killed_inside)
{
    after_a_dead_holder(true, true);
}

/* One who waits for an item that only the killed one would have brought finds another's. */
static void get_one(void *arg)
{
    uint64_t value;
    CHECK_EQ(get(arg, &value, kr_sec(20)), 1);
}

TEST(shared_waiters_of_whom_one_is_killed)
{
    place p;
    begin(&p, false, true);
    for (int i = 0; i < 50; i++) {
        pid_t ids[3];
        for (int k = 0; k < 3; k++)
            ids[k] = child(get_one, &p);
        while (!kri_bell_armed(&p.q.state->bells.items))
            kri_test_nap();
        CHECK_EQ(put(&p, 1, KR_FOREVER), 1);
        kill_and_reap(ids[i % 3]); /* perhaps the one that was woken for it */
        for (int k = 0; k < 2; k++)
            CHECK_EQ(put(&p, 1, KR_FOREVER), 1);
        reap(ids[(i + 1) % 3]);
        reap(ids[(i + 2) % 3]);
        uint64_t value;
        while (get(&p, &value, KR_NOWAIT) == 1)
            continue;
    }
}
