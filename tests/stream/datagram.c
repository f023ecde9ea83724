/* Datagrams.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/help.h"
#include <sys/un.h>
#include <sys/wait.h>

static kr_datagram *a, *b;
static char bytes[70000];

static void open_two(void)
{
    kr_address address;
    char service[8];
    CHECK_EQ(kr_datagram_open(&a, "127.0.0.1", "0", NULL, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_local_address(a, &address), 0);
    snprintf(service, sizeof service, "%d", kr_address_port(&address));
    CHECK_EQ(kr_datagram_connect(&b, "127.0.0.1", service, NULL, kr_sec(10)), 0);
}

static void close_two(void)
{
    kr_datagram_release(a);
    kr_datagram_release(b);
}

/* behaviours: 13.6 test_create_datagram_endpoint* */
BOTH_TEST(test_recvfrom)
{
    kr_address from;
    open_two();
    CHECK_EQ(kr_datagram_recv(a, bytes, sizeof bytes, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_datagram_send(b, "hello", 5, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_send(b, "", 0, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_recvfrom(a, bytes, sizeof bytes, &from, kr_sec(10)), 5);
    CHECK_BYTES(bytes, 5, "hello");
    CHECK_EQ(kr_datagram_recv(a, bytes, sizeof bytes, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_sendto(a, "answer", 6, &from, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_recv(b, bytes, sizeof bytes, kr_sec(10)), 6);
    CHECK_EQ(kr_datagram_send(a, "x", 1, kr_sec(10)), -EDESTADDRREQ);
    close_two();
}

/* behaviour: 13.6 test_recvfrom* */
BOTH_TEST(test_recvfrom_truncated)
{
    open_two();
    CHECK_EQ(kr_datagram_send(b, "0123456789", 10, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_send(b, "abc", 3, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_recv(a, bytes, 4, kr_sec(10)), -EMSGSIZE);
    CHECK_BYTES(bytes, 4, "0123");
    CHECK_EQ(kr_datagram_recv(a, bytes, 3, kr_sec(10)), 3);
    CHECK_EQ(kr_datagram_send(b, bytes, sizeof bytes, kr_sec(10)), -EMSGSIZE);
    close_two();
}

BOTH_TEST(test_datagram_refused)
{
    open_two();
    kr_datagram_close(a);
    CHECK_EQ(kr_datagram_send(b, "x", 1, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_recv(b, bytes, 1, kr_sec(10)), -ECONNREFUSED);
    CHECK_EQ(kr_datagram_recv(a, bytes, 1, kr_sec(10)), -EBADF);
    CHECK_EQ(kr_datagram_descriptor(a), -EBADF);
    close_two();
}

static int receive(const void *arg, void *result)
{
    char byte;
    (void)arg, (void)result;
    return (int)kr_datagram_recv(a, &byte, 1, kr_sec(30));
}

/* Several wait at once, and a close ends them all. */
BOTH_TEST(test_datagram_close_ends_waits)
{
    beside waiters[3];
    open_two();
    for (int i = 0; i < 3; i++)
        waiters[i] = beside_start(receive, NULL);
    if (in_loop)
        CHECK_EQ(kr_yield(), 0);
    kr_datagram_close(a);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(beside_end(&waiters[i]), -EBADF);
    close_two();
}

BOTH_TEST(test_datagram_broadcast)
{
    kr_datagram *d;
    kr_address to;
    CHECK_EQ(kr_address_find(&to, "255.255.255.255", "9", kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_open(&d, NULL, "0", NULL, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_sendto(d, "x", 1, &to, kr_sec(10)), -EACCES);
    kr_datagram_release(d);
    CHECK_EQ(kr_datagram_open(&d, NULL, "0", &(kr_datagram_options){.broadcast = true}, kr_sec(10)),
             0);
    int err = kr_datagram_sendto(d, "x", 1, &to, kr_sec(10));
    CHECK(err == 0 || err == -ENETUNREACH);
    kr_datagram_release(d);
}

BOTH_TEST(test_unix_datagrams)
{
    kr_address here, there, from;
    char path[100], text[KR_ADDRESS_TEXT];
    snprintf(path, sizeof path, "/tmp/krait-datagram-test-%d", (int)getpid());
    CHECK_EQ(kr_address_unix(&there, path), 0);
    snprintf(text, sizeof text, "@krait-datagram-test-%d", (int)getpid());
    CHECK_EQ(kr_address_unix(&here, text), 0);
    CHECK_EQ(kr_datagram_open_at(&a, &there, NULL, NULL), 0);
    CHECK_EQ(kr_datagram_open_at(&b, &here, &there, NULL), 0);
    CHECK_EQ(kr_datagram_send(b, "hello", 5, kr_sec(10)), 0);
    CHECK_EQ(kr_datagram_recvfrom(a, bytes, sizeof bytes, &from, kr_sec(10)), 5);
    CHECK_EQ(from.size, here.size);
    CHECK_EQ(memcmp(&from.storage, &here.storage, here.size), 0);
    close_two();
    CHECK_EQ(access(path, F_OK), -1);
}

/* A path that fills the system's structure has no zero byte behind it. */
BOTH_TEST(test_answer_to_the_longest_path)
{
    char folder[] = "/tmp/krait-datagram-test-XXXXXX", text[KR_ADDRESS_TEXT];
    struct {
        struct sockaddr_un name;
        char zero; /* up to here valgrind looks */
    } longest = {.name.sun_family = AF_UNIX};
    struct sockaddr_un *name = &longest.name;
    kr_address here, from;
    memset(name->sun_path, 'x', sizeof name->sun_path);
    CHECK(mkdtemp(folder) != NULL);
    memcpy(name->sun_path, folder, sizeof folder - 1);
    name->sun_path[sizeof folder - 1] = '/';
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    CHECK_EQ(bind(other, (struct sockaddr *)name, sizeof *name), 0);
    snprintf(text, sizeof text, "@krait-datagram-test-%d", (int)getpid());
    CHECK_EQ(kr_address_unix(&here, text), 0);
    CHECK_EQ(kr_datagram_open_at(&a, &here, NULL, NULL), 0);
    CHECK_EQ(sendto(other, "hello", 5, 0, (struct sockaddr *)&here.storage, here.size), 5);
    CHECK_EQ(kr_datagram_recvfrom(a, bytes, sizeof bytes, &from, kr_sec(10)), 5);
    CHECK_EQ(kr_address_text(&from, text, sizeof text), sizeof name->sun_path);
    CHECK_EQ(memcmp(text, name->sun_path, sizeof name->sun_path), 0);
    CHECK_EQ(kr_datagram_sendto(a, "answer", 6, &from, kr_sec(10)), 0);
    CHECK_EQ(recv(other, bytes, sizeof bytes, 0), 6);
    kr_datagram_release(a);
    close(other);
    snprintf(text, sizeof text, "%.*s", (int)sizeof name->sun_path, name->sun_path);
    CHECK_EQ(unlink(text), 0);
    CHECK_EQ(rmdir(folder), 0);
}

static int receive_one(const void *arg, void *result)
{
    (void)arg, (void)result;
    return (int)kr_datagram_recv(a, bytes, sizeof bytes, kr_sec(20));
}

/* Somebody receives meanwhile (in threads most likely): he is not in the child, whose copy goes. */
BOTH_TEST(test_fork_with_a_datagram)
{
    int status;
    open_two();
    int fd = kr_datagram_descriptor(a);
    beside receiver = beside_start(receive_one, NULL);
    CHECK_EQ(kr_yield(), 0);
    pid_t child = fork();
    if (child == 0) {
        kr_datagram_release(a);
        _exit(fcntl(fd, F_GETFD) >= 0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(kr_datagram_send(b, "x", 1, kr_sec(10)), 0);
    CHECK(beside_end(&receiver) >= 0);
    close_two();
}

BOTH_TEST(test_bad_datagrams)
{
    kr_datagram *d;
    CHECK_EQ(kr_datagram_open_at(&d, NULL, NULL, NULL), -EINVAL);
    CHECK(d == NULL);
    CHECK_EQ(kr_datagram_open(&d, NULL, NULL, NULL, kr_sec(1)), -EINVAL);
    CHECK_EQ(kr_datagram_open(&d, NULL, "0", &(kr_datagram_options){.reserved = {0, 1}}, kr_sec(1)),
             -EINVAL);
    CHECK_EQ(kr_datagram_open(&d, NULL, "0", NULL, -1), -EINVAL);
    open_two();
    CHECK_EQ(kr_datagram_send(b, "x", 1, -1), -EINVAL);
    CHECK_EQ(kr_datagram_recv(a, bytes, 1, -1), -EINVAL);
    close_two();
}
