/* A process is killed after every single step of the calls of semaphores, events and barriers; in a
 * short run after some of them, by chance.
 *
 * The victim is a child that is single-stepped (ptrace) and killed after step 1, another one after
 * step 2, and so on until one gets through; a system call is one step.  A survivor may wait
 * meanwhile.  After each kill it comes back, soon where its header promises that, and the object is
 * as good as new; but for the permits of a plain semaphore, of which the dead may keep the one that
 * it had.  Stopped instead, wherever that is, it holds up nobody for longer than his time-out.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/shared.h"
#include <sys/ptrace.h>

enum {
    STEPS = 20000,
    STRIDE = 12,
    STRIDE_BESIDE_SURVIVOR = 30,
    STRIDE_BESIDE_STOPPED = 200,
    MANY_SECONDS = 10,
    ROWS = 4,
    ENOUGH = 5
};

/* The promise is 100 ms; a machine that runs other things too may not run a process for longer. */
#define SOON       kr_ms(200)
#define AT_LEAST   kr_sec(10)
#define LATE_SHARE 20

typedef struct step_world {
    kr_semaphore semaphore;
    kr_event event;
    kr_barrier barrier;
    kr_holder rows[ROWS];
    kr_word done;    /* the victim is through */
    kr_word waiting; /* the survivor is about to wait */
    kr_word back;    /* and has come back, with this result */
    int result;
} step_world;

typedef struct step_case {
    void (*prepare)(step_world *world);
    int (*begin)(step_world *world);  /* the victim before it is stepped; NULL: nothing */
    int (*victim)(step_world *world); /* what is stepped through */
    int (*survivor)(step_world *world);
    void (*beside)(step_world *world); /* while the victim is stopped there, alive; NULL: nothing */
    void (*check)(step_world *world, bool through);
} step_case;

static step_case now;
static kr_time longest;
static int late;

static void be_the_victim(void *arg, int index)
{
    step_world *world = arg;
    step_world scratch;

    (void)index;
    /* The first call of each function of another library takes hundreds of steps. */
    memset(&scratch, 0, sizeof scratch);
    now.prepare(&scratch);
    if (now.begin != NULL && now.begin(&scratch) < 0)
        _exit(2);
    (void)now.victim(&scratch);
    if (now.begin != NULL && now.begin(world) < 0)
        _exit(3);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    if (now.victim(world) < 0)
        _exit(4);
    kri_store_rel(&world->done, 1);
}

static void survive(void *arg, int index)
{
    step_world *world = arg;

    (void)index;
    kri_store_rel(&world->waiting, 1);
    world->result = now.survivor(world);
    kri_store_rel(&world->back, 1);
}

static bool stops(pid_t victim)
{
    int status;

    CHECK_EQ(waitpid(victim, &status, 0), victim);
    return WIFSTOPPED(status);
}

static void await_back(step_world *world)
{
    kr_time start = kr_now();

    while (kri_load_acq(&world->back) == 0) {
        CHECK_LE(kr_now() - start, AT_LEAST);
        kri_test_nap();
    }
    kr_time took = kr_now() - start;
    late += took > SOON;
    longest = took > longest ? took : longest;
}

/* False: the victim was through by then. */
static bool kill_after(step_world *world, int steps)
{
    pid_t survivor = 0;

    memset(world, 0, sizeof *world);
    now.prepare(world);
    pid_t victim = shared_child(be_the_victim, world, 0);
    if (!stops(victim))
        SKIP("no process may be traced here");
    if (now.survivor != NULL) {
        survivor = shared_child(survive, world, 0);
        shared_await(&world->waiting, 1);
        shared_await_asleep(survivor);
    }
    for (int i = 0; i < steps && kri_load_acq(&world->done) == 0; i++) {
        CHECK_EQ(ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL), 0);
        CHECK(stops(victim));
    }
    bool through = kri_load_acq(&world->done) != 0;
    if (now.beside != NULL && !through)
        now.beside(world);
    shared_kill(victim);
    now.check(world, through);
    if (now.survivor != NULL)
        shared_join(survivor);
    return !through;
}

static void kill_after_each(step_case what)
{
    step_world *world = shared_world(sizeof *world);
    unsigned stride = what.survivor != NULL ? STRIDE_BESIDE_SURVIVOR : STRIDE;
    uint64_t random = kri_test_seed();
    int kills = 0, steps = 0;
    bool killed = true;

    now = what;
    if (kri_test_budget() > MANY_SECONDS)
        stride = 1;
    if (what.beside != NULL) /* seconds each */
        stride = stride == 1 ? STRIDE_BESIDE_SURVIVOR : STRIDE_BESIDE_STOPPED;
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind multiply the steps");
    while (killed && steps < STEPS) {
        steps += 1 + (int)((kri_test_random(&random) >> 32) % stride);
        killed = kill_after(world, steps);
        kills += killed;
    }
    kri_test_note("%d kills within %d steps; the survivor was back after %.1f ms, %d times late",
                  kills, steps, (double)longest / 1e6, late);
    CHECK_LE(steps, STEPS - 1);
    CHECK_GE(kills, ENOUGH);
    CHECK_LE(late, kills / LATE_SHARE + 1);
}

