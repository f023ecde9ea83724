/* Descriptors and connections as messages.
 *
 * Behaviours: section 12.7, the transfers, and what Python calls pickling.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/connection.h"
#include "harness/sanitizers.h"
#include "connection/help.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>

enum { LARGE_DESCRIPTOR = 300 };

static int pipe_with(const char *text)
{
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(write(fds[1], text, strlen(text)), strlen(text));
    close(fds[1]);
    return fds[0];
}

static void check_text(int fd, const char *want)
{
    char text[64] = {0};
    CHECK_EQ(read(fd, text, sizeof text), strlen(want));
    CHECK(strcmp(text, want) == 0);
    close(fd);
}

static void write_to_it(pipe_pair *pair)
{
    int fd;
    kr_connection_release(pair->a);
    CHECK_EQ(kr_connection_recv_descriptor(pair->b, &fd, KR_FOREVER), 0);
    CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
    CHECK_EQ(write(fd, "foo", 3), 3);
}

TEST(test_fd_transfer)
{
    int fds[2];
    pipe_pair pair = pair_make(NULL);
    pid_t child = pair_fork(&pair, write_to_it);
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(kr_connection_send_descriptor(pair.a, fds[1], KR_FOREVER), 0);
    close(fds[1]);
    CHECK_EQ(wait_for_child(child), 0);
    check_text(fds[0], "foo");
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}

static void write_to_a_large_one(pipe_pair *pair)
{
    int fd;
    for (int i = 0; i < LARGE_DESCRIPTOR; i++)
        CHECK_GE(open("/dev/null", O_RDONLY | O_CLOEXEC), 0);
    CHECK_EQ(kr_connection_recv_descriptor(pair->b, &fd, KR_FOREVER), 0);
    CHECK_GE(fd, 256);
    CHECK_EQ(write(fd, "bar", 3), 3);
}

TEST(test_large_fd_transfer)
{
    int fds[2];
    pipe_pair pair = pair_make(NULL);
    pid_t child = pair_fork(&pair, write_to_a_large_one);
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    CHECK_EQ(dup2(fds[1], LARGE_DESCRIPTOR), LARGE_DESCRIPTOR);
    CHECK_EQ(kr_connection_send_descriptor(pair.a, LARGE_DESCRIPTOR, KR_FOREVER), 0);
    close(fds[1]);
    close(LARGE_DESCRIPTOR);
    CHECK_EQ(wait_for_child(child), 0);
    check_text(fds[0], "bar");
    pair_release(&pair);
}

/* Bytes where a descriptor is expected, and the other way round: both stay. */
TEST(test_missing_fd_transfer)
{
    int fd;
    char byte;
    kr_connection *end;
    pipe_pair pair = pair_make(NULL);
    CHECK_EQ(kr_connection_send(pair.a, "x", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_descriptor(pair.b, &fd, KR_FOREVER), -EBADMSG);
    CHECK_EQ(fd, -1);
    CHECK_EQ(kr_connection_recv_connection(pair.b, &end, KR_FOREVER), -EBADMSG);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, KR_FOREVER), 0);

    int sent = pipe_with("there");
    CHECK_EQ(kr_connection_send_descriptor(pair.a, sent, KR_FOREVER), 0);
    close(sent);
    CHECK_EQ(kr_connection_poll(pair.b, KR_NOWAIT), 0);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, KR_FOREVER), -EBADMSG);
    CHECK_EQ(kr_connection_recv_connection(pair.b, &end, KR_FOREVER), -EBADMSG);
    CHECK_EQ(kr_connection_recv_descriptor(pair.b, &fd, KR_FOREVER), 0);
    check_text(fd, "there");
    CHECK_EQ(kr_connection_recv_descriptor(pair.b, &fd, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_connection_send_descriptor(pair.a, -1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_connection_send_descriptor(pair.a, 1000, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_connection_poll(pair.b, KR_NOWAIT), -ETIMEDOUT);
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}

/* Descriptors keep their place among the messages, through a ring that goes round often. */
TEST(test_descriptors_in_order)
{
    pipe_pair pair = pair_make(&(kr_pipe_options){.capacity = 4096});
    static unsigned char filling[1500];
    for (int i = 0; i < 100; i++) {
        char text[32];
        size_t size;
        int fd = -1;
        snprintf(text, sizeof text, "number %d", i);
        int sent = pipe_with(text);
        CHECK_EQ(kr_connection_send(pair.a, filling, (size_t)i * 15, KR_FOREVER), 0);
        CHECK_EQ(kr_connection_send_descriptor(pair.a, sent, KR_FOREVER), 0);
        CHECK_EQ(kr_connection_send(pair.a, text, strlen(text), KR_FOREVER), 0);
        close(sent);
        CHECK_EQ(kr_connection_recv_into(pair.b, filling, sizeof filling, &size, PATIENCE), 0);
        CHECK_EQ(size, i * 15);
        CHECK_EQ(kr_connection_recv_descriptor(pair.b, &fd, PATIENCE), 0);
        check_text(fd, text);
        CHECK_EQ(kr_connection_recv_into(pair.b, filling, sizeof filling, &size, PATIENCE), 0);
        CHECK_EQ(size, strlen(text));
    }
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}

/* Nobody has received them. */
TEST(test_descriptors_dropped)
{
    pipe_pair pair = pair_make(NULL);
    int fds[2];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    for (int i = 0; i < 20; i++)
        CHECK_EQ(kr_connection_send_descriptor(pair.a, fds[1], KR_FOREVER), 0);
    close(fds[1]);
    pair_release(&pair);
    char byte;
    CHECK_EQ(read(fds[0], &byte, 1), 0); /* all copies are closed */
    close(fds[0]);
}

static void use_what_comes(pipe_pair *pair)
{
    kr_connection *end;
    char text[16];
    size_t size;
    kr_connection_release(pair->a);
    CHECK_EQ(kr_connection_recv_connection(pair->b, &end, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(end, text, sizeof text, &size, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(end, text, size, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(end, text, sizeof text, &size, KR_FOREVER), KR_EOF);
    kr_connection_release(end);
}

TEST(test_pickling)
{
    char text[16];
    size_t size;
    pipe_pair pair = pair_make(NULL);
    pid_t child = pair_fork(&pair, use_what_comes);
    kr_connection_release(pair.b);
    pipe_pair other = pair_make(NULL);
    CHECK_EQ(kr_connection_send(other.a, "before", 6, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send_connection(pair.a, other.b, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(other.b, "x", 1, KR_FOREVER), -EBADF); /* it is over there now */
    kr_connection_release(other.b);
    CHECK_EQ(kr_connection_recv_into(other.a, text, sizeof text, &size, PATIENCE), 0);
    CHECK_EQ(size, 6);
    CHECK(memcmp(text, "before", 6) == 0);
    kr_connection_release(other.a);
    CHECK_EQ(wait_for_child(child), 0);
    kr_connection_release(pair.a);
    CHECK_EQ(open_descriptors(), 0);
}

/* Ends that only receive or only send stay what they are. */
TEST(test_access)
{
    pipe_pair pair = pair_make(NULL);
    pipe_pair other = pair_make(&(kr_pipe_options){.one_way = true});
    kr_connection *reads, *writes;
    char byte = 0;
    CHECK_EQ(kr_connection_send_connection(pair.a, other.a, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send_connection(pair.a, other.b, KR_FOREVER), 0);
    pair_release(&other);
    CHECK_EQ(kr_connection_recv_connection(pair.b, &reads, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_connection(pair.b, &writes, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(reads, "z", 1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_connection_poll(writes, KR_NOWAIT), -EBADF);
    CHECK_EQ(kr_connection_send(writes, "z", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(reads, &byte, 1, NULL, KR_FOREVER), 0);
    CHECK_EQ(byte, 'z');
    CHECK_EQ(kr_connection_send_connection(pair.a, pair.a, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_connection_send_connection(pair.a, NULL, KR_FOREVER), -EINVAL);
    kr_connection_release(writes);
    CHECK_EQ(kr_connection_recv_into(reads, &byte, 1, NULL, KR_FOREVER), KR_EOF);
    kr_connection_release(reads);
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}

/* The end is over when both handles are gone. */
TEST(test_duplicate)
{
    char byte;
    kr_connection *copy;
    pipe_pair pair = pair_make(NULL);
    CHECK_EQ(kr_connection_duplicate(pair.a, &copy), 0);
    CHECK_EQ(kr_connection_send(copy, "1", 1, KR_FOREVER), 0);
    kr_connection_release(pair.a);
    CHECK_EQ(kr_connection_send(pair.b, "2", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, kr_ms(10)), -ETIMEDOUT);
    CHECK_EQ(kr_connection_recv_into(copy, &byte, 1, NULL, KR_FOREVER), 0);
    kr_connection_release(copy);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, KR_FOREVER), KR_EOF);
    kr_connection_release(pair.b);
    CHECK_EQ(open_descriptors(), 0);
}

/* Without descriptors to spare nothing is made, nothing is lost and nothing leaks. */
TEST(test_no_descriptors_left)
{
    struct rlimit before, none;
    if (KRI_VALGRIND)
        SKIP("valgrind receives descriptors beyond the limit");
    pipe_pair pair = pair_make(NULL);
    pipe_pair other = pair_make(NULL);
    kr_connection *x, *y;
    int fd;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
    CHECK_EQ(kr_connection_send_descriptor(pair.a, 0, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send_connection(pair.a, other.a, KR_FOREVER), 0);
    int open_now = open_descriptors();
    int lowest = open("/dev/null", O_RDONLY);
    close(lowest);
    for (int spare = 0; spare < 12; spare++) {
        none = (struct rlimit){(rlim_t)(lowest + spare), before.rlim_max};
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
        int err = kr_pipe(&x, &y, NULL);
        if (err == 0) {
            kr_connection_release(x);
            kr_connection_release(y);
        } else {
            CHECK_EQ(err, -EMFILE);
            CHECK(x == NULL && y == NULL);
        }
        err = kr_connection_duplicate(pair.a, &x);
        CHECK(err == 0 || err == -EMFILE);
        if (err == 0)
            kr_connection_release(x);
        if (spare == 0) {
            CHECK_EQ(kr_connection_recv_descriptor(pair.b, &fd, KR_FOREVER), -EMFILE);
            CHECK_EQ(fd, -1);
        }
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
        CHECK_EQ(open_descriptors(), open_now);
    }
    CHECK_EQ(kr_connection_recv_descriptor(pair.b, &fd, KR_FOREVER), 0);
    close(fd);
    for (int spare = 0; spare < 4; spare++) {
        none = (struct rlimit){(rlim_t)(lowest + spare), before.rlim_max};
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &none), 0);
        CHECK_EQ(kr_connection_recv_connection(pair.b, &x, KR_FOREVER), -EMFILE);
        CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
    }
    CHECK_EQ(kr_connection_recv_connection(pair.b, &x, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(x, "1", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_poll(other.b, PATIENCE), 0);
    kr_connection_release(x);
    pair_release(&pair);
    pair_release(&other);
    CHECK_EQ(open_descriptors(), 0);
}

/* An end on its way through the pipe that it belongs to, received and not. */
TEST(test_an_end_through_itself)
{
    kr_connection *copy, *received;
    char byte;
    pipe_pair pair = pair_make(NULL);
    CHECK_EQ(kr_connection_duplicate(pair.a, &copy), 0);
    CHECK_EQ(kr_connection_send_connection(pair.a, copy, KR_FOREVER), 0);
    kr_connection_release(pair.a);
    CHECK_EQ(kr_connection_recv_connection(pair.b, &received, PATIENCE), 0);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, kr_ms(1)), -ETIMEDOUT);
    kr_connection_release(received);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, PATIENCE), KR_EOF);
    kr_connection_release(copy);
    kr_connection_release(pair.b);
    pair = pair_make(NULL);
    CHECK_EQ(kr_connection_send_connection(pair.a, pair.b, KR_FOREVER), 0);
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}

/* Something that is no pipe's memory, or not all of it. */
TEST(test_unpack_refuses)
{
    kri_packed_connection packed;
    kr_connection *c;
    pipe_pair pair = pair_make(NULL);
    CHECK_EQ(kri_connection_pack(pair.a, &packed), 0);
    CHECK_EQ(packed.fd_count, 4);
    kri_packed_connection bad = packed;
    bad.kind = 77;
    CHECK_EQ(kri_connection_unpack(&bad, &c), KR_ECORRUPT);
    bad = packed;
    bad.fd_count = 3;
    CHECK_EQ(kri_connection_unpack(&bad, &c), KR_ECORRUPT);
    bad.fd_count = -1;
    CHECK_EQ(kri_connection_unpack(&bad, &c), KR_ECORRUPT);
    bad = packed;
    bad.flags = KRI_CONNECTION_READS;
    bad.fd_count = 3;
    CHECK_EQ(kri_connection_unpack(&bad, &c), KR_ECORRUPT);
    bad = packed;
    bad.fds[0] = packed.fds[1];
    CHECK_EQ(kri_connection_unpack(&bad, &c), KR_ECORRUPT);
    bad.fds[0] = 0;
    CHECK_EQ(kri_connection_unpack(&bad, &c), KR_ECORRUPT);
    CHECK(c == NULL);
    pair_release(&pair);
    CHECK_EQ(open_descriptors(), 0);
}
