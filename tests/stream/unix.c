/* Servers and streams over Unix sockets.
 *
 * Behaviours: sections 13.6, 13.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/help.h"
#include <sys/stat.h>
#include <sys/un.h>

static kr_server *server;
static char path[100];

static int greet(kr_stream *s, void *arg)
{
    (void)arg;
    return kr_stream_write(s, "hello\n", 6, NULL, kr_sec(10));
}

static void make_path(void)
{
    snprintf(path, sizeof path, "/tmp/krait-stream-test-%d", (int)getpid());
    unlink(path);
}

static void check_greeting(const char *at)
{
    kr_stream *s;
    const char *line;
    size_t size;
    CHECK_EQ(kr_stream_connect_unix(&s, at, NULL, kr_sec(10)), 0);
    CHECK_EQ(kr_stream_read_line(s, &line, &size, kr_sec(10)), 0);
    CHECK_BYTES(line, size, "hello\n");
    kr_stream_release(s);
}

static void close_server(void)
{
    kr_server_close(server);
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(30)), 0);
    kr_server_release(server);
}

/* For the owner alone; the file goes with the server.
 * behaviours: 13.6 test_create_unix_*, UnixServerCleanupTests.test_unix_server_addr_cleanup,
 * UnixServerCleanupTests.test_unix_server_sock_cleanup
 * behaviours: 13.7 test_open_unix_connection */
BOTH_TEST(test_start_unix_server)
{
    struct stat about;
    make_path();
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, NULL), 0);
    CHECK_EQ(kr_server_port(server), -EINVAL);
    CHECK_EQ(stat(path, &about), 0);
    CHECK(S_ISSOCK(about.st_mode));
    CHECK_EQ(about.st_mode & 0777, 0600);
    check_greeting(path);
    kr_server_close(server);
    CHECK_EQ(stat(path, &about), -1);
    close_server();
    kr_stream *s;
    CHECK_EQ(kr_stream_connect_unix(&s, path, NULL, kr_sec(10)), -ENOENT);
    CHECK_EQ(kr_stream_connect_unix(&s, "", NULL, kr_sec(10)), -EINVAL);
}

BOTH_TEST(test_abstract_unix_server)
{
    char text[KR_ADDRESS_TEXT];
    kr_address address;
    snprintf(path, sizeof path, "@krait-stream-test-%d", (int)getpid());
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, NULL), 0);
    check_greeting(path);
    CHECK_EQ(kr_server_address(server, 0, &address), 0);
    (void)kr_address_text(&address, text, sizeof text);
    CHECK_STR(text, path);
    close_server();
}

static void plain_socket_at(int *fd)
{
    kr_address address;
    CHECK_EQ(kr_address_unix(&address, path), 0);
    *fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK_EQ(bind(*fd, (struct sockaddr *)&address.storage, address.size), 0);
    CHECK_EQ(listen(*fd, 5), 0);
}

/* What a dead one left is replaced; a living one's, and what is no socket, is not. */
BOTH_TEST(test_create_unix_server_existing_path_sock)
{
    int fd;
    make_path();
    plain_socket_at(&fd);
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, NULL), -EADDRINUSE);
    CHECK(server == NULL);
    close(fd);
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, NULL), 0);
    check_greeting(path);
    close_server();
}

BOTH_TEST(test_create_unix_server_existing_path_nonsock)
{
    make_path();
    int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    CHECK(fd >= 0);
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, NULL), -EADDRINUSE);
    close(fd);
    CHECK_EQ(unlink(path), 0);
}

BOTH_TEST(test_unix_server_cleanup_gone)
{
    make_path();
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, NULL), 0);
    CHECK_EQ(unlink(path), 0);
    close_server();
}

/* Another's file, at the same path, stays. */
BOTH_TEST(test_unix_server_cleanup_replaced)
{
    int fd;
    make_path();
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, NULL), 0);
    CHECK_EQ(unlink(path), 0);
    plain_socket_at(&fd);
    close_server();
    CHECK_EQ(access(path, F_OK), 0);
    close(fd);
    CHECK_EQ(unlink(path), 0);
}

BOTH_TEST(test_unix_server_cleanup_prevented)
{
    make_path();
    kr_server_options options = {.keep_file = true, .mode = 0660};
    struct stat about;
    CHECK_EQ(kr_server_open_unix(&server, path, greet, NULL, &options), 0);
    CHECK_EQ(stat(path, &about), 0);
    close_server();
    CHECK_EQ(access(path, F_OK), 0);
    CHECK_EQ(unlink(path), 0);
}
