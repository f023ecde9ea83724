/* Accepting connections, and running their handlers.  See server.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/executor.h"
#include "loop/loop.h"
#include "stream/pump.h"
#include "stream/server.h"
#include <krait/coroutine.h>
#include <krait/io.h>
#include <krait/thread.h>

/* What each error that is no connection's own costs: the system is asked again after this. */
enum { BACK_OFF_MS = 1000, CLOSE_SECONDS = 30, IN_A_ROW = 16 };

static void report(int error, const char *where)
{
    kri_task_report_error(error, where, NULL);
}

/* A connection */

static void unlink_client(kri_client *client)
{
    kr_server *server = client->server;
    kri_mutex_lock(&server->lock);
    if (client->next != NULL)
        client->next->previous = client->previous;
    if (client->previous != NULL)
        client->previous->next = client->next;
    else
        server->clients = client->next;
    server->connections--;
    server->places--;
    kri_server_raise(server);
    kri_mutex_unlock(&server->lock);
}

static void end_client(kri_client *client)
{
    kr_server *server = client->server;
    kr_stream_abort(client->stream); /* nothing, if it was closed */
    unlink_client(client);
    kr_stream_release(client->stream);
    os_free(client);
    kri_server_release(server);
}

static void run_client(kri_client *client)
{
    kr_server *server = client->server;
    kr_time timeout = server->options.close_timeout;
    kri_coroutine_runs_for((uintptr_t)server->handler);
    int err = server->handler(client->stream, server->arg);
    (void)kr_stream_close(client->stream, timeout != 0 ? timeout : kr_sec(CLOSE_SECONDS));
    if (err < 0)
        report(err, "connection");
}

static int run_as_task(const void *arg, void *result)
{
    (void)result;
    run_client((kri_client *)(uintptr_t)arg);
    return 0;
}

static int task_done(kr_future *future, void *arg)
{
    (void)future;
    end_client(arg);
    return 0;
}

static int run_as_thread(void *arg)
{
    run_client(arg);
    end_client(arg);
    return 0;
}

/* On an error it has not begun, and never will. */
static int have_run(kri_client *client)
{
    static const kr_thread_options in_thread = {.name = "connection", .daemon = KR_DAEMON_YES};
    static const kr_spawn_options in_loop = {.name = "connection"};
    kr_executor *executor = client->server->options.executor;
    kr_future *future = NULL;
    int err;
    if (executor == NULL && kr_running_loop() == NULL)
        return kr_thread_start(NULL, run_as_thread, client, 0, &in_thread);
    if (executor != NULL)
        err = kr_submit(executor, &future, run_as_task, client, 0, 0);
    else
        err = kr_spawn(&future, run_as_task, client, 0, 0, &in_loop);
    if (err < 0)
        return err;
    err = kr_future_add_done_callback(future, task_done, client);
    if (err < 0) { /* nobody else would tidy up after it */
        (void)kr_future_cancel(future);
        kr_shield {
            int ignored, ended = kr_future_exception(future, &ignored, KR_FOREVER);
            (void)ended;
        }
        end_client(client);
    }
    kr_future_release(future);
    return 0;
}

static kri_client *new_client(kr_server *server, int fd, int *err)
{
    kri_client *client = os_alloc(sizeof *client);
    *err = client != NULL ? kr_stream_open(&client->stream, fd, &server->options.stream) : -ENOMEM;
    if (*err < 0) {
        os_free(client);
        return NULL;
    }
    client->server = server;
    (void)kri_add_rlx(&server->references, 1);
    kri_mutex_lock(&server->lock);
    client->next = server->clients;
    if (client->next != NULL)
        client->next->previous = client;
    server->clients = client;
    server->connections++;
    kri_mutex_unlock(&server->lock);
    return client;
}

static void give_place_back(kr_server *server)
{
    kri_mutex_lock(&server->lock);
    server->places--;
    kri_server_raise(server);
    kri_mutex_unlock(&server->lock);
}

int kri_client_begin(kr_server *server, int fd)
{
    int err;
    kri_client *client = new_client(server, fd, &err);
    if (client == NULL) {
        (void)kr_close(fd);
        give_place_back(server);
        return err;
    }
    err = have_run(client);
    if (err < 0)
        end_client(client);
    return err;
}

/* Accepting */

