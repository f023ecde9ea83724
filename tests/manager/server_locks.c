/* Leases of locks on a server: renewed while they are held, over when their holder is gone, and
 * numbered.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/server_help.h"
#include <limits.h>

static kr_managed_lock *open_lock(kr_manager *m)
{
    kr_managed_lock *lock;
    CHECK_EQ(kr_managed_lock_open(&lock, m, "lock"), 0);
    return lock;
}

/* The lease is longer at one look than at the look before: so often. */
static void await_renewals(kr_manager *m, int count)
{
    long before = LONG_MAX;
    while (count > 0) {
        long left = atol(CLIENT(m, "PTTL", "lock"));
        CHECK_GE(left, 0); /* else it ran out */
        count -= left > before;
        before = left;
        CHECK_EQ(kr_sleep(kr_ms(5)), 0);
    }
}

IO_TEST(test_lease_is_renewed)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_with_lease(redis_url(&server), kr_sec(3));
    KR_AUTO(kr_managed_lock) *lock = open_lock(m);
    KR_AUTO(kr_managed_lock) *other = open_lock(m);
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    await_renewals(m, 2);
    CHECK_EQ(kr_managed_lock_acquire(other, kr_ms(20)), -ETIMEDOUT);
    CHECK(kr_managed_lock_locked(other));
    CHECK_EQ(kr_managed_lock_release(lock), 0);
    CHECK_EQ(kr_managed_lock_acquire(other, kr_sec(5)), 0);
    CHECK_EQ(kr_managed_lock_release(other), 0);
    CHECK_EQ(kr_managed_lock_release(other), -EPERM);
    CHECK(!kr_managed_lock_locked(lock));
}

/* Closed while it is held: it stays held, and is renewed. */
TEST(test_closed_while_held)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_with_lease(redis_url(&server), kr_sec(3));
    kr_managed_lock *lock = open_lock(m);
    KR_AUTO(kr_managed_lock) *other = open_lock(m);
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    kr_managed_lock_close(lock);
    await_renewals(m, 1);
    CHECK_EQ(kr_managed_lock_acquire(other, kr_ms(20)), -ETIMEDOUT);
    CHECK_EQ(kr_managed_lock_release(other), 0); /* whoever has acquired it */
    CHECK_EQ(kr_managed_lock_acquire(other, kr_sec(5)), 0);
    CHECK_EQ(kr_managed_lock_release(other), 0);
}

static void acquire_and_die(void *arg)
{
    kr_managed_lock *lock = arg;
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    kill(getpid(), SIGKILL);
}

TEST(test_killed_holder)
{
    redis_server server = {.password = NULL};
    int status;
    int64_t first = 0;
    int64_t second = 0;
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_with_lease(redis_url(&server), kr_sec(2));
    KR_AUTO(kr_managed_lock) *lock = open_lock(m);
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    CHECK_EQ(kr_managed_lock_token(lock, &first), 0);
    CHECK_EQ(kr_managed_lock_release(lock), 0);
    CHECK_EQ(kr_managed_lock_token(lock, &second), -EPERM);
    pid_t id = child(acquire_and_die, lock);
    CHECK_EQ(waitpid(id, &status, 0), id);
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(20)), KR_OWNER_DIED);
    CHECK_EQ(kr_managed_lock_recover(lock), 0);
    CHECK_EQ(kr_managed_lock_token(lock, &second), 0);
    CHECK_GE(second, first + 2); /* the dead one had a number, too */
    CHECK_EQ(kr_managed_lock_release(lock), 0);
    CHECK_EQ(kr_managed_lock_acquire(lock, KR_NOWAIT), 0);
}

/* A holder whose lease ran out, behind his back, releases nobody else's. */
TEST(test_lost_lease)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_with_lease(redis_url(&server), kr_sec(10));
    KR_AUTO(kr_managed_lock) *lock = open_lock(m);
    KR_AUTO(kr_managed_lock) *other = open_lock(m);
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    CHECK_STR(CLIENT(m, "DEL", "lock"), "1");
    CHECK_EQ(kr_managed_lock_acquire(other, kr_sec(5)), KR_OWNER_DIED);
    CHECK_EQ(kr_managed_lock_release(lock), -EPERM);
    CHECK(kr_managed_lock_locked(other));
    CHECK_EQ(kr_managed_lock_release(other), 0);
}

