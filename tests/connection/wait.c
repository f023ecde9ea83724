/* Waiting for several things at a time.
 *
 * Behaviours: section 12.7, TestWait and invalid handles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/help.h"
#include "harness/sanitizers.h"
#include <pthread.h>
#include <sys/socket.h>
#include <sys/syscall.h>

enum { WRITERS = 4, MESSAGES = 10, MANY = 40 };

/* Between two messages, for some 0 to 4 ms; each writer has its own. */
static void pause_for_some(uint64_t *random)
{
    for (uint64_t naps = kri_test_random(random) % 30; naps > 0; naps--)
        kri_test_nap();
}

static uint64_t writers_random;

static void write_some(pipe_pair *pair, bool slowly)
{
    for (int i = 0; i < MESSAGES; i++) {
        if (slowly)
            pause_for_some(&writers_random);
        int message[2] = {i, (int)getpid()};
        CHECK_EQ(kr_connection_send(pair->b, message, sizeof message, KR_FOREVER), 0);
    }
}

static void write_fast(pipe_pair *pair)
{
    write_some(pair, false);
}

static void write_slowly(pipe_pair *pair)
{
    write_some(pair, true);
}

/* Until every writer's end is over and everything has come, in order. */
static void read_all(kr_waitable *list, int count)
{
    int next[WRITERS] = {0};
    kr_connection *of[WRITERS];
    for (int i = 0; i < count; i++)
        of[i] = list[i].connection;
    while (count > 0) {
        CHECK_GE(kr_connection_wait(list, (size_t)count, PATIENCE), 1);
        for (int i = 0; i < count; i++) {
            if (!list[i].ready)
                continue;
            int message[2], w;
            for (w = 0; of[w] != list[i].connection; w++)
                continue;
            int err = kr_connection_recv_into(of[w], message, sizeof message, NULL, KR_NOWAIT);
            if (err == KR_EOF) {
                CHECK_EQ(next[w], MESSAGES);
                kr_connection_release(of[w]);
                list[i--] = list[--count];
                continue;
            }
            CHECK_EQ(err, 0);
            CHECK_EQ(message[0], next[w]++);
        }
    }
}

static void check_writers(void (*body)(pipe_pair *pair))
{
    kr_waitable list[WRITERS] = {{.ready = false}};
    pid_t children[WRITERS];
    writers_random = kri_test_seed();
    for (int i = 0; i < WRITERS; i++, writers_random++) {
        pipe_pair pair = pair_make(&(kr_pipe_options){.one_way = true});
        children[i] = pair_fork(&pair, body);
        kr_connection_release(pair.b);
        list[i].connection = pair.a;
    }
    read_all(list, WRITERS);
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQ(wait_for_child(children[i]), 0);
    CHECK_EQ(open_descriptors(), 0);
}

TEST(test_wait)
{
    check_writers(write_fast);
}

TEST(test_wait_slow)
{
    check_writers(write_slowly);
}

/* Plain descriptors: sockets, until their end. */
static void check_sockets(bool slowly)
{
    kr_waitable list[WRITERS] = {{.ready = false}};
    int left = WRITERS;
    int got[WRITERS] = {0};
    int of[WRITERS];
    uint64_t random = kri_test_seed();
    for (int i = 0; i < WRITERS; i++, random++) {
        int fds[2];
        CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        pid_t child = fork();
        if (child == 0) {
            for (int k = 0; k < MESSAGES; k++) {
                if (slowly)
                    pause_for_some(&random);
                CHECK_EQ(send(fds[1], "x", 1, MSG_NOSIGNAL), 1);
            }
            _exit(0);
        }
        close(fds[1]);
        of[i] = list[i].descriptor = fds[0];
    }
    while (left > 0) {
        CHECK_GE(kr_connection_wait(list, (size_t)left, PATIENCE), 1);
        for (int i = 0; i < left; i++) {
            char bytes[8];
            int w;
            if (!list[i].ready)
                continue;
            for (w = 0; of[w] != list[i].descriptor; w++)
                continue;
            ssize_t size = read(of[w], bytes, sizeof bytes);
            if (size == 0) {
                close(of[w]);
                list[i--] = list[--left];
            } else {
                got[w] += (int)size;
            }
        }
    }
    for (int i = 0; i < WRITERS; i++)
        CHECK_EQ(got[i], MESSAGES);
}