/* Semaphores. */

static void make_semaphore(step_world *world, int64_t permits, size_t rows)
{
    kr_semaphore_options options = {
        .scope = KR_SHARED, .holders = rows != 0 ? world->rows : NULL, .holder_count = rows};
    CHECK_EQ(kr_semaphore_init(&world->semaphore, permits, &options), 0);
}

static void make_plain_two(step_world *world)
{
    make_semaphore(world, 2, 0);
}

static void make_plain_empty(step_world *world)
{
    make_semaphore(world, 0, 0);
}

static void make_owned_one(step_world *world)
{
    make_semaphore(world, 1, ROWS);
}

static void make_owned_two(step_world *world)
{
    make_semaphore(world, 2, ROWS);
}

static int acquire(step_world *world)
{
    return kr_semaphore_acquire(&world->semaphore, KR_FOREVER);
}

static int release(step_world *world)
{
    return kr_semaphore_release(&world->semaphore, 1);
}

static int acquire_and_release(step_world *world)
{
    int err = acquire(world);
    return err != 0 ? err : release(world);
}

/* Exactly so many are there for whoever comes. */
static void check_permits(step_world *world, int permits)
{
    for (int i = 0; i < permits; i++)
        CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), 0);
    CHECK_EQ(kr_semaphore_acquire(&world->semaphore, KR_NOWAIT), -ETIMEDOUT);
    if (permits > 0)
        CHECK_EQ(kr_semaphore_release(&world->semaphore, permits), 0);
    CHECK_EQ(kr_semaphore_value(&world->semaphore), permits);
}

static void check_plain(step_world *world, bool through)
{
    int left = (int)kr_semaphore_value(&world->semaphore);
    CHECK(left == 2 || (left == 1 && !through));
    check_permits(world, left);
}

/* The survivor gets one of the permits that the victim and the test have released. */
static void check_plain_waiter(step_world *world, bool through)
{
    CHECK_EQ(release(world), 0);
    await_back(world);
    CHECK_EQ(world->result, 0);
    int left = (int)kr_semaphore_value(&world->semaphore);
    CHECK(left == 1 || (left == 0 && !through));
    check_permits(world, left);
}

static void check_owned(step_world *world, bool through)
{
    (void)through;
    check_permits(world, 2);
    CHECK_EQ(release(world), -EPERM);
}

static void check_owned_waiter(step_world *world, bool through)
{
    (void)through;
    await_back(world);
    CHECK_EQ(world->result, 0);
    check_permits(world, 1);
    CHECK_EQ(release(world), -EPERM);
}

TEST(test_killed_in_semaphore)
{
    kill_after_each((step_case){
        .prepare = make_plain_two, .victim = acquire_and_release, .check = check_plain});
}

TEST(test_killed_in_semaphore_release_with_waiter)
{
    kill_after_each((step_case){.prepare = make_plain_empty,
                                .victim = release,
                                .survivor = acquire,
                                .check = check_plain_waiter});
}

TEST(test_killed_in_semaphore_with_holders)
{
    kill_after_each((step_case){
        .prepare = make_owned_two, .victim = acquire_and_release, .check = check_owned});
}

TEST(test_killed_in_release_with_holders_and_waiter)
{
    kill_after_each((step_case){.prepare = make_owned_one,
                                .begin = acquire,
                                .victim = release,
                                .survivor = acquire_and_release,
                                .check = check_owned_waiter});
}

/* Events. */

static void make_event(step_world *world)
{
    CHECK_EQ(kr_event_init(&world->event, KR_SHARED), 0);
}

static int set(step_world *world)
{
    kr_event_set(&world->event);
    return 0;
}

static int wait_shortly_and_clear(step_world *world)
{
    int err = kr_event_wait(&world->event, 1);
    kr_event_clear(&world->event);
    return err == -ETIMEDOUT ? 0 : -EIO;
}

static int wait_for_event(step_world *world)
{
    return kr_event_wait(&world->event, KR_FOREVER);
}

/* If the victim has set it, nobody else need. */
static void check_set(step_world *world, bool through)
{
    CHECK(!through || kr_event_is_set(&world->event));
    if (!kr_event_is_set(&world->event))
        kr_event_set(&world->event);
    await_back(world);
    CHECK_EQ(world->result, 0);
}

