/* What the tests of TLS share: certificates, and two ends of a connection.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_TLS_HELP_H
#define KRI_STREAM_TLS_HELP_H

#include "stream/help.h"
#include <signal.h>
#include <sys/wait.h>

/* A directory with certificates, made by the openssl program:
 *     ca        trusts `server`, for localhost and 127.0.0.1, `client`, and `old`, which is expired
 *     self      stands for itself, for localhost
 * each as NAME.pem with NAME.key */
static const char make_certificates[] =
    "set -e; exec >/dev/null 2>log; curve='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'; "
    "openssl req -x509 $curve -keyout ca.key -out ca.pem -subj /CN=ca -days 2; "
    "openssl req -x509 $curve -keyout self.key -out self.pem -subj /CN=localhost -days 2 "
    "  -addext subjectAltName=DNS:localhost -addext basicConstraints=CA:FALSE; "
    "echo subjectAltName=DNS:localhost,IP:127.0.0.1 >names; "
    "for n in server client old; do days=2; [ $n != old ] || days=-1; "
    "  openssl req $curve -keyout $n.key -out $n.csr -subj /CN=$n; "
    "  openssl x509 -req -in $n.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $days "
    "    -extfile names -out $n.pem; done; cat server.key >>server.pem";

static char tls_directory[] = KRI_TEST_BUILD "/tls.XXXXXX";
static pid_t tls_owner;

static int run_shell(const char *script)
{
    int status;
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        execlp("sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void remove_certificates(void)
{
    if (getpid() == tls_owner && chdir("/") == 0) {
        char script[sizeof tls_directory + 16];
        snprintf(script, sizeof script, "rm -rf '%s'", tls_directory);
        (void)run_shell(script);
    }
}

static kr_tls_context *new_context(const kr_tls_options *options)
{
    kr_tls_context *context;
    int err = kr_tls_context_create(&context, options);
    if (err == -ENOSYS)
        SKIP("built without TLS");
    if (err == KR_ETLS) {
        char text[256];
        kri_test_note("%s", kr_tls_error_text(text, sizeof text));
    }
    CHECK_EQ(err, 0);
    return context;
}

/* Go to a directory with certificates. */
static void make_all(void)
{
    kr_tls_context_release(new_context(NULL));
    if (run_shell("openssl version >/dev/null 2>&1") != 0)
        SKIP("the openssl program is not installed");
    CHECK(mkdtemp(tls_directory) != NULL);
    CHECK_EQ(chdir(tls_directory), 0);
    tls_owner = getpid();
    CHECK_EQ(atexit(remove_certificates), 0);
    CHECK_EQ(run_shell(make_certificates), 0);
}

/* Two ends: what lies below, and above that TLS, once it stands. */
typedef struct tls_ends {
    kr_tls_context *client_context;
    kr_tls_context *server_context;
    const char *host;
    kr_stream *below[2]; /* the client's, the server's */
    kr_stream *client;
    kr_stream *server;
    int client_result;
    int server_result;
    char client_text[128];
    char server_text[128];
} tls_ends;

static int be_server(const void *arg, void *result)
{
    tls_ends *ends = (tls_ends *)(uintptr_t)arg;
    (void)result;
    ends->server_result =
        kr_tls_accept(&ends->server, ends->server_context, ends->below[1], NULL, kr_sec(20));
    kr_tls_error_text(ends->server_text, sizeof ends->server_text);
    if (ends->server_result < 0)
        kr_stream_abort(ends->below[1]);
    return 0;
}

/* Both handshakes; the results are noted. */
static void meet(tls_ends *ends)
{
    make_pair(&ends->below[0], &ends->below[1], NULL);
    beside server = beside_start(be_server, ends);
    ends->client_result = kr_tls_wrap(&ends->client, ends->client_context, ends->below[0],
                                      ends->host, NULL, kr_sec(20));
    kr_tls_error_text(ends->client_text, sizeof ends->client_text);
    if (ends->client_result < 0)
        kr_stream_abort(ends->below[0]);
    CHECK_EQ(beside_end(&server), 0);
}

/* Two that trust each other, on a connection. */
__attribute__((unused)) static void meet_well(tls_ends *ends)
{
    make_all();
    *ends =
        (tls_ends){.client_context = new_context(&(kr_tls_options){.ca_file = "ca.pem"}),
                   .server_context = new_context(&(kr_tls_options){.certificate = "server.pem"}),
                   .host = "localhost"};
    meet(ends);
    CHECK_EQ(ends->client_result, 0);
    CHECK_EQ(ends->server_result, 0);
}

static void part(tls_ends *ends)
{
    kr_stream_release(ends->client);
    kr_stream_release(ends->server);
    kr_stream_release(ends->below[0]);
    kr_stream_release(ends->below[1]);
    ends->client = ends->server = NULL;
}

/* Everything is given back. */
static inline void part_for_good(tls_ends *ends)
{
    part(ends);
    kr_tls_context_release(ends->client_context);
    kr_tls_context_release(ends->server_context);
}

#endif
