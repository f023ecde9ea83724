/* TCP echo: a server in a process on one processor, a program that loads it on the other.
 *
 * SPDX-License-Identifier: MIT
 */
#include "echo_rows.h"
#include "party.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MILLISECONDS = 1000, WORDS = 6 };

/* The words of a program with spaces between; the first may be a path with none in it. */
static void split(char *line, char **words)
{
    int count = 0;
    char *rest;
    for (char *word = strtok_r(line, " ", &rest); word && count < WORDS;
         word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    words[count] = NULL;
}

/* It dies with its parent. */
static pid_t start(const char *program, int output, int where)
{
    char line[4096], *words[WORDS + 1];
    pid_t child = fork();
    BENCH_MUST(child);
    if (child > 0)
        return child;
    snprintf(line, sizeof line, "%s", program);
    split(line, words);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_place_thread(BENCH_TWO_CPUS, where);
    dup2(output, STDOUT_FILENO);
    execvp(words[0], words);
    perror(words[0]);
    _exit(1);
}

static pid_t start_with_output(const char *program, int where, FILE **output)
{
    int ends[2];
    BENCH_MUST(pipe(ends));
    pid_t child = start(program, ends[1], where);
    close(ends[1]);
    *output = fdopen(ends[0], "r");
    if (!*output)
        bench_fail("fdopen");
    return child;
}

/* Which it prints last on its first line, behind a colon. */
static int port_of(FILE *output, const char *program)
{
    char line[256];
    const char *colon = fgets(line, sizeof line, output) ? strrchr(line, ':') : NULL;
    if (!colon)
        bench_fail(program);
    return atoi(colon + 1);
}

static void allow_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < 4096) {
        limit.rlim_cur = limit.rlim_max < 4096 ? limit.rlim_max : 4096;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static struct bench_result measure(const struct bench_workload *workload,
                                   const struct bench_echo_server *server, size_t size)
{
    char load[4096];
    FILE *said, *found;
    double rate, p50, p99, used;
    allow_descriptors();
    pid_t serving = start_with_output(server->program, 0, &said);
    snprintf(load, sizeof load, "%s %d %d %zu %lu %d", KRI_LOAD_PROGRAM,
             port_of(said, server->program), workload->threads, size, bench_amount(MILLISECONDS),
             serving);
    pid_t loading = start_with_output(load, 1, &found);
    int status = 1;
    bool right = fscanf(found, "%lf %lf %lf %lf", &rate, &p50, &p99, &used) == 4;
    waitpid(loading, &status, 0);
    kill(serving, SIGKILL);
    waitpid(serving, NULL, 0);
    if (!right || status != 0)
        bench_fail(server->program);
    return (struct bench_result){.ns_per_op = 1e9 / rate, .p50 = p50, .p99 = p99, .used = used};
}

struct bench_result bench_echo_small(const struct bench_workload *workload, const void *subject)
{
    return measure(workload, subject, 64);
}

struct bench_result bench_echo_large(const struct bench_workload *workload, const void *subject)
{
    return measure(workload, subject, 16 * 1024);
}
