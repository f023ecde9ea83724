/* Connections over sockets; see socket.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_SOCKET_H
#define KRI_CONNECTION_SOCKET_H

#include "connection/connection.h"
#include "connection/stream.h"

/* kri_socket_create - a connection over a connected stream socket, which it owns on success.  Only
 * the creator knows it until kri_socket_begin.  0; -ENOMEM */
int kri_socket_create(int fd, uint64_t max_message, kr_connection **c);
void kri_socket_begin(kr_connection *c);
void kri_socket_discard(kr_connection *c); /* one that was not begun */
kri_stream *kri_socket_stream(kr_connection *c);

#endif
