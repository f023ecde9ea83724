/* What is measured of coroutines: one function for each row, over a table of coroutine.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine.h"
#include "coroutine_rows.h"
#include "party.h"

#include <stdio.h>
#include <unistd.h>

enum { FEW = 1000, ALIVE = 100000 };

double bench_clock(void)
{
    return bench_now();
}

double bench_resident(void)
{
    unsigned long size, resident;
    FILE *stream = fopen("/proc/self/statm", "re");
    if (!stream || fscanf(stream, "%lu %lu", &size, &resident) != 2)
        bench_fail("/proc/self/statm");
    fclose(stream);
    return (double)resident * (double)sysconf(_SC_PAGESIZE);
}

void bench_check(int right, const char *what)
{
    if (!right)
        bench_fail(what);
}

typedef double work(unsigned long count);

/* As many as go into a fifth of a second; a program is told a number, and finds that out itself. */
static struct bench_result measure(const struct bench_workload *workload, const void *subject,
                                   work *operations, unsigned long most)
{
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(most));
    bench_place_process(workload->place);
    operations(FEW);
    unsigned long count = bench_afford(operations(FEW), FEW, bench_amount(FEW), bench_amount(most));
    return (struct bench_result){.ns_per_op = operations(count) / (double)count};
}

/* Of a command there is no table to look into. */
#define OPERATIONS(member)                                                                         \
    (bench_as_command(subject) ? NULL : ((const struct bench_coroutines *)subject)->member)

struct bench_result bench_coroutine_switch(const struct bench_workload *workload,
                                           const void *subject)
{
    return measure(workload, subject, OPERATIONS(change), 20000000);
}

struct bench_result bench_coroutine_yield(const struct bench_workload *workload,
                                          const void *subject)
{
    return measure(workload, subject, OPERATIONS(yield), 10000000);
}

struct bench_result bench_coroutine_create(const struct bench_workload *workload,
                                           const void *subject)
{
    return measure(workload, subject, OPERATIONS(create), 5000000);
}

struct bench_result bench_coroutine_spawn(const struct bench_workload *workload,
                                          const void *subject)
{
    return measure(workload, subject, OPERATIONS(spawn), 1000000);
}

struct bench_result bench_coroutine_queue(const struct bench_workload *workload,
                                          const void *subject)
{
    return measure(workload, subject, OPERATIONS(trips), 1000000);
}

struct bench_result bench_coroutine_memory(const struct bench_workload *workload,
                                           const void *subject)
{
    unsigned long alive = bench_amount(ALIVE);
    if (alive < BENCH_MUST_FIT)
        alive = BENCH_MUST_FIT;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, alive);
    work *memory = OPERATIONS(memory);
    return (struct bench_result){.ns_per_op = memory(alive) / (double)alive};
}
