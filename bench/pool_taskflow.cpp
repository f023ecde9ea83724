/* Taskflow: its executor's asynchronous tasks and task groups.  The caller is not one of the
 * workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pool.h"

#include <atomic>
#include <chrono>
#include <future>
#include <memory>
#include <taskflow/algorithm/for_each.hpp>
#include <taskflow/taskflow.hpp>

namespace
{

std::unique_ptr<tf::Executor> executor;

void open_taskflow(int workers)
{
    executor = std::make_unique<tf::Executor>(static_cast<std::size_t>(workers));
}

std::uint64_t submit_taskflow(unsigned long count, unsigned rounds)
{
    using future = std::future<std::uint64_t>;
    auto *futures = static_cast<future *>(bench_places(count, sizeof(future)));
    for (unsigned long i = 0; i < count; i++)
        new (&futures[i]) future(executor->async([=] { return bench_task(i, rounds); }));
    std::uint64_t sum = 0;
    for (unsigned long i = 0; i < count; i++) {
        sum += futures[i].get();
        futures[i].~future();
    }
    return sum;
}

std::uint64_t submit_silent(unsigned long count, unsigned rounds)
{
    auto *results = static_cast<std::uint64_t *>(bench_places(count, sizeof(std::uint64_t)));
    for (unsigned long i = 0; i < count; i++)
        executor->silent_async([=] { results[i] = bench_task(i, rounds); });
    executor->wait_for_all();
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
    tf::TaskGroup group = executor->task_group();
    group.silent_async([n, &left] { left = fib_both(n - 1); });
    group.silent_async([n, &right] { right = fib_both(n - 2); });
    group.corun();
    return left + right;
}

std::uint64_t fib_one(unsigned n)
{
    if (n < 2)
        return n;
    std::uint64_t left;
    tf::TaskGroup group = executor->task_group();
    group.silent_async([n, &left] { left = fib_one(n - 1); });
    std::uint64_t right = fib_one(n - 2);
    group.corun();
    return left + right;
}

bool is_done(std::future<std::uint64_t> &future)
{
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

std::uint64_t fib_future(unsigned n)
{
    if (n < 2)
        return n;
    auto left = executor->async([n] { return fib_future(n - 1); });
    auto right = executor->async([n] { return fib_future(n - 2); });
    executor->corun_until([&] { return is_done(right); });
    executor->corun_until([&] { return is_done(left); });
    return left.get() + right.get();
}

std::uint64_t fib_both_taskflow(unsigned n)
{
    return executor->async([n] { return fib_both(n); }).get();
}

std::uint64_t fib_one_taskflow(unsigned n)
{
    return executor->async([n] { return fib_one(n); }).get();
}

std::uint64_t fib_future_taskflow(unsigned n)
{
    return executor->async([n] { return fib_future(n); }).get();
}

std::uint64_t round_trip_taskflow(std::uint64_t arg)
{
    return executor->async([arg] { return bench_task(arg, 0); }).get();
}

/* As people write it: a graph of one node. */
void loop_taskflow(const double *from, double *to, std::size_t count)
{
    tf::Taskflow graph;
    graph.for_each_index(std::size_t(0), count, std::size_t(1),
                         [=](std::size_t i) { to[i] = bench_item(from[i]); });
    executor->run(graph).wait();
}

} // namespace

extern "C" const struct bench_pool bench_taskflow_pool = {
    .open = open_taskflow,
    .submit = submit_taskflow,
    .fib_both = fib_both_taskflow,
    .fib_one = fib_one_taskflow,
    .fib_future = fib_future_taskflow,
    .round_trip = round_trip_taskflow,
    .loop = loop_taskflow,
};

extern "C" const struct bench_pool bench_taskflow_silent = {
    .open = open_taskflow,
    .submit = submit_silent,
};
