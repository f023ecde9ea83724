/* fetch against nginx: many files of many sizes, in both modes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "fetch/tool.h"

#include <sys/prctl.h>
#include <sys/stat.h>

enum { FILES = 200, LARGEST = 1 << 20 };

static const char configuration[] =
    "daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log stderr warn;\n"
    "events { worker_connections 256; }\n"
    "http {\n"
    "  access_log off; default_type text/plain; client_body_temp_path t1; proxy_temp_path t2;\n"
    "  fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;\n"
    "  server {\n"
    "    listen 127.0.0.1:%d%s;\n    listen 127.0.0.2:%d%s;\n"
    "    root www;\n"
    "    location /moved/ { rewrite ^/moved/(.*)$ /$1 permanent; }\n"
    "    location /busy { return 503; }\n"
    "    location /limited/ { alias www/; limit_rate 2m; }\n"
    "  }\n"
    "}\n";

static const char *find_nginx(void)
{
    static const char *const paths[] = {"/usr/sbin/nginx", "/usr/local/sbin/nginx",
                                        "/usr/bin/nginx"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        if (access(paths[i], X_OK) == 0)
            return paths[i];
    }
    SKIP("nginx is not installed");
}

/* A port that nobody has, at this moment. */
static int free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t size = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK_EQ(bind(fd, (struct sockaddr *)&address, size), 0);
    CHECK_EQ(getsockname(fd, (struct sockaddr *)&address, &size), 0);
    CHECK_EQ(close(fd), 0);
    return ntohs(address.sin_port);
}

static pid_t nginx;

static void stop_nginx(void)
{
    if (getpid() != tool_owner || nginx <= 0)
        return;
    kill(nginx, SIGTERM);
    waitpid(nginx, NULL, 0);
}

static void start_process(const char *program)
{
    nginx = fork();
    CHECK(nginx >= 0);
    if (nginx > 0)
        return;
    int log = open("nginx.log", O_CREAT | O_TRUNC | O_WRONLY, 0644);
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || dup2(log, 2) < 0)
        _exit(126);
    execl(program, "nginx", "-e", "stderr", "-p", tool_directory, "-c", "nginx.conf", (char *)NULL);
    _exit(127);
}

/* false: it has ended, since another has got the port meanwhile. */
static bool answers(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)port),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (;;) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        CHECK(fd >= 0);
        bool connected = connect(fd, (struct sockaddr *)&address, sizeof address) == 0;
        CHECK_EQ(close(fd), 0);
        if (waitpid(nginx, NULL, WNOHANG) == nginx) {
            nginx = 0;
            return false;
        }
        if (connected)
            return true;
        kri_test_nap();
    }
}

static const char with_tls[] = " ssl; ssl_certificate tls.pem; ssl_certificate_key tls.key";

static int start_nginx(const char *how)
{
    const char *program = find_nginx();
    CHECK_EQ(chmod(tool_directory, 0755), 0);
    CHECK_EQ(atexit(stop_nginx), 0);
    for (int tries = 0; tries < 5; tries++) {
        char text[sizeof configuration + 2 * sizeof with_tls + 16];
        int port = free_port();
        snprintf(text, sizeof text, configuration, port, how, port, how);
        tool_write("nginx.conf", text);
        start_process(program);
        if (answers(port))
            return port;
    }
    kri_test_note("%s", tool_read("nginx.log"));
    kri_test_fail(__FILE__, __LINE__, "nginx cannot be started");
}

static char *content; /* of which each file is a beginning */

static size_t size_of(int file)
{
    return file == 0 ? 0 : file % 20 ? (size_t)file * 97 : (size_t)file * LARGEST / FILES;
}

static void make_files(void)
{
    uint64_t state = kri_test_seed();
    content = malloc(LARGEST);
    CHECK(content != NULL);
    for (size_t i = 0; i < LARGEST; i++)
        content[i] = (char)kri_test_random(&state);
    CHECK_EQ(mkdir("www", 0755), 0);
    for (int i = 0; i < FILES; i++) {
        char path[64];
        snprintf(path, sizeof path, "www/f%d", i);
        FILE *file = fopen(path, "we");
        CHECK(file != NULL);
        CHECK_EQ(fwrite(content, 1, size_of(i), file), size_of(i));
        CHECK_EQ(fclose(file), 0);
        CHECK_EQ(chmod(path, 0644), 0);
    }
}

static void check_file(int number)
{
    static char bytes[LARGEST + 1];
    char path[64];
    snprintf(path, sizeof path, "d/%06d-f%d", number + 1, number);
    FILE *file = fopen(path, "re");
    CHECK(file != NULL);
    CHECK_EQ(fread(bytes, 1, sizeof bytes, file), size_of(number));
    CHECK_EQ(fclose(file), 0);
    CHECK_EQ(memcmp(bytes, content, size_of(number)), 0);
}

BOTH(many_files_of_nginx)
{
    int port = start_nginx("");
    make_files();
    FILE *list = fopen("list", "we");
    CHECK(list != NULL);
    for (int i = 0; i < FILES; i++)
        fprintf(list, "http://127.0.0.1:%d%s/f%d\n", port,
                i % 3 == 0   ? ""
                : i % 3 == 1 ? "/moved"
                             : "/limited",
                i);
    CHECK_EQ(fclose(list), 0);
    CHECK_EQ(TOOL_RUN(mode, "-o", "d"), 0);
    CHECK_EQ(tool_count("d"), FILES);
    for (int i = 0; i < FILES; i++)
        check_file(i);
    CHECK(strstr(tool_read("err"), "fetch: 200 of 200 URLs, 0 retries, ") != NULL);
}

BOTH(errors_of_nginx)
{
    int port = start_nginx("");
    CHECK_EQ(mkdir("www", 0755), 0);
    TOOL_LIST(port, "/absent", "/busy");
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r2", "--back-off=0.01"), 1);
    tool_check_out(port, "404\t0\t@/absent\tfailed: refused by the server\n"
                         "503\t0\t@/busy\tfailed: refused by the server\n");
}

/* The same over TLS, with a certificate that is trusted, and with one that is not. */
BOTH(https_of_nginx)
{
    kr_tls_context *context;
    char text[256];
    if (kr_tls_context_create(&context, NULL) == -ENOSYS)
        SKIP("built without TLS");
    kr_tls_context_release(context);
    if (system("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
               "-keyout tls.key -out tls.pem -subj /CN=test -addext subjectAltName=IP:127.0.0.1 "
               "2>openssl.log") != 0)
        SKIP("the openssl program is not installed");
    /* OpenSSL's own atomics, by which threads pass on what they know of a certificate. */
    kri_test_sanitizer_option("TSAN_OPTIONS", "ignore_noninstrumented_modules=1");
    int port = start_nginx(with_tls);
    make_files();
    snprintf(text, sizeof text, "https://127.0.0.1:%d/f180\nhttps://127.0.0.2:%d/f1\n", port, port);
    tool_write("list", text);
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r0", "-o", "d", "--ca-file=tls.pem"), 1);
    const char *out = tool_read("out");
    CHECK(strstr(out, "/f180\td/000001-f180\n") != NULL);
    CHECK(strstr(out, "/f1\tfailed: the other end's certificate is refused\n") != NULL);
    CHECK_EQ(tool_count("d"), 1);
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r0", "-o", "e"), 1);
    CHECK_EQ(tool_count("e"), 0);
    CHECK_EQ(TOOL_RUN(mode, "-q", "-r0", "-o", "e", "--insecure"), 0);
    CHECK_EQ(tool_count("e"), 2);
}
