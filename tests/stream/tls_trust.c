/* TLS: whom to trust, and other programs at the other end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/tls_help.h"

/* A client that refuses the certificate, for that reason; the server hears that it does. */
static void refused(const char *certificate, const char *key, const char *host, const char *why)
{
    char text[8];
    kr_tls_options of_server = {.certificate = certificate, .key = key};
    tls_ends ends = {.client_context = new_context(&(kr_tls_options){.ca_file = "ca.pem"}),
                     .server_context = new_context(&of_server),
                     .host = host};
    meet(&ends);
    CHECK_EQ(ends.client_result, KR_ECERT);
    CHECK_STR(ends.client_text, why);
    CHECK(ends.client == NULL);
    if (ends.server_result == 0)
        ends.server_result = (int)kr_stream_read(ends.server, text, sizeof text, kr_sec(20));
    CHECK_EQ(ends.server_result, KR_ETLS);
    part_for_good(&ends);
}

BOTH_TEST(tls_refused_certificates)
{
    make_all();
    refused("server.pem", NULL, "example.org", "hostname mismatch");
    refused("server.pem", NULL, "localhost.", "hostname mismatch");
    refused("server.pem", NULL, "127.0.0.2", "IP address mismatch");
    refused("self.pem", "self.key", "localhost", "self-signed certificate");
    refused("old.pem", "old.key", "localhost", "certificate has expired");
}

/* Nobody has told the client of our ca, so it does not trust the certificate. */
BOTH_TEST(tls_unknown_authority)
{
    make_all();
    tls_ends ends = {.client_context = new_context(NULL),
                     .server_context = new_context(&(kr_tls_options){.certificate = "server.pem"}),
                     .host = "localhost"};
    meet(&ends);
    CHECK_EQ(ends.client_result, KR_ECERT);
    part_for_good(&ends);
}

static void accepted(const kr_tls_options *of_client, const kr_tls_options *of_server,
                     const char *host)
{
    tls_ends ends = {.client_context = new_context(of_client),
                     .server_context = new_context(of_server),
                     .host = host};
    meet(&ends);
    CHECK_EQ(ends.client_result, 0);
    CHECK_EQ(ends.server_result, 0);
    feed(ends.client, "x");
    CHECK_EQ(kr_stream_close(ends.client, kr_sec(5)), 0);
    part_for_good(&ends);
}

BOTH_TEST(tls_accepted_certificates)
{
    kr_tls_options server = {.certificate = "server.pem"};
    kr_tls_options old = {.certificate = "old.pem", .key = "old.key", .minimum = KR_TLS_1_3};
    make_all();
    accepted(&(kr_tls_options){.ca_file = "ca.pem"}, &server, "localhost");
    accepted(&(kr_tls_options){.ca_file = "ca.pem"}, &server, "LOCALHOST");
    accepted(&(kr_tls_options){.ca_file = "ca.pem"}, &server, "127.0.0.1");
    accepted(&(kr_tls_options){.ca_file = "ca.pem", .minimum = KR_TLS_1_3}, &server, "localhost");
    accepted(&(kr_tls_options){.insecure = true}, &old, NULL);
    accepted(&(kr_tls_options){.insecure = true}, &old, "example.org");
    CHECK_EQ(run_shell("mkdir cas && cp ca.pem cas && openssl rehash cas >log 2>&1"), 0);
    accepted(&(kr_tls_options){.ca_directory = "cas"}, &server, "localhost");
}

TEST(tls_a_host_is_wanted)
{
    kr_stream *a, *b, *s;
    kr_tls_context *context = new_context(NULL);
    make_pair(&a, &b, NULL);
    CHECK_EQ(kr_tls_wrap(&s, context, a, NULL, NULL, kr_sec(1)), -EINVAL);
    CHECK(s == NULL);
    CHECK_EQ(kr_tls_wrap(&s, context, a, "", NULL, kr_sec(1)), -EINVAL);
    kr_stream_release(a);
    kr_stream_release(b);
    kr_tls_context_release(context);
}

