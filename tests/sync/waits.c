/* What holds for every wait: time limits, and signals that neither end nor lengthen it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/waits.h"
#include <signal.h>

TEST(test_negative_timeout)
{
    waits_world *world;

    party_be(&party_threads);
    world = waits_begin();
    for (int i = 0; i < WAITS_KINDS; i++) {
        CHECK_EQ(waits_kinds[i].wait(world, -1), -EINVAL);
        CHECK_EQ(waits_kinds[i].wait(world, INT64_MIN), -EINVAL);
    }
    CHECK(!kr_condition_locked(&world->condition));
    waits_end(world);
}

TEST(test_nowait)
{
    waits_world *world;
    kr_time start = kr_now();

    party_be(&party_threads);
    world = waits_begin();
    for (int round = 0; round < 100; round++)
        for (int i = 0; i < WAITS_KINDS; i++)
            CHECK_EQ(waits_kinds[i].wait(world, KR_NOWAIT), -ETIMEDOUT);
    CHECK_LE(kr_now() - start, kr_sec(10));
    waits_end(world);
}

TEST(test_timeout)
{
    waits_world *world;

    party_be(&party_threads);
    world = waits_begin();
    for (int i = 0; i < WAITS_KINDS; i++) {
        kr_time start = kr_now();

        CHECK_EQ(waits_kinds[i].wait(world, kr_ms(100)), -ETIMEDOUT);
        CHECK_TIME(kr_now() - start, kr_ms(100));
    }
    CHECK(world->condition_held);
    waits_end(world);
}

TEST(test_shortest_timeouts)
{
    waits_world *world;

    party_be(&party_threads);
    world = waits_begin();
    for (int i = 0; i < WAITS_KINDS; i++)
        for (kr_time timeout = 1; timeout < kr_ms(3); timeout *= 3)
            CHECK_EQ(waits_kinds[i].wait(world, timeout), -ETIMEDOUT);
    waits_end(world);
}

static kr_word signals_seen;

static void count_signal(int signo)
{
    (void)signo;
    kri_add_rlx(&signals_seen, 1);
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = count_signal};

    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0); /* without SA_RESTART */
}

typedef struct signalled {
    waits_world *world;
    const waits_kind *kind;
} signalled;

static void wait_and_measure(void *arg, int index)
{
    signalled *s = arg;
    kr_time start;

    (void)index;
    waits_announce(s->world);
    start = kr_now();
    s->world->result = s->kind->wait(s->world, s->world->timeout);
    s->world->took = kr_now() - start;
}

static void signal_until_finished(party_bunch *bunch)
{
    while (party_finished(bunch) == 0) {
        party_interrupt(bunch, 0, SIGUSR1);
        for (int i = 0; i < 20 && party_finished(bunch) == 0; i++)
            kri_test_nap();
    }
}

/* A wait that began anew at each signal would last as long as the signals come, and they come
 * until it ends. */
static void check_signals(int which)
{
    waits_world *world;
    signalled s;
    party_bunch *bunch;

    party_be(&party_threads);
    catch_signals();
    world = waits_begin();
    world->timeout = kr_ms(500);
    s = (signalled){world, &waits_kinds[which]};
    bunch = party_start(1, wait_and_measure, &s);
    signal_until_finished(bunch);
    party_join(bunch);
    CHECK_EQ(world->result, -ETIMEDOUT);
    CHECK_TIME(world->took, kr_ms(500));
    CHECK_GE(kri_load_rlx(&signals_seen), 10);
    waits_end(world);
}

TEST(test_signals_lock)
{
    check_signals(0);
}

TEST(test_signals_event)
{
    check_signals(1);
}

TEST(test_signals_semaphore)
{
    check_signals(2);
}

TEST(test_signals_condition)
{
    check_signals(3);
}

TEST(test_signals_descriptor)
{
    check_signals(4);
}

/* Amid signals the wait ends by its event, and not for nothing before. */
TEST(test_served_amid_signals)
{
    party_be(&party_threads);
    catch_signals();
    for (int i = 0; i < WAITS_KINDS; i++) {
        waits_world *world = waits_begin();
        signalled s = {world, &waits_kinds[i]};
        party_bunch *bunch;

        world->timeout = KR_FOREVER;
        bunch = party_start(1, wait_and_measure, &s);
        waits_await_asleep(&waits_kinds[i], world);
        for (int k = 0; k < 20; k++) {
            party_interrupt(bunch, 0, SIGUSR1);
            kri_test_nap();
        }
        waits_await_asleep(&waits_kinds[i], world);
        CHECK_EQ(party_finished(bunch), 0);
        waits_kinds[i].serve(world);
        party_join(bunch);
        CHECK_EQ(world->result, 0);
        waits_end(world);
    }
}
