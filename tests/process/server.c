/* The fork server: its death, its end, its cost.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include "process/internal.h"
#include <poll.h>

static const kr_process_options by_server = {.start = KR_FORKSERVER};

static int add_one(void *arg)
{
    return *(int *)arg + 1;
}
KR_TASK(add_one);

static int tell_server(void *arg)
{
    (void)arg;
    int pid = getppid();
    child_say(&pid, sizeof pid);
    return 0;
}
KR_TASK(tell_server);

static int find_server(void)
{
    channel c;
    int pid;
    channel_open(&c);
    c.options.start = KR_FORKSERVER;
    CHECK_EQ(end(start_with(tell_server, NULL, 0, c.options)), 0);
    channel_read(&c, &pid, sizeof pid);
    channel_expect_end(&c);
    CHECK_NE(pid, getpid());
    return pid;
}

static int wait_to_end(void *arg)
{
    char byte;
    (void)arg;
    child_say("r", 1);
    CHECK_EQ(read(kr_process_descriptor(1), &byte, 1), 0);
    return 6;
}
KR_TASK(wait_to_end);

/* One that ends with 6 when the hold is closed. */
static kr_process *start_waiting(int *hold)
{
    channel c;
    int ends[2];
    char byte;
    channel_open(&c);
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    int handed[] = {c.ends[1], ends[0]};
    kr_process_options o = {.start = KR_FORKSERVER, .descriptors = handed, .descriptor_count = 2};
    kr_process *p = start_with(wait_to_end, NULL, 0, o);
    channel_read(&c, &byte, 1);
    close(c.ends[0]);
    close(c.ends[1]);
    close(ends[0]);
    *hold = ends[1];
    return p;
}

TEST(test_forkserver_sigint)
{
    int hold;
    int server = find_server();
    kr_process *p = start_waiting(&hold);
    CHECK_EQ(kill(server, SIGINT), 0);
    CHECK_EQ(find_server(), server); /* it decides nothing */
    close(hold);
    CHECK_EQ(end(p), 6);
}

TEST(test_forkserver_sigkill)
{
    int hold;
    int server = find_server();
    kr_process *p = start_waiting(&hold);
    struct pollfd fd = {.fd = os_pidfd_open(server), .events = POLLIN};
    CHECK_EQ(kill(server, SIGKILL), 0);
    CHECK_EQ(poll(&fd, 1, 60000), 1);
    CHECK_EQ(kr_process_alive(p), 1);
    int other = find_server();
    CHECK_NE(other, server);
    CHECK_EQ(kr_process_alive(p), 1);
    CHECK_EQ(kr_process_join(p, NULL, kr_ms(10)), -ETIMEDOUT);
    close(hold);
    CHECK_EQ(end(p), KR_EXIT_UNKNOWN);
    CHECK_EQ(find_server(), other);
}

/* One that is stopped tells no codes, and nobody waits for ever for them. */
TEST(a_stopped_server)
{
    int hold, server = find_server();
    kr_process *p = start_waiting(&hold);
    kri_test_stop(server);
    close(hold);
    CHECK_EQ(end(p), KR_EXIT_UNKNOWN);
    CHECK_EQ(kill(server, SIGCONT), 0);
    CHECK_EQ(find_server(), server);
}

/* Killed at any moment: each start succeeds all the same, and runs once. */
static int say_number(void *arg)
{
    child_say(arg, 1);
    return 0;
}
KR_TASK(say_number);

static void kill_servers(void *arg)
{
    kr_event *enough = arg;
    uint64_t random = kri_test_seed();
    while (!kr_event_is_set(enough)) {
        char line[64], command[64];
        kr_time nap = (kr_time)(kri_test_random(&random) % 20000);
        CHECK_EQ(kr_event_wait(enough, kr_us(nap + 1)) == -EINVAL, 0);
        snprintf(command, sizeof command, "/proc/self/task/%d/children", (int)getpid());
        FILE *children = fopen(command, "re");
        if (children == NULL)
            continue;
        int pid;
        while (fscanf(children, "%d", &pid) == 1) {
            snprintf(command, sizeof command, "/proc/%d/comm", pid);
            FILE *comm = fopen(command, "re");
            if (comm != NULL && fgets(line, sizeof line, comm) != NULL &&
                strcmp(line, "krait forks\n") == 0)
                kill(pid, SIGKILL);
            if (comm != NULL)
                fclose(comm);
        }
        fclose(children);
    }
}

