/* Where a server is, as its users write it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "redis/internal.h"
#include <stdlib.h>

static const char *after(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool kri_redis_is_address(const char *where)
{
    return after(where, "redis:") != NULL || after(where, "rediss:") != NULL ||
           after(where, "unix:") != NULL;
}

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* %xx is a byte, in place.  False: it is none, or a zero byte. */
static bool decode(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; from++) {
        char c = *from;
        if (c == '%') {
            int high = digit_of(from[1]);
            int low = high >= 0 ? digit_of(from[2]) : -1;
            if (low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            from += 2;
        }
        *to++ = c;
    }
    *to = '\0';
    return true;
}

static bool read_number(const char *text, unsigned most, unsigned *number)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    unsigned long value = strtoul(text, &end, 10);
    *number = (unsigned)value;
    return *end == '\0' && value <= most;
}

/* "user:password@", "password@" before the rest; the rest. */
static char *read_user(kri_redis_address *a, char *text)
{
    char *at = strchr(text, '@');
    char *slash = strchr(text, '/');
    if (at == NULL || (slash != NULL && slash < at))
        return text;
    *at = '\0';
    char *colon = strchr(text, ':');
    a->password = colon != NULL ? colon + 1 : text;
    if (colon != NULL) {
        *colon = '\0';
        a->user = text;
    }
    bool good = decode(a->password) && (a->user == NULL || decode(a->user));
    if (a->user != NULL && a->user[0] == '\0')
        a->user = NULL;
    if (a->password[0] == '\0')
        a->password = NULL;
    return good ? at + 1 : NULL;
}

static bool read_unix(kri_redis_address *a, char *text)
{
    static const char slashes[] = "//";
    a->local = true;
    if (strncmp(text, slashes, 2) == 0)
        text = read_user(a, text + 2);
    if (text == NULL)
        return false;
    char *query = strchr(text, '?');
    if (query != NULL) {
        *query = '\0';
        const char *number = after(query + 1, "db=");
        if (number == NULL || !read_number(number, INT32_MAX, &a->base))
            return false;
    }
    a->host = text;
    return decode(text) && text[0] == '/';
}

/* "host", "host:port", "[::1]:port".  Afterwards host and service are there. */
static bool read_host(kri_redis_address *a, char *text)
{
    unsigned port;
    char *end = text + strcspn(text, ":");
    a->host = text;
    if (*text == '[') {
        a->host = text + 1;
        end = strchr(text, ']');
        if (end == NULL)
            return false;
        *end++ = '\0';
    }
    a->service = "6379";
    if (*end == ':') {
        a->service = end + 1;
        if (!read_number(a->service, 65535, &port))
            return false;
    } else if (*end != '\0') {
        return false;
    }
    *end = '\0';
    return true;
}

static bool read_net(kri_redis_address *a, char *text)
{
    text = read_user(a, text);
    if (text == NULL)
        return false;
    char *slash = strchr(text, '/');
    if (slash != NULL) {
        *slash = '\0';
        if (slash[1] != '\0' && !read_number(slash + 1, INT32_MAX, &a->base))
            return false;
    }
    if (!read_host(a, text))
        return false;
    if (a->host[0] == '\0')
        a->host = NULL;
    return true;
}

int kri_redis_address_read(kri_redis_address *a, const char *where)
{
    *a = (kri_redis_address){.memory = NULL};
    const char *rest;
    bool local = false;
    if ((rest = after(where, "unix:")) != NULL)
        local = true;
    else if ((rest = after(where, "rediss://")) != NULL)
        a->tls = true;
    else if ((rest = after(where, "redis://")) == NULL)
        return -EINVAL;
    size_t size = strlen(rest) + 1;
    a->memory = os_alloc(size);
    if (a->memory == NULL)
        return -ENOMEM;
    memcpy(a->memory, rest, size);
    return (local ? read_unix(a, a->memory) : read_net(a, a->memory)) ? 0 : -EINVAL;
}

void kri_redis_address_free(kri_redis_address *a)
{
    os_free(a->memory);
    *a = (kri_redis_address){.memory = NULL};
}
