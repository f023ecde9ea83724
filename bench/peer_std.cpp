// The standard library's semaphore, flag and barrier.
//
// SPDX-License-Identifier: MIT
#include "peer_cxx.h"

#include <atomic>
#include <barrier>
#include <new>
#include <semaphore>

using counter = std::counting_semaphore<>;
using flag = std::atomic<int>;
using rendezvous = std::barrier<>;

void bench_std_counter_init(void *semaphore)
{
    new (semaphore) counter(0);
}

void bench_std_counter_acquire(void *semaphore)
{
    static_cast<counter *>(semaphore)->acquire();
}

void bench_std_counter_release(void *semaphore)
{
    static_cast<counter *>(semaphore)->release();
}

void bench_std_flag_init(void *event)
{
    new (event) flag(0);
}

void bench_std_flag_set(void *event)
{
    static_cast<flag *>(event)->store(1);
    static_cast<flag *>(event)->notify_all();
}

void bench_std_flag_wait_and_clear(void *event)
{
    static_cast<flag *>(event)->wait(0);
    static_cast<flag *>(event)->store(0);
}

void bench_std_rendezvous_init(void *barrier)
{
    new (barrier) rendezvous(2);
}

void bench_std_rendezvous_wait(void *barrier)
{
    static_cast<rendezvous *>(barrier)->arrive_and_wait();
}
