// Lanes of Boost.Interprocess: two message queues each.
//
// SPDX-License-Identifier: MIT
#include "duplex.h"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <cstring>
#include <string>
#include <unistd.h>
#include <vector>

namespace
{

namespace between = boost::interprocess;

between::message_queue *queues[BENCH_LANES][2]; // by the side that writes to it

// The names are gone at once: the processes inherit the mappings.
void open_queues(int lanes, std::size_t size)
{
    for (int i = 0; i < 2 * lanes; i++) {
        std::string name = "krait-bench-" + std::to_string(getpid()) + "-" + std::to_string(i);
        queues[i / 2][i % 2] =
            new between::message_queue(between::create_only, name.c_str(), 10, size);
        between::message_queue::remove(name.c_str());
    }
}

void send(int lane, enum bench_side side, const void *message, std::size_t size)
{
    queues[lane][side]->send(message, size, 0);
}

// It wants room for the longest.
void receive(int lane, enum bench_side side, void *message, std::size_t size)
{
    static std::vector<unsigned char> room;
    between::message_queue *queue = queues[lane][side == BENCH_CALLER ? BENCH_WORKER : BENCH_CALLER];
    std::size_t got, longest = queue->get_max_msg_size();
    unsigned priority;
    if (size >= longest) {
        queue->receive(message, size, got, priority);
        return;
    }
    room.resize(longest);
    queue->receive(room.data(), longest, got, priority);
    std::memcpy(message, room.data(), size);
}

} // namespace

extern "C" const struct bench_duplex bench_boost_duplex = {open_queues, nullptr, send, receive};
