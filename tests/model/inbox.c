/* What other threads have for a loop, under every schedule: putting, sleeping, closing, ending.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "loop/loop.h"
#include "model/scenario.h"
#include "os/events.h"
#include "os/os.h"

typedef struct parcel {
    kri_posted posted;
    int content; /* plain */
} parcel;

static struct {
    kri_inbox *inbox; /* freed as soon as it has ended */
    parcel *parcels[2];
    bool accepted[2];
    int taken;
} s;

static void fresh(bool with_bell)
{
    memset(&s, 0, sizeof s);
    s.inbox = kr_explore_alloc(sizeof *s.inbox);
    memset(s.inbox, 0, sizeof *s.inbox);
    s.inbox->bell = with_bell ? os_bell_create() : -1;
    kr_explore_name(s.inbox, sizeof *s.inbox, "inbox");
    for (int i = 0; i < 2; i++) {
        s.parcels[i] = kr_explore_alloc(sizeof(parcel));
        memset(s.parcels[i], 0, sizeof(parcel));
        kr_explore_name(s.parcels[i], sizeof(parcel), i == 0 ? "first" : "second");
    }
}

static void put(int i)
{
    s.parcels[i]->content = 1;
    s.accepted[i] =
        kri_inbox_put(s.inbox, (kri_item)(uintptr_t)&s.parcels[i]->posted | KRI_ITEM_POSTED);
}

static void put_one(void *arg)
{
    (void)arg;
    put(0);
}

static void put_other(void *arg)
{
    (void)arg;
    put(1);
}

static void put_both(void *arg)
{
    (void)arg;
    put(0);
    put(1);
}

/* Freed, so that a putter that looks at what it has put is seen. */
static void take_all(void)
{
    kri_item item = kri_inbox_take(s.inbox);
    while (item != 0) {
        parcel *p = (parcel *)(item & ~(kri_item)KRI_ITEM_KIND);
        item = kri_inbox_next(item);
        s.taken += p->content;
        kr_explore_free(p);
    }
}

static void end(void)
{
    kri_inbox_end(s.inbox);
    kr_explore_free(s.inbox);
}

static void sleep_by_bell(kr_time deadline)
{
    if (!kri_inbox_lie_down(s.inbox))
        return;
    if (os_poll(s.inbox->bell, OS_READABLE, -1, deadline) == OS_READABLE)
        kri_inbox_bell_rang(s.inbox);
    kri_inbox_get_up(s.inbox);
}

/* So many of its sleeps have a time limit.  Its last ring may be under way at the end. */
static void run_until(int count, bool by_bell, int timed)
{
    while (s.taken < count) {
        take_all();
        if (s.taken == count)
            break;
        kr_time deadline = timed-- > 0 ? kri_deadline(kr_sec(1)) : KRI_NEVER;
        if (by_bell)
            sleep_by_bell(deadline);
        else
            kri_inbox_sleep(s.inbox, deadline);
    }
    kr_explore_check(kri_inbox_close(s.inbox));
    end();
}

SCENARIO(put_while_it_falls_asleep, .preemptions = 3)
{
    fresh(false);
    kr_explore_spawn(put_both, NULL);
    run_until(2, false, 0);
    kr_explore_join_all();
}

SCENARIO(put_by_two)
{
    fresh(false);
    kr_explore_spawn(put_one, NULL);
    kr_explore_spawn(put_other, NULL);
    run_until(2, false, 0);
    kr_explore_join_all();
}

/* The sleep ends by itself: a ring that was for it comes later, maybe in the next one. */
SCENARIO(put_while_it_gets_up, .early = 2)
{
    fresh(false);
    kr_explore_spawn(put_one, NULL);
    kr_explore_spawn(put_other, NULL);
    run_until(2, false, 2);
    kr_explore_join_all();
}

SCENARIO(put_while_it_lies_down, .preemptions = 3)
{
    fresh(true);
    kr_explore_spawn(put_both, NULL);
    run_until(2, true, 0);
    kr_explore_join_all();
}

SCENARIO(put_beside_the_first_bell)
{
    fresh(false);
    kr_explore_spawn(put_both, NULL);
    s.inbox->bell = os_bell_create();
    run_until(2, true, 0);
    kr_explore_join_all();
}

SCENARIO(put_while_it_gets_up_by_bell, .early = 2)
{
    fresh(true);
    kr_explore_spawn(put_one, NULL);
    kr_explore_spawn(put_other, NULL);
    run_until(2, true, 2);
    kr_explore_join_all();
}

