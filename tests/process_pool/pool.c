/* Process pools: submit, results, crashes.
 *
 * Behaviours: sections 11.2, 11.4, 11.8, 12.1 (MiscTestCase.test_large_pool)
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_pool/help.h"

TEST(test_submit)
{
    kr_executor *pool = pool_of(2);
    CHECK_EQ(square_of(pool, 7), 49);
    CHECK(pid_of_worker(pool) != getpid());
    end(pool);
}

TEST(many_tasks)
{
    enum { COUNT = 5000 };
    kr_executor *pool = pool_of(2);
    static kr_future *futures[COUNT];
    for (long i = 0; i < COUNT; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], square, &i, sizeof i, sizeof i), 0);
    for (long i = 0; i < COUNT; i++) {
        long result = -1;
        CHECK_EQ(kr_future_result(futures[i], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, i * i);
        kr_future_release(futures[i]);
    }
    end(pool);
}

TEST(test_killed_child)
{
    kr_executor *pool = pool_of(1);
    kr_future *f = submit(pool, be_killed);
    int error = 0;
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    CHECK_EQ(error, KR_ECRASHED);
    kr_crash report;
    CHECK_EQ(kr_future_crash(f, &report), 0);
    CHECK_EQ(report.exit_code, -SIGKILL);
    CHECK(report.task == be_killed);
    CHECK_EQ(report.attempts, 1);
    CHECK_EQ(report.reason, KR_CRASH_DIED);
    kr_future_release(f);
    CHECK_EQ(square_of(pool, 3), 9);
    end(pool);
}

/* behaviour: 12.1 MiscTestCase.test_large_pool */
TEST(test_large_pool)
{
    const int workers = KRI_SLOWED ? 40 : 200;
    kr_executor *pool = pool_of(workers);
    CHECK_EQ(kr_executor_workers(pool), workers);
    for (long i = 0; i < workers; i++)
        CHECK_EQ(square_of(pool, i), i * i);
    end(pool);
}

static int use_a_pool(void *arg)
{
    (void)arg;
    kr_executor *pool;
    long seven = 7, result = 0;
    kr_process_pool_options forks = {.start = KR_FORK};
    if (kr_process_pool_with(&pool, &(kr_pool_options){.workers = 2}, &forks) != 0)
        return 2;
    kr_future *f;
    if (kr_submit(pool, &f, square, &seven, sizeof seven, sizeof result) != 0 ||
        kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER) != 0)
        return 3;
    kr_future_release(f);
    kr_executor_release(pool);
    return result == 49 ? 0 : 4;
}

/* behaviour: 12.1 TestStdinBadfiledescriptor.test_pool_in_process */
TEST(test_pool_in_process)
{
    close(STDIN_FILENO);
    kr_process *p;
    int code = -1;
    CHECK_EQ(kr_process_start(&p, use_a_pool, NULL, 0, &(kr_process_options){.start = KR_FORK}), 0);
    CHECK_EQ(kr_process_join(p, &code, KR_FOREVER), 0);
    CHECK_EQ(code, 0);
    kr_process_release(p);
}
