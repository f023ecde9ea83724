/* A program that has closed its standard descriptors: nothing of the library's takes their place,
 * where what others print would go into it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/help.h"
#include "os/message.h"
#include "os/os.h"
#include "os/socket.h"
#include <fcntl.h>
#include <pthread.h>

enum { STANDARD = 3 };

static int kept[STANDARD];

static void close_standard(void)
{
    for (int fd = 0; fd < STANDARD; fd++) {
        kept[fd] = fcntl(fd, F_DUPFD_CLOEXEC, 10);
        close(fd);
    }
}

/* How many of them something has. */
static int taken(void)
{
    int count = 0;
    for (int fd = 0; fd < STANDARD; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

static void restore_standard(void)
{
    for (int fd = 0; fd < STANDARD; fd++) {
        dup2(kept[fd], fd);
        close(kept[fd]);
    }
}

/* A check that fails in between would be heard by nobody: the standard descriptors come back
 * first. */
#define SUCCEED(what)                                                                              \
    do {                                                                                           \
        int kri_err = (what);                                                                      \
        if (kri_err != 0) {                                                                        \
            restore_standard();                                                                    \
            kri_test_fail(__FILE__, __LINE__, "%s: %d", #what, kri_err);                           \
        }                                                                                          \
    } while (0)

/* Only while no other thread is in a call: a descriptor gets its place by a second system call, and
 * has that of a standard one until then. */
#define LOOK(what)                                                                                 \
    do {                                                                                           \
        SUCCEED(what);                                                                             \
        int kri_taken = taken();                                                                   \
        if (kri_taken != 0) {                                                                      \
            restore_standard();                                                                    \
            kri_test_fail(__FILE__, __LINE__, "%s took %d standard ones", #what, kri_taken);       \
        }                                                                                          \
    } while (0)

TEST(pipes_without_standard_descriptors)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_connection *a, *b, *c, *d;
    int fd;
    close_standard();
    LOOK(kr_pipe(&a, &b, NULL));
    LOOK(kr_connection_duplicate(a, &c));
    LOOK(kr_connection_send_descriptor(a, kept[0], KR_FOREVER));
    LOOK(kr_connection_recv_descriptor(b, &fd, KR_FOREVER));
    LOOK(kr_connection_send_connection(a, c, KR_FOREVER));
    LOOK(kr_connection_recv_connection(b, &d, KR_FOREVER));
    LOOK(kr_cancel_scope_enter(&scope, kr_sec(60)));
    LOOK(kr_connection_poll(b, kr_ms(1)) != -ETIMEDOUT); /* makes the thread's bell */
    kr_cancel_scope_exit(&scope);
    restore_standard();
    close(fd);
    kr_connection_release(a);
    kr_connection_release(b);
    kr_connection_release(c);
    kr_connection_release(d);
}

typedef struct calling {
    char address[KR_ADDRESS_SIZE];
    kr_client_options options;
    kr_connection *c;
    int err;
} calling;

static void *call(void *arg)
{
    calling *k = arg;
    k->err = kr_client(&k->c, k->address, &k->options, PATIENCE);
    return NULL;
}

static void listen_without(const char *address)
{
    kr_listener *l;
    kr_connection *c;
    pthread_t thread;
    calling k = {.options = {.authkey = "key", .authkey_size = 3}};
    kr_listener_options options = {.authkey = "key", .authkey_size = 3};
    close_standard();
    LOOK(kr_listener_create(&l, address, &options));
    kr_listener_address(l, k.address, sizeof k.address);
    SUCCEED(pthread_create(&thread, NULL, call, &k));
    SUCCEED(kr_listener_accept(l, &c, PATIENCE));
    LOOK(pthread_join(thread, NULL));
    LOOK(k.err);
    restore_standard();
    kr_connection_release(c);
    kr_connection_release(k.c);
    kr_listener_release(l);
}

TEST(sockets_without_standard_descriptors)
{
    kr_listener *l;
    kr_listener_options key = {.authkey = "key", .authkey_size = 3};
    if (kr_listener_create(&l, NULL, &key) == -ENOSYS)
        SKIP("built without OpenSSL");
    kr_listener_release(l);
    int pair[2];
    listen_without(NULL);
    listen_without("tcp:127.0.0.1:0");
    close_standard();
    LOOK(os_socket_pair(pair));
    restore_standard();
    os_close(pair[0]);
    os_close(pair[1]);
}

TEST(memory_without_standard_descriptors)
{
    kr_shared_memory *m, *n, *o, *p;
    kr_arena *arena, *other;
    close_standard();
    LOOK(kr_shared_memory_create(&m, NULL, 100, NULL));
    LOOK(kr_shared_memory_attach_descriptor(&n, kr_shared_memory_descriptor(m)));
    LOOK(kr_shared_memory_create(&o, "", 100, NULL));
    LOOK(kr_shared_memory_attach(&p, kr_shared_memory_name(o), NULL));
    LOOK(kr_arena_create(&arena, 10000, NULL));
    LOOK(kr_arena_attach_descriptor(&other, kr_arena_descriptor(arena)));
    restore_standard();
    kr_shared_memory_release(m);
    kr_shared_memory_release(n);
    kr_shared_memory_release(o);
    kr_shared_memory_release(p);
    kr_arena_release(arena);
    kr_arena_release(other);
}
