/* Forks of a process that has a fork server, and its exit beside them.
 *
 * Behaviours: section 12.10
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include "process/internal.h"
#include <poll.h>
#include <sys/mman.h>

static int shared[2]; /* a pipe for numbers */

static void tell_number(int number)
{
    CHECK_EQ(write(shared[1], &number, sizeof number), sizeof number);
}

static int hear_number(void)
{
    int number;
    struct pollfd fd = {.fd = shared[0], .events = POLLIN};
    CHECK_EQ(poll(&fd, 1, 60000), 1);
    CHECK_EQ(read(shared[0], &number, sizeof number), sizeof number);
    return number;
}

static int tell_server(void *arg)
{
    (void)arg;
    int pid = getppid();
    child_say(&pid, sizeof pid);
    return 0;
}
KR_TASK(tell_server);

static void use_server(void)
{
    kr_process_options o = {
        .start = KR_FORKSERVER, .descriptors = &shared[1], .descriptor_count = 1};
    CHECK_EQ(end(start_with(tell_server, NULL, 0, o)), 0);
}

static void expect_gone(int pid)
{
    struct pollfd fd = {.fd = os_pidfd_open(pid), .events = POLLIN};
    if (fd.fd >= 0)
        CHECK_EQ(poll(&fd, 1, 60000), 1);
}

/* A program whose exit must not wait for anything but what it is told to. */
static void exits_promptly(void (*body)(void))
{
    child c;
    CHECK_EQ(pipe2(shared, O_CLOEXEC), 0);
    kr_time before = kr_now();
    child_run(&c, body);
    CHECK_LE(kr_now() - before, kr_sec(20));
    CHECK_STR(c.out, "");
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(WEXITSTATUS(c.status), 0);
}

static void fork_and_leave(void)
{
    use_server();
    pid_t pid = fork();
    if (pid == 0) {
        close(1); /* child_run waits for all of its writers */
        close(2);
        tell_number(getpid());
        pause();
    }
}

/* A forked child that stays does not keep the server, nor its parent's exit. */
TEST(test_resource_tracker_raw_fork_prompt_reap)
{
    exits_promptly(fork_and_leave);
    int server = hear_number(), forked = hear_number();
    if (kill(forked, 0) < 0) {
        int other = server;
        server = forked;
        forked = other;
    }
    expect_gone(server);
    CHECK_EQ(kill(forked, SIGKILL), 0);
}

static int use_server_in_child(void *arg)
{
    (void)arg;
    use_server();
    return 0;
}

static void fork_child_and_leave(void)
{
    use_server();
    kr_process_options o = {.start = KR_FORK};
    CHECK_EQ(end(start_with(use_server_in_child, NULL, 0, o)), 0);
    use_server();
}

TEST(test_resource_tracker_mp_fork_reuse_and_prompt_reap)
{
    exits_promptly(fork_child_and_leave);
    int mine = hear_number(), theirs = hear_number();
    CHECK_NE(mine, theirs);
    CHECK_EQ(hear_number(), mine);
    expect_gone(mine);
    expect_gone(theirs);
}

static void stop_server_and_leave(void)
{
    use_server();
    int server = hear_number();
    kri_test_stop(server);
    tell_number(server);
}

/* One that does not answer is killed. */
TEST(test_resource_tracker_safety_net_timeout)
{
    exits_promptly(stop_server_and_leave);
    expect_gone(hear_number());
}

/* Forks at any moment of a start find no lock held. */

static void start_on_and_on(void *arg)
{
    kr_event *enough = arg;
    while (!kr_event_is_set(enough))
        use_server();
}

static void hear_on_and_on(void *arg)
{
    (void)arg;
    int number;
    while (read(shared[0], &number, sizeof number) > 0)
        continue;
}

/* behaviour: 12.10 test_resource_tracker_lock_reinit_after_fork */
TEST(test_resource_tracker_fork_deadlock)
{
    enum { FORKS = 25 };
    kri_bunch starters, hearer;
    kr_event enough = KR_EVENT_INIT;
    if (KRI_TSAN)
        SKIP("forks while threads run");
    CHECK_EQ(pipe2(shared, O_CLOEXEC), 0);
    kri_bunch_start(&hearer, 1, hear_on_and_on, NULL);
    kri_bunch_start(&starters, 2, start_on_and_on, &enough);
    for (int i = 0; i < FORKS; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            use_server();
            CHECK_EQ(kr_process_active(NULL, 0), 0);
            exit(0);
        }
        child_wait(pid);
    }
    kr_event_set(&enough);
    kri_bunch_end(&starters);
    close(shared[1]);
    kri_bunch_end(&hearer);
}

/* Exit callbacks, registered by several at once. */

static kr_word called;

static void note_call(void *arg)
{
    (void)arg;
    __atomic_fetch_add(&called.bits, 1, __ATOMIC_RELAXED);
}

static void register_many(void *arg)
{
    (void)arg;
    for (int i = 0; i < 100; i++)
        CHECK_EQ(kr_at_exit(note_call, NULL), 0);
}

static void tell_calls(void)
{
    tell_number((int)called.bits);
}

static void register_in_threads(void)
{
    kri_bunch bunch;
    CHECK_EQ(atexit(tell_calls), 0); /* after krait's own, which comes later */
    kri_bunch_start(&bunch, 4, register_many, NULL);
    kri_bunch_end(&bunch);
}

TEST(test_thread_safety)
{
    exits_promptly(register_in_threads);
    CHECK_EQ(hear_number(), 400);
}

/* Objects. */

typedef struct counter {
    kr_lock lock;
    int count;
} counter;

static int count_up(void *arg)
{
    (void)arg;
    counter *c =
        mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, kr_process_descriptor(0), 0);
    CHECK(c != MAP_FAILED);
    for (int i = 0; i < 1000; i++) {
        CHECK_EQ(kr_lock_acquire(&c->lock, KR_FOREVER), 0);
        c->count++;
        CHECK_EQ(kr_lock_release(&c->lock), 0);
    }
    return 0;
}
KR_TASK(count_up);

/* behaviour: 12.2 test_mixed_startmethod */
TEST(objects_in_memory_that_is_handed_over_serve_all)
{
    int memory = memfd_create("counter", MFD_CLOEXEC);
    CHECK_EQ(ftruncate(memory, sizeof(counter)), 0);
    counter *c = mmap(NULL, sizeof *c, PROT_READ | PROT_WRITE, MAP_SHARED, memory, 0);
    CHECK(c != MAP_FAILED);
    c->lock = (kr_lock)KR_LOCK_INIT_SHARED;
    kr_process *p[3];
    for (int i = 0; i < 3; i++) {
        kr_process_options o = {
            .start = (kr_start_method)(KR_FORK + i), .descriptors = &memory, .descriptor_count = 1};
        p[i] = start_with(count_up, NULL, 0, o);
    }
    for (int i = 0; i < 3; i++)
        CHECK_EQ(end(p[i]), 0);
    CHECK_EQ(c->count, 3000);
    /* and what only a fork has does not go elsewhere */
    kr_process_options o = {.start = KR_SPAWN};
    CHECK_EQ(kr_process_start(NULL, count_up, c, 0, &o), -EINVAL);
}
