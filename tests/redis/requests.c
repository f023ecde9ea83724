/* Requests, answers, batches and scripts, on a server that is well.
 *
 * SPDX-License-Identifier: MIT
 */
#include "redis/help.h"

IO_TEST(test_set_get)
{
    redis_server server = {.password = NULL};
    char value[32];
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    CHECK_EQ(get_text(r, "key", value, sizeof value), -ENOENT);
    CHECK_EQ(set_text(r, "key", "value"), 0);
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0);
    CHECK_STR(value, "value");
    CHECK_EQ(increment(r, "count", kr_sec(5)), 1);
    CHECK_EQ(increment(r, "count", kr_sec(5)), 2);
    CHECK_EQ(kri_redis_count(r).made, 1); /* each was given back, and taken again */
    CHECK_EQ(kri_redis_count(r).idle, 1);
    kri_redis_release(r);
}

IO_TEST(test_over_tcp_with_database)
{
    redis_server server = {.password = NULL};
    char value[32];
    char url[400];
    redis_start(&server);
    kri_redis *zero = open_pool(redis_url_tcp(&server), NULL);
    snprintf(url, sizeof url, "%s/3", redis_url_tcp(&server));
    kri_redis *three = open_pool(url, NULL);
    CHECK_EQ(set_text(three, "key", "of 3"), 0);
    CHECK_EQ(get_text(zero, "key", value, sizeof value), -ENOENT);
    CHECK_EQ(get_text(three, "key", value, sizeof value), 0);
    CHECK_STR(value, "of 3");
    snprintf(url, sizeof url, "%s/999", redis_url_tcp(&server));
    kri_redis *none;
    char text[200];
    CHECK_EQ(kri_redis_open(&none, url, NULL), KR_EREPLY);
    CHECK(none == NULL);
    CHECK(strstr(kr_redis_error_text(text, sizeof text), "index") != NULL);
    kri_redis_release(zero);
    kri_redis_release(three);
}

/* Bytes are bytes, whatever they are, and answers may be long. */
IO_TEST(test_large_and_binary)
{
    enum { LARGE = 3 * 1000 * 1000 + 7 };
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    char *bytes = malloc(LARGE);
    CHECK(bytes != NULL);
    for (size_t i = 0; i < LARGE; i++)
        bytes[i] = (char)(i * 7 + i / 251);
    kri_reply *reply;
    static const char key[] = "\0\r\n$";
    CHECK_EQ(kri_redis_do(r,
                          KRI_WORDS(kri_word("SET"), kri_word_of(key, sizeof key),
                                    kri_word_of(bytes, LARGE)),
                          0, kri_redis_deadline(r), &reply),
             0);
    kri_reply_free(reply);
    CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("GET"), kri_word_of(key, sizeof key)), 0,
                          kri_redis_deadline(r), &reply),
             0);
    size_t size;
    const char *got = kri_reply_bytes(reply, &size);
    CHECK_EQ(size, LARGE);
    CHECK(memcmp(got, bytes, LARGE) == 0);
    kri_reply_free(reply);
    free(bytes);
    kri_redis_release(r);
}

IO_TEST(test_answers)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    static const kri_redis_script script = {
        "return {1, 'two', {3, false}, redis.status_reply('S')}"};
    kri_reply *reply;
    size_t size;
    CHECK_EQ(kri_redis_run(r, &script, 0, NULL, 0, 0, kri_redis_deadline(r), &reply), 0);
    CHECK_EQ(kri_reply_kind(reply), KRI_ARRAY);
    CHECK_EQ(kri_reply_count(reply), 4);
    CHECK_EQ(kri_reply_integer(kri_reply_at(reply, 0)), 1);
    CHECK_STR(kri_reply_bytes(kri_reply_at(reply, 1), &size), "two");
    CHECK_EQ(kri_reply_count(kri_reply_at(reply, 2)), 2);
    CHECK_EQ(kri_reply_kind(kri_reply_at(kri_reply_at(reply, 2), 1)), KRI_NIL);
    CHECK_EQ(kri_reply_kind(kri_reply_at(reply, 3)), KRI_STATUS);
    kri_reply_free(reply);
    kri_redis_release(r);
}

IO_TEST(test_errors_of_the_server)
{
    redis_server server = {.password = NULL};
    char text[200];
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    kri_reply *reply;
    CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("NONSENSE")), 0, kri_redis_deadline(r), &reply),
             KR_EREPLY);
    CHECK(reply == NULL);
    CHECK(strstr(kr_redis_error_text(text, sizeof text), "unknown command") != NULL);
    CHECK_EQ(set_text(r, "text", "x"), 0);
    CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("LLEN"), kri_word("text")), 0,
                          kri_redis_deadline(r), &reply),
             -EPROTOTYPE);
    CHECK_EQ(increment(r, "text", kr_sec(5)), -EBADMSG);
    CHECK_EQ(kri_redis_count(r).made, 1); /* the line is as good as before */
    kri_redis_release(r);
}

