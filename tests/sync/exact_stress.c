/* Exact notify, and permits that add up, under stress, with waits that time out or are cancelled.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"

enum { WAITERS = 6, NOTIFIERS = 2 };

typedef struct stress_world {
    kr_condition condition;
    kr_semaphore semaphore;
    kr_time end;
    bool stop;         /* the rest is guarded by the condition's lock, or of one party */
    uint64_t granted;  /* sum of what the notifies returned */
    uint64_t notified; /* waits that returned 0 */
    uint64_t timed_out;
    uint64_t cancelled;
    uint64_t wrong;
} stress_world;

/* A wait in one of four ways: two for ever, one timed, one in a scope whose time runs out. */
static int wait_somehow(stress_world *world, uint64_t *random)
{
    kr_time moment = kr_us(1 + party_random_below(random, 300));
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int err;

    switch (party_random_below(random, 4)) {
    case 0:
        return kr_condition_wait(&world->condition, moment);
    case 1:
        if (kr_cancel_scope_enter(&scope, moment) != 0)
            return -EINVAL;
        err = kr_condition_wait(&world->condition, KR_FOREVER);
        kr_cancel_scope_exit(&scope);
        return err;
    default:
        return kr_condition_wait(&world->condition, KR_FOREVER);
    }
}

static void count_result(stress_world *world, int err)
{
    if (err == 0)
        world->notified++;
    else if (err == -ETIMEDOUT)
        world->timed_out++;
    else if (err == -ECANCELED)
        world->cancelled++;
    else
        world->wrong++;
}

static void wait_again_and_again(void *arg, int index)
{
    stress_world *world = arg;
    uint64_t random = party_random_start(index);

    if (kr_condition_acquire(&world->condition, KR_FOREVER) != 0)
        return;
    while (!world->stop)
        count_result(world, wait_somehow(world, &random));
    kr_condition_release(&world->condition);
}

static void notify_for_a_while(void *arg, int index)
{
    stress_world *world = arg;
    uint64_t random = party_random_start(100 + index);

    for (bool enough = false; !enough;) {
        int count = (int)party_random_below(&random, 4);
        int woken;

        if (kr_condition_acquire(&world->condition, KR_FOREVER) != 0)
            return;
        enough = kr_now() >= world->end && world->notified > 0 && world->timed_out > 0 &&
                 world->cancelled > 0;
        woken = count == 0 && party_random_below(&random, 8) == 0
                    ? kr_condition_notify_all(&world->condition)
                    : kr_condition_notify(&world->condition, count);
        if (woken < 0 || woken > WAITERS)
            world->wrong++;
        else
            world->granted += (uint64_t)woken;
        kr_condition_release(&world->condition);
        if (party_random_below(&random, 4) == 0)
            party_nap();
    }
}

/* The last waiters are let go by one notify_all after the stop, which must be enough. */
static void stop_waiters(stress_world *world)
{
    int woken;

    CHECK_EQ(kr_condition_acquire(&world->condition, KR_FOREVER), 0);
    world->stop = true;
    woken = kr_condition_notify_all(&world->condition);
    CHECK_GE(woken, 0);
    world->granted += (uint64_t)woken;
    CHECK_EQ(kr_condition_release(&world->condition), 0);
}

PARTY_TEST(test_notify_is_exact)
{
    stress_world *world = party_world(sizeof *world);
    party_bunch *waiters;

    make_condition(&world->condition, NULL);
    world->end = kr_now() + 2 * party_budget();
    waiters = party_start(WAITERS, wait_again_and_again, world);
    party_join(party_start(NOTIFIERS, notify_for_a_while, world));
    stop_waiters(world);
    party_join(waiters);
    kri_test_note("%llu notified, %llu timed out, %llu cancelled",
                  (unsigned long long)world->notified, (unsigned long long)world->timed_out,
                  (unsigned long long)world->cancelled);
    CHECK_EQ(world->wrong, 0);
    CHECK_EQ(world->notified, world->granted);
    CHECK_EQ(party_parked(&world->condition, sizeof world->condition), 0);
    party_world_free(world, sizeof *world);
}

PARTY_CASE(test_notify_is_exact, runners)

static int acquire_somehow(stress_world *world, uint64_t *random)
{
    kr_time moment = kr_us(1 + party_random_below(random, 300));
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int err;

    switch (party_random_below(random, 4)) {
    case 0:
        return kr_semaphore_acquire(&world->semaphore, moment);
    case 1:
        if (kr_cancel_scope_enter(&scope, moment) != 0)
            return -EINVAL;
        err = kr_semaphore_acquire(&world->semaphore, KR_FOREVER);
        kr_cancel_scope_exit(&scope);
        return err;
    default:
        return kr_semaphore_acquire(&world->semaphore, KR_FOREVER);
    }
}

static void borrow_permits(void *arg, int index)
{
    stress_world *world = arg;
    uint64_t random = party_random_start(index);
    stress_world mine = {.wrong = 0};

    while (mine.notified == 0 || kr_now() < world->end) {
        int err = acquire_somehow(world, &random);

        count_result(&mine, err);
        if (party_random_below(&random, 4) == 0)
            party_nap();
        if (err == 0 && kr_semaphore_release(&world->semaphore, 1) != 0)
            mine.wrong++;
    }
    if (kr_condition_acquire(&world->condition, KR_FOREVER) != 0)
        return;
    world->notified += mine.notified;
    world->timed_out += mine.timed_out;
    world->cancelled += mine.cancelled;
    world->wrong += mine.wrong;
    kr_condition_release(&world->condition);
}

/* Two permits go round among six parties: at the end both are back, and nobody was left asleep
 * while a permit was free, or the test would not end. */
PARTY_TEST(test_no_permit_is_lost)
{
    stress_world *world = party_world(sizeof *world);

    make_semaphore(&world->semaphore, 2, 2);
    make_condition(&world->condition, NULL);
    world->end = kr_now() + party_budget();
    party_join(party_start(WAITERS, borrow_permits, world));
    kri_test_note("%llu acquired, %llu timed out, %llu cancelled",
                  (unsigned long long)world->notified, (unsigned long long)world->timed_out,
                  (unsigned long long)world->cancelled);
    CHECK_EQ(world->wrong, 0);
    CHECK_EQ(kr_semaphore_value(&world->semaphore), 2);
    CHECK_EQ(party_parked(&world->semaphore, sizeof world->semaphore), 0);
    party_world_free(world, sizeof *world);
}

PARTY_CASE(test_no_permit_is_lost, runners)
