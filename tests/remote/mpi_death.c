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

static void serve_the_dead(void)
{
    char name[16];
    CHECK_EQ(kr_mpi_serve(NULL), KR_ECRASHED);
    snprintf(name, sizeof name, "saw-%d", rank_number());
    make_file(name);
}

/* Of mpirun, who may end before: its ranks have failed. */
static void wait_for(const char *name, pid_t mpirun)
{
    while (access(rank_file(name), F_OK) != 0) {
        CHECK_EQ(waitpid(mpirun, NULL, WNOHANG), 0);
        kri_test_nap();
    }
}

/* Those who serve it see that, and come back. */
TEST(rank_0_dies)
{
    if (in_a_rank() && rank_number() != 0) {
        serve_the_dead();
        return;
    }
    if (in_a_rank()) {
        kr_executor *pool = begin_ranks();
        CHECK_EQ(square_of(pool, 4), 16);
        raise(SIGKILL);
    }
    pid_t mpirun = start_ranks("rank_0_dies", 3, "--enable-recovery");
    CHECK_EQ(setenv("KRI_RANKS_FOLDER", ranks_folder, 1), 0);
    wait_for("saw-1", mpirun);
    wait_for("saw-2", mpirun);
    (void)kill(mpirun, SIGTERM); /* which may wait for more */
    (void)end_of_ranks(mpirun);
}

/* A link that points to a number, which is there at once or not at all. */
static void leave_pid(const char *name)
{
    char number[16];
    snprintf(number, sizeof number, "%d", (int)getpid());
    CHECK_EQ(symlink(number, rank_file(name)), 0);
}

static pid_t read_pid(const char *name)
{
    char number[16] = "";
    while (readlink(rank_file(name), number, sizeof number - 1) < 0)
        kri_test_nap();
    return atoi(number);
}

/* It welcomes one that stands still, who reads that when there is no process any more to watch. */
static void welcome_and_die(void)
{
    kr_remote_options hasty = {.timeout = kr_ms(50)};
    kr_executor *pool;
    CHECK_EQ(kr_mpi_serve(NULL), 0);
    pid_t other = read_pid("other");
    do { /* until its hello was sent */
        CHECK_EQ(kill(other, SIGCONT), 0);
        kri_test_nap();
        kri_test_stop(other);
    } while (kr_mpi_pool(&pool, NULL, &hasty) == -ETIMEDOUT);
    leave_pid("dying");
    raise(SIGKILL);
}

TEST(rank_0_dies_before_its_welcome_is_read)
{
    if (in_a_rank() && rank_number() == 0)
        welcome_and_die();
    if (in_a_rank()) {
        leave_pid("other");
        serve_the_dead();
        return;
    }
    pid_t mpirun = start_ranks("rank_0_dies_before_its_welcome_is_read", 2, "--enable-recovery");
    CHECK_EQ(setenv("KRI_RANKS_FOLDER", ranks_folder, 1), 0);
    pid_t dying = read_pid("dying");
    while (kill(dying, 0) == 0)
        kri_test_nap();
    CHECK_EQ(kill(read_pid("other"), SIGCONT), 0);
    wait_for("saw-1", mpirun);
    (void)kill(mpirun, SIGTERM); /* which may wait for more */
    (void)end_of_ranks(mpirun);
}
