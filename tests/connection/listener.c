/* Listeners and clients: addresses, being accepted, closing, errors of the system.
 *
 * Behaviours: section 12.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/connection.h"
#include "harness/sanitizers.h"
#include "connection/socket_help.h"
#include "harness/localhost.h"
#include "harness/sanitizers.h"
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static kr_thread *start(kr_run_fn run, const void *arg)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, run, arg, 0, NULL), 0);
    return t;
}

static int join(kr_thread *t)
{
    int result;
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    kr_thread_release(t);
    return result;
}

static const char *scratch(const char *name)
{
    static char path[100];
    snprintf(path, sizeof path, "/tmp/krait-test-%d-%s", (int)getpid(), name);
    return path;
}

static bool exists(const char *path)
{
    struct stat s;
    return lstat(path, &s) == 0;
}

/* A client that says hello; its address is the argument. */
static int say_hello(void *arg)
{
    kr_connection *c;
    int err = kr_client(&c, arg, NULL, kr_sec(30));
    if (err < 0)
        return err;
    send_text(c, "hello");
    expect_text(c, "hello yourself");
    kr_connection_release(c);
    return 0;
}

static void exchange(const char *address)
{
    kr_listener *l;
    char text[KR_ADDRESS_SIZE], from[KR_ADDRESS_SIZE];
    int err = kr_listener_create(&l, address, NULL);
    if (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT || err == -ENXIO) {
        kri_test_note("not on this machine: %s", address);
        return;
    }
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_listener_last_accepted(l, from, sizeof from), 0);
    CHECK_EQ(kr_listener_address(l, text, sizeof text), strlen(text));
    kr_thread *t = start(say_hello, text);
    kr_connection *c = accept_one(l);
    size_t length = kr_listener_last_accepted(l, from, sizeof from);
    CHECK_EQ(length, strlen(from));
    CHECK_EQ(length > 0, strncmp(text, "tcp", 3) == 0);
    expect_text(c, "hello");
    send_text(c, "hello yourself");
    expect_error(c, KR_EOF);
    CHECK_EQ(join(t), 0);
    kr_connection_release(c);
    kr_listener_release(l);
}

TEST(test_listener_client)
{
    exchange(NULL);
    exchange("");
    exchange(scratch("exchange"));
    exchange("tcp:127.0.0.1:0");
    exchange("tcp4:127.0.0.1:0");
    exchange("tcp::0");
    exchange("tcp6:[::1]:0");
    exchange("tcp:[::1]:0");
    exchange("tcp6::0");
}

TEST(test_listener_client_by_name)
{
    NEED_LOCALHOST();
    exchange("tcp:localhost:0");
    exchange("tcp4:localhost:0");
    kr_listener *l = open_listener("tcp:localhost:0", NULL);
    char text[KR_ADDRESS_SIZE];
    CHECK(strncmp(address_of(l), "tcp:127.0.0.1:", 14) == 0);
    snprintf(text, sizeof text, "tcp:localhost:%s", address_of(l) + 14);
    kr_connection *c;
    CHECK_EQ(kr_client(&c, text, NULL, KR_FOREVER), 0); /* by whichever of its addresses */
    kr_connection_release(c);
    kr_listener_release(l);
}

TEST(test_abstract_socket)
{
    char name[64];
    snprintf(name, sizeof name, "@krait-test-%d", (int)getpid());
    exchange(name);
    kr_listener *l = open_listener(name, NULL);
    CHECK_STR(address_of(l), name);
    kr_listener_release(l);
    exchange(name); /* nothing is left of it */
}

TEST(what_addresses_look_like)
{
    char text[KR_ADDRESS_SIZE];
    kr_listener *l = open_listener("tcp:127.0.0.1:0", NULL);
    CHECK(strncmp(address_of(l), "tcp:127.0.0.1:", 14) == 0);
    int port = atoi(address_of(l) + 14);
    CHECK(port > 0);
    kr_connection *c;
    snprintf(text, sizeof text, "tcp::%d", port);
    CHECK_EQ(kr_client(&c, text, NULL, KR_FOREVER), 0);
    kr_connection_release(c);
    CHECK_EQ(kr_listener_address(l, text, 4), strlen(address_of(l)));
    CHECK_STR(text, "tcp");
    kr_listener_release(l);
    l = open_listener(scratch("look"), NULL);
    CHECK_STR(address_of(l), scratch("look"));
    kr_listener_release(l);
}

