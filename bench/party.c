/* Those who take part in a measurement: threads, or processes that share memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "party.h"
#include "peers.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MOST = 16 };

struct crew {
    const struct bench_party *party;
    pthread_barrier_t start;
    struct {
        double begun, ended;
    } times[MOST];
};

struct member {
    struct crew *crew;
    int index;
};

void *bench_shared_memory(size_t size)
{
    void *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED)
        bench_fail("mmap");
    return memory;
}

static void *run_member(void *arg)
{
    const struct member *member = arg;
    struct crew *crew = member->crew;
    const struct bench_party *party = crew->party;
    bench_place_thread(party->place, member->index);
    if (party->before)
        party->before(party->arg, member->index);
    pthread_barrier_wait(&crew->start);
    crew->times[member->index].begun = bench_now();
    party->body(party->arg, member->index);
    crew->times[member->index].ended = bench_now();
    if (party->after)
        party->after(party->arg, member->index);
    return NULL;
}

static void run_threads(struct crew *crew)
{
    struct member members[MOST];
    pthread_t threads[MOST];
    for (int i = 0; i < crew->party->count; i++) {
        members[i] = (struct member){.crew = crew, .index = i};
        BENCH_MUST(-pthread_create(&threads[i], NULL, run_member, &members[i]));
    }
    for (int i = 0; i < crew->party->count; i++)
        pthread_join(threads[i], NULL);
}

/* When one fails the others would wait for it: they die with their parent, which fails too. */
static void run_processes(struct crew *crew)
{
    for (int i = 0; i < crew->party->count; i++) {
        struct member member = {.crew = crew, .index = i};
        pid_t child = fork();
        if (child == 0) {
            prctl(PR_SET_PDEATHSIG, SIGKILL);
            run_member(&member);
            _exit(0);
        }
        BENCH_MUST(child);
    }
    for (int i = 0; i < crew->party->count; i++) {
        int status = 1;
        if (wait(&status) < 0 || status != 0)
            bench_fail("a process of the measurement");
    }
}

double bench_party(const struct bench_party *party)
{
    struct crew *crew = bench_shared_memory(sizeof *crew);
    pthread_barrierattr_t attributes;
    crew->party = party;
    if (party->count > MOST)
        bench_fail("so many at a time");
    pthread_barrierattr_init(&attributes);
    pthread_barrierattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
    pthread_barrier_init(&crew->start, &attributes, (unsigned)party->count);
    if (party->processes)
        run_processes(crew);
    else
        run_threads(crew);
    double first = crew->times[0].begun, last = crew->times[0].ended;
    for (int i = 1; i < party->count; i++) {
        first = crew->times[i].begun < first ? crew->times[i].begun : first;
        last = crew->times[i].ended > last ? crew->times[i].ended : last;
    }
    munmap(crew, sizeof *crew);
    return last - first;
}

unsigned long bench_afford(double taken, unsigned long done, unsigned long least,
                           unsigned long most)
{
    double affordable = 200e6 / (taken + 1) * (double)done;
    if (affordable >= (double)most)
        return most;
    return affordable > (double)least ? (unsigned long)affordable : least;
}

/* Programs of their own */

const struct bench_command *bench_as_command(const void *subject)
{
    static const struct bench_command *const commands[] = {
        &bench_go_command,          &bench_cpython_command, &bench_mpi_command,
        &bench_asyncio_command,     &bench_uvloop_command,  &bench_cpython_dict_command,
        &bench_cpython_list_command};
    for (size_t i = 0; i < BENCH_CPYTHON_KINDS; i++) {
        if (subject == &bench_cpython_kinds[i])
            return subject;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (subject == commands[i])
            return commands[i];
    }
    return NULL;
}

/* It must end by itself when it hangs. */
void bench_run_command(const struct bench_command *command, const char *row, unsigned long amount,
                       int workers, double *ns, double *second)
{
    char line[8192];
    snprintf(line, sizeof line, "exec timeout 50 %s '%s' %s %lu %d", command->interpreter,
             command->program, row, amount, workers);
    FILE *stream = popen(line, "re");
    if (!stream || fscanf(stream, "%lf %lf", ns, second) != 2 || pclose(stream) != 0)
        bench_fail(line);
}

struct bench_result bench_run_row(const struct bench_workload *workload,
                                  const struct bench_command *command, unsigned long amount)
{
    struct bench_result result = {0};
    bench_place_process(workload->place);
    bench_run_command(command, workload->name, amount, workload->threads, &result.ns_per_op,
                      &result.unfair);
    return result;
}
