/* A lock in shared memory: between processes, and when the one that holds it dies.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "sync/shared.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>

enum { PROCESSES = 4 };

typedef struct death_world {
    kr_lock lock;
    kr_rlock rlock;
    kr_word holds;
    kr_word may_go;
    kr_word through;
    kr_word told;
    kr_word refused;
    uint64_t count; /* guarded by lock */
} death_world;

static death_world *world_create(void)
{
    death_world *world = shared_world(sizeof *world);

    CHECK_EQ(kr_lock_init(&world->lock, KR_SHARED), 0);
    CHECK_EQ(kr_rlock_init(&world->rlock, KR_SHARED), 0);
    return world;
}

static void hold(void *arg, int index)
{
    death_world *world = arg;

    (void)index;
    if (kr_lock_acquire(&world->lock, KR_FOREVER) < 0 ||
        kr_rlock_acquire(&world->rlock, KR_FOREVER) < 0)
        _exit(1);
    kri_add_acq_rel(&world->holds, 1);
    while (kri_load_acq(&world->may_go) == 0)
        kri_test_nap();
}

static pid_t start_holder(death_world *world)
{
    pid_t child = shared_child(hold, world, 0);

    shared_await(&world->holds, 1);
    return child;
}

TEST(test_constructor)
{
    kr_lock lock = KR_LOCK_INIT_SHARED;
    kr_lock made;

    CHECK_EQ(kr_lock_init(&made, KR_SHARED), 0);
    CHECK(memcmp(&made, &lock, sizeof made) == 0);
    CHECK_EQ(kr_lock_acquire(&made, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_init(&made, KR_PRIVATE), 0);
    CHECK(memcmp(&made, &(kr_lock)KR_LOCK_INIT, sizeof made) == 0);
    CHECK_EQ(kr_lock_init(&made, (kr_scope)-1), -EINVAL);
    CHECK_EQ(kr_lock_release(&lock), -EPERM);
    CHECK_EQ(kr_lock_recover(&lock), -EPERM);
}

static void count(void *arg, int index)
{
    death_world *world = arg;
    kr_time end = kr_now() + kr_sec(kri_test_budget());

    while (kr_now() < end) {
        int err = kr_lock_acquire(&world->lock, index == 0 ? kr_us(50) : KR_FOREVER);
        if (err == -ETIMEDOUT) {
            kri_add_rlx(&world->refused, 1);
            continue;
        }
        world->count++;
        if (err != 0 || kr_lock_release(&world->lock) != 0)
            _exit(1);
        kri_add_rlx(&world->through, 1);
    }
}

TEST(test_processes_exclude_each_other)
{
    death_world *world = world_create();
    pid_t children[PROCESSES];

    for (int i = 0; i < PROCESSES; i++)
        children[i] = shared_child(count, world, i);
    for (int i = 0; i < PROCESSES; i++)
        shared_join(children[i]);
    CHECK_EQ(world->count, kri_load_rlx(&world->through));
    CHECK(!kr_lock_locked(&world->lock));
    kri_test_note("%llu sections, %u time-outs", (unsigned long long)world->count,
                  kri_load_rlx(&world->refused));
}

static void release_it(void *arg, int index)
{
    death_world *world = arg;

    (void)index;
    if (!kr_lock_locked(&world->lock) || kr_lock_release(&world->lock) != 0)
        _exit(1);
    if (kr_rlock_owned(&world->rlock) || kr_rlock_release(&world->rlock) != -EPERM ||
        !kr_rlock_locked(&world->rlock))
        _exit(2);
}

/* A lock by any process, a recursive one only by its runner; a forked child is another. */
TEST(test_released_by_another_process)
{
    death_world *world = world_create();

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_rlock_acquire(&world->rlock, KR_FOREVER), 0);
    shared_join(shared_child(release_it, world, 0));
    CHECK(!kr_lock_locked(&world->lock));
    CHECK_EQ(kr_lock_release(&world->lock), -EPERM);
    CHECK(kr_rlock_owned(&world->rlock));
    CHECK_EQ(kr_rlock_release(&world->rlock), 0);
}

