/* Pools of the ranks of an MPI job.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/ranks.h"

RANKS_TEST(ranks_run_tasks, 4, NULL)
{
    kr_executor *pool = begin_ranks();
    kr_remote_counts counts;
    CHECK_EQ(kr_executor_workers(pool), 3);
    for (long n = 0; n < 200; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.done, 200);
    CHECK_EQ(counts.workers, 3);
    CHECK_EQ(counts.lost + counts.forged + counts.replayed + counts.foreign + counts.oversized, 0);
    end(pool);
}

RANKS_TEST(many_tasks_at_once, 4, NULL)
{
    enum { COUNT = 5000 };
    static kr_future *futures[COUNT];
    kr_executor *pool = begin_ranks();
    for (long n = 0; n < COUNT; n++)
        CHECK_EQ(kr_submit(pool, &futures[n], square, &n, sizeof n, sizeof n), 0);
    for (long n = 0; n < COUNT; n++) {
        long result = 0;
        CHECK_EQ(kr_future_result(futures[n], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, n * n);
        kr_future_release(futures[n]);
    }
    end(pool);
}

/* What is to be done is spread over all of them. */
RANKS_TEST(every_rank_works, 4, NULL)
{
    kr_executor *pool = begin_ranks();
    kr_future *futures[3];
    int pids[3];
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], tell_pid, NULL, 0, sizeof(int)), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_future_result(futures[i], &pids[i], sizeof(int), NULL, KR_FOREVER), 0);
        CHECK(pids[i] != getpid());
        kr_future_release(futures[i]);
    }
    CHECK(pids[0] != pids[1] && pids[1] != pids[2] && pids[0] != pids[2]);
    end(pool);
}

RANKS_TEST(sizes, 3, NULL)
{
    enum { PART = 1 << 20, HEAD = 128 };
    static const size_t sizes[] = {0,           1,    4096,     65536,    PART - HEAD - 1,
                                   PART - HEAD, PART, PART + 1, 10000000, 4 * PART - HEAD};
    kr_executor *pool = begin_ranks();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_blob_back(pool, sizes[i]);
        check_blob_there(pool, sizes[i]);
    }
    end(pool);
}

/* Long messages of several ranks, both ways at a time. */
RANKS_TEST(long_messages_cross, 4, NULL)
{
    enum { COUNT = 12, SIZE = 3000000 };
    kr_executor *pool = begin_ranks();
    kr_future *futures[COUNT];
    struct blob blob = {.size = SIZE};
    unsigned char *bytes = malloc(SIZE);
    CHECK(bytes != NULL);
    for (uint64_t i = 0; i < COUNT; i++) {
        blob.seed = i;
        CHECK_EQ(kr_submit(pool, &futures[i], make_blob, &blob, sizeof blob, SIZE), 0);
    }
    check_blob_there(pool, SIZE);
    for (uint64_t i = 0; i < COUNT; i++) {
        CHECK_EQ(kr_future_result(futures[i], bytes, SIZE, NULL, KR_FOREVER), 0);
        for (size_t at = 0; at < SIZE; at += 999)
            CHECK_EQ(bytes[at], byte_at(i, at));
        kr_future_release(futures[i]);
    }
    free(bytes);
    end(pool);
}

RANKS_TEST(test_map, 4, NULL)
{
    enum { ITEMS = 3000 };
    static long args[ITEMS], results[ITEMS];
    static int errors[ITEMS];
    kr_executor *pool = begin_ranks();
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
}

RANKS_TEST(test_cancel, 3, NULL)
{
    kr_executor *pool = begin_ranks();
    kr_future *first = submit_gate(pool, "gate"), *second = submit_gate(pool, "gate");
    wait_running(first);
    wait_running(second);
    kr_future *third = submit_gate(pool, "never");
    CHECK(!kr_future_running(third));
    CHECK_EQ(kr_future_cancel(first), -EALREADY);
    CHECK_EQ(kr_future_cancel(third), 0);
    make_file("gate");
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), 0);
    CHECK_EQ(error_of(third), -ECANCELED);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
}

