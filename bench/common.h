/* The harness of the benchmarks: a table of rows, each measured in a process of its own.
 *
 * A row is one peer at one workload.  The peers of a workload take turns, round after round, so
 * that a change of the machine's mood meets all of them alike; what is printed is the median with
 * the least and the most:
 *
 *     workload peer ns_per_op min max ratio
 *
 * The ratio is krait's median divided by the peer's: below 1, krait is faster.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_COMMON_H
#define KRI_BENCH_COMMON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the threads of a measurement may run. */
enum bench_place {
    BENCH_FREE,
    BENCH_ONE_CPU,  /* all on one processor */
    BENCH_TWO_CPUS, /* the n-th on the first or second of two, by turns */
};

struct bench_result {
    double ns_per_op;
    double unfair; /* the greatest share of a thread over the least; 0: means nothing here */
    double p50;    /* of single operations, of which many are under way; 0: means nothing here */
    double p99;    /* of single operations; 0: means nothing here */
    double kept;   /* the share of their speed that others keep meanwhile; 0: means nothing here */
    double used;   /* nanoseconds of processor time by the subject; 0: means nothing here */
};

struct bench_peer {
    const char *name;
    const void *subject; /* what to measure, for the workload's function; NULL: not installed */
    const char *package; /* what to install when it is missing */
    bool aside;          /* stands there to be looked at, is no peer to be beaten */
};

struct bench_workload {
    const char *name;
    struct bench_result (*measure)(const struct bench_workload *workload, const void *subject);
    const struct bench_peer *peers;
    size_t peer_count;
    enum bench_place place;
    int threads;
    bool shared; /* by processes that share memory, not by threads */
    /* Measured by a program that is started anew, in which it is the workload of this name, and
     * which is where it belongs from its beginning on: libraries look at their processors early.
     * NULL: by a forked child, which places its threads itself. */
    const char *afresh;
    unsigned rounds; /* how often, where nobody says otherwise; 0: 7 */
};

/* A filter is a list of words with spaces between; a workload is wanted if a word of it occurs in
 * its name.  NULL: all are. */
bool bench_wanted(const char *name, const char *filter);

/* Run the workload if it is wanted. */
void bench_run(const struct bench_workload *workload, const char *filter);

/* The same for a workload with a row for each place: its name gets .free, .1cpu, .2cpu behind. */
void bench_run_placed(const struct bench_workload *workload, const char *filter);

/* Run up to 4 workloads in the same rounds, for comparing one with the other. */
void bench_run_together(const struct bench_workload *workloads, size_t count);

/* In the program that was started anew: measure, and hand the result over.  Never returns. */
_Noreturn void bench_measure_afresh(const struct bench_workload *workload, const char *peer,
                                    const char *descriptor);

/* The median of the last run for a peer of its workload-th workload; 0: it was not measured. */
double bench_median(size_t workload, size_t peer);

/* Inside a measurement */

/* Sort, and what is in the middle; what is greater than 99 of 100. */
double bench_middle(double *values, size_t count);
double bench_p99(double *values, size_t count);

/* Restrict the calling thread, the workload's index-th, to where it belongs. */
void bench_place_thread(enum bench_place place, int index);

/* Restrict the calling thread and all that come of it: to one processor, to two. */
void bench_place_process(enum bench_place place);

double bench_now(void);            /* nanoseconds */
double bench_processor_time(void); /* nanoseconds, of the process */

/* `usual` operations, or fewer under KR_BENCH_SHARE (percent of the usual amount). */
unsigned long bench_amount(unsigned long usual);

#endif
