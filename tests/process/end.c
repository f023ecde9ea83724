/* The end of a program with children, and of children with threads and exit handlers.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"

/* A child's own end. */

static kr_event leaving = KR_EVENT_INIT;

static void leave(void *arg)
{
    (void)arg;
    kr_event_set(&leaving);
}

/* When the child's function has returned. */
static int tell_later(void *arg)
{
    CHECK_EQ(kr_event_wait(&leaving, KR_FOREVER), 0);
    kri_test_linger();
    child_say(arg, 1);
    return 0;
}

static int stay_for_ever(void *arg)
{
    kr_event never = KR_EVENT_INIT;
    (void)arg;
    return kr_event_wait(&never, KR_FOREVER);
}

static int leave_threads(void *arg)
{
    (void)arg;
    kr_thread_options daemon = {.daemon = KR_DAEMON_YES};
    CHECK_EQ(kr_at_exit(leave, NULL), 0);
    CHECK_EQ(kr_thread_start(NULL, tell_later, "t", 1, NULL), 0);
    CHECK_EQ(kr_thread_start(NULL, stay_for_ever, NULL, 0, &daemon), 0);
    child_say("r", 1);
    return 5;
}
KR_TASK(leave_threads);

METHOD_TEST(test_wait_for_threads)
{
    channel c;
    char said[2];
    channel_open(&c);
    CHECK_EQ(end(start_with(leave_threads, NULL, 0, c.options)), 5);
    channel_read(&c, said, 2);
    CHECK(memcmp(said, "rt", 2) == 0);
    channel_expect_end(&c);
}

static void say_at_exit(void *text)
{
    child_say(text, 1);
}

static int register_exits(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_at_exit(say_at_exit, "1"), 0);
    CHECK_EQ(kr_at_exit(say_at_exit, "2"), 0);
    child_say("r", 1);
    return 0;
}
KR_TASK(register_exits);

static void must_not_run(void *arg)
{
    (void)arg;
    if (kr_process_parent() != NULL)
        kri_test_fail(__FILE__, __LINE__, "the parent's callback runs in the child");
}

static void must_not_run_either(void)
{
    must_not_run(NULL);
}

METHOD_TEST(test_atexit)
{
    channel c;
    char said[3];
    channel_open(&c);
    CHECK_EQ(kr_at_exit(must_not_run, NULL), 0);
    CHECK_EQ(atexit(must_not_run_either), 0);
    CHECK_EQ(end(start_with(register_exits, NULL, 0, c.options)), 0);
    channel_read(&c, said, 3);
    CHECK(memcmp(said, "r21", 3) == 0);
    channel_expect_end(&c);
}

static bool told_at_exit;

static void say_what_came_before(void)
{
    if (told_at_exit)
        child_say("b", 1);
}

__attribute__((constructor)) static void register_before_main(void)
{
    (void)atexit(say_what_came_before);
}

static int tell_at_exit(void *arg)
{
    (void)arg;
    told_at_exit = true;
    child_say("r", 1);
    return 0;
}
KR_TASK(tell_at_exit);

/* Only a process that is no fork has them for its own. */
METHOD_TEST(handlers_of_exit_from_before_a_fork)
{
    channel c;
    char said[2];
    channel_open(&c);
    CHECK_EQ(end(start_with(tell_at_exit, NULL, 0, c.options)), 0);
    channel_read(&c, said, method == KR_SPAWN ? 2 : 1);
    CHECK(said[0] == 'r' && (method != KR_SPAWN || said[1] == 'b'));
    channel_expect_end(&c);
}

/* A program's end. */

static channel program; /* of the program that exits; its children write to it */
static channel gate;    /* a child of its reads from that, and then ends */

/* Not before the gate is opened.  Who reads what the program prints is not to wait for this. */
static int tell_and_end(void *arg)
{
    char byte;
    close(1);
    close(2);
    CHECK_EQ(read(kr_process_descriptor(1), &byte, 1), 1);
    kri_test_linger();
    child_say(arg, 1);
    return 0;
}
KR_TASK(tell_and_end);

static void open_gate(void *arg)
{
    CHECK_EQ(write(gate.ends[1], arg, 1), 1);
}

static void leave_child(void)
{
    int handed[] = {program.ends[1], gate.ends[0]};
    kr_process_options options = {.descriptors = handed, .descriptor_count = 2};
    kr_process *p = start_with(tell_and_end, "c", 1, options);
    kr_process_release(p);
}

static void leave_child_until_exit(void)
{
    CHECK_EQ(kr_at_exit(open_gate, "g"), 0);
    leave_child();
}

static void in_program(void (*body)(void), child *c)
{
    channel_open(&program);
    channel_open(&gate);
    child_run(c, body);
    CHECK_STR(c->out, "");
    CHECK(WIFEXITED(c->status));
    CHECK_EQ(WEXITSTATUS(c->status), 0);
}

METHOD_TEST(exit_waits_for_children)
{
    child c;
    char said;
    in_program(leave_child_until_exit, &c);
    CHECK_EQ(fcntl(program.ends[0], F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(read(program.ends[0], &said, 1), 1); /* it is already there */
    channel_expect_end(&program);
}

static int leave_child_in_thread(void *arg)
{
    (void)arg;
    leave_child();
    return 0;
}

static void leave_thread(void)
{
    CHECK_EQ(kr_at_exit(open_gate, "g"), 0);
    CHECK_EQ(kr_thread_start(NULL, leave_child_in_thread, NULL, 0, NULL), 0);
}

METHOD_TEST(exit_waits_for_the_children_of_threads)
{
    child c;
    char said;
    in_program(leave_thread, &c);
    CHECK_EQ(fcntl(program.ends[0], F_SETFL, O_NONBLOCK), 0);
    CHECK_EQ(read(program.ends[0], &said, 1), 1);
    channel_expect_end(&program);
}

static int ignore_terminate(void *arg)
{
    signal(SIGTERM, SIG_IGN);
    return say_and_stay(arg);
}
KR_TASK(ignore_terminate);

static void leave_daemons(void)
{
    char byte;
    program.options.daemon = KR_DAEMON_YES;
    kr_process_release(start_with(say_and_stay, NULL, 0, program.options));
    kr_process_release(start_with(ignore_terminate, NULL, 0, program.options));
    channel_read(&program, &byte, 1);
    channel_read(&program, &byte, 1);
}

METHOD_TEST(exit_ends_daemons)
{
    child c;
    kr_time before = kr_now();
    in_program(leave_daemons, &c);
    CHECK_LE(kr_now() - before, kr_sec(30));
    channel_expect_end(&program);
}

static void leave_nothing(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_process_active(NULL, 0), 0);
}

static void start_late(void)
{
    CHECK_EQ(kr_at_exit(leave_nothing, NULL), 0);
    leave_child();
    kr_process *p[2];
    CHECK_EQ(kr_process_active(p, 2), 1);
    open_gate("g");
    CHECK_EQ(kr_process_join(p[0], NULL, KR_FOREVER), 0);
    kr_process_release(p[0]);
}

METHOD_TEST(released_children_are_found_again)
{
    child c;
    char said;
    in_program(start_late, &c);
    channel_read(&program, &said, 1);
    channel_expect_end(&program);
}
