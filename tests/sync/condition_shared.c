/* The condition in shared memory, among processes that are killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CHILDREN = 8 };

/* Lies in memory that all processes share. */
typedef struct world {
    kr_condition condition;
    kr_rlock rlock;
    int items; /* guarded by the condition's lock */
    bool ready;
    kr_word back; /* have returned from a wait */
    kr_word died; /* waits that returned KR_OWNER_DIED */
    kr_word lost; /* waits that returned -ENOTRECOVERABLE */
    kr_word bad;  /* calls that returned what they must not */
    kr_word holding;
    kr_word progress[CHILDREN];
    kr_word times_died;
} world;

static world *w;

static void world_create(void)
{
    w = mmap(NULL, sizeof *w, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK(w != MAP_FAILED);
    w->condition = (kr_condition)KR_CONDITION_INIT_SHARED;
}

static void count_one(kr_word *counter)
{
    kri_add_acq_rel(counter, 1);
}

static void expect(bool good)
{
    if (!good)
        count_one(&w->bad);
}

static pid_t child(void (*body)(int index), int index)
{
    pid_t pid = fork();
    CHECK_GE(pid, 0);
    if (pid != 0)
        return pid;
    alarm(120); /* if the case has gone */
    body(index);
    _exit(0);
}

/* Longer than 20 s is a hang. */
static void await_end(pid_t pid, int want)
{
    kr_time end = kr_now() + kr_sec(20);
    int status;
    while (waitpid(pid, &status, WNOHANG) == 0) {
        CHECK(kr_now() < end);
        kri_test_nap();
    }
    CHECK_EQ(WIFSIGNALED(status) ? WTERMSIG(status) : -WEXITSTATUS(status), want);
}

static void slay(pid_t pid)
{
    CHECK_EQ(kill(pid, SIGKILL), 0);
    await_end(pid, SIGKILL);
}

static void await_count(kr_word *counter, unsigned count)
{
    kr_time end = kr_now() + kr_sec(20);
    while (kri_load_acq(counter) < count) {
        CHECK(kr_now() < end);
        kri_test_nap();
    }
}

static void enter(void)
{
    int err = kr_condition_acquire(&w->condition, KR_FOREVER);
    if (err == KR_OWNER_DIED) {
        count_one(&w->times_died);
        err = kr_condition_recover(&w->condition);
    }
    expect(err == 0);
}

static void leave(void)
{
    expect(kr_condition_release(&w->condition) == 0);
}

static int wait_once(kr_time timeout)
{
    int err = kr_condition_wait(&w->condition, timeout);
    if (err == KR_OWNER_DIED) {
        count_one(&w->died);
        expect(kr_condition_recover(&w->condition) == 0);
    }
    return err;
}

/* So many are counted as waiting; who is has let go of the lock. */
static void await_waiting(uint32_t count)
{
    kr_time end = kr_now() + kr_sec(20);
    for (;;) {
        enter();
        uint32_t waiting = w->condition.newer + w->condition.older;
        leave();
        if (waiting == count)
            return;
        CHECK(kr_now() < end);
        kri_test_nap();
    }
}

static void no_trace(void)
{
    enter();
    CHECK_EQ(w->condition.newer + w->condition.older + w->condition.permits, 0);
    CHECK_EQ(w->condition.owed.bits, 0);
    leave();
    CHECK_EQ(kri_load_acq(&w->bad), 0);
}

static int notify(int count)
{
    enter();
    int n = kr_condition_notify(&w->condition, count);
    leave();
    return n;
}

static void wait_until_ready(int index)
{
    enter();
    while (!w->ready)
        expect(wait_once(KR_FOREVER) >= 0);
    leave();
    count_one(&w->back);
    count_one(&w->progress[index]);
}

static void wait_for_notify(int index)
{
    (void)index;
    enter();
    expect(wait_once(KR_FOREVER) == 0);
    leave();
    count_one(&w->back);
}

static void get_ready(int index)
{
    (void)index;
    enter();
    w->ready = true;
    (void)kr_condition_notify_all(&w->condition);
    leave();
}

static void start(pid_t *pids, int count, void (*body)(int index))
{
    for (int i = 0; i < count; i++)
        pids[i] = child(body, i);
}

TEST(test_notify_wakes_as_many)
{
    pid_t pids[6];

    world_create();
    CHECK_EQ(notify(3), 0);
    start(pids, 6, wait_for_notify);
    await_waiting(6);
    CHECK_EQ(notify(0), 0);
    CHECK_EQ(notify(2), 2);
    await_count(&w->back, 2);
    await_waiting(4);
    CHECK_EQ(kri_load_acq(&w->back), 2);
    CHECK_EQ(notify(1), 1);
    await_count(&w->back, 3);
    await_waiting(3);
    CHECK_EQ(notify(4), 3);
    for (int i = 0; i < 6; i++)
        await_end(pids[i], 0);
    CHECK_EQ(kri_load_acq(&w->back), 6);
    CHECK_EQ(kri_load_acq(&w->died), 0);
    no_trace();
}

/* It sleeps through several slices, and nothing is left of it. */
TEST(test_time_out_leaves_no_trace)
{
    world_create();
    enter();
    kr_time began = kr_now();
    CHECK_EQ(kr_condition_wait(&w->condition, kr_ms(350)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(350));
    CHECK_EQ(kr_condition_wait(&w->condition, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_condition_wait(&w->condition, -1), -EINVAL);
    leave();
    CHECK_EQ(kr_condition_wait(&w->condition, KR_NOWAIT), -EPERM);
    CHECK_EQ(kr_condition_notify(&w->condition, 1), -EPERM);
    no_trace();
}

static kr_cancel_scope scope;

static void *wait_in_scope(void *result)
{
    enter();
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    *(int *)result = wait_once(KR_FOREVER);
    (void)kr_cancel_scope_exit(&scope);
    leave();
    return NULL;
}

TEST(test_cancel_leaves_no_trace)
{
    pthread_t thread;
    int result = 0;

    world_create();
    CHECK_EQ(pthread_create(&thread, NULL, wait_in_scope, &result), 0);
    await_waiting(1);
    kr_cancel(&scope);
    CHECK_EQ(pthread_join(thread, NULL), 0);
    CHECK_EQ(result, -ECANCELED);
    no_trace();
}

/* One who sleeps on the condition and on a scope is moved to the lock's queue like any other: woken
 * by the release, and not at the end of a slice. */
TEST(test_notify_inside_a_scope_is_prompt)
{
    kr_time best = KR_FOREVER;

    world_create();
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        int result = -1;

        memset(&scope, 0, sizeof scope);
        CHECK_EQ(pthread_create(&thread, NULL, wait_in_scope, &result), 0);
        await_waiting(1);
        kri_test_nap();
        kr_time began = kr_now();
        CHECK_EQ(notify(1), 1);
        CHECK_EQ(pthread_join(thread, NULL), 0);
        CHECK_EQ(result, 0);
        if (kr_now() - began < best)
            best = kr_now() - began;
    }
    CHECK_LE(best, kr_ms(20));
    no_trace();
}

/* A waiter is killed, then a process that has never waited wakes all: with glibc's condition the
 * second round hangs in the broadcast. */
TEST(test_killed_waiter_does_not_hang_a_broadcast)
{
    world_create();
    for (int round = 0; round < 10; round++) {
        pid_t pid = child(wait_until_ready, 0);

        await_waiting(1);
        slay(pid);
        pid = child(get_ready, 0);
        await_end(pid, 0);
        w->ready = false;
        if (round % 2) /* else the next begin on what the dead one has left */
            w->condition = (kr_condition)KR_CONDITION_INIT_SHARED;
    }
    CHECK_EQ(kri_load_acq(&w->bad), 0);
}

/* The same, with one who lives beside the dead: he is woken at once. */
TEST(test_killed_waiter_beside_living)
{
    world_create();
    for (int round = 0; round < 5; round++) {
        pid_t dead = child(wait_until_ready, 0);
        pid_t alive = child(wait_until_ready, 1);

        await_waiting(2);
        slay(dead);
        await_end(child(get_ready, 0), 0);
        await_end(alive, 0);
        w->ready = false;
        CHECK_EQ(kri_load_acq(&w->back), round + 1);
        w->condition = (kr_condition)KR_CONDITION_INIT_SHARED;
    }
    CHECK_EQ(kri_load_acq(&w->bad), 0);
}

static void take_item(int index)
{
    enter();
    while (w->items == 0)
        expect(wait_once(KR_FOREVER) >= 0);
    w->items--;
    leave();
    count_one(&w->progress[index]);
    count_one(&w->back);
}

/* A group of three, of which two are killed: a notify reaches the third. */
static void leave_two_dead(void)
{
    pid_t dead[2];

    start(dead, 2, take_item);
    pid_t alive = child(wait_for_notify, 2);
    await_waiting(3);
    for (int i = 0; i < 2; i++)
        slay(dead[i]);
    CHECK_EQ(notify(1), 1);
    await_end(alive, 0);
    CHECK_EQ(w->condition.older, 2);
}

/* The older group is two dead ones only, who get the first two notifies. */
TEST(test_notify_swallowed_by_the_dead_comes_late)
{
    enum { LIVING = 5 };
    pid_t alive[LIVING];

    world_create();
    leave_two_dead();
    kri_store_rel(&w->back, 0);
    start(alive, LIVING, take_item);
    await_waiting(2 + LIVING);
    kr_time began = kr_now();
    for (int i = 0; i < LIVING; i++) {
        enter();
        w->items++;
        CHECK_EQ(kr_condition_notify(&w->condition, 1), 1);
        leave();
    }
    for (int i = 0; i < LIVING; i++)
        await_end(alive[i], 0);
    kr_time took = kr_now() - began;
    kri_test_note("all back after %lld ms", (long long)(took / kr_ms(1)));
    CHECK_GE(took, kr_ms(100)); /* else nobody was missed, and this shows nothing */
    CHECK_EQ(kri_load_acq(&w->back), LIVING);
    CHECK_EQ(w->items, 0);
    CHECK_EQ(kri_load_acq(&w->died), 0);
    no_trace();
}

static void die_holding(int index)
{
    (void)index;
    enter();
    w->ready = true;
    count_one(&w->holding);
    pause();
}

/* Nobody else asks for the lock: the waiters find out by themselves. */
TEST(test_wait_returns_owner_died)
{
    pid_t alive[3];

    world_create();
    start(alive, 3, wait_until_ready);
    await_waiting(3);
    pid_t holder = child(die_holding, 0);
    await_count(&w->holding, 1);
    slay(holder);
    for (int i = 0; i < 3; i++)
        await_end(alive[i], 0);
    CHECK_EQ(kri_load_acq(&w->died), 1);
    no_trace();
}

/* Who acquires through the condition after a death wakes all who wait. */
TEST(test_acquire_after_death_wakes_all)
{
    pid_t alive[3];

    world_create();
    start(alive, 3, wait_for_notify);
    await_waiting(3);
    pid_t holder = child(die_holding, 0);
    await_count(&w->holding, 1);
    kr_time began = kr_now();
    slay(holder);
    int err = kr_condition_acquire(&w->condition, KR_FOREVER);
    CHECK(err == KR_OWNER_DIED || err == 0);
    kri_test_note("acquired after %lld ms", (long long)((kr_now() - began) / kr_ms(1)));
    if (err == KR_OWNER_DIED) {
        CHECK(kr_condition_inconsistent(&w->condition));
        CHECK_EQ(kr_condition_recover(&w->condition), 0);
        CHECK(!kr_condition_inconsistent(&w->condition));
    }
    leave();
    for (int i = 0; i < 3; i++)
        await_end(alive[i], 0);
    CHECK_EQ(kri_load_acq(&w->back), 3);
}

static bool never(void *arg)
{
    (void)arg;
    return false;
}

static void wait_for_loss(int index)
{
    int err = kr_condition_acquire(&w->condition, KR_FOREVER);
    expect(err == 0);
    err = index % 2 ? kr_condition_wait(&w->condition, KR_FOREVER)
                    : kr_condition_wait_for(&w->condition, never, NULL, KR_FOREVER);
    expect(err == -ENOTRECOVERABLE);
    count_one(&w->lost);
}

/* The lock is released as it was found: nobody can have it any more, and nobody sleeps on. */
TEST(test_wait_returns_not_recoverable)
{
    if (KRI_QEMU || KRI_VALGRIND)
        SKIP("the waiters, who poll where there is no futex_waitv, may see the death first");
    pid_t alive[4];

    world_create();
    start(alive, 4, wait_for_loss);
    await_waiting(4);
    pid_t holder = child(die_holding, 0);
    await_count(&w->holding, 1);
    slay(holder);
    int err = kr_lock_acquire(&w->condition.own, KR_FOREVER);
    CHECK(err == KR_OWNER_DIED);
    CHECK_EQ(kr_lock_release(&w->condition.own), 0);
    for (int i = 0; i < 4; i++)
        await_end(alive[i], 0);
    CHECK_EQ(kri_load_acq(&w->lost), 4);
    CHECK_EQ(kri_load_acq(&w->bad), 0);
    CHECK_EQ(kr_condition_acquire(&w->condition, KR_FOREVER), -ENOTRECOVERABLE);
    CHECK_EQ(kr_condition_wait(&w->condition, KR_FOREVER), -EPERM);
}

static void wait_for_damage(int index)
{
    (void)index;
    enter();
    expect(kr_condition_wait(&w->condition, KR_FOREVER) == KR_ECORRUPT);
    count_one(&w->lost);
}

TEST(test_wait_returns_corrupt)
{
    world_create();
    pid_t pid = child(wait_for_damage, 0);
    await_waiting(1);
    kri_or_rlx(&w->condition.own.word, 1u << 30); /* no bit that means anything */
    await_end(pid, 0);
    CHECK_EQ(kri_load_acq(&w->lost), 1);
    CHECK_EQ(kri_load_acq(&w->bad), 0);
}

/* Consumers and producers, and one of them is killed again and again at a random instant; whoever
 * lives must go on. */
static void consume(int index)
{
    for (;;) {
        enter();
        while (w->items == 0)
            expect(wait_once(KR_FOREVER) >= 0);
        w->items--;
        if (w->items < 4)
            (void)kr_condition_notify(&w->condition, 1);
        leave();
        count_one(&w->progress[index]);
    }
}

static void produce(int index)
{
    for (;;) {
        enter();
        while (w->items >= 8)
            expect(wait_once(kr_ms(50)) != -ECANCELED);
        w->items++;
        (void)kr_condition_notify(&w->condition, 1 + index % 2);
        leave();
        count_one(&w->progress[index]);
    }
}

static void (*const roles[])(int) = {consume, produce};

static void check_progress(kr_time *slowest)
{
    kr_time began = kr_now();
    uint32_t before[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        before[i] = kri_load_acq(&w->progress[i]);
    for (int i = 0; i < CHILDREN; i++)
        while (kri_load_acq(&w->progress[i]) == before[i]) {
            CHECK(kr_now() - began < kr_sec(20));
            kri_test_nap();
        }
    if (kr_now() - began > *slowest)
        *slowest = kr_now() - began;
}

TEST(test_random_kills)
{
    pid_t pids[CHILDREN];
    uint64_t random = kri_test_seed();
    kr_time end = kr_now() + kr_sec(kri_test_budget());
    kr_time slowest = 0;
    int kills = 0;

    world_create();
    for (int i = 0; i < CHILDREN; i++)
        pids[i] = child(roles[i % 2], i);
    while (kills < 16 || kr_now() < end) {
        int victim = (int)(kri_test_random(&random) >> 32) & (CHILDREN - 1);
        kr_time at = kr_now() + (kr_time)(kri_test_random(&random) >> 44) * 4;

        while (kr_now() < at)
            sched_yield();
        slay(pids[victim]);
        pids[victim] = child(roles[victim % 2], victim);
        if (++kills % 16 == 0)
            check_progress(&slowest);
        CHECK_EQ(kri_load_acq(&w->bad), 0);
    }
    check_progress(&slowest);
    for (int i = 0; i < CHILDREN; i++)
        slay(pids[i]);
    kri_test_note("%d kills, all moved on within %lld ms, %u died in the section", kills,
                  (long long)(slowest / kr_ms(1)),
                  kri_load_acq(&w->times_died) + kri_load_acq(&w->died));
}

/* A recursive lock: all levels are given up and come back. */

static void wait_deep(int index)
{
    (void)index;
    for (int i = 0; i < 3; i++)
        expect(kr_rlock_acquire(&w->rlock, KR_FOREVER) == 0);
    while (!w->ready) {
        expect(kr_condition_wait(&w->condition, KR_FOREVER) == 0);
        expect(kr_rlock_count(&w->rlock) == 3);
    }
    for (int i = 0; i < 3; i++)
        expect(kr_rlock_release(&w->rlock) == 0);
    expect(kr_rlock_release(&w->rlock) == -EPERM);
}

TEST(test_recursive_lock)
{
    pid_t pids[2];

    world_create();
    CHECK_EQ(kr_rlock_init(&w->rlock, KR_SHARED), 0);
    kr_condition_options options = {.rlock = &w->rlock, .scope = KR_SHARED};
    CHECK_EQ(kr_condition_init(&w->condition, &options), 0);
    start(pids, 2, wait_deep);
    await_waiting(2);
    CHECK_EQ(kr_rlock_acquire(&w->rlock, KR_FOREVER), 0);
    enter();
    CHECK_EQ(kr_condition_wait(&w->condition, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_rlock_count(&w->rlock), 2);
    w->ready = true;
    CHECK_EQ(kr_condition_notify_all(&w->condition), 2);
    leave();
    CHECK_EQ(kr_rlock_release(&w->rlock), 0);
    for (int i = 0; i < 2; i++)
        await_end(pids[i], 0);
    no_trace();
}
