/* One function over eight numbers, by this process and by a pool of processes.
 *
 * Rows 10, 11 and 36 of docs/lessons.md.  In Python:
 *
 *     with multiprocessing.Pool() as pool:
 *         answers = pool.map(compute, range(1, 9))
 *
 * Watch the answers: they are the same, and in the same order, whoever was first.  The speed-up is
 * at most the number of processors, and less where others use them too.  What travels are bytes,
 * copied once into memory that both have: nothing is pickled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { COUNT = 8, ROUNDS = 2000000 };

struct answer {
    uint64_t sum;
    int pid; /* of who has computed it */
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int compute(const void *arg, void *result)
{
    uint64_t n = *(const uint64_t *)arg, sum = 0;
    for (uint64_t i = 1; i <= ROUNDS; i++)
        sum += (n * i) ^ (sum >> 3);
    *(struct answer *)result = (struct answer){sum, (int)getpid()};
    return 0;
}
KR_TASK(compute);

static int count_pids(const struct answer *answers)
{
    int different = 0;
    for (int i = 0; i < COUNT; i++) {
        int before = 0;
        while (before < i && answers[before].pid != answers[i].pid)
            before++;
        different += before == i;
    }
    return different;
}

int main(int argc, char **argv)
{
    static const uint64_t numbers[COUNT] = {1, 2, 3, 4, 5, 6, 7, 8};
    struct answer alone[COUNT], pooled[COUNT];
    KR_AUTO(kr_executor) *pool = NULL;

    kr_init(argc, argv);
    kr_time begin = kr_now();
    for (int i = 0; i < COUNT; i++)
        (void)compute(&numbers[i], &alone[i]);
    double one = (double)(kr_now() - begin);

    int err = kr_process_pool(&pool, NULL); /* as many workers as processors */
    if (err)
        return fail("pool", err);
    begin = kr_now();
    err = kr_map(pool, compute, numbers, sizeof numbers[0], COUNT, pooled, sizeof pooled[0],
                 &(kr_map_options){.chunk = 1});
    if (err)
        return fail("map", err);
    double many = (double)(kr_now() - begin);

    for (int i = 0; i < COUNT; i++)
        printf("%d: %s, by %s process\n", (int)numbers[i],
               alone[i].sum == pooled[i].sum ? "the same answer" : "ANOTHER ANSWER",
               alone[i].pid == pooled[i].pid ? "THIS" : "another");
    printf("%d workers, of which %d had something to do\n", kr_executor_workers(pool),
           count_pids(pooled));
    printf("Sequential: %.3f s\n", one / 1e9);
    printf("Parallel: %.3f s\n", many / 1e9);
    printf("Speedup: %.2fx\n", one / many);
    return EXIT_SUCCESS;
}
