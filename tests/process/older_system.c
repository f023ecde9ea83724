/* Where the system has no descriptors of processes (Linux before 5.4, some that look over its
 * shoulder): what needs them says so, and leaves nothing behind.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "process/methods.h"
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* From here on, and in all children. */
static void refuse_descriptors_of_processes(void)
{
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_open, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof rules / sizeof rules[0], rules};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
        SKIP("system calls cannot be filtered here");
}

static void check_no_child(void)
{
    CHECK_EQ(waitpid(-1, NULL, WNOHANG), -1);
    CHECK_EQ(errno, ECHILD);
}

static int fail_if_run(void *arg)
{
    (void)arg;
    kri_test_fail(__FILE__, __LINE__, "the child runs");
}
KR_TASK(fail_if_run);

METHOD_TEST(a_start_says_what_is_missing)
{
    kr_process *p;
    refuse_descriptors_of_processes();
    kr_process_options o = {.start = method};
    CHECK_EQ(kr_process_start(&p, fail_if_run, NULL, 0, &o), -ENOSYS);
    CHECK(p == NULL);
    check_no_child();
}

static int fail_as_task(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return fail_if_run(NULL);
}
KR_TASK(fail_as_task);

/* A pool whose workers come with its tasks finds it out then. */
METHOD_TEST(a_pool_is_none_or_broken)
{
    kr_executor *pool;
    kr_future *f;
    refuse_descriptors_of_processes();
    kr_process_pool_options more = {.start = method};
    int err = kr_process_pool_with(&pool, &(kr_pool_options){.workers = 2}, &more);
    CHECK_EQ(err, method == KR_FORK ? -ENOSYS : 0);
    CHECK_EQ(pool != NULL, err == 0);
    if (err == 0) {
        CHECK_EQ(kr_submit(pool, &f, fail_as_task, NULL, 0, 0), 0);
        CHECK_EQ(kr_future_result(f, NULL, 0, NULL, KR_FOREVER), KR_EBROKEN);
        kr_future_release(f);
        kr_executor_release(pool);
    }
    check_no_child();
}

TEST(no_program_is_begun)
{
    kr_subprocess *p;
    int ends[2];
    char byte;
    refuse_descriptors_of_processes();
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    kr_subprocess_options o = {.stdout_to = ends[1]};
    CHECK_EQ(kr_subprocess_start(&p, (const char *[]){"echo", "x", NULL}, &o), -ENOSYS);
    CHECK(p == NULL);
    close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 0);
    check_no_child();
}

TEST(a_child_of_an_older_system_knows_its_parent)
{
    refuse_descriptors_of_processes();
    CHECK(kr_process_parent() == NULL);
    CHECK_EQ(kr_process_pid(kr_process_current()), getpid());
    CHECK(kr_process_alive(kr_process_current()));
}

static kr_event told;
static kr_event may_go;

static int tell_number(void *number)
{
    *(pid_t *)number = os_thread_id();
    kr_event_set(&told);
    return kr_event_wait(&may_go, KR_FOREVER);
}

/* Whose process has ended, and its number come to a thread, is not taken to live. */
TEST(the_number_of_a_thread_is_no_process)
{
    kr_thread *thread;
    pid_t number = 0;
    refuse_descriptors_of_processes();
    CHECK_EQ(kr_thread_start(&thread, tell_number, &number, 0, NULL), 0);
    CHECK_EQ(kr_event_wait(&told, KR_FOREVER), 0);
    CHECK(os_process_ended(number));
    CHECK(!os_process_ended(getpid()));
    kr_event_set(&may_go);
    CHECK_EQ(kr_thread_join(thread, NULL, KR_FOREVER), 0);
    kr_thread_release(thread);
}
