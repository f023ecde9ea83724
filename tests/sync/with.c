/* kr_with releases the lock however its block is left.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/objects.h"
#include "thread/child.h"

static bool takes(kr_lock *lock)
{
    return !kr_lock_locked(lock) && kr_lock_acquire(lock, KR_NOWAIT) == 0 &&
           kr_lock_release(lock) == 0;
}

TEST(test_left_by_break)
{
    kr_lock lock = KR_LOCK_INIT;
    int rounds = 0;

    kr_with (&lock) {
        rounds++;
        if (kr_lock_locked(&lock))
            break;
        rounds = 100;
    }
    CHECK_EQ(rounds, 1);
    CHECK(takes(&lock));
}

TEST(test_left_by_continue)
{
    kr_lock lock = KR_LOCK_INIT;
    int rounds = 0;

    kr_with (&lock) {
        rounds++;
        if (kr_lock_locked(&lock))
            continue;
        rounds = 100;
    }
    CHECK_EQ(rounds, 1);
    CHECK(takes(&lock));
}

static int return_from_inside(kr_lock *lock)
{
    kr_with (lock)
        return kr_lock_locked(lock) ? 7 : 0;
    return -1;
}

TEST(test_left_by_return)
{
    kr_lock lock = KR_LOCK_INIT;

    CHECK_EQ(return_from_inside(&lock), 7);
    CHECK(takes(&lock));
}

TEST(test_left_by_goto)
{
    kr_lock lock = KR_LOCK_INIT;
    int rounds = 0;

    kr_with (&lock) {
        rounds++;
        goto out;
    }
    rounds = 100;
out:
    CHECK_EQ(rounds, 1);
    CHECK(takes(&lock));
}

/* `break` and `continue` belong to the kr_with, an outer loop goes on. */
TEST(test_in_a_loop)
{
    kr_lock lock = KR_LOCK_INIT;
    int inside = 0;
    int after = 0;

    for (int i = 0; i < 10; i++) {
        kr_with (&lock) {
            inside++;
            if (i % 3 == 0)
                continue;
            if (i % 3 == 1)
                break;
        }
        CHECK(takes(&lock));
        after++;
    }
    CHECK_EQ(inside, 10);
    CHECK_EQ(after, 10);
}

TEST(test_nested)
{
    kr_lock outer = KR_LOCK_INIT;
    kr_lock inner = KR_LOCK_INIT;
    int rounds = 0;

    kr_with (&outer) {
        kr_with (&inner) {
            CHECK(kr_lock_locked(&outer));
            CHECK(kr_lock_locked(&inner));
            rounds++;
            break;
        }
        CHECK(kr_lock_locked(&outer));
        CHECK(!kr_lock_locked(&inner));
        rounds++;
    }
    CHECK_EQ(rounds, 2);
    CHECK(takes(&outer));
    CHECK(takes(&inner));
}

TEST(test_rlock)
{
    kr_rlock lock = KR_RLOCK_INIT;

    for (int i = 0; i < 2; i++) {
        kr_with (&lock) {
            kr_with (&lock)
                CHECK_EQ(kr_rlock_count(&lock), 2);
            CHECK_EQ(kr_rlock_count(&lock), 1);
            if (i == 0)
                break;
        }
        CHECK(!kr_rlock_locked(&lock));
    }
}

static unsigned count_inside(kr_rlock *lock)
{
    kr_with (lock)
        return kr_rlock_count(lock);
    return 100;
}

TEST(test_rlock_left_by_return_and_goto)
{
    kr_rlock lock = KR_RLOCK_INIT;
    unsigned count = 0;

    CHECK_EQ(count_inside(&lock), 1);
    CHECK(!kr_rlock_locked(&lock));
    kr_with (&lock) {
        CHECK_EQ(count_inside(&lock), 2);
        CHECK_EQ(kr_rlock_count(&lock), 1);
        kr_with (&lock) {
            count = kr_rlock_count(&lock);
            goto out;
        }
    }
out:
    CHECK_EQ(count, 2);
    CHECK(!kr_rlock_locked(&lock));
    CHECK_EQ(kr_rlock_release(&lock), -EPERM);
}

static unsigned value_inside(kr_semaphore *semaphore)
{
    kr_with (semaphore)
        return kr_semaphore_value(semaphore);
    return 100;
}

