/* Parties: one test body, whoever runs it.
 *
 * A body starts a bunch of parties on a function and talks about their number only: how many are
 * parked on a word, how many have finished.  All that they share lies in a world that the kind of
 * party provides, and results are handed back there, because a check belongs to the test's own
 * thread.  Threads are the one kind so far; a further kind is another party_kind and another TEST
 * in PARTY_TEST.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SYNC_PARTY_H
#define TESTS_SYNC_PARTY_H

#include "base/atomic.h"
#include "harness/test.h"
#include "wait/wait.h"
#include <krait/krait.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PARTY_MAX = 128 };

typedef void (*party_body)(void *world, int index);

struct party_bunch;

typedef struct party_member {
    struct party_bunch *bunch;
    int index;
    pthread_t thread;
} party_member;

typedef struct party_kind {
    void *(*world)(size_t size); /* zero bytes that every party sees; never NULL */
    void (*world_free)(void *world, size_t size);
    void (*start)(party_member *member);
    void (*join)(party_member *member);
    int (*parked)(kr_word *word);
} party_kind;

typedef struct party_bunch {
    const party_kind *kind;
    party_body body;
    void *world;
    int count;
    kr_word finished;
    party_member members[PARTY_MAX];
} party_bunch;

/* The kind that the body under way runs with. */
static const party_kind *party_now;

static inline void *party_world(size_t size)
{
    return party_now->world(size);
}

static inline void party_world_free(void *world, size_t size)
{
    party_now->world_free(world, size);
}

static inline party_bunch *party_start(int count, party_body body, void *world)
{
    party_bunch *bunch = party_now->world(sizeof *bunch);

    CHECK_LE(count, PARTY_MAX);
    bunch->kind = party_now;
    bunch->body = body;
    bunch->world = world;
    bunch->count = count;
    for (int i = 0; i < count; i++) {
        bunch->members[i].bunch = bunch;
        bunch->members[i].index = i;
        bunch->kind->start(&bunch->members[i]);
    }
    return bunch;
}

/* What a kind's own entry function calls. */
static inline void party_run(party_member *member)
{
    party_bunch *bunch = member->bunch;

    bunch->body(bunch->world, member->index);
    kri_add_acq_rel(&bunch->finished, 1);
}

static inline int party_finished(party_bunch *bunch)
{
    return (int)kri_load_acq(&bunch->finished);
}

static inline void party_await_finished(party_bunch *bunch, int count)
{
    while (party_finished(bunch) < count)
        kri_test_nap();
}

/* Exactly `count` parties sleep on the word. */
static inline void party_await_parked(kr_word *word, int count)
{
    while (party_now->parked(word) != count)
        kri_test_nap();
}

static inline void party_await_parked_condition(kr_condition *condition, int count)
{
    while (party_now->parked(&condition->words[0]) + party_now->parked(&condition->words[1]) !=
           count)
        kri_test_nap();
}

/* A counter of the test's own has reached `count`. */
static inline void party_await_count(kr_word *counter, int count)
{
    while ((int)kri_load_acq(counter) < count)
        kri_test_nap();
}

static inline void party_join(party_bunch *bunch)
{
    for (int i = 0; i < bunch->count; i++)
        bunch->kind->join(&bunch->members[i]);
    bunch->kind->world_free(bunch, sizeof *bunch);
}

/* Threads, made by pthreads directly, so that they are foreign to the library. */

static inline void *party_thread_world(size_t size)
{
    void *world = calloc(1, size);

    CHECK(world != NULL);
    return world;
}

static inline void party_thread_world_free(void *world, size_t size)
{
    memset(world, 0xa5, size);
    free(world);
}

static inline void *party_thread_main(void *member)
{
    party_run(member);
    return NULL;
}

static inline void party_thread_start(party_member *member)
{
    CHECK_EQ(pthread_create(&member->thread, NULL, party_thread_main, member), 0);
}

static inline void party_thread_join(party_member *member)
{
    CHECK_EQ(pthread_join(member->thread, NULL), 0);
}

static const party_kind party_threads = {
    party_thread_world, party_thread_world_free, party_thread_start, party_thread_join, kri_waiting,
};

#define PARTY_TEST(name)                                                                           \
    static void name##_body(void);                                                                 \
    TEST(name)                                                                                     \
    {                                                                                              \
        party_now = &party_threads;                                                                \
        name##_body();                                                                             \
    }                                                                                              \
    static void name##_body(void)

/* How long a stress test goes on. */
static inline kr_time party_budget(void)
{
    return kr_sec(kri_test_budget());
}

/* Random numbers: a sequence for each party, from the test's seed. */
static inline uint64_t party_random_start(int index)
{
    return kri_test_seed() + (uint64_t)index * 0x9e3779b97f4a7c15u;
}

static inline unsigned party_random_below(uint64_t *random, unsigned limit)
{
    return (unsigned)(kri_test_random(random) >> 32) % limit;
}

#endif
