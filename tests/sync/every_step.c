/* A process is killed after every single step of acquiring and releasing a shared lock.
 *
 * The victim is a child that is single-stepped (ptrace).  It is killed after step 1, then another
 * one after step 2, and so on until one gets through; a system call is one step.  After each kill
 * the survivors must get the lock within 100 ms, and be told of the death exactly when the lock
 * named the victim.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared.h"
#include <sys/ptrace.h>

enum { CROWD = 100, SOME_STEPS = 80, STEPS = 20000 };

/* On a machine that runs other things too, a process may not run at all for that long. */
#define AT_ONCE    kr_ms(100)
#define AT_LEAST   kr_sec(10)
#define LATE_SHARE 50 /* of so many may be one late, for that reason */

typedef struct step_world {
    kr_lock lock;
    kr_rlock rlock;
    long left; /* guarded by the lock under test */
    long right;
    kr_word ready;   /* the survivors that are about to acquire */
    kr_word through; /* those that have released */
    kr_word deaths;  /* how often one was told of a death */
    kr_word wrong;
    kr_word done;     /* the victim is through */
    kri_word64 first; /* when somebody had the lock after the kill */
} step_world;

typedef struct step_case {
    void (*victim)(step_world *world); /* what is stepped through */
    int waiting;                       /* survivors that wait before the first step */
    bool victim_holds;                 /* when they come to wait */
    bool first_holds;                  /* the lock is held by the test until the victim sleeps */
    bool recursive;
} step_case;

static step_case now;
static unsigned kills, late, sleeps;
static kr_time longest, longest_all;

static int take(step_world *world, kr_time timeout)
{
    return now.recursive ? kr_rlock_acquire(&world->rlock, timeout)
                         : kr_lock_acquire(&world->lock, timeout);
}

static int let_go(step_world *world)
{
    return now.recursive ? kr_rlock_release(&world->rlock) : kr_lock_release(&world->lock);
}

static int recover(step_world *world)
{
    return now.recursive ? kr_rlock_recover(&world->rlock) : kr_lock_recover(&world->lock);
}

static const kr_lock *lock_under_test(const step_world *world)
{
    return now.recursive ? &world->rlock.lock : &world->lock;
}

static void note_first(step_world *world)
{
    uint64_t none = 0;
    (void)kri_cas_rlx64(&world->first, &none, (uint64_t)kr_now());
}

/* With the lock held. */
static void use(step_world *world)
{
    world->left++;
    world->right++;
}

static void survive(void *arg, int index)
{
    step_world *world = arg;

    (void)index;
    kri_add_acq_rel(&world->ready, 1);
    int err = take(world, KR_FOREVER);
    note_first(world);
    if (err == KR_OWNER_DIED) {
        kri_add_acq_rel(&world->deaths, 1);
        world->right = world->left;
        err = recover(world);
    }
    if (err != 0 || world->left != world->right)
        kri_add_acq_rel(&world->wrong, 1);
    use(world);
    if (let_go(world) != 0)
        kri_add_acq_rel(&world->wrong, 1);
    kri_add_acq_rel(&world->through, 1);
}

/* The victims. */

static void acquire_and_release(step_world *world)
{
    if (take(world, KR_FOREVER) < 0)
        _exit(2);
    use(world);
    if (let_go(world) != 0)
        _exit(3);
}

static void release_only(step_world *world)
{
    use(world);
    if (let_go(world) != 0)
        _exit(3);
}

/* The first call of each function of another library takes hundreds of steps. */
static void warm_up(void)
{
    kr_word word = {0};

    (void)kri_process_self();
    (void)kri_party_id(kri_party_self());
    (void)kri_wait(&word, 1, kri_deadline(kr_ms(1)), KRI_SHARED);
    (void)kri_wake(&word, 1, KRI_SHARED);
}

static void be_the_victim(void *arg, int index)
{
    step_world *world = arg;

    (void)index;
    warm_up();
    if (now.victim_holds && take(world, KR_FOREVER) != 0)
        _exit(4);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    now.victim(world);
    kri_store_rel(&world->done, 1);
}

static int resume(pid_t victim, bool to_system_call)
{
    return (int)ptrace(to_system_call ? PTRACE_SYSCALL : PTRACE_SINGLESTEP, victim, NULL, NULL);
}

/* One step; false: the victim has ended by itself. */
static bool step(pid_t victim)
{
    int status;

    CHECK_EQ(resume(victim, false), 0);
    CHECK_EQ(waitpid(victim, &status, 0), victim);
    if (WIFEXITED(status))
        CHECK_EQ(WEXITSTATUS(status), 0);
    return WIFSTOPPED(status);
}

/* The victim is about to sleep, and by single steps its first time limit would pass before.  Let it
 * run into the sleep and end that by a release; in the last step leave it asleep. */
static bool step_over_sleep(pid_t victim, step_world *world, bool *held, bool last)
{
    int status;

    CHECK_EQ(resume(victim, true), 0);
    CHECK_EQ(waitpid(victim, &status, 0), victim);
    CHECK_EQ(resume(victim, true), 0);
    while (shared_state(victim) != 'S') {
        if (waitpid(victim, &status, WNOHANG) != 0)
            return WIFSTOPPED(status);
    }
    if (last)
        return true;
    *held = false;
    sleeps++;
    CHECK_EQ(let_go(world), 0);
    CHECK_EQ(waitpid(victim, &status, 0), victim);
    return WIFSTOPPED(status);
}

