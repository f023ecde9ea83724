/* Meeting points of C++: its library's, oneTBB's, Boost's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_PEER_CXX_H
#define KRI_BENCH_PEER_CXX_H

#ifdef __cplusplus
extern "C" {
#endif

/* init makes it in the storage. */
#define BENCH_CXX_LOCK(name)                                                                       \
    void bench_##name##_init(void *lock);                                                          \
    void bench_##name##_acquire(void *lock);                                                       \
    void bench_##name##_release(void *lock)

BENCH_CXX_LOCK(tbb_mutex);
BENCH_CXX_LOCK(boost_mutex);
BENCH_CXX_LOCK(boost_counter); /* a semaphore, and so is the next */
BENCH_CXX_LOCK(std_counter);

void bench_std_flag_init(void *event);
void bench_std_flag_set(void *event);
void bench_std_flag_wait_and_clear(void *event);
void bench_std_rendezvous_init(void *barrier);
void bench_std_rendezvous_wait(void *barrier);

#ifdef __cplusplus
}
#endif

#endif
