// Boost.Interprocess' message queue.
//
// SPDX-License-Identifier: MIT
#include "queue.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <string>
#include <unistd.h>

namespace
{

namespace between = boost::interprocess;

between::message_queue *queue;

// The name is gone at once: the processes inherit the mapping.
void open_queue(std::size_t size, std::size_t depth)
{
    std::string name = "krait-bench-" + std::to_string(getpid());
    queue = new between::message_queue(between::create_only, name.c_str(), depth, size);
    between::message_queue::remove(name.c_str());
}

void put(const void *message, std::size_t size)
{
    queue->send(message, size, 0);
}

void get(void *message, std::size_t size)
{
    std::size_t got;
    unsigned priority;
    queue->receive(message, size, got, priority);
}

} // namespace

extern "C" const struct bench_stream bench_boost_stream = {open_queue, nullptr, nullptr, put, get};