/* One that is made up is for this user alone. */
TEST(made_up_addresses)
{
    struct stat s;
    kr_listener *l = open_listener(NULL, NULL), *m = open_listener(NULL, NULL);
    char text[KR_ADDRESS_SIZE];
    kr_listener_address(m, text, sizeof text);
    CHECK(strcmp(address_of(l), text) != 0);
    CHECK_EQ(stat(text, &s), 0);
    CHECK(S_ISSOCK(s.st_mode));
    CHECK_EQ(s.st_mode & 0177, 0);
    kr_listener_release(l);
    kr_listener_release(m);
    CHECK(!exists(text));
    setenv("TMPDIR", "/nowhere", 1);
    CHECK_EQ(kr_listener_create(&l, NULL, NULL), -ENOENT);
    CHECK(l == NULL);
}

TEST(test_multiple_bind)
{
    kr_listener *l, *second;
    char name[64];
    snprintf(name, sizeof name, "@krait-test-%d", (int)getpid());
    const char *const addresses[] = {NULL, "tcp:127.0.0.1:0", "tcp6:[::1]:0", name};
    for (size_t i = 0; i < 4; i++) {
        int err = kr_listener_create(&l, addresses[i], NULL);
        if (err == -EADDRNOTAVAIL || err == -EAFNOSUPPORT)
            continue;
        CHECK_EQ(err, 0);
        CHECK_EQ(kr_listener_create(&second, address_of(l), NULL), -EADDRINUSE);
        CHECK(second == NULL);
        kr_connection_release(connect_to(l, NULL)); /* the first goes on */
        kr_connection_release(accept_one(l));
        kr_listener_release(l);
    }
}

/* A connection that has come is not harmed by the end of the listener; nothing is left of that. */
TEST(test_context)
{
    kr_connection *c, *d;
    char text[KR_ADDRESS_SIZE];
    {
        KR_AUTO(kr_listener) *l = open_listener(NULL, NULL);
        kr_listener_address(l, text, sizeof text);
        {
            KR_AUTO(kr_connection) *client = connect_to(l, NULL);
            d = accept_one(l);
            send_text(d, "1729");
            expect_text(client, "1729");
        }
        expect_error(d, KR_EOF);
        kr_listener_close(l);
        kr_listener_close(l);
        CHECK(!exists(text));
        CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_ESHUTDOWN);
        CHECK(c == NULL);
        CHECK_EQ(kr_listener_descriptor(l), -EBADF);
        CHECK_EQ(kr_client(&c, text, NULL, KR_FOREVER), -ENOENT);
    }
    kr_connection_release(d);
}

TEST(test_empty_authkey)
{
    kr_listener *l;
    kr_connection *c;
    kr_listener_options listening = {.authkey = "", .authkey_size = 0};
    CHECK_EQ(kr_listener_create(&l, NULL, &listening), -EINVAL);
    CHECK(l == NULL);
    kr_client_options options = {.authkey = "", .authkey_size = 0};
    CHECK_EQ(kr_client(&c, "@nobody", &options, KR_FOREVER), -EINVAL);
    options = (kr_client_options){.authkey_size = 3};
    CHECK_EQ(kr_client(&c, "@nobody", &options, KR_FOREVER), -EINVAL);
}

/* The client has sent its message and left before it is accepted. */
TEST(test_issue14725)
{
    const char *const addresses[] = {NULL, "tcp:127.0.0.1:0"};
    for (int i = 0; i < 2; i++) {
        kr_listener *l = open_listener(addresses[i], NULL);
        kr_connection *c = connect_to(l, NULL);
        send_text(c, "hello");
        kr_connection_release(c);
        c = accept_one(l);
        expect_text(c, "hello");
        expect_error(c, KR_EOF);
        kr_connection_release(c);
        kr_listener_release(l);
    }
}

/* What was sent before the close is received after it. */
TEST(test_issue16955)
{
    kr_connection *a, *b;
    connect_pair(&a, &b);
    send_text(a, "hello");
    kr_connection_close(a);
    CHECK_EQ(kr_connection_poll(b, kr_sec(30)), 0);
    expect_text(b, "hello");
    CHECK_EQ(kr_connection_poll(b, KR_NOWAIT), 0);
    expect_error(b, KR_EOF);
    kr_connection_release(a);
    kr_connection_release(b);
}

