/* Others meddle with the children: SIGCHLD is ignored, somebody waits for all of them, forks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include <sys/ptrace.h>
#include <sys/wait.h>

static int return_seven(void *arg)
{
    (void)arg;
    return 7;
}
KR_TASK(return_seven);

/* The fork server waits for its children itself. */
static int expected(void)
{
    return method == KR_FORKSERVER ? 7 : KR_EXIT_UNKNOWN;
}

METHOD_TEST(children_are_ignored)
{
    signal(SIGCHLD, SIG_IGN);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(run_code(return_seven, NULL, 0), expected());
    CHECK_EQ(kr_process_active(NULL, 0), 0);
}

METHOD_TEST(somebody_else_waits_for_children)
{
    kr_process *p = start(return_seven, NULL, 0);
    while (method != KR_FORKSERVER && waitpid(-1, NULL, 0) != kr_process_pid(p))
        continue;
    CHECK_EQ(end(p), expected());
}

static int signals;

static void on_child(int signo)
{
    (void)signo;
    signals++;
}

/* What CPython tests as _TestPollEintr.test_poll_eintr. */
METHOD_TEST(signals_do_not_end_a_join)
{
    struct sigaction action = {.sa_handler = on_child}, after; /* no SA_RESTART */
    sigaction(SIGCHLD, &action, NULL);
    CHECK_EQ(run_code(return_seven, NULL, 0), 7);
    sigaction(SIGCHLD, NULL, &after);
    CHECK(after.sa_handler == on_child);
    if (method != KR_FORKSERVER)
        CHECK(signals > 0);
}

static void join_it(void *arg)
{
    int code = 0;
    CHECK_EQ(kr_process_join(arg, &code, KR_FOREVER), 0);
    CHECK_EQ(code, 7);
}

METHOD_TEST(many_join)
{
    kri_bunch bunch;
    kr_process *p = start(return_seven, NULL, 0);
    kri_bunch_start(&bunch, 5, join_it, p);
    kri_bunch_end(&bunch);
    kr_process_release(p);
}

METHOD_TEST(a_join_can_be_cancelled)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_process *p = start_staying((kr_process_options){.daemon = KR_DAEMON_YES});
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_process_join(p, NULL, KR_FOREVER), -ECANCELED);
    kr_cancel_scope_exit(&scope);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
}

static int wait_in_no_scope(void *arg)
{
    kr_event never = KR_EVENT_INIT;
    (void)arg;
    return kr_event_wait(&never, kr_ms(1)) == -ETIMEDOUT ? 0 : 9;
}
KR_TASK(wait_in_no_scope);

METHOD_TEST(a_child_is_outside_the_scopes_of_its_parent)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    kr_process *p = start(wait_in_no_scope, NULL, 0);
    kr_cancel_scope_exit(&scope);
    CHECK_EQ(end(p), 0);
}

/* behaviour: 12.1 TestStdinBadfiledescriptor.test_queue_in_process */
static int use_queue(void *arg)
{
    kr_queue *q;
    int item = 0;
    (void)arg;
    close(0);
    CHECK_EQ(kr_queue_create(&q, sizeof item, 0, NULL), 0);
    CHECK_EQ(kr_queue_put(q, &(int){5}, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_get(q, &item, KR_FOREVER), 0);
    kr_queue_release(q);
    return item;
}
KR_TASK(use_queue);

METHOD_TEST(a_queue_beside_a_bad_standard_input)
{
    CHECK_EQ(run_code(use_queue, NULL, 0), 5);
}

/* Forks of other threads at any moment harm nobody. */
static void fork_now_and_then(void *arg)
{
    kr_event *enough = arg;
    while (!kr_event_is_set(enough)) {
        pid_t pid = fork();
        if (pid == 0)
            _exit(0);
        if (pid > 0)
            CHECK_EQ(waitpid(pid, NULL, 0), pid);
    }
}

METHOD_TEST(others_fork_meanwhile)
{
    kri_bunch bunch;
    kr_event enough = KR_EVENT_INIT;
    if (KRI_SANITIZED) /* address sanitizers leave a forked child the locks of their heap */
        SKIP("forks while threads run");
    kri_bunch_start(&bunch, 2, fork_now_and_then, &enough);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(run_code(return_seven, NULL, 0), 7);
    kr_event_set(&enough);
    kri_bunch_end(&bunch);
}

/* A child killed before it runs, or at any moment, has a code all the same. */
METHOD_TEST(killed_at_once)
{
    for (int i = 0; i < 20; i++) {
        kr_process *p = start(return_seven, NULL, 0);
        CHECK_EQ(kr_process_kill(p), 0);
        int code = end(p);
        CHECK(code == -SIGKILL || code == 7);
    }
}

/* Traces the process, and stays; -1: it may not. */
static pid_t start_tracer(pid_t traced)
{
    int ends[2];
    char said = 'n';
    CHECK_EQ(pipe(ends), 0);
    pid_t tracer = fork();
    if (tracer == 0) {
        if (ptrace(PTRACE_SEIZE, traced, NULL, NULL) == 0 && write(ends[1], "y", 1) == 1)
            stay(NULL);
        _exit(1);
    }
    close(ends[1]);
    if (read(ends[0], &said, 1) != 1)
        said = 'n';
    close(ends[0]);
    if (said == 'y')
        return tracer;
    CHECK_EQ(waitpid(tracer, NULL, 0), tracer);
    return -1;
}

/* The kernel gives its code to the parent only when the tracer has had it, or has ended. */
METHOD_TEST(a_child_that_ends_while_it_is_traced)
{
    kr_process *p = start_staying((kr_process_options){.start = method});
    pid_t tracer = start_tracer(kr_process_pid(p));
    CHECK_EQ(kr_process_kill(p), 0);
    if (tracer > 0) {
        while (kr_process_alive(p) != 0)
            kri_test_nap();
        CHECK_EQ(kr_process_join(p, NULL, kr_ms(20)), -ETIMEDOUT);
        CHECK_EQ(kill(tracer, SIGKILL), 0);
        CHECK_EQ(waitpid(tracer, NULL, 0), tracer);
    }
    CHECK_EQ(end(p), -SIGKILL);
    if (tracer < 0)
        SKIP("the system does not let it be traced");
}
