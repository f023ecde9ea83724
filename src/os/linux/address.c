/* Addresses of sockets, and the files behind those that are paths.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/socket.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

_Static_assert(sizeof(struct sockaddr_storage) <= OS_ADDRESS_BYTES, "an address of any family");

enum { PATH_AT = offsetof(struct sockaddr_un, sun_path) };

/* A path may fill all its room: there is no zero byte behind it then but the one that the system
 * counts, beyond the structure. */
static int path_length(const os_address *address)
{
    enum { ROOM = sizeof(((struct sockaddr_un *)0)->sun_path) };
    size_t length = address->size > PATH_AT ? address->size - PATH_AT : 0;
    return (int)(length < ROOM ? length : ROOM);
}

int os_address_unix(os_address *address, const char *name, size_t length)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    bool abstract = length > 0 && name[0] == '\0';
    if (length == 0 || (!abstract && memchr(name, '\0', length)))
        return -EINVAL;
    if (length > sizeof un.sun_path - !abstract)
        return -ENAMETOOLONG;
    memcpy(un.sun_path, name, length);
    *address = (os_address){.family = OS_UNIX, .size = (uint32_t)(PATH_AT + length + !abstract)};
    memcpy(address->bytes, &un, sizeof un);
    return 0;
}

static int error_of_finding(int error)
{
    switch (error) {
    case EAI_MEMORY:
        return -ENOMEM;
    case EAI_AGAIN:
        return -EAGAIN;
    case EAI_SYSTEM:
        return errno != 0 ? -errno : -ENXIO;
    default:
        return -ENXIO;
    }
}

static int copy_found(const struct addrinfo *found, os_address *list, int most)
{
    int count = 0;
    for (const struct addrinfo *one = found; one != NULL && count < most; one = one->ai_next) {
        if (one->ai_family != AF_INET && one->ai_family != AF_INET6)
            continue;
        os_address *address = &list[count++];
        *address = (os_address){.size = (uint32_t)one->ai_addrlen,
                                .family = one->ai_family == AF_INET ? OS_IPV4 : OS_IPV6};
        memcpy(address->bytes, one->ai_addr, one->ai_addrlen);
    }
    return count > 0 ? count : -ENXIO;
}

int os_address_find(os_address *list, int most, const char *host, uint16_t port, unsigned family,
                    bool listening)
{
    char service[8];
    snprintf(service, sizeof service, "%u", (unsigned)port);
    struct addrinfo wanted = {.ai_family = family == OS_IPV4   ? AF_INET
                                           : family == OS_IPV6 ? AF_INET6
                                                               : AF_UNSPEC,
                              .ai_socktype = SOCK_STREAM,
                              .ai_flags = AI_NUMERICSERV | (listening ? AI_PASSIVE : 0)};
    struct addrinfo *found = NULL;
    int saved = errno;
    errno = 0;
    int error = getaddrinfo(host, service, &wanted, &found);
    int result = error != 0 ? error_of_finding(error) : copy_found(found, list, most);
    if (error == 0)
        freeaddrinfo(found);
    errno = saved;
    return result;
}

/* As text */

static int unix_text(const os_address *address, char *text, size_t size)
{
    struct sockaddr_un un;
    memcpy(&un, address->bytes, sizeof un);
    int length = path_length(address);
    if (length > 0 && un.sun_path[0] == '\0')
        return snprintf(text, size, "@%.*s", length - 1, un.sun_path + 1);
    return snprintf(text, size, "%.*s", length, un.sun_path);
}

size_t os_address_text(const os_address *address, char *text, size_t size)
{
    char host[INET6_ADDRSTRLEN] = "?";
    int length;
    if (address->family == OS_UNIX) {
        length = unix_text(address, text, size);
    } else if (address->family == OS_IPV4) {
        struct sockaddr_in in;
        memcpy(&in, address->bytes, sizeof in);
        inet_ntop(AF_INET, &in.sin_addr, host, sizeof host);
        length = snprintf(text, size, "tcp:%s:%u", host, (unsigned)ntohs(in.sin_port));
    } else {
        struct sockaddr_in6 in6;
        memcpy(&in6, address->bytes, sizeof in6);
        inet_ntop(AF_INET6, &in6.sin6_addr, host, sizeof host);
        length = snprintf(text, size, "tcp6:[%s]:%u", host, (unsigned)ntohs(in6.sin6_port));
    }
    return length < 0 ? 0 : (size_t)length;
}

/* Files */

static bool path_of(const os_address *address, char *path)
{
    struct sockaddr_un un;
    memcpy(&un, address->bytes, sizeof un);
    if (address->family != OS_UNIX || address->size <= PATH_AT || un.sun_path[0] == '\0')
        return false;
    snprintf(path, sizeof un.sun_path + 1, "%.*s", path_length(address), un.sun_path);
    return true;
}

int os_socket_file(const os_address *address, os_file_identity *identity)
{
    char path[sizeof(struct sockaddr_un) + 1];
    struct stat s;
    int saved = errno;
    int error = path_of(address, path) && lstat(path, &s) == 0 ? 0 : -ENOENT;
    errno = saved;
    if (error == 0)
        *identity = (os_file_identity){s.st_dev, s.st_ino};
    return error;
}

void os_socket_remove_file(const os_address *address, const os_file_identity *identity)
{
    char path[sizeof(struct sockaddr_un) + 1];
    os_file_identity now;
    if (os_socket_file(address, &now) < 0 || now.device != identity->device ||
        now.file != identity->file)
        return;
    int saved = errno;
    path_of(address, path);
    (void)unlink(path);
    errno = saved;
}
