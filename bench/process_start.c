/* Start and join of processes, by a parent that has much memory in use, or little.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process_start.h"
#include "party.h"

#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WARM_STARTS = 2, MOST_STARTS = 200 };

static void wait_for(pid_t child)
{
    int status;
    BENCH_MUST(child);
    if (waitpid(child, &status, 0) != child || status != 0)
        bench_fail("a process that does nothing");
}

static void start_by_fork(void)
{
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    wait_for(child);
}

static void start_by_vfork(void)
{
    /* NOLINTNEXTLINE: it is what is measured */
    pid_t child = vfork();
    if (child == 0)
        _exit(0);
    wait_for(child);
}

static void start_by_spawn(void)
{
    extern char **environ;
    static char name[] = "true";
    char *const words[] = {name, NULL};
    pid_t child;
    if (posix_spawnp(&child, name, NULL, NULL, words, environ) != 0)
        bench_fail("posix_spawnp");
    wait_for(child);
}

const struct bench_start bench_fork = {start_by_fork}, bench_vfork = {start_by_vfork},
                         bench_posix_spawn = {start_by_spawn};

/* In pages of the usual size, each of which a fork has to look at. */
static void use_memory(size_t size)
{
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("mmap");
    madvise(memory, size, MADV_NOHUGEPAGE);
    memset(memory, 1, size);
}

static double start_some(const struct bench_start *kind, unsigned long count)
{
    double begun = bench_now();
    for (unsigned long i = 0; i < count; i++)
        kind->start_and_join();
    return bench_now() - begun;
}

static struct bench_result measure(const struct bench_workload *workload, const void *subject,
                                   size_t resident)
{
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(MOST_STARTS));
    bench_place_process(workload->place);
    use_memory(resident);
    start_some(subject, 1); /* which starts krait's server, too */
    unsigned long starts = bench_afford(start_some(subject, WARM_STARTS), WARM_STARTS, WARM_STARTS,
                                        bench_amount(MOST_STARTS));
    return (struct bench_result){.ns_per_op = start_some(subject, starts) / (double)starts};
}

struct bench_result bench_start_small(const struct bench_workload *workload, const void *subject)
{
    return measure(workload, subject, (size_t)10 << 20);
}

struct bench_result bench_start_large(const struct bench_workload *workload, const void *subject)
{
    return measure(workload, subject, (size_t)2 << 30);
}
