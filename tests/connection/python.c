/* The other end is Python: its own multiprocessing.connection, of whatever version python3 is, and
 * the handshake of 3.12 and later written out by hand.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/socket_help.h"
#include <spawn.h>
#include <stdio.h>
#include <sys/wait.h>

extern char **environ;

/* python3 -S -c SCRIPT ROLE ADDRESS KEY [DIGEST]: says where it listens, or that it is connected,
 * and sends back all that it receives; ends with 3 when the keys differ. */
static const char real[] =
    "import sys\n"
    "from multiprocessing import AuthenticationError\n"
    "from multiprocessing.connection import Client, Listener\n"
    "role, address, key = sys.argv[1:4]\n"
    "key = key.encode() or None\n"
    "if address.startswith('@'): address = '\\0' + address[1:]\n"
    "if address.startswith('tcp:'):\n"
    "    host, port = address[4:].split(':')\n"
    "    address = (host, int(port))\n"
    "try:\n"
    "    if role == 'client':\n"
    "        c = Client(address, authkey=key)\n"
    "        print('connected', flush=True)\n"
    "    else:\n"
    "        l = Listener(address or None, authkey=key)\n"
    "        a = l.address\n"
    "        print('tcp:%s:%d' % a if isinstance(a, tuple) else a, flush=True)\n"
    "        c = l.accept()\n"
    "except AuthenticationError:\n"
    "    sys.exit(3)\n"
    "try:\n"
    "    while True:\n"
    "        c.send_bytes(c.recv_bytes())\n"
    "except EOFError:\n"
    "    pass\n";

static const char by_hand[] =
    "import hmac, os, socket, struct, sys\n"
    "role, address, key, digest = sys.argv[1:5]\n"
    "key, name = key.encode(), b'{%s}' % digest.encode()\n"
    "def send(s, b): s.sendall(struct.pack('!i', len(b)) + b)\n"
    "def exactly(s, n):\n"
    "    b, got = bytearray(n), 0\n"
    "    while got < n:\n"
    "        more = s.recv_into(memoryview(b)[got:])\n"
    "        if not more: raise EOFError\n"
    "        got += more\n"
    "    return bytes(b)\n"
    "def recv(s): return exactly(s, struct.unpack('!i', exactly(s, 4))[0])\n"
    "def mac(m, d): return b'{%s}' % d + hmac.new(key, m, d.decode()).digest()\n"
    "def deliver(s):\n"
    "    m = name + os.urandom(40)\n"
    "    send(s, b'#CHALLENGE#' + m)\n"
    "    if recv(s) != mac(m, name[1:-1]):\n"
    "        send(s, b'#FAILURE#')\n"
    "        sys.exit(3)\n"
    "    send(s, b'#WELCOME#')\n"
    "def answer(s):\n"
    "    m = recv(s)\n"
    "    assert m.startswith(b'#CHALLENGE#{sha256}') and len(m) == 59, m\n"
    "    send(s, mac(m[11:], digest.encode()))\n"
    "    if recv(s) != b'#WELCOME#': sys.exit(3)\n"
    "s = socket.socket(socket.AF_UNIX)\n"
    "if role == 'client':\n"
    "    s.connect(address)\n"
    "    print('connected', flush=True)\n"
    "    answer(s); deliver(s)\n"
    "else:\n"
    "    s.bind('\\0' + address[1:]); s.listen(1)\n"
    "    print(address, flush=True)\n"
    "    s = s.accept()[0]\n"
    "    deliver(s); answer(s)\n"
    "try:\n"
    "    while True: send(s, recv(s))\n"
    "except EOFError:\n"
    "    pass\n";

/* An abstract name that no other case has. */
static const char *own_name(void)
{
    static char name[40];
    snprintf(name, sizeof name, "@krait-test-%d", (int)getpid());
    return name;
}

typedef struct peer {
    pid_t pid;
    FILE *says;
    char line[KR_ADDRESS_SIZE + 2];
} peer;

static int spawn(peer *p, const char *const *arguments)
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, ends[1], 1);
    posix_spawn_file_actions_addclose(&actions, ends[0]);
    int err =
        posix_spawnp(&p->pid, "python3", &actions, NULL, (char **)(uintptr_t)arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    p->says = fdopen(ends[0], "r");
    return err;
}

