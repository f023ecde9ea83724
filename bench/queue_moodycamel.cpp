// moodycamel's queue with consumers that wait.  It has no limit of its own: where one is wanted, a
// semaphore of its kind counts the room.
//
// SPDX-License-Identifier: MIT
#include "queue.h"

#include <concurrentqueue/blockingconcurrentqueue.h>
#include <concurrentqueue/lightweightsemaphore.h>

namespace
{

moodycamel::BlockingConcurrentQueue<void *> *queue;
moodycamel::LightweightSemaphore *rooms; // null: no limit

void open_queue(std::size_t capacity)
{
    using count = moodycamel::LightweightSemaphore::ssize_t;
    queue = new moodycamel::BlockingConcurrentQueue<void *>;
    if (capacity)
        rooms = new moodycamel::LightweightSemaphore(static_cast<count>(capacity));
}

void take_rooms(std::size_t wanted)
{
    using count = moodycamel::LightweightSemaphore::ssize_t;
    while (rooms && wanted > 0)
        wanted -= static_cast<std::size_t>(rooms->waitMany(static_cast<count>(wanted)));
}

void give_rooms(std::size_t got)
{
    if (rooms)
        rooms->signal(static_cast<moodycamel::LightweightSemaphore::ssize_t>(got));
}

void put(void *item)
{
    take_rooms(1);
    queue->enqueue(item);
}

void *get()
{
    void *item;
    queue->wait_dequeue(item);
    give_rooms(1);
    return item;
}

void put_many(void **items, std::size_t count)
{
    take_rooms(count);
    queue->enqueue_bulk(items, count);
}

std::size_t get_many(void **items, std::size_t most)
{
    std::size_t got = queue->wait_dequeue_bulk(items, most);
    give_rooms(got);
    return got;
}

} // namespace

extern "C" const struct bench_queue bench_moodycamel_queue = {open_queue, put,      get,
                                                              put_many,   get_many, nullptr};
