/* Pools over a Redis server: tasks, workers, results.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/redis_help.h"

TEST(workers_run_tasks)
{
    begin_server();
    kr_process *worker = start_worker();
    kr_executor *pool = make_pool();
    kr_remote_counts counts;
    kr_future *f;
    int pid = 0;
    for (long n = 0; n < 100; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    CHECK_EQ(kr_submit(pool, &f, tell_pid, NULL, 0, sizeof pid), 0);
    CHECK_EQ(kr_future_result(f, &pid, sizeof pid, NULL, KR_FOREVER), 0);
    CHECK_EQ(pid, kr_process_pid(worker));
    kr_future_release(f);
    CHECK_EQ(kr_submit(pool, &f, fail_io, NULL, 0, 100), 0);
    CHECK_EQ(error_of(f), -EIO);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.done, 102);
    CHECK_EQ(counts.forged + counts.replayed + counts.foreign + counts.oversized, 0);
    end(pool);
    end_worker(worker);
}

TEST(many_tasks_and_workers)
{
    enum { COUNT = 2000 };
    static kr_future *futures[COUNT];
    begin_server();
    kr_process *workers[3];
    for (int i = 0; i < 3; i++)
        workers[i] = start_worker();
    kr_executor *pool = make_pool();
    for (long n = 0; n < COUNT; n++)
        CHECK_EQ(kr_submit(pool, &futures[n], square, &n, sizeof n, sizeof n), 0);
    for (long n = 0; n < COUNT; n++) {
        long result = 0;
        CHECK_EQ(kr_future_result(futures[n], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, n * n);
        kr_future_release(futures[n]);
    }
    end(pool);
    for (int i = 0; i < 3; i++)
        end_worker(workers[i]);
}

/* Neither has to be there first. */
TEST(workers_come_and_go)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    begin_server();
    kr_executor *pool = make_pool();
    for (int turn = 0; turn < 3; turn++) {
        kr_future *f;
        long n = turn, result = -1;
        CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
        CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, kr_ms(20)), -ETIMEDOUT);
        worker.scope = (kr_cancel_scope){0};
        start_thread_worker(&worker);
        CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, n * n);
        kr_future_release(f);
        end_thread_worker(&worker);
        CHECK_EQ(worker.counts.done, 1);
    }
    end(pool);
}

/* Several pools of a name share its workers, and each gets its own results. */
TEST(pools_share_workers)
{
    begin_server();
    kr_process *worker = start_worker();
    kr_executor *pools[3];
    for (int i = 0; i < 3; i++)
        pools[i] = make_pool();
    for (long n = 0; n < 60; n++)
        CHECK_EQ(square_of(pools[n % 3], n), n * n);
    for (int i = 0; i < 3; i++)
        end(pools[i]);
    end_worker(worker);
}

TEST(sizes)
{
    static const size_t sizes[] = {0, 1, 4096, 100000, 5000000};
    begin_server();
    kr_process *worker = start_worker();
    kr_executor *pool = make_pool();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_blob_back(pool, sizes[i]);
        check_blob_there(pool, sizes[i]);
    }
    end(pool);
    end_worker(worker);
}

TEST(test_map)
{
    enum { ITEMS = 1000 };
    static long args[ITEMS], results[ITEMS];
    static int errors[ITEMS];
    begin_server();
    kr_process *worker = start_worker();
    kr_executor *pool = make_pool();
    for (long i = 0; i < ITEMS; i++)
        args[i] = i;
    CHECK_EQ(kr_map(pool, square, args, sizeof *args, ITEMS, results, sizeof *results, NULL), 0);
    for (long i = 0; i < ITEMS; i++)
        CHECK_EQ(results[i], i * i);
    CHECK_EQ(kr_map(pool, fail_odd, args, sizeof *args, ITEMS, results, sizeof *results,
                    &(kr_map_options){.errors = errors, .chunk = 10}),
             -1);
    for (long i = 0; i < ITEMS; i++)
        CHECK_EQ(errors[i], i % 2 ? -i : 0);
    end(pool);
    end_worker(worker);
}

/* What has not gone to the server can be cancelled. */
TEST(test_cancel)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    begin_server();
    kr_executor *pool = make_pool_with(&(kr_pool_options){.workers = 1}, NULL);
    kr_future *futures[3];
    for (long n = 0; n < 3; n++)
        CHECK_EQ(kr_submit(pool, &futures[n], square, &n, sizeof n, sizeof n), 0);
    while (!kr_future_running(futures[0]) || !kr_future_running(futures[1]))
        kri_test_nap();
    CHECK(!kr_future_running(futures[2]));
    CHECK_EQ(kr_future_cancel(futures[0]), -EALREADY);
    CHECK_EQ(kr_future_cancel(futures[2]), 0);
    start_thread_worker(&worker);
    CHECK_EQ(error_of(futures[0]), 0);
    CHECK_EQ(error_of(futures[1]), 0);
    CHECK_EQ(error_of(futures[2]), -ECANCELED);
    CHECK_EQ(kr_executor_workers(pool), 1);
    end(pool);
    end_thread_worker(&worker);
    CHECK_EQ(worker.counts.done, 2);
}

