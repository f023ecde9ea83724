/* Those who take part in a measurement: threads, processes, programs of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_BENCH_PARTY_H
#define KRI_BENCH_PARTY_H

#include "common.h"

struct bench_party {
    enum bench_place place;
    int count;      /* at most 16 */
    bool processes; /* forked, instead of threads; what they share is in bench_shared_memory */
    void (*body)(void *arg, int index);
    void (*before)(void *arg, int index); /* and after: beside the clock; NULL: nothing */
    void (*after)(void *arg, int index);
    void *arg;
};

/* Run it in all of them, the caller not among them, placed and started together; returns
 * nanoseconds from the start of the first to the end of the last. */
double bench_party(const struct bench_party *party);

/* When `done` operations have taken so many nanoseconds: how many go into a fifth of a second, from
 * `least` to `most`.  Between the fastest and the slowest lies a factor of hundreds. */
unsigned long bench_afford(double taken, unsigned long done, unsigned long least,
                           unsigned long most);

/* Memory that forked processes share, all zero; never given back. */
void *bench_shared_memory(size_t size);

/* A peer that is a program: INTERPRETER 'PROGRAM' ROW AMOUNT WORKERS, which prints two numbers:
 * nanoseconds an operation, and how unfair it was or what 99 of 100 stay below. */
struct bench_command {
    const char *program;
    const char *interpreter; /* with its options; "": none */
};

/* CPython's ways in the rows of processes. */
enum {
    BENCH_CPYTHON_POOL,
    BENCH_CPYTHON_EXECUTOR,
    BENCH_CPYTHON_PIPE,
    BENCH_CPYTHON_FORK,
    BENCH_CPYTHON_FORKSERVER,
    BENCH_CPYTHON_SPAWN,
    BENCH_CPYTHON_KINDS,
};
extern const struct bench_command bench_cpython_kinds[BENCH_CPYTHON_KINDS];

extern const struct bench_command bench_go_command, bench_cpython_command, bench_mpi_command,
    bench_asyncio_command, bench_uvloop_command, bench_cpython_dict_command,
    bench_cpython_list_command;

/* The subject of a workload, where it is a command; NULL: it is something else. */
const struct bench_command *bench_as_command(const void *subject);

void bench_run_command(const struct bench_command *command, const char *row, unsigned long amount,
                       int workers, double *ns, double *second);

/* Measure a row of meeting points with it, the whole program placed. */
struct bench_result bench_run_row(const struct bench_workload *workload,
                                  const struct bench_command *command, unsigned long amount);

#endif
