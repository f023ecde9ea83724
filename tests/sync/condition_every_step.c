/* A process is killed after a single step of notifying, or of coming back from a wait.
 *
 * The victim is a child that is single-stepped (ptrace); a system call is one step.  After the kill
 * all who wait must come back, soon.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared.h"
#include <sys/ptrace.h>

enum { WAITERS = 2, MOST_STEPS = 600, LATE_SHARE = 20, ENOUGH = 10 };

typedef struct step_world {
    kr_condition condition;
    bool ready; /* guarded by the condition's lock */
    kr_word waiting;
    kr_word back;
    kr_word wrong;
    kr_word done; /* the victim is through */
} step_world;

static void (*stepped)(step_world *world);

static void enter(step_world *world)
{
    int err = kr_condition_acquire(&world->condition, KR_FOREVER);
    if (err == KR_OWNER_DIED)
        err = kr_condition_recover(&world->condition);
    if (err != 0)
        kri_add_acq_rel(&world->wrong, 1);
}

static void leave(step_world *world)
{
    if (kr_condition_release(&world->condition) != 0)
        kri_add_acq_rel(&world->wrong, 1);
}

static void wait_until_ready(void *arg, int index)
{
    step_world *world = arg;

    (void)index;
    enter(world);
    kri_add_acq_rel(&world->waiting, 1);
    while (!world->ready) {
        int err = kr_condition_wait(&world->condition, KR_FOREVER);
        if (err < 0 || (err != 0 && kr_condition_recover(&world->condition) != 0))
            kri_add_acq_rel(&world->wrong, 1);
    }
    leave(world);
    kri_add_acq_rel(&world->back, 1);
}

static void make_ready(step_world *world)
{
    enter(world);
    world->ready = true;
    (void)kr_condition_notify_all(&world->condition);
    leave(world);
}

/* A note for the release, which wakes that one. */
static void make_ready_for_one(step_world *world)
{
    enter(world);
    world->ready = true;
    (void)kr_condition_notify(&world->condition, 1);
    leave(world);
}

/* It has been notified of by nobody: its time is up at once. */
static void wait_shortly(step_world *world)
{
    enter(world);
    (void)kr_condition_wait(&world->condition, 1);
    leave(world);
}

static void be_the_victim(void *arg, int index)
{
    step_world *world = arg;
    kr_condition mine = KR_CONDITION_INIT_SHARED;

    (void)index;
    /* The first call of each function of another library takes hundreds of steps. */
    (void)!kr_condition_acquire(&mine, KR_FOREVER);
    (void)kr_condition_wait(&mine, 1);
    (void)kr_condition_notify(&mine, 1);
    (void)kr_condition_notify_all(&mine);
    (void)kr_condition_release(&mine);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    stepped(world);
    kri_store_rel(&world->done, 1);
}

static bool stops(pid_t victim)
{
    int status;

    CHECK_EQ(waitpid(victim, &status, 0), victim);
    return WIFSTOPPED(status);
}

/* How long the others took to come back. */
static kr_time kill_after(step_world *world, int steps, bool *through)
{
    pid_t waiters[WAITERS];
    bool alive = true;

    memset(world, 0, sizeof *world);
    world->condition = (kr_condition)KR_CONDITION_INIT_SHARED;
    for (int i = 0; i < WAITERS; i++)
        waiters[i] = shared_child(wait_until_ready, world, i);
    shared_await(&world->waiting, WAITERS);
    for (int i = 0; i < WAITERS; i++)
        shared_await_asleep(waiters[i]);
    pid_t victim = shared_child(be_the_victim, world, 0);
    if (!stops(victim))
        SKIP("no process may be traced here");
    for (int i = 0; alive && kri_load_acq(&world->done) == 0 && i < steps; i++) {
        CHECK_EQ(ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL), 0);
        alive = stops(victim);
    }
    *through = kri_load_acq(&world->done) != 0;
    if (alive)
        shared_kill(victim);
    kr_time start = kr_now();
    make_ready(world);
    while (kri_load_acq(&world->back) < WAITERS) {
        CHECK_LE(kr_now() - start, kr_sec(10));
        kri_test_nap();
    }
    for (int i = 0; i < WAITERS; i++)
        shared_join(waiters[i]);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    return kr_now() - start;
}

/* At random steps, as long as the budget lasts. */
static void kill_at_random(void (*what)(step_world *world))
{
    step_world *world = shared_world(sizeof *world);
    uint64_t random = kri_test_seed();
    kr_time end = kr_now() + kr_sec(kri_test_budget());
    kr_time longest = 0;
    unsigned most = MOST_STEPS;
    int kills = 0;
    int late = 0;

    stepped = what;
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind multiply the steps");
    while (kr_now() < end || kills < ENOUGH) {
        unsigned steps = 1 + (unsigned)(kri_test_random(&random) >> 32) % most;
        bool through;
        kr_time took = kill_after(world, (int)steps, &through);
        if (through && steps < most)
            most = steps;
        kills += !through;
        late += took > kr_ms(350);
        longest = took > longest ? took : longest;
    }
    kri_test_note("%d kills within %u steps; all were back after %.1f ms, %d times after more than "
                  "350",
                  kills, most, (double)longest / 1e6, late);
    CHECK_LE(late, kills / LATE_SHARE + 1);
}

TEST(test_killed_in_notify)
{
    kill_at_random(make_ready);
}

TEST(test_killed_in_notify_of_one)
{
    kill_at_random(make_ready_for_one);
}

TEST(test_killed_in_wait)
{
    kill_at_random(wait_shortly);
}
