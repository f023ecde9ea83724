// Boost.Interprocess' lock and semaphore.
//
// SPDX-License-Identifier: MIT
#include "peer_cxx.h"

#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/interprocess_semaphore.hpp>
#include <new>

namespace between = boost::interprocess;

void bench_boost_mutex_init(void *lock)
{
    new (lock) between::interprocess_mutex;
}

void bench_boost_mutex_acquire(void *lock)
{
    static_cast<between::interprocess_mutex *>(lock)->lock();
}

void bench_boost_mutex_release(void *lock)
{
    static_cast<between::interprocess_mutex *>(lock)->unlock();
}

void bench_boost_counter_init(void *semaphore)
{
    new (semaphore) between::interprocess_semaphore(0);
}

void bench_boost_counter_acquire(void *semaphore)
{
    static_cast<between::interprocess_semaphore *>(semaphore)->wait();
}

void bench_boost_counter_release(void *semaphore)
{
    static_cast<between::interprocess_semaphore *>(semaphore)->post();
}
