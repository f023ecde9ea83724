/* kr_address - where a socket is: an IP address with a port, a Unix socket's path or name.
 *
 *     kr_address to;
 *     err = kr_address_find(&to, "collector.example.org", "8125", kr_sec(5));
 *     err = kr_datagram_sendto(d, bytes, size, &to, KR_FOREVER);
 *
 * A plain value, in the system's form: `storage` may be handed to bind(2) and its kin with `size`.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_ADDRESS_H
#define KRAIT_ADDRESS_H

#include <krait/base.h>

KR_EXTERN_BEGIN

typedef struct kr_address {
    uint64_t storage[16]; /* a struct sockaddr of the system's */
    uint32_t size;        /* of that, bytes; 0: none */
} kr_address;

/* kr_address_find - the first IP address of a host, as the system prefers them.
 *
 *   host      a name or a number; NULL or "": this machine
 *   service   a port as a number, or the name of a service
 *
 * Returns   0; as kr_getaddrinfo; -EINVAL: no service, or a negative timeout.  On an error
 *           address->size is 0
 * Blocks    while the name is looked up: a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_address_find(kr_address *address, const char *host, const char *service,
                                        kr_time timeout);

/* kr_address_unix - of a Unix socket: a path, or "@name" in the abstract name space.
 *
 * Returns   0; -ENAMETOOLONG: more than 107 bytes; -EINVAL: empty
 */
KR_API KR_NODISCARD int kr_address_unix(kr_address *address, const char *path);

/* kr_address_port - the port of an IP address.
 *
 * Returns   0 to 65535; -EINVAL: it is no IP address */
KR_API int kr_address_port(const kr_address *address);

/* kr_address_text - "127.0.0.1:80", "[::1]:80", "/path", "@name"; "" for a Unix socket without a
 * name, and where there is none.
 *
 * The text and a zero byte are written to `text` of `size` bytes, as far as they fit, for which
 * KR_ADDRESS_TEXT are always enough.  The length of the whole text. */
#define KR_ADDRESS_TEXT 160
KR_API size_t kr_address_text(const kr_address *address, char *text, size_t size);

KR_EXTERN_END

#endif
