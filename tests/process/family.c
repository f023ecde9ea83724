/* Parents, children, grandchildren: who knows whom.
 *
 * Behaviours: section 12.1
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include <poll.h>

TEST(test_parent_process_attributes)
{
    CHECK(kr_process_parent() == NULL);
}

typedef struct told {
    int pid, parent;
    char name[KR_PROCESS_NAME_SIZE];
    char parent_name[KR_PROCESS_NAME_SIZE];
    bool daemon;
} told;

static void tell(void)
{
    told t = {.pid = getpid(), .parent = kr_process_pid(kr_process_parent())};
    t.daemon = kr_process_daemon(kr_process_current());
    kr_process_name(kr_process_current(), t.name, sizeof t.name);
    kr_process_name(kr_process_parent(), t.parent_name, sizeof t.parent_name);
    child_say(&t, sizeof t);
}

static int tell_and_return(void *arg)
{
    (void)arg;
    tell();
    return 0;
}
KR_TASK(tell_and_return);

/* behaviour: 12.1 test_parent_process_attributes */
METHOD_TEST(a_child_knows_its_parent)
{
    channel c;
    told t;
    channel_open(&c);
    CHECK_EQ(end(start_with(tell_and_return, NULL, 0, c.options)), 0);
    channel_read(&c, &t, sizeof t);
    CHECK_EQ(t.parent, getpid());
    CHECK_STR(t.parent_name, "MainProcess");
    CHECK_STR(t.name, "Process-1");
    CHECK(!t.daemon);
    channel_expect_end(&c);
}

/* Grandchildren. */

typedef struct family {
    kr_start_method method;
    int depth;
    int child; /* which of its parent's */
    int keep;  /* descriptors */
} family;

static void start_in_child(kr_run_fn run, const family *f, int daemon)
{
    int fds[] = {kr_process_descriptor(0), kr_process_descriptor(1)};
    kr_process *p;
    kr_process_options o = {.start = f->method,
                            .descriptors = fds,
                            .descriptor_count = fds[1] >= 0 ? 2 : 1,
                            .daemon = daemon};
    CHECK_EQ(kr_process_start(&p, run, f, sizeof *f, &o), 0);
    CHECK_EQ(kr_process_join(p, NULL, KR_FOREVER), 0);
    kr_process_release(p);
}

static int watch_parent(void *arg)
{
    kr_process *parent = kr_process_parent();
    int code = 0;
    char byte;
    (void)arg;
    tell();
    CHECK_EQ(kr_process_alive(parent), 1);
    CHECK_EQ(kr_process_join(parent, NULL, kr_ms(1)), -ETIMEDOUT);
    child_say("a", 1);
    struct pollfd fd = {.fd = kr_process_sentinel(parent), .events = POLLIN};
    CHECK_EQ(poll(&fd, 1, 60000), 1);
    CHECK_EQ(kr_process_join(parent, &code, kr_sec(60)), 0);
    CHECK_EQ(code, KR_EXIT_UNKNOWN);
    CHECK_EQ(kr_process_alive(parent), 0);
    child_say("d", 1);
    CHECK_EQ(kr_process_close(parent), -EINVAL);
    CHECK_EQ(read(kr_process_descriptor(1), &byte, 1), 0);
    return 0;
}
KR_TASK(watch_parent);

static int have_child(void *arg)
{
    tell();
    start_in_child(watch_parent, arg, KR_DAEMON_NO);
    return 0;
}
KR_TASK(have_child);

METHOD_TEST(test_parent_process)
{
    channel c;
    int hold[2];
    told first, second;
    char word;
    channel_open(&c);
    CHECK_EQ(pipe2(hold, O_CLOEXEC), 0);
    int handed[] = {c.ends[1], hold[0]};
    c.options.descriptors = handed;
    c.options.descriptor_count = 2;
    kr_process *p = start_with(have_child, &(family){.method = method}, sizeof(family), c.options);
    channel_read(&c, &first, sizeof first);
    channel_read(&c, &second, sizeof second);
    CHECK_EQ(first.pid, kr_process_pid(p));
    CHECK_EQ(first.parent, getpid());
    CHECK_EQ(second.parent, first.pid);
    CHECK_STR(second.parent_name, first.name);
    CHECK_STR(second.name, "Process-1:1");
    channel_read(&c, &word, 1);
    CHECK_EQ(word, 'a');
    CHECK_EQ(kr_process_kill(p), 0);
    channel_read(&c, &word, 1);
    CHECK_EQ(word, 'd');
    CHECK_EQ(end(p), -SIGKILL);
    CHECK_EQ(kill(second.pid, 0), 0);
    close(hold[1]);
    if (method == KR_FORK)
        kill(second.pid, SIGKILL);
    channel_expect_end(&c);
}

static int recurse(void *arg)
{
    family f = *(family *)arg;
    int word = f.child;
    child_say(&word, sizeof word);
    for (int i = 0; f.depth < 2 && i < 2; i++) {
        family next = {.method = f.method, .depth = f.depth + 1, .child = f.child * 10 + i + 1};
        start_in_child(recurse, &next, KR_DAEMON_INHERIT);
    }
    return 0;
}
KR_TASK(recurse);

METHOD_TEST(test_recursion)
{
    static const int order[] = {0, 1, 11, 12, 2, 21, 22};
    channel c;
    channel_open(&c);
    family f = {.method = method};
    CHECK_EQ(end(start_with(recurse, &f, sizeof f, c.options)), 0);
    for (int i = 0; i < 7; i++) {
        int word;
        channel_read(&c, &word, sizeof word);
        CHECK_EQ(word, order[i]);
    }
    channel_expect_end(&c);
}

