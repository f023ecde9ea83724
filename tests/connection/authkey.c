/* Listeners and clients with a key, among themselves and with peers that want no good.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/socket_help.h"
#include "harness/sanitizers.h"
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/wait.h>

static const kr_client_options right = {.authkey = KEY, .authkey_size = KEY_SIZE};
static const kr_client_options wrong = {.authkey = "sesame", .authkey_size = 6};

typedef struct visit {
    const char *address;
    const kr_client_options *options;
} visit;

/* The result is kr_client's; who is let in says so and waits for the end. */
static int pay_visit(void *arg)
{
    visit *v = arg;
    kr_connection *c;
    int err = kr_client(&c, v->address, v->options, kr_sec(30));
    if (err < 0)
        return err;
    send_text(c, "here I am");
    expect_error(c, KR_EOF);
    kr_connection_release(c);
    return 0;
}

static kr_thread *start_visit(visit *v)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, pay_visit, v, 0, NULL), 0);
    return t;
}

static int end_visit(kr_thread *t)
{
    int result;
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    kr_thread_release(t);
    return result;
}

static void receive_visit(kr_listener *l)
{
    kr_connection *c = accept_one(l);
    expect_text(c, "here I am");
    kr_connection_release(c);
}

TEST(the_same_key)
{
    need_digests();
    const char *const addresses[] = {NULL, "tcp:127.0.0.1:0"};
    for (int i = 0; i < 2; i++) {
        kr_listener *l = open_keyed(addresses[i]);
        visit v = {address_of(l), &right};
        kr_thread *t = start_visit(&v);
        receive_visit(l);
        CHECK_EQ(end_visit(t), 0);
        kr_listener_release(l);
    }
}

TEST(another_key)
{
    need_digests();
    const char *const addresses[] = {NULL, "tcp:127.0.0.1:0"};
    for (int i = 0; i < 2; i++) {
        kr_listener *l = open_keyed(addresses[i]);
        visit v = {address_of(l), &wrong};
        kr_connection *c;
        kr_thread *t = start_visit(&v);
        CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
        CHECK(c == NULL);
        CHECK_EQ(end_visit(t), KR_EAUTH);
        v.options = &right; /* the listener goes on */
        t = start_visit(&v);
        receive_visit(l);
        CHECK_EQ(end_visit(t), 0);
        kr_listener_release(l);
    }
}

/* What such a peer sends to a listener; it is turned away, and nothing is allocated for it. */
static void turned_away(const void *bytes, size_t size, bool leave)
{
    kr_connection *c;
    kr_listener *l = open_keyed(NULL);
    int fd = connect_raw(l);
    char challenge[4 + 11 + 48];
    CHECK_EQ(kr_listener_accept(l, &c, KR_NOWAIT), -ETIMEDOUT);
    read_raw(fd, challenge, sizeof challenge);
    CHECK(memcmp(challenge, "\0\0\0;#CHALLENGE#{sha256}", 23) == 0);
    if (size > 0)
        write_raw(fd, bytes, size);
    if (leave)
        close(fd);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
    CHECK_EQ(kr_listener_accept(l, &c, KR_NOWAIT), -ETIMEDOUT);
    kr_listener_release(l);
    if (!leave)
        close(fd);
}

TEST(hostile_clients)
{
    need_digests();
    char long_answer[4 + 257] = "\0\0\1\1";
    turned_away(long_answer, sizeof long_answer, false);
    turned_away(long_answer, 4, false); /* announcing it is enough */
    turned_away("\xff\xff\xff\xff\0\0\0\1\0\0\0\0", 12, false);
    turned_away("\x80\0\0\0", 4, false);
    turned_away("\0\0\0\5hello", 9, false);
    turned_away("\0\0\0\0", 4, false);
    turned_away("GET / HTTP/1.1\r\n\r\n", 18, false);
    turned_away("", 0, true);
    turned_away("\0\0", 2, true);
    turned_away("\0\0\0\5hel", 7, true);
}

/* 256 bytes are not too long; they are wrong. */
TEST(the_longest_answer)
{
    need_digests();
    kr_connection *c;
    kr_listener *l = open_keyed(NULL);
    int fd = connect_raw(l);
    char answer[4 + 256] = "\0\0\1\0", reply[13], skipped[63];
    write_raw(fd, answer, sizeof answer);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
    read_raw(fd, skipped, sizeof skipped);
    read_raw(fd, reply, sizeof reply);
    CHECK(memcmp(reply, "\0\0\0\x09#FAILURE#", 13) == 0);
    kr_listener_release(l);
    close(fd);
}

/* Such a peer as a listener. */
typedef struct impostor {
    int listener;
    const void *bytes;
    size_t size;
} impostor;

