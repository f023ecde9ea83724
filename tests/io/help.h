/* One body, run by threads and by coroutines, and the descriptors that it is about.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef TESTS_IO_HELP_H
#define TESTS_IO_HELP_H

#include "harness/test.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <krait/krait.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* IO_TEST(name) { ... } - the cases name.threads and name.coroutines: in the second the body is the
 * first coroutine of a loop, and those that it starts are others. */
#define IO_TEST(name)                                                                              \
    static void name(void);                                                                        \
    static void name##_in_thread(void)                                                             \
    {                                                                                              \
        name();                                                                                    \
    }                                                                                              \
    static void name##_in_coroutine(void)                                                          \
    {                                                                                              \
        io_run_loop(name);                                                                         \
    }                                                                                              \
    __attribute__((constructor)) static void name##_register(void)                                 \
    {                                                                                              \
        static kri_test_case in_thread = {#name ".threads", name##_in_thread, NULL};               \
        static kri_test_case in_coroutine = {#name ".coroutines", name##_in_coroutine, NULL};      \
        kri_test_register(&in_thread);                                                             \
        kri_test_register(&in_coroutine);                                                          \
    }                                                                                              \
    static void name(void)

static inline int io_run_body(void *arg)
{
    (*(void (**)(void))arg)();
    return 0;
}

static inline void io_run_loop(void (*body)(void))
{
    CHECK_EQ(kr_run(io_run_body, &body), 0);
}

static inline bool io_in_coroutine(void)
{
    return kr_running_loop() != NULL;
}

/* Another one, of the body's own kind. */
typedef struct io_other {
    void (*body)(void *arg);
    void *arg;
    pthread_t thread;
    kr_future *future; /* NULL: it is a thread */
    int id;            /* of the thread, once it has begun */
} io_other;

static inline void *io_other_thread(void *arg)
{
    io_other *other = arg;
    __atomic_store_n(&other->id, (int)syscall(SYS_gettid), __ATOMIC_RELEASE);
    other->body(other->arg);
    return NULL;
}

static inline int io_other_task(const void *arg, void *result)
{
    (void)result;
    io_other *other = *(io_other *const *)arg;
    other->body(other->arg);
    return 0;
}

static inline void io_start_thread(io_other *other, void (*body)(void *arg), void *arg)
{
    *other = (io_other){.body = body, .arg = arg};
    CHECK_EQ(pthread_create(&other->thread, NULL, io_other_thread, other), 0);
}

static inline void io_start(io_other *other, void (*body)(void *arg), void *arg)
{
    if (!io_in_coroutine()) {
        io_start_thread(other, body, arg);
        return;
    }
    *other = (io_other){.body = body, .arg = arg};
    CHECK_EQ(kr_spawn(&other->future, io_other_task, &other, sizeof other, 0, NULL), 0);
}

static inline void io_join(io_other *other)
{
    if (other->future == NULL) {
        CHECK_EQ(pthread_join(other->thread, NULL), 0);
        return;
    }
    CHECK_EQ(kr_future_exception(other->future, NULL, kr_sec(60)), 0);
    kr_future_release(other->future);
}

/* Is the thread in a poll? */
static inline bool io_polls(int id)
{
    char path[64], text[32] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/syscall", id);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 && errno != ENOENT)
        SKIP("the system does not tell where a thread sleeps");
    CHECK_GE(fd, 0); /* else it is over, and has not slept */
    ssize_t length = read(fd, text, sizeof text - 1);
    close(fd);
    return length > 0 && atol(text) == kri_test_system_call(SYS_ppoll);
}

/* io_await_asleep - return once the other waits for a descriptor. */
static inline void io_await_asleep(io_other *other)
{
    if (other->future != NULL) {
        for (int i = 0; i < 4; i++)
            CHECK_EQ(kr_yield(), 0);
        return;
    }
    int id;
    while ((id = __atomic_load_n(&other->id, __ATOMIC_ACQUIRE)) == 0 || !io_polls(id))
        kri_test_nap();
}

/* Descriptors */

static inline void io_set_nonblocking(int fd, bool nonblocking)
{
    int mode = fcntl(fd, F_GETFL);
    CHECK_EQ(fcntl(fd, F_SETFL, nonblocking ? mode | O_NONBLOCK : mode & ~O_NONBLOCK), 0);
}

static inline bool io_is_nonblocking(int fd)
{
    return (fcntl(fd, F_GETFL) & O_NONBLOCK) != 0;
}

static inline struct sockaddr *io_address_of(struct sockaddr_in *in)
{
    return (struct sockaddr *)(void *)in;
}

/* A listener at a port of the system's choice. */
static inline int io_listen(struct sockaddr_in *at, int backlog)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof *at;
    CHECK_GE(fd, 0);
    CHECK_EQ(bind(fd, io_address_of(at), size), 0);
    CHECK_EQ(getsockname(fd, io_address_of(at), &size), 0);
    CHECK_EQ(listen(fd, backlog), 0);
    return fd;
}

/* Two ends of a TCP connection, blocking. */
static inline void io_tcp_pair(int fds[2])
{
    struct sockaddr_in at;
    int listener = io_listen(&at, 1);
    fds[0] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(connect(fds[0], io_address_of(&at), sizeof at), 0);
    fds[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    CHECK_GE(fds[1], 0);
    close(listener);
}

#endif
