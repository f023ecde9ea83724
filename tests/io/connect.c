/* kr_accept, kr_connect, kr_poll, and datagrams.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "io/channels.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/un.h>

typedef struct job {
    int fd;
    struct sockaddr_in at;
    kr_time timeout;
    int result;
    kr_cancel_scope scope;
} job;

static void accept_job(void *arg)
{
    job *j = arg;
    CHECK_EQ(kr_cancel_scope_enter(&j->scope, KR_FOREVER), 0);
    j->result = kr_accept(j->fd, NULL, NULL, j->timeout);
    (void)kr_cancel_scope_exit(&j->scope);
}

static int new_socket(int flags)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    CHECK_GE(fd, 0);
    return fd;
}

/* behaviours: 13.6 test_sock_accept, test_sock_client_ops */
IO_TEST(test_sock_accept)
{
    for (int flags = 0; flags <= SOCK_NONBLOCK; flags += SOCK_NONBLOCK) {
        struct sockaddr_in at, from = {0}, own;
        socklen_t size = sizeof from, own_size = sizeof own;
        int listener = io_listen(&at, 5);
        io_set_nonblocking(listener, flags != 0);
        CHECK_EQ(kr_accept(listener, NULL, NULL, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_accept(listener, NULL, NULL, kr_ms(5)), -ETIMEDOUT);
        int client = new_socket(flags);
        CHECK_EQ(kr_connect(client, io_address_of(&at), sizeof at, KR_FOREVER), 0);
        CHECK_EQ(io_is_nonblocking(client), flags != 0);
        int server = kr_accept(listener, io_address_of(&from), &size, KR_FOREVER);
        CHECK_GE(server, 0);
        CHECK(io_is_nonblocking(server));
        CHECK_EQ(fcntl(server, F_GETFD), FD_CLOEXEC);
        CHECK_EQ(getsockname(client, io_address_of(&own), &own_size), 0);
        CHECK_EQ(size, own_size);
        CHECK_EQ(from.sin_port, own.sin_port);
        CHECK_EQ(io_is_nonblocking(listener), flags != 0);
        CHECK_EQ(kr_connect(client, io_address_of(&at), sizeof at, KR_FOREVER), -EISCONN);
        CHECK_EQ(kr_close(client), 0);
        CHECK_EQ(kr_close(server), 0);
        CHECK_EQ(kr_close(listener), 0);
    }
}

/* behaviour: 13.6 test_cancel_sock_accept */
IO_TEST(test_cancel_sock_accept)
{
    job j = {.timeout = KR_FOREVER};
    io_other other;
    j.fd = io_listen(&j.at, 5);
    io_start(&other, accept_job, &j);
    io_await_asleep(&other);
    kr_cancel(&j.scope);
    io_join(&other);
    CHECK_EQ(j.result, -ECANCELED);
    int client = new_socket(0);
    CHECK_EQ(kr_connect(client, io_address_of(&j.at), sizeof j.at, KR_FOREVER), 0);
    CHECK_GE(kr_accept(j.fd, NULL, NULL, KR_FOREVER), 0);
}

/* Of several who accept from one blocking listener each gets a connection, and none is stuck with
 * the one that another has taken. */
IO_TEST(test_several_accept)
{
    enum { THEY = 8 };
    job jobs[THEY];
    io_other others[THEY];
    struct sockaddr_in at;
    int listener = io_listen(&at, THEY);
    for (int i = 0; i < THEY; i++) {
        jobs[i] = (job){.fd = listener, .timeout = KR_FOREVER};
        io_start(&others[i], accept_job, &jobs[i]);
    }
    for (int i = 0; i < THEY; i++)
        io_await_asleep(&others[i]);
    for (int i = 0; i < THEY; i++) {
        int client = new_socket(0);
        CHECK_EQ(kr_connect(client, io_address_of(&at), sizeof at, KR_FOREVER), 0);
    }
    for (int i = 0; i < THEY; i++) {
        io_join(&others[i]);
        CHECK_GE(jobs[i].result, 0);
        for (int k = 0; k < i; k++)
            CHECK_NE(jobs[i].result, jobs[k].result);
    }
    CHECK_EQ(kr_accept(listener, NULL, NULL, KR_NOWAIT), -ETIMEDOUT);
}

/* One that was reset before it was accepted is either passed over or accepted, and at its end. */
IO_TEST(test_accept_after_reset)
{
    struct sockaddr_in at;
    struct linger at_once = {.l_onoff = 1};
    char byte;
    int listener = io_listen(&at, 5);
    int client = new_socket(0);
    CHECK_EQ(kr_connect(client, io_address_of(&at), sizeof at, KR_FOREVER), 0);
    CHECK_EQ(setsockopt(client, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
    CHECK_EQ(kr_close(client), 0);
    int server = kr_accept(listener, NULL, NULL, kr_ms(50));
    CHECK(server >= 0 || server == -ETIMEDOUT);
    if (server >= 0)
        CHECK_EQ(kr_read(server, &byte, 1, KR_FOREVER), -ECONNRESET);
}

IO_TEST(test_accept_without_descriptors)
{
    struct sockaddr_in at;
    struct rlimit limit;
    int listener = io_listen(&at, 5);
    int client = new_socket(0);
    char byte;
    if (KRI_VALGRIND)
        SKIP("valgrind accepts beyond the limit, and closes what came");
    CHECK_EQ(kr_read(client, &byte, 1, KR_NOWAIT), -ENOTCONN);
    CHECK_EQ(kr_accept(listener, NULL, NULL, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_connect(client, io_address_of(&at), sizeof at, KR_FOREVER), 0);
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    struct rlimit none = {(rlim_t)client + 1, limit.rlim_max};
    int spare;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
    while ((spare = dup(0)) >= 0)
        continue;
    CHECK_EQ(kr_accept(listener, NULL, NULL, KR_FOREVER), -EMFILE);
    CHECK_EQ(kr_accept(listener, NULL, NULL, KR_FOREVER), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_GE(kr_accept(listener, NULL, NULL, KR_FOREVER), 0);
}

IO_TEST(test_accept_where_nobody_listens)
{
    int fd = new_socket(0);
    CHECK_EQ(kr_accept(fd, NULL, NULL, KR_FOREVER), -EINVAL);
    io_set_nonblocking(fd, true);
    CHECK_EQ(kr_accept(fd, NULL, NULL, KR_FOREVER), -EINVAL);
}

IO_TEST(test_connect_refused)
{
    struct sockaddr_in at;
    int listener = io_listen(&at, 5);
    CHECK_EQ(kr_close(listener), 0);
    int fd = new_socket(0);
    CHECK_EQ(kr_connect(fd, io_address_of(&at), sizeof at, KR_FOREVER), -ECONNREFUSED);
    CHECK_EQ(kr_connect(new_socket(0), io_address_of(&at), 3, KR_FOREVER), -EINVAL);
}

/* A socket that was waited for before it was connected: what was told then is no news. */
IO_TEST(test_connect_after_poll)
{
    struct sockaddr_in at;
    int listener = io_listen(&at, 5);
    int fd = new_socket(0);
    CHECK_EQ(kr_poll(fd, KR_READABLE | KR_WRITABLE, KR_FOREVER), KR_READABLE | KR_WRITABLE);
    CHECK_EQ(kr_connect(fd, io_address_of(&at), sizeof at, KR_FOREVER), 0);
    CHECK_EQ(kr_poll(fd, KR_READABLE, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_close(listener), 0);
}

/* With the backlog full a connection hangs until it is given up. */
IO_TEST(test_connect_times_out)
{
    struct sockaddr_in at;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    (void)io_listen(&at, 0);
    int err = 0;
    for (int i = 0; i < 16 && err == 0; i++)
        err = kr_connect(new_socket(0), io_address_of(&at), sizeof at, kr_ms(30));
    CHECK_EQ(err, -ETIMEDOUT);
    CHECK_EQ(kr_connect(new_socket(0), io_address_of(&at), sizeof at, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(20)), 0);
    CHECK_EQ(kr_connect(new_socket(0), io_address_of(&at), sizeof at, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
}

static struct sockaddr_un unix_name(const char *kind)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    snprintf(name.sun_path + 1, sizeof name.sun_path - 1, "krait-test-%s-%d", kind, getpid());
    return name;
}

static struct sockaddr *address_of_name(struct sockaddr_un *name)
{
    return (struct sockaddr *)(void *)name;
}

static void accept_two(void *arg)
{
    job *j = arg;
    for (int i = 0; i < 2; i++)
        CHECK_GE(kr_accept(j->fd, NULL, NULL, KR_FOREVER), 0);
}

/* A Unix listener whose backlog is full tells nobody when there is room. */
IO_TEST(test_connect_unix_when_full)
{
    struct sockaddr_un name = unix_name("full");
    int listener = socket(AF_UNIX, SOCK_STREAM, 0), last;
    io_other other;
    CHECK_EQ(bind(listener, address_of_name(&name), sizeof name), 0);
    CHECK_EQ(listen(listener, 0), 0);
    int err;
    do {
        last = socket(AF_UNIX, SOCK_STREAM, 0);
        err = kr_connect(last, address_of_name(&name), sizeof name, kr_ms(20));
    } while (err == 0);
    CHECK_EQ(err, -ETIMEDOUT);
    job j = {.fd = listener};
    io_start(&other, accept_two, &j);
    CHECK_EQ(kr_connect(last, address_of_name(&name), sizeof name, KR_FOREVER), 0);
    io_join(&other);
    CHECK(!io_is_nonblocking(last));
}

static void read_one(void *arg)
{
    job *j = arg;
    char bytes[100];
    CHECK_EQ(kr_recv(j->fd, bytes, sizeof bytes, 0, KR_FOREVER), 3);
}

IO_TEST(test_datagrams_to_a_full_name)
{
    struct sockaddr_un name = unix_name("datagrams");
    int receiver = socket(AF_UNIX, SOCK_DGRAM, 0), sender = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(receiver, address_of_name(&name), sizeof name), 0);
    int64_t sent;
    int count = 0;
    while ((sent = kr_sendto(sender, "abc", 3, 0, address_of_name(&name), sizeof name,
                             kr_ms(20))) == 3)
        count++;
    CHECK_EQ(sent, -ETIMEDOUT);
    CHECK_GE(count, 1);
    io_other other;
    job j = {.fd = receiver};
    io_start(&other, read_one, &j);
    CHECK_EQ(kr_sendto(sender, "abc", 3, 0, address_of_name(&name), sizeof name, KR_FOREVER), 3);
    io_join(&other);
}

/* behaviour: 13.6 test_recvfrom* */
IO_TEST(test_recvfrom)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in from, own;
    socklen_t size = sizeof at;
    char bytes[16];
    int receiver = socket(AF_INET, SOCK_DGRAM, 0), sender = socket(AF_INET, SOCK_DGRAM, 0);
    CHECK_EQ(bind(receiver, io_address_of(&at), sizeof at), 0);
    CHECK_EQ(getsockname(receiver, io_address_of(&at), &size), 0);
    CHECK_EQ(kr_recvfrom(receiver, bytes, sizeof bytes, 0, NULL, NULL, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kr_sendto(sender, "abc", 3, 0, io_address_of(&at), sizeof at, KR_FOREVER), 3);
    CHECK_EQ(kr_sendto(sender, "", 0, 0, io_address_of(&at), sizeof at, KR_FOREVER), 0);
    CHECK_EQ(kr_sendto(sender, "long enough", 11, 0, io_address_of(&at), sizeof at, KR_NOWAIT), 11);
    CHECK_EQ(kr_recvfrom(receiver, bytes, sizeof bytes, 0, io_address_of(&from), &size, KR_FOREVER),
             3);
    CHECK_EQ(size, sizeof from);
    CHECK_EQ(getsockname(sender, io_address_of(&own), &size), 0);
    CHECK_EQ(from.sin_port, own.sin_port);
    CHECK_EQ(kr_recvfrom(receiver, bytes, sizeof bytes, 0, NULL, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_recv(receiver, bytes, 4, 0, KR_FOREVER), 4);
    CHECK_EQ(kr_recv(receiver, bytes, 4, 0, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_sendto(sender, "abc", 3, 0, NULL, 0, KR_FOREVER), -EDESTADDRREQ);
}

static void poll_job(void *arg)
{
    job *j = arg;
    CHECK_EQ(kr_cancel_scope_enter(&j->scope, KR_FOREVER), 0);
    j->result = kr_poll(j->fd, KR_READABLE, j->timeout);
    (void)kr_cancel_scope_exit(&j->scope);
}

IO_TEST(test_poll)
{
    for (io_channel *channel = io_channels(); channel->name != NULL; channel++) {
        io_other other;
        char bytes[8];
        CHECK_EQ(kr_poll(channel->reader, KR_READABLE, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_poll(channel->reader, KR_READABLE, kr_ms(5)), -ETIMEDOUT);
        CHECK_EQ(kr_poll(channel->writer, KR_WRITABLE, KR_FOREVER), KR_WRITABLE);
        job j = {.fd = channel->reader, .timeout = KR_FOREVER};
        io_start(&other, poll_job, &j);
        io_await_asleep(&other);
        CHECK_EQ(kr_write(channel->writer, "abc", 3, KR_FOREVER), 3);
        io_join(&other);
        CHECK_EQ(j.result, KR_READABLE);
        for (int i = 0; i < 3; i++) /* as long as it is */
            CHECK_EQ(kr_poll(channel->reader, KR_READABLE, KR_FOREVER), KR_READABLE);
        CHECK_EQ(kr_read(channel->reader, bytes, 1, KR_FOREVER), 1);
        CHECK_EQ(kr_poll(channel->reader, KR_READABLE, KR_FOREVER), KR_READABLE);
        CHECK_EQ(kr_read(channel->reader, bytes, sizeof bytes, KR_FOREVER), 2);
        CHECK_EQ(kr_poll(channel->reader, KR_READABLE, kr_ms(5)), -ETIMEDOUT);
        j.scope = (kr_cancel_scope)KR_CANCEL_SCOPE_INIT;
        io_start(&other, poll_job, &j);
        io_await_asleep(&other);
        kr_cancel(&j.scope);
        io_join(&other);
        CHECK_EQ(j.result, -ECANCELED);
        io_end_channel(channel);
    }
}