/* behaviour: 5 test_with */
TEST(test_semaphore)
{
    kr_semaphore semaphore = KR_SEMAPHORE_INIT(2);

    CHECK_EQ(value_inside(&semaphore), 1);
    CHECK_EQ(kr_semaphore_value(&semaphore), 2);
    kr_with (&semaphore) {
        kr_with (&semaphore) {
            CHECK_EQ(kr_semaphore_value(&semaphore), 0);
            goto out;
        }
    }
out:
    CHECK_EQ(kr_semaphore_value(&semaphore), 2);
}

TEST(test_semaphore_left_by_break_and_continue)
{
    kr_semaphore semaphore = KR_SEMAPHORE_INIT(1);
    int rounds = 0;

    kr_with (&semaphore) {
        rounds++;
        if (kr_semaphore_value(&semaphore) == 0)
            break;
        rounds = 100;
    }
    CHECK_EQ(kr_semaphore_value(&semaphore), 1);
    kr_with (&semaphore) {
        rounds++;
        if (kr_semaphore_value(&semaphore) == 0)
            continue;
        rounds = 100;
    }
    CHECK_EQ(kr_semaphore_value(&semaphore), 1);
    CHECK_EQ(rounds, 2);
}

TEST(test_condition)
{
    kr_condition condition = KR_CONDITION_INIT;

    kr_with (&condition) {
        CHECK(kr_condition_locked(&condition));
        CHECK_EQ(kr_condition_wait(&condition, kr_ms(1)), -ETIMEDOUT);
        CHECK(kr_condition_locked(&condition));
    }
    CHECK(!kr_condition_locked(&condition));
}

static int return_from_condition(kr_condition *condition)
{
    kr_with (condition)
        return kr_condition_locked(condition) ? 7 : 0;
    return -1;
}

/* Free afterwards: another may take it, and a second release has nothing to release. */
static void check_free(kr_condition *condition)
{
    CHECK(!kr_condition_locked(condition));
    CHECK_EQ(kr_condition_release(condition), -EPERM);
    CHECK_EQ(kr_condition_acquire(condition, KR_NOWAIT), 0);
    CHECK_EQ(kr_condition_release(condition), 0);
}

TEST(test_condition_left_by_break_return_and_goto)
{
    kr_rlock rlock = KR_RLOCK_INIT;
    kr_condition conditions[2];
    int rounds = 0;

    CHECK_EQ(kr_condition_init(&conditions[0], NULL), 0);
    CHECK_EQ(kr_condition_init(&conditions[1], &(kr_condition_options){.rlock = &rlock}), 0);
    for (int i = 0; i < 2; i++) {
        kr_with (&conditions[i]) {
            rounds++;
            if (kr_condition_locked(&conditions[i]))
                break;
            rounds = 100;
        }
        check_free(&conditions[i]);
        CHECK_EQ(return_from_condition(&conditions[i]), 7);
        check_free(&conditions[i]);
        kr_with (&conditions[i]) {
            rounds++;
            goto next;
        }
        rounds = 100;
    next:
        check_free(&conditions[i]);
    }
    CHECK_EQ(rounds, 4);
}

/* The runner that waits inside a cancelled scope gets in all the same. */
static void enter_though_cancelled(void *world, int index)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    (void)index;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    kr_with ((kr_semaphore *)world)
        CHECK_EQ(kr_semaphore_value(world), 0);
    CHECK(kr_cancelled());
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

PARTY_TEST(test_no_cancel_ends_it)
{
    kr_semaphore *semaphore = party_world(sizeof *semaphore);
    make_semaphore(semaphore, 0, 0);
    party_bunch *bunch = party_start(1, enter_though_cancelled, semaphore);

    PARTY_AWAIT_PARKED(&semaphore->value, 1);
    CHECK_EQ(party_finished(bunch), 0);
    CHECK_EQ(kr_semaphore_release(semaphore, 1), 0);
    party_join(bunch);
    CHECK_EQ(kr_semaphore_value(semaphore), 1);
    party_world_free(semaphore, sizeof *semaphore);
}

TEST(test_lock_address_is_evaluated_once)
{
    kr_lock locks[2] = {KR_LOCK_INIT, KR_LOCK_INIT};
    int next = 0;

    kr_with (&locks[next++]) {
        CHECK(kr_lock_locked(&locks[0]));
        CHECK(!kr_lock_locked(&locks[1]));
    }
    CHECK_EQ(next, 1);
    CHECK(takes(&locks[0]));
}