static void check_event(step_world *world, bool through)
{
    (void)through;
    CHECK(!kr_event_is_set(&world->event));
    CHECK_EQ(kr_event_wait(&world->event, KR_NOWAIT), -ETIMEDOUT);
    kr_event_set(&world->event);
    await_back(world);
    CHECK_EQ(world->result, 0);
    CHECK_EQ(wait_for_event(world), 0);
}

TEST(test_killed_in_event_set)
{
    kill_after_each((step_case){
        .prepare = make_event, .victim = set, .survivor = wait_for_event, .check = check_set});
}

TEST(test_killed_in_event_wait_and_clear)
{
    kill_after_each((step_case){.prepare = make_event,
                                .victim = wait_shortly_and_clear,
                                .survivor = wait_for_event,
                                .check = check_event});
}

/* Barriers. */

static void make_barrier(step_world *world, int parties)
{
    kr_barrier_options options = {.scope = KR_SHARED, .holders = world->rows, .holder_count = ROWS};
    CHECK_EQ(kr_barrier_init(&world->barrier, parties, &options), 0);
}

static void make_barrier_of_two(step_world *world)
{
    make_barrier(world, 2);
}

static void make_barrier_of_three(step_world *world)
{
    make_barrier(world, 3);
}

static int meet(step_world *world)
{
    return kr_barrier_wait(&world->barrier, KR_FOREVER);
}

static void be_a_party(void *arg, int index)
{
    (void)index;
    if (meet(arg) < 0)
        _exit(1);
}

/* With a time limit, since it is called for trial, too, where no others come. */
static int meet_or_give_up(step_world *world)
{
    int err = kr_barrier_wait(&world->barrier, 1);
    return err == KR_EBROKEN ? 0 : err;
}

static void check_new_round(step_world *world)
{
    pid_t parties[2];
    int others = (int)kr_barrier_parties(&world->barrier) - 1;

    CHECK_EQ(kr_barrier_reset(&world->barrier), 0);
    CHECK(!kr_barrier_broken(&world->barrier));
    for (int i = 0; i < others; i++)
        parties[i] = shared_child(be_a_party, world, i);
    CHECK_GE(kr_barrier_wait(&world->barrier, AT_LEAST), 0);
    for (int i = 0; i < others; i++)
        shared_join(parties[i]);
    CHECK_EQ(kr_barrier_n_waiting(&world->barrier), 0);
}

/* The victim comes last.  If it was killed before it had come, the survivor waits for good. */
static void check_last(step_world *world, bool through)
{
    bool has_come = kr_barrier_n_waiting(&world->barrier) != 1;

    if (!has_come && kri_load_acq(&world->back) == 0)
        CHECK_EQ(kr_barrier_abort(&world->barrier), 0);
    await_back(world);
    CHECK(world->result == 0 || (world->result == KR_EBROKEN && !through));
    check_new_round(world);
}

/* The victim gives up.  The survivor is told by it, or finds its row once it is dead. */
static void check_gave_up(step_world *world, bool through)
{
    bool has_come = kr_barrier_n_waiting(&world->barrier) != 1;

    if (!has_come && !kr_barrier_broken(&world->barrier))
        CHECK_EQ(kr_barrier_abort(&world->barrier), 0);
    await_back(world);
    CHECK(!through || kr_barrier_broken(&world->barrier));
    CHECK_EQ(world->result, KR_EBROKEN);
    check_new_round(world);
}

TEST(test_killed_in_barrier_as_the_last)
{
    kill_after_each((step_case){.prepare = make_barrier_of_two,
                                .victim = meet_or_give_up,
                                .survivor = meet,
                                .check = check_last});
}

TEST(test_killed_in_barrier_as_it_gives_up)
{
    kill_after_each((step_case){.prepare = make_barrier_of_three,
                                .victim = meet_or_give_up,
                                .survivor = meet,
                                .check = check_gave_up});
}

/* Wherever it is stopped, a wait ends in time; and the barrier is good once it is gone. */
static void meet_beside(step_world *world)
{
    kr_time start = kr_now();
    int err = kr_barrier_wait(&world->barrier, kr_ms(20));
    CHECK(err >= 0 || err == KR_EBROKEN);
    CHECK_LE(kr_now() - start, AT_LEAST);
    CHECK_EQ(kr_barrier_abort(&world->barrier), 0);
    CHECK(kr_barrier_broken(&world->barrier));
    CHECK_LE(kr_now() - start, 2 * AT_LEAST);
}

static void check_after_stop(step_world *world, bool through)
{
    (void)through;
    check_new_round(world);
}

TEST(test_stopped_in_barrier)
{
    kill_after_each((step_case){.prepare = make_barrier_of_two,
                                .victim = meet_or_give_up,
                                .beside = meet_beside,
                                .check = check_after_stop});
}
