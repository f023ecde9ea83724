/* krait-bench BUILD [FILTER] - measures krait beside its peers.
 *
 * With a FILTER only the workloads whose name contains a word of it.  In the environment:
 * KR_BENCH_ROUNDS, how often each row is measured (7), KR_BENCH_SHARE, percent of the usual amount
 * of work (100), and KR_BENCH_PEERS, the names of those that krait is measured beside (all).
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include <krait/init.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    char program[4096];
    kr_init(argc, argv);
    if (argc == 5 && strcmp(argv[1], "--measure") == 0) {
        bench_measure_process(argv[2], argv[3], argv[4]);
        bench_measure_coroutine(argv[2], argv[3], argv[4]);
        bench_measure_pool(argv[2], argv[3], argv[4]);
    }
    if (argc < 2 || argc > 3) {
        fputs("usage: krait-bench BUILD [FILTER]\n", stderr);
        return 2;
    }
    const char *filter = argc == 3 && *argv[2] ? argv[2] : NULL;
    snprintf(program, sizeof program, "%s/examples/treesum/treesum", argv[1]);
    setvbuf(stdout, NULL, _IOLBF, 0);
    printf("# %-28s %-16s %12s %12s %12s %8s\n", "workload", "peer", "ns_per_op", "min", "max",
           "ratio");
    bench_lock_rows(filter);
    bench_pingpong_rows(filter);
    bench_queue_rows(filter);
    bench_stream_rows(filter);
    bench_pool_rows(filter);
    bench_process_rows(filter);
    bench_remote_rows(filter);
    bench_coroutine_rows(filter);
    bench_beside_rows(filter);
    bench_echo_rows(filter);
    bench_gil_rows(filter);
    bench_dict_rows(filter);
    bench_list_rows(filter);
    bench_redis_rows(filter);
    bench_trace_rows(filter);
    bench_treesum_rows(filter, program, argv[1]);
    return ferror(stdout) ? 1 : 0;
}
