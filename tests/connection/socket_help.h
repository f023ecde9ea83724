/* What the cases of sockets have in common: both ends in one process, and ends without krait.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_CONNECTION_SOCKET_HELP_H
#define KRI_TESTS_CONNECTION_SOCKET_HELP_H

#include "harness/test.h"
#include <krait/krait.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define KEY      "secret"
#define KEY_SIZE 6

static inline void need_digests(void)
{
    kr_listener *l;
    int err = kr_listener_create(&l, NULL,
                                 &(kr_listener_options){.authkey = KEY, .authkey_size = KEY_SIZE});
    if (err == -ENOSYS)
        SKIP("built without OpenSSL");
    CHECK_EQ(err, 0);
    kr_listener_release(l);
}

static inline kr_listener *open_listener(const char *address, const kr_listener_options *options)
{
    kr_listener *l;
    CHECK_EQ(kr_listener_create(&l, address, options), 0);
    return l;
}

static inline kr_listener *open_keyed(const char *address)
{
    return open_listener(address, &(kr_listener_options){.authkey = KEY, .authkey_size = KEY_SIZE});
}

static inline const char *address_of(kr_listener *l)
{
    static _Thread_local char text[KR_ADDRESS_SIZE];
    CHECK(kr_listener_address(l, text, sizeof text) < sizeof text);
    return text;
}

static inline kr_connection *accept_one(kr_listener *l)
{
    kr_connection *c;
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), 0);
    return c;
}

static inline kr_connection *connect_to(kr_listener *l, const kr_client_options *options)
{
    kr_connection *c;
    CHECK_EQ(kr_client(&c, address_of(l), options, KR_FOREVER), 0);
    return c;
}

/* Two ends, without a key. */
static inline void connect_pair(kr_connection **a, kr_connection **b)
{
    kr_listener *l = open_listener(NULL, NULL);
    *a = connect_to(l, NULL);
    *b = accept_one(l);
    kr_listener_release(l);
}

/* A socket that is connected with a listener on a Unix address, for bytes of any kind. */
static inline int connect_raw(kr_listener *l)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    strcpy(un.sun_path, address_of(l));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(connect(fd, (struct sockaddr *)&un, sizeof un), 0);
    return fd;
}

/* A raw socket and the connection at its other end. */
static inline int raw_pair(kr_connection **c, uint64_t max_message)
{
    kr_listener *l = open_listener(NULL, &(kr_listener_options){.max_message = max_message});
    int fd = connect_raw(l);
    *c = accept_one(l);
    kr_listener_release(l);
    return fd;
}

static inline void write_raw(int fd, const void *bytes, size_t size)
{
    const char *at = bytes;
    while (size > 0) {
        ssize_t sent = send(fd, at, size, MSG_NOSIGNAL);
        CHECK(sent > 0);
        at += sent;
        size -= (size_t)sent;
    }
}

static inline void read_raw(int fd, void *bytes, size_t size)
{
    char *at = bytes;
    while (size > 0) {
        ssize_t got = recv(fd, at, size, 0);
        CHECK(got > 0);
        at += got;
        size -= (size_t)got;
    }
}

static inline void send_text(kr_connection *c, const char *text)
{
    CHECK_EQ(kr_connection_send(c, text, strlen(text), KR_FOREVER), 0);
}

static inline void expect_text(kr_connection *c, const char *text)
{
    char got[256];
    size_t size;
    CHECK_EQ(kr_connection_recv_into(c, got, sizeof got - 1, &size, KR_FOREVER), 0);
    got[size] = '\0';
    CHECK_STR(got, text);
}

static inline void expect_error(kr_connection *c, int error)
{
    void *bytes;
    size_t size;
    CHECK_EQ(kr_connection_recv(c, &bytes, &size, KR_FOREVER), error);
    CHECK(bytes == NULL);
}

#endif
