/* The objects at which parties meet, in the scope of their kind.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_SYNC_OBJECTS_H
#define TESTS_SYNC_OBJECTS_H

#include "harness/party.h"

static inline void make_lock(kr_lock *lock)
{
    CHECK_EQ(kr_lock_init(lock, party_scope()), 0);
}

static inline void make_rlock(kr_rlock *lock)
{
    CHECK_EQ(kr_rlock_init(lock, party_scope()), 0);
}

static inline void make_event(kr_event *event)
{
    CHECK_EQ(kr_event_init(event, party_scope()), 0);
}

static inline void make_semaphore(kr_semaphore *semaphore, int64_t permits, int64_t bound)
{
    kr_semaphore_options options = {.bound = bound, .scope = party_scope()};
    CHECK_EQ(kr_semaphore_init(semaphore, permits, &options), 0);
}

/* timeout: of waits that have none; 0: none. */
static inline void make_barrier(kr_barrier *barrier, int64_t parties, kr_time timeout)
{
    kr_barrier_options options = {.timeout = timeout, .scope = party_scope()};
    CHECK_EQ(kr_barrier_init(barrier, parties, &options), 0);
}

/* lock NULL: one of its own. */
static inline void make_condition(kr_condition *condition, kr_lock *lock)
{
    kr_condition_options options = {.lock = lock, .scope = party_scope()};
    CHECK_EQ(kr_condition_init(condition, &options), 0);
}

static inline void make_rcondition(kr_condition *condition, kr_rlock *lock)
{
    kr_condition_options options = {.rlock = lock, .scope = party_scope()};
    CHECK_EQ(kr_condition_init(condition, &options), 0);
}

/* How many sleep until the condition is notified, and not until its lock is free. */
static inline int parked_at_condition(kr_condition *condition)
{
    const char *lock = (const char *)&condition->own;
    size_t before = offsetof(kr_condition, own), after = before + sizeof condition->own;
    return party_parked(condition, before) +
           party_parked(lock + sizeof condition->own, sizeof *condition - after);
}

static inline void await_parked_at_condition(kr_condition *condition, int count)
{
    while (parked_at_condition(condition) != count)
        party_nap();
}

#endif
