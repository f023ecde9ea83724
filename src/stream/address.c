/* Addresses of sockets.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include <krait/io.h>
#include <netdb.h>
#include <string.h>

_Static_assert(sizeof(struct sockaddr_storage) <= OS_ADDRESS_BYTES, "one fits into the other");

void kri_address_from_os(kr_address *address, const os_address *from)
{
    *address = (kr_address){.size = (socklen_t)from->size};
    memcpy(&address->storage, from->bytes, from->size);
}

int kri_address_to_os(os_address *address, const kr_address *from)
{
    if (from->size > sizeof from->storage)
        return -EINVAL;
    return os_net_address(address, (const struct sockaddr *)&from->storage, (uint32_t)from->size);
}

int kri_address_look_up(os_address *list, int most, const char *host, const char *service,
                        bool datagram, bool listening, kr_time deadline)
{
    struct addrinfo hints = {.ai_socktype = datagram ? SOCK_DGRAM : SOCK_STREAM,
                             .ai_flags = listening ? AI_PASSIVE : 0};
    struct addrinfo *found = NULL;
    if (host != NULL && host[0] == '\0')
        host = NULL;
    int err = kr_getaddrinfo(host, service, &hints, &found, kri_left_until(deadline));
    if (err < 0)
        return err;
    int count = 0;
    for (const struct addrinfo *at = found; at != NULL && count < most; at = at->ai_next) {
        if (os_net_address(&list[count], at->ai_addr, (uint32_t)at->ai_addrlen) == 0)
            count++;
    }
    freeaddrinfo(found);
    return count > 0 ? count : -ENOENT;
}

int kr_address_find(kr_address *address, const char *host, const char *service, kr_time timeout)
{
    os_address first;
    *address = (kr_address){.size = 0};
    if (timeout < 0 || service == NULL)
        return -EINVAL;
    int count = kri_address_look_up(&first, 1, host, service, true, false, kri_deadline(timeout));
    if (count < 0)
        return count;
    kri_address_from_os(address, &first);
    return 0;
}

int kr_address_unix(kr_address *address, const char *path)
{
    os_address made;
    char name[OS_ADDRESS_BYTES];
    *address = (kr_address){.size = 0};
    size_t length = path != NULL ? strlen(path) : 0;
    if (length == 0 || (length == 1 && path[0] == '@'))
        return -EINVAL;
    if (length >= sizeof name)
        return -ENAMETOOLONG;
    memcpy(name, path, length);
    if (name[0] == '@')
        name[0] = '\0';
    int err = os_address_unix(&made, name, length);
    if (err == 0)
        kri_address_from_os(address, &made);
    return err;
}

int kr_address_port(const kr_address *address)
{
    os_address name;
    int err = kri_address_to_os(&name, address);
    if (err < 0 || name.family == OS_UNIX)
        return -EINVAL;
    return (int)os_net_port(&name);
}

size_t kr_address_text(const kr_address *address, char *text, size_t size)
{
    os_address name;
    char whole[OS_ADDRESS_TEXT] = "";
    const char *from = whole;
    if (kri_address_to_os(&name, address) == 0) {
        (void)os_address_text(&name, whole, sizeof whole);
        if (name.family != OS_UNIX)
            from = strchr(whole, ':') + 1; /* without "tcp:" */
    }
    size_t length = strlen(from);
    if (size > 0) {
        size_t n = length < size ? length : size - 1;
        memcpy(text, from, n);
        text[n] = '\0';
    }
    return length;
}
