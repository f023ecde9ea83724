// Boost.Fiber with its usual scheduler, round robin in one thread.
//
// SPDX-License-Identifier: MIT
#include "coroutine.h"

#include <boost/fiber/all.hpp>
#include <vector>

namespace
{

namespace fibers = boost::fibers;

unsigned long visits;

double yield(unsigned long count)
{
    auto some = [count] {
        for (unsigned long i = 0; i < count / 2; i++) {
            visits++;
            boost::this_fiber::yield();
        }
    };
    visits = 0;
    fibers::fiber first(some), second(some);
    double begun = bench_clock();
    first.join();
    second.join();
    double taken = bench_clock() - begun;
    bench_check(visits == count / 2 * 2, "the yields of Boost.Fiber");
    return taken;
}

double spawn(unsigned long count)
{
    static fibers::pooled_fixedsize_stack stacks(BENCH_STACK);
    std::vector<fibers::future<unsigned long>> futures(BENCH_BATCH);
    unsigned long sum = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i += BENCH_BATCH) {
        for (auto &future : futures)
            future = fibers::async(
                fibers::launch::post, std::allocator_arg, stacks,
                [](unsigned long number) { return number + 1; }, i);
        for (auto &future : futures)
            sum += future.get() - i;
    }
    double taken = bench_clock() - begun;
    bench_check(sum >= count && sum < count + BENCH_BATCH, "the results of Boost.Fiber");
    return taken;
}

// A channel has room for one item less than it is made with.
double trips(unsigned long count)
{
    fibers::buffered_channel<unsigned long> there(2), back(2);
    fibers::fiber other([&] {
        unsigned long number;
        while (there.pop(number) == fibers::channel_op_status::success)
            back.push(number + 1);
    });
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i++) {
        unsigned long number;
        there.push(i);
        back.pop(number);
        bench_check(number == i + 1, "a number in a channel of Boost.Fiber");
    }
    double taken = bench_clock() - begun;
    there.close();
    other.join();
    return taken;
}

double memory(unsigned long count)
{
    visits = 0;
    double before = bench_resident();
    std::vector<fibers::fiber> alive(count);
    fibers::mutex mutex;
    fibers::condition_variable never;
    for (auto &fiber : alive)
        fiber = fibers::fiber(std::allocator_arg, fibers::fixedsize_stack(BENCH_STACK), [&] {
            std::unique_lock<fibers::mutex> lock(mutex);
            visits++;
            never.wait(lock);
        });
    while (visits < count)
        boost::this_fiber::yield();
    double taken = bench_resident() - before;
    {
        std::unique_lock<fibers::mutex> lock(mutex);
        never.notify_all();
    }
    for (auto &fiber : alive)
        fiber.join();
    return taken;
}

} // namespace

extern "C" const bench_coroutines bench_boost_fiber = {nullptr, yield, nullptr,
                                                       spawn,   trips, memory};