static int deceive(void *arg)
{
    impostor *w = arg;
    int fd = accept(w->listener, NULL, NULL);
    CHECK(fd >= 0);
    if (w->size > 0)
        write_raw(fd, w->bytes, w->size);
    if (w->size > 0) {
        char byte;
        while (recv(fd, &byte, 1, 0) > 0)
            ;
    }
    return close(fd);
}

static void deceived(const void *bytes, size_t size, int error)
{
    char name[40];
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    int written = snprintf(name, sizeof name, "@krait-test-%d", (int)getpid());
    memcpy(un.sun_path + 1, name + 1, (size_t)written - 1);
    impostor w = {.listener = socket(AF_UNIX, SOCK_STREAM, 0), .bytes = bytes, .size = size};
    socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path)) + (socklen_t)written;
    CHECK_EQ(bind(w.listener, (struct sockaddr *)&un, length), 0);
    CHECK_EQ(listen(w.listener, 1), 0);
    kr_thread *t;
    kr_connection *c;
    CHECK_EQ(kr_thread_start(&t, deceive, &w, 0, NULL), 0);
    CHECK_EQ(kr_client(&c, name, &right, kr_sec(30)), error);
    CHECK(c == NULL);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    close(w.listener);
}

TEST(hostile_listeners)
{
    need_digests();
    char long_challenge[4 + 257] = "\0\0\1\1#CHALLENGE#{sha256}";
    char old[] = "\0\0\0\x1f#CHALLENGE#01234567890123456789";
    char good[] = "\0\0\0;#CHALLENGE#{sha256}0123456789012345678901234567890123456789";
    char refused[sizeof good + 13];
    memcpy(refused, good, sizeof good - 1);
    memcpy(refused + sizeof good - 1, "\0\0\0\x09#FAILURE#", 13);
    deceived(long_challenge, sizeof long_challenge, KR_EAUTH);
    deceived("\xff\xff\xff\xff\0\0\0\1\0\0\0\0", 12, KR_EAUTH);
    deceived("\0\0\0\5hello", 9, KR_EAUTH);
    deceived(old, sizeof old - 1, KR_EAUTH); /* MD5 */
    deceived(refused, sizeof good - 1 + 13, KR_EAUTH);
    deceived("", 0, KR_EOF);
}

/* A client that says next to nothing costs the others nothing, and its own time ends. */
TEST(a_silent_client)
{
    need_digests();
    kr_time limit = kr_ms(300 * KRI_TIMES);
    kr_listener_options options = {
        .authkey = KEY, .authkey_size = KEY_SIZE, .handshake_timeout = limit};
    kr_listener *l = open_listener(NULL, &options);
    kr_time began = kr_now();
    int silent = connect_raw(l);
    bool over = false; /* early on a slow machine */
    for (int i = 0; i < 3; i++) {
        visit v = {address_of(l), &right};
        kr_thread *t = start_visit(&v);
        kr_connection *c;
        int err = kr_listener_accept(l, &c, KR_FOREVER);
        if (err == KR_EAUTH && !over) {
            over = true;
            err = kr_listener_accept(l, &c, KR_FOREVER);
        }
        CHECK_EQ(err, 0);
        expect_text(c, "here I am");
        kr_connection_release(c);
        CHECK_EQ(end_visit(t), 0);
        (void)!send(silent, "", 1, MSG_NOSIGNAL);
    }
    kr_connection *c;
    if (!over)
        CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
    CHECK_TIME(kr_now() - began, limit);
    CHECK_EQ(kr_listener_accept(l, &c, kr_ms(1)), -ETIMEDOUT);
    char bytes[64];
    read_raw(silent, bytes, 63);
    CHECK_EQ(recv(silent, bytes, 1, 0), 0); /* dropped */
    close(silent);
    kr_listener_release(l);
}

