/* The contract with the system, stream sockets: addresses, listening, connecting, bytes.
 *
 * As os.h: errors are negative errno, descriptors are closed by exec, and unless it says otherwise
 * a function neither blocks nor is interrupted by a signal.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_OS_SOCKET_H
#define KRI_OS_SOCKET_H

#include "os/os.h"

/* Addresses */

enum { OS_ADDRESS_BYTES = 128, OS_ADDRESS_TEXT = 160 };

enum os_family { OS_FAMILY_ANY, OS_UNIX, OS_IPV4, OS_IPV6 };

typedef struct os_address {
    _Alignas(8) unsigned char bytes[OS_ADDRESS_BYTES]; /* the system's form */
    uint32_t size;
    uint32_t family; /* OS_UNIX, OS_IPV4 or OS_IPV6 */
} os_address;

/* A path, or, when its first byte is 0, a name without a file.  -ENAMETOOLONG, -EINVAL: empty, or a
 * path with a zero byte. */
int os_address_unix(os_address *address, const char *name, size_t length);

/* The addresses of a host, at most `most` of them, in the system's order of preference; host NULL:
 * every interface (listening), or this machine.  family: OS_FAMILY_ANY or one of the IPs.
 * May block, and cannot be interrupted: it may ask name servers.  How many, at least 1; -ENXIO:
 * there is no such host; -EAGAIN: no answer at present; -ENOMEM. */
int os_address_find(os_address *list, int most, const char *host, uint16_t port, unsigned family,
                    bool listening);

/* "/path", "@name", "tcp:127.0.0.1:80", "tcp6:[::1]:80", or "" for a nameless Unix socket.  The
 * length of the whole text, of which size - 1 bytes and a zero byte are written. */
size_t os_address_text(const os_address *address, char *text, size_t size);

/* Listening */

/* bound: gets the address with the port that the system chose.  owner_only: no other user may
 * connect to the path.  The descriptor; -EADDRINUSE, -EACCES, -EMFILE ... */
int os_socket_listen(const os_address *address, int backlog, bool owner_only, os_address *bound);

/* The next client's descriptor and its address; -EAGAIN: nobody waits; -EMFILE, -ENFILE ...: the
 * client still waits. */
int os_socket_accept(int listener, os_address *peer);

/* The file behind a path, to know it again: 0, or -ENOENT.  It is removed if it is still that. */
typedef struct os_file_identity {
    uint64_t device;
    uint64_t file;
} os_file_identity;
int os_socket_file(const os_address *address, os_file_identity *identity);
void os_socket_remove_file(const os_address *address, const os_file_identity *identity);

/* Connecting */

/* *fd gets a socket: 0: connected; -EINPROGRESS: it becomes writable when it is decided.  *fd is -1
 * otherwise: -EAGAIN: too many wait at that listener, ask again; -ECONNREFUSED, -ENOENT ... */
int os_socket_connect(const os_address *address, int *fd);
int os_socket_connected(int fd); /* how it was decided */

/* Two connected Unix stream sockets. */
int os_socket_pair(int fds[2]);

bool os_socket_is_stream(int fd); /* of a family that addresses here have */
bool os_socket_is_local(int fd);  /* a Unix socket */
int os_socket_cpu(int fd);        /* where its last bytes came in, a hint; -1: unknown */
int os_socket_shutdown(int fd);   /* nothing more will be sent */

/* Bytes */

typedef struct os_part {
    void *bytes;
    size_t size;
} os_part;
enum { OS_PARTS = 4 };

/* Send from, or receive into, up to OS_PARTS parts in order; a call that a signal interrupts goes
 * on.  Blocks only with `wait`, and not even then on a descriptor that somebody has set so.
 * How many bytes, 0 of receive: the end; -EAGAIN, -EPIPE, -ECONNRESET ...  No SIGPIPE. */
int64_t os_socket_send(int fd, const os_part *parts, int count, bool wait);
int64_t os_socket_receive(int fd, const os_part *parts, int count, bool wait);

/* How long os_socket_receive_patiently may last on this descriptor, OS_NEVER: for ever; about.  It
 * is in blocking mode from then on.  0, or an error. */
int os_socket_set_patience(int fd, kr_time most);
/* Receive.  May block.  How many bytes, 0: the end; -EAGAIN: it was too long; -EINTR ... */
int64_t os_socket_receive_patiently(int fd, void *bytes, size_t size);

/* A set of descriptors that is itself one: readable while any of them is. */

int os_watch_create(void);
int os_watch_add(int watch, int fd, uint64_t key);
int os_watch_add_for(int watch, int fd, unsigned events); /* OS_READABLE or OS_WRITABLE; key 0 */
void os_watch_remove(int watch, int fd);                  /* before fd is closed */
int os_watch_next(int watch, uint64_t *key); /* of one that is ready, in turn: 1; 0: none is */

#endif
