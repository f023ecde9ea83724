/* Sockets for Lua, on 127.0.0.1:
 *
 *     s = udp([PORT])   s = tcp([PORT])   c = s:accept()   c = connect(PORT)   s =
 * socket(DESCRIPTOR) s:port()   bytes = s:recv()   s:send(bytes)   s:connect(PORT)   s:close()
 *
 * A datagram goes to whom the last one came from, or to whom the socket is connected.  A connection
 * that has ended gives nil.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#define SOCKET "krait.socket"

enum { BYTES_MOST = 65536, BACKLOG = 64 };

struct connection {
    int fd; /* -1: closed */
    bool has_other;
    struct sockaddr_in other;
};

static struct connection *new_socket(lua_State *L)
{
    struct connection *socket = lua_newuserdatauv(L, sizeof *socket, 0);
    *socket = (struct connection){.fd = -1};
    luaL_setmetatable(L, SOCKET);
    return socket;
}

static struct sockaddr_in local(lua_Integer port)
{
    return (struct sockaddr_in){.sin_family = AF_INET,
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                                .sin_port = htons((uint16_t)port)};
}

static lua_Integer port_at(lua_State *L, int index)
{
    lua_Integer port = luaL_optinteger(L, index, 0);
    luaL_argcheck(L, port >= 0 && port <= 65535, index, "no such port");
    return port;
}

static void open_at(lua_State *L, struct connection *connection, int type, lua_Integer port)
{
    struct sockaddr_in address = local(port);
    connection->fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (connection->fd < 0)
        must(L, -errno, "socket");
    if (bind(connection->fd, (struct sockaddr *)&address, sizeof address) != 0)
        must(L, -errno, "bind");
}

static int udp(lua_State *L)
{
    lua_Integer port = port_at(L, 1);
    open_at(L, new_socket(L), SOCK_DGRAM, port);
    return 1;
}

static int tcp(lua_State *L)
{
    lua_Integer port = port_at(L, 1);
    struct connection *connection = new_socket(L);
    open_at(L, connection, SOCK_STREAM, port);
    if (listen(connection->fd, BACKLOG) != 0)
        must(L, -errno, "listen");
    return 1;
}

static int from_descriptor(lua_State *L)
{
    int fd = (int)luaL_checkinteger(L, 1);
    new_socket(L)->fd = fd;
    return 1;
}

static void send_at_once(int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static int accept_one(lua_State *L)
{
    struct connection *listener = luaL_checkudata(L, 1, SOCKET);
    struct connection *connection = new_socket(L);
    connection->fd = kr_accept(listener->fd, NULL, NULL, KR_FOREVER);
    must(L, connection->fd, "accept");
    send_at_once(connection->fd);
    return 1;
}

static void connect_socket(lua_State *L, struct connection *connection, lua_Integer port)
{
    struct sockaddr_in address = local(port);
    must(L, kr_connect(connection->fd, (struct sockaddr *)&address, sizeof address, KR_FOREVER),
         "connect");
}

/* Of a datagram socket, from now on. */
static int connect_method(lua_State *L)
{
    connect_socket(L, luaL_checkudata(L, 1, SOCKET), port_at(L, 2));
    return 0;
}

static int connect_to(lua_State *L)
{
    lua_Integer port = port_at(L, 1);
    struct connection *connection = new_socket(L);
    open_at(L, connection, SOCK_STREAM, 0);
    connect_socket(L, connection, port);
    send_at_once(connection->fd);
    return 1;
}

static int port(lua_State *L)
{
    struct connection *connection = luaL_checkudata(L, 1, SOCKET);
    struct sockaddr_in address;
    socklen_t size = sizeof address;
    if (getsockname(connection->fd, (struct sockaddr *)&address, &size) != 0)
        must(L, -errno, "port");
    lua_pushinteger(L, ntohs(address.sin_port));
    return 1;
}

/* The lock is given away in any case, as CPython does: who always finds something there would not
 * let others in, and to send takes longer than all that the thread does with the lock. */
static int receive(lua_State *L)
{
    struct connection *connection = luaL_checkudata(L, 1, SOCKET);
    char bytes[BYTES_MOST];
    struct sockaddr_in from;
    uint32_t size = sizeof from;
    int fd = connection->fd; /* which is Lua's memory */
    int64_t got = 0;
    kr_allow_threads (runner_current()->gil) {
        got = kr_recvfrom(fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &size, KR_FOREVER);
    }
    must(L, got, "recv");
    if (size == sizeof from && from.sin_family == AF_INET) {
        connection->other = from;
        connection->has_other = true;
    } else if (got == 0) {
        return 0;
    }
    lua_pushlstring(L, bytes, (size_t)got);
    return 1;
}

static int64_t send_bytes(int fd, const char *bytes, size_t size)
{
    size_t sent = 0;
    int64_t got = 0;
    while (sent < size && got >= 0) {
        got = kr_send(fd, bytes + sent, size - sent, 0, KR_FOREVER);
        sent += got > 0 ? (size_t)got : 0;
    }
    return got;
}

static int send_all(lua_State *L)
{
    struct connection *connection = luaL_checkudata(L, 1, SOCKET);
    struct sockaddr_in other = connection->other;
    bool has_other = connection->has_other;
    int fd = connection->fd;
    size_t size;
    const char *bytes = luaL_checklstring(L, 2, &size); /* which stays, as the stack refers to it */
    int64_t got = 0;
    kr_allow_threads (runner_current()->gil) {
        got = has_other ? kr_sendto(fd, bytes, size, 0, (struct sockaddr *)&other, sizeof other,
                                    KR_FOREVER)
                        : send_bytes(fd, bytes, size);
    }
    must(L, got, "send");
    return 0;
}

/* Who waits for it gets an error. */
static int close_socket(lua_State *L)
{
    struct connection *connection = luaL_checkudata(L, 1, SOCKET);
    int fd = connection->fd;
    connection->fd = -1;
    if (fd >= 0)
        kr_close(fd);
    return 0;
}

void open_sockets(lua_State *L)
{
    static const luaL_Reg methods[] = {
        {"accept", accept_one}, {"connect", connect_method}, {"port", port}, {"recv", receive},
        {"send", send_all},     {"close", close_socket},     {NULL, NULL},
    };
    new_type(L, SOCKET, methods, close_socket);
    lua_register(L, "udp", udp);
    lua_register(L, "tcp", tcp);
    lua_register(L, "connect", connect_to);
    lua_register(L, "socket", from_descriptor);
}
