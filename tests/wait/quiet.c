/* Nobody pays before there is a waiter: no system call.  And no wait allocates.
 *
 * System calls are forbidden to a child by a filter that kills it at the first, but for the one
 * that ends it; so the check is exact.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/allocations.h"
#include "sync/waits.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

static bool forbid_system_calls(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
    };
    struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};

    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { CANNOT_FORBID = 99 };

static void need_own_system_calls(void)
{
    if (KRI_VALGRIND)
        SKIP("valgrind makes system calls of its own");
}

/* Status 0 when `run` returned true without a system call; warm: it has run once before. */
static int run_without_system_calls(bool (*run)(void), bool warm)
{
    pid_t child = fork();
    int status;

    CHECK_GE(child, 0);
    if (child == 0) {
        if (warm && !run())
            _exit(1);
        if (!forbid_system_calls())
            _exit(CANNOT_FORBID);
        syscall(SYS_exit_group, run() ? 0 : 1); /* itself: sanitizers look for leaks in _exit */
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void check_without_system_calls(bool (*run)(void))
{
    need_own_system_calls();
    int status = run_without_system_calls(run, true);

    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_FORBID)
        SKIP("system calls cannot be filtered here");
    CHECK_EQ(status, 0);
}

enum { TIMES = 100000 };

static bool make_a_call(void)
{
    return syscall(SYS_getppid) > 0;
}

/* That the filter would see one. */
TEST(test_the_filter_itself)
{
    need_own_system_calls();
    int status = run_without_system_calls(make_a_call, false);

    if (WIFEXITED(status) && WEXITSTATUS(status) == CANNOT_FORBID)
        SKIP("system calls cannot be filtered here");
    CHECK(WIFSIGNALED(status));
    CHECK_EQ(WTERMSIG(status), SIGSYS);
}

static bool wake_nobody(void)
{
    static kr_word word;
    int woken = 0;

    for (int i = 0; i < TIMES; i++)
        woken += kri_wake(&word, KRI_ALL, 0);
    return woken == 0;
}

TEST(test_wake_of_nobody)
{
    check_without_system_calls(wake_nobody);
}

static bool use_free_primitives(void)
{
    static kr_lock lock;
    static kr_event event;
    static kr_semaphore semaphore = KR_SEMAPHORE_INIT(1);
    static kr_condition condition;
    int errors = 0;

    for (int i = 0; i < TIMES / 10; i++) {
        errors += kr_lock_acquire(&lock, KR_FOREVER) != 0;
        errors += kr_lock_acquire(&lock, KR_NOWAIT) != -ETIMEDOUT;
        errors += kr_lock_release(&lock) != 0;
        kr_with (&lock)
            errors += !kr_lock_locked(&lock);
        errors += kr_event_wait(&event, KR_NOWAIT) != -ETIMEDOUT;
        kr_event_set(&event);
        errors += kr_event_wait(&event, KR_FOREVER) != 0;
        kr_event_clear(&event);
        errors += kr_semaphore_acquire(&semaphore, KR_FOREVER) != 0;
        errors += kr_semaphore_acquire(&semaphore, KR_NOWAIT) != -ETIMEDOUT;
        errors += kr_semaphore_release(&semaphore, 1) != 0;
        errors += kr_condition_acquire(&condition, KR_FOREVER) != 0;
        errors += kr_condition_notify_all(&condition) != 0;
        errors += kr_condition_release(&condition) != 0;
    }
    return errors == 0;
}

TEST(test_free_primitives)
{
    check_without_system_calls(use_free_primitives);
}

static bool enter_scopes(void)
{
    static kr_lock lock;
    int errors = 0;

    for (int i = 0; i < TIMES / 10; i++) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;

        errors += kr_cancel_scope_enter(&scope, KR_FOREVER) != 0;
        errors += kr_cancel_scope_enter(&inner, kr_sec(100)) != 0;
        errors += kr_lock_acquire(&lock, KR_FOREVER) != 0;
        errors += kr_lock_release(&lock) != 0;
        errors += kr_cancelled();
        errors += kr_cancel_scope_exit(&inner) != 0;
        errors += kr_cancel_scope_exit(&scope) != 0;
    }
    return errors == 0;
}

TEST(test_scopes)
{
    check_without_system_calls(enter_scopes);
}

typedef struct quiet_world {
    waits_world *waits;
    kr_word started;
    kr_word begin;
    kr_word ready;
    kr_cancel_scope scopes[WAITS_KINDS];
} quiet_world;

/* From a thread's very first wait on: timed, in a scope, cancelled. */
static void wait_each_way(void *arg, int index)
{
    quiet_world *world = arg;
    const waits_kind *kind = &waits_kinds[index];

    kri_add_acq_rel(&world->started, 1);
    while (kri_load_acq(&world->begin) == 0)
        sched_yield();
    CHECK_EQ(kind->wait(world->waits, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_enter(&world->scopes[index], KR_FOREVER), 0);
    CHECK_EQ(kind->wait(world->waits, kr_ms(1)), -ETIMEDOUT);
    kri_add_acq_rel(&world->ready, 1);
    CHECK_EQ(kind->wait(world->waits, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&world->scopes[index]), -ECANCELED);
}

TEST(test_no_wait_allocates)
{
    quiet_world *world;
    party_bunch *bunch;

    party_be(&party_threads);
    world = party_world(sizeof *world);
    world->waits = waits_begin();
    bunch = party_start(WAITS_KINDS, wait_each_way, world);
    party_await_count(&world->started, WAITS_KINDS);
    allocations_begin();
    kri_store_rel(&world->begin, 1);
    party_await_count(&world->ready, WAITS_KINDS);
    for (int i = 0; i < WAITS_KINDS; i++)
        kr_cancel(&world->scopes[i]);
    party_await_finished(bunch, WAITS_KINDS);
    uint32_t allocated = allocations_end();
    party_join(bunch);
    CHECK_EQ(allocated, 0);
    waits_end(world->waits);
    party_world_free(world, sizeof *world);
}