/* behaviour: 12.2 test_nested_startmethod */
static int pass_on(void *arg)
{
    family f = *(family *)arg;
    f.method = KR_START_DEFAULT; /* what the first process has set */
    tell();
    start_in_child(tell_and_return, &f, KR_DAEMON_INHERIT);
    return (int)kr_process_start_method() == f.depth ? 0 : 99;
}
KR_TASK(pass_on);

METHOD_TEST(test_nested_startmethod)
{
    channel c;
    told first, second;
    channel_open(&c);
    CHECK_EQ(kr_process_set_start_method(method), 0);
    family f = {.depth = (int)method};
    CHECK_EQ(end(start_with(pass_on, &f, sizeof f, c.options)), 0);
    channel_read(&c, &first, sizeof first);
    channel_read(&c, &second, sizeof second);
    CHECK_EQ(second.parent, first.pid);
    channel_expect_end(&c);
}

/* Daemons. */

static int have_daemon(void *arg)
{
    tell();
    start_in_child(tell_and_return, arg, KR_DAEMON_INHERIT);
    return 0;
}
KR_TASK(have_daemon);

METHOD_TEST(test_daemon_argument)
{
    channel c;
    told first, second;
    channel_open(&c);
    family f = {.method = method};
    for (int daemon = 0; daemon < 2; daemon++) {
        c.options.daemon = daemon ? KR_DAEMON_YES : KR_DAEMON_INHERIT;
        kr_process *p = start_with(have_daemon, &f, sizeof f, c.options);
        CHECK_EQ(kr_process_daemon(p), daemon);
        CHECK_EQ(end(p), 0);
        channel_read(&c, &first, sizeof first);
        channel_read(&c, &second, sizeof second);
        CHECK_EQ(first.daemon, daemon);
        CHECK_EQ(second.daemon, daemon);
    }
    channel_expect_end(&c);
}

METHOD_TEST(test_active_children)
{
    kr_process *active[3];
    CHECK_EQ(kr_process_active(NULL, 0), 0);
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    kr_process *q = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_EQ(kr_process_active(active, 1), 2);
    CHECK_EQ(active[0], p);
    kr_process_release(active[0]);
    CHECK_EQ(kr_process_kill(p), 0);
    struct pollfd fd = {.fd = kr_process_sentinel(p), .events = POLLIN};
    CHECK_EQ(poll(&fd, 1, 60000), 1);
    CHECK_EQ(kr_process_active(active, 3), 1);
    CHECK_EQ(active[0], q);
    kr_process_release(active[0]);
    if (method != KR_FORKSERVER) { /* it was reaped */
        CHECK(kill(kr_process_pid(p), 0) < 0);
        CHECK_EQ(errno, ESRCH);
    }
    CHECK_EQ(kr_process_kill(q), 0);
    CHECK_EQ(end(p), -SIGKILL);
    CHECK_EQ(end(q), -SIGKILL);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
}

/* Copies. */

static int use_copy(void *arg)
{
    kr_process *p = *(kr_process **)arg;
    int code;
    CHECK_EQ(kr_process_join(p, NULL, KR_FOREVER), KR_EFORKED);
    CHECK_EQ(kr_process_alive(p), KR_EFORKED);
    CHECK_EQ(kr_process_terminate(p), KR_EFORKED);
    CHECK_EQ(kr_process_exit_code(p, &code), KR_EFORKED);
    CHECK_EQ(kr_process_sentinel(p), KR_EFORKED);
    CHECK_EQ(kr_process_close(p), KR_EFORKED);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
    kr_process_release(p);
    return 0;
}

static int never(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

static int use_copy_of_pool(void *arg)
{
    kr_executor *pool = *(kr_executor **)arg;
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, never, NULL, 0, 0), KR_EFORKED);
    kr_executor_release(pool);
    return 0;
}

METHOD_TEST(handles_are_the_parents)
{
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    kr_process_options by_fork = {.start = KR_FORK};
    CHECK_EQ(end(start_with(use_copy, &p, sizeof p, by_fork)), 0);
    CHECK_EQ(kr_process_alive(p), 1);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
}

TEST(pools_are_the_parents)
{
    kr_executor *pool;
    if (KRI_TSAN)
        SKIP("forks while threads run");
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    kr_process_options by_fork = {.start = KR_FORK};
    CHECK_EQ(end(start_with(use_copy_of_pool, &pool, sizeof pool, by_fork)), 0);
    kr_executor_release(pool);
}

/* behaviour: 12.1 TestForkAwareThreadLock.test_lock */
static int fork_on(void *arg)
{
    family f = *(family *)arg;
    if (f.depth++ < 6)
        start_in_child(fork_on, &f, KR_DAEMON_INHERIT);
    else
        child_say("e", 1);
    return 0;
}
KR_TASK(fork_on);

METHOD_TEST(generations_leave_nothing)
{
    channel c;
    char byte;
    channel_open(&c);
    family f = {.method = method};
    CHECK_EQ(end(start_with(fork_on, &f, sizeof f, c.options)), 0);
    channel_read(&c, &byte, 1);
    channel_expect_end(&c);
}

/* behaviour: 12.1 test_forked_thread_not_started */
static int count(void *arg)
{
    return ++*(int *)arg;
}

static int start_thread(void *arg)
{
    kr_thread *t;
    int result = 0;
    CHECK_EQ(kr_thread_start(&t, count, arg, sizeof(int), NULL), 0);
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    kr_thread_release(t);
    return result;
}
KR_TASK(start_thread);

METHOD_TEST(test_forked_thread_not_started)
{
    CHECK_EQ(run_code(start_thread, &(int){41}, sizeof(int)), 42);
}
