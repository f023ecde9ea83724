/* Taking URLs apart, and following a redirect from one to the next.
 *
 * Whatever would end a line or a word of the request is written as %XX, so that a URL cannot bring
 * lines of its own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters, digits, and what else names and addresses are made of. */
static bool belongs_to_host(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '-' ||
           c == '.' || c == '_' || c == ':' || c == '%';
}

static int take_port(struct url *url, const char *text, size_t length)
{
    if (length == 0) {
        strcpy(url->port, url->tls ? "443" : "80");
        return 0;
    }
    unsigned port = 0;
    for (size_t i = 0; i < length; i++) {
        if (!is_digit(text[i]) || length >= sizeof url->port)
            return BAD_URL;
        port = 10 * port + (unsigned)(text[i] - '0');
    }
    if (port == 0 || port > 65535)
        return BAD_URL;
    snprintf(url->port, sizeof url->port, "%u", port);
    return 0;
}

static int take_authority(struct url *url, const char *text, size_t length)
{
    const char *end = text + length;
    bool bracket = length > 0 && text[0] == '[';
    const char *host = text + bracket;
    const char *stop = memchr(host, bracket ? ']' : ':', (size_t)(end - host));
    if (!stop && bracket)
        return BAD_URL;
    if (!stop)
        stop = end;
    size_t size = (size_t)(stop - host);
    if (size == 0 || size >= sizeof url->host || length >= sizeof url->authority)
        return BAD_URL;
    for (size_t i = 0; i < size; i++) {
        if (!belongs_to_host(host[i]))
            return BAD_URL;
    }
    memcpy(url->host, host, size);
    url->host[size] = '\0';
    memcpy(url->authority, text, length);
    url->authority[length] = '\0';
    stop += bracket;
    if (stop < end && *stop != ':')
        return BAD_URL;
    return take_port(url, stop + 1, stop < end ? (size_t)(end - stop) - 1 : 0);
}

/* The path and query, from text to its fragment, with an initial '/' in any case. */
static int take_target(struct url *url, const char *text)
{
    size_t used = 0;
    if (*text != '/')
        url->target[used++] = '/';
    for (; *text != '\0' && *text != '#'; text++) {
        unsigned char c = (unsigned char)*text;
        if (used + 4 > sizeof url->target)
            return BAD_URL;
        if (c <= ' ' || c >= 0x7f)
            used += (size_t)snprintf(url->target + used, 4, "%%%02X", c);
        else
            url->target[used++] = *text;
    }
    url->target[used] = '\0';
    return 0;
}

int url_parse(struct url *url, const char *text)
{
    static const char plain[] = "http://", tls[] = "https://";
    url->tls = strncasecmp(text, tls, sizeof tls - 1) == 0;
    if (!url->tls && strncasecmp(text, plain, sizeof plain - 1) != 0)
        return strstr(text, "://") ? BAD_SCHEME : BAD_URL;
    text += url->tls ? sizeof tls - 1 : sizeof plain - 1;
    size_t length = strcspn(text, "/?#");
    int err = take_authority(url, text, length);
    return err ? err : take_target(url, text + length);
}

/* Is there a scheme before it, as in "mailto:..."? */
static bool has_scheme(const char *text)
{
    size_t length = strcspn(text, ":/?#");
    return length > 0 && text[length] == ':';
}

/* "." and ".." in a path, as RFC 3986 5.2.4 has it. */
static void remove_dots(char *path)
{
    size_t length = strcspn(path, "?");
    const char *from = path, *end = path + length;
    char *to = path;
    while (from < end) {
        const char *next = memchr(from + 1, '/', (size_t)(end - from) - 1);
        size_t size = (size_t)((next ? next : end) - from);
        bool one = size == 2 && from[1] == '.';
        bool two = size == 3 && from[1] == '.' && from[2] == '.';
        while (two && to > path && *--to != '/')
            continue;
        if (one || two) {
            if (!next)
                *to++ = '/';
        } else {
            memmove(to, from, size);
            to += size;
        }
        from += size;
    }
    if (to == path)
        *to++ = '/';
    memmove(to, end, strlen(end) + 1);
}

int url_follow(struct url *url, const char *location)
{
    char merged[2 * URL_MOST];
    if (has_scheme(location))
        return url_parse(url, location);
    if (strncmp(location, "//", 2) == 0) {
        snprintf(merged, sizeof merged, "%s:%s", url->tls ? "https" : "http", location);
        return url_parse(url, merged);
    }
    size_t path = strcspn(url->target, "?");
    const char *slash = memrchr(url->target, '/', path);
    if (*location == '/')
        path = 0;
    else if (*location != '?')
        path = slash ? (size_t)(slash - url->target) + 1 : 0;
    snprintf(merged, sizeof merged, "%.*s%s", (int)path, url->target, location);
    int err = take_target(url, merged);
    if (!err)
        remove_dots(url->target);
    return err;
}