TEST(test_invalid_family)
{
    static const char *const bad[] = {
        "tcp:",    "tcp:localhost",    "tcp:localhost:",   "tcp:localhost:65536", "tcp:a:b:1",
        "tcp:::1", "tcp:localhost:-1", "tcp:localhost:1x", "tcp4:[::1]:1x",       "tcp6:[::1]",
        "@",       "tcp:localhost: 1"};
    kr_listener *l;
    kr_connection *c;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        CHECK_EQ(kr_listener_create(&l, bad[i], NULL), -EINVAL);
        CHECK_EQ(kr_client(&c, bad[i], NULL, KR_FOREVER), -EINVAL);
        CHECK(l == NULL && c == NULL);
    }
    CHECK_EQ(kr_listener_create(&l, "tcp4:[::1]:0", NULL), -ENXIO);
    CHECK_EQ(kr_listener_create(&l, "tcp6:127.0.0.1:0", NULL), -ENXIO);
}

/* The other way round here: pipes of Windows are unknown. */
TEST(test_invalid_family_win32)
{
    kr_listener *l;
    kr_connection *c;
    CHECK_EQ(kr_listener_create(&l, "\\\\.\\test", NULL), -EINVAL);
    CHECK_EQ(kr_client(&c, "\\\\.\\test", NULL, KR_FOREVER), -EINVAL);
}