/* Once by the word, once by the bell. */
SCENARIO(put_while_it_sleeps_both_ways, .early = 2)
{
    fresh(true);
    kr_explore_spawn(put_one, NULL);
    kr_explore_spawn(put_other, NULL);
    kri_inbox_sleep(s.inbox, kri_deadline(kr_sec(1)));
    take_all();
    sleep_by_bell(kri_deadline(kr_sec(1)));
    run_until(2, false, 2);
    kr_explore_join_all();
}

/* What it does not take, it refuses.  Here the putter knows that the inbox stays. */
SCENARIO(put_against_close, .preemptions = 3)
{
    fresh(false);
    kr_explore_spawn(put_one, NULL);
    kri_inbox_sleep(s.inbox, kri_deadline(kr_sec(1)));
    do {
        take_all();
    } while (!kri_inbox_close(s.inbox));
    kr_explore_join_all();
    kr_explore_check(s.accepted[0] == (s.taken == 1));
    if (!s.accepted[0])
        kr_explore_free(s.parcels[0]);
    kr_explore_free(s.parcels[1]);
    end();
}

/* A loop in a thread of its own. */

static int count(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.taken++;
    return 0;
}

static void submit_one(void *arg)
{
    kr_future *f;
    int err = kr_submit(arg, &f, count, NULL, 0, 0);
    s.accepted[0] = err == 0;
    kr_explore_check(err == 0 || err == KR_ESHUTDOWN);
    if (err != 0)
        return;
    kr_explore_check(kr_future_result(f, NULL, 0, NULL, KR_FOREVER) == 0);
    kr_future_release(f);
}

SCENARIO(submit_against_shutdown, .stale = 1, .early = KR_EXPLORE_NONE, .keeps_memory = true)
{
    kr_executor *pool;
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1, .name = "loops"}) == 0);
    kr_explore_spawn(submit_one, pool);
    kr_explore_check(kr_executor_shutdown(pool, NULL, KR_FOREVER) == 0);
    kr_explore_join_all();
    kr_explore_check(s.taken == s.accepted[0]);
    kr_executor_release(pool);
}

static int nothing(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

static void submit_nothing(void *arg)
{
    kr_future *f;
    int err = kr_submit(arg, &f, nothing, NULL, 0, 0);
    kr_explore_check(err == 0 || err == KR_ESHUTDOWN);
    if (err != 0)
        return;
    kr_explore_check(kr_future_result(f, NULL, 0, NULL, KR_FOREVER) == 0);
    kr_future_release(f);
}

/* Nobody who is on his way to wait for room is left waiting. */
SCENARIO(shutdown_while_there_is_no_room, .mode = KR_EXPLORE_PCT, .depth = 4,
         .stale = KR_EXPLORE_NONE, .early = KR_EXPLORE_NONE, .keeps_memory = true)
{
    kr_executor *pool;
    const kr_pool_options o = {.workers = 1, .max_queued = 1, .name = "loops"};
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_loop_pool(&pool, &o) == 0);
    kr_explore_check(kr_submit(pool, NULL, nothing, NULL, 0, 0) == 0);
    kr_explore_spawn(submit_nothing, pool);
    kr_explore_spawn(submit_nothing, pool);
    kr_explore_check(kr_executor_shutdown(pool, NULL, KR_FOREVER) == 0);
    kr_explore_join_all();
    kr_executor_release(pool);
}

static int submit_and_await(kr_executor *pool)
{
    kr_future *f;
    int err = kr_submit(pool, &f, nothing, NULL, 0, 0);
    if (err != 0)
        return err;
    err = kr_future_result(f, NULL, 0, NULL, KR_FOREVER);
    kr_future_release(f);
    return err;
}

/* A task that fails since there is no stack for it leaves its room to the next. */
SCENARIO(room_of_one_that_failed, .preemptions = 1, .stale = KR_EXPLORE_NONE,
         .early = KR_EXPLORE_NONE, .failures = 1, .keeps_memory = true)
{
    kr_executor *pool;
    const kr_pool_options o = {.workers = 1, .max_queued = 1, .name = "loops"};
    memset(&s, 0, sizeof s);
    if (kr_loop_pool(&pool, &o) != 0)
        return;
    int refused = submit_and_await(pool) != 0;
    refused += submit_and_await(pool) != 0;
    kr_explore_check(refused <= 1);
    kr_explore_check(kr_executor_shutdown(pool, NULL, KR_FOREVER) == 0);
    kr_executor_release(pool);
}
