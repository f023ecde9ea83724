/* What is a server's own: what stands there for others to read, names, a server that is away.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/server_help.h"

/* What other programs see, and what they put there. */
IO_TEST(test_others_read_and_write)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_dict) *d = NULL;
    KR_AUTO(kr_list) *l = NULL;
    KR_AUTO(kr_set) *s = NULL;
    KR_AUTO(kr_managed_value) *v = NULL;
    int64_t number;
    char text[32];
    CHECK_EQ(kr_dict_open(&d, m, "dict"), 0);
    CHECK_EQ(kr_dict_set_int(d, "tea", 42), 0);
    CHECK_STR(CLIENT(m, "HGET", "dict", "tea"), "42");
    CHECK_STR(CLIENT(m, "HSET", "dict", "milk", "-7"), "1");
    CHECK_EQ(kr_dict_get_int(d, "milk", &number), 0);
    CHECK_EQ(number, -7);
    CHECK_EQ(kr_list_open(&l, m, "list"), 0);
    CHECK_STR(CLIENT(m, "RPUSH", "list", "one"), "1");
    CHECK_EQ(kr_list_append_left(l, "zero", 4), 0);
    CHECK_STR(CLIENT(m, "LINDEX", "list", "0"), "zero");
    CHECK_EQ(kr_set_open(&s, m, "set"), 0);
    CHECK_EQ(kr_set_add(s, "member", 6), 1);
    CHECK_STR(CLIENT(m, "SISMEMBER", "set", "member"), "1");
    CHECK_EQ(kr_managed_value_open(&v, m, "value", sizeof number, NULL), 0);
    CHECK_EQ(kr_managed_value_add(v, 5, NULL), 0);
    CHECK_STR(CLIENT(m, "INCRBY", "value", "10"), "15");
    CHECK_EQ(kr_managed_value_get(v, &number), 0);
    CHECK_EQ(number, 15);
    double fraction = -0.1;
    CHECK_EQ(kr_managed_value_set(v, &fraction), 0);
    fraction = 0;
    CHECK_EQ(kr_managed_value_get(v, &fraction), 0);
    CHECK(fraction == -0.1);
    KR_AUTO(kr_queue) *q = NULL;
    CHECK_EQ(kr_manager_queue(&q, m, "queue", 0, 0, NULL), 0);
    CHECK_STR(CLIENT(m, "RPUSH", "queue", "from elsewhere"), "1");
    CHECK_EQ(kr_queue_get_bytes(q, text, sizeof text, NULL, kr_sec(10)), 0);
    CHECK(memcmp(text, "from elsewhere", 14) == 0);
}

/* Whatever clients put into a value or under a name: an error, and no more. */
IO_TEST(test_what_does_not_belong_there)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    kr_list *l;
    kr_dict *d;
    KR_AUTO(kr_managed_value) *v = NULL;
    int64_t number;
    CHECK_STR(CLIENT(m, "SET", "text", "x"), "OK");
    CHECK_EQ(kr_list_open(&l, m, "text"), -EEXIST);
    CHECK_EQ(kr_dict_open(&d, m, "krait:names"), -EINVAL);
    CHECK_EQ(kr_managed_value_open(&v, m, "value", sizeof number, NULL), 0);
    CHECK_STR(CLIENT(m, "SET", "value", "words"), "OK");
    CHECK_EQ(kr_managed_value_get(v, &number), -EBADMSG);
    CHECK_EQ(kr_managed_value_add(v, 1, NULL), -EBADMSG);
    CHECK_STR(CLIENT(m, "SET", "value", "9223372036854775807"), "OK");
    CHECK_EQ(kr_managed_value_add(v, 1, NULL), -EOVERFLOW);
    CHECK_EQ(kr_list_open(&l, m, "list"), 0);
    CHECK_STR(CLIENT(m, "SET", "list", "x"), "OK");
    CHECK_EQ(kr_list_append(l, "x", 1), -EPROTOTYPE);
    kr_list_release(l);
}

