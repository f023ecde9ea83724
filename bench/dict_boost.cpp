/* Boost.Interprocess: a hash map and a mutex in shared memory.  Who is killed inside leaves the map
 * broken and the mutex locked.
 *
 * SPDX-License-Identifier: MIT
 */
extern "C" {
#include "dict.h"
}

#include <array>
#include <boost/functional/hash.hpp>
#include <boost/interprocess/allocators/allocator.hpp>
#include <boost/interprocess/anonymous_shared_memory.hpp>
#include <boost/interprocess/managed_external_buffer.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>
#include <boost/unordered_map.hpp>
#include <cstdlib>
#include <cstring>

namespace bi = boost::interprocess;

namespace
{

constexpr std::size_t room = 32u << 20;
using key_type = std::array<char, BENCH_KEY>;
using value_type = std::array<char, BENCH_VALUE>;
using memory_type = bi::managed_external_buffer;
using allocator_type =
    bi::allocator<std::pair<const key_type, value_type>, memory_type::segment_manager>;
using map_type = boost::unordered_map<key_type, value_type, boost::hash<key_type>,
                                      std::equal_to<key_type>, allocator_type>;

struct shared {
    bi::mapped_region region;
    memory_type memory;
    bi::interprocess_mutex *mutex;
    map_type *map;
};

void *create()
{
    auto *s = new shared;
    s->region = bi::anonymous_shared_memory(room);
    s->memory = memory_type(bi::create_only, s->region.get_address(), room);
    s->mutex = s->memory.construct<bi::interprocess_mutex>(bi::unique_instance)();
    s->map = s->memory.construct<map_type>(bi::unique_instance)(
        16384, boost::hash<key_type>(), std::equal_to<key_type>(),
        allocator_type(s->memory.get_segment_manager()));
    return s;
}

key_type key_of(const bench_key *key)
{
    key_type k;
    std::memcpy(k.data(), *key, BENCH_KEY);
    return k;
}

void get(void *dict, const bench_key *key, char *value)
{
    auto *s = static_cast<shared *>(dict);
    bi::scoped_lock<bi::interprocess_mutex> held(*s->mutex);
    auto found = s->map->find(key_of(key));
    if (found == s->map->end())
        std::abort();
    std::memcpy(value, found->second.data(), BENCH_VALUE);
}

void set(void *dict, const bench_key *key, const char *value)
{
    auto *s = static_cast<shared *>(dict);
    bi::scoped_lock<bi::interprocess_mutex> held(*s->mutex);
    std::memcpy((*s->map)[key_of(key)].data(), value, BENCH_VALUE);
}

} // namespace

extern "C" const struct bench_dict bench_boost_dict;
const struct bench_dict bench_boost_dict = {create,  nullptr, get,     set,
                                            nullptr, 0,       nullptr, nullptr};
