/* Connecting to one of several addresses.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/localhost.h"
#include "stream/help.h"
#include "stream/internal.h"
#include <netinet/in.h>

enum kind { ANSWERS, REFUSES, HANGS };

static int sockets[16], used;

static int plain_socket(void)
{
    CHECK(used < 16);
    return sockets[used++] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

/* An address of this machine that behaves so when it is connected to. */
static os_address address_of(enum kind kind)
{
    os_address address;
    int fd = plain_socket();
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof in;
    CHECK_EQ(bind(fd, (struct sockaddr *)&in, size), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    if (kind != REFUSES)
        CHECK_EQ(listen(fd, kind == HANGS ? 0 : 10), 0);
    for (int i = 0; i < 3 && kind == HANGS; i++) /* its queue is full then */
        (void)connect(plain_socket(), (struct sockaddr *)&in, size);
    CHECK_EQ(os_net_address(&address, (struct sockaddr *)&in, size), 0);
    return address;
}

/* The number of the address that fd is connected to, or the error. */
static int winner(const os_address *list, int count, int fd)
{
    os_address name;
    if (fd < 0)
        return fd;
    CHECK_EQ(os_net_name(fd, true, &name), 0);
    close(fd);
    for (int i = 0; i < count; i++) {
        if (os_net_port(&list[i]) == os_net_port(&name))
            return i;
    }
    return -ENOENT;
}

/* Not the library's own descriptors. */
static int open_sockets(void)
{
    int count = 0;
    for (int fd = 0; fd < 256; fd++) {
        int domain = 0;
        socklen_t size = sizeof domain;
        (void)getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size);
        count += domain == AF_INET;
    }
    return count;
}

static int race(const enum kind *kinds, int count, kr_time timeout)
{
    os_address list[4], before[4];
    for (int i = 0; i < count; i++)
        before[i] = list[i] = address_of(kinds[i]);
    int before_it = open_sockets();
    kri_half_open half = {.noted = false};
    int fd = kri_connect_any(list, count, kri_deadline(timeout), &half);
    CHECK_EQ(half.noted, fd >= 0);
    kri_half_open_end(&half);
    int result = winner(before, count, fd);
    CHECK_EQ(open_sockets(), before_it); /* the losers are closed */
    while (used > 0)
        close(sockets[--used]);
    return result;
}

BOTH_TEST(test_empty)
{
    kri_half_open half = {.noted = false};
    CHECK_EQ(kri_connect_any(NULL, 0, KRI_NEVER, &half), -ENOENT);
}

BOTH_TEST(test_one_successful)
{
    kr_time began = kr_now();
    CHECK_EQ(race((enum kind[]){ANSWERS, HANGS}, 2, kr_sec(10)), 0);
    CHECK_LE(kr_now() - began, kr_sec(5));
}

BOTH_TEST(test_first_error_second_successful)
{
    CHECK_EQ(race((enum kind[]){REFUSES, ANSWERS}, 2, kr_sec(10)), 1);
}

/* The second is tried beside the first after a while. */
BOTH_TEST(test_first_timeout_second_successful)
{
    kr_time began = kr_now();
    CHECK_EQ(race((enum kind[]){HANGS, ANSWERS}, 2, kr_sec(30)), 1);
    CHECK_GE(kr_now() - began, kr_ms(200));
    began = kr_now();
    CHECK_EQ(race((enum kind[]){HANGS, REFUSES, HANGS, ANSWERS}, 4, kr_sec(30)), 3);
    CHECK_GE(kr_now() - began, kr_ms(400));
}

BOTH_TEST(test_none_successful)
{
    CHECK_EQ(race((enum kind[]){REFUSES, REFUSES}, 2, kr_sec(10)), -ECONNREFUSED);
    CHECK_EQ(race((enum kind[]){HANGS, REFUSES}, 2, kr_ms(400)), -ETIMEDOUT);
    CHECK_EQ(race((enum kind[]){HANGS, HANGS}, 2, KR_NOWAIT), -ETIMEDOUT);
}

BOTH_TEST(test_cancelled)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(300)), 0);
    CHECK_EQ(race((enum kind[]){HANGS, HANGS}, 2, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
}

/* By a name, of which this machine knows both families or one. */
static int hang_up(kr_stream *s, void *arg)
{
    (void)s, (void)arg;
    return 0;
}

BOTH_TEST(test_connect_by_name)
{
    kr_server *server;
    kr_stream *s;
    char service[8], byte;
    NEED_LOCALHOST();
    CHECK_EQ(kr_server_open(&server, NULL, 0, hang_up, NULL, NULL), 0);
    snprintf(service, sizeof service, "%d", kr_server_port(server));
    CHECK_EQ(kr_stream_connect(&s, "localhost", service, NULL, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(10)), 0);
    kr_stream_release(s);
    CHECK_EQ(kr_stream_connect(&s, NULL, service, NULL, kr_sec(10)), 0);
    kr_stream_release(s);
    kr_server_release(server);
}
