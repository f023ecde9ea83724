/* Ways to start a process that does nothing, and to wait for its end.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_PROCESS_START_H
#define KRI_BENCH_PROCESS_START_H

#include "peers.h"

struct bench_start {
    void (*start_and_join)(void);
};

extern const struct bench_start bench_fork, bench_vfork, bench_posix_spawn;
extern const struct bench_start bench_krait_fork, bench_krait_forkserver, bench_krait_spawn;

struct bench_result bench_start_small(const struct bench_workload *workload, const void *subject);
struct bench_result bench_start_large(const struct bench_workload *workload, const void *subject);

#endif
