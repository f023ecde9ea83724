/* What the files of the server share.
 *
 * State of a server: it accepts, or is closed.  Each of its listening sockets has an acceptor, a
 * runner of its own, until it is closed; each connection has a runner until its handler returned.
 *
 * Protocol
 *   - Close marks it, stops the sockets, and cancels the acceptors' scopes.  An acceptor closes its
 *     own socket: nobody's number is given back to the system while he may use it.
 *   - A connection takes a place before it is accepted, so that there are never too many.
 *   - What remains of a connection is tidied up by whoever ran the handler, or, where its task was
 *     dropped before it began, by the task's done callback.
 *   - Handle, acceptors and connections hold a reference each.
 *
 * Ordering: everything is behind `lock`; `changed` is raised under it, sequentially consistent, as
 * kri_wake asks [wait-1].
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_SERVER_H
#define KRI_STREAM_SERVER_H

#include "stream/internal.h"
#include <krait/server.h>

enum { KRI_SERVER_SOCKETS = 8 };

typedef struct kri_listening {
    kr_server *server; /* const, as the next two */
    int fd;            /* -1 once its acceptor has closed it; guarded by the server's lock */
    os_address address;
    kr_cancel_scope scope; /* of its acceptor */
    bool starved;          /* acceptor: that nothing can be accepted has been reported */
    unsigned in_a_row;     /* acceptor: connections since it began */
} kri_listening;

typedef struct kri_client {
    kr_server *server; /* const */
    kr_stream *stream; /* const */
    struct kri_client *next;
    struct kri_client *previous;
} kri_client;

struct kr_server {
    kr_word references; /* atomic */
    kri_mutex lock;
    kr_word changed;  /* guarded by lock; waited on */
    uint32_t waiting; /* guarded by lock, as the next five: who waits on `changed` */
    bool closed;
    int accepting; /* acceptors that have not ended */
    int places;    /* connections, with those that are about to be accepted */
    int connections;
    kri_client *clients;
    kr_serve_fn handler; /* const, as all that follows */
    void *arg;
    kr_server_options options;
    uint32_t generation; /* of forks, as the next one; see enter in server.c */
    bool is_copy;        /* a forked child's */
    bool has_file;
    os_file_identity file;
    int sockets;
    kri_listening listening[KRI_SERVER_SOCKETS];
};

void kri_server_release(kr_server *server);

/* pre: the lock, as in stream/internal.h */
void kri_server_raise(kr_server *server);
int kri_server_sleep(kr_server *server, kr_time deadline);

/* Begin an acceptor for each socket; on an error those that have begun end by themselves. */
int kri_server_start(kr_server *server);

/* A connection: have its handler run.  It takes the place that the acceptor had for it.  On an
 * error it is closed. */
int kri_client_begin(kr_server *server, int fd);

#endif
