// oneTBB's queue that waits.
//
// SPDX-License-Identifier: MIT
#include "queue.h"

#include <oneapi/tbb/concurrent_queue.h>

namespace
{

tbb::concurrent_bounded_queue<void *> *queue;

void open_queue(std::size_t capacity)
{
    queue = new tbb::concurrent_bounded_queue<void *>;
    if (capacity)
        queue->set_capacity(static_cast<std::ptrdiff_t>(capacity));
}

void put(void *item)
{
    queue->push(item);
}

void *get()
{
    void *item;
    queue->pop(item);
    return item;
}

} // namespace

extern "C" const struct bench_queue bench_tbb_queue = {open_queue, put,     get,
                                                       nullptr,    nullptr, nullptr};
