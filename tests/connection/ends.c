/* How waits on a pipe end, and its ends: by time, cancel, signal, close, exit and kill.
 *
 * Also Python's classic hang, a receiver that waits for an end that it holds open itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/connection.h"
#include "connection/help.h"
#include <pthread.h>
#include <signal.h>

enum { BIG = 1 << 20 };

typedef struct call {
    kr_connection *c;
    kr_time timeout;
    kr_cancel_scope scope;
    size_t size;
    int result;
    bool sends;
    bool over; /* atomic */
    kr_word tid;
    pthread_t thread;
} call;

static unsigned char big[BIG];  /* what is sent */
static unsigned char room[BIG]; /* for what is received */

static void *make_call(void *arg)
{
    call *it = arg;
    char byte;
    CHECK_EQ(kr_cancel_scope_enter(&it->scope, KR_FOREVER), 0);
    __atomic_store_n(&it->tid.bits, (uint32_t)gettid(), __ATOMIC_RELEASE);
    if (it->sends)
        it->result = kr_connection_send(it->c, big, it->size, it->timeout);
    else
        it->result = kr_connection_recv_into(it->c, &byte, 1, NULL, it->timeout);
    (void)kr_cancel_scope_exit(&it->scope);
    __atomic_store_n(&it->over, true, __ATOMIC_RELEASE);
    return NULL;
}

static void begin(call *it)
{
    it->scope = (kr_cancel_scope)KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(pthread_create(&it->thread, NULL, make_call, it), 0);
    await_asleep(&it->tid);
}

static bool is_over(call *it)
{
    return __atomic_load_n(&it->over, __ATOMIC_ACQUIRE);
}

static int end(call *it)
{
    CHECK_EQ(pthread_join(it->thread, NULL), 0);
    return it->result;
}

static void fill(kr_connection *c)
{
    int err;
    while ((err = kr_connection_send(c, big, 100, KR_NOWAIT)) == 0)
        continue;
    CHECK_EQ(err, -ETIMEDOUT);
}

TEST(test_timeout)
{
    char byte;
    pipe_pair pair = pair_make(NULL);
    kr_time start = kr_now();
    CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, kr_ms(50)), -ETIMEDOUT);
    CHECK_GE(kr_now() - start, kr_ms(50));
    CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, KR_NOWAIT), -ETIMEDOUT);
    fill(pair.a);
    start = kr_now();
    CHECK_EQ(kr_connection_send(pair.a, big, 100, kr_ms(50)), -ETIMEDOUT);
    CHECK_GE(kr_now() - start, kr_ms(50));
    CHECK_EQ(kr_connection_recv_into(pair.b, room, BIG, NULL, KR_NOWAIT), 0);
    CHECK_EQ(kr_connection_send(pair.a, big, 100, KR_NOWAIT), 0);
    pair_release(&pair);
}

