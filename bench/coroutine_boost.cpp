// Boost.Context, as a class and bare: switches without a scheduler.
//
// SPDX-License-Identifier: MIT
#include "coroutine.h"

#include <boost/context/detail/fcontext.hpp>
#include <boost/context/fiber.hpp>
#include <boost/context/fixedsize_stack.hpp>
#include <boost/context/pooled_fixedsize_stack.hpp>
#include <vector>

namespace
{

namespace context = boost::context;
using namespace boost::context::detail;

unsigned long visits;

// The class

double fiber_change(unsigned long count)
{
    visits = 0;
    context::fiber other{std::allocator_arg, context::fixedsize_stack(BENCH_STACK),
                         [](context::fiber &&caller) {
                             for (;;) {
                                 visits++;
                                 caller = std::move(caller).resume();
                             }
                             return std::move(caller);
                         }};
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i += 2)
        other = std::move(other).resume();
    double taken = bench_clock() - begun;
    bench_check(visits == (count + 1) / 2, "the switches of Boost.Context");
    return taken;
}

double fiber_create(unsigned long count)
{
    static context::pooled_fixedsize_stack stacks(BENCH_STACK);
    visits = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i++) {
        context::fiber other{std::allocator_arg, stacks, [](context::fiber &&caller) {
                                 visits++;
                                 return std::move(caller);
                             }};
        other = std::move(other).resume();
    }
    double taken = bench_clock() - begun;
    bench_check(visits == count, "the coroutines of Boost.Context");
    return taken;
}

double fiber_memory(unsigned long count)
{
    visits = 0;
    double before = bench_resident();
    std::vector<context::fiber> alive(count);
    for (auto &fiber : alive) {
        fiber = context::fiber{std::allocator_arg, context::fixedsize_stack(BENCH_STACK),
                               [](context::fiber &&caller) {
                                   visits++;
                                   return std::move(caller).resume();
                               }};
        fiber = std::move(fiber).resume();
    }
    double taken = bench_resident() - before;
    bench_check(visits == count, "the coroutines of Boost.Context");
    return taken;
}

// Bare

void bounce(transfer_t from)
{
    for (;;) {
        visits++;
        from = jump_fcontext(from.fctx, nullptr);
    }
}

void visit_once(transfer_t from)
{
    visits++;
    jump_fcontext(from.fctx, nullptr);
}

char *top_of_stack()
{
    static char *stack = new char[BENCH_STACK];
    return stack + BENCH_STACK;
}

double bare_change(unsigned long count)
{
    visits = 0;
    transfer_t other = {make_fcontext(top_of_stack(), BENCH_STACK, bounce), nullptr};
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i += 2)
        other = jump_fcontext(other.fctx, nullptr);
    double taken = bench_clock() - begun;
    bench_check(visits == (count + 1) / 2, "the switches of fcontext");
    return taken;
}

// Its stack is always the same one, so this is with less than what others do.
double bare_create(unsigned long count)
{
    visits = 0;
    double begun = bench_clock();
    for (unsigned long i = 0; i < count; i++)
        jump_fcontext(make_fcontext(top_of_stack(), BENCH_STACK, visit_once), nullptr);
    double taken = bench_clock() - begun;
    bench_check(visits == count, "the coroutines of fcontext");
    return taken;
}

} // namespace

extern "C" {
const bench_coroutines bench_boost_context = {fiber_change, nullptr, fiber_create,
                                              nullptr,      nullptr, fiber_memory};
const bench_coroutines bench_boost_fcontext = {bare_change, nullptr, bare_create,
                                               nullptr,     nullptr, nullptr};
}