static bool begin_stepping(pid_t victim)
{
    int status;

    CHECK_EQ(waitpid(victim, &status, 0), victim);
    return WIFSTOPPED(status);
}

static void check_survivors(step_world *world, bool named)
{
    kr_time start = kr_now();
    int err = take(world, AT_LEAST);

    note_first(world);
    CHECK(err == 0 || err == KR_OWNER_DIED);
    if (err == KR_OWNER_DIED) {
        kri_add_acq_rel(&world->deaths, 1);
        world->right = world->left;
        CHECK_EQ(recover(world), 0);
    }
    CHECK_EQ(world->left, world->right);
    CHECK_EQ(let_go(world), 0);
    while (kri_load_acq(&world->through) < (uint32_t)now.waiting) {
        CHECK_LE(kr_now() - start, AT_LEAST);
        kri_test_nap();
    }
    kr_time all = kr_now() - start;
    kr_time first = (kr_time)kri_load_rlx64(&world->first) - start;
    late += first > AT_ONCE;
    longest = first > longest ? first : longest;
    longest_all = all > longest_all ? all : longest_all;
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    CHECK_EQ(kri_load_acq(&world->deaths), named);
    CHECK(!kr_lock_locked(lock_under_test(world)));
}

/* Kill a victim after so many steps; false: it was through by then. */
static bool kill_after(step_world *world, int steps)
{
    pid_t survivors[CROWD];
    bool held = now.first_holds;
    bool alive = true;

    memset(world, 0, sizeof *world);
    CHECK_EQ(kr_lock_init(&world->lock, KR_SHARED), 0);
    CHECK_EQ(kr_rlock_init(&world->rlock, KR_SHARED), 0);
    if (held)
        CHECK_EQ(take(world, KR_NOWAIT), 0);
    pid_t victim = shared_child(be_the_victim, world, 0);
    if (!begin_stepping(victim))
        SKIP("no process may be traced here");
    for (int i = 0; i < now.waiting; i++)
        survivors[i] = shared_child(survive, world, i);
    shared_await(&world->ready, (uint32_t)now.waiting);
    for (int i = 0; i < now.waiting; i++)
        shared_await_asleep(survivors[i]);
    for (int i = 0; alive && kri_load_acq(&world->done) == 0 && i < steps; i++) {
        bool waits = held && kri_load_rlx(&lock_under_test(world)->word) >> 31 && now.waiting == 0;
        alive = waits ? step_over_sleep(victim, world, &held, i == steps - 1) : step(victim);
    }
    bool named =
        alive && (kri_owner)(uint32_t)kri_lock_holder(lock_under_test(world)) == (kri_owner)victim;
    if (alive)
        shared_kill(victim);
    if (held)
        CHECK_EQ(let_go(world), 0);
    check_survivors(world, named);
    for (int i = 0; i < now.waiting; i++)
        shared_join(survivors[i]);
    kills += alive;
    return alive && kri_load_acq(&world->done) == 0;
}

/* After every step, again and again as long as the budget lasts; or, where each kill takes long,
 * after random ones. */
static void kill_after_each(step_case what, bool all)
{
    step_world *world = shared_world(sizeof *world);
    uint64_t random = kri_test_seed();
    kr_time end = kr_now() + kr_sec(kri_test_budget());
    int most = 0;

    now = what;
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind multiply the steps");
    while (most < 10 || (what.first_holds && sleeps < 10) || kr_now() < end) {
        int steps = all ? 0 : 1 + (int)((kri_test_random(&random) >> 32) % SOME_STEPS);
        while (kill_after(world, steps) && all && steps < STEPS)
            steps++;
        most = steps > most ? steps : most;
    }
    CHECK_LE(most, STEPS - 1);
    kri_test_note("%u kills, %s %d steps, %u sleeps; the next had the lock after %.1f ms at most "
                  "(%u times after more than 100), all had it after %.1f ms",
                  kills, all ? "one after each of" : "within", most, sleeps, (double)longest / 1e6,
                  late, (double)longest_all / 1e6);
    CHECK_LE(late, kills / LATE_SHARE);
}

TEST(test_killed_in_acquire_and_release)
{
    kill_after_each((step_case){.victim = acquire_and_release}, true);
}

TEST(test_killed_in_acquire_that_sleeps)
{
    kill_after_each((step_case){.victim = acquire_and_release, .first_holds = true}, true);
}

TEST(test_killed_in_release_with_waiter)
{
    kill_after_each((step_case){.victim = release_only, .victim_holds = true, .waiting = 1}, true);
}

TEST(test_killed_in_release_with_two)
{
    kill_after_each((step_case){.victim = release_only, .victim_holds = true, .waiting = 2}, true);
}

TEST(test_killed_in_release_with_a_hundred)
{
    kill_after_each((step_case){.victim = release_only, .victim_holds = true, .waiting = CROWD},
                    false);
}

TEST(test_killed_in_recursive)
{
    kill_after_each((step_case){.victim = acquire_and_release, .recursive = true}, true);
}

TEST(test_killed_in_recursive_with_waiter)
{
    kill_after_each(
        (step_case){.victim = release_only, .victim_holds = true, .waiting = 1, .recursive = true},
        true);
}
