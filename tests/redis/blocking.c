/* Requests that wait in the server.
 *
 * SPDX-License-Identifier: MIT
 */
#include "redis/help.h"

typedef struct popper {
    kri_redis *r;
    kr_cancel_scope scope;
    kr_time timeout;
    int result;
    char got[32];
} popper;

static int pop(kri_redis *r, kr_time timeout, char *got, size_t room)
{
    kri_reply *reply;
    size_t size;
    int err = kri_redis_do(r, KRI_WORDS(kri_word("BLPOP"), kri_word("list"), kri_word("0")),
                           KRI_REDIS_BLOCKS, kri_deadline(timeout), &reply);
    got[0] = '\0';
    if (err == 0 && kri_reply_kind(reply) == KRI_NIL)
        err = -ENOENT;
    if (err == 0)
        snprintf(got, room, "%s", kri_reply_bytes(kri_reply_at(reply, 1), &size));
    kri_reply_free(reply);
    return err;
}

static void pop_in_scope(void *arg)
{
    popper *p = arg;
    CHECK_EQ(kr_cancel_scope_enter(&p->scope, KR_FOREVER), 0);
    p->result = pop(p->r, p->timeout, p->got, sizeof p->got);
    (void)kr_cancel_scope_exit(&p->scope);
}

static int push(kri_redis *r, const char *item)
{
    kri_reply *reply;
    int err = kri_redis_do(r, KRI_WORDS(kri_word("RPUSH"), kri_word("list"), kri_word(item)), 0,
                           kri_redis_deadline(r), &reply);
    kri_reply_free(reply);
    return err;
}

/* How many wait in the server, as it says itself. */
static void await_blocked(kri_redis *r, const char *count)
{
    char wanted[32];
    bool so = false;
    snprintf(wanted, sizeof wanted, "blocked_clients:%s\r", count);
    while (!so) {
        kri_reply *reply;
        size_t size;
        CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("INFO"), kri_word("clients")), 0,
                              kri_redis_deadline(r), &reply),
                 0);
        so = strstr(kri_reply_bytes(reply, &size), wanted) != NULL;
        kri_reply_free(reply);
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    }
}

IO_TEST(test_pop_waits)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    popper p = {.r = open_pool(redis_url(&server), NULL), .timeout = KR_FOREVER};
    io_other other;
    io_start(&other, pop_in_scope, &p);
    await_blocked(p.r, "1");
    CHECK_EQ(push(p.r, "one"), 0);
    io_join(&other);
    CHECK_EQ(p.result, 0);
    CHECK_STR(p.got, "one");
    kri_redis_release(p.r);
}

/* Given up by time: the line is whole after it, and nothing waits in the server any more. */
IO_TEST(test_pop_timeout)
{
    redis_server server = {.password = NULL};
    char got[32];
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    kr_time began = kr_now();
    int err = pop(r, kr_ms(50), got, sizeof got);
    CHECK(err == -ENOENT || err == -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(50));
    await_blocked(r, "0");
    CHECK_EQ(push(r, "later"), 0);
    CHECK_EQ(pop(r, kr_sec(10), got, sizeof got), 0);
    CHECK_STR(got, "later");
    kri_redis_release(r);
}

/* A cancelled getter swallows no item: it returns with it, or leaves it for the next. */
IO_TEST(test_cancelled_pop_loses_nothing)
{
    enum { ROUNDS = 30 };
    redis_server server = {.password = NULL};
    char got[32];
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    int had = 0;
    for (int i = 0; i < ROUNDS; i++) {
        popper p = {.r = r, .scope = KR_CANCEL_SCOPE_INIT, .timeout = KR_FOREVER};
        char item[16];
        io_other other;
        snprintf(item, sizeof item, "%d", i);
        io_start(&other, pop_in_scope, &p);
        await_blocked(r, "1");
        if (i % 3 != 0)
            CHECK_EQ(push(r, item), 0);
        kr_cancel(&p.scope);
        if (i % 3 == 0)
            CHECK_EQ(push(r, item), 0);
        io_join(&other);
        CHECK(p.result == 0 || p.result == -ECANCELED || p.result == -ENOENT);
        had += p.result == 0;
        if (p.result != 0)
            CHECK_EQ(pop(r, kr_sec(10), p.got, sizeof p.got), 0);
        CHECK_STR(p.got, item);
        await_blocked(r, "0");
    }
    CHECK(pop(r, kr_ms(1), got, sizeof got) != 0);
    kri_test_note("%d of %d cancelled getters had their item", had, ROUNDS);
    kri_redis_release(r);
}

/* More that wait in the server than there are places for requests. */
IO_TEST(test_blocking_takes_no_place)
{
    enum { MANY = 5 };
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis_options options = {.lines = 1};
    kri_redis *r = open_pool(redis_url(&server), &options);
    popper p[MANY];
    io_other others[MANY];
    for (int i = 0; i < MANY; i++) {
        p[i] = (popper){.r = r, .scope = KR_CANCEL_SCOPE_INIT, .timeout = KR_FOREVER};
        io_start(&others[i], pop_in_scope, &p[i]);
    }
    await_blocked(r, "5");
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(push(r, "item"), 0);
    for (int i = 0; i < MANY; i++) {
        io_join(&others[i]);
        CHECK_EQ(p[i].result, 0);
    }
    kri_redis_release(r);
}
