/* The bytes on a socket: frames as they should be, and as hostile or dying peers send them.
 *
 * Behaviours: section 12.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/socket_help.h"
#include "harness/sanitizers.h"
#include <arpa/inet.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

static void write_frame(int fd, const void *bytes, size_t size)
{
    uint32_t header = htonl((uint32_t)size);
    write_raw(fd, &header, sizeof header);
    write_raw(fd, bytes, size);
}

TEST(what_is_sent)
{
    kr_connection *c;
    unsigned char got[16];
    int fd = raw_pair(&c, 0);
    CHECK_EQ(kr_connection_send(c, "abc", 3, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(c, NULL, 0, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(c, "d", 1, KR_FOREVER), 0);
    read_raw(fd, got, 16);
    CHECK(memcmp(got, "\0\0\0\3abc\0\0\0\0\0\0\0\1d", 16) == 0);
    kr_connection_release(c);
    CHECK_EQ(recv(fd, got, 1, 0), 0);
}

/* Above 0x7fffffff the size takes twelve bytes.  Nobody reads the message itself. */
TEST(what_is_sent_of_two_gigabytes)
{
    size_t size = (size_t)INT32_MAX + 1;
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (bytes == MAP_FAILED)
        SKIP("no room for a large message");
    kr_connection *c;
    unsigned char got[12];
    int fd = raw_pair(&c, 0);
    CHECK_EQ(kr_connection_send(c, bytes, size, kr_ms(50)), -ETIMEDOUT);
    read_raw(fd, got, 12);
    CHECK(memcmp(got, "\xff\xff\xff\xff\0\0\0\0\x80\0\0\0", 12) == 0);
    CHECK_EQ(kr_connection_send(c, "x", 1, KR_FOREVER), -EPIPE);
    kr_connection_release(c);
}

TEST(the_long_form)
{
    kr_connection *c;
    int fd = raw_pair(&c, 0);
    write_raw(fd, "\xff\xff\xff\xff\0\0\0\0\0\0\0\5hello", 17);
    write_raw(fd, "\xff\xff\xff\xff\0\0\0\0\0\0\0\0", 12);
    write_frame(fd, "short", 5);
    expect_text(c, "hello");
    expect_text(c, "");
    expect_text(c, "short");
    kr_connection_release(c);
}

/* Beyond the limit nothing is allocated, and the connection is dead. */
static void refuse(const void *header, size_t size, uint64_t most, int error)
{
    kr_connection *c;
    int fd = raw_pair(&c, most);
    write_frame(fd, "fine", 4);
    write_raw(fd, header, size);
    write_raw(fd, "\0\0\0\1x\0\0\0\1x", 10);
    expect_text(c, "fine");
    expect_error(c, error);
    expect_error(c, error);
    char room[8];
    CHECK_EQ(kr_connection_recv_into(c, room, sizeof room, NULL, KR_NOWAIT), error);
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), 0);
    kr_connection_release(c);
    close(fd);
}

