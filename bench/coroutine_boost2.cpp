// Boost.Coroutine2: a sequence of numbers.
//
// SPDX-License-Identifier: MIT
#include "coroutine.h"

#pragma GCC diagnostic ignored "-Wmaybe-uninitialized" // its own control block
#include <boost/coroutine2/all.hpp>

namespace
{

using source = boost::coroutines2::coroutine<unsigned long>::pull_type;
using sink = boost::coroutines2::coroutine<unsigned long>::push_type;

double change(unsigned long count)
{
    source numbers(boost::coroutines2::fixedsize_stack(BENCH_STACK), [](sink &yield) {
        for (unsigned long i = 1;; i++)
            yield(i);
    });
    double begun = bench_clock();
    for (unsigned long i = 2; i < count; i += 2)
        numbers();
    double taken = bench_clock() - begun;
    bench_check(numbers.get() == (count + 1) / 2, "the switches of Boost.Coroutine2");
    return taken;
}

} // namespace

extern "C" const bench_coroutines bench_boost_coroutine2 = {change,  nullptr, nullptr,
                                                            nullptr, nullptr, nullptr};
