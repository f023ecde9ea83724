/* Servers over TCP.
 *
 * Behaviours: sections 13.6, 13.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "stream/help.h"
#include "stream/server.h"
#include <sys/resource.h>
#include <sys/wait.h>

static kr_server *server;

static int echo(kr_stream *s, void *arg)
{
    char bytes[1000];
    int64_t n;
    (void)arg;
    while ((n = kr_stream_read(s, bytes, sizeof bytes, kr_sec(30))) > 0) {
        int err = kr_stream_write(s, bytes, (size_t)n, NULL, kr_sec(30));
        if (err < 0)
            return err;
    }
    return n < 0 && n != -EBADF && n != -ECONNRESET ? (int)n : 0;
}

static void open_server(kr_serve_fn handler, const kr_server_options *options)
{
    CHECK_EQ(kr_server_open(&server, "127.0.0.1", 0, handler, NULL, options), 0);
    CHECK(kr_server_port(server) > 0);
}

static kr_stream *connect_to(int port)
{
    kr_stream *s;
    char service[8];
    snprintf(service, sizeof service, "%d", port);
    CHECK_EQ(kr_stream_connect(&s, "127.0.0.1", service, NULL, kr_sec(10)), 0);
    return s;
}

static void check_echo(kr_stream *s)
{
    char bytes[6];
    feed(s, "hello!");
    CHECK_EQ(kr_stream_read_exactly(s, bytes, 6, NULL, kr_sec(10)), 0);
    CHECK_BYTES(bytes, 6, "hello!");
}

static void close_server(void)
{
    kr_server_close(server);
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(30)), 0);
    CHECK_EQ(kr_server_connections(server), 0);
    kr_server_release(server);
}

/* behaviours: 13.6 test_create_server*, test_create_connection*, test_sock_client_ops,
 * test_sock_accept
 * behaviours: 13.7 test_open_connection, test_async_writer_api */
BOTH_TEST(test_start_server)
{
    kr_address ours, theirs;
    char text[KR_ADDRESS_TEXT], want[32];
    open_server(echo, NULL);
    CHECK(kr_server_is_serving(server));
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    CHECK_EQ(kr_server_connections(server), 1);
    CHECK_EQ(kr_stream_peer_address(s, &theirs), 0);
    CHECK_EQ(kr_stream_local_address(s, &ours), 0);
    CHECK_EQ(kr_address_port(&theirs), kr_server_port(server));
    CHECK_NE(kr_address_port(&ours), kr_address_port(&theirs));
    snprintf(want, sizeof want, "127.0.0.1:%d", kr_server_port(server));
    CHECK_EQ(kr_address_text(&theirs, text, sizeof text), strlen(want));
    CHECK_STR(text, want);
    CHECK_EQ(kr_server_address(server, 0, &theirs), 0);
    CHECK_EQ(kr_server_address(server, 1, &theirs), -ENOENT);
    CHECK_EQ(kr_stream_close(s, kr_sec(10)), 0);
    kr_stream_release(s);
    close_server();
}

/* behaviour: 13.7 test_open_connection_error */
BOTH_TEST(test_connect_refused)
{
    kr_stream *s;
    char service[8];
    open_server(echo, NULL);
    snprintf(service, sizeof service, "%d", kr_server_port(server));
    close_server();
    CHECK_EQ(kr_stream_connect(&s, "127.0.0.1", service, NULL, kr_sec(10)), -ECONNREFUSED);
    CHECK(s == NULL);
    CHECK_EQ(kr_stream_connect(&s, "127.0.0.1", NULL, NULL, kr_sec(10)), -EINVAL);
    CHECK_EQ(kr_stream_connect(&s, "127.0.0.1", service, NULL, -1), -EINVAL);
}