TEST(a_worker_with_nothing_to_do)
{
    begin_server();
    kr_remote_options remote = {.idle = kr_ms(50)};
    kr_time begun = kr_now();
    CHECK_EQ(kr_redis_serve(redis_url(&server), NAME, &remote), KR_SERVED);
    CHECK_TIME(kr_now() - begun, kr_ms(50));
}

/* A worker may be a coroutine; what it runs holds its loop up. */
static int serve_in_coroutine(void *arg)
{
    kr_remote_options remote = {.idle = kr_ms(50)};
    (void)arg;
    CHECK_EQ(kr_redis_serve(redis_url(&server), NAME, &remote), KR_SERVED);
    return 0;
}

TEST(a_worker_that_is_a_coroutine)
{
    begin_server();
    kr_executor *pool = make_pool();
    kr_future *f;
    long n = 6, result = 0;
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    CHECK_EQ(kr_run(serve_in_coroutine, NULL), 0);
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER), 0);
    CHECK_EQ(result, 36);
    kr_future_release(f);
    end(pool);
}

/* Nothing of a pool stays on the server. */
TEST(a_pool_cleans_up)
{
    begin_server();
    kr_process *worker = start_worker();
    kr_executor *pool = make_pool();
    kri_redis *r;
    kri_reply *reply;
    for (long n = 0; n < 20; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    end(pool);
    CHECK_EQ(kri_redis_open(&r, redis_url(&server), NULL), 0);
    CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("KEYS"), kri_word("krait:{" NAME "}:*:*")),
                          KRI_REDIS_AGAIN, kri_redis_deadline(r), &reply),
             0);
    CHECK_EQ(kri_reply_count(reply), 0);
    kri_reply_free(reply);
    CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("XLEN"), kri_word("krait:{" NAME "}:tasks")),
                          KRI_REDIS_AGAIN, kri_redis_deadline(r), &reply),
             0);
    CHECK_EQ(kri_reply_integer(reply), 0);
    kri_reply_free(reply);
    kri_redis_release(r);
    end_worker(worker);
}

/* Too long for the worker: whoever waits for it is told. */
TEST(a_worker_that_takes_less)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(5), .max_message = 1000}};
    begin_server();
    kr_executor *pool = make_pool();
    struct blob blob = {.size = 2000};
    unsigned char bytes[2000] = "";
    kr_future *f;
    start_thread_worker(&worker);
    CHECK_EQ(kr_submit(pool, &f, check_blob, bytes, sizeof bytes, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, kr_sec(60)), -EMSGSIZE);
    CHECK_EQ(error_of(f), -EMSGSIZE);
    CHECK_EQ(kr_submit(pool, &f, make_blob, &blob, sizeof blob, blob.size), 0);
    CHECK_EQ(error_of(f), -EMSGSIZE);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
    end_thread_worker(&worker);
    CHECK_EQ(worker.counts.oversized, 1);
}

TEST(options)
{
    kr_executor *pool = (kr_executor *)&pool;
    kr_remote_options keyed = {.key = TEST_KEY, .key_size = 32};
    static const char where[] = "unix:/nowhere/at/all";
    keyed.timeout = kr_ms(100);
    if (kr_redis_pool(&pool, where, NAME, NULL, &keyed) == -ENOSYS)
        SKIP("built without hiredis or OpenSSL");
    pool = (kr_executor *)&pool;
    CHECK_EQ(kr_redis_pool(NULL, where, NAME, NULL, &keyed), -EINVAL);
    CHECK_EQ(kr_redis_pool(&pool, NULL, NAME, NULL, &keyed), -EINVAL);
    CHECK(pool == NULL);
    CHECK_EQ(kr_redis_pool(&pool, where, NULL, NULL, &keyed), -EINVAL);
    CHECK_EQ(kr_redis_pool(&pool, where, "", NULL, &keyed), -EINVAL);
    CHECK_EQ(kr_redis_pool(&pool, where, "two words", NULL, &keyed), -EINVAL);
    CHECK_EQ(kr_redis_pool(&pool, where, NAME, &(kr_pool_options){.workers = -1}, &keyed), -EINVAL);
    CHECK_EQ(kr_redis_serve(where, "{}", &keyed), -EINVAL);
    CHECK_EQ(kr_redis_serve(where, NAME, &(kr_remote_options){.reserved = {1}}), -EINVAL);
    CHECK_EQ(kr_redis_serve(where, NAME, &(kr_remote_options){.lease = 1}), -EINVAL);
    keyed.max_message = (uint64_t)1 << 29;
    CHECK_EQ(kr_redis_pool(&pool, where, NAME, NULL, &keyed), -EINVAL);
    keyed.max_message = 0;
    int err = kr_redis_pool(&pool, where, NAME, NULL, &keyed);
    CHECK(err == -ENOENT || err == -ENOSYS);
    CHECK_EQ(unsetenv("KRAIT_KEY"), 0);
    CHECK_EQ(kr_redis_pool(&pool, where, NAME, NULL, NULL), -ENOKEY);
    CHECK_EQ(kr_redis_serve(where, NAME, NULL), -ENOKEY);
    keyed.key_size = KR_KEY_LEAST - 1;
    CHECK_EQ(kr_redis_pool(&pool, where, NAME, NULL, &keyed), -EKEYREJECTED);
    CHECK_EQ(kr_redis_serve(where, NAME, &keyed), -EKEYREJECTED);
    CHECK(pool == NULL);
}
