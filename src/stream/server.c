/* A server's life.  See server.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/server.h"
#include "wait/stall.h"
#include <krait/io.h>

void kri_server_release(kr_server *server)
{
    if (kri_sub_acq_rel(&server->references, 1) == 1)
        os_free(server);
}

void kri_server_raise(kr_server *server)
{
    (void)kri_add_sc(&server->changed, 1); /* [wait-1] */
    if (server->waiting != 0)
        (void)kri_wake(&server->changed, KRI_ALL, 0);
}

/* Lock it.  In a forked child nobody is here who accepts, serves or waits, nor who had the lock. */
static void enter(kr_server *server)
{
    if (kri_forked_since(server->generation)) {
        kri_store_rlx(&server->lock, 0);
        server->waiting = 0;
        server->accepting = server->connections = 0;
        server->clients = NULL;
        server->is_copy = true;
        server->generation = kri_fork_generation();
    }
    kri_mutex_lock(&server->lock);
}

static void describe(const kr_word *word, kri_text *text)
{
    kri_text_add(text, "a server at %p",
                 (const void *)((const char *)word - offsetof(kr_server, changed)));
}

int kri_server_sleep(kr_server *server, kr_time deadline)
{
    uint32_t seen = kri_load_rlx(&server->changed);
    server->waiting++;
    kri_mutex_unlock(&server->lock);
    int err = kri_wait_for(&server->changed, seen, deadline, KRI_IDLE, describe);
    kri_mutex_lock(&server->lock);
    server->waiting--;
    return err == -EAGAIN ? 0 : err;
}

static void remove_file(kr_server *server)
{
    if (server->has_file)
        os_socket_remove_file(&server->listening[0].address, &server->file);
}

/* The acceptors are in the parent: there the sockets go on. */
static void close_copies(kr_server *server)
{
    for (int i = 0; i < server->sockets; i++) {
        if (server->listening[i].fd >= 0)
            (void)kr_close(server->listening[i].fd);
        server->listening[i].fd = -1;
    }
}

static void stop_accepting(kr_server *server)
{
    kri_mutex_lock(&server->lock);
    for (int i = 0; i < server->sockets; i++) {
        if (server->listening[i].fd >= 0)
            os_net_stop(server->listening[i].fd);
    }
    kri_mutex_unlock(&server->lock);
    remove_file(server);
    for (int i = 0; i < server->sockets; i++)
        kr_cancel(&server->listening[i].scope);
}

void kr_server_close(kr_server *server)
{
    enter(server);
    bool first = !server->closed;
    server->closed = true;
    kri_server_raise(server);
    kri_mutex_unlock(&server->lock);
    if (first && server->is_copy)
        close_copies(server);
    else if (first)
        stop_accepting(server);
}

int kr_server_serve_forever(kr_server *server)
{
    int err = 0;
    enter(server);
    while (!server->closed && err == 0)
        err = kri_server_sleep(server, KRI_NEVER);
    kri_mutex_unlock(&server->lock);
    if (err < 0)
        kr_server_close(server);
    return err;
}

int kr_server_wait_closed(kr_server *server, kr_time timeout)
{
    if (timeout < 0)
        return -EINVAL;
    kr_time deadline = kri_deadline(timeout);
    int err = 0;
    enter(server);
    while ((!server->closed || server->accepting > 0 || server->connections > 0) && err == 0)
        err = kri_server_sleep(server, deadline);
    kri_mutex_unlock(&server->lock);
    return err;
}

/* Clients */

/* The streams of all connections, each with a reference more; NULL: none, or no memory. */
static kr_stream **all_streams(kr_server *server, int *count)
{
    enter(server);
    *count = 0;
    kr_stream **list = server->connections > 0
                           ? os_alloc((size_t)server->connections * sizeof(kr_stream *))
                           : NULL;
    for (kri_client *at = server->clients; at != NULL && list != NULL; at = at->next)
        list[(*count)++] = kr_stream_retain(at->stream);
    kri_mutex_unlock(&server->lock);
    return list;
}

static void with_each(kr_server *server, void (*act)(kr_stream *s))
{
    int count;
    kr_stream **list = all_streams(server, &count);
    for (int i = 0; i < count; i++) {
        act(list[i]);
        kr_stream_release(list[i]);
    }
    os_free(list);
}

void kr_server_close_clients(kr_server *server)
{
    with_each(server, kri_stream_end);
}

void kr_server_abort_clients(kr_server *server)
{
    with_each(server, kr_stream_abort);
}

/* About it */

int kr_server_port(const kr_server *server)
{
    const os_address *address = &server->listening[0].address;
    return address->family == OS_UNIX ? -EINVAL : (int)os_net_port(address);
}

int kr_server_address(const kr_server *server, int number, kr_address *address)
{
    *address = (kr_address){.size = 0};
    if (number < 0 || number >= server->sockets)
        return number < 0 ? -EINVAL : -ENOENT;
    kri_address_from_os(address, &server->listening[number].address);
    return 0;
}

int kr_server_connections(kr_server *server)
{
    enter(server);
    int count = server->connections;
    kri_mutex_unlock(&server->lock);
    return count;
}

bool kr_server_is_serving(kr_server *server)
{
    enter(server);
    bool serving = !server->closed;
    kri_mutex_unlock(&server->lock);
    return serving;
}

void kr_server_release(kr_server *server)
{
    if (server == NULL)
        return;
    kr_server_close(server);
    kri_server_release(server);
}

void kr_server_auto(kr_server **server)
{
    kr_server_release(*server);
    *server = NULL;
}
