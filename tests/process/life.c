/* A process from its start to its end, by each start method.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include <poll.h>

static int return_number(void *arg)
{
    return *(int *)arg;
}
KR_TASK(return_number);

METHOD_TEST(test_sys_exit)
{
    static const int cases[][2] = {{0, 0}, {1, 1}, {8, 8}, {256 + 7, 7}, {-ECANCELED, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        CHECK_EQ(run_code(return_number, &cases[i][0], sizeof(int)), cases[i][1]);
}

static int call_exit(void *arg)
{
    exit(*(int *)arg);
}
KR_TASK(call_exit);

METHOD_TEST(exit_in_the_function_ends_the_process)
{
    CHECK_EQ(run_code(call_exit, &(int){23}, sizeof(int)), 23);
}

static int crash(void *arg)
{
    (void)arg;
    signal(SIGSEGV, SIG_DFL);
    raise(SIGSEGV);
    return 0;
}
KR_TASK(crash);

METHOD_TEST(a_crash_is_its_signal)
{
    CHECK_EQ(run_code(crash, NULL, 0), -SIGSEGV);
}

/* The life of one. */

typedef struct report {
    int pid, parent_pid, thread_id, parent_alive;
    bool daemon;
    char name[KR_PROCESS_NAME_SIZE];
    char parent_name[KR_PROCESS_NAME_SIZE];
    char arg[32];
} report;

static int tell_about_me(void *arg)
{
    char byte;
    report r = {.pid = getpid()};
    CHECK_EQ(kr_process_pid(kr_process_current()), getpid());
    CHECK_EQ(kr_process_alive(kr_process_current()), 1);
    CHECK_EQ(kr_process_join(kr_process_current(), NULL, KR_FOREVER), -EDEADLK);
    r.parent_pid = kr_process_pid(kr_process_parent());
    r.parent_alive = kr_process_alive(kr_process_parent());
    r.thread_id = kr_thread_native_id(kr_thread_main());
    r.daemon = kr_process_daemon(kr_process_current());
    kr_process_name(kr_process_current(), r.name, sizeof r.name);
    kr_process_name(kr_process_parent(), r.parent_name, sizeof r.parent_name);
    strcpy(r.arg, arg);
    child_say(&r, sizeof r);
    CHECK_EQ(read(kr_process_descriptor(1), &byte, 1), 0); /* until we are let go */
    CHECK_EQ(kr_process_descriptor(2), -EBADF);
    CHECK_EQ(kr_process_descriptor(-1), -EBADF);
    return 0;
}
KR_TASK(tell_about_me);

static bool is_active(kr_process *wanted)
{
    kr_process *active[16];
    bool found = false;
    int count = kr_process_active(active, 16);
    CHECK_LE(count, 16);
    for (int i = 0; i < count; i++) {
        found |= active[i] == wanted;
        kr_process_release(active[i]);
    }
    return found;
}

METHOD_TEST(test_process)
{
    channel c;
    int hold[2], code;
    report r;
    channel_open(&c);
    CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
    int handed[] = {c.ends[1], hold[0]};
    kr_process *p = start_with(tell_about_me, "some bytes", sizeof "some bytes",
                               (kr_process_options){.name = "polly",
                                                    .descriptors = handed,
                                                    .descriptor_count = 2,
                                                    .daemon = KR_DAEMON_YES});
    channel_read(&c, &r, sizeof r);
    CHECK_EQ(r.pid, kr_process_pid(p));
    CHECK_NE(r.pid, getpid());
    CHECK_EQ(r.parent_pid, getpid());
    CHECK_EQ(r.parent_alive, 1);
    CHECK_EQ(r.thread_id, r.pid);
    CHECK_STR(r.name, "polly");
    CHECK_STR(r.arg, "some bytes");
    CHECK(r.daemon && kr_process_daemon(p));
    CHECK_EQ(kr_process_alive(p), 1);
    CHECK_EQ(kr_process_exit_code(p, &code), -EAGAIN);
    CHECK_EQ(kr_process_join(p, &code, KR_NOWAIT), -ETIMEDOUT);
    CHECK(is_active(p));
    if (method != KR_FORK) /* which has a copy of the end that ends it */
        close(hold[1]);
    else
        CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(kr_process_join(p, &code, kr_sec(60)), 0);
    CHECK_EQ(code, method != KR_FORK ? 0 : -SIGKILL);
    CHECK_EQ(kr_process_alive(p), 0);
    CHECK(!is_active(p));
    CHECK_EQ(kr_process_exit_code(p, &code), 0);
    CHECK_EQ(kr_process_join(p, &code, KR_FOREVER), 0);
    CHECK_EQ(code, method != KR_FORK ? 0 : -SIGKILL);
    kr_process_release(p);
    channel_expect_end(&c);
}