TEST(servers_killed_at_random)
{
    enum { STARTS = 150 };
    kri_bunch bunch;
    kr_event enough = KR_EVENT_INIT;
    channel c;
    channel_open(&c);
    c.options.start = KR_FORKSERVER;
    bool had[STARTS] = {false};
    int unknown = 0, refused = 0;
    kri_bunch_start(&bunch, 1, kill_servers, &enough);
    for (int i = 0; i < STARTS; i++) {
        kr_process *p;
        unsigned char number = (unsigned char)i, said;
        int err = kr_process_start(&p, say_number, &number, 1, &c.options), code;
        if (err == -EAGAIN) { /* killed each time */
            refused++;
            continue;
        }
        CHECK_EQ(err, 0);
        CHECK_EQ(kr_process_join(p, &code, kr_sec(60)), 0);
        kr_process_release(p);
        CHECK(code == 0 || code == KR_EXIT_UNKNOWN);
        unknown += code != 0;
        channel_read(&c, &said, 1);
        CHECK(said == number && !had[said]);
        had[said] = true;
    }
    kr_event_set(&enough);
    kri_bunch_end(&bunch);
    CHECK_LE(refused, STARTS / 10);
    kri_test_note("%d codes unknown, %d starts refused", unknown, refused);
    channel_expect_end(&c);
}

/* The child that is forked ahead. */

/* Of the server's children; 0: it has none. */
static int child_of(int server)
{
    char path[64];
    int pid = 0;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", server, server);
    FILE *children = fopen(path, "re");
    if (children == NULL)
        SKIP("the system does not list children");
    if (fscanf(children, "%d", &pid) != 1)
        pid = 0;
    fclose(children);
    return pid;
}

/* It comes of starts that follow each other soon, and goes: so it is waited for only so long. */
static int find_spare(int server)
{
    enum { NAPS = 1000 };
    for (;;) {
        CHECK_EQ(find_server(), server);
        for (int i = 0; i < NAPS; i++) {
            int pid = child_of(server);
            if (pid != 0)
                return pid;
            kri_test_nap();
        }
    }
}

static void await_gone(int pid)
{
    int pidfd = os_pidfd_open(pid);
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        CHECK_EQ(poll(&fd, 1, 60000), 1);
}

TEST(a_spare_is_let_go)
{
    int server = find_server(), spare = find_spare(server);
    await_gone(spare);
    while (child_of(server) != 0)
        kri_test_nap();
    CHECK_EQ(find_server(), server);
}

static int tell_pid(void *arg)
{
    int pid = getpid();
    (void)arg;
    child_say(&pid, sizeof pid);
    return 0;
}
KR_TASK(tell_pid);

static int start_one_that_tells(void)
{
    channel c;
    int pid;
    channel_open(&c);
    c.options.start = KR_FORKSERVER;
    kr_process *p = start_with(tell_pid, NULL, 0, c.options);
    int expected = kr_process_pid(p);
    CHECK_EQ(end(p), 0);
    channel_read(&c, &pid, sizeof pid);
    CHECK_EQ(pid, expected);
    channel_expect_end(&c);
    return pid;
}

/* Where a moment passes between the two it is let go, and then another is the process. */
TEST(a_spare_is_what_is_started)
{
    int server = find_server();
    while (find_spare(server) != start_one_that_tells())
        continue;
}

TEST(a_spare_ignores_interrupts_until_it_is_started)
{
    int server = find_server(), spare, started;
    do {
        spare = find_spare(server);
        kill(spare, SIGINT);
        started = start_one_that_tells();
    } while (started != spare);
}

/* Either the server has seen it in time, and there is another, or it was the process. */
TEST(a_spare_that_is_killed)
{
    enum { TIMES = 20 };
    int server = find_server(), killed = 0;
    for (int i = 0; i < TIMES; i++) {
        int spare = find_spare(server), three = 3, code;
        kill(spare, SIGKILL);
        if (i % 2 == 0)
            await_gone(spare);
        kr_process *p = start_with(add_one, &three, sizeof three, by_server);
        bool same = kr_process_pid(p) == spare;
        CHECK_EQ(kr_process_join(p, &code, KR_FOREVER), 0);
        kr_process_release(p);
        CHECK_EQ(code, same ? -SIGKILL : 4);
        killed += same;
    }
    kri_test_note("%d of %d times it was the process", killed, TIMES);
}

