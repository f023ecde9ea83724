/* What is measured of channels between two processes: functions for struct bench_workload, whose
 * subject is a table of duplex.h.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_CHANNEL_H
#define KRI_BENCH_CHANNEL_H

#include "duplex.h"
#include "peers.h"

struct bench_result bench_channel_trips(const struct bench_workload *workload, const void *subject);
struct bench_result bench_channel_stream(const struct bench_workload *workload,
                                         const void *subject);

#endif