TEST(a_silent_listener)
{
    need_digests();
    kr_listener *l = open_listener(NULL, NULL); /* has no key, so it never asks */
    kr_client_options options = right;
    kr_connection *c;
    kr_time began = kr_now();
    CHECK_EQ(kr_client(&c, address_of(l), &options, kr_ms(50)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(50));
    options.handshake_timeout = kr_ms(50);
    CHECK_EQ(kr_client(&c, address_of(l), &options, KR_FOREVER), -ETIMEDOUT);
    kr_listener_release(l);
}

/* So many silent ones that the first has to go; the others keep their places. */
TEST(many_silent_clients)
{
    need_digests();
    enum { MOST = 64 };
    kr_listener *l = open_keyed(NULL);
    kr_connection *c;
    int fds[MOST + 1];
    char bytes[64];
    for (int i = 0; i < MOST; i++) {
        fds[i] = connect_raw(l);
        CHECK_EQ(kr_listener_accept(l, &c, KR_NOWAIT), -ETIMEDOUT);
    }
    fds[MOST] = connect_raw(l);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
    read_raw(fds[0], bytes, 63);
    CHECK_EQ(recv(fds[0], bytes, 1, 0), 0);
    for (int i = 1; i <= MOST; i++) {
        read_raw(fds[i], bytes, 63);
        CHECK_EQ(recv(fds[i], bytes, 1, MSG_DONTWAIT), -1);
        close(fds[i]);
        CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
    }
    close(fds[0]);
    visit v = {address_of(l), &right};
    kr_thread *t = start_visit(&v);
    receive_visit(l);
    CHECK_EQ(end_visit(t), 0);
    kr_listener_release(l);
}

/* Whoever is in its handshake when the listener is closed is told by the end of the connection. */
TEST(closing_drops_those_in_their_handshake)
{
    need_digests();
    kr_listener *l = open_keyed(NULL);
    kr_connection *c;
    char bytes[64];
    int fd = connect_raw(l);
    CHECK_EQ(kr_listener_accept(l, &c, KR_NOWAIT), -ETIMEDOUT);
    kr_listener_close(l);
    read_raw(fd, bytes, 63);
    CHECK_EQ(recv(fd, bytes, 1, 0), 0);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_ESHUTDOWN);
    kr_listener_release(l);
    close(fd);
}

/* What the client sends right behind its last message of the handshake is kept, and is not read
 * before somebody receives it. */
TEST(messages_behind_the_handshake)
{
    need_digests();
    kr_listener *l = open_keyed(NULL);
    visit v = {address_of(l), &right};
    for (int i = 0; i < 20; i++) {
        kr_thread *t = start_visit(&v);
        kr_connection *c = accept_one(l);
        kr_connection *copy; /* there is one only while nothing is read ahead */
        struct pollfd p = {.fd = kr_connection_descriptor(c), .events = POLLIN};
        CHECK_EQ(poll(&p, 1, 30000), 1);
        CHECK_EQ(kr_connection_duplicate(c, &copy), 0);
        kr_connection_release(c);
        expect_text(copy, "here I am");
        kr_connection_release(copy);
        CHECK_EQ(end_visit(t), 0);
    }
    kr_listener_release(l);
}

/* Threads that accept, clients of which every third has another key. */
enum { VISITS = 30 };

typedef struct house {
    kr_listener *listener;
    kr_word let_in, turned_away;
} house;

static void guard(void *arg)
{
    house *h = arg;
    kr_connection *c;
    int err;
    while ((err = kr_listener_accept(h->listener, &c, KR_FOREVER)) != KR_ESHUTDOWN) {
        if (err == KR_EAUTH) {
            __atomic_add_fetch(&h->turned_away.bits, 1, __ATOMIC_RELAXED);
            continue;
        }
        CHECK_EQ(err, 0);
        __atomic_add_fetch(&h->let_in.bits, 1, __ATOMIC_RELAXED);
        expect_text(c, "here I am");
        kr_connection_release(c);
    }
}

TEST(several_threads_accept)
{
    need_digests();
    house h = {.listener = open_keyed("tcp:127.0.0.1:0")};
    char text[KR_ADDRESS_SIZE];
    kr_listener_address(h.listener, text, sizeof text);
    kri_bunch guards;
    kr_thread *threads[VISITS];
    visit good = {text, &right}, bad = {text, &wrong};
    kri_bunch_start(&guards, 3, guard, &h);
    for (int i = 0; i < VISITS; i++)
        threads[i] = start_visit(i % 3 == 0 ? &bad : &good);
    for (int i = 0; i < VISITS; i++)
        CHECK_EQ(end_visit(threads[i]), i % 3 == 0 ? KR_EAUTH : 0);
    kr_listener_close(h.listener);
    kri_bunch_end(&guards);
    CHECK_EQ(h.let_in.bits, VISITS - VISITS / 3);
    CHECK_EQ(h.turned_away.bits, VISITS / 3);
    kr_listener_release(h.listener);
}

/* A forked child leads handshakes of its own; those of its parent go on there. */
TEST(forked_listener)
{
    need_digests();
    kr_listener *l = open_keyed(NULL);
    visit v = {address_of(l), &right};
    kr_connection *c;
    int silent = connect_raw(l);
    CHECK_EQ(kr_listener_accept(l, &c, KR_NOWAIT), -ETIMEDOUT);
    fflush(NULL);
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        receive_visit(l);
        kr_listener_release(l);
        _exit(0);
    }
    CHECK_EQ(pay_visit(&v), 0); /* only the child accepts */
    int status;
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    write_raw(silent, "\0\0\0\5hello", 9);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
    close(silent);
    kr_listener_release(l);
}
