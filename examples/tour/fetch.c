/* Chapter 1: work that waits.
 *
 * fetch() is one function, and runs in each way as it is: in a thread its calls block, in a
 * coroutine they suspend it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>

#define PATIENCE kr_sec(20)

enum { SPARE_DESCRIPTORS = 100 };

struct page_wanted {
    int port, number;
};

static int ask(int fd, const struct page_wanted *page)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)page->port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    char request[64];
    int size = snprintf(request, sizeof request, "GET /%d HTTP/1.0\r\n\r\n", page->number);
    int err = kr_connect(fd, (struct sockaddr *)&address, sizeof address, PATIENCE);
    return err ? err : kr_write_all(fd, request, (size_t)size, NULL, PATIENCE);
}

/* How many bytes came behind the header. */
static int read_answer(int fd, long *size)
{
    char bytes[4096];
    size_t used = 0;
    int64_t got;
    while ((got = kr_recv(fd, bytes + used, sizeof bytes - 1 - used, 0, PATIENCE)) > 0 &&
           used + (size_t)got < sizeof bytes - 1)
        used += (size_t)got;
    if (got < 0)
        return (int)got;
    bytes[used] = '\0';
    const char *body = strstr(bytes, "\r\n\r\n");
    if (strncmp(bytes, "HTTP/1.0 200 ", 13) != 0 || !body)
        return -EPROTO;
    *size = (long)(bytes + used - body - 4);
    return 0;
}

static int fetch(const void *arg, void *result)
{
    const struct page_wanted *page = arg;
    char name[32];
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    snprintf(name, sizeof name, "fetch %d", page->number);
    kr_trace_begin(name);
    int err = ask(fd, page);
    if (!err)
        err = read_answer(fd, result);
    kr_trace_end();
    (void)kr_close(fd);
    return err;
}

struct job {
    enum kind kind;
    int port, count;
};

static int run(void *arg, struct way *way)
{
    const struct job *job = arg;
    (void)way;
    struct page_wanted *pages = calloc((size_t)job->count, sizeof *pages);
    long *sizes = calloc((size_t)job->count, sizeof *sizes);
    int err = pages && sizes ? 0 : -ENOMEM;
    for (int i = 0; i < job->count && !err; i++)
        pages[i] = (struct page_wanted){job->port, i + 1};
    if (!err)
        err = team_run(&(struct team){.kind = job->kind,
                                      .workers = job->count,
                                      .task = fetch,
                                      .args = pages,
                                      .arg_size = sizeof *pages,
                                      .results = sizes,
                                      .result_size = sizeof *sizes,
                                      .count = job->count});
    for (int i = 0; i < job->count && !err; i++)
        err = sizes[i] == sizes[0] && sizes[i] > 0 ? 0 : -EPROTO;
    free(pages);
    free(sizes);
    return err;
}

static const char *const names[] = {[ALONE] = "one at a time",
                                    [THREADS] = "a thread for each",
                                    [COROUTINES] = "a coroutine for each",
                                    [PROCESSES] = "a process for each"};

/* Each connection is a descriptor, here as well as in the server. */
static int most_connections(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    limit.rlim_cur = limit.rlim_max < 65536 ? limit.rlim_max : 65536;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    return (int)limit.rlim_cur - SPARE_DESCRIPTORS;
}

static int fetch_few(struct tour *tour, struct chapter *chapter, int port)
{
    static const enum kind kinds[] = {ALONE, THREADS, COROUTINES, PROCESSES};
    int err = 0;
    for (int i = 0; i < 4 && !err; i++) {
        struct job job = {kinds[i], port, tour->effort.fetches};
        err = measure(tour, chapter, add_way(tour, chapter, names[kinds[i]]), run, &job);
    }
    return err;
}

static int fetch_many(struct tour *tour, struct chapter *chapter, int port, int count)
{
    static const enum kind kinds[] = {THREADS, COROUTINES};
    int err = 0;
    for (int i = 0; i < 2 && !err; i++) {
        struct job job = {kinds[i], port, count};
        err = measure(tour, chapter, add_way(tour, chapter, names[kinds[i]]), run, &job);
    }
    return err;
}

int chapter_fetch(struct tour *tour)
{
    struct chapter *few = &tour->chapters[FETCH], *many = &tour->chapters[MANY];
    kr_process *server;
    int port, room = most_connections(); /* the server inherits that limit */
    int count = room < tour->effort.many_fetches ? room : tour->effort.many_fetches;
    int err = server_start(&server, &port, tour->effort.latency);
    if (err) {
        complain("no server: %s", kr_strerror(err));
        return err;
    }
    double latency = (double)tour->effort.latency / 1e6;
    few->id = "waiting";
    few->title = "Work that waits";
    few->pictures = true;
    few->amount = tour->effort.fetches;
    few->unit = "pages";
    snprintf(few->what, sizeof few->what,
             "%d pages from a server on this machine that answers after %g ms. One processor is "
             "more than enough for this: the time goes into waiting.",
             tour->effort.fetches, latency);
    many->id = "many";
    many->title = "Many that wait";
    many->amount = count;
    many->unit = "pages";
    snprintf(many->what, sizeof many->what,
             "%d pages at once from the same server, which itself needs some time for so many. One "
             "at a time this would take %.3g s.",
             count, count * latency / 1e3);
    err = fetch_few(tour, few, port);
    if (!err && count > tour->effort.fetches)
        err = fetch_many(tour, many, port, count);
    server_end(server);
    return err;
}
