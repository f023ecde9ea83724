/* Pipes: messages, their ends, and what is refused.
 *
 * Behaviours: section 12.7, connections and polling.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/help.h"

enum { SIXTEEN_MIB = 16 * 1024 * 1024 };

/* Sends back what it gets, until the other side is gone; an empty message ends it too. */
static void echo(kr_connection *c)
{
    for (;;) {
        void *bytes;
        size_t size;
        int err = kr_connection_recv(c, &bytes, &size, KR_FOREVER);
        if (err == KR_EOF)
            return;
        CHECK_EQ(err, 0);
        CHECK_EQ(kr_connection_send(c, bytes, size, KR_FOREVER), 0);
        kr_connection_free_bytes(bytes);
        if (size == 0)
            return;
    }
}

static void echo_here(pipe_pair *pair)
{
    kr_connection_release(pair->a);
    echo(pair->b);
}

static void check_recv(kr_connection *c, const void *want, size_t want_size)
{
    void *bytes;
    size_t size;
    CHECK_EQ(kr_connection_recv(c, &bytes, &size, PATIENCE), 0);
    CHECK_EQ(size, want_size);
    CHECK(memcmp(bytes, want, size) == 0);
    kr_connection_free_bytes(bytes);
}

static void check_into(kr_connection *c)
{
    static const char text[] = "hello world";
    char room[10 * sizeof text] = {0};
    size_t size = 0;
    CHECK_EQ(kr_connection_send(c, text, sizeof text, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(c, room + 3, sizeof room - 3, &size, PATIENCE), 0);
    CHECK_EQ(size, sizeof text);
    CHECK(memcmp(room + 3, text, sizeof text) == 0);
    CHECK(room[2] == 0 && room[3 + sizeof text] == 0);

    /* Too short: it stays, and its length is told. */
    CHECK_EQ(kr_connection_send(c, text, sizeof text, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(c, room, sizeof text - 1, &size, PATIENCE), -EMSGSIZE);
    CHECK_EQ(size, sizeof text);
    check_recv(c, text, sizeof text);
}

static void check_poll(kr_connection *c)
{
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_connection_poll(c, -1), -EINVAL);
    kr_time start = kr_now();
    CHECK_EQ(kr_connection_poll(c, kr_ms(100)), -ETIMEDOUT);
    CHECK_GE(kr_now() - start, kr_ms(100));
    CHECK_EQ(kr_connection_send(c, "x", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_poll(c, PATIENCE), 0);
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), 0);
    check_recv(c, "x", 1);
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), -ETIMEDOUT);
}

TEST(test_connection)
{
    pipe_pair pair = pair_make(NULL);
    pid_t child = pair_fork(&pair, echo_here);
    kr_connection_release(pair.b);
    kr_connection *c = pair.a;
    CHECK_EQ(kr_connection_send(c, "abc", 3, KR_FOREVER), 0);
    check_recv(c, "abc", 3);
    check_into(c);
    check_poll(c);

    unsigned char *big = malloc(SIXTEEN_MIB);
    fill_bytes(big, SIXTEEN_MIB, 1);
    CHECK_EQ(kr_connection_send(c, big, SIXTEEN_MIB, PATIENCE), 0);
    check_recv(c, big, SIXTEEN_MIB);
    free(big);

    CHECK_EQ(kr_connection_send(c, NULL, 0, KR_FOREVER), 0);
    check_recv(c, "", 0);
    CHECK_EQ(wait_for_child(child), 0);
    void *bytes;
    size_t size;
    CHECK_EQ(kr_connection_recv(c, &bytes, &size, PATIENCE), KR_EOF);
    CHECK(bytes == NULL && size == 0);
    CHECK_EQ(kr_connection_poll(c, KR_NOWAIT), 0);
    CHECK_EQ(kr_connection_send(c, "x", 1, KR_FOREVER), -EPIPE);
    kr_connection_release(c);
}