TEST(test_current)
{
    char name[KR_PROCESS_NAME_SIZE];
    int code;
    kr_process *p = kr_process_current();
    CHECK_EQ(kr_process_alive(p), 1);
    CHECK(!kr_process_daemon(p));
    CHECK_EQ(kr_process_pid(p), getpid());
    CHECK_EQ(kr_process_exit_code(p, &code), -EAGAIN);
    CHECK_EQ(kr_process_name(p, name, sizeof name), strlen("MainProcess"));
    CHECK_STR(name, "MainProcess");
    CHECK_EQ(kr_process_sentinel(p), -EINVAL);
    CHECK_EQ(kr_process_close(p), -EINVAL);
    CHECK_EQ(kr_process_current(), p);
}

METHOD_TEST(test_process_mainthread_native_id)
{
    channel c;
    report r;
    channel_open(&c);
    int handed[] = {c.ends[1], open("/dev/null", O_RDONLY | O_CLOEXEC)};
    c.options.descriptors = handed;
    c.options.descriptor_count = 2;
    CHECK_EQ(end(start_with(tell_about_me, "", 1, c.options)), 0);
    channel_read(&c, &r, sizeof r);
    CHECK_EQ(r.thread_id, r.pid);
    CHECK_NE(r.thread_id, kr_thread_native_id(kr_thread_main()));
}

/* Arguments. */

typedef struct sum_of {
    uint32_t numbers[1000];
    uint32_t sum;
} sum_of;

static int check_sum(void *arg)
{
    const sum_of *s = arg;
    uint32_t sum = 0;
    CHECK_EQ((uintptr_t)arg % _Alignof(max_align_t), 0);
    for (int i = 0; i < 1000; i++)
        sum += s->numbers[i];
    return sum == s->sum ? 0 : 1;
}
KR_TASK(check_sum);

static int check_nothing(void *arg)
{
    return arg == NULL ? 0 : 1;
}
KR_TASK(check_nothing);

static int check_large(void *arg)
{
    const char *bytes = arg;
    for (size_t i = 0; i < (size_t)8 << 20; i++)
        if (bytes[i] != (char)(i * 7))
            return 1;
    return 0;
}
KR_TASK(check_large);

METHOD_TEST(test_args_argument)
{
    _Alignas(max_align_t) sum_of s = {.sum = 0}; /* a forked child has it where it is */
    for (uint32_t i = 0; i < 1000; i++)
        s.sum += s.numbers[i] = i * i;
    CHECK_EQ(run_code(check_sum, &s, sizeof s), 0);
    CHECK_EQ(run_code(check_nothing, NULL, 0), 0);
    size_t size = (size_t)8 << 20;
    char *large = malloc(size);
    for (size_t i = 0; i < size; i++)
        large[i] = (char)(i * 7);
    CHECK_EQ(run_code(check_large, large, size), 0);
    free(large);
}

/* behaviour: 12.1 test_lose_target_ref */
METHOD_TEST(the_argument_is_copied_at_the_start)
{
    int *number = malloc(sizeof *number);
    *number = 17;
    kr_process *p = start(return_number, number, sizeof *number);
    *number = 0;
    free(number);
    CHECK_EQ(end(p), 17);
}

/* behaviour: 12.1 test_subclassing */
typedef struct upper_caser {
    int answers; /* a descriptor */
    char text[16];
} upper_caser;

static int upper_case(void *arg)
{
    upper_caser *u = arg;
    for (char *at = u->text; *at != '\0'; at++)
        *at = (char)(*at - 'a' + 'A');
    child_say(u->text, sizeof u->text);
    return 0;
}
KR_TASK(upper_case);

METHOD_TEST(an_object_runs)
{
    upper_caser u = {.text = "hello"};
    char answer[16];
    channel c;
    channel_open(&c);
    CHECK_EQ(end(start_with(upper_case, &u, sizeof u, c.options)), 0);
    channel_read(&c, answer, sizeof answer);
    CHECK_STR(answer, "HELLO");
    channel_expect_end(&c);
}

