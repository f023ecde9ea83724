/* A fork while another thread opens a connection: the child has no copy of it, which would keep the
 * other end from seeing that ours is closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/socket_help.h"
#include "harness/children.h"
#include "redis/redis.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>

/* Opens something that does not get any further. */
typedef struct opener {
    int (*open)(const char *address);
    const char *address;
    kr_cancel_scope scope;
    int result;
    kr_thread *thread;
} opener;

static int run_opener(void *arg)
{
    opener *o = *(opener **)arg;
    CHECK_EQ(kr_cancel_scope_enter(&o->scope, KR_FOREVER), 0);
    o->result = o->open(o->address);
    (void)kr_cancel_scope_exit(&o->scope);
    return 0;
}

static int count_sockets(void)
{
    int count = 0, type;
    for (int fd = 0; fd < 1000; fd++) {
        socklen_t size = sizeof type;
        count += getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0;
    }
    return count;
}

static void check_count(void *arg)
{
    CHECK_EQ(count_sockets(), *(int *)arg);
}

/* listening: becomes readable when it is connected. */
static void fork_while_opening(opener *o, int listening)
{
    opener *arg = o;
    struct pollfd ready = {.fd = listening, .events = POLLIN};
    int before = count_sockets();
    CHECK_EQ(kr_thread_start(&o->thread, run_opener, &arg, sizeof arg, NULL), 0);
    CHECK_EQ(poll(&ready, 1, -1), 1);
    CHECK_EQ(count_sockets(), before + 1);
    reap(child(check_count, &before));
    CHECK_EQ(count_sockets(), before + 1);
    kr_cancel(&o->scope);
    CHECK_EQ(kr_thread_join(o->thread, NULL, KR_FOREVER), 0);
    kr_thread_release(o->thread);
    CHECK_EQ(o->result, -ECANCELED);
    CHECK_EQ(count_sockets(), before);
}

static int open_client(const char *address)
{
    kr_connection *c;
    kr_client_options options = {.authkey = KEY, .authkey_size = KEY_SIZE};
    options.handshake_timeout = kr_sec(1000);
    return kr_client(&c, address, &options, KR_FOREVER);
}

TEST(a_client_in_its_handshake)
{
    need_digests();
    kr_listener *l = open_keyed(NULL);
    opener o = {.open = open_client, .address = address_of(l)};
    fork_while_opening(&o, kr_listener_descriptor(l));
    kr_listener_release(l);
}

static int open_redis(const char *address)
{
    kri_redis *r;
    return kri_redis_open(&r, address, &(kri_redis_options){.timeout = kr_sec(1000)});
}

TEST(a_line_to_a_server_that_does_not_answer)
{
    struct sockaddr_in in = {.sin_family = AF_INET};
    socklen_t size = sizeof in;
    char url[100];
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    CHECK_EQ(listen(fd, 1), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&in, &size), 0);
    snprintf(url, sizeof url, "redis://:secret@127.0.0.1:%d", ntohs(in.sin_port));
    kri_redis *none;
    if (kri_redis_open(&none, "unix:/nowhere/at/all", &(kri_redis_options){.timeout = 1}) ==
        -ENOSYS)
        SKIP("built without hiredis");
    opener o = {.open = open_redis, .address = url};
    fork_while_opening(&o, fd);
    close(fd);
}