typedef struct counter {
    kr_lock lock;
    int count;
} counter;

static void count_up(void *world, int index)
{
    counter *up = world;

    (void)index;
    for (int i = 0; i < 1000; i++)
        kr_with (&up->lock)
            up->count++;
}

PARTY_TEST(test_excludes)
{
    counter *up = party_world(sizeof *up);
    make_lock(&up->lock);
    party_join(party_start(4, count_up, up));
    CHECK_EQ(up->count, 4000);
    party_world_free(up, sizeof *up);
}

/* In shared memory: what a holder that died leaves to the next. */

static struct shared_locks {
    kr_lock lock;
    kr_rlock rlock;
    kr_condition condition;
} * shared;

static void make_shared(void)
{
    shared = kr_shared_alloc(sizeof *shared);
    CHECK(shared != NULL);
    shared->lock = (kr_lock)KR_LOCK_INIT_SHARED;
    shared->rlock = (kr_rlock)KR_RLOCK_INIT_SHARED;
    shared->condition = (kr_condition)KR_CONDITION_INIT_SHARED;
}

static void die_holding(void)
{
    kr_with (&shared->lock)
        kr_with (&shared->rlock)
            kr_with (&shared->condition)
                _exit(0);
}

#define ENTER(object, err)                                                                         \
    do {                                                                                           \
        kr_with ((object), &(err))                                                                 \
            entered++;                                                                             \
    } while (0)

TEST(test_result_after_a_death)
{
    int entered = 0, err;
    child c;
    make_shared();
    ENTER(&shared->lock, err);
    CHECK_EQ(err, 0);
    CHECK_EQ(entered, 1);
    child_run(&c, die_holding);
    kr_with (&shared->lock, &err) {
        CHECK_EQ(err, KR_OWNER_DIED);
        CHECK_EQ(kr_lock_recover(&shared->lock), 0);
        entered++;
    }
    kr_with (&shared->rlock, &err) {
        CHECK_EQ(err, KR_OWNER_DIED);
        CHECK_EQ(kr_rlock_recover(&shared->rlock), 0);
        entered++;
    }
    ENTER(&shared->condition, err); /* and it is not put right */
    CHECK_EQ(err, KR_OWNER_DIED);
    CHECK_EQ(entered, 4);
    ENTER(&shared->lock, err);
    CHECK_EQ(err, 0);
    ENTER(&shared->rlock, err);
    CHECK_EQ(err, 0);
    CHECK_EQ(entered, 6);
    ENTER(&shared->condition, err);
    CHECK_EQ(err, -ENOTRECOVERABLE);
    CHECK_EQ(entered, 6);
}

static void enter_without_asking(void)
{
    kr_with (&shared->lock)
        puts("in the lock");
    kr_with (&shared->rlock)
        puts("in the rlock");
    kr_with (&shared->condition)
        puts("in the condition");
}

/* Three lines, one for each. */
static void check_left_out(const char *said, const char *reason)
{
    static const char *const kinds[] = {"lock", "rlock", "condition"};
    char begin[64], end[64];
    snprintf(end, sizeof end, " was left out: %s (", reason);
    for (int i = 0; i < 3; i++) {
        snprintf(begin, sizeof begin, "krait: the block of a kr_with at the %s 0x", kinds[i]);
        CHECK_EQ(strncmp(said, begin, strlen(begin)), 0);
        const char *found = strstr(said, end);
        CHECK(found != NULL && found < strchr(said, '\n'));
        said = strchr(said, '\n') + 1;
    }
    CHECK_STR(said, "");
}

/* Who does not ask does not get in; nobody does after that. */
TEST(test_not_asked_after_a_death)
{
    child c;
    int err, entered = 0;
    make_shared();
    child_run(&c, enter_without_asking);
    CHECK_STR(c.out, "in the lock\n"
                     "in the rlock\n"
                     "in the condition\n");
    child_run(&c, die_holding);
    child_run(&c, enter_without_asking);
    check_left_out(c.out, "KR_OWNER_DIED");
    child_run(&c, enter_without_asking);
    check_left_out(c.out, "ENOTRECOVERABLE");
    ENTER(&shared->lock, err);
    CHECK_EQ(err, -ENOTRECOVERABLE);
    CHECK_EQ(entered, 0);
}
