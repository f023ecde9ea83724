/* fetch against servers that do what servers should, and what they should not.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch/tool.h"

/* As the C library says it. */
#if KRI_GLIBC
#define TIMED_OUT "Connection timed out"
#else
#define TIMED_OUT "Operation timed out"
#endif

static tool_server server;

/* What is said whole, by path. */
static const struct {
    const char *path;
    const char *answer;
} answers[] = {
    {"/sized", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
    {"/twice", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\ncontent-length:5 \r\n\r\nhello"},
    {"/keeps", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more than that"},
    {"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                 "3\r\nhel\r\n2 ; why=not\r\nlo\r\n0\r\nTrailer: yes\r\n\r\n"},
    {"/both", "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n"
              "5\r\nhello\r\n0\r\n\r\n"},
    {"/to-end", "HTTP/1.0 200 OK\r\n\r\nhello"},
    {"/bare", "HTTP/1.1 200\nContent-Length: 5\n\nhello"},
    {"/none", "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n"},
    {"/interim", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n"
                 "\r\nhello"},
    {"/missing", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"},
    {"/d/e/from", "HTTP/1.1 302 Found\r\nLocation: ../.././x/../sized\r\n\r\n"},
    {"/empty-query", "HTTP/1.1 301 Moved\r\nLocation: /sized#part\r\n\r\n"},
    {"/loop", "HTTP/1.1 302 Found\r\nLocation: /loop\r\n\r\n"},
    {"/elsewhere", "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\n\r\n"},
    {"/not-http", "220 mail.example.org ESMTP\r\n\r\n"},
    {"/two-sizes", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!"},
    {"/negative", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nhello"},
    {"/overflow", "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551617\r\n\r\nh"},
    {"/coded", "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"},
    {"/no-colon", "HTTP/1.1 200 OK\r\nContent-Length\r\n\r\n"},
    {"/bad-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n"},
    {"/wide-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "10000000000000005\r\nhello"},
    {"/long-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                    "3\r\nhello\r\n0\r\n\r\n"},
    {"/cut-head", "HTTP/1.1 200 OK\r\nContent-Le"},
    {"/cut-body", "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello"},
    {"/cut-chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello"},
    {"/cut-chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"},
    {"/nothing", ""},
};

static bool say_known(int fd, const char *path)
{
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        if (strcmp(path, answers[i].path) == 0) {
            tool_say(fd, answers[i].answer);
            return true;
        }
    }
    return false;
}

static void serve(int fd, const char *path, int before)
{
    (void)before;
    if (!say_known(fd, path))
        tool_say(fd, "HTTP/1.1 500 Unknown\r\n\r\n");
}

BOTH(every_kind_of_body)
{
    tool_serve(&server, serve);
    TOOL_LIST(server.port, "/sized", "/twice", "/keeps", "/chunked", "/both", "/to-end", "/bare",
              "/none", "/interim");
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r0", "-o", "d"), 0);
    tool_check_out(server.port, "200\t5\t@/sized\td/000001-sized\n"
                                "200\t5\t@/twice\td/000002-twice\n"
                                "200\t5\t@/keeps\td/000003-keeps\n"
                                "200\t5\t@/chunked\td/000004-chunked\n"
                                "200\t5\t@/both\td/000005-both\n"
                                "200\t5\t@/to-end\td/000006-to-end\n"
                                "200\t5\t@/bare\td/000007-bare\n"
                                "204\t0\t@/none\td/000008-none\n"
                                "200\t5\t@/interim\td/000009-interim\n");
    CHECK_STR(tool_read("d/000001-sized"), "hello");
    CHECK_STR(tool_read("d/000003-keeps"), "hello");
    CHECK_STR(tool_read("d/000004-chunked"), "hello");
    CHECK_STR(tool_read("d/000005-both"), "hello");
    CHECK_STR(tool_read("d/000006-to-end"), "hello");
    CHECK_STR(tool_read("d/000007-bare"), "hello");
    CHECK_STR(tool_read("d/000008-none"), "");
    CHECK_STR(tool_read("err"), "");
}

BOTH(redirects)
{
    tool_serve(&server, serve);
    TOOL_LIST(server.port, "/d/e/from", "/empty-query", "/loop", "/elsewhere");
    CHECK_EQ(TOOL_RUN(mode, "-q", "-o", "d"), 1);
    tool_check_out(server.port, "200\t5\t@/d/e/from\td/000001-sized\n"
                                "200\t5\t@/empty-query\td/000002-sized\n"
                                "302\t0\t@/loop\tfailed: too many redirects\n"
                                "302\t0\t@/elsewhere\tfailed: neither http nor https\n");
    CHECK_EQ(tool_asked(&server), 2 + 2 + 11 + 1);
    CHECK_EQ(tool_count("d"), 2);
}

BOTH(bad_servers)
{
    tool_serve(&server, serve);
    TOOL_LIST(server.port, "/missing", "/not-http", "/two-sizes", "/negative", "/overflow",
              "/coded", "/no-colon", "/bad-chunk", "/wide-chunk", "/long-chunk", "/cut-head",
              "/cut-body", "/cut-chunk", "/cut-chunks", "/nothing");
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r0", "-o", "d"), 1);
    tool_check_out(server.port, "404\t0\t@/missing\tfailed: refused by the server\n"
                                "-\t0\t@/not-http\tfailed: the server does not speak HTTP/1.1\n"
                                "-\t0\t@/two-sizes\tfailed: the server does not speak HTTP/1.1\n"
                                "-\t0\t@/negative\tfailed: the server does not speak HTTP/1.1\n"
                                "-\t0\t@/overflow\tfailed: the server does not speak HTTP/1.1\n"
                                "-\t0\t@/coded\tfailed: the server does not speak HTTP/1.1\n"
                                "-\t0\t@/no-colon\tfailed: the server does not speak HTTP/1.1\n"
                                "200\t0\t@/bad-chunk\tfailed: the server does not speak HTTP/1.1\n"
                                "200\t0\t@/wide-chunk\tfailed: the server does not speak HTTP/1.1\n"
                                "200\t3\t@/long-chunk\tfailed: the server does not speak HTTP/1.1\n"
                                "-\t0\t@/cut-head\tfailed: the connection was cut off\n"
                                "200\t5\t@/cut-body\tfailed: the connection was cut off\n"
                                "200\t5\t@/cut-chunk\tfailed: the connection was cut off\n"
                                "200\t5\t@/cut-chunks\tfailed: the connection was cut off\n"
                                "-\t0\t@/nothing\tfailed: the connection was cut off\n");
    CHECK_EQ(tool_count("d"), 0);
    CHECK_EQ(tool_asked(&server), 15); /* none of them twice */
}

static void serve_endless(int fd, const char *path, int before)
{
    char line[1024];
    (void)before;
    memset(line, 'x', sizeof line - 3);
    strcpy(line + sizeof line - 3, strcmp(path, "/line") == 0 ? "xx" : "\r\n");
    line[1] = ':';
    if (strcmp(path, "/interim") != 0)
        tool_say(fd, "HTTP/1.1 200 OK\r\n");
    if (strcmp(path, "/body") == 0)
        tool_say(fd, "\r\n");
    for (int i = 0; i < 100000; i++)
        tool_say(fd, strcmp(path, "/interim") == 0 ? "HTTP/1.1 100 On\r\n\r\n" : line);
}

/* Nothing that a server sends without end is taken without end. */
BOTH(endless_servers)
{
    tool_serve(&server, serve_endless);
    TOOL_LIST(server.port, "/line", "/fields", "/interim", "/body");
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r0", "-o", "d", "--max-size=50000"), 1);
    const char *out = tool_read("out");
    const char *body = strstr(out, "200\t");
    CHECK(body != NULL);
    CHECK(strstr(body, "/body\tfailed: larger than allowed\n") != NULL);
    CHECK(strstr(out, "/line\tfailed: the server's answer has too long a head\n") != NULL);
    CHECK(strstr(out, "/fields\tfailed: the server's answer has too long a head\n") != NULL);
    CHECK(strstr(out, "/interim\tfailed: the server does not speak HTTP/1.1\n") != NULL);
    CHECK_EQ(tool_count("d"), 0);
}

/* Sends a byte now and then, or nothing any more, until the other end is gone. */
static void serve_slowly(int fd, const char *path, int before)
{
    char byte;
    (void)before;
    if (strcmp(path, "/body") == 0)
        tool_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhel");
    else
        tool_say(fd, "HTTP/1.1 200 OK\r\nName: ");
    struct timeval soon = {.tv_usec = 20000};
    CHECK_EQ(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon), 0);
    while (read(fd, &byte, 1) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
        if (strcmp(path, "/head") == 0 && write(fd, "x", 1) < 0)
            break;
    }
}

BOTH(slow_servers)
{
    tool_serve(&server, serve_slowly);
    TOOL_LIST(server.port, "/head", "/stop", "/body");
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r0", "-o", "d", "-t0.3"), 1);
    tool_check_out(server.port, "-\t0\t@/head\tfailed: " TIMED_OUT "\n"
                                "-\t0\t@/stop\tfailed: " TIMED_OUT "\n"
                                "200\t3\t@/body\tfailed: " TIMED_OUT "\n");
    CHECK_EQ(tool_count("d"), 0);
}

BOTH(time_for_all_retries)
{
    tool_serve(&server, serve_slowly);
    TOOL_LIST(server.port, "/stop");
    kr_time begun = kr_now();
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r1000", "-t0.05", "--back-off=0.01", "-m0.5"), 1);
    CHECK_GE(kr_now() - begun, kr_ms(300));
    tool_check_out(server.port, "-\t0\t@/stop\tfailed: " TIMED_OUT "\n");
    CHECK(tool_asked(&server) > 1);
}

/* The first two times it does not work. */
static void serve_at_third(int fd, const char *path, int before)
{
    if (before >= 2)
        tool_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello");
    else if (strcmp(path, "/busy") == 0)
        tool_say(fd, "HTTP/1.1 503 Busy\r\nRetry-After: 0\r\n\r\n");
    else
        tool_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel");
}

static void check_third(const char *mode, const char *path)
{
    tool_serve(&server, serve_at_third);
    TOOL_LIST(server.port, path);
    CHECK_EQ(TOOL_RUN(mode, "-o", "d", "--back-off=0.01"), 0);
    CHECK_EQ(tool_asked(&server), 3);
    CHECK(strstr(tool_read("err"), "1 of 1 URLs, 2 retries, 5 B in ") != NULL);
    CHECK_EQ(tool_count("d"), 1);
}

BOTH(retry_when_busy)
{
    check_third(mode, "/busy");
}

BOTH(retry_when_cut_off)
{
    check_third(mode, "/cut");
}

BOTH(retries_end)
{
    tool_serve(&server, serve_at_third);
    TOOL_LIST(server.port, "/busy");
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r1", "--back-off=0.01"), 1);
    tool_check_out(server.port, "503\t0\t@/busy\tfailed: refused by the server\n");
    CHECK_EQ(tool_asked(&server), 2);
}

static void serve_retry_after(int fd, const char *path, int before)
{
    (void)path;
    tool_say(fd, before ? "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
                        : "HTTP/1.1 429 Later\r\nRetry-After: 1\r\n\r\n");
}

BOTH(a_server_says_when_to_retry)
{
    tool_serve(&server, serve_retry_after);
    TOOL_LIST(server.port, "/");
    kr_time begun = kr_now();
    CHECK_EQ(TOOL_RUN(mode, "-q", "--back-off=0.01"), 0);
    CHECK_GE(kr_now() - begun, kr_ms(900));
    tool_check_out(server.port, "200\t0\t@/\t-\n");
}

/* The first waits until the others have been asked for. */
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t gate_opened = PTHREAD_COND_INITIALIZER;
static int passed;

static void serve_first_last(int fd, const char *path, int before)
{
    (void)before;
    pthread_mutex_lock(&gate);
    while (strcmp(path, "/1") == 0 && passed < 3)
        pthread_cond_wait(&gate_opened, &gate);
    tool_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    passed++;
    pthread_cond_broadcast(&gate_opened);
    pthread_mutex_unlock(&gate);
}

BOTH(results_in_order)
{
    tool_serve(&server, serve_first_last);
    TOOL_LIST(server.port, "/1", "/2", "/3", "/4");
    CHECK_EQ(TOOL_RUN(mode, "-q"), 0);
    tool_check_out(server.port, "200\t0\t@/1\t-\n200\t0\t@/2\t-\n200\t0\t@/3\t-\n200\t0\t@/4\t-\n");
}

/* Each waits until the one behind it in the list has been printed. */
static void serve_backwards(int fd, const char *path, int before)
{
    char behind[64];
    (void)before;
    snprintf(behind, sizeof behind, "/%d\t", atoi(path + 1) + 1);
    while (strcmp(path, "/4") != 0 && !tool_has("out", behind))
        kri_test_nap();
    tool_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

BOTH(results_as_completed)
{
    tool_write("out", "");
    tool_serve(&server, serve_backwards);
    TOOL_LIST(server.port, "/1", "/2", "/3", "/4");
    CHECK_EQ(TOOL_RUN(mode, "-q", "--as-completed"), 0);
    tool_check_out(server.port, "200\t0\t@/4\t-\n200\t0\t@/3\t-\n200\t0\t@/2\t-\n200\t0\t@/1\t-\n");
}

/* How many are served at a time. */
static int inside, most_inside;

static void serve_counting(int fd, const char *path, int before)
{
    (void)path, (void)before;
    pthread_mutex_lock(&gate);
    if (++inside > most_inside)
        most_inside = inside;
    pthread_cond_broadcast(&gate_opened);
    while (most_inside < 3)
        pthread_cond_wait(&gate_opened, &gate);
    pthread_mutex_unlock(&gate);
    kri_test_nap();
    pthread_mutex_lock(&gate);
    inside--;
    pthread_mutex_unlock(&gate);
    tool_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
}

BOTH(no_more_at_a_time_than_jobs)
{
    char text[64 * 50] = "";
    tool_serve(&server, serve_counting);
    for (size_t i = 0, used = 0; i < 50; i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "http://127.0.0.1:%d/%zu\n",
                                 server.port, i);
    tool_write("list", text);
    CHECK_EQ(TOOL_RUN(mode, "-q", "-j3"), 0);
    pthread_mutex_lock(&gate);
    CHECK_EQ(most_inside, 3);
    pthread_mutex_unlock(&gate);
    CHECK_EQ(tool_asked(&server), 50);
}

/* A list: blanks, comments, what is no URL, the last line without an end. */
TEST(lists)
{
    char text[512];
    tool_begin();
    tool_serve(&server, serve);
    snprintf(text, sizeof text,
             "# comment\n\n \t http://127.0.0.1:%d/sized?a b\r\nnonsense\nftp://h/\n"
             "http://\nhttp://h:0/\nhttp://[::1/\nhttp://a b/\nhttp://127.0.0.1:%d/sized",
             server.port, server.port);
    tool_write("list", text);
    CHECK_EQ(TOOL_RUN("-q", "-r0", "-o", "d"), 1);
    tool_check_out(server.port, "500\t0\t@/sized?a b\tfailed: refused by the server\n"
                                "-\t0\tnonsense\tfailed: not a URL that can be fetched\n"
                                "-\t0\tftp://h/\tfailed: neither http nor https\n"
                                "-\t0\thttp://\tfailed: not a URL that can be fetched\n"
                                "-\t0\thttp://h:0/\tfailed: not a URL that can be fetched\n"
                                "-\t0\thttp://[::1/\tfailed: not a URL that can be fetched\n"
                                "-\t0\thttp://a b/\tfailed: not a URL that can be fetched\n"
                                "200\t5\t@/sized\td/000008-sized\n");
}

TEST(no_server)
{
    tool_begin();
    tool_write("list", "http://127.0.0.1:1/\nhttp://name.invalid/\n");
    CHECK_EQ(TOOL_RUN("-q", "-r0", "-t20"), 1);
    const char *out = tool_read("out");
    CHECK(strstr(out, "-\t0\thttp://127.0.0.1:1/\tfailed: Connection refused\n") == out);
    CHECK(strstr(out, "-\t0\thttp://name.invalid/\tfailed: ") != NULL);
}

TEST(arguments)
{
    tool_begin();
    tool_write("list", "");
    CHECK_EQ(TOOL_RUN("-j0"), 2);
    CHECK_EQ(TOOL_RUN("-t-1"), 2);
    CHECK_EQ(TOOL_RUN("-mx"), 2);
    CHECK_EQ(TOOL_RUN("--nonsense"), 2);
    CHECK_EQ(TOOL_RUN("-q"), 0);
    CHECK_STR(tool_read("out"), "");
    CHECK_EQ(TOOL_RUN("-q", "absent"), 1);
    CHECK_STR(tool_read("err"), "fetch: absent: No such file or directory\n");
    CHECK_EQ(TOOL_RUN("--version"), 0);
    CHECK_EQ(TOOL_RUN("--help"), 0);
}