/* Ends. */

METHOD_TEST(test_terminate)
{
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_EQ(kr_process_join(p, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_process_join(p, NULL, -1), -EINVAL);
    CHECK_EQ(kr_process_join(NULL, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_process_join(p, NULL, kr_ms(10)), -ETIMEDOUT);
    CHECK_EQ(kr_process_alive(p), 1);
    CHECK_EQ(kr_process_terminate(p), 0);
    kr_process_retain(p);
    CHECK_EQ(end(p), -SIGTERM);
    CHECK_EQ(kr_process_terminate(p), 0); /* nobody is there, and nobody else is hit */
    kr_process_release(p);
}

METHOD_TEST(test_kill)
{
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
}

static int wait_for_interrupt(void *arg)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_event never = KR_EVENT_INIT;
    (void)arg;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGINT, &scope), 0);
    child_say("r", 1);
    int err = kr_event_wait(&never, KR_FOREVER);
    kr_cancel_scope_exit(&scope);
    return err;
}
KR_TASK(wait_for_interrupt);

METHOD_TEST(test_interrupt)
{
    channel c;
    char byte;
    channel_open(&c);
    kr_process *p = start_with(wait_for_interrupt, NULL, 0, c.options);
    channel_read(&c, &byte, 1);
    CHECK_EQ(kr_process_interrupt(p), 0);
    CHECK_EQ(end(p), 1);
}

METHOD_TEST(test_interrupt_no_handler)
{
    kr_process *p = start_staying((kr_process_options){0});
    CHECK_EQ(kr_process_interrupt(p), 0);
    CHECK_EQ(end(p), -SIGINT);
}

METHOD_TEST(test_sentinel)
{
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    struct pollfd fd = {.fd = kr_process_sentinel(p), .events = POLLIN};
    CHECK(fd.fd >= 0);
    CHECK_EQ(poll(&fd, 1, 0), 0);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(poll(&fd, 1, 60000), 1);
    CHECK_EQ(kr_process_alive(p), 0);
    CHECK_EQ(poll(&fd, 1, 0), 1);
    CHECK_EQ(end(p), -SIGKILL);
}

METHOD_TEST(test_close)
{
    int code;
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_EQ(kr_process_close(p), -EBUSY);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(kr_process_join(p, NULL, kr_sec(60)), 0);
    CHECK_EQ(kr_process_close(p), 0);
    CHECK_EQ(kr_process_alive(p), -EINVAL);
    CHECK_EQ(kr_process_join(p, NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_process_terminate(p), -EINVAL);
    CHECK_EQ(kr_process_exit_code(p, &code), -EINVAL);
    CHECK_EQ(kr_process_sentinel(p), -EINVAL);
    CHECK_EQ(kr_process_close(p), 0);
    CHECK(kr_process_pid(p) > 0);
    kr_process_release(p);
}

METHOD_TEST(test_many_processes)
{
    enum { MANY = 100, MANY_SPAWNED = 10 };
    int many = method == KR_SPAWN || KRI_SANITIZED ? MANY_SPAWNED : MANY;
    kr_process *p[MANY];
    for (int i = 0; i < many; i++)
        p[i] = start(return_number, &(int){0}, sizeof(int));
    for (int i = 0; i < many; i++)
        CHECK_EQ(end(p[i]), 0);
    for (int i = 0; i < many; i++)
        p[i] = start(stay, NULL, 0);
    for (int i = 0; i < many; i++)
        CHECK_EQ(kr_process_terminate(p[i]), 0);
    for (int i = 0; i < many; i++)
        CHECK_EQ(end(p[i]), -SIGTERM);
}

static int tell_cpus(void *arg)
{
    (void)arg;
    return kr_cpu_count();
}
KR_TASK(tell_cpus);

METHOD_TEST(test_cpu_count)
{
    kr_cpu_set mine, first = {{0}};
    CHECK_EQ(run_code(tell_cpus, NULL, 0), kr_cpu_count());
    CHECK_EQ(kr_thread_get_affinity(kr_thread_current(), &mine), 0);
    int cpu = 0;
    while (!kr_cpu_set_has(&mine, cpu))
        cpu++;
    CHECK_EQ(kr_cpu_set_add(&first, cpu), 0);
    kr_process_options o = {.affinity = &first};
    CHECK_EQ(end(start_with(tell_cpus, NULL, 0, o)), 1);
}