static void check_inherits(death_world *world, kr_time timeout)
{
    kr_time start = kr_now();

    CHECK_EQ(kr_lock_acquire(&world->lock, timeout), KR_OWNER_DIED);
    CHECK_EQ(kr_rlock_acquire(&world->rlock, timeout), KR_OWNER_DIED);
    CHECK_LE(kr_now() - start, kr_sec(10));
    CHECK(kr_lock_inconsistent(&world->lock));
    CHECK(kr_rlock_inconsistent(&world->rlock));
    CHECK_EQ(kr_rlock_count(&world->rlock), 1);
    CHECK_EQ(kr_rlock_acquire(&world->rlock, timeout), 0);
    CHECK_EQ(kr_lock_recover(&world->lock), 0);
    CHECK_EQ(kr_rlock_recover(&world->rlock), 0);
    CHECK(!kr_lock_inconsistent(&world->lock));
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    CHECK_EQ(kri_rlock_release_all(&world->rlock), 2);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
}

TEST(test_late_acquirer)
{
    death_world *world = world_create();
    pid_t child = start_holder(world);

    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_lock_acquire(&world->lock, kr_ms(10)), -ETIMEDOUT);
    shared_kill(child);
    check_inherits(world, KR_FOREVER);
}

TEST(test_one_try)
{
    death_world *world = world_create();

    shared_kill(start_holder(world));
    check_inherits(world, KR_NOWAIT);
}

/* Its parent has not asked for its status. */
TEST(test_zombie)
{
    death_world *world = world_create();
    pid_t child = start_holder(world);

    kri_store_rel(&world->may_go, 1);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    CHECK_EQ(shared_state(child), 'Z');
    check_inherits(world, KR_NOWAIT);
    shared_join(child);
}

static void *hold_on(void *arg)
{
    hold(arg, 0);
    _exit(0);
}

static void end_first_thread(void *arg, int index)
{
    pthread_t thread;

    (void)index;
    if (pthread_create(&thread, NULL, hold_on, arg) != 0)
        _exit(1);
    pthread_exit(NULL);
}

/* /proc calls it a zombie, but its other threads live. */
TEST(test_first_thread_has_ended)
{
    death_world *world = world_create();

    if (KRI_SANITIZED)
        SKIP("a sanitizer keeps the first thread");
    pid_t child = shared_child(end_first_thread, world, 0);
    shared_await(&world->holds, 1);
    while (shared_state(child) != 'Z')
        kri_test_nap();
    CHECK_EQ(kr_lock_acquire(&world->lock, kr_ms(50)), -ETIMEDOUT);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), -ETIMEDOUT);
    shared_kill(child);
    check_inherits(world, KR_FOREVER);
}

TEST(test_stopped_holder_is_alive)
{
    death_world *world = world_create();
    pid_t child = start_holder(world);

    kri_test_stop(child);
    CHECK_EQ(kr_lock_acquire(&world->lock, kr_ms(50)), -ETIMEDOUT);
    CHECK_EQ(kill(child, SIGCONT), 0);
    shared_kill(child);
    check_inherits(world, KR_FOREVER);
}

/* The pid is in use again, by a process that started at another time. */
TEST(test_pid_used_again)
{
    death_world *world = world_create();
    pid_t child = start_holder(world);
    kri_owner holder = kri_lock_holder(&world->lock);

    CHECK_EQ((pid_t)(uint32_t)holder, child);
    CHECK_EQ(holder >> 32, (uint32_t)os_process_start(child));
    CHECK(!kri_process_dead(holder));
    CHECK(!kri_process_dead((uint32_t)holder)); /* a start time that was not known */
    CHECK(kri_process_dead(holder - (UINT64_C(1) << 32)));
    world->lock.more.bits--;
    CHECK_EQ(kr_lock_acquire(&world->lock, kr_sec(10)), KR_OWNER_DIED);
    shared_kill(child);
    CHECK(kri_process_dead(holder));
    CHECK(kri_process_dead((uint32_t)holder));
    CHECK(!kri_process_dead(kri_process_self()));
}

static void wait_for_it(void *arg, int index)
{
    death_world *world = arg;

    (void)index;
    kri_add_acq_rel(&world->told, 1);
    if (kr_lock_acquire(&world->lock, KR_FOREVER) == -ENOTRECOVERABLE)
        kri_add_acq_rel(&world->refused, 1);
}