/* The certificate of one host of a domain is not one of the domain: no more is it asked for so. */
BOTH_TEST(tls_a_host_is_no_domain)
{
    make_all();
    CHECK_EQ(run_shell("echo subjectAltName=DNS:any.example.org >names && "
                       "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
                       "-keyout any.key -out any.csr -subj /CN=any >log 2>&1 && "
                       "openssl x509 -req -in any.csr -CA ca.pem -CAkey ca.key -CAcreateserial "
                       "-days 2 -extfile names -out any.pem >log 2>&1"),
             0);
    refused("any.pem", "any.key", "example.org", "hostname mismatch");
    tls_ends ends = {.client_context = new_context(&(kr_tls_options){.ca_file = "ca.pem"}),
                     .server_context =
                         new_context(&(kr_tls_options){.certificate = "any.pem", .key = "any.key"}),
                     .host = ".example.org"};
    meet(&ends);
    CHECK_EQ(ends.client_result, -EINVAL);
    CHECK(ends.server_result < 0);
    part_for_good(&ends);
}

/* Both ends have certificates. */
BOTH_TEST(tls_mutual)
{
    char text[8];
    make_all();
    kr_tls_options server = {
        .certificate = "server.pem", .ca_file = "ca.pem", .client_certificates = true};
    kr_tls_options client = {.certificate = "client.pem", .key = "client.key", .ca_file = "ca.pem"};
    tls_ends ends = {.client_context = new_context(&client),
                     .server_context = new_context(&server),
                     .host = "localhost"};
    meet(&ends);
    CHECK_EQ(ends.client_result, 0);
    CHECK_EQ(ends.server_result, 0);
    CHECK(kr_tls_peer_certificate(ends.server, NULL, 0) > 100);
    part(&ends);

    kr_tls_context_release(ends.client_context);
    ends.client_context = new_context(&(kr_tls_options){.ca_file = "ca.pem"});
    meet(&ends);
    CHECK_EQ(ends.server_result, KR_ETLS);
    CHECK_STR(ends.server_text, "peer did not return a certificate");
    CHECK_EQ(ends.client_result, 0); /* in TLS 1.3 it hears of it by its first read */
    CHECK_EQ(kr_stream_read(ends.client, text, sizeof text, kr_sec(20)), KR_ETLS);
    part(&ends);

    client = (kr_tls_options){.certificate = "self.pem", .key = "self.key", .ca_file = "ca.pem"};
    kr_tls_context_release(ends.client_context);
    ends.client_context = new_context(&client);
    meet(&ends);
    CHECK_EQ(ends.server_result, KR_ECERT);
    CHECK_STR(ends.server_text, "self-signed certificate");
    part_for_good(&ends);
}

static void agree(const char *const *of_client, const char *const *of_server, const char *want)
{
    char text[16];
    tls_ends ends = {.client_context = new_context(
                         &(kr_tls_options){.ca_file = "ca.pem", .protocols = of_client}),
                     .server_context = new_context(
                         &(kr_tls_options){.certificate = "server.pem", .protocols = of_server}),
                     .host = "localhost"};
    meet(&ends);
    CHECK_EQ(ends.client_result, 0);
    CHECK_EQ(kr_tls_protocol_of(ends.client, text, sizeof text), 0);
    CHECK_STR(text, want);
    CHECK_EQ(kr_tls_protocol_of(ends.server, text, sizeof text), 0);
    CHECK_STR(text, want);
    CHECK_EQ(kr_tls_protocol_of(ends.server, text, strlen(want)), -ENOSPC);
    part_for_good(&ends);
}

BOTH_TEST(tls_protocols)
{
    static const char *const old[] = {"http/1.1", NULL};
    static const char *const both[] = {"h2", "http/1.1", NULL};
    static const char *const turned[] = {"http/1.1", "h2", NULL};
    static const char *const other[] = {"imap", NULL};
    make_all();
    agree(old, both, "http/1.1");
    agree(turned, both, "h2"); /* the server's order counts */
    agree(other, both, "");
    agree(NULL, both, "");
    agree(both, NULL, "");
}

static int create(const kr_tls_options *options)
{
    kr_tls_context *context;
    int err = kr_tls_context_create(&context, options);
    CHECK_EQ(err == 0, context != NULL);
    kr_tls_context_release(context);
    return err;
}

