/* The convoy: one thread of a state answers requests while others compute in it.
 *
 * Each answer takes microseconds, but before it the thread has to get the lock back, which it gave
 * away to wait for the request.  The client is a thread that Lua knows nothing of.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_lua.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWERS_MOST = 1 << 20, WINDOW_MS = 50 };

static const char request[64] = "what is sent and comes back";

struct client {
    int fd; /* connected to the server */
    bool idle;
    kr_time think, time; /* between requests; in all */
    kr_time *answers;    /* how long each took */
    size_t count;
    kr_time stopped;
};

static int ask(struct client *client)
{
    char answer[sizeof request];
    kr_time begun = kr_now();
    int64_t size = kr_send(client->fd, request, sizeof request, 0, KR_FOREVER);
    if (size > 0)
        size = kr_recv(client->fd, answer, sizeof answer, 0, kr_sec(10));
    if (size < 0)
        return (int)size;
    client->answers[client->count++] = kr_now() - begun;
    return client->think > 0 ? kr_sleep(client->think) : 0;
}

static int run_client(void *arg)
{
    struct client *client = *(struct client **)arg;
    kr_time end = kr_now() + client->time;
    int err = client->idle ? kr_sleep(client->time) : 0;
    while (!err && kr_now() < end && client->count < ANSWERS_MOST)
        err = ask(client);
    client->stopped = kr_now();
    int64_t sent = kr_send(client->fd, "stop", 4, 0, KR_FOREVER);
    return sent < 0 ? (int)sent : err;
}

static int open_pair(int *server, int *client)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    *server = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    *client = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (*server >= 0 && *client >= 0 && bind(*server, (struct sockaddr *)&address, size) == 0 &&
        getsockname(*server, (struct sockaddr *)&address, &size) == 0 &&
        connect(*client, (struct sockaddr *)&address, size) == 0)
        return 0;
    int err = -errno;
    if (*server >= 0)
        close(*server);
    if (*client >= 0)
        close(*client);
    return err;
}

/* The server's descriptor becomes Lua's. */
static int serve(struct host *host, int server, int threads, double *computed)
{
    char texts[2][16];
    snprintf(texts[0], sizeof texts[0], "%d", server);
    snprintf(texts[1], sizeof texts[1], "%d", threads);
    return host_run(host, script_convoy.text, script_convoy.size, script_convoy.name,
                    (const char *const[]){texts[0], texts[1], NULL}, computed);
}

/* Run both until the client's time is up; what the others have computed. */
static int meet(struct host *host, struct client *client, int threads, double *computed)
{
    int server, result = 0;
    kr_thread *thread;
    client->count = 0;
    int err = open_pair(&server, &client->fd);
    if (err)
        return err;
    err = kr_thread_start(&thread, run_client, &client, sizeof client,
                          &(kr_thread_options){.name = "client"});
    if (err) {
        close(server);
    } else {
        err = serve(host, server, threads, computed);
        kr_thread_join(thread, &result, KR_FOREVER);
        kr_thread_release(thread);
    }
    close(client->fd);
    return err ? err : result;
}

static int meet_once(const struct setup *setup, struct client *client, int threads,
                     double *computed)
{
    struct host host;
    int err = host_open(&host, setup);
    if (err)
        return err;
    err = meet(&host, client, threads, computed);
    host_close(&host);
    return err;
}

static int compare_times(const void *left, const void *right)
{
    kr_time a = *(const kr_time *)left, b = *(const kr_time *)right;
    return (a > b) - (a < b);
}

static void report(const struct client *client, kr_gil_policy policy, int threads, double kept)
{
    qsort(client->answers, client->count, sizeof *client->answers, compare_times);
    double p50 = client->count ? (double)client->answers[client->count / 2] / 1e6 : 0;
    double p99 = client->count ? (double)client->answers[client->count * 99 / 100] / 1e6 : 0;
    printf("%-10s %10d %12.0f %10.3f %10.3f", policy_name(policy), threads,
           (double)client->count / ((double)client->time / 1e9), p50, p99);
    if (threads > 0)
        printf(" %10.0f %%\n", 100 * kept);
    else
        printf(" %12s\n", "-");
    fflush(stdout);
}

/* With so many that compute: first alone, then beside the requests. */
static int measure(const struct setup *setup, struct client *client, int threads)
{
    double alone = 0, beside = 0;
    int err = 0;
    client->idle = true;
    if (threads > 0)
        err = meet_once(setup, client, threads, &alone);
    client->idle = false;
    if (!err)
        err = meet_once(setup, client, threads, &beside);
    if (!err)
        report(client, setup->gil.policy, threads, alone > 0 ? beside / alone : 0);
    return err;
}

int lesson_convoy(const struct options *options)
{
    static const kr_gil_policy policies[] = {KR_GIL_TICKS, KR_GIL_INTERVAL, KR_GIL_DEADLINE};
    struct client client = {.time = options->time,
                            .answers = malloc(ANSWERS_MOST * sizeof *client.answers)};
    int err = client.answers ? 0 : -ENOMEM;
    printf("%-10s %10s %12s %10s %10s %12s\n", "policy", "computing", "requests/s", "p50 ms",
           "p99 ms", "their speed");
    for (int i = 0; i < 3 && !err; i++) {
        struct setup setup = options->setup;
        setup.gil.policy = policies[i];
        for (int threads = 0; threads <= options->threads && !err; threads = threads * 2 + !threads)
            err = measure(&setup, &client, threads);
    }
    free(client.answers);
    if (err && err != -ECANCELED)
        complain("convoy: %s", kr_strerror(err));
    return err;
}

/* The picture */

static int draw_one(const struct options *options, kr_gil_policy policy, struct panel *panel)
{
    kr_time answers[4096];
    struct client client = {.time = kr_ms(100), .think = kr_ms(2), .answers = answers};
    struct setup setup = options->setup;
    double computed;
    struct host host;
    setup.gil.policy = policy;
    setup.gil.log = 1 << 16;
    int err = host_open(&host, &setup);
    if (err)
        return err;
    err = meet(&host, &client, options->threads, &computed);
    panel->to = client.stopped;
    panel->from = panel->to - kr_ms(WINDOW_MS);
    if (!err)
        err = read_timeline(host.gil, panel);
    snprintf(panel->title, sizeof panel->title, "%s policy", policy_name(policy));
    snprintf(panel->remark, sizeof panel->remark,
             "answers in 100 ms: %zu, each asked for 2 ms after the one before, "
             "while %d threads compute",
             client.count, options->threads);
    host_close(&host);
    return err;
}

int draw_convoy(const struct options *options)
{
    static const kr_gil_policy policies[] = {KR_GIL_INTERVAL, KR_GIL_DEADLINE};
    struct panel panels[2];
    int count = options->one_policy ? 1 : 2, err = 0;
    memset(panels, 0, sizeof panels);
    for (int i = 0; i < count && !err; i++)
        err = draw_one(options, options->one_policy ? options->setup.gil.policy : policies[i],
                       &panels[i]);
    if (!err)
        err = write_svg(options->timeline, panels, count);
    for (int i = 0; i < count; i++)
        free(panels[i].spans);
    if (err && err != -ECANCELED)
        complain("%s: %s", options->timeline, kr_strerror(err));
    return err;
}
