/* A server behind TLS.
 *
 * SPDX-License-Identifier: MIT
 */
#include "redis/help.h"
#include "stream/tls_help.h"

/* In a directory with certificates; or skipped. */
static void start_with_tls(redis_server *server)
{
    static char directory[256];
    redis_server plain = {.password = NULL};
    make_all();
    CHECK(getcwd(directory, sizeof directory) != NULL);
    redis_start(&plain); /* there is a server at all */
    kri_redis_release(open_pool(redis_url(&plain), NULL));
    server->tls = directory;
    server->may_not = true;
    redis_start(server);
}

IO_TEST(test_set_get_over_tls)
{
    redis_server server = {.password = NULL};
    char value[32];
    start_with_tls(&server);
    kr_tls_options trust = {.ca_file = "ca.pem"};
    kri_redis_options options = {.tls = new_context(&trust)};
    kri_redis *r = open_pool(redis_url_tls(&server), &options);
    kr_tls_context_release(options.tls);
    CHECK_EQ(set_text(r, "key", "value"), 0);
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0);
    CHECK_STR(value, "value");
    for (int i = 1; i <= 100; i++)
        CHECK_EQ(increment(r, "count", kr_sec(5)), i);
    CHECK_EQ(kri_redis_count(r).made, 1);
    redis_kill(&server);
    redis_start_again(&server);
    CHECK_EQ(increment(r, "count", kr_sec(20)), 1);
    kri_redis_release(r);
}

/* Whom we do not trust gets no request. */
IO_TEST(test_not_trusted)
{
    redis_server server = {.password = NULL};
    kri_redis *r;
    start_with_tls(&server);
    CHECK_EQ(kri_redis_open(&r, redis_url_tls(&server), NULL), KR_ECERT);
    CHECK(r == NULL);
    char url[64];
    snprintf(url, sizeof url, "rediss://127.0.0.1:%d", server.port); /* which speaks none */
    int err = kri_redis_open(&r, url, NULL);
    CHECK(err == KR_ETLS || err == KR_EOF || err == -ETIMEDOUT);
}

static int get_over_tls(void *arg)
{
    char value[32];
    return get_text(arg, "key", value, sizeof value);
}

/* Slow: a time-out, and then a line that is whole again. */
IO_TEST(test_slow_over_tls)
{
    redis_server server = {.password = NULL};
    start_with_tls(&server);
    kr_tls_options trust = {.ca_file = "ca.pem"};
    kri_redis_options options = {.tls = new_context(&trust), .timeout = kr_sec(1)};
    kri_redis *r = open_pool(redis_url_tls(&server), &options);
    kr_tls_context_release(options.tls);
    CHECK_EQ(set_text(r, "key", "value"), 0);
    redis_freeze(&server);
    CHECK_EQ(increment(r, "count", kr_ms(200)), KR_EUNSURE);
    CHECK_EQ(get_over_tls(r), -ETIMEDOUT);
    redis_thaw(&server);
    while (increment(r, "other", kr_sec(5)) < 0)
        kri_test_nap();
    CHECK_EQ(get_over_tls(r), 0);
    kri_redis_release(r);
}
