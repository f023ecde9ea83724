/* The contract with the system, sockets: making, binding, naming.  Bytes go through os/io.h.
 *
 * As os.h: errors are negative errno, descriptors are closed by exec, and nothing here blocks.
 * Sockets are non-blocking.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_NET_H
#define KRI_OS_NET_H

#include "os/socket.h"

struct sockaddr;
struct addrinfo;

/* From the system's form: an address of `size` bytes; -EAFNOSUPPORT: of another family than
 * os_address knows, -EINVAL: it is too long. */
int os_net_address(os_address *address, const struct sockaddr *name, uint32_t size);

/* A socket of the address's family. */
int os_net_socket(unsigned family, bool datagram);

typedef struct os_net_options {
    int backlog;     /* 0: it does not listen */
    bool reuse_port; /* others may have the port, too */
    bool ipv6_only;  /* an IPv6 socket takes no IPv4 */
    bool broadcast;  /* of a datagram socket */
    bool datagram;   /* no stream */
    uint32_t mode;   /* of a Unix socket's file; 0: as the umask leaves it */
} os_net_options;

/* A socket that is bound and, with a backlog, listens.  *bound gets the address with the port that
 * the system chose.  The descriptor; -EADDRINUSE, -EACCES, -EMFILE ... */
int os_net_bind(const os_address *address, const os_net_options *options, os_address *bound);

/* A stream socket that is on its way: 0: connected; -EINPROGRESS: it becomes writable when that is
 * decided, see os_socket_connected.  *fd is -1 otherwise. */
int os_net_connect(const os_address *address, int *fd);

/* A socket that listens ceases to, at once, and accepts that wait for it end with an error. */
void os_net_stop(int fd);

/* Options of one that was made otherwise. */
int os_net_broadcast(int fd);
void os_net_no_delay(int fd); /* small messages do not wait for answers to those before them */

/* The socket's own address, or its peer's; -ENOTSOCK, -ENOTCONN. */
int os_net_name(int fd, bool peer, os_address *address);

/* The flag of a receive that makes it say how long the whole message was. */
int os_net_whole_length(void);

/* The port of an IP address, 0 for others; and set. */
unsigned os_net_port(const os_address *address);
void os_net_set_port(os_address *address, unsigned port);

/* Is there a socket at the path?  1, 0: something else; -ENOENT ... */
int os_net_is_socket_file(const os_address *address);

/* Watch for a connect's being decided, in a set of os_watch_create. */
int os_net_watch_connect(int watch, int fd, uint64_t key);

#endif
