/* Pools of ranks: one of them dies.
 *
 * By default mpirun ends the whole job then.  With --enable-recovery it lets the others live.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/ranks.h"

static int die(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    raise(SIGKILL);
    return 0;
}
KR_TASK(die);

/* Its task fails, what others had does not, and the pool goes on without it. */
RANKS_TEST(a_dead_rank_fails_its_task, 4, "--enable-recovery")
{
    kr_executor *pool = begin_ranks();
    kr_future *first = submit_gate(pool, "gate"), *dead;
    kr_remote_counts counts;
    wait_running(first);
    CHECK_EQ(kr_submit(pool, &dead, die, NULL, 0, 0), 0);
    CHECK_EQ(error_of(dead), KR_ECRASHED);
    for (long n = 0; n < 20; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    make_file("gate");
    CHECK_EQ(error_of(first), 0);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.lost, 1);
    CHECK_EQ(counts.workers, 2);
    end(pool);
}

RANKS_TEST(the_last_rank_dies, 2, "--enable-recovery")
{
    kr_executor *pool = begin_ranks();
    kr_future *dead, *behind;
    long n = 1;
    CHECK_EQ(kr_submit(pool, &dead, die, NULL, 0, 0), 0);
    wait_running(dead);
    CHECK_EQ(kr_submit(pool, &behind, square, &n, sizeof n, sizeof n), 0);
    CHECK_EQ(error_of(dead), KR_ECRASHED);
    CHECK_EQ(error_of(behind), KR_EBROKEN);
    CHECK_EQ(kr_submit(pool, NULL, square, &n, sizeof n, sizeof n), KR_EBROKEN);
    end(pool);
}

/* As mpirun has it by default: nobody is left. */
TEST(a_dead_rank_ends_the_job)
{
    if (!in_a_rank()) {
        CHECK_NE(end_of_ranks(start_ranks("a_dead_rank_ends_the_job", 3, NULL)), 0);
        return;
    }
    kr_executor *pool = begin_ranks();
    kr_future *dead, *first = submit_gate(pool, "never");
    CHECK_EQ(kr_submit(pool, &dead, die, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(first, NULL, KR_FOREVER), 0);
    _exit(0); /* which nobody comes to */
}