BOTH_TEST(test_bad_servers)
{
    kr_server *none;
    CHECK_EQ(kr_server_open(&none, NULL, 0, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_server_open(&none, NULL, -1, echo, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_server_open(&none, NULL, 65536, echo, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_server_open(&none, NULL, 0, echo, NULL, &(kr_server_options){.backlog = -1}),
             -EINVAL);
    CHECK_EQ(kr_server_open(&none, NULL, 0, echo, NULL, &(kr_server_options){.reserved = {1}}),
             -EINVAL);
    open_server(echo, NULL);
    CHECK_EQ(kr_server_open(&none, "127.0.0.1", kr_server_port(server), echo, NULL, NULL),
             -EADDRINUSE);
    CHECK(none == NULL);
    close_server();
}

BOTH_TEST(test_every_interface)
{
    CHECK_EQ(kr_server_open(&server, NULL, 0, echo, NULL, NULL), 0);
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    kr_stream_release(s);
    kr_address one;
    for (int i = 0; kr_server_address(server, i, &one) == 0; i++)
        CHECK_EQ(kr_address_port(&one), kr_server_port(server));
    close_server();
}

BOTH_TEST(test_reuse_port)
{
    kr_server *other;
    kr_server_options options = {.reuse_port = true};
    open_server(echo, &options);
    CHECK_EQ(kr_server_open(&other, "127.0.0.1", kr_server_port(server), echo, NULL, &options), 0);
    kr_server_release(other);
    close_server();
}

/* Handlers */

static kr_word reports;
static int reported;

static void note_report(const kr_task_report *report)
{
    reported = report->error;
    (void)kri_add_sc(&reports, 1);
}

static int fail_at_once(kr_stream *s, void *arg)
{
    (void)s, (void)arg;
    return -EPROTO;
}

/* An error of a handler is reported, once, and the server goes on. */
BOTH_TEST(test_unhandled_exceptions)
{
    char byte;
    (void)kr_set_task_hook(note_report);
    open_server(fail_at_once, NULL);
    for (uint32_t i = 1; i <= 2; i++) {
        kr_stream *s = connect_to(kr_server_port(server));
        CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 0);
        kr_stream_release(s);
    }
    close_server();
    CHECK_EQ(kri_load_sc(&reports), 2);
    CHECK_EQ(reported, -EPROTO);
}

static int be_cancelled(kr_stream *s, void *arg)
{
    (void)s, (void)arg;
    return -ECANCELED;
}

BOTH_TEST(test_unhandled_cancel)
{
    char byte;
    (void)kr_set_task_hook(note_report);
    open_server(be_cancelled, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 0);
    kr_stream_release(s);
    close_server();
    CHECK_EQ(kri_load_sc(&reports), 0);
}

/* Ends */

/* Closed, and still one connection.  behaviour: 13.6 test_wait_closed_race */
BOTH_TEST(test_wait_closed_basic)
{
    open_server(echo, NULL);
    CHECK_EQ(kr_server_wait_closed(server, kr_ms(1)), -ETIMEDOUT);
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    kr_server_close(server);
    kr_server_close(server);
    CHECK(!kr_server_is_serving(server));
    CHECK_EQ(kr_server_wait_closed(server, kr_ms(5)), -ETIMEDOUT);
    check_echo(s);
    CHECK_EQ(kr_server_wait_closed(server, -1), -EINVAL);
    CHECK_EQ(kr_stream_close(s, kr_sec(10)), 0);
    kr_stream_release(s);
    close_server();
}

static kr_word refused;

static int echo_and_note(kr_stream *s, void *arg)
{
    char byte;
    int err = echo(s, arg);
    if (kr_stream_read(s, &byte, 1, kr_sec(30)) == -EBADF)
        (void)kri_add_sc(&refused, 1);
    return err;
}

BOTH_TEST(test_close_clients)
{
    char byte;
    (void)kr_set_task_hook(note_report);
    open_server(echo_and_note, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    kr_server_close(server);
    kr_server_close_clients(server);
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 0);
    kr_stream_release(s);
    close_server();
    CHECK_EQ(kri_load_sc(&refused), 1);
    CHECK_EQ(kri_load_sc(&reports), 0);
}

static int pour(kr_stream *s, void *arg)
{
    static const char bytes[100000];
    int err;
    (void)arg;
    while ((err = kr_stream_write(s, bytes, sizeof bytes, NULL, KR_FOREVER)) == 0)
        ;
    return err == -EBADF ? 0 : err;
}

/* Also one whose handler waits for a client who does not read. */
BOTH_TEST(test_abort_clients)
{
    char byte;
    open_server(pour, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 1);
    kr_server_close(server);
    kr_server_abort_clients(server);
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(30)), 0);
    kr_stream_release(s);
    close_server();
}