static int count_kind(const char *name, kr_manager_kind kind, void *arg)
{
    unsigned *seen = arg;
    CHECK(name[0] != '\0');
    *seen |= 1u << kind;
    return 0;
}

IO_TEST(test_names)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    kr_dict *d;
    kr_managed_lock *lock;
    unsigned seen = 0;
    CHECK_EQ(kr_dict_open(&d, m, "dict"), 0);
    CHECK_EQ(kr_dict_set_int(d, "a", 1), 0);
    CHECK_EQ(kr_managed_lock_open(&lock, m, "lock"), 0);
    CHECK_EQ(kr_manager_each(m, count_kind, &seen), 0);
    CHECK_EQ(seen, 1u << KR_MANAGER_DICT | 1u << KR_MANAGER_LOCK);
    CHECK_EQ(kr_managed_lock_acquire(lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_manager_delete(m, "lock"), -EBUSY);
    CHECK_EQ(kr_managed_lock_release(lock), 0);
    CHECK_EQ(kr_manager_delete(m, "lock"), 0);
    CHECK_EQ(kr_manager_delete(m, "lock"), -ENOENT);
    CHECK_EQ(kr_manager_delete(m, "dict"), 0);
    CHECK_STR(CLIENT(m, "EXISTS", "dict"), "0");
    CHECK_STR(CLIENT(m, "HLEN", "krait:names"), "0");
    CHECK_EQ(kr_manager_descriptor(m), -1);
    kr_dict_release(d);
    kr_managed_lock_close(lock);
}

/* A handle keeps the connections, not the manager's. */
IO_TEST(test_handle_outlives_manager)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    kr_manager *m = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_dict) *d = NULL;
    int64_t number;
    CHECK_EQ(kr_dict_open(&d, m, NULL), 0);
    kr_manager_release(m);
    CHECK_EQ(kr_dict_set_int(d, "a", 1), 0);
    CHECK_EQ(kr_dict_get_int(d, "a", &number), 0);
    CHECK_EQ(number, 1);
}

IO_TEST(test_refused)
{
    redis_server server = {.password = "secret"};
    char url[300];
    kr_manager *m;
    redis_start(&server);
    kr_manager_release(open_manager(redis_url(&server), NULL));
    snprintf(url, sizeof url, "unix:%s", server.socket);
    CHECK_EQ(kr_manager_open(&m, url, NULL), KR_EAUTH);
    snprintf(url, sizeof url, "redis://:wrong@127.0.0.1:%d", server.port);
    CHECK_EQ(kr_manager_open(&m, url, NULL), KR_EAUTH);
    CHECK_EQ(kr_manager_open(&m, "redis://localhost:x", NULL), -EINVAL);
    kr_manager_options options = {.timeout = kr_ms(200)};
    CHECK_EQ(kr_manager_open(&m, "unix:/nowhere/at/all", &options), -ENOENT);
    KR_AUTO(kr_manager) *gone = open_manager(redis_url(&server), &options);
    redis_kill(&server);
    CHECK_EQ(kr_manager_open(&m, redis_url_tcp(&server), &options), -ECONNREFUSED);
    CHECK_EQ(unlink(server.socket), 0);
    CHECK_EQ(kr_manager_delete(gone, "d"), -ENOENT); /* what connecting says, and not -EBUSY */
}

/* Its user was started first. */
IO_TEST(test_not_there_yet)
{
    redis_server server = {.password = NULL};
    redis_starter starter;
    kr_manager_options options = {.timeout = kr_sec(100)};
    redis_start(&server);
    kr_manager_release(open_manager(redis_url(&server), NULL)); /* or skipped */
    redis_kill(&server);
    redis_starter_begin(&starter, &server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url_tcp(&server), &options);
    CHECK_EQ(kr_manager_delete(m, "none"), -ENOENT);
    redis_starter_end(&starter);
}