TEST(test_not_recovered)
{
    death_world *world = world_create();
    pid_t children[PROCESSES];

    shared_kill(start_holder(world));
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), KR_OWNER_DIED);
    for (int i = 0; i < PROCESSES; i++)
        children[i] = shared_child(wait_for_it, world, i);
    shared_await(&world->told, PROCESSES);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    for (int i = 0; i < PROCESSES; i++)
        shared_join(children[i]);
    CHECK_EQ(kri_load_acq(&world->refused), PROCESSES);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), -ENOTRECOVERABLE);
    CHECK_EQ(kr_lock_release(&world->lock), -EPERM);
    CHECK(!kr_lock_locked(&world->lock));
    kr_with (&world->lock)
        CHECK(false);
    kr_lock_reinit(&world->lock);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), 0);
}

/* The second that inherits dies too. */
TEST(test_died_twice)
{
    death_world *world = world_create();

    shared_kill(start_holder(world));
    kri_store_rlx(&world->holds, 0);
    shared_kill(start_holder(world));
    check_inherits(world, KR_FOREVER);
}

TEST(test_corrupt)
{
    kr_lock lock = KR_LOCK_INIT_SHARED;

    lock.word.bits |= 1u << 27;
    CHECK_EQ(kr_lock_acquire(&lock, KR_NOWAIT), KR_ECORRUPT);
    CHECK_EQ(kr_lock_acquire(&lock, kr_ms(1)), KR_ECORRUPT);
}

static void become_another(void *arg, int index)
{
    (void)index;
    if (kri_process_self() == *(kri_owner *)arg)
        _exit(1);
    if ((pid_t)(uint32_t)kri_process_self() != getpid())
        _exit(2);
    if (kri_process_self() >> 32 != (uint32_t)os_process_start(getpid()))
        _exit(3);
}

TEST(test_identity_after_fork)
{
    kri_owner *mine = shared_world(sizeof *mine);

    *mine = kri_process_self();
    CHECK_EQ((pid_t)(uint32_t)*mine, getpid());
    CHECK_NE(*mine >> 32, 0);
    shared_join(shared_child(become_another, mine, 0));
}

/* How a process is found to be over when no descriptor can be had. */

static struct rlimit descriptors;

static void no_more_descriptors(void)
{
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &descriptors), 0);
    struct rlimit none = {.rlim_cur = 0, .rlim_max = descriptors.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(open("/proc/self/stat", O_RDONLY | O_CLOEXEC), -1);
    CHECK_EQ(errno, EMFILE);
}

/* A sanitizer wants some at the end. */
static void descriptors_again(void)
{
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}

static void await_zombie(pid_t child)
{
    siginfo_t info;

    CHECK_EQ(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
}

TEST(test_zombie_without_descriptors)
{
    death_world *world = world_create();
    pid_t child = start_holder(world);

    no_more_descriptors();
    CHECK(!os_process_ended(child));
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), -ETIMEDOUT);
    kri_store_rel(&world->may_go, 1);
    await_zombie(child);
    CHECK(os_process_ended(child));
    check_inherits(world, KR_NOWAIT);
    shared_join(child);
    CHECK(os_process_ended(child));
    descriptors_again();
}

/* A signal may not be sent to it. */
TEST(test_zombie_of_another_user)
{
    enum { NOBODY = 65534 };
    death_world *world = world_create();
    pid_t child = start_holder(world);

    if (setresuid(NOBODY, NOBODY, 0) != 0) {
        shared_kill(child);
        SKIP("only root can become another user");
    }
    CHECK(kill(child, 0) < 0);
    CHECK_EQ(errno, EPERM);
    CHECK(!os_process_ended(child));
    kri_store_rel(&world->may_go, 1);
    await_zombie(child);
    CHECK(os_process_ended(child));
    check_inherits(world, KR_NOWAIT);
    CHECK_EQ(setresuid(0, 0, 0), 0);
    shared_join(child);
}

static void *tell_thread(void *arg)
{
    death_world *world = arg;

    kri_store_rel(&world->told, (uint32_t)os_thread_id());
    shared_await(&world->may_go, 1);
    return NULL;
}

