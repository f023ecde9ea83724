/* Exit: who is waited for, in which order, and what is refused.
 *
 * Behaviours: sections 8.1, 8.2
 *
 * SPDX-License-Identifier: MIT
 */
#include "thread/child.h"
#include <fcntl.h>
#include <krait/krait.h>
#include <pthread.h>

static const kr_thread_options as_daemon = {.daemon = KR_DAEMON_YES};

static kr_event go;
static kr_thread *held;

static void start(kr_run_fn run, const kr_thread_options *options)
{
    CHECK_EQ(kr_thread_start(NULL, run, NULL, 0, options), 0);
}

static kr_thread *start_held(kr_run_fn run, const kr_thread_options *options)
{
    CHECK_EQ(kr_thread_start(&held, run, NULL, 0, options), 0);
    return held;
}

static int say_end_of_thread(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    puts("end of thread");
    return 0;
}

/* Called once exit has begun: so whoever waits for `go` ends only then. */
static void go_on(void *arg)
{
    (void)arg;
    kr_event_set(&go);
}

static void exit_3(void)
{
    start(say_end_of_thread, NULL);
    CHECK_EQ(kr_at_exit(go_on, NULL), 0);
    puts("end of main");
    exit(3);
}

TEST(test_join_nondaemon_on_shutdown)
{
    child c;
    child_run(&c, exit_3);
    CHECK_STR(c.out, "end of main\nend of thread\n");
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(WEXITSTATUS(c.status), 3);
}

static int join_main(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_thread_join(kr_thread_main(), NULL, KR_FOREVER), 0);
    puts("end of thread");
    return 0;
}

static void let_main_be_joined(void)
{
    start(join_main, NULL);
    kri_test_wait_parked((kr_word *)kr_thread_main(), 1);
    puts("end of main");
}

TEST(test_1_join_on_shutdown)
{
    child_expect(let_main_be_joined, "end of main\nend of thread\n");
}

static int exit_from_thread(void *arg)
{
    (void)arg;
    kri_test_wait_parked((kr_word *)kr_thread_main(), 1);
    puts("exit");
    exit(0);
}

static void let_main_be_joined_in_a_threads_exit(void)
{
    start(join_main, NULL);
    start(exit_from_thread, NULL);
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
}

TEST(main_counts_as_ended_when_a_thread_exits)
{
    child_expect(let_main_be_joined_in_a_threads_exit, "exit\nend of thread\n");
}

static void fork_then_let_main_be_joined(void)
{
    pid_t pid = fork();
    if (pid != 0) {
        child_wait(pid);
        exit(0);
    }
    let_main_be_joined();
}

TEST(test_2_join_in_forked_process)
{
    child_expect(fork_then_let_main_be_joined, "end of main\nend of thread\n");
}

static int fork_and_exit_from_thread(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid == 0)
        let_main_be_joined_in_a_threads_exit();
    child_wait(pid);
    return 0;
}

static void fork_from_a_thread_and_exit_from_another(void)
{
    start(fork_and_exit_from_thread, NULL);
}

TEST(a_main_that_was_a_thread_of_the_parent_counts_as_ended_too)
{
    child_expect(fork_from_a_thread_and_exit_from_another, "exit\nend of thread\n");
}

static int say_late(void *arg)
{
    (void)arg;
    kri_test_wait_parked(&go.word, 1);
    kr_event_set(&go);
    puts("late");
    return 0;
}

static void say_callback(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    puts("callback");
}

static int fork_while_main_exits(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_thread_join(kr_thread_main(), NULL, KR_FOREVER), 0);
    pid_t pid = fork();
    if (pid == 0) {
        start(say_late, NULL);
        CHECK_EQ(kr_at_exit(say_callback, NULL), 0);
        exit(0);
    }
    child_wait(pid);
    return 0;
}

static void exit_while_a_thread_forks(void)
{
    start(fork_while_main_exits, NULL);
}

TEST(a_child_forked_during_the_exit_is_not_exiting)
{
    child c;
    child_run(&c, exit_while_a_thread_forks);
    CHECK(strstr(c.out, "late\n") != NULL);
    CHECK(strstr(c.out, "callback\n") != NULL);
    CHECK_EQ(c.status, 0);
}

static kr_thread *main_of_parent;

static int fork_and_join_main(void *arg)
{
    (void)arg;
    pid_t pid = fork();
    if (pid != 0) {
        child_wait(pid);
        return 0;
    }
    int result = 0;
    CHECK_EQ(kr_thread_join(main_of_parent, &result, KR_FOREVER), 0);
    CHECK_EQ(result, KR_EFORKED);
    puts("joined at once");
    start(join_main, NULL);
    kri_test_wait_parked((kr_word *)kr_thread_main(), 1);
    puts("end of main");
    exit(0);
}

