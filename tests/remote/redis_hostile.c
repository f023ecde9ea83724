/* Pools over a Redis server that others write to.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/redis_help.h"

#include "os/os.h"

static kri_redis *redis;
static char tasks[] = "krait:{" NAME "}:tasks";

static void begin(void)
{
    begin_server();
    CHECK_EQ(kri_redis_open(&redis, redis_url(&server), NULL), 0);
}

static kri_reply *ask(const kri_redis_word *words, int count)
{
    kri_reply *reply;
    CHECK_EQ(kri_redis_do(redis, words, count, KRI_REDIS_AGAIN, kri_redis_deadline(redis), &reply),
             0);
    return reply;
}

static void add(const char *stream, const void *bytes, size_t size)
{
    kri_reply_free(ask(KRI_WORDS(kri_word("XADD"), kri_word(stream), kri_word("*"), kri_word("m"),
                                 kri_word_of(bytes, size))));
}

/* The last entry of a stream. */
static size_t copy_last(const char *stream, unsigned char *bytes, size_t room)
{
    char id[KRI_POST_ID];
    const unsigned char *found;
    size_t size = 0;
    kri_reply *reply = ask(KRI_WORDS(kri_word("XREVRANGE"), kri_word(stream), kri_word("+"),
                                     kri_word("-"), kri_word("COUNT"), kri_word("1")));
    CHECK_EQ(kri_reply_count(reply), 1);
    CHECK(kri_post_entry(kri_reply_at(reply, 0), id, &found, &size));
    CHECK(size <= room);
    memcpy(bytes, found, size);
    kri_reply_free(reply);
    return size;
}

static size_t forge(unsigned char *bytes, const char *key, uint8_t kind)
{
    kri_signer signer;
    kri_message m = {.kind = kind};
    CHECK_EQ(kri_remote_program(&m.program), 0);
    CHECK_EQ(kri_signer_begin(&signer, key, strlen(key)), 0);
    CHECK_EQ(kri_message_seal(&signer, &m, bytes), 0);
    kri_signer_end(&signer);
    return KRI_MESSAGE_HEAD;
}

static int told[4];

static void note(const kr_task_report *report)
{
    told[0] += report->error == KR_EAUTH;
    told[1] += report->error == -EALREADY;
    told[2] += report->error == KR_ETASK;
    told[3] += report->error == -EMSGSIZE;
}

/* A worker drops what is not signed, runs what is, and both only once. */
TEST(tasks_that_were_forged)
{
    static unsigned char bytes[4096], task[4096], large[5000];
    struct thread_worker worker = {.remote = {.lease = kr_sec(5), .max_message = 4096}};
    begin();
    kr_set_task_hook(note);
    kr_executor *pool = make_pool();
    kr_future *f;
    kr_remote_counts counts;
    long n = 5;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    do {
        kri_test_nap();
        kri_reply *reply = ask(KRI_WORDS(kri_word("XLEN"), kri_word(tasks)));
        n = (long)kri_reply_integer(reply);
        kri_reply_free(reply);
    } while (n == 0);
    size_t size = copy_last(tasks, task, sizeof task);
    add(tasks, "garbage", 7);
    kri_reply_free(ask(KRI_WORDS(kri_word("XADD"), kri_word(tasks), kri_word("*"), kri_word("a"),
                                 kri_word("b"), kri_word("c"), kri_word("d"))));
    memcpy(bytes, task, size);
    bytes[size - 1] ^= 1;
    add(tasks, bytes, size);
    add(tasks, bytes, forge(bytes, "the key of somebody else", KRI_MESSAGE_TASK));
    add(tasks, bytes, forge(bytes, TEST_KEY, KRI_MESSAGE_RESULT));
    add(tasks, large, sizeof large);
    start_thread_worker(&worker);
    CHECK_EQ(error_of(f), 0);
    add(tasks, task, size); /* once more */
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
    end_thread_worker(&worker);
    counts = worker.counts;
    CHECK_EQ(counts.done, 2);
    CHECK_EQ(counts.foreign, 2);
    CHECK_EQ(counts.forged, 2);
    CHECK_EQ(counts.replayed, 2);
    CHECK_EQ(counts.oversized, 1);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(told[i], 1);
    kri_redis_release(redis);
}

/* Where the results of the one pool that there is go. */
static void find_results(char *key, size_t room)
{
    size_t size;
    kri_reply *reply = ask(KRI_WORDS(kri_word("KEYS"), kri_word("krait:{" NAME "}:mark:*")));
    CHECK_EQ(kri_reply_count(reply), 1);
    const char *mark = kri_reply_bytes(kri_reply_at(reply, 0), &size);
    snprintf(key, room, "krait:{%s}:results:%.32s", NAME, strrchr(mark, ':') + 1);
    kri_reply_free(reply);
}

