/* The same pool by many hands: krait, the libraries that people use for it, and a plain one.
 *
 * Each hand is a table of functions over one pool of its own; what it cannot do is NULL.  Every
 * table does the same work, and what comes back is checked.  C++ reads this too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_POOL_H
#define KRI_BENCH_POOL_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct bench_pool {
    /* Start the pool.  Where the caller takes part it counts as one of the workers, unless the
     * table's comment says otherwise. */
    void (*open)(int workers);

    /* bench_task(0 .. count - 1, rounds), a task each, from outside; the sum of their results,
     * which are all delivered. */
    uint64_t (*submit)(unsigned long count, unsigned rounds);

    /* fib(n), run in a task: with a task for each call, with one for one of the two calls, and with
     * a task for each call whose result comes through a future. */
    uint64_t (*fib_both)(unsigned n);
    uint64_t (*fib_one)(unsigned n);
    uint64_t (*fib_future)(unsigned n);

    /* body(arg) in a task; where it is set, round trips are made there and not from outside. */
    void (*inside)(void (*body)(void *arg), void *arg);

    /* bench_task(arg, 0) in a task, waited for. */
    uint64_t (*round_trip)(uint64_t arg);

    /* to[i] = bench_item(from[i]); and by bench_item_call(&from[i], &to[i]) for each item */
    void (*loop)(const double *from, double *to, size_t count);
    void (*loop_call)(const double *from, double *to, size_t count);

    /* The path of a program of its own, which does all of it: PROGRAM ROW AMOUNT WORKERS. */
    const char *program;
    const char *interpreter; /* NULL: none */
};

/* The work of a task. */
static inline uint64_t bench_task(uint64_t arg, unsigned rounds)
{
    uint64_t x = arg + 1;
    for (unsigned i = 0; i < rounds; i++)
        x = x * 6364136223846793005u + 1442695040888963407u;
    return x;
}

/* The work of an item of a loop: bound by the divider, so that it is not one with memory alone. */
static inline double bench_item(double x)
{
    return (x * 1.25 + 0.5) / (x + 3.0);
}

/* The same as a function that the compiler does not know, as a program would hand it to a map. */
typedef int bench_item_fn(const void *from, void *to);
extern bench_item_fn *volatile bench_item_call;

/* A task as those libraries want it that have no place for argument and result. */
struct bench_call {
    uint64_t arg, result;
    unsigned rounds;
};

/* An array of `count` places of `size` bytes, the same at every call, so that only the first pays
 * for its pages. */
void *bench_places(unsigned long count, size_t size);

extern const struct bench_pool bench_krait_pool, bench_krait_handed, bench_krait_inside,
    bench_krait_map, bench_naive_pool, bench_sequential;
#ifdef KRI_HAVE_GLIB
extern const struct bench_pool bench_glib_pool;
#endif
#ifdef KRI_HAVE_TBB
extern const struct bench_pool bench_tbb_pool;
#endif
#ifdef KRI_HAVE_OPENMP
extern const struct bench_pool bench_openmp_pool;
#endif
#ifdef KRI_HAVE_UV
extern const struct bench_pool bench_uv_pool;
#endif
#ifdef KRI_HAVE_DISPATCH
extern const struct bench_pool bench_dispatch_pool;
#endif
#ifdef KRI_HAVE_TASKFLOW
extern const struct bench_pool bench_taskflow_pool, bench_taskflow_silent;
#endif
#ifdef KRI_GO_PROGRAM
extern const struct bench_pool bench_go_pool;
#endif
#ifdef KRI_PYTHON
extern const struct bench_pool bench_cpython_pool;
#endif

#ifdef __cplusplus
}
#endif

#endif
