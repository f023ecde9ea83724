// Boost.Interprocess: a deque and a mutex in shared memory.  Who is killed inside leaves the deque
// broken and the mutex locked.
//
// SPDX-License-Identifier: MIT
extern "C" {
#include "list.h"
}

#include <array>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/anonymous_shared_memory.hpp>
#include <boost/interprocess/containers/deque.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <cstdlib>
#include <cstring>

namespace bi = boost::interprocess;

namespace
{

constexpr std::size_t room = 32u << 20;
using item_type = std::array<char, BENCH_ITEM>;
using memory_type = bi::managed_external_buffer;
using allocator_type = bi::allocator<item_type, memory_type::segment_manager>;
using deque_type = bi::deque<item_type, allocator_type>;

struct shared {
    bi::mapped_region region;
    memory_type memory;
    bi::interprocess_mutex *mutex;
    deque_type *deque;
};

void *create()
{
    auto *s = new shared;
    s->region = bi::anonymous_shared_memory(room);
    s->memory = memory_type(bi::create_only, s->region.get_address(), room);
    s->mutex = s->memory.construct<bi::interprocess_mutex>(bi::unique_instance)();
    s->deque = s->memory.construct<deque_type>(bi::unique_instance)(
        allocator_type(s->memory.get_segment_manager()));
    return s;
}

void add(void *list, bool left, const char *item)
{
    auto *s = static_cast<shared *>(list);
    item_type copy;
    std::memcpy(copy.data(), item, BENCH_ITEM);
    bi::scoped_lock<bi::interprocess_mutex> held(*s->mutex);
    if (left)
        s->deque->push_front(copy);
    else
        s->deque->push_back(copy);
}

void take(void *list, bool left, char *item)
{
    auto *s = static_cast<shared *>(list);
    bi::scoped_lock<bi::interprocess_mutex> held(*s->mutex);
    if (s->deque->empty())
        std::abort();
    std::memcpy(item, left ? s->deque->front().data() : s->deque->back().data(), BENCH_ITEM);
    if (left)
        s->deque->pop_front();
    else
        s->deque->pop_back();
}

void end(void *list)
{
    delete static_cast<shared *>(list);
}

} // namespace

extern "C" const struct bench_list bench_boost_list;
const struct bench_list bench_boost_list = {create, add, take, end};
