/* Listeners and clients when memory runs out: the k-th request is refused, for k = 1, 2, ... until
 * there are not so many.  Each error says so, nothing is lost, and the next try succeeds.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/socket_help.h"
#include "harness/faulty.h"

/* One more time with the k-th refused, until none was; body returns 0 or -ENOMEM. */
static void with_each_refused(int (*body)(void *arg), void *arg)
{
    uint32_t refused = 0;
    for (uint32_t k = 1;; k++) {
        int64_t live = faulty_live();
        faulty_begin(FAULTY_MEMORY, k, false);
        int result = body(arg);
        uint32_t failed = faulty_failed();
        faulty_end();
        CHECK_EQ(result, failed > 0 ? -ENOMEM : 0);
        CHECK_EQ(faulty_live(), live);
        if (failed == 0)
            break;
        refused++;
    }
    CHECK_GE(refused, 1);
}

static int create(void *arg)
{
    kr_listener *l;
    int err = kr_listener_create(&l, NULL, arg);
    CHECK_EQ(l != NULL, err == 0);
    kr_listener_release(l);
    return err;
}

TEST(creating_a_listener)
{
    need_digests();
    kr_listener_options options = {.authkey = KEY, .authkey_size = KEY_SIZE};
    with_each_refused(create, NULL);
    with_each_refused(create, &options);
}

static int connect_once(void *arg)
{
    kr_connection *c, *d;
    int err = kr_client(&c, address_of(arg), NULL, KR_FOREVER);
    CHECK_EQ(c != NULL, err == 0);
    kr_connection_release(c);
    faulty_end();
    kr_connection_release(accept_one(arg)); /* it is there, in any case */
    CHECK_EQ(kr_listener_accept(arg, &d, KR_NOWAIT), -ETIMEDOUT);
    return err;
}

static int accept_once(void *arg)
{
    kr_connection *c;
    int raw = connect_raw(arg);
    int err = kr_listener_accept(arg, &c, KR_NOWAIT);
    CHECK_EQ(c != NULL, err == 0);
    kr_connection_release(c);
    close(raw);
    return err;
}

/* The handshake is begun, and no more. */
static int begin_handshake(void *arg)
{
    kr_connection *c;
    int raw = connect_raw(arg);
    int err = kr_listener_accept(arg, &c, KR_NOWAIT);
    CHECK(c == NULL);
    close(raw);
    if (err == -ENOMEM)
        return err;
    CHECK_EQ(err, -ETIMEDOUT);
    CHECK_EQ(kr_listener_accept(arg, &c, KR_FOREVER), KR_EAUTH);
    return 0;
}

TEST(connecting_and_accepting)
{
    need_digests();
    kr_listener *l = open_listener(NULL, NULL), *keyed = open_keyed(NULL);
    with_each_refused(accept_once, l);
    with_each_refused(begin_handshake, keyed);
    kr_connection *c = connect_to(l, NULL); /* so that what is made but once is there */
    kr_connection_release(accept_one(l));
    kr_connection_release(c);
    faulty_begin(FAULTY_MEMORY, 1, false);
    CHECK_EQ(connect_once(l), -ENOMEM);
    CHECK_EQ(connect_once(l), 0);
    kr_listener_release(l);
    kr_listener_release(keyed);
}

/* What came of a message cannot be kept: the error says that it is lost. */
TEST(a_part_that_cannot_be_kept)
{
    kr_connection *c;
    char room[8];
    int fd = raw_pair(&c, 0);
    write_raw(fd, "\0\0\0\x08half", 8);
    faulty_begin(FAULTY_MEMORY, 1, false);
    CHECK_EQ(kr_connection_recv_into(c, room, sizeof room, NULL, kr_ms(1)), -ENOMEM);
    faulty_end();
    write_raw(fd, "done", 4);
    CHECK_EQ(kr_connection_recv_into(c, room, sizeof room, NULL, kr_ms(1)), -ENOMEM);
    kr_connection_release(c);
    close(fd);
}
