/* Threads and coroutines that attach, work and end at random, at several locks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil/help.h"

enum { LOCKS = 3, AT_ONCE = 12 };

typedef struct place {
    kr_gil *gil;
    long counter; /* plain: guarded by the lock */
    kr_word counted;
} place;

typedef struct world {
    place places[LOCKS];
    kr_word live;
    kr_semaphore permits;
    kr_queue *queue;
} world;

static world w;

static void work_a_little(place *p, kr_gil_thread *self, uint64_t *state)
{
    int item = 1;
    switch (kri_test_random(state) % 8) {
    case 0:
        CHECK_EQ(kr_gil_release(self), 0);
        CHECK_EQ(kr_gil_acquire(self), 0);
        break;
    case 1:
        kr_allow_threads (self)
            kri_test_nap();
        break;
    case 2:
        CHECK_EQ(kr_sleep(kr_us((int64_t)(kri_test_random(state) % 50))), 0);
        break;
    case 3:
        CHECK_EQ(kr_queue_put(w.queue, &item, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_get(w.queue, &item, KR_FOREVER), 0);
        break;
    case 4:
        CHECK(gil_attach(p->gil) == self);
        CHECK_EQ(kr_gil_detach(self), 0);
        break;
    case 5:
        CHECK_EQ(kr_yield(), 0);
        break;
    default:
        break;
    }
    for (int i = 0; i < 50; i++) {
        CHECK(kr_gil_held(self));
        long seen = p->counter;
        p->counter = seen + 1;
        CHECK_EQ(kr_gil_check(self), 0);
    }
    kri_add_rlx(&p->counted, 50);
}

static void live_at(uint64_t *state)
{
    place *p = &w.places[kri_test_random(state) % LOCKS];
    kr_gil_thread *self = gil_attach(p->gil);
    uint64_t rounds = kri_test_random(state) % 6;
    for (uint64_t i = 0; i < rounds; i++)
        work_a_little(p, self, state);
    CHECK_EQ(kr_gil_detach(self), 0);
}

static void live_at_all(uint64_t *state)
{
    kr_gil_thread *selves[LOCKS];
    for (int i = 0; i < LOCKS; i++)
        selves[i] = gil_attach(w.places[i].gil);
    for (int i = 0; i < LOCKS; i++)
        work_a_little(&w.places[i], selves[i], state);
    for (int i = LOCKS - 1; i >= 0; i--)
        CHECK_EQ(kr_gil_detach(selves[i]), 0);
}

static void live(uint64_t state)
{
    if (kri_test_random(&state) % 4 == 0)
        live_at_all(&state);
    else
        live_at(&state);
}

static int live_in_thread(void *arg)
{
    live(*(uint64_t *)arg);
    CHECK_EQ(kr_semaphore_release(&w.permits, 1), 0);
    kri_sub_rel(&w.live, 1);
    return 0;
}

static int live_in_coroutine(const void *arg, void *result)
{
    (void)result;
    live(*(const uint64_t *)arg);
    return 0;
}

static void begin(void)
{
    CHECK_EQ(kr_semaphore_init(&w.permits, AT_ONCE, NULL), 0);
    CHECK_EQ(kr_queue_create(&w.queue, sizeof(int), 4, NULL), 0);
    for (int i = 0; i < LOCKS; i++) {
        w.places[i].gil = gil_create(policies[i % POLICIES]);
        CHECK_EQ(kr_gil_set_switch_interval(w.places[i].gil, kr_us(50)), 0);
    }
}

static void finish(void)
{
    for (int i = 0; i < LOCKS; i++) {
        CHECK_EQ((uint32_t)w.places[i].counter, kri_load_rlx(&w.places[i].counted));
        CHECK_EQ(kr_gil_destroy(w.places[i].gil), 0);
    }
    kr_queue_release(w.queue);
}

static int run_coroutines(void *arg)
{
    uint64_t *state = arg;
    kr_future *tasks[20];
    for (int i = 0; i < 20; i++) {
        uint64_t seed = kri_test_random(state);
        CHECK_EQ(kr_spawn(&tasks[i], live_in_coroutine, &seed, sizeof seed, 0, NULL), 0);
    }
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(kr_future_exception(tasks[i], NULL, KR_FOREVER), 0);
        kr_future_release(tasks[i]);
    }
    return 0;
}

static int live_in_loop(void *arg)
{
    CHECK_EQ(kr_run_with(run_coroutines, arg, &(kr_run_options){.keep_interrupt = true}), 0);
    CHECK_EQ(kr_semaphore_release(&w.permits, 1), 0);
    kri_sub_rel(&w.live, 1);
    return 0;
}

static void come_and_go(bool loops)
{
    uint64_t state = kri_test_seed();
    int lives = 0;
    begin();
    kr_time end = kr_now() + kr_sec(kri_test_budget());
    while (kr_now() < end || lives < 1000) {
        uint64_t seed = kri_test_random(&state);
        bool loop = loops && lives % 40 == 0;
        CHECK_EQ(kr_semaphore_acquire(&w.permits, KR_FOREVER), 0);
        kri_add_rlx(&w.live, 1);
        CHECK_EQ(
            kr_thread_start(NULL, loop ? live_in_loop : live_in_thread, &seed, sizeof seed, NULL),
            0);
        lives++;
    }
    while (kri_load_acq(&w.live) != 0)
        kri_test_nap();
    kri_test_note("%d lives", lives);
    finish();
}

TEST(test_threads_come_and_go)
{
    come_and_go(false);
}

TEST(test_threads_and_coroutines)
{
    come_and_go(true);
}
