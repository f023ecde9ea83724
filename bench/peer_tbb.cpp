// oneTBB's lock that sleeps.
//
// SPDX-License-Identifier: MIT
#include "peer_cxx.h"

#include <new>
#include <oneapi/tbb/mutex.h>

void bench_tbb_mutex_init(void *lock)
{
    new (lock) tbb::mutex;
}

void bench_tbb_mutex_acquire(void *lock)
{
    static_cast<tbb::mutex *>(lock)->lock();
}

void bench_tbb_mutex_release(void *lock)
{
    static_cast<tbb::mutex *>(lock)->unlock();
}