/* Slow, away, back: what is written to one that does not answer may be there, and is there once. */
IO_TEST(test_slow_and_away)
{
    redis_server server = {.keeps = true};
    redis_start(&server);
    kr_manager_options options = {.timeout = kr_sec(3)};
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), &options);
    KR_AUTO(kr_manager) *patient = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_dict) *d = NULL;
    KR_AUTO(kr_dict) *same = NULL;
    int64_t number = 0;
    CHECK_EQ(kr_dict_open(&d, m, "d"), 0);
    CHECK_EQ(kr_dict_open(&same, patient, "d"), 0);
    CHECK_EQ(kr_dict_add(d, "n", 1, 1, NULL), 0);
    redis_freeze(&server);
    CHECK_EQ(kr_dict_get_int(d, "n", &number), -ETIMEDOUT);
    CHECK_EQ(kr_dict_add(d, "n", 1, 1, NULL), KR_EUNSURE);
    redis_thaw(&server);
    while (number != 2) {
        CHECK_EQ(kr_dict_get_int(same, "n", &number), 0);
        CHECK(number == 1 || number == 2);
    }
    redis_kill(&server);
    CHECK_EQ(kr_dict_add(d, "n", 1, 1, NULL), -ECONNREFUSED);
    redis_start_again(&server);
    CHECK_EQ(kr_dict_get_int(same, "n", &number), 0);
    CHECK_EQ(number, 2);
}

/* A queue on a server is none of several things to wait for. */
TEST(test_queue_no_choice)
{
    redis_server server = {.password = NULL};
    int64_t item = 1;
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_queue) *q = NULL;
    CHECK_EQ(kr_manager_queue(&q, m, "q", sizeof item, 0, NULL), 0);
    kr_choice get = kr_choose_get(q, &item);
    kr_choice put = kr_choose_put(q, &item);
    CHECK_EQ(kr_wait_any(&get, 1, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_wait_any(&put, 1, KR_NOWAIT), -EINVAL);
    CHECK_EQ(kr_queue_set_maxsize(q, 3), -EINVAL);
}

typedef struct taker {
    kr_queue *q;
    int64_t got;
    bool done;
} taker;

static void take_one(void *arg)
{
    taker *t = arg;
    CHECK_EQ(kr_queue_get(t->q, &t->got, kr_sec(30)), 0);
    t->done = true;
}

/* Who waits for the server suspends nobody else. */
static int wait_beside_others(void *arg)
{
    io_other other;
    taker t = {.q = arg};
    io_start(&other, take_one, &t);
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(kr_sleep(kr_ms(1)), 0);
        CHECK(!t.done);
    }
    int64_t item = 77;
    CHECK_EQ(kr_queue_put(t.q, &item, kr_sec(5)), 0);
    io_join(&other);
    CHECK_EQ(t.got, 77);
    return 0;
}

TEST(test_waits_suspend_a_coroutine_only)
{
    redis_server server = {.password = NULL};
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_queue) *q = NULL;
    CHECK_EQ(kr_manager_queue(&q, m, "q", sizeof(int64_t), 0, NULL), 0);
    CHECK_EQ(kr_run(wait_beside_others, q), 0);
}

static void *wait_for_shutdown(void *arg)
{
    int64_t item;
    CHECK_EQ(kr_queue_get(arg, &item, KR_FOREVER), KR_ESHUTDOWN);
    return NULL;
}

/* A shutdown ends the gets that wait in the server. */
TEST(test_shutdown_wakes_getters)
{
    enum { COUNT = 3 };
    redis_server server = {.password = NULL};
    pthread_t threads[COUNT];
    redis_start(&server);
    KR_AUTO(kr_manager) *m = open_manager(redis_url(&server), NULL);
    KR_AUTO(kr_queue) *q = NULL;
    CHECK_EQ(kr_manager_queue(&q, m, "q", sizeof(int64_t), 0, NULL), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(pthread_create(&threads[i], NULL, wait_for_shutdown, q), 0);
    kri_test_linger();
    CHECK_EQ(kr_queue_shutdown(q, false), 0);
    for (int i = 0; i < COUNT; i++)
        CHECK_EQ(pthread_join(threads[i], NULL), 0);
    int64_t item = 0;
    CHECK_EQ(kr_queue_put(q, &item, KR_NOWAIT), KR_ESHUTDOWN);
}