static int serve(const void *arg, void *result)
{
    (void)arg, (void)result;
    return kr_server_serve_forever(server);
}

static int serve_for_a_moment(const void *arg, void *result)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    (void)arg, (void)result;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(5)), 0);
    int err = kr_server_serve_forever(server);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    return err;
}

BOTH_TEST(test_serve_forever)
{
    open_server(echo, NULL);
    beside serving = beside_start(serve, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    kr_stream_release(s);
    kr_server_close(server);
    CHECK_EQ(beside_end(&serving), 0);
    close_server();
    open_server(echo, NULL);
    serving = beside_start(serve_for_a_moment, NULL);
    CHECK_EQ(beside_end(&serving), -ECANCELED);
    CHECK(!kr_server_is_serving(server));
    close_server();
}

/* Where handlers run */

BOTH_TEST(test_handlers_in_pools)
{
    for (int kind = 0; kind < 2; kind++) {
        kr_executor *pool;
        kr_stream *streams[8];
        kr_pool_options options = {.workers = kind == 0 ? 2 : 8};
        CHECK_EQ(kind == 0 ? kr_loop_pool(&pool, &options) : kr_thread_pool(&pool, &options), 0);
        open_server(echo, &(kr_server_options){.executor = pool});
        for (int i = 0; i < 8; i++)
            streams[i] = connect_to(kr_server_port(server));
        for (int i = 0; i < 8; i++)
            check_echo(streams[i]);
        for (int i = 0; i < 8; i++)
            kr_stream_release(streams[i]);
        close_server();
        CHECK_EQ(kr_executor_shutdown(pool, NULL, kr_sec(30)), 0);
        kr_executor_release(pool);
    }
}

/* A handler's task that its executor drops: the connection is closed all the same. */
BOTH_TEST(test_handlers_that_never_begin)
{
    kr_executor *pool;
    char byte;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_spares = -1}), 0);
    open_server(echo, &(kr_server_options){.executor = pool});
    kr_stream *first = connect_to(kr_server_port(server));
    check_echo(first);
    kr_stream *second = connect_to(kr_server_port(server));
    while (kr_server_connections(server) < 2)
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    CHECK_EQ(kr_executor_shutdown(pool, &(kr_shutdown_options){.cancel_pending = true}, KR_NOWAIT),
             -ETIMEDOUT);
    CHECK_LE(kr_stream_read(second, &byte, 1, kr_sec(10)), 0);
    kr_stream_release(first);
    kr_stream_release(second);
    close_server();
    kr_executor_release(pool);
}

/* A connection too many waits until another one is over. */
BOTH_TEST(test_max_connections)
{
    char byte;
    open_server(echo, &(kr_server_options){.max_connections = 1});
    kr_stream *first = connect_to(kr_server_port(server));
    check_echo(first);
    kr_stream *second = connect_to(kr_server_port(server));
    feed(second, "x");
    CHECK_EQ(kr_stream_read(second, &byte, 1, kr_ms(20)), -ETIMEDOUT);
    CHECK_EQ(kr_server_connections(server), 1);
    kr_stream_release(first);
    CHECK_EQ(kr_stream_read(second, &byte, 1, kr_sec(10)), 1);
    CHECK_EQ(byte, 'x');
    kr_stream_release(second);
    close_server();
}

/* All that there are; others may hold one for a moment, and give it back. */
static int take_descriptors(int *taken)
{
    int count = 0;
    kr_time quiet = kr_now();
    while (kr_now() - quiet < kr_ms(20)) {
        int fd = dup(0);
        if (fd >= 0) {
            taken[count++] = fd;
            quiet = kr_now();
        } else {
            CHECK_EQ(kr_sleep(kr_ms(1)), 0);
        }
    }
    return count;
}