TEST(test_cancel)
{
    pipe_pair pair = pair_make(NULL);
    fill(pair.a);
    call calls[2] = {{.c = pair.a, .timeout = KR_FOREVER},
                     {.c = pair.a, .timeout = KR_FOREVER, .sends = true, .size = 100}};
    for (int i = 0; i < 2; i++) {
        begin(&calls[i]);
        kr_cancel(&calls[i].scope);
        CHECK_EQ(end(&calls[i]), -ECANCELED);
    }
    /* What needs no wait succeeds inside a cancelled scope. */
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kr_connection_recv_into(pair.b, room, BIG, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_poll(pair.a, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_connection_recv_into(pair.a, room, BIG, NULL, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    pair_release(&pair);
}

static void ignore(int signo)
{
    (void)signo;
}

/* A signal comes while it sleeps, again and again: 50 times, or for as long as its time lasts. */
static void disturb(call *it)
{
    bool timed = it->timeout < PATIENCE;
    kr_time until = kr_now() + kr_sec(10);
    for (int i = 0; timed ? !is_over(it) && kr_now() < until : i < 50; i++) {
        CHECK_EQ(pthread_kill(it->thread, SIGUSR1), 0);
        if (timed)
            kri_test_nap();
        else
            await_asleep(&it->tid);
    }
}

/* Signals neither end a call nor lengthen it.  behaviour: 12.7 test_ignore */
TEST(test_ignore)
{
    struct sigaction action = {.sa_handler = ignore}; /* without SA_RESTART */
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    pipe_pair pair = pair_make(NULL);
    for (int how = 0; how < 4; how++) {
        bool sends = how % 2 == 1;
        kr_time timeout = how < 2 ? PATIENCE : kr_ms(200);
        if (sends)
            fill(pair.a);
        call it = {.c = pair.a, .timeout = timeout, .sends = sends, .size = 100};
        kr_time start = kr_now();
        begin(&it);
        disturb(&it);
        if (how < 2) {
            size_t size;
            if (sends)
                for (int k = 0; k < 100; k++)
                    CHECK_EQ(kr_connection_recv_into(pair.b, room, BIG, &size, PATIENCE), 0);
            else
                CHECK_EQ(kr_connection_send(pair.b, "x", 1, KR_FOREVER), 0);
            CHECK_EQ(end(&it), 0);
        } else {
            CHECK_EQ(end(&it), -ETIMEDOUT);
            CHECK_GE(kr_now() - start, kr_ms(200));
            CHECK_LE(kr_now() - start, kr_sec(10));
        }
    }
    pair_release(&pair);
}

/* A receiver that sleeps, one that polls, and a sender that waits for room: each ends when the
 * other side is closed, exits, or is killed. */
static void sleep_for_ever(pipe_pair *pair)
{
    kr_connection_release(pair->a);
    for (;;)
        pause();
}

TEST(test_other_side_killed)
{
    for (int how = 0; how < 4; how++) {
        char byte;
        pipe_pair pair = pair_make(NULL);
        pid_t child = pair_fork(&pair, sleep_for_ever);
        kr_connection_release(pair.b);
        if (how == 1)
            fill(pair.a);
        call it = {.c = pair.a, .timeout = PATIENCE, .sends = how == 1, .size = 100};
        if (how < 2)
            begin(&it);
        CHECK_EQ(kill(child, SIGKILL), 0);
        CHECK_EQ(wait_for_child(child), -SIGKILL);
        if (how < 2)
            CHECK_EQ(end(&it), how == 0 ? KR_EOF : -EPIPE);
        else if (how == 2)
            CHECK_EQ(kr_connection_poll(pair.a, PATIENCE), 0);
        CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, KR_NOWAIT), KR_EOF);
        CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, KR_FOREVER), KR_EOF);
        CHECK_EQ(kr_connection_send(pair.a, "x", 1, KR_FOREVER), -EPIPE);
        kr_connection_release(pair.a);
    }
    CHECK_EQ(open_descriptors(), 0);
}

static void send_and_exit(pipe_pair *pair)
{
    kr_connection_release(pair->a);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_connection_send(pair->b, &i, sizeof i, KR_FOREVER), 0);
    _exit(0);
}

/* What was sent before the end comes before the end. */
TEST(test_end_after_messages)
{
    pipe_pair pair = pair_make(NULL);
    pid_t child = pair_fork(&pair, send_and_exit);
    kr_connection_release(pair.b);
    CHECK_EQ(wait_for_child(child), 0);
    for (int i = 0; i < 3; i++) {
        int got = -1;
        CHECK_EQ(kr_connection_recv_into(pair.a, &got, sizeof got, NULL, KR_NOWAIT), 0);
        CHECK_EQ(got, i);
    }
    int fd;
    CHECK_EQ(kr_connection_recv_descriptor(pair.a, &fd, KR_FOREVER), KR_EOF);
    kr_connection_release(pair.a);
}

/* The end comes when the last of several senders is gone, and not before. */
static void keep_open(pipe_pair *pair)
{
    kr_connection_release(pair->a);
    char byte;
    CHECK_EQ(kr_connection_recv_into(pair->b, &byte, 1, NULL, KR_FOREVER), 0);
}

TEST(test_end_when_all_are_gone)
{
    char byte;
    pid_t children[3];
    pipe_pair pair = pair_make(NULL);
    for (int i = 0; i < 3; i++)
        children[i] = pair_fork(&pair, keep_open);
    kr_connection_release(pair.b);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, kr_ms(20)), -ETIMEDOUT);
        CHECK_EQ(kr_connection_send(pair.a, "x", 1, KR_FOREVER), 0);
        int status;
        CHECK_GE(waitpid(-1, &status, 0), 1);
        CHECK_EQ(status, 0);
    }
    (void)children;
    CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, PATIENCE), KR_EOF);
    kr_connection_release(pair.a);
}

/* The hang of the articles on Python: the receiver waits for EOFError and holds the sending end
 * itself.  A child of ours has only what it was given. */
static void receive_to_the_end(pipe_pair *pair)
{
    int got, count = 0, err;
    kr_connection *keep[1] = {pair->a};
    kri_connections_close_all_but(keep, 1);
    while ((err = kr_connection_recv_into(pair->a, &got, sizeof got, NULL, PATIENCE)) == 0)
        CHECK_EQ(got, count++);
    CHECK_EQ(err, KR_EOF);
    CHECK_EQ(count, 10);
}

