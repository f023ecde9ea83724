/* What is measured of coroutines, timers and servers: functions for struct bench_workload.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_COROUTINE_ROWS_H
#define KRI_BENCH_COROUTINE_ROWS_H

#include "peers.h"

/* The subject is a table of coroutine.h, or a command. */
struct bench_result bench_coroutine_switch(const struct bench_workload *workload,
                                           const void *subject);
struct bench_result bench_coroutine_yield(const struct bench_workload *workload,
                                          const void *subject);
struct bench_result bench_coroutine_create(const struct bench_workload *workload,
                                           const void *subject);
struct bench_result bench_coroutine_spawn(const struct bench_workload *workload,
                                          const void *subject);
struct bench_result bench_coroutine_queue(const struct bench_workload *workload,
                                          const void *subject);
struct bench_result bench_coroutine_memory(const struct bench_workload *workload,
                                           const void *subject);

/* The subject is one of coroutine_handover.c. */
struct bench_handover;
extern const struct bench_handover bench_handover_coroutine, bench_handover_threads;
struct bench_result bench_coroutine_handover(const struct bench_workload *workload,
                                             const void *subject);

/* The subject is a function: CPU nanoseconds of a round with so many coroutines that sleep. */
typedef double bench_sleepers(unsigned long count);
extern const struct bench_sleepers_of {
    bench_sleepers *run;
} bench_krait_sleepers;
struct bench_result bench_sleep_gather(const struct bench_workload *workload, const void *subject);

/* The subject is a table of timers.h. */
struct bench_result bench_timers_fire(const struct bench_workload *workload, const void *subject);
struct bench_result bench_timers_rearm(const struct bench_workload *workload, const void *subject);
struct bench_result bench_timers_rearm_random(const struct bench_workload *workload,
                                              const void *subject);

#endif