TEST(a_frame_that_claims_four_gigabytes)
{
    refuse("\xff\xff\xff\xff\0\0\0\1\0\0\0\0", 12, 0, -EMSGSIZE);
    refuse("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 12, 0, -EMSGSIZE);
    refuse("\4\0\0\1", 4, 0, -EMSGSIZE); /* 64 MiB and one */
    refuse("\0\0\0\x65", 4, 100, -EMSGSIZE);
}

TEST(a_negative_size)
{
    refuse("\xff\xff\xff\xfe", 4, 0, -EPROTO);
    refuse("\x80\0\0\0", 4, 0, -EPROTO);
}

TEST(the_longest_message_that_is_allowed)
{
    kr_connection *c;
    char bytes[100] = "long", got[100];
    size_t size;
    int fd = raw_pair(&c, sizeof bytes);
    write_frame(fd, bytes, sizeof bytes);
    CHECK_EQ(kr_connection_recv_into(c, got, sizeof got, &size, kr_sec(30)), 0);
    CHECK_EQ(size, sizeof bytes);
    kr_connection_release(c);
}

/* The end comes after every number of bytes of a frame; only before the first it is a proper one.
 */
TEST(a_truncated_frame)
{
    static const char frame[] = "\0\0\0\5hello";
    for (size_t cut = 0; cut < 9; cut++) {
        kr_connection *c;
        int fd = raw_pair(&c, 0);
        write_raw(fd, frame, 9);
        write_raw(fd, frame, cut);
        CHECK_EQ(close(fd), 0);
        expect_text(c, "hello");
        expect_error(c, cut == 0 ? KR_EOF : -EPROTO);
        expect_error(c, cut == 0 ? KR_EOF : -EPROTO);
        kr_connection_release(c);
    }
    kr_connection *c;
    int fd = raw_pair(&c, 0);
    write_raw(fd, "\0\1\0\0hello", 9); /* more than is read ahead */
    CHECK_EQ(close(fd), 0);
    expect_error(c, -EPROTO);
    kr_connection_release(c);
}

/* A peer that leaves without reading what it was sent has left all the same. */
TEST(a_reset_is_an_end)
{
    kr_connection *c;
    int fd = raw_pair(&c, 0);
    send_text(c, "never read");
    write_frame(fd, "last", 4);
    CHECK_EQ(close(fd), 0);
    expect_text(c, "last");
    expect_error(c, KR_EOF);
    CHECK_EQ(kr_connection_send(c, "x", 1, KR_FOREVER), -EPIPE);
    kr_connection_release(c);
}

/* What comes drop by drop does not lengthen the call, and is not lost when it is given up. */
static void slow(size_t size, bool into)
{
    kr_connection *c;
    char *bytes = malloc(size), *got = malloc(size);
    void *fresh;
    size_t got_size = 0;
    int fd = raw_pair(&c, 0);
    memset(bytes, 'a', size);
    bytes[size - 1] = 'z';
    uint32_t header = htonl((uint32_t)size);
    write_raw(fd, &header, 2);
    kr_time began = kr_now();
    CHECK_EQ(kr_connection_recv(c, &fresh, &got_size, kr_ms(20)), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(20));
    write_raw(fd, (char *)&header + 2, 2);
    CHECK_EQ(kr_connection_recv_into(c, got, size, &got_size, KR_NOWAIT), -ETIMEDOUT);
    size_t sent = 0;
    for (size_t part = 1; sent + part < size; part *= 3) {
        write_raw(fd, bytes + sent, part);
        sent += part;
        memset(got, 0, size);
        CHECK_EQ(into ? kr_connection_recv_into(c, got, size, &got_size, kr_ms(1))
                      : kr_connection_recv(c, &fresh, &got_size, kr_ms(1)),
                 -ETIMEDOUT);
    }
    write_raw(fd, bytes + sent, size - sent);
    CHECK_EQ(kr_connection_recv_into(c, got, size, &got_size, kr_sec(30)), 0);
    CHECK_EQ(got_size, size);
    CHECK(memcmp(got, bytes, size) == 0);
    write_frame(fd, "next", 4);
    expect_text(c, "next");
    kr_connection_release(c);
    free(bytes);
    free(got);
}

TEST(a_slow_peer)
{
    slow(100, false);
    slow(100, true);
    slow(100000, false);
    slow(100000, true);
}

/* A sender that has to give up within a message says that no more will come. */
TEST(a_send_that_is_given_up)
{
    enum { LARGE = 8 << 20 };
    kr_connection *a, *b;
    char *bytes = calloc(1, LARGE);
    connect_pair(&a, &b);
    CHECK_EQ(kr_connection_send(a, bytes, LARGE, kr_ms(20)), -ETIMEDOUT);
    CHECK_EQ(kr_connection_send(a, "x", 1, KR_FOREVER), -EPIPE);
    send_text(b, "still heard");
    expect_text(a, "still heard");
    expect_error(b, -EPROTO);
    kr_connection_release(a);
    kr_connection_release(b);
    free(bytes);
}

/* One that could not begin has done nothing. */
TEST(a_send_without_room)
{
    kr_connection *c;
    char bytes[4000] = "first";
    int fd = raw_pair(&c, 0);
    int sent = 0, err;
    while ((err = kr_connection_send(c, bytes, sizeof bytes, KR_NOWAIT)) == 0)
        sent++;
    CHECK_GE(sent, 2);
    if (err == -ETIMEDOUT) { /* unless the last one went in part */
        uint32_t header;
        for (int i = 0; i < sent; i++) {
            read_raw(fd, &header, sizeof header);
            CHECK_EQ(ntohl(header), sizeof bytes);
            read_raw(fd, bytes, sizeof bytes);
        }
    }
    kr_connection_release(c);
}

/* Frames of random sizes in writes of random sizes come out as they were. */
typedef struct flow {
    int fd;
    uint64_t seed;
} flow;

enum { FRAMES = 300, LONGEST = 40000 };

static size_t frame_size(uint64_t *state)
{
    uint64_t kind = kri_test_random(state) % 8;
    uint64_t most = kind == 0 ? 1 : kind < 5 ? 200 : kind < 7 ? 17000 : LONGEST;
    return (size_t)(kri_test_random(state) % most);
}

static int write_flow(void *arg)
{
    flow *f = arg;
    uint64_t sizes = f->seed, cuts = ~f->seed;
    char *all = malloc((size_t)FRAMES * (LONGEST + 4));
    size_t length = 0, cut;
    for (int i = 0; i < FRAMES; i++) {
        size_t size = frame_size(&sizes);
        uint32_t header = htonl((uint32_t)size);
        memcpy(all + length, &header, sizeof header);
        memset(all + length + sizeof header, i, size);
        length += sizeof header + size;
    }
    for (size_t at = 0; at < length; at += cut) {
        cut = (size_t)(kri_test_random(&cuts) % (kri_test_random(&cuts) % 4 ? 100 : 50000)) + 1;
        cut = cut < length - at ? cut : length - at;
        write_raw(f->fd, all + at, cut);
    }
    free(all);
    return 0;
}

TEST(test_dont_merge)
{
    kr_connection *c;
    flow f = {.seed = kri_test_seed()};
    f.fd = raw_pair(&c, 0);
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, write_flow, &f, 0, NULL), 0);
    uint64_t sizes = f.seed, choices = f.seed + 1;
    for (int i = 0; i < FRAMES; i++) {
        void *bytes;
        size_t size, want = frame_size(&sizes);
        if (kri_test_random(&choices) % 2)
            CHECK_EQ(kr_connection_poll(c, kr_sec(30)), 0);
        kr_time timeout = kri_test_random(&choices) % 2 ? KR_FOREVER : kr_sec(30);
        CHECK_EQ(kr_connection_recv(c, &bytes, &size, timeout), 0);
        CHECK_EQ(size, want);
        for (size_t j = 0; j < size; j++)
            CHECK_EQ(((unsigned char *)bytes)[j], (unsigned char)i);
        kr_connection_free_bytes(bytes);
    }
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    kr_connection_release(c);
}

