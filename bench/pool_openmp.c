/* OpenMP of the compiler.  Tasks exist inside a parallel region only, whose single thread the
 * caller is: so all of it is from inside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "pool.h"

#include <omp.h>

static void open_openmp(int workers)
{
    omp_set_dynamic(0);
    omp_set_num_threads(workers);
}

static uint64_t submit_openmp(unsigned long count, unsigned rounds)
{
    uint64_t *results = bench_places(count, sizeof *results), sum = 0;
#pragma omp parallel
#pragma omp single
    {
        for (unsigned long i = 0; i < count; i++) {
#pragma omp task firstprivate(i)
            results[i] = bench_task(i, rounds);
        }
#pragma omp taskwait
    }
    for (unsigned long i = 0; i < count; i++)
        sum += results[i];
    return sum;
}

static uint64_t fib_both(unsigned n)
{
    uint64_t left, right;
    if (n < 2)
        return n;
#pragma omp task shared(left) firstprivate(n)
    left = fib_both(n - 1);
#pragma omp task shared(right) firstprivate(n)
    right = fib_both(n - 2);
#pragma omp taskwait
    return left + right;
}

static uint64_t fib_one(unsigned n)
{
    uint64_t left;
    if (n < 2)
        return n;
#pragma omp task shared(left) firstprivate(n)
    left = fib_one(n - 1);
    uint64_t right = fib_one(n - 2);
#pragma omp taskwait
    return left + right;
}

static uint64_t fib_both_openmp(unsigned n)
{
    uint64_t result = 0;
#pragma omp parallel
#pragma omp single
    result = fib_both(n);
    return result;
}

static uint64_t fib_one_openmp(unsigned n)
{
    uint64_t result = 0;
#pragma omp parallel
#pragma omp single
    result = fib_one(n);
    return result;
}

static void inside_openmp(void (*body)(void *arg), void *arg)
{
#pragma omp parallel
#pragma omp single
    body(arg);
}

static uint64_t round_trip_openmp(uint64_t arg)
{
    uint64_t result;
#pragma omp task shared(result) firstprivate(arg)
    result = bench_task(arg, 0);
#pragma omp taskwait
    return result;
}

static void loop_openmp(const double *from, double *to, size_t count)
{
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        to[i] = bench_item(from[i]);
}

static void loop_call_openmp(const double *from, double *to, size_t count)
{
    bench_item_fn *call = bench_item_call;
#pragma omp parallel for
    for (size_t i = 0; i < count; i++)
        (void)call(&from[i], &to[i]);
}

const struct bench_pool bench_openmp_pool = {
    .open = open_openmp,
    .submit = submit_openmp,
    .fib_both = fib_both_openmp,
    .fib_one = fib_one_openmp,
    .inside = inside_openmp,
    .round_trip = round_trip_openmp,
    .loop = loop_openmp,
    .loop_call = loop_call_openmp,
};