TEST(test_duplex_false)
{
    pipe_pair pair = pair_make(&(kr_pipe_options){.one_way = true});
    char byte = 0;
    CHECK_EQ(kr_connection_send(pair.b, "1", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_recv_into(pair.a, &byte, 1, NULL, KR_FOREVER), 0);
    CHECK_EQ(byte, '1');
    CHECK(kr_connection_readable(pair.a) && !kr_connection_writable(pair.a));
    CHECK(!kr_connection_readable(pair.b) && kr_connection_writable(pair.b));
    CHECK_EQ(kr_connection_send(pair.a, "1", 1, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_connection_recv_into(pair.b, &byte, 1, NULL, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_connection_poll(pair.b, KR_FOREVER), -EBADF);
    CHECK_EQ(kr_connection_descriptor(pair.b), -EBADF);
    CHECK_EQ(kr_connection_send_descriptor(pair.a, 0, KR_FOREVER), -EBADF);
    pair_release(&pair);
}

static void answer_once(pipe_pair *pair)
{
    kr_connection_release(pair->a);
    char byte;
    CHECK_EQ(kr_connection_recv_into(pair->b, &byte, 1, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(pair->b, &byte, 1, KR_FOREVER), 0);
}

TEST(test_spawn_close)
{
    pipe_pair pair = pair_make(NULL);
    pid_t child = pair_fork(&pair, answer_once);
    kr_connection_release(pair.b); /* at once, perhaps before the child runs */
    CHECK_EQ(kr_connection_send(pair.a, "h", 1, KR_FOREVER), 0);
    check_recv(pair.a, "h", 1);
    CHECK_EQ(wait_for_child(child), 0);
    kr_connection_release(pair.a);
}

TEST(test_sendbytes)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz";
    pipe_pair pair = pair_make(NULL);
    static const struct {
        size_t at, size;
    } cuts[] = {{0, 26}, {5, 21}, {7, 8}, {26, 0}, {0, 0}, {25, 1}};
    for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
        CHECK_EQ(kr_connection_send(pair.a, letters + cuts[i].at, cuts[i].size, KR_FOREVER), 0);
        check_recv(pair.b, letters + cuts[i].at, cuts[i].size);
    }
    CHECK_EQ(kr_connection_send(pair.a, NULL, 1, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_connection_send(pair.a, letters, 1, -1), -EINVAL);
    CHECK_EQ(kr_connection_send(NULL, letters, 1, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_connection_poll(pair.b, KR_NOWAIT), -ETIMEDOUT);
    pair_release(&pair);
}

TEST(test_context)
{
    kr_connection *kept;
    {
        KR_AUTO(kr_connection) *a = NULL;
        KR_AUTO(kr_connection) *b = NULL;
        CHECK_EQ(kr_pipe(&a, &b, NULL), 0);
        CHECK_EQ(kr_connection_send(a, "x", 1, KR_FOREVER), 0);
        check_recv(b, "x", 1);
        kr_connection_close(b);
        kr_connection_close(b);
        kept = b;
        char byte;
        CHECK_EQ(kr_connection_recv_into(kept, &byte, 1, NULL, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_connection_send(kept, &byte, 1, KR_FOREVER), -EBADF);
        CHECK_EQ(kr_connection_poll(kept, KR_NOWAIT), -EBADF);
        CHECK_EQ(kr_connection_descriptor(kept), -EBADF);
        CHECK(!kr_connection_readable(kept) && !kr_connection_writable(kept));
        kr_waitable w = {.connection = kept};
        CHECK_EQ(kr_connection_wait(&w, 1, KR_NOWAIT), -EBADF);
        CHECK_EQ(kr_connection_send(a, "x", 1, KR_FOREVER), -EPIPE);
    }
    CHECK_EQ(open_descriptors(), 0);
}

/* Poll */

TEST(test_empty_string)
{
    pipe_pair pair = pair_make(NULL);
    CHECK_EQ(kr_connection_poll(pair.a, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_connection_send(pair.b, "", 0, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_poll(pair.a, KR_NOWAIT), 0);
    CHECK_EQ(kr_connection_poll(pair.a, KR_NOWAIT), 0);
    check_recv(pair.a, "", 0);
    CHECK_EQ(kr_connection_poll(pair.a, KR_NOWAIT), -ETIMEDOUT);
    pair_release(&pair);
}

static void send_strings(pipe_pair *pair)
{
    static const char *const strings[] = {"hello", "", "a", "b", "", "bye", "", "lop"};
    for (size_t i = 0; i < 8; i++) {
        char byte;
        CHECK_EQ(kr_connection_send(pair->b, strings[i], strlen(strings[i]), KR_FOREVER), 0);
        CHECK_EQ(kr_connection_recv_into(pair->b, &byte, 1, NULL, KR_FOREVER), 0);
    }
}

TEST(test_strings)
{
    static const char *const strings[] = {"hello", "", "a", "b", "", "bye", "", "lop"};
    pipe_pair pair = pair_make(NULL);
    pid_t child = pair_fork(&pair, send_strings);
    for (size_t i = 0; i < 8; i++) {
        CHECK_EQ(kr_connection_poll(pair.a, PATIENCE), 0);
        check_recv(pair.a, strings[i], strlen(strings[i]));
        CHECK_EQ(kr_connection_poll(pair.a, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_connection_send(pair.a, "n", 1, KR_FOREVER), 0);
    }
    CHECK_EQ(wait_for_child(child), 0);
    pair_release(&pair);
}

/* Polling, by however many calls, does not eat part of a message. */
TEST(test_boundaries)
{
    pipe_pair pair = pair_make(NULL);
    CHECK_EQ(kr_connection_send(pair.b, "abcdefg", 7, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(pair.b, "hij", 3, KR_FOREVER), 0);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(kr_connection_poll(pair.a, kr_ms(1)), 0);
    check_recv(pair.a, "abcdefg", 7);
    for (int i = 0; i < 10; i++)
        CHECK_EQ(kr_connection_poll(pair.a, kr_ms(1)), 0);
    check_recv(pair.a, "hij", 3);
    CHECK_EQ(kr_connection_poll(pair.a, KR_NOWAIT), -ETIMEDOUT);
    pair_release(&pair);
}

TEST(test_dont_merge)
{
    pipe_pair pair = pair_make(NULL);
    CHECK_EQ(kr_connection_send(pair.b, "a", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(pair.b, "b", 1, KR_FOREVER), 0);
    CHECK_EQ(kr_connection_send(pair.b, "cd", 2, KR_FOREVER), 0);
    check_recv(pair.a, "a", 1);
    check_recv(pair.a, "b", 1);
    CHECK_EQ(kr_connection_poll(pair.a, kr_ms(1)), 0);
    check_recv(pair.a, "cd", 2);
    pair_release(&pair);
}

/* What the options refuse. */
TEST(test_pipe_options)
{
    kr_connection *a, *b;
    kr_pipe_options bad = {.reserved = {0, 1}};
    CHECK_EQ(kr_pipe(&a, &b, &bad), -EINVAL);
    CHECK(a == NULL && b == NULL);
    CHECK_EQ(kr_pipe(NULL, &b, NULL), -EINVAL);
    CHECK_EQ(kr_pipe(&a, &b, &(kr_pipe_options){.capacity = SIZE_MAX}), -EINVAL);
    CHECK_EQ(kr_pipe(&a, &b, &(kr_pipe_options){.capacity = 1}), 0);
    kr_connection_release(a);
    kr_connection_release(b);
    kr_connection_release(NULL);
    CHECK_EQ(open_descriptors(), 0);
}
