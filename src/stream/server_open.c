/* Opening a server: its listening sockets.  See server.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/server.h"
#include <krait/io.h>
#include <stdio.h>

enum { BACKLOG = 128, MODE = 0600, TRIES = 8 };

static bool options_check(const kr_server_options *o)
{
    return o == NULL ||
           (kri_all_zero(o->reserved) && kri_stream_options_check(&o->stream) && o->backlog >= 0 &&
            o->max_connections >= 0 && o->close_timeout >= 0 && (o->mode & ~(mode_t)0777) == 0);
}

static kr_server *new_server(kr_serve_fn handler, void *arg, const kr_server_options *options)
{
    kr_server *server = os_alloc(sizeof *server);
    if (server == NULL)
        return NULL;
    server->references.bits = 1;
    server->handler = handler;
    server->arg = arg;
    if (options != NULL)
        server->options = *options;
    server->generation = kri_fork_generation();
    return server;
}

/* The sockets */

static int add_socket(kr_server *server, const os_address *address, const os_net_options *options)
{
    kri_listening *l = &server->listening[server->sockets];
    int fd = os_net_bind(address, options, &l->address);
    if (fd < 0)
        return fd;
    l->server = server;
    l->fd = fd;
    server->sockets++;
    return 0;
}

static void close_sockets(kr_server *server)
{
    while (server->sockets > 0)
        (void)kr_close(server->listening[--server->sockets].fd);
}

/* A family that this machine has not. */
static bool is_missing(int error)
{
    return error == -EAFNOSUPPORT || error == -EADDRNOTAVAIL;
}

static int add_all(kr_server *server, const os_address *list, int count, bool lenient)
{
    const kr_server_options *o = &server->options;
    os_net_options options = {.backlog = o->backlog != 0 ? o->backlog : BACKLOG,
                              .reuse_port = o->reuse_port,
                              .ipv6_only = true};
    int missing = -EADDRNOTAVAIL;
    for (int i = 0; i < count; i++) {
        os_address address = list[i];
        if (o->ipv6_only && address.family != OS_IPV6)
            continue;
        if (server->sockets > 0 && os_net_port(&address) == 0) /* the one that was chosen */
            os_net_set_port(&address, os_net_port(&server->listening[0].address));
        int err = add_socket(server, &address, &options);
        if (err < 0 && !(lenient && is_missing(err)))
            return err;
        missing = err < 0 ? err : missing;
    }
    return server->sockets > 0 ? 0 : missing;
}

/* Where the port is free to choose, one address may find what was chosen taken. */
static int listen_at(kr_server *server, const char *host, int port)
{
    os_address list[KRI_SERVER_SOCKETS];
    char service[16];
    snprintf(service, sizeof service, "%d", port);
    int count =
        kri_address_look_up(list, KRI_SERVER_SOCKETS, host, service, false, true, KRI_NEVER);
    int err = count < 0 ? count : -EADDRINUSE;
    for (int i = 0; i < TRIES && err == -EADDRINUSE; i++) {
        err = add_all(server, list, count, host == NULL || host[0] == '\0');
        if (err < 0)
            close_sockets(server);
        if (port != 0)
            break;
    }
    return err;
}

static int start(kr_server **server, kr_server *made, int err)
{
    if (err == 0) {
        err = kri_server_start(made);
        if (err < 0)
            kr_server_close(made);
    }
    if (err < 0)
        kri_server_release(made);
    else
        *server = made;
    return err;
}

int kr_server_open(kr_server **server, const char *host, int port, kr_serve_fn handler, void *arg,
                   const kr_server_options *options)
{
    if (server == NULL)
        return -EINVAL;
    *server = NULL;
    if (handler == NULL || port < 0 || port > UINT16_MAX || !options_check(options))
        return -EINVAL;
    kr_server *made = new_server(handler, arg, options);
    return made != NULL ? start(server, made, listen_at(made, host, port)) : -ENOMEM;
}

/* Unix sockets */

/* Is a file at the path that nobody listens at?  Then it is removed. */
static bool remove_stale(const os_address *address)
{
    os_file_identity file;
    int fd;
    if (os_net_is_socket_file(address) != 1 || os_socket_file(address, &file) < 0)
        return false;
    int err = os_net_connect(address, &fd);
    if (fd >= 0)
        (void)kr_close(fd);
    if (err != -ECONNREFUSED)
        return false;
    os_socket_remove_file(address, &file);
    return true;
}

static int listen_at_path(kr_server *server, const char *path)
{
    kr_address name;
    os_address address;
    const kr_server_options *o = &server->options;
    os_net_options options = {.backlog = o->backlog != 0 ? o->backlog : BACKLOG,
                              .mode = o->mode != 0 ? (uint32_t)o->mode : MODE};
    int err = kr_address_unix(&name, path);
    if (err == 0)
        err = kri_address_to_os(&address, &name);
    if (err < 0)
        return err;
    err = add_socket(server, &address, &options);
    if (err == -EADDRINUSE && path[0] != '@' && remove_stale(&address))
        err = add_socket(server, &address, &options);
    if (err == 0)
        server->has_file =
            path[0] != '@' && !o->keep_file && os_socket_file(&address, &server->file) == 0;
    return err;
}

int kr_server_open_unix(kr_server **server, const char *path, kr_serve_fn handler, void *arg,
                        const kr_server_options *options)
{
    if (server == NULL)
        return -EINVAL;
    *server = NULL;
    if (handler == NULL || !options_check(options))
        return -EINVAL;
    kr_server *made = new_server(handler, arg, options);
    return made != NULL ? start(server, made, listen_at_path(made, path)) : -ENOMEM;
}