TEST(tls_contexts)
{
    static const char *const empty[] = {"", NULL};
    make_all();
    CHECK_EQ(run_shell("openssl ec -in client.key -aes128 -passout pass:secret -out locked.key "
                       "2>log"),
             0);
    CHECK_EQ(create(NULL), 0);
    CHECK_EQ(kr_tls_context_create(NULL, NULL), -EINVAL);
    CHECK_EQ(create(&(kr_tls_options){.minimum = (kr_tls_version)11}), -EINVAL);
    CHECK_EQ(create(&(kr_tls_options){.reserved = {1}}), -EINVAL);
    CHECK_EQ(create(&(kr_tls_options){.protocols = empty}), -EINVAL);
    CHECK_EQ(create(&(kr_tls_options){.key = "server.key"}), -EINVAL);
    CHECK_EQ(create(&(kr_tls_options){.certificate = "absent"}), -ENOENT);
    CHECK_EQ(create(&(kr_tls_options){.ca_file = "absent"}), -ENOENT);
    CHECK_EQ(create(&(kr_tls_options){.certificate = "client.csr"}), KR_ETLS);
    CHECK_EQ(create(&(kr_tls_options){.certificate = "client.pem"}), KR_ETLS);
    CHECK_EQ(create(&(kr_tls_options){.certificate = "client.pem", .key = "server.key"}), KR_ETLS);
    kr_tls_options locked = {.certificate = "client.pem", .key = "locked.key"};
    CHECK_EQ(create(&locked), KR_ETLS);
    locked.password = "wrong";
    CHECK_EQ(create(&locked), KR_ETLS);
    locked.password = "secret";
    CHECK_EQ(create(&locked), 0);
}

/* Other programs */

static kr_tls_context *server_context;

static int answer(kr_stream *below, void *arg)
{
    KR_AUTO(kr_stream) *s = NULL;
    const char *line;
    size_t size;
    (void)arg;
    int err = kr_tls_accept(&s, server_context, below, NULL, kr_sec(20));
    if (err == 0)
        err = kr_stream_read_line(s, &line, &size, kr_sec(20));
    if (err == 0)
        err = kr_stream_write(s, line, size, NULL, kr_sec(20));
    return err == 0 ? kr_stream_close(s, kr_sec(20)) : err;
}

static kr_server *open_server(void)
{
    kr_server *server;
    server_context = new_context(&(kr_tls_options){.certificate = "server.pem"});
    CHECK_EQ(kr_server_open(&server, "127.0.0.1", 0, answer, NULL, NULL), 0);
    return server;
}

/* One whose connections are to be closed: what it has written arrives, and its farewell. */
static int stream_without_end(kr_stream *below, void *arg)
{
    KR_AUTO(kr_stream) *s = NULL;
    char byte;
    (void)arg;
    CHECK_EQ(kr_tls_accept(&s, server_context, below, NULL, kr_sec(20)), 0);
    feed(s, "a line\n");
    CHECK_EQ(kr_stream_read(s, &byte, 1, kr_sec(60)), -EBADF);
    CHECK_EQ(kr_stream_write(s, "x", 1, NULL, kr_sec(20)), -EBADF);
    CHECK_EQ(kr_stream_close(s, kr_sec(20)), 0);
    return 0;
}

BOTH_TEST(tls_of_a_server_that_closes_its_clients)
{
    kr_server *server;
    kr_stream *s;
    const char *line;
    size_t size;
    char service[16], text[4];
    make_all();
    server_context = new_context(&(kr_tls_options){.certificate = "server.pem"});
    kr_tls_context *context = new_context(&(kr_tls_options){.ca_file = "ca.pem"});
    CHECK_EQ(kr_server_open(&server, "127.0.0.1", 0, stream_without_end, NULL, NULL), 0);
    snprintf(service, sizeof service, "%d", kr_server_port(server));
    CHECK_EQ(kr_tls_connect(&s, context, "127.0.0.1", service, NULL, kr_sec(20)), 0);
    CHECK_EQ(kr_stream_read_line(s, &line, &size, kr_sec(20)), 0);
    CHECK_BYTES(line, size, "a line\n");
    kr_server_close(server);
    kr_server_close_clients(server);
    CHECK_EQ(kr_stream_read(s, text, sizeof text, kr_sec(20)), 0);
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(20)), 0);
    kr_stream_release(s);
    kr_server_release(server);
    kr_tls_context_release(context);
    kr_tls_context_release(server_context);
}

