/* What is measured of servers: functions for struct bench_workload, whose .threads says how many
 * connections there are, and whose subject is one of these.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_ECHO_ROWS_H
#define KRI_BENCH_ECHO_ROWS_H

#include "peers.h"

/* A program that prints where it listens, HOST:PORT, and then serves until it is killed. */
struct bench_echo_server {
    const char *program; /* with its options, a space between */
};

struct bench_result bench_echo_small(const struct bench_workload *workload, const void *subject);
struct bench_result bench_echo_large(const struct bench_workload *workload, const void *subject);

#endif