/* A part of a message is nothing to receive yet. */
TEST(poll_and_parts)
{
    kr_connection *c;
    int fd = raw_pair(&c, 0);
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), -ETIMEDOUT);
    write_raw(fd, "\0\0", 2);
    CHECK_EQ(kr_connection_poll(c, kr_ms(1)), -ETIMEDOUT);
    write_raw(fd, "\0\2h", 3);
    CHECK_EQ(kr_connection_poll(c, kr_ms(1)), -ETIMEDOUT);
    write_raw(fd, "i\0\0\0\0\0\0\0\0\0", 10);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), 0);
        expect_text(c, i == 0 ? "hi" : "");
    }
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(close(fd), 0);
    CHECK_EQ(kr_connection_poll(c, KR_FOREVER), 0);
    expect_error(c, -EPROTO);
    kr_connection_release(c);
}

/* Too little room leaves the message where it is. */
TEST(too_little_room)
{
    kr_connection *c;
    char room[8];
    size_t size;
    int fd = raw_pair(&c, 0);
    write_frame(fd, "a long message", 14);
    write_frame(fd, "next", 4);
    for (int i = 0; i < 2; i++) {
        size = 0;
        CHECK_EQ(kr_connection_recv_into(c, room, sizeof room, &size, kr_sec(30)), -EMSGSIZE);
        CHECK_EQ(size, 14);
    }
    expect_text(c, "a long message");
    expect_text(c, "next");
    kr_connection_release(c);
}

/* Several threads at each end: every message whole, and once. */
typedef struct crowd {
    kr_connection *a, *b;
    kr_word received;
} crowd;

enum { SENDERS = 3, EACH = 200 };

static void send_many(void *arg)
{
    crowd *w = arg;
    enum { MOST = 300000 }; /* more than a socket holds */
    char *bytes = malloc(MOST);
    for (int i = 0; i < EACH; i++) {
        size_t size = i % 16 == 0 ? MOST - (size_t)i : (size_t)i * 37 % 9000;
        memset(bytes, i, size);
        CHECK_EQ(kr_connection_send(w->a, bytes, size, KR_FOREVER), 0);
    }
    free(bytes);
}

static void receive_many(void *arg)
{
    crowd *w = arg;
    void *bytes;
    size_t size;
    int err;
    while ((err = kr_connection_recv(w->b, &bytes, &size, KR_FOREVER)) == 0) {
        unsigned char *at = bytes;
        for (size_t i = 1; i < size; i++)
            CHECK_EQ(at[i], at[0]);
        __atomic_add_fetch(&w->received.bits, 1, __ATOMIC_RELAXED);
        kr_connection_free_bytes(bytes);
    }
    CHECK_EQ(err, KR_EOF);
}

