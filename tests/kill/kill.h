/* Killing parties at random instants, over and over.
 *
 * Victims run for ever.  The test's own process kills one after the other by SIGKILL, looks whether
 * what they share still works for those who are left and for itself, and puts another in its place.
 * Where in its code a victim is hit is chance: the pause before a kill is random, from nothing to
 * what a few hundred calls take.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_KILL_KILL_H
#define TESTS_KILL_KILL_H

#include "harness/party.h"
#include "harness/sanitizers.h"

#include <stdio.h>

/* Together with the other cases a minute in a plain run; sanitizers make each kill slow, and see
 * little in it that they do not see elsewhere. */
#ifndef KILL_SECONDS
#define KILL_SECONDS 8
#endif
enum { LONG_KILLS = 20000, LONG_SECONDS = 560 };

/* Whoever is left gets on within this: a hang, and no slow machine. */
#define KILL_PATIENCE kr_sec(15)

typedef struct kill_run {
    party_bunch *bunch;
    uint64_t random;
    kr_time end;
    int kills;
    int most_kills;
    kr_time slowest; /* of the checks */
} kill_run;

static inline bool kill_is_long(void)
{
    const char *given = getenv("KR_LONG");
    return given && strcmp(given, "1") == 0 && !KRI_SANITIZED;
}

static inline kill_run kill_begin(int victims, party_body body, void *world)
{
    kr_time seconds = kill_is_long()  ? LONG_SECONDS
                      : KRI_SANITIZED ? kri_test_budget()
                                      : KILL_SECONDS;
    return (kill_run){
        .bunch = party_start(victims, body, world),
        .random = kri_test_seed(),
        .end = kr_now() + kr_sec(seconds),
        .most_kills = kill_is_long() ? LONG_KILLS : INT32_MAX,
    };
}

static inline bool kill_goes_on(const kill_run *run)
{
    return kr_now() < run->end && run->kills < run->most_kills;
}

/* Enough of them that what happens by chance must have happened. */
static inline bool kill_was_often(const kill_run *run)
{
    return run->kills >= 1000;
}

static inline void kill_pause(kill_run *run)
{
    kr_time until = kr_now() + kr_us(party_random_below(&run->random, 300));
    while (kr_now() < until)
        sched_yield();
}

/* Kill the one that is preferred, or any if that is negative; which it was.  The caller checks, and
 * calls kill_replace. */
static inline int kill_one(kill_run *run, int preferred)
{
    int any = (int)party_random_below(&run->random, (unsigned)run->bunch->count);
    int victim = preferred >= 0 ? preferred : any;
    party_kill(run->bunch, victim);
    run->kills++;
    return victim;
}

static inline void kill_replace(kill_run *run, int victim)
{
    party_restart(run->bunch, victim);
}

static inline void kill_took(kill_run *run, kr_time start)
{
    kr_time took = kr_now() - start;
    run->slowest = took > run->slowest ? took : run->slowest;
}

static inline void kill_end(kill_run *run)
{
    for (int i = 0; i < run->bunch->count; i++)
        party_kill(run->bunch, i);
    party_join(run->bunch);
    if (kill_is_long())
        CHECK_GE(run->kills, LONG_KILLS);
}

/* Until the counter, which others move, differs from what it was. */
static inline void kill_await_progress(kr_word *counter, uint32_t before, const char *what)
{
    kr_time limit = kr_now() + KILL_PATIENCE;
    while (kri_load_acq(counter) == before) {
        if (kr_now() > limit)
            kri_test_fail(__FILE__, __LINE__, "after a kill nobody gets on: %s", what);
        party_nap();
    }
}

#endif
