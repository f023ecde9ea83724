/* Addresses as the program writes them: "/path", "@name", "tcp:host:port".
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/address.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MOST = 255 };

/* The text behind the prefix, NULL: it has another one. */
static const char *behind(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

static bool read_port(const char *text, uint16_t *port)
{
    uint32_t number = 0;
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (*text < '0' || *text > '9')
            return false;
        number = number * 10 + (uint32_t)(*text - '0');
        if (number > UINT16_MAX)
            return false;
    }
    *port = (uint16_t)number;
    return true;
}

/* "host:port" or "[host]:port"; a colon in a host without brackets is a mistake. */
static bool read_host(const char *text, char *host, uint16_t *port)
{
    const char *colon = strrchr(text, ':');
    if (colon == NULL || !read_port(colon + 1, port))
        return false;
    size_t length = (size_t)(colon - text);
    if (length >= 2 && text[0] == '[' && text[length - 1] == ']') {
        text++;
        length -= 2;
    } else if (memchr(text, ':', length) != NULL) {
        return false;
    }
    if (length > HOST_MOST)
        return false;
    memcpy(host, text, length);
    host[length] = '\0';
    return true;
}

/* A listener has one address.  IPv4 is what Python's listeners and clients use. */
static int choose_one(os_address *list, int count)
{
    for (int i = 0; i < count; i++) {
        if (list[i].family == OS_IPV4) {
            list[0] = list[i];
            break;
        }
    }
    return 1;
}

static int find(const char *text, unsigned family, bool listening, os_address *list)
{
    char host[HOST_MOST + 1];
    uint16_t port;
    if (!read_host(text, host, &port))
        return -EINVAL;
    if (host[0] == '\0' && listening && family == OS_FAMILY_ANY)
        family = OS_IPV4;
    int count = os_address_find(list, KRI_ADDRESSES, host[0] != '\0' ? host : NULL, port, family,
                                listening);
    return count > 0 && listening ? choose_one(list, count) : count;
}

int kri_address_read(const char *text, bool listening, os_address *list)
{
    const char *rest;
    int err;
    if ((rest = behind(text, "tcp:")) != NULL)
        return find(rest, OS_FAMILY_ANY, listening, list);
    if ((rest = behind(text, "tcp4:")) != NULL)
        return find(rest, OS_IPV4, listening, list);
    if ((rest = behind(text, "tcp6:")) != NULL)
        return find(rest, OS_IPV6, listening, list);
    if (behind(text, "\\\\") != NULL)
        return -EINVAL; /* a pipe of Windows */
    if (text[0] != '@') {
        err = os_address_unix(list, text, strlen(text));
    } else {
        char name[OS_ADDRESS_BYTES];
        size_t length = strlen(text);
        if (length < 2)
            return -EINVAL;
        if (length > sizeof name)
            return -ENAMETOOLONG;
        memcpy(name, text, length);
        name[0] = '\0';
        err = os_address_unix(list, name, length);
    }
    return err < 0 ? err : 1;
}

int kri_address_make_up(os_address *address)
{
    uint64_t number;
    char path[OS_ADDRESS_BYTES];
    const char *folder = getenv("TMPDIR");
    os_random(&number, sizeof number);
    if (folder == NULL || folder[0] == '\0')
        folder = "/tmp";
    int length = snprintf(path, sizeof path, "%s/krait-listener-%016llx", folder,
                          (unsigned long long)number);
    if (length < 0 || (size_t)length >= sizeof path)
        return -ENAMETOOLONG;
    return os_address_unix(address, path, (size_t)length);
}