/* Wait for a place; false: closed, or the acceptor is cancelled. */
static bool take_place(kr_server *server)
{
    int most = server->options.max_connections;
    int err = 0;
    kri_mutex_lock(&server->lock);
    while (!server->closed && most > 0 && server->places >= most && err == 0)
        err = kri_server_sleep(server, KRI_NEVER);
    bool taken = !server->closed && err == 0;
    server->places += taken;
    kri_mutex_unlock(&server->lock);
    return taken;
}

/* After an error that will not go away at once; false: closed, or cancelled. */
static bool back_off(kri_listening *l, int error)
{
    kr_server *server = l->server;
    kr_time deadline = os_now() + kr_ms(BACK_OFF_MS);
    int err = 0;
    kri_mutex_lock(&server->lock);
    bool tell = !l->starved && !server->closed;
    kri_mutex_unlock(&server->lock);
    if (tell)
        report(error, "server");
    l->starved = true;
    kri_mutex_lock(&server->lock);
    int connections = server->connections;
    while (!server->closed && server->connections >= connections && err == 0)
        err = kri_server_sleep(server, deadline); /* or until one that ends makes room */
    bool go_on = !server->closed && err != -ECANCELED;
    kri_mutex_unlock(&server->lock);
    return go_on;
}

/* One connection; false: no more. */
static bool accept_one(kri_listening *l)
{
    if (!take_place(l->server))
        return false;
    int fd = kr_accept(l->fd, NULL, NULL, KR_FOREVER);
    if (fd < 0) {
        give_place_back(l->server);
        return fd != -ECANCELED && fd != -EBADF && back_off(l, fd);
    }
    if (l->address.family != OS_UNIX)
        os_net_no_delay(fd);
    int err = kri_client_begin(l->server, fd);
    if (err < 0)
        return err != KR_ESHUTDOWN && err != -ECANCELED && back_off(l, err);
    l->starved = false;
    if (++l->in_a_row % IN_A_ROW == 0)
        (void)kr_yield(); /* a crowd before the door must not keep those inside waiting */
    return true;
}

static void accept_all(kri_listening *l)
{
    if (kr_cancel_scope_enter(&l->scope, KR_FOREVER) == 0) {
        while (accept_one(l))
            ;
        (void)kr_cancel_scope_exit(&l->scope);
    }
}

static void end_acceptor(kri_listening *l)
{
    kr_server *server = l->server;
    kr_server_close(server); /* also where its loop is at its end */
    kri_mutex_lock(&server->lock);
    int fd = l->fd;
    l->fd = -1;
    kri_mutex_unlock(&server->lock);
    (void)kr_close(fd);
    kri_mutex_lock(&server->lock);
    server->accepting--;
    kri_server_raise(server);
    kri_mutex_unlock(&server->lock);
    kri_server_release(server);
}

static int accept_as_thread(void *arg)
{
    accept_all(arg);
    end_acceptor(arg);
    return 0;
}

static int accept_as_task(const void *arg, void *result)
{
    (void)result;
    accept_all((kri_listening *)(uintptr_t)arg);
    return 0;
}

static int acceptor_done(kr_future *future, void *arg)
{
    (void)future;
    end_acceptor(arg);
    return 0;
}

static int begin_acceptor(kri_listening *l)
{
    static const kr_thread_options in_thread = {.name = "server", .daemon = KR_DAEMON_YES};
    if (kr_running_loop() != NULL)
        return kri_stream_spawn("server", accept_as_task, l, acceptor_done);
    return kr_thread_start(NULL, accept_as_thread, l, 0, &in_thread);
}

int kri_server_start(kr_server *server)
{
    int err = 0;
    for (int i = 0; i < server->sockets && err == 0; i++) {
        (void)kri_add_rlx(&server->references, 1);
        kri_mutex_lock(&server->lock);
        server->accepting++;
        kri_mutex_unlock(&server->lock);
        err = begin_acceptor(&server->listening[i]);
        if (err == 0)
            continue;
        kri_mutex_lock(&server->lock);
        server->accepting--;
        kri_mutex_unlock(&server->lock);
        kri_server_release(server);
        for (int k = i; k < server->sockets; k++) { /* nobody's but ours */
            (void)kr_close(server->listening[k].fd);
            server->listening[k].fd = -1;
        }
    }
    return err;
}