BOTH_TEST(tls_of_a_server)
{
    kr_stream *s;
    const char *line;
    size_t size;
    char service[16], text[4];
    make_all();
    kr_server *server = open_server();
    kr_tls_context *context = new_context(&(kr_tls_options){.ca_file = "ca.pem"});
    snprintf(service, sizeof service, "%d", kr_server_port(server));
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(kr_tls_connect(&s, context, "127.0.0.1", service, NULL, kr_sec(20)), 0);
        feed(s, "a line\n");
        CHECK_EQ(kr_stream_read_line(s, &line, &size, kr_sec(20)), 0);
        CHECK_BYTES(line, size, "a line\n");
        CHECK_EQ(kr_stream_read(s, text, sizeof text, kr_sec(20)), 0);
        CHECK_EQ(kr_stream_close(s, kr_sec(20)), 0);
        kr_stream_release(s);
    }
    kr_server_close(server);
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(20)), 0);
    kr_server_release(server);
    kr_tls_context_release(context);
    kr_tls_context_release(server_context);
}

static int ask_by_openssl(const void *arg, void *result)
{
    char script[512];
    (void)result;
    snprintf(script, sizeof script,
             "echo hello | openssl s_client -quiet -connect 127.0.0.1:%d -CAfile ca.pem "
             "-verify_return_error -servername localhost -verify_hostname localhost %s 2>log >got; "
             "grep -q hello got",
             *(const int *)arg, getenv("KRI_TEST_TLS_OPTION"));
    return run_shell(script) == 0 ? 0 : -EIO;
}

static void asked_by_openssl(const char *option)
{
    make_all();
    kr_server *server = open_server();
    int port = kr_server_port(server);
    CHECK_EQ(setenv("KRI_TEST_TLS_OPTION", option, 1), 0);
    kr_executor *pool; /* a coroutine must not wait for a shell */
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .no_outside_help = true}), 0);
    CHECK_EQ(kr_submit(pool, &f, ask_by_openssl, &port, sizeof port, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, kr_sec(25)), 0);
    kr_future_release(f);
    kr_executor_release(pool);
    kr_server_close(server);
    CHECK_EQ(kr_server_wait_closed(server, kr_sec(20)), 0);
    kr_server_release(server);
    kr_tls_context_release(server_context);
}

BOTH_TEST(tls_a_client_of_openssl)
{
    asked_by_openssl("");
}

BOTH_TEST(tls_an_older_client_of_openssl)
{
    asked_by_openssl("-tls1_2");
}

/* s_server says what it gets backwards.  It takes a free port itself and tells which. */
static pid_t start_openssl(int *port, const char *option)
{
    int fds[2];
    char line[256];
    CHECK_EQ(pipe2(fds, O_CLOEXEC), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (dup2(fds[1], 1) < 0)
            _exit(126);
        execlp("openssl", "openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", "server.pem",
               "-rev", option, (char *)NULL);
        _exit(127);
    }
    CHECK_EQ(close(fds[1]), 0);
    FILE *said = fdopen(fds[0], "r");
    CHECK(said != NULL);
    *port = 0;
    while (*port == 0 && fgets(line, sizeof line, said))
        (void)sscanf(line, "ACCEPT 127.0.0.1:%d", port);
    CHECK(*port != 0);
    return child;
}

static void ask_openssl(const char *option, const char *version)
{
    kr_stream *s;
    const char *line;
    size_t size;
    char service[16];
    int port;
    make_all();
    pid_t child = start_openssl(&port, option);
    kr_tls_context *context = new_context(&(kr_tls_options){.ca_file = "ca.pem"});
    snprintf(service, sizeof service, "%d", port);
    CHECK_EQ(kr_tls_connect(&s, context, "127.0.0.1", service, NULL, kr_sec(20)), 0);
    CHECK_STR(kr_tls_version_of(s), version);
    feed(s, "hello\n");
    CHECK_EQ(kr_stream_read_line(s, &line, &size, kr_sec(20)), 0);
    CHECK_BYTES(line, size, "olleh\n");
    CHECK_EQ(kr_tls_update_keys(s), strcmp(version, "TLSv1.3") == 0 ? 0 : -EOPNOTSUPP);
    feed(s, "once more\n");
    CHECK_EQ(kr_stream_read_line(s, &line, &size, kr_sec(20)), 0);
    CHECK_BYTES(line, size, "erom ecno\n");
    CHECK_EQ(kr_stream_close(s, kr_sec(20)), 0);
    kr_stream_release(s);
    kr_tls_context_release(context);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(waitpid(child, NULL, 0), child);
}

BOTH_TEST(tls_a_server_of_openssl)
{
    ask_openssl("-tls1_3", "TLSv1.3");
}

BOTH_TEST(tls_an_older_server_of_openssl)
{
    ask_openssl("-tls1_2", "TLSv1.2");
}
