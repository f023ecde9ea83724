/* What is measured of interpreter locks: functions for struct bench_workload.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_GIL_ROWS_H
#define KRI_BENCH_GIL_ROWS_H

#include "party.h"
#include "peers.h"

/* An interpreter in which one thread echoes and .threads others compute: a program, and what stands
 * before the kind of its socket and the number of its threads. */
struct bench_gil_host {
    const char *program;
    const char *policy; /* of gil_lua; NULL: it is CPython, and the program its command */
};

/* The workload's name says by .tcp and .think what the client does. */
struct bench_result bench_gil_convoy(const struct bench_workload *workload, const void *subject);

/* They compute, and nobody asks; one op is a round. */
struct bench_result bench_gil_compute(const struct bench_workload *workload, const void *subject);

/* What the lock itself costs; subjects are functions for one op, or for a hand-over. */
typedef void bench_gil_loop(unsigned long count);
extern bench_gil_loop *const bench_gil_check, *const bench_gil_no_check, *const bench_gil_region,
                                                                             *const bench_gil_mutex;
struct bench_result bench_gil_alone(const struct bench_workload *workload, const void *subject);
struct bench_result bench_gil_handover(const struct bench_workload *workload, const void *subject);

#endif
