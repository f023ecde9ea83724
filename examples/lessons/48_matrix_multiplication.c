/* Two matrices are multiplied by all processors, in one address space.
 *
 * Row 18 of docs/lessons.md.  An article names this example and leaves it to processes, to which
 * Python has to copy the matrices, or parts of them.  In C threads share them: each takes some
 * rows.
 *
 * Watch the results: the same to the last bit, since each element is computed as before, by
 * whomever.  The speed-up is at most the number of processors, and less where others use them.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { N = 200 };

typedef double matrix[N][N];

static matrix a, b, alone, shared;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* The rows from `first` to before `end`.  No two calls get the same row, so nobody needs a lock. */
static int multiply_rows(size_t first, size_t end, void *arg)
{
    double(*product)[N] = arg;
    for (size_t i = first; i < end; i++) {
        for (size_t k = 0; k < N; k++) {
            for (size_t j = 0; j < N; j++)
                product[i][j] += a[i][k] * b[k][j];
        }
    }
    return 0;
}

int main(void)
{
    KR_AUTO(kr_executor) *pool = NULL;

    for (size_t i = 0; i < N; i++) {
        for (size_t j = 0; j < N; j++) {
            a[i][j] = (double)(i + j) / N;
            b[i][j] = (double)(i * j % 7) - 3;
        }
    }
    kr_time begin = kr_now();
    int err = multiply_rows(0, N, alone);
    if (err)
        return fail("alone", err);
    double one = (double)(kr_now() - begin);

    err = kr_thread_pool(&pool, NULL); /* as many workers as processors */
    if (err)
        return fail("pool", err);
    begin = kr_now();
    err = kr_parallel_for(pool, 0, N, multiply_rows, shared, &(kr_parallel_options){.grain = 8});
    if (err)
        return fail("parallel for", err);
    double many = (double)(kr_now() - begin);

    printf("One processor: %.1f ms\n", one / 1e6);
    printf("%d processors: %.1f ms\n", kr_executor_workers(pool), many / 1e6);
    printf("Speedup: %.2fx\n", one / many);
    printf("The products are %s\n",
           memcmp(alone, shared, sizeof alone) == 0 ? "the same to the last bit" : "DIFFERENT");
    return EXIT_SUCCESS;
}