static int end(peer *p)
{
    int status;
    CHECK_EQ(waitpid(p->pid, &status, 0), p->pid);
    fclose(p->says);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void need_python(void)
{
    need_digests();
    peer p;
    const char *const arguments[] = {"python3", "-S", "-c",
                                     "import multiprocessing.connection, hmac", NULL};
    if (spawn(&p, arguments) != 0 || end(&p) != 0)
        SKIP("no python3");
}

static void start(peer *p, const char *script, const char *role, const char *address,
                  const char *key, const char *digest)
{
    const char *const arguments[] = {"python3", "-S", "-c",   script, role,
                                     address,   key,  digest, NULL};
    CHECK_EQ(spawn(p, arguments), 0);
}

/* Where it listens. */
static const char *read_line(peer *p)
{
    CHECK(fgets(p->line, sizeof p->line, p->says) != NULL);
    p->line[strcspn(p->line, "\n")] = '\0';
    return p->line;
}

/* Messages of many lengths, there and back. */
static void echo(kr_connection *c)
{
    static const size_t sizes[] = {0, 1, 2, 100, 4095, 4096, 16383, 16384, 16385, 65536, 3000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        char *bytes = malloc(sizes[i] + 1);
        void *got;
        size_t size;
        for (size_t j = 0; j < sizes[i]; j++)
            bytes[j] = (char)(i + j * 7);
        CHECK_EQ(kr_connection_send(c, bytes, sizes[i], KR_FOREVER), 0);
        CHECK_EQ(kr_connection_recv(c, &got, &size, KR_FOREVER), 0);
        CHECK_EQ(size, sizes[i]);
        CHECK(memcmp(got, bytes, size) == 0);
        free(got);
        free(bytes);
    }
    kr_connection_release(c);
}

static void let_client_in(const char *address, const char *key)
{
    peer p;
    kr_listener_options options = {
        .authkey = key, .authkey_size = key ? strlen(key) : 0, .allow_md5 = true};
    kr_listener *l = open_listener(address, &options);
    start(&p, real, "client", address_of(l), key ? key : "", NULL);
    echo(accept_one(l));
    CHECK_EQ(end(&p), 0);
    kr_listener_release(l);
}

TEST(python_client)
{
    need_python();
    let_client_in(NULL, KEY);
    let_client_in("tcp:127.0.0.1:0", KEY);
    let_client_in(own_name(), KEY);
    let_client_in(NULL, NULL);
}

static void visit_listener(const char *address, const char *key)
{
    peer p;
    kr_connection *c;
    kr_client_options options = {
        .authkey = key, .authkey_size = key ? strlen(key) : 0, .allow_md5 = true};
    start(&p, real, "listener", address, key ? key : "", NULL);
    const char *there = read_line(&p);
    CHECK_EQ(kr_client(&c, address[0] == '@' ? address : there, &options, KR_FOREVER), 0);
    echo(c);
    CHECK_EQ(end(&p), 0);
}

TEST(python_listener)
{
    need_python();
    visit_listener("", KEY);
    visit_listener("tcp:127.0.0.1:0", KEY);
    visit_listener(own_name(), KEY);
    visit_listener("", NULL);
}

TEST(python_client_with_another_key)
{
    need_python();
    peer p;
    kr_connection *c;
    kr_listener_options options = {.authkey = KEY, .authkey_size = KEY_SIZE, .allow_md5 = true};
    kr_listener *l = open_listener(NULL, &options);
    start(&p, real, "client", address_of(l), "sesame", NULL);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
    CHECK_EQ(end(&p), 3);
    kr_listener_release(l);
}

TEST(python_listener_with_another_key)
{
    need_python();
    peer p;
    kr_connection *c;
    kr_client_options options = {.authkey = KEY, .authkey_size = KEY_SIZE, .allow_md5 = true};
    start(&p, real, "listener", "", "sesame", NULL);
    CHECK_EQ(kr_client(&c, read_line(&p), &options, KR_FOREVER), KR_EAUTH);
    CHECK_EQ(end(&p), 3);
}

/* MD5 is all that Python up to 3.11 speaks; without leave it is turned away, later ones are not. */
TEST(python_without_md5)
{
    need_python();
    peer p;
    kr_connection *c;
    kr_listener *l = open_keyed(NULL);
    const char *const asks[] = {"python3", "-S", "-c",
                                "import sys; sys.exit(sys.version_info < (3, 12))", NULL};
    CHECK_EQ(spawn(&p, asks), 0);
    bool is_old = end(&p) != 0;
    start(&p, real, "client", address_of(l), KEY, NULL);
    CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), is_old ? KR_EAUTH : 0);
    if (!is_old)
        echo(c);
    CHECK_EQ(end(&p), is_old ? 3 : 0);
    kr_listener_release(l);
    kri_test_note("python3 is %s than 3.12", is_old ? "older" : "not older");
}

static const char *const digests[] = {"sha256", "sha3_384"};

TEST(client_by_hand)
{
    need_python();
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        peer p;
        kr_listener *l = open_keyed(NULL);
        start(&p, by_hand, "client", address_of(l), KEY, digests[i]);
        echo(accept_one(l));
        CHECK_EQ(end(&p), 0);
        kr_connection *c;
        start(&p, by_hand, "client", address_of(l), "sesame", digests[i]);
        CHECK_EQ(kr_listener_accept(l, &c, KR_FOREVER), KR_EAUTH);
        CHECK_EQ(end(&p), 3);
        kr_listener_release(l);
    }
}

TEST(listener_by_hand)
{
    need_python();
    kr_client_options options = {.authkey = KEY, .authkey_size = KEY_SIZE};
    for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++) {
        peer p;
        kr_connection *c;
        start(&p, by_hand, "listener", own_name(), KEY, digests[i]);
        CHECK_EQ(kr_client(&c, read_line(&p), &options, KR_FOREVER), 0);
        echo(c);
        CHECK_EQ(end(&p), 0);
        start(&p, by_hand, "listener", own_name(), "sesame", digests[i]);
        CHECK_EQ(kr_client(&c, read_line(&p), &options, KR_FOREVER), KR_EAUTH);
        CHECK_EQ(end(&p), 3);
    }
}