IO_TEST(test_batch)
{
    enum { COUNT = 1000 };
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    kri_redis_batch batch;
    kri_reply *replies[COUNT + 1];
    kri_redis_batch_begin(&batch);
    for (int i = 0; i < COUNT; i++)
        kri_redis_batch_add(&batch, KRI_WORDS(kri_word("INCR"), kri_word("count")));
    kri_redis_batch_add(&batch, KRI_WORDS(kri_word("LLEN"), kri_word("count")));
    CHECK_EQ(kri_redis_batch_run(r, &batch, 0, kri_redis_deadline(r), replies), 0);
    for (int i = 0; i < COUNT; i++) {
        CHECK_EQ(kri_reply_integer(replies[i]), i + 1);
        kri_reply_free(replies[i]);
    }
    CHECK_EQ(kri_reply_error(replies[COUNT]), -EPROTOTYPE);
    kri_reply_free(replies[COUNT]);
    kri_redis_batch_end(&batch);
    kri_redis_release(r);
}

/* A script is known by its digest, and sent once more to a server that has forgotten it. */
IO_TEST(test_script_forgotten)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    static const kri_redis_script script = {"return redis.call('INCRBY', KEYS[1], ARGV[1])"};
    for (int i = 1; i <= 3; i++) {
        kri_reply *reply;
        CHECK_EQ(kri_redis_run(r, &script, 1, KRI_WORDS(kri_word("n"), kri_word("5")), 0,
                               kri_redis_deadline(r), &reply),
                 0);
        CHECK_EQ(kri_reply_integer(reply), 5 * i);
        kri_reply_free(reply);
        CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("SCRIPT"), kri_word("FLUSH")), 0,
                              kri_redis_deadline(r), &reply),
                 0);
        kri_reply_free(reply);
    }
    kri_redis_release(r);
}

/* Many at once share few lines. */
typedef struct crowd {
    kri_redis *r;
    kr_word most;
} crowd;

static void add_many(void *arg)
{
    crowd *c = arg;
    for (int i = 0; i < 50; i++)
        CHECK_GE(increment(c->r, "count", kr_sec(20)), 1);
}

IO_TEST(test_few_lines_for_many)
{
    enum { MANY = 12 };
    redis_server server = {.password = NULL};
    redis_start(&server);
    kri_redis_options options = {.lines = 3};
    crowd c = {.r = open_pool(redis_url(&server), &options)};
    io_other others[MANY];
    for (int i = 0; i < MANY; i++)
        io_start(&others[i], add_many, &c);
    for (int i = 0; i < MANY; i++)
        io_join(&others[i]);
    CHECK_EQ(increment(c.r, "count", kr_sec(5)), MANY * 50 + 1);
    CHECK_LE(kri_redis_count(c.r).made, 3);
    CHECK_EQ(kri_redis_count(c.r).busy, 0);
    kri_redis_release(c.r);
}

/* In a thread, where something else than the other end can end the wait. */
TEST(test_in_a_scope)
{
    redis_server server = {.password = NULL};
    char value[32];
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(set_text(r, "key", "value"), 0);
    CHECK_EQ(get_text(r, "key", value, sizeof value), 0);
    CHECK_STR(value, "value");
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    kri_redis_release(r);
}

static int count_in_child(kri_redis *r)
{
    for (int i = 0; i < 100; i++) {
        if (increment(r, "count", kr_sec(5)) < 1)
            return 1;
    }
    return kri_redis_count(r).made != 2; /* one of its own, beside the parent's */
}

/* A forked child has connections of its own. */
TEST(test_forked_child)
{
    redis_server server = {.password = NULL};
    int status;
    redis_start(&server);
    kri_redis *r = open_pool(redis_url(&server), NULL);
    CHECK_EQ(increment(r, "count", kr_sec(5)), 1);
    pid_t child = fork();
    CHECK_GE(child, 0);
    if (child == 0)
        _exit(count_in_child(r));
    for (int i = 0; i < 100; i++)
        CHECK_GE(increment(r, "count", kr_sec(5)), 1);
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    CHECK_EQ(increment(r, "count", kr_sec(5)), 202);
    CHECK_EQ(kri_redis_count(r).made, 1);
    kri_redis_release(r);
}