TEST(test_receiver_until_end)
{
    pipe_pair pair = pair_make(&(kr_pipe_options){.one_way = true});
    pipe_pair unrelated = pair_make(NULL);
    pid_t child = pair_fork(&pair, receive_to_the_end);
    kr_connection_close(pair.a); /* handed over */
    for (int i = 0; i < 10; i++)
        CHECK_EQ(kr_connection_send(pair.b, &i, sizeof i, KR_FOREVER), 0);
    kr_connection_close(pair.b);
    CHECK_EQ(wait_for_child(child), 0);
    pair_release(&pair);
    CHECK_EQ(kr_connection_send(unrelated.a, "x", 1, KR_FOREVER), 0);
    pair_release(&unrelated);
    CHECK_EQ(open_descriptors(), 0);
}

/* A message in parts whose sender gave up: nothing of it is received, and what follows is. */
TEST(test_given_up_in_the_middle)
{
    pipe_pair pair = pair_make(NULL);
    size_t size;
    void *bytes;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_connection_send(pair.a, big, BIG, i == 0 ? KR_NOWAIT : kr_ms(5)), -ETIMEDOUT);
        CHECK_EQ(kr_connection_recv(pair.b, &bytes, &size, kr_ms(5)), -ETIMEDOUT);
        CHECK(bytes == NULL && size == 0);
        CHECK_EQ(kr_connection_recv(pair.b, &bytes, &size, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_connection_send(pair.a, "ok", 2, KR_NOWAIT), 0);
        CHECK_EQ(kr_connection_recv(pair.b, &bytes, &size, KR_NOWAIT), 0);
        CHECK_EQ(size, 2);
        free(bytes);
    }
    CHECK_EQ(kr_connection_send(pair.a, big, BIG, kr_ms(5)), -ETIMEDOUT);
    kr_connection_release(pair.a);
    CHECK_EQ(kr_connection_recv(pair.b, &bytes, &size, KR_FOREVER), KR_EOF);
    kr_connection_release(pair.b);
}

/* A receive that ends in the middle of a message goes on with the next call; too little room is
 * told, and takes nothing away. */
static int receive_in_calls(pipe_pair *pair)
{
    static unsigned char small[100];
    size_t size;
    void *bytes;
    int ended = 0, err;
    call it = {.c = pair->a, .timeout = PATIENCE, .sends = true, .size = BIG};
    begin(&it);
    CHECK_EQ(kr_connection_recv_into(pair->b, small, sizeof small, &size, KR_NOWAIT), -EMSGSIZE);
    CHECK_EQ(size, BIG);
    while ((err = kr_connection_recv(pair->b, &bytes, &size, KR_NOWAIT)) == -ETIMEDOUT) {
        ended++;
        CHECK_EQ(kr_connection_poll(pair->b, PATIENCE), 0);
    }
    CHECK_EQ(err, 0);
    CHECK_EQ(size, BIG);
    CHECK(memcmp(bytes, big, BIG) == 0);
    free(bytes);
    CHECK_EQ(end(&it), 0);
    return ended;
}

TEST(test_received_in_two_calls)
{
    pipe_pair pair = pair_make(NULL);
    int ended = 0;
    fill_bytes(big, BIG, 7);
    while (ended == 0) /* a sender may be so fast that one call gets it all */
        ended = receive_in_calls(&pair);
    pair_release(&pair);
}

/* Two handles for one end: the rest of a message that one has begun goes to the other, and is
 * dropped there; neither takes parts of different messages for one. */
TEST(test_parts_go_elsewhere)
{
    pipe_pair pair = pair_make(NULL);
    kr_connection *copy;
    size_t size;
    void *bytes;
    CHECK_EQ(kr_connection_duplicate(pair.b, &copy), 0);
    int err = 0;
    while (err == 0) { /* a sender may be so fast that one call gets it all */
        memset(big, 1, BIG);
        CHECK_EQ(kr_connection_send(pair.a, big, BIG, kr_ms(2)), -ETIMEDOUT);
        CHECK_EQ(kr_connection_recv(pair.b, &bytes, &size, KR_NOWAIT), -ETIMEDOUT);
        memset(big, 2, BIG);
        call it = {.c = pair.a, .timeout = PATIENCE, .sends = true, .size = BIG};
        begin(&it);
        err = kr_connection_recv(copy, &bytes, &size, KR_NOWAIT);
        CHECK(err == 0 || err == -ETIMEDOUT);
        free(bytes);
        if (err != 0)
            CHECK_EQ(kr_connection_recv(pair.b, &bytes, &size, kr_sec(1)), -ETIMEDOUT);
        CHECK_EQ(end(&it), 0);
    }
    CHECK_EQ(kr_connection_send(pair.a, "ok", 2, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv(pair.b, &bytes, &size, KR_FOREVER), 0);
    CHECK_EQ(size, 2);
    free(bytes);
    kr_connection_release(copy);
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}
