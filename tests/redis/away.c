/* A server that is away, comes back as another one, refuses, or answers slowly.
 *
 * SPDX-License-Identifier: MIT
 */
#include "redis/help.h"

static const kri_redis_options impatient = {.timeout = 1000000000};
static const kri_redis_options hasty = {.timeout = 100000000};
static const kri_redis_options patient = {.timeout = 100000000000};

IO_TEST(test_nobody_there)
{
    redis_server server = {.password = NULL};
    kri_redis *r;
    redis_start(&server);
    kri_redis_release(open_pool(redis_url(&server), NULL)); /* or skipped */
    redis_kill(&server);
    kr_time began = kr_now();
    CHECK_EQ(kri_redis_open(&r, redis_url(&server), &hasty), -ECONNREFUSED);
    CHECK(r == NULL);
    CHECK_EQ(kri_redis_open(&r, redis_url_tcp(&server), &hasty), -ECONNREFUSED);
    CHECK_EQ(kri_redis_open(&r, "unix:/nowhere/at/all", &hasty), -ENOENT);
    CHECK_GE(kr_now() - began, 3 * hasty.timeout); /* they were waited for */
    CHECK_EQ(kri_redis_open(&r, "http://localhost", NULL), -EINVAL);
    CHECK_EQ(kri_redis_open(&r, NULL, NULL), -EINVAL);
}

/* One that comes after its user is waited for; a cancel ends the wait. */
IO_TEST(test_not_there_yet)
{
    redis_server server = {.password = NULL};
    redis_starter starter;
    char value[32];
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kri_redis *r;
    redis_start(&server);
    kri_redis_release(open_pool(redis_url(&server), NULL)); /* or skipped */
    redis_kill(&server);
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(50)), 0);
    CHECK_EQ(kri_redis_open(&r, redis_url_tcp(&server), &patient), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    redis_starter_begin(&starter, &server);
    CHECK_EQ(kri_redis_open(&r, redis_url_tcp(&server), &patient), 0);
    CHECK_EQ(set_text(r, "key", "value"), 0);
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0);
    kri_redis_release(r);
    redis_starter_end(&starter);
}

IO_TEST(test_password)
{
    redis_server server = {.password = "secret"};
    char url[400];
    char value[32];
    kri_redis *none;
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    CHECK_EQ(set_text(r, "key", "value"), 0);
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0);
    kri_redis_release(r);
    r = open_pool(redis_url_tcp(&server), NULL);
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0);
    kri_redis_release(r);
    snprintf(url, sizeof url, "unix://default:secret@%s", server.socket);
    kri_redis_release(open_pool(url, NULL));
    snprintf(url, sizeof url, "unix://:wrong@%s", server.socket);
    CHECK_EQ(kri_redis_open(&none, url, NULL), KR_EAUTH);
    snprintf(url, sizeof url, "unix:%s", server.socket);
    CHECK_EQ(kri_redis_open(&none, url, NULL), KR_EAUTH);
    CHECK(strstr(kr_redis_error_text(value, sizeof value), "NOAUTH") != NULL);
}

/* A password where none is wanted is refused by the server, too. */
IO_TEST(test_password_not_wanted)
{
    redis_server server = {.password = NULL};
    char url[400];
    kri_redis *none;
    redis_start(&server);
    kri_redis_release(open_pool(redis_url(&server), NULL));
    snprintf(url, sizeof url, "unix://:secret@%s", server.socket);
    CHECK_EQ(kri_redis_open(&none, url, NULL), KR_EAUTH);
}

/* Away for longer than the time-out: the error of connecting, and not applied. */
IO_TEST(test_away)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    CHECK_EQ(increment(r, "count", kr_sec(5)), 1);
    redis_kill(&server);
    kr_time began = kr_now();
    int64_t err = increment(r, "count", kr_ms(200));
    if (err == KR_EUNSURE) /* it was sent before the end was seen: less than a moment ago */
        err = increment(r, "count", kr_ms(200));
    CHECK_EQ(err, -ECONNREFUSED);
    CHECK_TIME(kr_now() - began, kr_ms(200));
    redis_start_again(&server);
    CHECK_EQ(increment(r, "count", kr_sec(20)), 1); /* what it held is gone */
    kri_redis_release(r);
}

typedef struct restart {
    redis_server *server;
    kr_event killed;
    kri_redis *r;
    int64_t result;
} restart;

static void wait_for_it(void *arg)
{
    restart *s = arg;
    char value[32];
    (void)kr_event_set(&s->killed);
    s->result = get_text(s->r, "key", value, sizeof value);
}

/* Who asks while it is away has the answer of the one that comes. */
IO_TEST(test_restart)
{
    redis_server server = {.keeps = true};
    redis_start(&server);
    kri_redis_options options = {.timeout = kr_sec(25)};
    restart s = {.server = &server, .r = open_pool(redis_url(&server), &options)};
    CHECK_EQ(set_text(s.r, "key", "value"), 0);
    redis_kill(&server);
    io_other other;
    io_start(&other, wait_for_it, &s);
    CHECK_EQ(kr_event_wait(&s.killed, KR_FOREVER), 0);
    redis_start_again(&server);
    io_join(&other);
    CHECK_EQ(s.result, 0);
    CHECK_EQ(kri_redis_count(s.r).made, 2);
    kri_redis_release(s.r);
}

/* Idle lines to a server that has gone are noticed before a request is lost on them. */
IO_TEST(test_idle_over_a_restart)
{
    redis_server server = {.keeps = true};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url_tcp(&server), NULL);
    for (int i = 1; i <= 3; i++) {
        CHECK_EQ(increment(r, "count", kr_sec(20)), i);
        kri_test_linger();
        redis_kill(&server);
        redis_start_again(&server);
    }
    kri_redis_release(r);
}

