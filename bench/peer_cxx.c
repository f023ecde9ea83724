/* The tables of meeting points that are written in C++.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peer_cxx.h"
#include "locks.h"

#ifdef KRI_HAVE_STD
const struct bench_semaphore bench_std_semaphore = {
    bench_std_counter_init, bench_std_counter_acquire, bench_std_counter_release};
const struct bench_event bench_std_event = {bench_std_flag_init, bench_std_flag_set,
                                            bench_std_flag_wait_and_clear};
const struct bench_barrier bench_std_barrier = {bench_std_rendezvous_init,
                                                bench_std_rendezvous_wait};
#endif

#ifdef KRI_HAVE_TBB_MUTEX
BENCH_LOCK(bench_tbb_lock, bench_tbb_mutex_init, bench_tbb_mutex_acquire, bench_tbb_mutex_release);
#endif

#ifdef KRI_HAVE_BOOST_MUTEX
BENCH_LOCK(bench_boost_lock, bench_boost_mutex_init, bench_boost_mutex_acquire,
           bench_boost_mutex_release);
const struct bench_semaphore bench_boost_semaphore = {
    bench_boost_counter_init, bench_boost_counter_acquire, bench_boost_counter_release};
#endif