static long processor_ms(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000 +
           (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1000;
}

/* No descriptor left: told once, no spinning, and it goes on once there is one.
 * behaviour: 13.6 test_accept_connection_* */
BOTH_TEST(test_no_descriptor_left)
{
    static int taken[256];
    struct rlimit limit;
    char byte;
    if (KRI_VALGRIND)
        SKIP("valgrind accepts beyond the limit, and closes what came");
    (void)kr_set_task_hook(note_report);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 200;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    open_server(echo, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_ms(1)), -ETIMEDOUT); /* it has what a wait needs */
    kr_stream_release(s);
    while (kr_server_connections(server) > 0)
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    kr_address to;
    CHECK_EQ(kr_server_address(server, 0, &to), 0);
    int count = take_descriptors(taken);
    CHECK_EQ(connect(fd, (struct sockaddr *)&to.storage, to.size), 0);
    CHECK_EQ(kr_stream_open(&s, fd, NULL), 0);
    long before = processor_ms();
    feed(s, "x");
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_ms(1300)), -ETIMEDOUT); /* it has tried again */
    CHECK_LE(processor_ms() - before, 150);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK_EQ(reported, -EMFILE);
    while (count > 0)
        close(taken[--count]);
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 1);
    kr_stream_release(s);
    close_server();
    CHECK_EQ(kri_load_sc(&reports), 1);
}

/* Many short connections, and nothing is left of them. */
static long resident(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    CHECK(file != NULL && fscanf(file, "%*d %ld", &pages) == 1);
    fclose(file);
    return pages * 4;
}

static int open_descriptors(void)
{
    int count = 0;
    for (int fd = 0; fd < 1024; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

BOTH_TEST(test_many_short_connections)
{
    bool all = kri_test_budget() > 30 && in_loop && !KRI_SANITIZED;
    kr_time end = kr_now() + (all ? kr_sec(500) : kr_sec(kri_test_budget() / 2) + kr_ms(500));
    long most = 1000000, count = 0, early = 0;
    int fds = 0;
    open_server(echo, NULL);
    while (kr_now() < end && count < most) {
        kr_stream *s = connect_to(kr_server_port(server));
        check_echo(s);
        kr_stream_abort(s);
        kr_stream_release(s);
        if (++count == 500) {
            while (kr_server_connections(server) > 0)
                CHECK_EQ(kr_sleep(kr_ms(1)), 0);
            early = resident();
            fds = open_descriptors();
        }
    }
    while (kr_server_connections(server) > 0)
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    kri_test_note("%ld connections, %ld KiB, later %ld KiB", count, early, resident());
    if (count > 500) {
        CHECK_LE(open_descriptors(), fds + 2);
        if (!KRI_CHECKED) /* those keep what is freed */
            CHECK_LE(resident(), early + 4096);
    }
    close_server();
}

/* The loop's end finds a server and its clients: it ends them. */
static int leave_a_server(void *arg)
{
    in_loop = true;
    open_server(pour, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    char byte;
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 1);
    *(kr_stream **)arg = s;
    return 0;
}

/* behaviour: 13.6 test_cancel_sock_accept */
TEST(test_run_ends_with_an_open_server)
{
    kr_stream *s;
    static char bytes[100000];
    (void)kr_set_task_hook(note_report);
    CHECK_EQ(kr_run(leave_a_server, &s), 0);
    CHECK(!kr_server_is_serving(server));
    CHECK_EQ(kr_server_wait_closed(server, KR_NOWAIT), 0);
    while (kr_stream_read(s, bytes, sizeof bytes, kr_sec(10)) > 0)
        ;
    kr_stream_release(s);
    kr_server_release(server);
    CHECK_EQ(kri_load_sc(&reports), 0);
}

/* Whoever cancels all coroutines may meet an acceptor that has not begun. */
static int cancel_the_acceptor(void *arg)
{
    kr_future *all[4];
    (void)arg;
    in_loop = true;
    int fds = open_descriptors();
    open_server(echo, NULL);
    CHECK_EQ(kr_task_all(all, 4), 2);
    for (int i = 0; i < 2; i++) {
        if (all[i] != kr_task_current())
            CHECK_EQ(kr_future_cancel(all[i]), 0);
        kr_future_release(all[i]);
    }
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(30)), 0);
    CHECK_EQ(open_descriptors(), fds);
    kr_server_release(server);
    return 0;
}

