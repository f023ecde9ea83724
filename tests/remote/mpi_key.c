/* Pools of ranks: who has not got the key.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/ranks.h"

static int told;

static void note_refusal(const kr_task_report *report)
{
    CHECK_EQ(report->error, KR_EAUTH);
    CHECK_STR(report->where, "message");
    told++;
}

/* It is left out, is told, and the others work. */
RANKS_TEST(a_rank_with_another_key, 4, NULL)
{
    kr_remote_options other = {.key = "another key of 24 letters", .key_size = 24};
    kr_remote_counts counts;
    kr_executor *pool;
    kr_set_task_hook(note_refusal);
    if (rank_number() == 2) {
        CHECK_EQ(kr_mpi_serve(&other), KR_EAUTH);
        return;
    }
    pool = begin_ranks();
    for (long n = 0; n < 20; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.workers, 2);
    CHECK_EQ(counts.forged, 1);
    CHECK_EQ(told, 1);
    end(pool);
}

RANKS_TEST(no_rank_with_the_key, 3, NULL)
{
    kr_remote_options other = {
        .key = "another key of 24 letters", .key_size = 24, .timeout = KR_FOREVER};
    kr_executor *pool;
    kr_set_task_hook(note_refusal);
    if (rank_number() != 0) {
        CHECK_EQ(kr_mpi_serve(&other), KR_EAUTH);
        return;
    }
    CHECK_EQ(kr_mpi_serve(NULL), 0);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), KR_EAUTH);
    CHECK(pool == NULL);
}

RANKS_TEST(no_key, 2, NULL)
{
    kr_executor *pool;
    CHECK_EQ(unsetenv("KRAIT_KEY"), 0);
    CHECK_EQ(kr_mpi_serve(NULL), rank_number() ? -ENOKEY : 0);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), -ENOKEY);
    CHECK(pool == NULL);
}

RANKS_TEST(a_short_key, 2, NULL)
{
    kr_executor *pool;
    kr_remote_options shorter = {.key = TEST_KEY, .key_size = KR_KEY_LEAST - 1};
    CHECK_EQ(kr_mpi_serve(&shorter), rank_number() ? -EKEYREJECTED : 0);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, &shorter), -EKEYREJECTED);
}

/* Too long for a rank, which says so before it is asked. */
RANKS_TEST(a_rank_that_takes_less, 2, NULL)
{
    kr_remote_options small = {.max_message = 1000};
    struct blob blob = {.size = 1001};
    kr_executor *pool;
    kr_future *f;
    int err = kr_mpi_serve(&small);
    if (err == KR_SERVED)
        return;
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_mpi_pool(&pool, NULL, NULL), 0);
    CHECK_EQ(kr_submit(pool, &f, make_blob, &blob, sizeof blob, blob.size), 0);
    CHECK_EQ(error_of(f), -EMSGSIZE);
    check_blob_back(pool, 1000);
    end(pool);
}
