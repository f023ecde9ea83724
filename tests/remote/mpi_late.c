/* Pools of ranks: who gives up before there is one, or comes again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/ranks.h"

static void wait_for(const char *name)
{
    while (access(rank_file(name), F_OK) != 0)
        kri_test_nap();
}

/* It lives, and is given no tasks. */
RANKS_TEST(a_rank_that_gave_up, 3, NULL)
{
    kr_remote_options hasty = {.timeout = kr_ms(50)};
    kr_remote_counts counts;
    kr_executor *pool;
    if (rank_number() == 2) {
        CHECK_EQ(kr_mpi_serve(&hasty), -ETIMEDOUT);
        make_file("gave-up");
        return;
    }
    int err = kr_mpi_serve(NULL);
    if (err == KR_SERVED)
        return;
    CHECK_EQ(err, 0);
    wait_for("gave-up");
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), 0);
    for (long n = 0; n < 20; n++) {
        kr_future *f;
        long result = -1;
        CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
        CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, kr_sec(60)), 0);
        CHECK_EQ(result, n * n);
        kr_future_release(f);
    }
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.workers, 1);
    CHECK_EQ(counts.replayed, 0);
    end(pool);
}

/* Where there was no other there is no pool; and there is one when it comes back. */
RANKS_TEST(a_rank_that_comes_back, 2, NULL)
{
    kr_remote_options hasty = {.timeout = kr_ms(50)};
    kr_executor *pool;
    if (rank_number() == 1) {
        CHECK_EQ(kr_mpi_serve(&hasty), -ETIMEDOUT);
        make_file("gave-up");
        wait_for("no-pool");
        CHECK_EQ(kr_mpi_serve(NULL), KR_SERVED);
        return;
    }
    CHECK_EQ(kr_mpi_serve(NULL), 0);
    wait_for("gave-up");
    kr_time began = kr_now();
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), -ETIMEDOUT);
    CHECK_LE(kr_now() - began, kr_sec(20)); /* not after 30 */
    make_file("no-pool");
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), 0);
    for (long n = 0; n < 20; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    end(pool);
}