/* The number of a process may be that of a mere thread by the time somebody asks. */
TEST(test_number_of_a_thread)
{
    death_world *world = world_create();
    pthread_t thread;

    CHECK_EQ(pthread_create(&thread, NULL, tell_thread, world), 0);
    shared_await(&world->told, 1);
    CHECK(os_process_ended((pid_t)kri_load_acq(&world->told)));
    CHECK(!os_process_ended(getpid()));
    kri_store_rel(&world->may_go, 1);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

typedef struct zombie_world {
    death_world *death;
    kr_word grandchild;
    kr_word is_zombie;
} zombie_world;

/* A parent that does not ask for its child's status. */
static void keep_a_zombie(void *arg, int index)
{
    zombie_world *world = arg;
    pid_t child = start_holder(world->death);

    (void)index;
    kri_store_rel(&world->grandchild, (uint32_t)child);
    await_zombie(child);
    kri_store_rel(&world->is_zombie, 1);
    for (;;)
        pause();
}

TEST(test_zombie_of_another_without_descriptors)
{
    zombie_world *world = shared_world(sizeof *world);

    world->death = world_create();
    pid_t child = shared_child(keep_a_zombie, world, 0);
    shared_await(&world->grandchild, 1);
    pid_t grandchild = (pid_t)kri_load_acq(&world->grandchild);
    no_more_descriptors();
    CHECK(!os_process_ended(grandchild));
    CHECK_EQ(kr_lock_acquire(&world->death->lock, KR_NOWAIT), -ETIMEDOUT);
    kri_store_rel(&world->death->may_go, 1);
    shared_await(&world->is_zombie, 1);
    CHECK(os_process_ended(grandchild));
    check_inherits(world->death, KR_NOWAIT);
    shared_kill(child);
    descriptors_again();
}

static void keep_one_without_its_first_thread(void *arg, int index)
{
    zombie_world *world = arg;

    pid_t child = shared_child(end_first_thread, world->death, index);
    kri_store_rel(&world->grandchild, (uint32_t)child);
    while (shared_state(child) != 'Z' || kri_load_acq(&world->death->holds) == 0)
        kri_test_nap();
    kri_store_rel(&world->is_zombie, 1);
    await_zombie(child);
    kri_store_rel(&world->is_zombie, 2);
    for (;;)
        pause();
}

/* As /proc names it, the program of this one is gone, too. */
TEST(test_first_thread_has_ended_without_descriptors)
{
    zombie_world *world = shared_world(sizeof *world);

    if (KRI_SANITIZED)
        SKIP("a sanitizer keeps the first thread");
    world->death = world_create();
    pid_t child = shared_child(keep_one_without_its_first_thread, world, 0);
    shared_await(&world->is_zombie, 1);
    pid_t grandchild = (pid_t)kri_load_acq(&world->grandchild);
    no_more_descriptors();
    CHECK(!os_process_ended(grandchild));
    CHECK_EQ(kr_lock_acquire(&world->death->lock, kr_ms(50)), -ETIMEDOUT);
    kri_store_rel(&world->death->may_go, 1);
    shared_await(&world->is_zombie, 2);
    CHECK(os_process_ended(grandchild));
    check_inherits(world->death, KR_NOWAIT);
    shared_kill(child);
    descriptors_again();
}

static void *hold_in_thread(void *arg)
{
    hold(arg, 0);
    return NULL;
}

typedef struct exec_plan {
    death_world *world;
    int input[2];    /* the new program lives until it ends */
    int replaced[2]; /* closed by exec */
} exec_plan;

static void hold_and_exec(void *arg, int index)
{
    exec_plan *plan = arg;
    pthread_t thread;

    (void)index;
    if (pthread_create(&thread, NULL, hold_in_thread, plan->world) != 0)
        _exit(1);
    while (kri_load_acq(&plan->world->holds) == 0)
        kri_test_nap();
    dup2(plan->input[0], 0);
    execlp("cat", "cat", (char *)NULL);
    _exit(1);
}

/* Another thread has the lock when a process becomes another program: it is held until that ends,
 * which is noticed like any other death. */
TEST(held_over_an_exec)
{
    death_world *world = world_create();
    exec_plan plan = {.world = world};
    char byte;

    CHECK_EQ(pipe2(plan.input, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(plan.replaced, O_CLOEXEC), 0);
    pid_t child = shared_child(hold_and_exec, &plan, 0);
    close(plan.input[0]);
    close(plan.replaced[1]);
    CHECK_EQ(read(plan.replaced[0], &byte, 1), 0);
    CHECK_EQ(waitpid(child, NULL, WNOHANG), 0);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_lock_acquire(&world->lock, kr_ms(200)), -ETIMEDOUT);
    close(plan.input[1]);
    CHECK_EQ(kr_lock_acquire(&world->lock, KR_FOREVER), KR_OWNER_DIED);
    CHECK_EQ(kr_rlock_acquire(&world->rlock, KR_FOREVER), KR_OWNER_DIED);
    CHECK_EQ(kr_lock_recover(&world->lock), 0);
    CHECK_EQ(kr_lock_release(&world->lock), 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}