static void fork_from_a_thread(void)
{
    main_of_parent = kr_thread_main();
    CHECK_EQ(kr_thread_join(start_held(fork_and_join_main, NULL), NULL, KR_FOREVER), 0);
}

TEST(test_3_join_in_forked_from_thread)
{
    child_expect(fork_from_a_thread, "joined at once\nend of main\nend of thread\n");
}

static int write_for_ever(void *arg)
{
    (void)arg;
    while (!kr_event_is_set(&go)) {
        int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
        FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
        if (f == NULL)
            continue;
        fprintf(f, "%d\n", fd);
        fclose(f);
        CHECK_EQ(kr_event_wait(&go, kr_us(50)), -ETIMEDOUT);
    }
    return 0;
}

static void exit_under_daemons(void)
{
    for (int i = 0; i < 40; i++)
        start(write_for_ever, &as_daemon);
    puts("ok");
}

TEST(test_4_daemon_threads)
{
    for (int i = 0; i < 5; i++)
        child_expect(exit_under_daemons, "ok\n");
}

static int start_the_next(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    start(say_end_of_thread, NULL);
    puts("end of the first");
    return 0;
}

static void thread_from_thread(void)
{
    start(start_the_next, NULL);
    CHECK_EQ(kr_at_exit(go_on, NULL), 0);
    puts("end of main");
}

TEST(test_thread_from_thread)
{
    child c;
    child_run(&c, thread_from_thread);
    CHECK_EQ(c.status, 0);
    CHECK(strncmp(c.out, "end of main\n", 12) == 0);
    CHECK(strstr(c.out, "end of the first\n") != NULL);
    CHECK(strstr(c.out, "end of thread\n") != NULL);
}

static void sleep_and_say(void *value)
{
    (void)value;
    kr_event never = KR_EVENT_INIT;
    CHECK_EQ(kr_event_wait(&never, kr_ms(50)), -ETIMEDOUT);
    puts("destroyed");
}

static kr_local slow = KR_LOCAL_INIT(8, NULL, sleep_and_say);
static pthread_key_t slow_key;

static int leave_values(void *arg)
{
    (void)arg;
    CHECK(kr_local_get(&slow) != NULL);
    CHECK_EQ(pthread_setspecific(slow_key, &slow), 0);
    return 0;
}

static void exit_after_destructors(void)
{
    CHECK_EQ(pthread_key_create(&slow_key, sleep_and_say), 0);
    start(leave_values, NULL);
}

/* One value is krait's, the other the system's own. */
TEST(test_finalization_shutdown)
{
    child_expect(exit_after_destructors, "destroyed\ndestroyed\n");
}

static kr_local exits_value = KR_LOCAL_INIT(sizeof(int), NULL, NULL);

static void print_value(void)
{
    printf("value %d\n", *(int *)kr_local_peek(&exits_value));
}

static void print_value_early(void *arg)
{
    (void)arg;
    print_value();
}

static void keep_a_value(void)
{
    CHECK_EQ(atexit(print_value), 0);
    CHECK_EQ(kr_at_exit(print_value_early, NULL), 0);
    *(int *)kr_local_get(&exits_value) = 24;
}

TEST(test_locals_at_exit)
{
    child_expect(keep_a_value, "value 24\nvalue 24\n");
}

static void print_main_is_current(void)
{
    printf("%d %d\n", kr_thread_current() == kr_thread_main(), kr_thread_active_count());
}

static void print_main_is_current_early(void *arg)
{
    (void)arg;
    print_main_is_current();
}

static void ask_who_exits(void)
{
    CHECK_EQ(atexit(print_main_is_current), 0);
    CHECK_EQ(kr_at_exit(print_main_is_current_early, NULL), 0);
}

TEST(test_main_thread_during_shutdown)
{
    child_expect(ask_who_exits, "1 1\n1 1\n");
}

static int nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void *use_krait(void *arg)
{
    start(nothing, NULL);
    CHECK_EQ(kr_thread_active_count() >= 1, 1);
    CHECK(kr_thread_current() != kr_thread_main());
    return arg;
}

static void first_use_elsewhere(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, use_krait, NULL), 0);
    CHECK_EQ(pthread_join(thread, NULL), 0);
}

TEST(test_import_from_another_thread)
{
    child_expect(first_use_elsewhere, "");
}

static int say_ran(void *arg)
{
    (void)arg;
    puts("ran");
    return 0;
}

static void start_late(void)
{
    kr_thread *t;
    printf("%s\n", kr_errname(kr_thread_start(&t, say_ran, NULL, 0, NULL)));
    printf("%d\n", t == NULL);
}

static void start_after_the_end(void)
{
    CHECK_EQ(atexit(start_late), 0); /* runs after krait's handler, which comes later */
    start(nothing, NULL);
}

TEST(test_start_new_thread_at_finalization)
{
    child_expect(start_after_the_end, "KR_ESHUTDOWN\n1\n");
}

