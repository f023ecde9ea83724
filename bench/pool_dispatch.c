/* libdispatch: its global queue, which has as many workers as the machine has processors, whatever
 * was asked for.  The caller is not one of them, except in loops.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "pool.h"

#ifndef __has_feature /* its headers take clang for granted */
#define __has_feature(feature)     0
#define __has_extension(extension) 0
#endif
#include <dispatch/dispatch.h>
#include <stdlib.h>

static dispatch_queue_t queue;
static dispatch_semaphore_t back;

static void open_dispatch(int workers)
{
    (void)workers;
    queue = dispatch_get_global_queue(DISPATCH_QUEUE_PRIORITY_DEFAULT, 0);
    back = dispatch_semaphore_create(0);
}

static void run(void *arg)
{
    struct bench_call *call = arg;
    call->result = bench_task(call->arg, call->rounds);
}

static uint64_t submit_dispatch(unsigned long count, unsigned rounds)
{
    struct bench_call **calls = bench_places(count, sizeof(struct bench_call *));
    dispatch_group_t group = dispatch_group_create();
    uint64_t sum = 0;
    for (unsigned long i = 0; i < count; i++) {
        calls[i] = malloc(sizeof *calls[i]);
        if (!calls[i])
            bench_fail("malloc");
        *calls[i] = (struct bench_call){.arg = i, .rounds = rounds};
        dispatch_group_async_f(group, queue, calls[i], run);
    }
    dispatch_group_wait(group, DISPATCH_TIME_FOREVER);
    dispatch_release(group);
    for (unsigned long i = 0; i < count; i++) {
        sum += calls[i]->result;
        free(calls[i]);
    }
    return sum;
}

static void run_and_signal(void *arg)
{
    run(arg);
    dispatch_semaphore_signal(back);
}

static uint64_t round_trip_dispatch(uint64_t arg)
{
    struct bench_call call = {.arg = arg};
    dispatch_async_f(queue, &call, run_and_signal);
    dispatch_semaphore_wait(back, DISPATCH_TIME_FOREVER);
    return call.result;
}

/* It hands out indices one by one, so one is a piece of the range. */
enum { PIECE = 4096 };

struct range {
    const double *from;
    double *to;
    size_t count;
};

static void run_piece(void *arg, size_t piece)
{
    const struct range *range = arg;
    size_t first = piece * PIECE;
    size_t end = first + PIECE < range->count ? first + PIECE : range->count;
    for (size_t i = first; i < end; i++)
        range->to[i] = bench_item(range->from[i]);
}

static void loop_dispatch(const double *from, double *to, size_t count)
{
    struct range range = {.from = from, .to = to, .count = count};
    dispatch_apply_f((count + PIECE - 1) / PIECE, queue, &range, run_piece);
}

static void call_piece(void *context, size_t piece)
{
    const struct range *range = context;
    bench_item_fn *call = bench_item_call;
    size_t first = piece * PIECE;
    size_t end = first + PIECE < range->count ? first + PIECE : range->count;
    for (size_t i = first; i < end; i++)
        (void)call(&range->from[i], &range->to[i]);
}

static void loop_call_dispatch(const double *from, double *to, size_t count)
{
    struct range range = {.from = from, .to = to, .count = count};
    dispatch_apply_f((count + PIECE - 1) / PIECE, queue, &range, call_piece);
}

const struct bench_pool bench_dispatch_pool = {
    .open = open_dispatch,
    .submit = submit_dispatch,
    .round_trip = round_trip_dispatch,
    .loop = loop_dispatch,
    .loop_call = loop_call_dispatch,
};