/* The same where the library has noticed: the handle is still the one that has acquired it. */
TEST(test_lost_lease_that_was_noticed)
{
    redis_server server = {.password = NULL};
    int64_t token;
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_with_lease(redis_url(&server), kr_ms(600));
    KR_AUTO(kr_manager) *patient = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_managed_lock) *lock = open_lock(m);
    KR_AUTO(kr_managed_lock) *other = open_lock(patient);
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    CHECK_STR(CLIENT(m, "DEL", "lock"), "1");
    CHECK_EQ(kr_managed_lock_acquire(other, kr_sec(5)), KR_OWNER_DIED);
    while (kr_managed_lock_token(lock, &token) == 0)
        kri_test_nap();
    CHECK_EQ(kr_managed_lock_release(lock), -EPERM);
    CHECK(kr_managed_lock_locked(other));
    CHECK_EQ(kr_managed_lock_release(other), 0);
}

static long count_commands(kr_manager *m)
{
    const char *text = strstr(CLIENT(m, "INFO", "stats"), "total_commands_processed:");
    CHECK(text != NULL);
    return atol(strchr(text, ':') + 1);
}

/* Twice by one party, through two handles: each lease is renewed as often as is needed. */
TEST(test_two_handles_of_an_rlock)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_with_lease(redis_url(&server), kr_sec(3));
    KR_AUTO(kr_managed_rlock) *one = NULL;
    KR_AUTO(kr_managed_rlock) *two = NULL;
    CHECK_EQ(kr_managed_rlock_open(&one, m, "lock"), 0);
    CHECK_EQ(kr_managed_rlock_open(&two, m, "lock"), 0);
    CHECK_EQ(kr_managed_rlock_acquire(one, kr_sec(5)), 0);
    CHECK_EQ(kr_managed_rlock_acquire(two, kr_sec(5)), 0);
    long before = count_commands(m);
    CHECK_EQ(kr_sleep(kr_ms(1500)), 0); /* half a second beyond the first renewal, due after one */
    CHECK_LE(count_commands(m) - before, 200); /* one of each, of several commands */
    CHECK_EQ(kr_managed_rlock_release(two), 0);
    CHECK_STR(CLIENT(m, "HGET", "lock", "count"), "1");
    CHECK_EQ(kr_managed_rlock_release(one), 0);
    CHECK_STR(CLIENT(m, "EXISTS", "lock"), "0");
}

/* An acquire whose answer is lost is not done twice. */
TEST(test_rlock_of_one_that_is_slow)
{
    redis_server server = {.keeps = true};
    redis_start(&server);
    kr_manager_options options = {.timeout = kr_sec(3)};
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), &options);
    KR_AUTO(kr_manager) *patient = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_managed_rlock) *lock = NULL;
    CHECK_EQ(kr_managed_rlock_open(&lock, m, "lock"), 0);
    CHECK_EQ(kr_managed_rlock_acquire(lock, kr_sec(5)), 0);
    CHECK_EQ(kr_managed_rlock_release(lock), 0);
    redis_freeze(&server);
    CHECK_EQ(kr_managed_rlock_acquire(lock, kr_ms(100)), -ETIMEDOUT);
    redis_thaw(&server);
    while (strcmp(CLIENT(patient, "EXISTS", "lock"), "0") != 0) /* it was, and was given back */
        kri_test_nap();
    CHECK_EQ(kr_managed_rlock_acquire(lock, kr_sec(5)), 0);
    CHECK_STR(CLIENT(patient, "HGET", "lock", "count"), "1");
    CHECK_EQ(kr_managed_rlock_release(lock), 0);
    CHECK_STR(CLIENT(patient, "EXISTS", "lock"), "0");
}

