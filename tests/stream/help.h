/* What the tests of streams share: one body for threads and for coroutines.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_HELP_H
#define KRI_STREAM_HELP_H

#include "base/atomic.h"
#include "harness/test.h"
#include <fcntl.h>
#include <krait/krait.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

__attribute__((unused)) static bool in_loop;

__attribute__((unused)) static int call_body(void *arg)
{
    ((void (*)(void))(uintptr_t)arg)();
    return 0;
}

/* BOTH_TEST - the cases name.threads and name.coroutines. */
#define BOTH_TEST(name)                                                                            \
    static void name(void);                                                                        \
    static void name##_in_loop(void)                                                               \
    {                                                                                              \
        in_loop = true;                                                                            \
        CHECK_EQ(kr_run(call_body, (void *)(uintptr_t)name), 0);                                   \
    }                                                                                              \
    __attribute__((constructor)) static void name##_register(void)                                 \
    {                                                                                              \
        static kri_test_case threads = {#name ".threads", name, NULL};                             \
        static kri_test_case coroutines = {#name ".coroutines", name##_in_loop, NULL};             \
        kri_test_register(&threads);                                                               \
        kri_test_register(&coroutines);                                                            \
    }                                                                                              \
    static void name(void)

/* Somebody beside the test: a thread, or a coroutine. */
typedef struct beside {
    kr_thread *thread;
    kr_future *future;
} beside;

typedef int (*beside_fn)(const void *arg, void *result);

typedef struct beside_order {
    beside_fn fn;
    void *arg;
} beside_order;

__attribute__((unused)) static int beside_run(void *arg)
{
    beside_order *order = arg;
    return order->fn(order->arg, NULL);
}

__attribute__((unused)) static beside beside_start(beside_fn fn, void *arg)
{
    beside b = {NULL, NULL};
    beside_order order = {fn, arg};
    if (in_loop)
        CHECK_EQ(kr_spawn(&b.future, fn, arg, 0, 0, NULL), 0);
    else
        CHECK_EQ(kr_thread_start(&b.thread, beside_run, &order, sizeof order, NULL), 0);
    return b;
}

__attribute__((unused)) static int beside_end(beside *b)
{
    int result = 0;
    if (b->thread != NULL)
        CHECK_EQ(kr_thread_join(b->thread, &result, kr_sec(60)), 0);
    else
        CHECK_EQ(kr_future_exception(b->future, &result, kr_sec(60)), 0);
    kr_thread_release(b->thread);
    kr_future_release(b->future);
    return result;
}

/* Two streams that are each other's other end. */
__attribute__((unused)) static void make_pair(kr_stream **a, kr_stream **b,
                                              const kr_stream_options *options)
{
    int fds[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    CHECK_EQ(kr_stream_open(a, fds[0], options), 0);
    CHECK_EQ(kr_stream_open(b, fds[1], options), 0);
}

__attribute__((unused)) static void feed(kr_stream *s, const char *text)
{
    CHECK_EQ(kr_stream_write(s, text, strlen(text), NULL, kr_sec(10)), 0);
}

#define CHECK_BYTES(data, size, want)                                                              \
    do {                                                                                           \
        CHECK_EQ(size, strlen(want));                                                              \
        CHECK(memcmp(data, want, size) == 0);                                                      \
    } while (0)

#endif