static int wait_for_ever(void *arg)
{
    (void)arg;
    kr_event never = KR_EVENT_INIT;
    return kr_event_wait(&never, KR_FOREVER);
}

static void join_late(void)
{
    int result = -1;
    printf("%s ", kr_errname(kr_thread_join(held, &result, KR_FOREVER)));
    printf("%s ", kr_errname(kr_thread_join(held, &result, kr_ms(10))));
    printf("%d\n", result);
}

static void join_a_live_daemon(void)
{
    CHECK_EQ(atexit(join_late), 0);
    start_held(wait_for_ever, &as_daemon);
}

TEST(test_join_daemon_thread_in_finalization)
{
    child_expect(join_a_live_daemon, "KR_ESHUTDOWN KR_ESHUTDOWN -1\n");
}

static void join_late_ended(void)
{
    int result = -1;
    int err = kr_thread_join(held, &result, KR_FOREVER);
    printf("%d %d\n", err, result);
}

static void join_an_ended_daemon(void)
{
    CHECK_EQ(atexit(join_late_ended), 0);
    start_held(nothing, &as_daemon);
    while (kr_thread_alive(held))
        kri_test_nap();
}

TEST(test_join_finished_daemon_thread_in_finalization)
{
    child_expect(join_an_ended_daemon, "0 0\n");
}

static kr_lock lock_at_exit;

static int take_the_lock(void *arg)
{
    (void)arg;
    int err = kr_lock_acquire(&lock_at_exit, KR_FOREVER);
    puts("not reached");
    return err;
}

static void exit_over_a_waiting_daemon(void)
{
    CHECK_EQ(kr_lock_acquire(&lock_at_exit, KR_FOREVER), 0);
    start(take_the_lock, &as_daemon);
    kri_test_wait_parked(&lock_at_exit.word, 1);
}

/* A daemon that waits for what the exiting thread holds goes on waiting; nothing is unwound. */
TEST(test_finalize_daemon_thread_hang)
{
    child_expect(exit_over_a_waiting_daemon, "");
}

static void use_locks_late(void *value)
{
    (void)value;
    kr_with (&lock_at_exit)
        puts("locked");
}

static kr_local locking = KR_LOCAL_INIT(1, NULL, use_locks_late);

static int touch_locking(void *arg)
{
    (void)arg;
    return kr_local_get(&locking) != NULL ? 0 : -ENOMEM;
}

static void exit_42(void)
{
    start(touch_locking, NULL);
    exit(42);
}

TEST(test_finalize_running_thread)
{
    child c;
    child_run(&c, exit_42);
    CHECK_STR(c.out, "locked\n");
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(WEXITSTATUS(c.status), 42);
}

static void *be_known_for_ever(void *arg)
{
    (void)kr_thread_current();
    kr_event_set(&go);
    (void)wait_for_ever(NULL);
    return arg;
}

static void exit_with_a_dummy(void)
{
    pthread_t thread;
    CHECK_EQ(pthread_create(&thread, NULL, be_known_for_ever, NULL), 0);
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    CHECK_EQ(kr_thread_active_count(), 2);
}

TEST(test_dummy_thread_on_interpreter_shutdown)
{
    child_expect(exit_with_a_dummy, "");
}

static int exit_from_here(void *arg)
{
    (void)arg;
    exit(5);
}

static int join_who_exits(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_thread_join(held, NULL, KR_FOREVER), 0);
    puts("joined");
    return 0;
}

static int wait_and_exit(void *arg)
{
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    return exit_from_here(arg);
}

static void exit_from_a_thread(void)
{
    start_held(wait_and_exit, NULL);
    start(join_who_exits, NULL);
    kri_test_wait_parked((kr_word *)held, 1);
    kr_event_set(&go);
    for (;;)
        pause();
}

TEST(a_thread_may_call_exit)
{
    child c;
    child_run(&c, exit_from_a_thread);
    CHECK_STR(c.out, "joined\n");
    CHECK(WIFEXITED(c.status));
    CHECK_EQ(WEXITSTATUS(c.status), 5);
}

static void let_go(void *arg)
{
    (void)arg;
    puts("exit");
    kr_event_set(&go);
}

static void exit_inside_a_cancelled_scope(void)
{
    static kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    start(say_end_of_thread, NULL);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_at_exit(let_go, NULL), 0);
    exit(0);
}

TEST(exit_waits_inside_a_cancelled_scope_too)
{
    child_expect(exit_inside_a_cancelled_scope, "exit\nend of thread\n");
}

static void leave_at_once(void)
{
    CHECK_EQ(kr_at_exit(let_go, NULL), 0);
    start(wait_for_ever, NULL);
    _exit(9);
}

TEST(leaving_by__exit_waits_for_nobody)
{
    child c;
    child_run(&c, leave_at_once);
    CHECK_STR(c.out, "");
    CHECK_EQ(WEXITSTATUS(c.status), 9);
}
