/* A real server for a test: started in an empty directory, on a Unix socket and a free TCP port.
 *
 *     redis_server server = {.password = "secret"};
 *     redis_start(&server);                       // or the case is skipped
 *     err = kri_redis_open(&r, redis_url(&server), NULL);
 *
 * It goes with the test's process, and its directory too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_HARNESS_REDIS_H
#define KRI_HARNESS_REDIS_H

#include "harness/test.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <krait/event.h>
#include <krait/thread.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REDIS_UNIX, REDIS_TCP, REDIS_TLS, REDIS_URLS };

typedef struct redis_server {
    const char *password; /* NULL: none; as all of these before the start */
    const char *tls;      /* a directory with server.pem, server.key, ca.pem; NULL: no TLS */
    bool keeps;           /* what it holds outlives its process */
    bool may_not;         /* one that does not start is one that cannot do what is asked: skipped */
    const char *setting;  /* one more line of its configuration, or NULL */
    pid_t process;        /* 0: it does not run */
    int port;             /* of TCP, and of TLS; the same after a restart */
    int tls_port;
    char directory[128];
    char socket[160];
    char url[REDIS_URLS][320]; /* what redis_url and its kin return */
} redis_server;

static char redis_directories[8][128];
static int redis_directory_count;
static pid_t redis_owner;

static void redis_remove_directories(void)
{
    if (getpid() != redis_owner)
        return;
    for (int i = 0; i < redis_directory_count; i++) {
        pid_t remover = fork();
        if (remover == 0) {
            execlp("rm", "rm", "-rf", redis_directories[i], (char *)NULL);
            _exit(127);
        }
        if (remover > 0)
            waitpid(remover, NULL, 0);
    }
}

static inline void redis_make_directory(redis_server *s)
{
    CHECK(redis_directory_count < 8);
    char *directory = redis_directories[redis_directory_count];
    snprintf(directory, sizeof redis_directories[0], "%s/redis.XXXXXX", KRI_TEST_BUILD);
    CHECK(mkdtemp(directory) != NULL);
    redis_directory_count++;
    if (redis_owner == 0) {
        redis_owner = getpid();
        CHECK_EQ(atexit(redis_remove_directories), 0);
    }
    snprintf(s->directory, sizeof s->directory, "%s", directory);
    snprintf(s->socket, sizeof s->socket, "%s/s", directory);
    if (strlen(s->socket) > 100)
        SKIP("the build's directory has too long a name for a socket");
}

/* Free now; that it is when the server comes is likely, and tried again otherwise. */
static inline int redis_free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    close(fd);
    return ntohs(address.sin_port);
}

static inline void redis_write_settings(const redis_server *s)
{
    char path[192];
    snprintf(path, sizeof path, "%s/conf", s->directory);
    FILE *file = fopen(path, "we");
    CHECK(file != NULL);
    fprintf(file,
            "bind 127.0.0.1\nport %d\nunixsocket %s\nunixsocketperm 700\ndir %s\nlogfile %s/log\n"
            "save \"\"\nappendonly %s\nappendfsync always\ndaemonize no\n",
            s->port, s->socket, s->directory, s->directory, s->keeps ? "yes" : "no");
    if (s->password != NULL)
        fprintf(file, "requirepass %s\n", s->password);
    if (s->tls != NULL)
        fprintf(file,
                "tls-port %d\ntls-cert-file %s/server.pem\ntls-key-file %s/server.key\n"
                "tls-ca-cert-file %s/ca.pem\ntls-auth-clients no\n",
                s->tls_port, s->tls, s->tls, s->tls);
    if (s->setting != NULL)
        fprintf(file, "%s\n", s->setting);
    CHECK_EQ(fclose(file), 0);
}

static inline void redis_run_program(redis_server *s)
{
    char path[192];
    snprintf(path, sizeof path, "%s/conf", s->directory);
    pid_t parent = getpid();
    s->process = fork();
    CHECK_GE(s->process, 0);
    if (s->process != 0)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(126);
    int nowhere = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        dup2(nowhere, fd);
    execlp("redis-server", "redis-server", path, (char *)NULL);
    execlp("valkey-server", "valkey-server", path, (char *)NULL);
    _exit(127);
}

/* Does it answer?  Whether it lets us in is not asked. */
static inline bool redis_answers(const redis_server *s)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char answer[8] = "";
    memcpy(address.sun_path, s->socket, strlen(s->socket) + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    bool does = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 &&
                write(fd, "PING\r\n", 6) == 6 && read(fd, answer, sizeof answer) > 0 &&
                (strncmp(answer, "+PONG", 5) == 0 || strncmp(answer, "-NOAUTH", 7) == 0);
    close(fd);
    return does;
}

