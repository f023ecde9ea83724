/* What is measured of pools: functions for struct bench_workload, whose subject is a table of
 * pool.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_POOL_ROWS_H
#define KRI_BENCH_POOL_ROWS_H

#include "peers.h"

struct bench_result bench_pool_submit(const struct bench_workload *workload, const void *subject);
struct bench_result bench_pool_crowd_empty(const struct bench_workload *workload,
                                           const void *subject);
struct bench_result bench_pool_crowd_work(const struct bench_workload *workload,
                                          const void *subject);
struct bench_result bench_pool_fib_both(const struct bench_workload *workload, const void *subject);
struct bench_result bench_pool_fib_one(const struct bench_workload *workload, const void *subject);
struct bench_result bench_pool_fib_future(const struct bench_workload *workload,
                                          const void *subject);
struct bench_result bench_pool_hot(const struct bench_workload *workload, const void *subject);
struct bench_result bench_pool_idle_trips(const struct bench_workload *workload,
                                          const void *subject);
struct bench_result bench_pool_loop(const struct bench_workload *workload, const void *subject);
struct bench_result bench_pool_loop_call(const struct bench_workload *workload,
                                         const void *subject);
struct bench_result bench_pool_idleness(const struct bench_workload *workload, const void *subject);
struct bench_result bench_pool_memory(const struct bench_workload *workload, const void *subject);

#endif
