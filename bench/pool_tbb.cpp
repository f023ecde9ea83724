/* oneTBB: task_group and parallel_for, in an arena of its own.  The caller is one of the workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool.h"

#include <memory>
#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>

namespace
{

namespace tbb = oneapi::tbb;

std::unique_ptr<tbb::global_control> most;
std::unique_ptr<tbb::task_arena> arena;

void open_tbb(int workers)
{
    /* More than there are processors only come when that is said first. */
    most = std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                 static_cast<std::size_t>(workers));
    arena = std::make_unique<tbb::task_arena>(workers);
}

std::uint64_t submit_tbb(unsigned long count, unsigned rounds)
{
    auto *results = static_cast<std::uint64_t *>(bench_places(count, sizeof(std::uint64_t)));
    arena->execute([=] {
        tbb::task_group group;
        for (unsigned long i = 0; i < count; i++)
            group.run([=] { results[i] = bench_task(i, rounds); });
        group.wait();
    });
    std::uint64_t sum = 0;
    for (unsigned long i = 0; i < count; i++)
        sum += results[i];
    return sum;
}

std::uint64_t fib_both(unsigned n)
{
    if (n < 2)
        return n;
    std::uint64_t left, right;
    tbb::task_group group;
    group.run([n, &left] { left = fib_both(n - 1); });
    group.run([n, &right] { right = fib_both(n - 2); });
    group.wait();
    return left + right;
}

std::uint64_t fib_one(unsigned n)
{
    if (n < 2)
        return n;
    std::uint64_t left;
    tbb::task_group group;
    group.run([n, &left] { left = fib_one(n - 1); });
    std::uint64_t right = fib_one(n - 2);
    group.wait();
    return left + right;
}

std::uint64_t fib_both_tbb(unsigned n)
{
    return arena->execute([n] { return fib_both(n); });
}

std::uint64_t fib_one_tbb(unsigned n)
{
    return arena->execute([n] { return fib_one(n); });
}

void inside_tbb(void (*body)(void *arg), void *arg)
{
    arena->execute([=] { body(arg); });
}

std::uint64_t round_trip_tbb(std::uint64_t arg)
{
    std::uint64_t result;
    tbb::task_group group;
    group.run([arg, &result] { result = bench_task(arg, 0); });
    group.wait();
    return result;
}

void loop_tbb(const double *from, double *to, std::size_t count)
{
    arena->execute([=] {
        tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count),
                          [=](const tbb::blocked_range<std::size_t> &range) {
                              for (std::size_t i = range.begin(); i < range.end(); i++)
                                  to[i] = bench_item(from[i]);
                          });
    });
}

void loop_call_tbb(const double *from, double *to, std::size_t count)
{
    bench_item_fn *call = bench_item_call;
    arena->execute([=] {
        tbb::parallel_for(tbb::blocked_range<std::size_t>(0, count),
                          [=](const tbb::blocked_range<std::size_t> &range) {
                              for (std::size_t i = range.begin(); i < range.end(); i++)
                                  (void)call(&from[i], &to[i]);
                          });
    });
}

} // namespace

extern "C" const struct bench_pool bench_tbb_pool = {
    .open = open_tbb,
    .submit = submit_tbb,
    .fib_both = fib_both_tbb,
    .fib_one = fib_one_tbb,
    .inside = inside_tbb,
    .round_trip = round_trip_tbb,
    .loop = loop_tbb,
    .loop_call = loop_call_tbb,
};