TEST(test_an_acceptor_is_cancelled_before_it_begins)
{
    CHECK_EQ(kr_run(cancel_the_acceptor, NULL), 0);
}

/* A forked child's copy: the parent's goes on. */
BOTH_TEST(test_fork_with_a_server)
{
    int status;
    open_server(echo, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    pid_t child = fork();
    if (child == 0) {
        kr_server_release(server);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    check_echo(s);
    kr_stream_release(s);
    s = connect_to(kr_server_port(server));
    check_echo(s);
    kr_stream_release(s);
    close_server();
}

/* The same where another thread was inside at the fork. */
BOTH_TEST(test_fork_while_a_server_is_asked)
{
    int status;
    open_server(echo, NULL);
    kr_stream *s = connect_to(kr_server_port(server));
    check_echo(s);
    kri_mutex_lock(&server->lock);
    pid_t child = fork();
    if (child == 0) {
        bool alone = kr_server_is_serving(server) && kr_server_connections(server) == 0;
        kr_server_close(server);
        _exit(!alone || kr_server_wait_closed(server, kr_sec(5)) != 0);
    }
    kri_mutex_unlock(&server->lock);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    check_echo(s);
    kr_stream_release(s);
    close_server();
}

/* A server in a loop, its clients threads. */
static int serve_threads(void *arg)
{
    open_server(echo, NULL);
    kr_event_set(arg);
    CHECK_EQ(kr_server_serve_forever(server), 0);
    return kr_server_wait_closed(server, kr_sec(30));
}

static int run_loop(void *arg)
{
    return kr_run(serve_threads, *(void **)arg);
}

static void be_client(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        kr_stream *s = connect_to(kr_server_port(server));
        check_echo(s);
        kr_stream_release(s);
    }
}

TEST(test_threads_with_a_loop)
{
    static kr_event ready = KR_EVENT_INIT;
    kr_event *at = &ready;
    kr_thread *loop;
    kri_bunch bunch;
    int result;
    CHECK_EQ(kr_thread_start(&loop, run_loop, &at, sizeof at, NULL), 0);
    CHECK_EQ(kr_event_wait(&ready, kr_sec(30)), 0);
    kri_bunch_start(&bunch, 4, be_client, NULL);
    kri_bunch_end(&bunch);
    kr_server_close(server);
    CHECK_EQ(kr_thread_join(loop, &result, kr_sec(30)), 0);
    CHECK_EQ(result, 0);
    kr_server_release(server);
    kr_thread_release(loop);
}

/* A handler is named where it holds up its loop, not the function that has called it. */
static int slow_handlers;

static int hold_up(kr_stream *s, void *arg)
{
    (void)arg;
    kr_time end = kr_now() + kr_ms(30);
    while (kr_now() < end)
        continue;
    return kr_stream_write(s, "x", 1, NULL, kr_sec(10));
}

static void note_slow(const kr_slow_report *report)
{
    if ((uintptr_t)report->task == (uintptr_t)hold_up && strcmp(report->name, "connection") == 0)
        slow_handlers++;
}

static int be_held_up(void *arg)
{
    char byte;
    kr_stream *s;
    char port[8];
    (void)arg;
    CHECK_EQ(kr_server_open(&server, "127.0.0.1", 0, hold_up, NULL, NULL), 0);
    snprintf(port, sizeof port, "%d", kr_server_port(server));
    CHECK_EQ(kr_stream_connect(&s, "127.0.0.1", port, NULL, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 1);
    kr_stream_release(s);
    kr_server_close(server);
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(30)), 0);
    kr_server_release(server);
    return 0;
}

TEST(test_a_handler_that_holds_up_its_loop)
{
    kr_run_options impatient = {.debug = true, .slow_after = kr_ms(30)};
    CHECK(kr_set_slow_hook(note_slow) == NULL);
    CHECK_EQ(kr_run_with(be_held_up, NULL, &impatient), 0);
    CHECK_EQ(slow_handlers, 1);
}
