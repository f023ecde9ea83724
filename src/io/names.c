/* The addresses of hosts, asked for by a thread of the library's own.
 *
 * The question and the answer are a piece of memory that whoever asks may leave to that thread.
 *
 * SPDX-License-Identifier: MIT
 */
#include "io/offload.h"
#include <arpa/inet.h>
#include <errno.h>
#include <krait/io.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>

typedef struct question {
    kri_offloaded call;
    const char *host;
    const char *service;
    bool hinted;
    struct addrinfo hints;
    struct addrinfo *list;
    int result;
    char text[];
} question;

static question *of(kri_offloaded *call)
{
    return (question *)(void *)call;
}

static void ask(kri_offloaded *call)
{
    question *q = of(call);
    q->result = os_addresses(q->host, q->service, q->hinted ? &q->hints : NULL, &q->list);
}

static void drop(kri_offloaded *call)
{
    os_addresses_free(of(call)->list);
    os_free(call);
}

static size_t room_for(const char *text)
{
    return text != NULL ? strlen(text) + 1 : 0;
}

static const char *copy(char **at, const char *text)
{
    if (text == NULL)
        return NULL;
    size_t size = strlen(text) + 1;
    const char *copied = memcpy(*at, text, size);
    *at += size;
    return copied;
}

static question *new_question(const char *host, const char *service, const struct addrinfo *hints)
{
    question *q = os_alloc(sizeof *q + room_for(host) + room_for(service));
    if (q == NULL)
        return NULL;
    char *at = q->text;
    q->call.run = ask;
    q->call.drop = drop;
    q->host = copy(&at, host);
    q->service = copy(&at, service);
    q->hinted = hints != NULL;
    if (hints != NULL)
        q->hints = (struct addrinfo){.ai_flags = hints->ai_flags,
                                     .ai_family = hints->ai_family,
                                     .ai_socktype = hints->ai_socktype,
                                     .ai_protocol = hints->ai_protocol};
    return q;
}

/* Numbers alone, which nobody has to be asked for? */
static bool is_plain(const char *host, const char *service)
{
    unsigned char bytes[sizeof(struct in6_addr)];
    if (service != NULL && strspn(service, "0123456789") != strlen(service))
        return false;
    return host == NULL || inet_pton(AF_INET, host, bytes) == 1 ||
           inet_pton(AF_INET6, host, bytes) == 1;
}

/* The C library would take the number's last 16 bits, which are another's port; and a number is to
 * it what this function takes for one, with a sign or spaces before it, too. */
static bool is_no_port(const char *service)
{
    enum { LAST_PORT = 65535 };
    char *end;
    if (service == NULL)
        return false;
    int saved = errno;
    bool too_large = strtoul(service, &end, 10) > LAST_PORT;
    errno = saved;
    return too_large && *end == '\0';
}

int kr_getaddrinfo(const char *host, const char *service, const struct addrinfo *hints,
                   struct addrinfo **list, kr_time timeout)
{
    if (list != NULL)
        *list = NULL;
    if (timeout < 0 || list == NULL || (host == NULL && service == NULL) || is_no_port(service))
        return -EINVAL;
    if (is_plain(host, service))
        return os_addresses(host, service, hints, list);
    if (timeout == KR_NOWAIT || kr_cancelled())
        return timeout == KR_NOWAIT ? -ETIMEDOUT : -ECANCELED;
    question *q = new_question(host, service, hints);
    if (q == NULL)
        return -ENOMEM;
    int err = kri_offload(KRI_OFFLOAD_NAMES, &q->call, kri_deadline(timeout));
    if (err < 0)
        return err;
    *list = q->list;
    err = q->result;
    os_free(q);
    return err;
}