typedef struct waiter {
    kr_managed_lock *lock;
    kr_cancel_scope scope;
    kr_word began;
    int result;
} waiter;

static void wait_in_scope(void *arg)
{
    waiter *w = arg;
    CHECK_EQ(kr_cancel_scope_enter(&w->scope, KR_FOREVER), 0);
    kri_store_rel(&w->began, 1);
    w->result = kr_managed_lock_acquire(w->lock, KR_FOREVER);
    (void)kr_cancel_scope_exit(&w->scope);
}

/* Cancelled or timed out: nobody stands in the room any more, whom a release would ring for. */
IO_TEST(test_given_up)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_managed_lock) *lock = open_lock(m);
    KR_AUTO(kr_managed_lock) *other = open_lock(m);
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    CHECK_EQ(kr_managed_lock_acquire(other, kr_ms(30)), -ETIMEDOUT);
    CHECK_STR(CLIENT(m, "EXISTS", "krait:room:lock"), "0");
    waiter w = {.lock = other, .scope = KR_CANCEL_SCOPE_INIT};
    io_other party;
    io_start(&party, wait_in_scope, &w);
    while (strcmp(CLIENT(m, "EXISTS", "krait:room:lock"), "1") != 0)
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    kr_cancel(&w.scope);
    io_join(&party);
    CHECK_EQ(w.result, -ECANCELED);
    CHECK_STR(CLIENT(m, "EXISTS", "krait:room:lock"), "0");
    CHECK_STR(CLIENT(m, "EXISTS", "krait:room:lock:live"), "0");
    CHECK_EQ(kr_managed_lock_release(lock), 0);
    CHECK_EQ(kr_managed_lock_acquire(other, KR_NOWAIT), 0);
    CHECK_EQ(kr_managed_lock_release(other), 0);
}

typedef struct counting {
    kr_manager *m;
    int64_t *count;
} counting;

static void add_some(void *arg)
{
    counting *c = arg;
    KR_AUTO(kr_managed_lock) *lock = open_lock(c->m);
    for (int i = 0; i < 40; i++) {
        CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(30)), 0);
        (*c->count)++; /* guarded by the lock */
        CHECK_EQ(kr_managed_lock_release(lock), 0);
    }
}

static void add_in_child(void *arg)
{
    add_some(arg);
}

/* Of processes: none is ever inside with another. */
TEST(test_mutual_exclusion)
{
    enum { CHILDREN = 4 };
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    counting c = {m, shared_pages(sizeof(int64_t))};
    pid_t ids[CHILDREN];
    for (int i = 0; i < CHILDREN; i++)
        ids[i] = child(add_in_child, &c);
    for (int i = 0; i < CHILDREN; i++)
        reap(ids[i]);
    CHECK_EQ(*c.count, CHILDREN * 40);
}

/* Who waits and is killed is passed over. */
static void wait_for_ever(void *arg)
{
    KR_AUTO(kr_managed_lock) *lock = open_lock(arg);
    (void)!kr_managed_lock_acquire(lock, KR_FOREVER);
}

TEST(test_killed_waiter)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_managed_lock) *lock = open_lock(m);
    CHECK_EQ(kr_managed_lock_acquire(lock, kr_sec(5)), 0);
    pid_t id = child(wait_for_ever, m);
    while (strcmp(CLIENT(m, "EXISTS", "krait:room:lock"), "1") != 0)
        kri_test_nap();
    kill_and_reap(id);
    kr_managed_lock *other = open_lock(m);
    waiter w = {.lock = other, .scope = KR_CANCEL_SCOPE_INIT};
    io_other party;
    io_start_thread(&party, wait_in_scope, &w);
    while (strcmp(CLIENT(m, "ZCARD", "krait:room:lock"), "2") != 0)
        kri_test_nap();
    CHECK_EQ(kr_managed_lock_release(lock), 0); /* rings for the dead one */
    io_join(&party);
    CHECK_EQ(w.result, 0);
    CHECK_EQ(kr_managed_lock_release(other), 0);
    kr_managed_lock_close(other);
}