TEST(results_that_were_forged)
{
    static unsigned char bytes[4096], result[4096];
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    char results[KRI_POST_KEY];
    begin();
    kr_set_task_hook(note);
    kr_executor *pool = make_pool_with(NULL, &(kr_remote_options){.max_message = 4096});
    kr_remote_counts counts;
    start_thread_worker(&worker);
    CHECK_EQ(square_of(pool, 5), 25);
    find_results(results, sizeof results);
    size_t size = copy_last(results, result, sizeof result);
    add(results, result, size); /* once more */
    add(results, "garbage", 7);
    memcpy(bytes, result, size);
    bytes[12] ^= 1; /* its error */
    add(results, bytes, size);
    add(results, bytes, forge(bytes, "the key of somebody else", KRI_MESSAGE_RESULT));
    add(results, bytes, forge(bytes, TEST_KEY, KRI_MESSAGE_RESULT)); /* of another session */
    static unsigned char large[5000];
    add(results, large, sizeof large);
    CHECK_EQ(square_of(pool, 6), 36);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.done, 2);
    CHECK_EQ(counts.foreign, 1);
    CHECK_EQ(counts.forged, 2);
    CHECK_EQ(counts.replayed, 2);
    CHECK_EQ(counts.oversized, 1);
    for (int i = 0; i < 4; i++)
        CHECK_EQ(told[i], 1);
    end(pool);
    end_thread_worker(&worker);
    kri_redis_release(redis);
}

/* The task that lies on the server, as a worker takes it; *id is the entry's. */
static kri_message take_task(char id[KRI_POST_ID])
{
    const unsigned char *bytes;
    size_t size;
    kri_signer signer;
    kri_message task = {.kind = 0};
    kri_reply *reply =
        ask(KRI_WORDS(kri_word("XREADGROUP"), kri_word("GROUP"), kri_word(KRI_POST_GROUP),
                      kri_word("other"), kri_word("COUNT"), kri_word("1"), kri_word("BLOCK"),
                      kri_word("20000"), kri_word("STREAMS"), kri_word(tasks), kri_word(">")));
    CHECK_EQ(kri_reply_count(reply), 1);
    const kri_reply *entries = kri_reply_at(kri_reply_at(reply, 0), 1);
    CHECK(kri_post_entry(kri_reply_at(entries, 0), id, &bytes, &size));
    CHECK_EQ(kri_remote_program(&task.program), 0);
    CHECK_EQ(kri_signer_begin(&signer, TEST_KEY, strlen(TEST_KEY)), 0);
    CHECK_EQ(kri_message_open(&signer, task.program, bytes, size, &task), 0);
    kri_signer_end(&signer);
    kri_reply_free(reply);
    return task;
}

static void acknowledge(const char *id)
{
    kri_reply_free(
        ask(KRI_WORDS(kri_word("XACK"), kri_word(tasks), kri_word(KRI_POST_GROUP), kri_word(id))));
    kri_reply_free(ask(KRI_WORDS(kri_word("XDEL"), kri_word(tasks), kri_word(id))));
}

/* A worker of ours has run the task, and answers with more than the pool takes. */
TEST(a_result_that_is_too_long)
{
    enum { SIZE = 5000 };
    static unsigned char bytes[KRI_MESSAGE_HEAD + SIZE];
    char id[KRI_POST_ID], results[KRI_POST_KEY];
    begin();
    kr_set_task_hook(note);
    kr_executor *pool = make_pool_with(NULL, &(kr_remote_options){.max_message = SIZE - 1});
    kr_remote_counts counts;
    kr_future *f;
    kri_signer signer;
    long n = 5;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    kri_message m = take_task(id);
    m.kind = KRI_MESSAGE_RESULT;
    m.size = SIZE;
    CHECK_EQ(kri_signer_begin(&signer, TEST_KEY, strlen(TEST_KEY)), 0);
    CHECK_EQ(kri_message_seal(&signer, &m, bytes), 0);
    kri_signer_end(&signer);
    find_results(results, sizeof results);
    add(results, bytes, sizeof bytes);
    acknowledge(id);
    CHECK_EQ(kr_future_exception(f, NULL, kr_sec(20)), -EMSGSIZE);
    CHECK_EQ(error_of(f), -EMSGSIZE);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.oversized, 1);
    CHECK_EQ(counts.again, 0);
    CHECK_EQ(counts.sent, 1);
    CHECK_EQ(told[3], 1);
    end(pool);
    kri_redis_release(redis);
}

/* Who has another key is told at once, and takes nothing. */
TEST(another_key)
{
    kr_remote_options other = {.key = "the key of somebody else", .key_size = 24};
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    begin();
    kr_executor *pool = make_pool(), *second;
    kr_future *f;
    long n = 5;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    CHECK_EQ(kr_redis_serve(redis_url(&server), NAME, &other), KR_EAUTH);
    CHECK_EQ(kr_redis_pool(&second, redis_url(&server), NAME, NULL, &other), KR_EAUTH);
    CHECK(second == NULL);
    start_thread_worker(&worker);
    CHECK_EQ(error_of(f), 0);
    end(pool);
    end_thread_worker(&worker);
    CHECK_EQ(worker.counts.forged, 0);
    kri_redis_release(redis);
}

/* The server's password is an affair of its own. */
TEST(a_server_with_a_password)
{
    server.password = "secret";
    redis_start(&server);
    CHECK_EQ(setenv("KRAIT_KEY", TEST_KEY, 1), 0);
    kr_executor *pool;
    char where[400];
    snprintf(where, sizeof where, "unix:%s", server.socket);
    int err = kr_redis_pool(&pool, where, NAME, NULL, NULL);
    if (err == -ENOSYS)
        SKIP("built without hiredis");
    CHECK_EQ(err, KR_EAUTH);
    CHECK_EQ(kr_redis_pool(&pool, redis_url(&server), NAME, NULL, NULL), 0);
    end(pool);
}