TEST(several_threads_at_each_end)
{
    crowd w = {.received = {0}};
    kri_bunch senders, receivers;
    connect_pair(&w.a, &w.b);
    kri_bunch_start(&receivers, 3, receive_many, &w);
    kri_bunch_start(&senders, SENDERS, send_many, &w);
    kri_bunch_end(&senders);
    kr_connection_close(w.a);
    kri_bunch_end(&receivers);
    CHECK_EQ(w.received.bits, SENDERS * EACH);
    kr_connection_release(w.a);
    kr_connection_release(w.b);
}

/* An end travels with what is still in the socket, but not with what was read ahead. */
TEST(test_access)
{
    kr_connection *here, *there, *c, *moved;
    int fd = raw_pair(&c, 0);
    CHECK_EQ(kr_pipe(&here, &there, NULL), 0);
    write_frame(fd, "first", 5);
    write_frame(fd, "second", 6);
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), 0); /* reads both */
    CHECK_EQ(kr_connection_send_connection(here, c, KR_FOREVER), -EBUSY);
    expect_text(c, "first");
    CHECK_EQ(kr_connection_send_connection(here, c, KR_FOREVER), -EBUSY);
    expect_text(c, "second");
    write_frame(fd, "third", 5);
    CHECK_EQ(kr_connection_send_connection(here, c, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(c, "x", 1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_connection_recv_connection(there, &moved, KR_FOREVER), 0);
    expect_text(moved, "third");
    send_text(moved, "back");
    char got[8];
    read_raw(fd, got, 8);
    CHECK(memcmp(got, "\0\0\0\4back", 8) == 0);
    CHECK_EQ(kr_connection_send_descriptor(moved, fd, KR_FOREVER), -EOPNOTSUPP);
    CHECK_EQ(kr_connection_recv_descriptor(moved, &fd, KR_FOREVER), -EOPNOTSUPP);
    kr_connection_release(c);
    kr_connection_release(moved);
    kr_connection_release(here);
    kr_connection_release(there);
}

/* The limit travels, too. */
TEST(a_duplicate)
{
    kr_connection *c, *copy;
    int fd = raw_pair(&c, 100);
    CHECK_EQ(kr_connection_duplicate(c, &copy), 0);
    kr_connection_release(c);
    write_frame(fd, "still here", 10);
    expect_text(copy, "still here");
    write_raw(fd, "\0\0\0\x65", 4);
    expect_error(copy, -EMSGSIZE);
    kr_connection_release(copy);
}

/* Random bytes are messages or an error, and in the end the end. */
TEST(random_bytes)
{
    uint64_t state = kri_test_seed();
    for (int round = 0; round < 300; round++) {
        kr_connection *c;
        unsigned char bytes[3000];
        int err, fd = raw_pair(&c, 1 + kri_test_random(&state) % 5000);
        size_t length = kri_test_random(&state) % sizeof bytes;
        for (size_t i = 0; i < length; i++)
            bytes[i] = kri_test_random(&state) % 4 ? 0 : (unsigned char)kri_test_random(&state);
        write_raw(fd, bytes, length);
        CHECK_EQ(close(fd), 0);
        do {
            void *got;
            size_t size;
            err = kri_test_random(&state) % 2 ? kr_connection_recv(c, &got, &size, KR_FOREVER)
                                              : kr_connection_recv(c, &got, &size, KR_NOWAIT);
            kr_connection_free_bytes(got);
        } while (err == 0);
        CHECK(err == KR_EOF || err == -EPROTO || err == -EMSGSIZE);
        expect_error(c, err);
        kr_connection_release(c);
    }
}

static void receive_one(void *arg)
{
    expect_text(arg, "for the parent");
}

/* The child of a fork may use its copy, whatever other threads of the parent were doing with it. */
TEST(fork_while_another_thread_receives)
{
    if (KRI_TSAN)
        SKIP("it knows no child of a process with threads");
    kr_connection *c;
    kri_bunch receiver;
    int status, fd = raw_pair(&c, 0);
    kri_bunch_start(&receiver, 1, receive_one, c);
    kr_connection *copy = NULL; /* -EBUSY: somebody receives */
    while (kr_connection_duplicate(c, &copy) == 0) {
        kr_connection_release(copy);
        kri_test_nap();
    }
    pid_t pid = fork();
    CHECK(pid >= 0);
    if (pid == 0) {
        kri_test_stop(getppid()); /* so that it takes nothing meanwhile */
        write_frame(fd, "for the child", 13);
        expect_text(c, "for the child");
        CHECK_EQ(kill(getppid(), SIGCONT), 0);
        _exit(0);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    write_frame(fd, "for the parent", 14);
    kri_bunch_end(&receiver);
    kr_connection_release(c);
}
