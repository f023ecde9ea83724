/* krait-bench-ranks ROW AMOUNT WORKERS - the rows remote.mpi.*, in the ranks of mpirun: prints NS
 * 0.
 *
 * KR_PEER=krait is a kr_mpi_pool; KR_PEER=bare is MPI_Send and MPI_Recv.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AHEAD = 4, MOST = 1 << 15, COMPUTING = 700 * 1000 };

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "krait-bench-ranks: %s is wrong\n", what);
    exit(1);
}

struct job {
    uint64_t number;
    uint64_t steps;
};

static int work(const void *arg, void *result)
{
    const struct job *job = arg;
    uint64_t x = job->number | 1;
    for (uint64_t i = 0; i < job->steps; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    *(uint64_t *)result = x == 0 ? 0 : job->number + 1;
    return 0;
}
KR_TASK(work);

/* krait */

static kr_executor *pool;

static void round_trips(uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct job job = {i, 0};
        uint64_t answer = 0;
        kr_future *f;
        must(kr_submit(pool, &f, work, &job, sizeof job, sizeof answer) == 0, "a submit");
        must(kr_future_result(f, &answer, sizeof answer, NULL, KR_FOREVER) == 0, "a result");
        must(answer == i + 1, "an answer");
        kr_future_release(f);
    }
}

static void all_at_once(uint64_t count, uint64_t steps)
{
    static kr_future *futures[MOST];
    for (uint64_t i = 0; i < count; i++) {
        struct job job = {i, steps};
        must(kr_submit(pool, &futures[i], work, &job, sizeof job, sizeof(uint64_t)) == 0,
             "a submit");
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t answer = 0;
        must(kr_future_result(futures[i], &answer, sizeof answer, NULL, KR_FOREVER) == 0,
             "a result");
        must(answer == i + 1, "an answer");
        kr_future_release(futures[i]);
    }
}

/* By hand */

static void serve_bare(void)
{
    for (;;) {
        struct job job;
        uint64_t answer;
        MPI_Status status;
        MPI_Recv(&job, sizeof job, MPI_BYTE, 0, MPI_ANY_TAG, MPI_COMM_WORLD, &status);
        if (status.MPI_TAG == 1)
            return;
        (void)work(&job, &answer);
        MPI_Send(&answer, sizeof answer, MPI_BYTE, 0, 0, MPI_COMM_WORLD);
    }
}

static void hand_out(uint64_t count, uint64_t steps, int workers, int ahead)
{
    uint64_t sent = 0, sum = 0;
    for (int i = 0; i < workers * ahead && sent < count; i++) {
        struct job job = {sent++, steps};
        MPI_Send(&job, sizeof job, MPI_BYTE, 1 + i % workers, 0, MPI_COMM_WORLD);
    }
    for (uint64_t i = 0; i < count; i++) {
        uint64_t answer;
        MPI_Status status;
        MPI_Recv(&answer, sizeof answer, MPI_BYTE, MPI_ANY_SOURCE, 0, MPI_COMM_WORLD, &status);
        sum += answer;
        if (sent == count)
            continue;
        struct job job = {sent++, steps};
        MPI_Send(&job, sizeof job, MPI_BYTE, status.MPI_SOURCE, 0, MPI_COMM_WORLD);
    }
    must(sum == count * (count + 1) / 2, "the sum of the answers");
}

static void run(bool bare, const char *row, uint64_t count, int workers)
{
    bool computes = strstr(row, ".work") != NULL, trips = strstr(row, ".rtt") != NULL;
    uint64_t steps = computes ? COMPUTING : 0;
    if (bare)
        hand_out(count, steps, workers, trips || computes ? 1 : AHEAD);
    else if (trips)
        round_trips(count);
    else
        all_at_once(count, steps);
}

static void measure(bool bare, const char *row, uint64_t count, int workers)
{
    run(bare, row, count / 10 + 1, workers);
    kr_time begun = kr_now();
    run(bare, row, count, workers);
    printf("%f 0\n", (double)(kr_now() - begun) / (double)count);
}

static int be_bare(int argc, char **argv)
{
    int rank;
    MPI_Init(&argc, &argv);
    MPI_Comm_rank(MPI_COMM_WORLD, &rank);
    int workers = atoi(argv[3]);
    if (rank != 0) {
        serve_bare();
    } else {
        struct job none = {0, 0};
        measure(true, argv[1], strtoul(argv[2], NULL, 10), workers);
        for (int i = 1; i <= workers; i++)
            MPI_Send(&none, sizeof none, MPI_BYTE, i, 1, MPI_COMM_WORLD);
    }
    MPI_Finalize();
    return 0;
}

int main(int argc, char **argv)
{
    kr_init(argc, argv);
    const char *peer = getenv("KR_PEER");
    must(argc == 4 && strtoul(argv[2], NULL, 10) <= MOST, "the arguments");
    if (peer && strcmp(peer, "bare") == 0)
        return be_bare(argc, argv);
    must(setenv("KRAIT_KEY", "no secret is needed", 0) == 0, "the environment");
    int err = kr_mpi_serve(NULL);
    if (err == KR_SERVED)
        return 0;
    must(err == 0 && kr_mpi_pool(&pool, NULL, NULL) == 0, "the pool");
    measure(false, argv[1], strtoul(argv[2], NULL, 10), atoi(argv[3]));
    kr_executor_release(pool);
    return 0;
}
