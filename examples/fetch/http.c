/* A GET on one connection: the request, and the head of the answer.
 *
 * Servers are not trusted: the head has at most so many bytes and interim answers, lengths are
 * numbers or nothing, and two lengths that differ are an error.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define HEAD_MOST     (64 * 1024)
#define INTERIM_MOST  8    /* answers 1xx before the answer */
#define RETRY_SECONDS 3600 /* no server is obeyed for longer */

static int send_request(struct wire *wire, const struct url *url)
{
    char request[URL_MOST + 512];
    int length = snprintf(request, sizeof request,
                          "GET %s HTTP/1.1\r\n"
                          "Host: %s\r\n"
                          "User-Agent: krait-fetch/%s\r\n"
                          "Accept: */*\r\n"
                          "Accept-Encoding: identity\r\n"
                          "Connection: close\r\n"
                          "\r\n",
                          url->target, url->authority, kr_version());
    int err = wire_send(wire, request, (size_t)length);
    /* A server may answer and close without having read it all. */
    return err == -EPIPE || err == -ECONNRESET ? 0 : err;
}

/* A number at the beginning of the text, with nothing but blanks behind it. */
static bool parse_number(const char *text, uint64_t *number)
{
    uint64_t value = 0;
    const char *end = text;
    for (; *end >= '0' && *end <= '9'; end++) {
        if (__builtin_mul_overflow(value, 10u, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*end - '0'), &value))
            return false;
    }
    *number = value;
    return end > text && end[strspn(end, " \t")] == '\0';
}

static int take_length(struct answer *answer, const char *value)
{
    uint64_t size;
    if (!parse_number(value, &size))
        return BAD_SERVER;
    if (answer->kind == BODY_CHUNKED)
        return 0; /* counts for nothing then */
    if (answer->kind == BODY_SIZED && answer->size != size)
        return BAD_SERVER;
    answer->kind = BODY_SIZED;
    answer->size = size;
    return 0;
}

static int take_field(struct answer *answer, const char *name, const char *value)
{
    uint64_t seconds;
    if (strcasecmp(name, "Content-Length") == 0)
        return take_length(answer, value);
    if (strcasecmp(name, "Transfer-Encoding") == 0) {
        if (strcasecmp(value, "chunked") != 0)
            return BAD_SERVER; /* nothing else was asked for */
        answer->kind = BODY_CHUNKED;
    } else if (strcasecmp(name, "Location") == 0) {
        if (strlen(value) >= sizeof answer->location)
            return BAD_URL;
        strcpy(answer->location, value);
    } else if (strcasecmp(name, "Retry-After") == 0 && parse_number(value, &seconds)) {
        answer->retry_after = kr_sec(seconds < RETRY_SECONDS ? (int64_t)seconds : RETRY_SECONDS);
    }
    return 0;
}

/* "Name: value", in place. */
static int parse_field(struct answer *answer, char *line)
{
    char *colon = strchr(line, ':');
    if (!colon || colon == line || strcspn(line, " \t") < (size_t)(colon - line))
        return BAD_SERVER;
    *colon = '\0';
    char *value = colon + 1 + strspn(colon + 1, " \t");
    size_t length = strlen(value);
    while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        value[--length] = '\0';
    return take_field(answer, line, value);
}

/* "HTTP/1.1 200 OK" */
static int parse_status(struct answer *answer, const char *line)
{
    int minor, status, length = 0;
    if (sscanf(line, "HTTP/1.%1d %3d%n", &minor, &status, &length) != 2 || status < 100 ||
        (line[length] != ' ' && line[length] != '\0'))
        return BAD_SERVER;
    *answer = (struct answer){.status = status, .kind = BODY_TO_END};
    return 0;
}

static int read_head(struct wire *wire, struct answer *answer, size_t *budget)
{
    char *line;
    int err = wire_line(wire, &line);
    if (!err)
        err = parse_status(answer, line);
    while (!err && !(err = wire_line(wire, &line)) && *line != '\0') {
        size_t length = strlen(line);
        if (length > *budget)
            return HEAD_TOO_LONG;
        *budget -= length;
        err = parse_field(answer, line);
    }
    return err;
}

int http_ask(struct wire *wire, const struct url *url, struct answer *answer)
{
    size_t budget = HEAD_MOST;
    int err = send_request(wire, url);
    for (int i = 0; !err && i < INTERIM_MOST; i++) {
        err = read_head(wire, answer, &budget);
        if (err || answer->status >= 200)
            break;
    }
    if (err)
        return err;
    if (answer->status < 200)
        return BAD_SERVER;
    if (answer->status == 204 || answer->status == 304)
        answer->kind = BODY_NONE;
    return 0;
}
