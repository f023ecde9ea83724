/* Running fetch from a test, in an empty directory that is gone afterwards.
 *
 * BOTH(name) { ... } is two cases, in coroutines and in threads: `mode` is the option that says so.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_FETCH_TOOL_H
#define KRI_FETCH_TOOL_H

#define TOOL_NAME "fetch"

#include "harness/sanitizers.h"
#include "harness/tool.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <krait/krait.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>

#define BOTH(name)                                                                                 \
    static void name##_body(const char *mode);                                                     \
    TEST(name##_in_coroutines)                                                                     \
    {                                                                                              \
        tool_begin();                                                                              \
        name##_body("-j16");                                                                       \
    }                                                                                              \
    TEST(name##_in_threads)                                                                        \
    {                                                                                              \
        tool_begin();                                                                              \
        name##_body("--threads");                                                                  \
    }                                                                                              \
    static void name##_body(const char *mode)

/* Is the text in the file, whose length is at most 4 KiB?  From any thread. */
static inline bool tool_has(const char *path, const char *text)
{
    char bytes[4097];
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    bytes[fread(bytes, 1, sizeof bytes - 1, file)] = '\0';
    fclose(file);
    return strstr(bytes, text) != NULL;
}

enum { TOOL_ARGUMENTS = 16 };

/* Start fetch on the file "list", with its output in "out" and "err", or where `out` says. */
static inline pid_t tool_start_to(int out, const char *const options[])
{
    char *arguments[TOOL_ARGUMENTS + 2] = {(char *)"fetch"};
    int used = 1;
    for (; options[used - 1]; used++) {
        CHECK(used < TOOL_ARGUMENTS);
        arguments[used] = (char *)options[used - 1];
    }
    arguments[used] = (char *)"list";
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int err = open("err", O_CREAT | O_TRUNC | O_WRONLY, 0644);
        if (out < 0)
            out = open("out", O_CREAT | O_TRUNC | O_WRONLY, 0644);
        if (dup2(out, 1) < 0 || dup2(err, 2) < 0)
            _exit(126);
        execv(TOOL, arguments);
        _exit(127);
    }
    return child;
}

static inline int tool_end(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* TOOL_RUN("-o", "d") - its exit status. */
#define TOOL_START(...) tool_start_to(-1, (const char *const[]){__VA_ARGS__, NULL})
#define TOOL_RUN(...)   tool_end(TOOL_START(__VA_ARGS__))

/* A server of the test's own: each connection has a thread, in which `serve` gets the path that is
 * asked for, and how many were asked for before.  The connection is closed when it returns. */
typedef void serve_fn(int fd, const char *path, int before);

typedef struct tool_server {
    int fd;
    int port;
    serve_fn *serve;
    int asked; /* guarded by mutex */
    pthread_mutex_t mutex;
} tool_server;

struct tool_client {
    tool_server *server;
    int fd;
};

/* Up to the empty line. */
static inline bool tool_read_request(int fd, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    while (used < size - 1 && !strstr(text, "\r\n\r\n")) {
        ssize_t got = read(fd, text + used, size - 1 - used);
        if (got <= 0)
            return false;
        used += (size_t)got;
        text[used] = '\0';
    }
    return strncmp(text, "GET ", 4) == 0;
}

static void *tool_client_main(void *arg)
{
    struct tool_client client = *(struct tool_client *)arg;
    char request[8192];
    free(arg);
    if (tool_read_request(client.fd, request, sizeof request)) {
        char *path = request + 4;
        path[strcspn(path, " ")] = '\0';
        pthread_mutex_lock(&client.server->mutex);
        int before = client.server->asked++;
        pthread_mutex_unlock(&client.server->mutex);
        client.server->serve(client.fd, path, before);
    }
    close(client.fd);
    return NULL;
}

static void *tool_server_main(void *arg)
{
    tool_server *server = arg;
    for (;;) {
        struct tool_client *client = malloc(sizeof *client);
        pthread_t thread;
        CHECK(client != NULL);
        client->server = server;
        client->fd = accept4(server->fd, NULL, NULL, SOCK_CLOEXEC);
        CHECK(client->fd >= 0);
        CHECK_EQ(pthread_create(&thread, NULL, tool_client_main, client), 0);
        CHECK_EQ(pthread_detach(thread), 0);
    }
    return NULL;
}

static inline void tool_serve(tool_server *server, serve_fn *serve)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    pthread_t thread;
    *server = (tool_server){.serve = serve, .mutex = PTHREAD_MUTEX_INITIALIZER};
    CHECK(signal(SIGPIPE, SIG_IGN) != SIG_ERR);
    server->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server->fd >= 0);
    CHECK_EQ(bind(server->fd, (struct sockaddr *)&address, size), 0);
    CHECK_EQ(listen(server->fd, 128), 0);
    CHECK_EQ(getsockname(server->fd, (struct sockaddr *)&address, &size), 0);
    server->port = ntohs(address.sin_port);
    CHECK_EQ(pthread_create(&thread, NULL, tool_server_main, server), 0);
    CHECK_EQ(pthread_detach(thread), 0);
}

static inline int tool_asked(tool_server *server)
{
    pthread_mutex_lock(&server->mutex);
    int asked = server->asked;
    pthread_mutex_unlock(&server->mutex);
    return asked;
}

static inline void tool_say(int fd, const char *text)
{
    size_t size = strlen(text);
    while (size > 0) {
        ssize_t put = write(fd, text, size);
        if (put < 0)
            return; /* fetch has had enough */
        text += put;
        size -= (size_t)put;
    }
}

/* Write "list": each of the paths on that port; ends with NULL. */
static inline void tool_list(int port, const char *const paths[])
{
    char text[8192] = "";
    size_t used = 0;
    for (int i = 0; paths[i]; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "http://127.0.0.1:%d%s\n", port,
                                 paths[i]);
    tool_write("list", text);
}

#define TOOL_LIST(port, ...) tool_list(port, (const char *const[]){__VA_ARGS__, NULL})

/* Is "out" what the lines say?  '@' stands for "http://127.0.0.1:PORT", a tab is a tab. */
static inline void tool_check_out(int port, const char *lines)
{
    char text[8192], url[64];
    size_t used = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%d", port);
    for (; *lines; lines++) {
        CHECK(used + sizeof url < sizeof text);
        if (*lines == '@')
            used += (size_t)snprintf(text + used, sizeof text - used, "%s", url);
        else
            text[used++] = *lines;
    }
    text[used] = '\0';
    CHECK_STR(tool_read("out"), text);
}

/* How many names are in a directory. */
static inline int tool_count(const char *directory)
{
    int count = 0;
    DIR *names = opendir(directory);
    CHECK(names != NULL);
    for (struct dirent *name; (name = readdir(names)) != NULL;)
        count += name->d_name[0] != '.';
    closedir(names);
    return count;
}

#endif