/* A slow answer: what was read can be asked for again, what was written is in doubt, and neither
 * is ever taken for the answer to what is asked next. */
IO_TEST(test_slow)
{
    redis_server server = {.password = NULL};
    char value[32];
    char text[200];
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), &impatient);
    CHECK_EQ(set_text(r, "key", "value"), 0);
    CHECK_EQ(increment(r, "count", kr_sec(5)), 1);
    redis_freeze(&server);
    kr_time began = kr_now();
    CHECK_EQ(get_text(r, "key", value, sizeof value), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_sec(1));
    CHECK_EQ(increment(r, "count", kr_ms(100)), KR_EUNSURE);
    CHECK(strstr(kr_redis_error_text(text, sizeof text), "no answer") != NULL);
    redis_thaw(&server);
    kri_redis_release(r);
    r = open_pool(redis_url(&server), NULL);
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0);
    CHECK_STR(value, "value");
    /* once, as it was applied: not twice */
    while (get_text(r, "count", value, sizeof value) == 0 && strcmp(value, "2") != 0)
        kri_test_nap();
    CHECK_EQ(increment(r, "count", kr_sec(5)), 3);
    kri_redis_release(r);
}

/* More than the server's socket takes, of one that takes nothing: the time is up all the same. */
IO_TEST(test_slow_to_take)
{
    enum { LARGE = 30 * 1000 * 1000 };
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    char *bytes = calloc(LARGE, 1);
    CHECK(bytes != NULL);
    CHECK_EQ(set_text(r, "key", "value"), 0); /* and has waited for an answer on that line */
    redis_freeze(&server);
    kri_reply *reply;
    kr_time began = kr_now();
    CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("SET"), kri_word("key"), kri_word_of(bytes, LARGE)),
                          0, kri_deadline(kr_ms(300)), &reply),
             -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(300));
    redis_thaw(&server);
    char value[32];
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0); /* half of a request is none */
    CHECK_STR(value, "value");
    free(bytes);
    kri_redis_release(r);
}

typedef struct asker {
    kri_redis *r;
    kr_cancel_scope scope;
    kr_word began;
    int64_t result;
} asker;

static void ask_in_scope(void *arg)
{
    asker *a = arg;
    CHECK_EQ(kr_cancel_scope_enter(&a->scope, KR_FOREVER), 0);
    kri_store_rel(&a->began, 1);
    a->result = increment(a->r, "count", KR_FOREVER);
    (void)kr_cancel_scope_exit(&a->scope);
}

/* Cancelled while the server does not answer. */
IO_TEST(test_cancelled)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    asker a = {.r = open_pool(redis_url(&server), NULL), .scope = KR_CANCEL_SCOPE_INIT};
    redis_freeze(&server);
    io_other other;
    io_start(&other, ask_in_scope, &a);
    while (kri_load_acq(&a.began) == 0)
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
    kr_cancel(&a.scope);
    io_join(&other);
    CHECK(a.result == KR_EUNSURE || a.result == -ECANCELED); /* the latter: nothing was sent */
    redis_thaw(&server);
    kri_redis_release(a.r);
}

/* Refused, after it was tried for so long. */
static kr_time set_in_transaction(kri_redis *r, kr_time timeout)
{
    kri_redis_batch batch;
    kri_reply *replies[3];
    kr_time began;
    int err;
    kri_redis_batch_begin(&batch);
    kri_redis_batch_add(&batch, KRI_WORDS(kri_word("MULTI")));
    kri_redis_batch_add(&batch, KRI_WORDS(kri_word("SET"), kri_word("a"), kri_word("b")));
    kri_redis_batch_add(&batch, KRI_WORDS(kri_word("EXEC")));
    do {
        began = kr_now();
        err = kri_redis_batch_run(r, &batch, 0, kri_deadline(timeout), replies);
    } while (err == KR_EUNSURE); /* it was too slow */
    CHECK_EQ(err, 0);
    CHECK_EQ(kri_reply_error(replies[1]), -EROFS);
    for (int i = 0; i < 3; i++)
        kri_reply_free(replies[i]);
    kri_redis_batch_end(&batch);
    return kr_now() - began;
}

/* A fail-over: the server at the address is a replica for a while, then a master again. */
IO_TEST(test_read_only_for_a_while)
{
    redis_server server = {.password = NULL};
    redis_server master = {.password = NULL};
    char port[16];
    kri_reply *reply;
    redis_start(&server);
    redis_start(&master);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    CHECK_EQ(increment(r, "count", kr_sec(5)), 1);
    snprintf(port, sizeof port, "%d", master.port);
    CHECK_EQ(kri_redis_do(r,
                          KRI_WORDS(kri_word("REPLICAOF"), kri_word("127.0.0.1"), kri_word(port)),
                          0, kri_redis_deadline(r), &reply),
             0);
    kri_reply_free(reply);
    int64_t err;
    do {
        err = increment(r, "count", kr_ms(200));
    } while (err == KR_EUNSURE); /* it was too slow */
    CHECK_EQ(err, -EROFS);
    CHECK_TIME(set_in_transaction(r, kr_ms(200)), kr_ms(200));
    CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("REPLICAOF"), kri_word("NO"), kri_word("ONE")), 0,
                          kri_redis_deadline(r), &reply),
             0);
    kri_reply_free(reply);
    CHECK_GE(increment(r, "count", kr_sec(20)), 1);
    kri_redis_release(r);
}

/* Full: said as a full manager in shared memory says it. */
IO_TEST(test_out_of_memory)
{
    redis_server server = {.setting = "maxmemory 1"};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    CHECK_EQ(set_text(r, "key", "value"), -EDQUOT);
    kri_redis_release(r);
}