TEST(bad_arguments)
{
    kr_listener *l;
    kr_connection *c;
    char text[200];
    memset(text, 'a', sizeof text);
    text[108] = '\0';
    CHECK_EQ(kr_listener_create(&l, text, NULL), -ENAMETOOLONG);
    text[0] = '@';
    text[109 - 1] = 'a';
    text[109] = '\0';
    CHECK_EQ(kr_listener_create(&l, text, NULL), -ENAMETOOLONG);
    CHECK_EQ(kr_listener_create(NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_listener_create(&l, NULL, &(kr_listener_options){.backlog = -1}), -EINVAL);
    CHECK_EQ(kr_listener_create(&l, NULL, &(kr_listener_options){.handshake_timeout = -1}),
             -EINVAL);
    CHECK_EQ(kr_listener_create(&l, NULL, &(kr_listener_options){.reserved = {0, 0, 0, 1}}),
             -EINVAL);
    CHECK_EQ(kr_client(&c, NULL, NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_client(&c, "", NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_client(NULL, "@a", NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_client(&c, "@a", NULL, -1), -EINVAL);
    CHECK_EQ(kr_client(&c, "@a", &(kr_client_options){.reserved = {1}}, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_client(&c, "@a", &(kr_client_options){.handshake_timeout = -1}, 0), -EINVAL);
    l = open_listener(NULL, NULL);
    CHECK_EQ(kr_listener_accept(l, &c, -1), -EINVAL);
    CHECK_EQ(kr_listener_accept(l, NULL, 0), -EINVAL);
    kr_listener_release(l);
    kr_listener_release(NULL);
}

TEST(nobody_listens)
{
    kr_connection *c;
    kr_listener *l = open_listener("tcp:127.0.0.1:0", NULL);
    char text[KR_ADDRESS_SIZE];
    kr_listener_address(l, text, sizeof text);
    kr_listener_release(l);
    CHECK_EQ(kr_client(&c, text, NULL, kr_sec(30)), -ECONNREFUSED);
    CHECK_EQ(kr_client(&c, "@krait-test-nobody", NULL, kr_sec(30)), -ECONNREFUSED);
    CHECK_EQ(kr_client(&c, "/nowhere/socket", NULL, kr_sec(30)), -ENOENT);
    CHECK(c == NULL);
}

TEST(test_invalid_handles)
{
    kr_connection *a, *b;
    connect_pair(&a, &b);
    kr_connection_close(a);
    kr_connection_close(a);
    char room[4];
    CHECK_EQ(kr_connection_poll(a, KR_NOWAIT), -EBADF);
    CHECK_EQ(kr_connection_send(a, "x", 1, KR_NOWAIT), -EBADF);
    CHECK_EQ(kr_connection_recv_into(a, room, sizeof room, NULL, KR_NOWAIT), -EBADF);
    CHECK_EQ(kr_connection_descriptor(a), -EBADF);
    kr_connection_release(a);
    kr_connection_release(b);
}

/* Waiting. */

/* A call's time-out is forgotten with the call. */
TEST(test_timeout)
{
    kr_connection *c;
    kr_listener *l = open_listener(NULL, NULL);
    kr_time began = kr_now();
    CHECK_EQ(kr_listener_accept(l, &c, kr_ms(20)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(20));
    CHECK_EQ(kr_listener_accept(l, &c, KR_NOWAIT), -ETIMEDOUT);
    CHECK(c == NULL);
    kr_thread *t = start(say_hello, address_of(l));
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), 0);
    void *bytes;
    size_t size;
    CHECK_EQ(kr_connection_recv(c, &bytes, &size, KR_FOREVER), 0);
    kr_connection_free_bytes(bytes);
    CHECK_EQ(kr_connection_recv(c, &bytes, &size, kr_ms(20)), -ETIMEDOUT);
    send_text(c, "hello yourself");
    CHECK_EQ(kr_connection_recv(c, &bytes, &size, KR_FOREVER), KR_EOF);
    CHECK_EQ(join(t), 0);
    kr_connection_release(c);
    kr_listener_release(l);
}

typedef struct closing {
    kr_listener *listener;
    kr_event begun;
} closing;

static int accept_until_closed(void *arg)
{
    closing *w = arg;
    kr_connection *c;
    kr_event_set(&w->begun);
    return kr_listener_accept(w->listener, &c, KR_FOREVER);
}

TEST(closing_ends_every_accept)
{
    closing w = {.listener = open_listener(NULL, NULL)};
    kr_thread *threads[3];
    for (int i = 0; i < 3; i++)
        threads[i] = start(accept_until_closed, &w);
    CHECK_EQ(kr_event_wait(&w.begun, KR_FOREVER), 0);
    kr_listener_close(w.listener);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(join(threads[i]), KR_ESHUTDOWN);
    kr_listener_release(w.listener);
}

static int cancel_it(void *arg)
{
    kri_test_nap();
    kr_cancel(arg);
    return 0;
}

TEST(cancelling_an_accept)
{
    kr_connection *c;
    kr_listener *l = open_listener(NULL, NULL);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_thread *t = start(cancel_it, &scope);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_listener_accept(l, &c, KR_NOWAIT), -ETIMEDOUT);
    kr_listener_release(l); /* also in a cancelled scope */
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(join(t), 0);
}

/* The listener's queue is full until somebody is accepted. */
TEST(a_full_queue)
{
    enum { MOST = 20 };
    kr_connection *clients[MOST], *c;
    kr_listener *l = open_listener(NULL, &(kr_listener_options){.backlog = 1});
    int count = 0, err;
    while ((err = kr_client(&clients[count], address_of(l), NULL, kr_ms(10))) == 0)
        CHECK_LE(++count, MOST - 1);
    CHECK_EQ(err, -ETIMEDOUT);
    kr_thread *t = start(say_hello, address_of(l));
    for (int i = 0; i <= count; i++) {
        c = accept_one(l);
        if (i == count) {
            expect_text(c, "hello");
            send_text(c, "hello yourself");
        }
        kr_connection_release(c);
    }
    CHECK_EQ(join(t), 0);
    for (int i = 0; i < count; i++)
        kr_connection_release(clients[i]);
    kr_listener_release(l);
}

/* Several threads accept; every client is served by one. */
enum { CLIENTS = 40 };

static void serve(void *arg)
{
    kr_connection *c;
    while (kr_listener_accept(arg, &c, KR_FOREVER) == 0) {
        expect_text(c, "hello");
        send_text(c, "hello yourself");
        kr_connection_release(c);
    }
}

TEST(several_threads_accept)
{
    kr_listener *l = open_listener("tcp:127.0.0.1:0", NULL);
    kri_bunch servers;
    kr_thread *clients[CLIENTS];
    char text[KR_ADDRESS_SIZE];
    kr_listener_address(l, text, sizeof text);
    kri_bunch_start(&servers, 4, serve, l);
    for (int i = 0; i < CLIENTS; i++)
        clients[i] = start(say_hello, text);
    for (int i = 0; i < CLIENTS; i++)
        CHECK_EQ(join(clients[i]), 0);
    kr_listener_close(l);
    kri_bunch_end(&servers);
    kr_listener_release(l);
}

/* The system. */

TEST(no_descriptors)
{
    if (KRI_VALGRIND)
        SKIP("valgrind accepts beyond the limit, and closes what came");
    kr_connection *c;
    kr_listener *l = open_listener(NULL, NULL);
    int raw = connect_raw(l);
    struct rlimit before, none;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    none = before;
    none.rlim_cur = (rlim_t)raw + 1;
    for (int fd = 0; fd <= raw; fd++)
        CHECK(fcntl(fd, F_GETFD) >= 0); /* no gaps, so that the limit bites */
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    CHECK_EQ(kr_listener_accept(l, &c, kr_sec(30)), -EMFILE);
    CHECK_EQ(kr_client(&c, address_of(l), NULL, kr_sec(30)), -EMFILE);
    kr_listener *another;
    CHECK_EQ(kr_listener_create(&another, NULL, NULL), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    c = accept_one(l);
    write_raw(raw, "\0\0\0\4wait", 8);
    expect_text(c, "wait");
    kr_connection_release(c);
    kr_listener_release(l);
    close(raw);
}

/* A file that has taken the socket's place is not ours to remove. */
TEST(another_file_at_the_path)
{
    const char *path = scratch("other");
    kr_listener *l = open_listener(path, NULL);
    CHECK_EQ(unlink(path), 0);
    CHECK(close(open(path, O_CREAT | O_RDWR, 0600)) == 0);
    kr_listener_release(l);
    CHECK(exists(path));
    kr_listener *m;
    CHECK_EQ(kr_listener_create(&m, path, NULL), -EADDRINUSE);
    CHECK_EQ(unlink(path), 0);
}

TEST(descriptor_for_pollers)
{
    kr_listener *l = open_listener(NULL, NULL);
    struct pollfd p = {.fd = kr_listener_descriptor(l), .events = POLLIN};
    CHECK_EQ(poll(&p, 1, 0), 0);
    kr_connection *c = connect_to(l, NULL);
    CHECK_EQ(poll(&p, 1, 30000), 1);
    kr_connection *d = accept_one(l);
    CHECK_EQ(poll(&p, 1, 0), 0);
    kr_connection_release(c);
    kr_connection_release(d);
    kr_listener_release(l);
}

/* A forked child may accept, and closing its copy leaves the parent's as it was. */
TEST(forked_listener)
{
    kr_listener *l = open_listener(NULL, NULL);
    kr_connection *c = connect_to(l, NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        kr_connection *d = accept_one(l);
        send_text(d, "from the child");
        kr_connection_release(d);
        kr_listener_release(l);
        _exit(0);
    }
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    expect_text(c, "from the child");
    kr_connection_release(c);
    CHECK(exists(address_of(l)));
    c = connect_to(l, NULL);
    kr_connection_release(accept_one(l));
    kr_connection_release(c);
    kr_listener_release(l);
}

/* A child of krait's own has no listeners, so the address is free once the parent's is closed. */
TEST(listeners_of_a_child)
{
    char text[KR_ADDRESS_SIZE];
    int told[2];
    kr_listener *l = open_listener("tcp:127.0.0.1:0", NULL);
    kr_listener_address(l, text, sizeof text);
    CHECK_EQ(pipe(told), 0);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        kr_connection *c;
        kri_connections_close_all_but(NULL, 0);
        CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_ESHUTDOWN);
        CHECK_EQ(write(told[1], "x", 1), 1);
        pause();
    }
    char byte;
    CHECK_EQ(read(told[0], &byte, 1), 1);
    kr_listener_release(l);
    l = open_listener(text, NULL);
    kr_listener_release(l);
    CHECK_EQ(kill(pid, SIGKILL), 0);
    CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

TEST(retained_listener)
{
    kr_listener *l = open_listener(NULL, NULL);
    char text[KR_ADDRESS_SIZE];
    kr_listener_address(l, text, sizeof text);
    CHECK(kr_listener_retain(l) == l);
    kr_listener_release(l);
    CHECK(exists(text));
    kr_connection_release(connect_to(l, NULL));
    kr_listener_release(l);
    CHECK(!exists(text));
}
