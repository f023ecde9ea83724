/* Parties: one test body, whoever runs it.
 *
 *     PARTY_TEST(test_acquire_contended)       // the cases test_acquire_contended.threads,
 *     {                                        // .coroutines and .processes
 *         lock_world *world = party_world(sizeof *world);
 *         party_make_lock(&world->lock);
 *         party_bunch *bunch = party_start(5, acquire_and_release, world);
 *         party_await_parked(&world->lock, sizeof world->lock, 5);
 *         ...
 *         party_join(bunch);
 *         party_world_free(world, sizeof *world);
 *     }
 *
 * A body starts bunches of parties on a function and talks about their number only: how many sleep
 * on an object, how many have finished.  All that they share lies in a world, zero bytes that the
 * kind of party provides; results and signals between them are members of it, since a check belongs
 * to the test's own thread.  A check that fails in a party ends the case all the same.
 *
 * A kind of party is a file that defines a party_kind, and a line in PARTY_TEST.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_PARTY_H
#define KRI_HARNESS_PARTY_H

#include "base/atomic.h"
#include "harness/test.h"
#include "wait/wait.h"
#include <krait/krait.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>

enum { PARTY_MAX = 128 };

typedef void (*party_body)(void *world, int index);

struct party_bunch;

/* What the kind notes about one of them; but for the id only the test's own thread changes it. */
typedef struct party_member {
    struct party_bunch *bunch;
    int index;
    bool killed; /* by party_kill */
    bool gone;   /* its end was seen and is no failure */
    pthread_t thread;
    pid_t process;
    kr_future *future; /* of a coroutine */
    kr_word id;        /* the kernel's number of whoever runs it, from itself; 0: it does not run */
} party_member;

typedef struct party_kind {
    const char *name;
    const struct party_kind *even; /* what those with an even index are, the others being threads;
                                      NULL: all are of this kind */
    const char *skipped;           /* why a case with it is; NULL: it is not */
    kr_scope scope;                /* of the objects at which they meet */
    void *(*world)(size_t size);   /* never NULL */
    void (*world_free)(void *world, size_t size);
    void (*start)(party_member *member); /* has party_run called by somebody new */
    void (*join)(party_member *member);
    /* how many sleep on a word of these bytes */
    int (*parked)(const void *at, size_t size);
    void (*interrupt)(party_member *member, int signo);
    void (*kill)(party_member *member);  /* NULL: they cannot be killed */
    void (*check)(party_member *member); /* fail the case when it has failed; may be NULL */
} party_kind;

typedef struct party_bunch {
    const party_kind *kind;
    party_body body;
    void *world;
    int count;
    kr_word finished;
    struct party_bunch *next; /* of those that are not joined */
    party_member members[PARTY_MAX];
} party_bunch;

extern const party_kind party_threads;    /* of the system, unknown to the library before */
extern const party_kind party_processes;  /* forked children, in memory shared with them */
extern const party_kind party_coroutines; /* of one loop */
extern const party_kind party_runners; /* those with an even index coroutines, the others threads */
extern const party_kind party_mixed;   /* those with an even index processes, the others threads */

/* party_kind_now - the kind that the body under way runs with; a TEST that needs parties sets it.
 */
const party_kind *party_kind_now(void);
void party_be(const party_kind *kind);

static inline kr_scope party_scope(void)
{
    return party_kind_now()->scope;
}

void *party_world(size_t size);
void party_world_free(void *world, size_t size);

/* party_start - `count` parties call body(world, index). */
party_bunch *party_start(int count, party_body body, void *world);
void party_run(party_member *member);

/* party_join - wait until all have returned; one that failed fails the case.  The bunch is freed.
 */
void party_join(party_bunch *bunch);

/* party_finished - how many have returned. */
int party_finished(party_bunch *bunch);

/* party_interrupt - send a signal to one of them; party_kill - end it by SIGKILL, and see it gone,
 * which counts as finished for nobody; party_restart - put another in the place of one that was
 * killed. */
void party_interrupt(party_bunch *bunch, int index, int signo);
void party_kill(party_bunch *bunch, int index);
void party_restart(party_bunch *bunch, int index);

/* Waiting, for the test's own thread and for parties.  A time limit is the test runner's business:
 * it shows the stacks. */

void party_nap(void); /* inside a loop that polls; notices a party that has failed */
void party_await_finished(party_bunch *bunch, int count);
void party_await_count(kr_word *counter, int count); /* the counter is at least that */

/* party_parked - how many sleep on a word of the object. */
int party_parked(const void *object, size_t size);

/* party_await_parked - exactly `count` sleep on a word of the object. */
void party_await_parked(const void *object, size_t size, int count);

#define PARTY_AWAIT_PARKED(object, count) party_await_parked((object), sizeof *(object), (count))

/* party_asleep - how many of all parties sleep on a word, whichever, at the same moment;
 * party_await_asleep - until these are exactly `count`. */
int party_asleep(void);
void party_await_asleep(int count);

/* PARTY_TEST - a case for threads, one for coroutines, and one for processes.  PARTY_TEST_OF - for
 * one kind.  PARTY_CASE below a body - for one more kind: `runners` where it matters that threads
 * and coroutines meet at one object. */
#define PARTY_TEST(name)                                                                           \
    static void name(void);                                                                        \
    PARTY_CASE(name, threads)                                                                      \
    PARTY_CASE(name, coroutines)                                                                   \
    PARTY_CASE(name, processes)                                                                    \
    static void name(void)

#define PARTY_TEST_OF(name, kind)                                                                  \
    static void name(void);                                                                        \
    PARTY_CASE(name, kind)                                                                         \
    static void name(void)

#define PARTY_CASE(name, kind)                                                                     \
    static void name##_##kind(void)                                                                \
    {                                                                                              \
        party_be(&party_##kind);                                                                   \
        name();                                                                                    \
    }                                                                                              \
    __attribute__((constructor)) static void name##_##kind##_register(void)                        \
    {                                                                                              \
        static kri_test_case entry = {#name "." #kind, name##_##kind, NULL};                       \
        kri_test_register(&entry);                                                                 \
    }

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
