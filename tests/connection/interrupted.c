/* Signals neither end nor cut a call on a socket.
 *
 * Behaviours: section 12.7
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/socket_help.h"
#include <pthread.h>
#include <signal.h>

static kr_word handled;

static void count(int signo)
{
    (void)signo;
    __atomic_add_fetch(&handled.bits, 1, __ATOMIC_SEQ_CST);
}

static void catch_signal(void)
{
    struct sigaction action = {.sa_handler = count};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
}

/* Interrupts the thread until its handler has run some times. */
static void interrupt(pthread_t thread)
{
    uint32_t begun = __atomic_load_n(&handled.bits, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&handled.bits, __ATOMIC_SEQ_CST) < begun + 5) {
        CHECK_EQ(pthread_kill(thread, SIGUSR1), 0);
        kri_test_nap();
    }
}

enum { LARGE = 8 << 20 };

typedef struct talk {
    kr_connection *c;
    kr_time timeout;
} talk;

/* As the child of Python's test: receives, answers, then sends what no socket holds. */
static void converse(void *arg)
{
    talk *t = arg;
    void *bytes;
    size_t size;
    CHECK_EQ(kr_connection_recv(t->c, &bytes, &size, t->timeout), 0);
    CHECK_EQ(kr_connection_send(t->c, bytes, size, t->timeout), 0);
    kr_connection_free_bytes(bytes);
    bytes = calloc(1, LARGE);
    CHECK_EQ(kr_connection_send(t->c, bytes, LARGE, t->timeout), 0);
    free(bytes);
}

TEST(test_ignore)
{
    const kr_time timeouts[] = {KR_FOREVER, kr_sec(60)};
    catch_signal();
    for (int i = 0; i < 2; i++) {
        kr_connection *here;
        talk t = {.timeout = timeouts[i]};
        kri_bunch bunch;
        connect_pair(&here, &t.c);
        kri_bunch_start(&bunch, 1, converse, &t);
        interrupt(bunch.threads[0]);
        CHECK_EQ(kri_bunch_finished(&bunch), 0);
        send_text(here, "1234");
        expect_text(here, "1234");
        interrupt(bunch.threads[0]);
        CHECK_EQ(kri_bunch_finished(&bunch), 0);
        void *bytes;
        size_t size;
        CHECK_EQ(kr_connection_recv(here, &bytes, &size, KR_FOREVER), 0);
        CHECK_EQ(size, LARGE);
        kr_connection_free_bytes(bytes);
        kri_bunch_end(&bunch);
        kr_connection_release(here);
        kr_connection_release(t.c);
    }
}

static void welcome_one(void *arg)
{
    kr_connection *c;
    CHECK_EQ(kr_listener_accept(arg, &c, KR_FOREVER), 0);
    send_text(c, "welcome");
    kr_connection_release(c);
}

TEST(test_ignore_listener)
{
    catch_signal();
    kr_listener *l = open_listener(NULL, NULL);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, welcome_one, l);
    interrupt(bunch.threads[0]);
    CHECK_EQ(kri_bunch_finished(&bunch), 0);
    kr_connection *c = connect_to(l, NULL);
    expect_text(c, "welcome");
    kri_bunch_end(&bunch);
    kr_connection_release(c);
    kr_listener_release(l);
}