TEST(test_wait_socket)
{
    check_sockets(false);
}

TEST(test_wait_socket_slow)
{
    check_sockets(true);
}

TEST(test_wait_timeout)
{
    pipe_pair pair = pair_make(NULL);
    kr_waitable list[2] = {{.connection = pair.a}, {.connection = pair.b}};
    kr_time start = kr_now();
    CHECK_EQ(kr_connection_wait(list, 2, kr_ms(500)), -ETIMEDOUT);
    CHECK_GE(kr_now() - start, kr_ms(500));
    CHECK(!list[0].ready && !list[1].ready);
    CHECK_EQ(kr_connection_send(pair.b, "", 0, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_wait(list, 2, PATIENCE), 1);
    CHECK(list[0].ready && !list[1].ready);
    CHECK_EQ(kr_connection_wait(list, 2, KR_NOWAIT), 1);
    pair_release(&pair);
}

/* Both ends, and the end of a process: each becomes ready by itself. */
TEST(test_wait_integer)
{
    NEED_PROCESSES;
    pipe_pair pair = pair_make(NULL);
    int stop[2];
    CHECK_EQ(pipe(stop), 0);
    pid_t child = fork();
    if (child == 0) {
        char byte;
        _exit(read(stop[0], &byte, 1) == 1 ? 0 : 1);
    }
    int pidfd = (int)syscall(SYS_pidfd_open, child, 0);
    CHECK_GE(pidfd, 0);
    kr_waitable list[3] = {{.connection = pair.a}, {.descriptor = pidfd}, {.connection = pair.b}};
    CHECK_EQ(kr_connection_wait(list, 3, kr_ms(20)), -ETIMEDOUT);
    CHECK_EQ(kr_connection_send(pair.b, "x", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_wait(list, 3, PATIENCE), 1);
    CHECK(list[0].ready && !list[1].ready && !list[2].ready);
    CHECK_EQ(kr_connection_send(pair.a, "x", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_wait(list, 3, PATIENCE), 2);
    CHECK(list[0].ready && !list[1].ready && list[2].ready);
    CHECK_EQ(write(stop[1], "x", 1), 1);
    CHECK_EQ(wait_for_child(child), 0);
    CHECK_EQ(kr_connection_wait(list, 3, PATIENCE), 3);
    char byte;
    CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_wait(list, 3, PATIENCE), 1);
    CHECK(!list[0].ready && list[1].ready && !list[2].ready);
    pair_release(&pair);
}

TEST(test_neg_timeout)
{
    pipe_pair pair = pair_make(NULL);
    kr_waitable list[1] = {{.connection = pair.a}};
    CHECK_EQ(kr_connection_wait(list, 1, -1), -EINVAL);
    CHECK_EQ(kr_connection_wait(NULL, 1, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_connection_wait(NULL, 0, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_connection_wait(NULL, 0, kr_ms(1)), -ETIMEDOUT);
    pair_release(&pair);
}

TEST(test_invalid_handles)
{
    char byte;
    pipe_pair pair = pair_make(&(kr_pipe_options){.one_way = true});
    kr_waitable list[2] = {{.connection = pair.a}, {.descriptor = 1000}};
    CHECK_EQ(kr_connection_wait(list, 2, KR_FOREVER), -EBADF);
    list[1].descriptor = -1;
    CHECK_EQ(kr_connection_wait(list, 2, KR_FOREVER), -EBADF);
    list[1] = (kr_waitable){.connection = pair.b}; /* only sends */
    CHECK_EQ(kr_connection_wait(list, 2, KR_FOREVER), -EBADF);
    list[1].listener = (struct kr_listener *)(uintptr_t)&byte;
    CHECK_EQ(kr_connection_wait(list, 2, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_connection_poll(NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_connection_recv_into(NULL, &byte, 1, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_connection_recv_into(pair.a, NULL, 1, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_connection_recv(pair.a, NULL, NULL, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_connection_descriptor(NULL), -EBADF);
    pair_release(&pair);
}

/* More than lie in the caller's frame, and the end of one of them. */
TEST(test_wait_for_many)
{
    kr_waitable list[MANY] = {{.ready = false}};
    pipe_pair pairs[MANY];
    for (int i = 0; i < MANY; i++) {
        pairs[i] = pair_make(NULL);
        list[i].connection = pairs[i].a;
    }
    for (int i = 0; i < MANY; i++) {
        kr_connection_release(pairs[i].b);
        CHECK_EQ(kr_connection_wait(list, MANY, PATIENCE), i + 1);
        for (int k = 0; k < MANY; k++)
            CHECK_EQ(list[k].ready, k <= i);
    }
    for (int i = 0; i < MANY; i++)
        kr_connection_release(pairs[i].a);
    CHECK_EQ(open_descriptors(), 0);
}

/* A listener among them. */
TEST(test_wait_listener)
{
    pipe_pair pair = pair_make(NULL);
    kr_listener *l;
    kr_connection *client, *server;
    char address[KR_ADDRESS_SIZE];
    CHECK_EQ(kr_listener_create(&l, NULL, NULL), 0);
    kr_waitable list[2] = {{.connection = pair.a}, {.listener = l}};
    CHECK_EQ(kr_connection_wait(list, 2, kr_ms(10)), -ETIMEDOUT);
    kr_listener_address(l, address, sizeof address);
    CHECK_EQ(kr_client(&client, address, NULL, PATIENCE), 0);
    CHECK_EQ(kr_connection_wait(list, 2, PATIENCE), 1);
    CHECK(!list[0].ready && list[1].ready);
    CHECK_EQ(kr_listener_accept(l, &server, PATIENCE), 0);
    list[1] = (kr_waitable){.connection = server};
    CHECK_EQ(kr_connection_wait(list, 2, kr_ms(10)), -ETIMEDOUT);
    CHECK_EQ(kr_connection_send(client, "x", 1, PATIENCE), 0);
    CHECK_EQ(kr_connection_wait(list, 2, PATIENCE), 1);
    CHECK(!list[0].ready && list[1].ready);
    kr_connection_release(client);
    kr_connection_release(server);
    kr_listener_release(l);
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}

/* A sleeping wait, by another thread, is ended by a message, a cancel and the other side's end. */
typedef struct waiter {
    kr_waitable list[1];
    kr_cancel_scope scope;
    int result;
    kr_word tid;
} waiter;

static void *wait_in_scope(void *arg)
{
    waiter *w = arg;
    CHECK_EQ(kr_cancel_scope_enter(&w->scope, KR_FOREVER), 0);
    __atomic_store_n(&w->tid.bits, (uint32_t)gettid(), __ATOMIC_RELEASE);
    w->result = kr_connection_wait(w->list, 1, KR_FOREVER);
    (void)kr_cancel_scope_exit(&w->scope);
    return NULL;
}

TEST(test_wait_ends)
{
    for (int how = 0; how < 3; how++) {
        pipe_pair pair = pair_make(NULL);
        waiter w = {.list = {{.connection = pair.a}}, .scope = KR_CANCEL_SCOPE_INIT};
        pthread_t thread;
        CHECK_EQ(pthread_create(&thread, NULL, wait_in_scope, &w), 0);
        await_asleep(&w.tid);
        if (how == 0)
            CHECK_EQ(kr_connection_send(pair.b, "", 0, KR_FOREVER), 0);
        else if (how == 1)
            kr_connection_close(pair.b);
        else
            kr_cancel(&w.scope);
        pthread_join(thread, NULL);
        CHECK_EQ(w.result, how == 2 ? -ECANCELED : 1);
        pair_release(&pair);
    }
}
