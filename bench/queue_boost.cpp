// Boost.Thread's queues.
//
// SPDX-License-Identifier: MIT
#define BOOST_THREAD_VERSION 4
#include "queue.h"

#include <boost/thread/concurrent_queues/sync_bounded_queue.hpp>
#include <boost/thread/concurrent_queues/sync_queue.hpp>

namespace
{

boost::sync_bounded_queue<void *> *bounded; // one of the two
boost::sync_queue<void *> *unbounded;

void open_queue(std::size_t capacity)
{
    if (capacity)
        bounded = new boost::sync_bounded_queue<void *>(capacity);
    else
        unbounded = new boost::sync_queue<void *>;
}

void put(void *item)
{
    if (bounded)
        bounded->push_back(item);
    else
        unbounded->push(item);
}

void *get()
{
    void *item;
    if (bounded)
        bounded->pull_front(item);
    else
        unbounded->pull(item);
    return item;
}

} // namespace

extern "C" const struct bench_queue bench_boost_queue = {open_queue, put,     get,
                                                         nullptr,    nullptr, nullptr};