/* 0: it runs; else the status with which it ended. */
static inline int redis_try_start(redis_server *s)
{
    int status;
    redis_write_settings(s);
    redis_run_program(s);
    while (!redis_answers(s)) {
        if (waitpid(s->process, &status, WNOHANG) == s->process)
            return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : 1;
        kri_test_nap();
    }
    return 0;
}

enum { REDIS_NO_PROGRAM = 127, REDIS_STARTS = 5 };

static inline void redis_write_urls(redis_server *s)
{
    const char *password = s->password != NULL ? s->password : "";
    const char *before = s->password != NULL ? ":" : "", *after = s->password != NULL ? "@" : "";
    snprintf(s->url[REDIS_UNIX], sizeof s->url[0], "unix:%s%s%s%s%s",
             s->password != NULL ? "//" : "", before, password, after, s->socket);
    snprintf(s->url[REDIS_TCP], sizeof s->url[0], "redis://%s%s%s127.0.0.1:%d", before, password,
             after, s->port);
    snprintf(s->url[REDIS_TLS], sizeof s->url[0], "rediss://127.0.0.1:%d/0", s->tls_port);
}

static inline void redis_start(redis_server *s)
{
    redis_make_directory(s);
    for (int i = 0; i < REDIS_STARTS; i++) {
        s->port = redis_free_port();
        s->tls_port = redis_free_port();
        redis_write_urls(s);
        int status = redis_try_start(s);
        if (status == 0)
            return;
        if (status == REDIS_NO_PROGRAM)
            SKIP("no redis-server is installed");
    }
    if (s->may_not)
        SKIP("the server cannot do that");
    kri_test_fail(__FILE__, __LINE__, "the server does not start, see %s/log", s->directory);
}

/* A crash.  What was sent to it and not answered may be done or not. */
static inline void redis_kill(redis_server *s)
{
    CHECK_EQ(kill(s->process, SIGKILL), 0);
    CHECK_EQ(waitpid(s->process, NULL, 0), s->process);
    s->process = 0;
}

/* At the same address; another server, unless it .keeps what it holds. */
static inline void redis_start_again(redis_server *s)
{
    CHECK_EQ(redis_try_start(s), 0);
}

/* The same by a thread, and not before somebody has tried to connect over TCP, who finds nobody
 * there then.  The server goes with the thread. */
typedef struct redis_starter {
    redis_server *server;
    kr_event over;
    kr_thread *thread;
} redis_starter;

static inline void redis_wait_tried(const redis_server *s)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)s->port)};
    int one = 1;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_GE(fd, 0);
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one), 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    CHECK_EQ(listen(fd, 1), 0);
    int tried = accept(fd, NULL, NULL);
    CHECK_GE(tried, 0);
    close(tried);
    close(fd);
}

static inline int redis_start_when_tried(void *arg)
{
    redis_starter *starter = *(redis_starter **)arg;
    redis_wait_tried(starter->server);
    redis_start_again(starter->server);
    return kr_event_wait(&starter->over, KR_FOREVER);
}

static inline void redis_starter_begin(redis_starter *starter, redis_server *s)
{
    *starter = (redis_starter){.server = s};
    CHECK_EQ(
        kr_thread_start(&starter->thread, redis_start_when_tried, &starter, sizeof starter, NULL),
        0);
}

static inline void redis_starter_end(redis_starter *starter)
{
    kr_event_set(&starter->over);
    CHECK_EQ(kr_thread_join(starter->thread, NULL, KR_FOREVER), 0);
    kr_thread_release(starter->thread);
}

/* It answers nothing from now on, and then again. */
static inline void redis_freeze(redis_server *s)
{
    int status;
    CHECK_EQ(kill(s->process, SIGSTOP), 0);
    CHECK_EQ(waitpid(s->process, &status, WUNTRACED), s->process);
    CHECK(WIFSTOPPED(status));
}

static inline void redis_thaw(redis_server *s)
{
    CHECK_EQ(kill(s->process, SIGCONT), 0);
}

/* Addresses: written once, as several threads may ask for them. */

static inline const char *redis_url(const redis_server *s)
{
    return s->url[REDIS_UNIX];
}

static inline const char *redis_url_tcp(const redis_server *s)
{
    return s->url[REDIS_TCP];
}

static inline const char *redis_url_tls(const redis_server *s)
{
    return s->url[REDIS_TLS];
}

#endif