RANKS_TEST(test_cancel_futures, 3, NULL)
{
    kr_executor *pool = begin_ranks();
    kr_future *first = submit_gate(pool, "gate"), *second = submit_gate(pool, "gate");
    wait_running(first);
    wait_running(second);
    kr_future *third = submit_gate(pool, "never");
    kr_shutdown_options drop = {.cancel_pending = true};
    CHECK_EQ(kr_executor_shutdown(pool, &drop, KR_NOWAIT), -ETIMEDOUT);
    make_file("gate");
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(error_of(second), 0);
    CHECK_EQ(error_of(third), -ECANCELED);
    kr_executor_release(pool);
}

/* A worker serves the next pool, too, when it is asked to. */
RANKS_TEST(one_pool_after_the_other, 3, NULL)
{
    for (int turn = 0; turn < 3; turn++) {
        kr_executor *pool;
        kr_remote_counts counts = {0};
        int err = kr_mpi_serve(&(kr_remote_options){.counts = &counts});
        if (err == KR_SERVED) {
            CHECK_EQ(counts.forged + counts.replayed + counts.foreign + counts.oversized, 0);
            continue;
        }
        CHECK_EQ(err, 0);
        CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), 0);
        for (long n = 0; n < 20; n++)
            CHECK_EQ(square_of(pool, n), n * n);
        end(pool);
    }
}

RANKS_TEST(one_pool_at_a_time, 2, NULL)
{
    kr_executor *pool = begin_ranks(), *second;
    CHECK_EQ(kr_mpi_pool(&second, NULL, NULL), -EBUSY);
    CHECK(second == NULL);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
}

/* Exit finishes what was submitted, and then MPI. */
RANKS_TEST(test_interpreter_shutdown, 3, NULL)
{
    kr_executor *pool = begin_ranks();
    for (long n = 0; n < 100; n++)
        CHECK_EQ(kr_submit(pool, NULL, square, &n, sizeof n, sizeof n), 0);
}

RANKS_TEST(rank_0_is_the_only_one_that_submits, 2, NULL)
{
    kr_executor *pool;
    if (rank_number() == 1)
        CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), -EINVAL);
    pool = begin_ranks();
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
}

RANKS_TEST(a_rank_alone, 1, NULL)
{
    kr_executor *pool;
    CHECK_EQ(kr_mpi_serve(NULL), 0);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), -ECHILD);
}

RANKS_TEST(ranks_that_do_not_serve, 3, NULL)
{
    kr_executor *pool;
    kr_remote_options soon = {.timeout = kr_ms(200)};
    if (rank_number() == 0) {
        CHECK_EQ(kr_mpi_serve(NULL), 0);
        CHECK_EQ(kr_mpi_pool(&pool, NULL, &soon), -ETIMEDOUT);
        make_file("over");
        return;
    }
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), -EINVAL); /* MPI itself needs all of them to begin */
    while (access(rank_file("over"), F_OK) != 0)
        kri_test_nap();
    CHECK_EQ(kr_mpi_serve(&soon), -ETIMEDOUT);
}

TEST(options)
{
    kr_executor *pool = (kr_executor *)&pool;
    CHECK_EQ(kr_mpi_pool(NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, &(kr_remote_options){.reserved = {1}}), -EINVAL);
    CHECK(pool == NULL);
    CHECK_EQ(kr_mpi_pool(&pool, &(kr_pool_options){.workers = -1}, NULL), -EINVAL);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, &(kr_remote_options){.lease = -1}), -EINVAL);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, &(kr_remote_options){.timeout = -1}), -EINVAL);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, &(kr_remote_options){.key_size = 16}), -EINVAL);
    CHECK_EQ(kr_mpi_serve(&(kr_remote_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    if (kr_mpi_missing()) {
        CHECK_EQ(kr_mpi_pool(&pool, NULL, &(kr_remote_options){.key = TEST_KEY, .key_size = 32}),
                 -ENOSYS);
        CHECK_EQ(kr_mpi_serve(NULL), -ENOSYS);
        CHECK(strstr(kr_mpi_missing(), "openmpi") != NULL);
    }
}