/* The end. */

static int server_pipe[2];

static void use_server_and_die(void)
{
    int pid = find_server();
    CHECK_EQ(write(server_pipe[1], &pid, sizeof pid), sizeof pid);
    kill(getpid(), SIGKILL);
}

TEST(it_ends_with_its_owner)
{
    child c;
    int pid;
    CHECK_EQ(pipe2(server_pipe, O_CLOEXEC), 0);
    child_run(&c, use_server_and_die);
    CHECK(WIFSIGNALED(c.status));
    CHECK_EQ(read(server_pipe[0], &pid, sizeof pid), sizeof pid);
    int pidfd = os_pidfd_open(pid);
    struct pollfd fd = {.fd = pidfd, .events = POLLIN};
    if (pidfd >= 0)
        CHECK_EQ(poll(&fd, 1, 60000), 1);
}

static void use_server_and_exit(void)
{
    int pid = find_server();
    CHECK_EQ(write(server_pipe[1], &pid, sizeof pid), sizeof pid);
}

TEST(exit_leaves_no_server)
{
    child c;
    int pid;
    CHECK_EQ(pipe2(server_pipe, O_CLOEXEC), 0);
    child_run(&c, use_server_and_exit);
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(read(server_pipe[0], &pid, sizeof pid), sizeof pid);
    CHECK_EQ(os_pidfd_open(pid), -ESRCH); /* it was waited for */
}

/* A fork of the owner has a server of its own. */
static void use_own_server(void)
{
    int pid = find_server();
    CHECK_EQ(write(server_pipe[1], &pid, sizeof pid), sizeof pid);
}

TEST(forks_do_not_share_it)
{
    child c;
    int other, server = find_server();
    CHECK_EQ(pipe2(server_pipe, O_CLOEXEC), 0);
    child_run(&c, use_own_server);
    CHECK_EQ(read(server_pipe[0], &other, sizeof other), sizeof other);
    CHECK_NE(other, server);
    CHECK_EQ(find_server(), server);
}

/* Several at once. */
typedef struct starter {
    kr_word failed;
} starter;

static void start_some(void *arg)
{
    (void)arg;
    for (int i = 0; i < 10; i++)
        CHECK_EQ(end(start_with(add_one, &i, sizeof i, by_server)), i + 1);
}

TEST(threads_start_at_once)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 4, start_some, NULL);
    kri_bunch_end(&bunch);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
}

/* What is before kr_init runs once, in the server. */
static int constructed_by;

__attribute__((constructor)) static void note_constructor(void)
{
    constructed_by = getpid();
}

static int tell_constructor(void *arg)
{
    (void)arg;
    int pids[] = {constructed_by, getppid()};
    child_say(pids, sizeof pids);
    return 0;
}
KR_TASK(tell_constructor);

/* behaviour: 12.2 test_preload_resources */
TEST(constructors_run_once)
{
    channel c;
    int pids[2];
    channel_open(&c);
    c.options.start = KR_FORKSERVER;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(end(start_with(tell_constructor, NULL, 0, c.options)), 0);
        channel_read(&c, pids, sizeof pids);
        CHECK_EQ(pids[0], pids[1]);
    }
}

/* Whoever is not its owner. */

static int run_as_child(const char *argument, int fd)
{
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        dup2(fd, OS_SPAWNED);
        close(2);
        execl("/proc/self/exe", "intruder", argument, (char *)NULL);
        _exit(127);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(a_typed_argument_does_nothing)
{
    CHECK_EQ(run_as_child(KRI_CHILD_ARGUMENT "3", open("/dev/null", O_RDWR | O_CLOEXEC)), 2);
    CHECK_EQ(run_as_child(KRI_CHILD_ARGUMENT "77", 0), 2);
}

TEST(a_wrong_order_does_nothing)
{
    int ends[2];
    kri_order order = {.magic = 1, .flags = KRI_ORDER_SERVE};
    CHECK_EQ(os_channel_create(ends), 0);
    CHECK_EQ(os_channel_send(ends[0], &order, sizeof order, ends, 1), 0);
    CHECK_EQ(run_as_child(KRI_CHILD_ARGUMENT "3", ends[1]), 1);
    CHECK_NE(find_server(), 0); /* ours is not disturbed */
}
