/* The convoy: an interpreter in which one thread echoes while others compute, and a client.
 *
 * The host prints where it listens, and for each line of its input how many rounds it has computed
 * until when.  So what the others lose by the requests is seen in one and the same process: first
 * nobody asks, then the client does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_rows.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MILLISECONDS = 1000, THINK_US = 2000, WARM_US = 100000 };

struct host {
    pid_t pid;
    int input; /* of it */
    FILE *output;
    int port;
};

struct reading {
    double rounds, seconds;
};

static pid_t start(const char *line, enum bench_place place, int input, int output)
{
    pid_t child = fork();
    BENCH_MUST(child);
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    bench_place_thread(place, 1);
    if (input >= 0)
        dup2(input, STDIN_FILENO);
    dup2(output, STDOUT_FILENO);
    execl("/bin/sh", "sh", "-c", line, (char *)NULL);
    _exit(127);
}

static struct host start_host(const struct bench_gil_host *subject, const char *kind,
                              const struct bench_workload *workload)
{
    bool apart = workload->place == BENCH_TWO_CPUS;
    char line[4096];
    int in[2], out[2];
    BENCH_MUST(pipe2(in, O_CLOEXEC));
    BENCH_MUST(pipe2(out, O_CLOEXEC));
    if (subject->policy)
        snprintf(line, sizeof line, "exec '%s' --policy=%s -n %d %s %s serve", subject->program,
                 subject->policy, workload->threads, strcmp(kind, "tcp") == 0 ? "--tcp" : "",
                 apart ? "--apart" : "");
    else
        snprintf(line, sizeof line, "exec %s %s %d %s", subject->program, kind, workload->threads,
                 apart ? "apart" : "");
    struct host host = {.pid = start(line, BENCH_FREE, in[0], out[1]), .input = in[1]};
    close(in[0]);
    close(out[1]);
    host.output = fdopen(out[0], "r");
    const char *colon =
        host.output && fgets(line, sizeof line, host.output) ? strrchr(line, ':') : NULL;
    if (!colon)
        bench_fail(subject->program);
    host.port = atoi(colon + 1);
    return host;
}

static void end_host(struct host *host)
{
    kill(host->pid, SIGKILL);
    waitpid(host->pid, NULL, 0);
    fclose(host->output);
    close(host->input);
}

static struct reading read_host(struct host *host)
{
    struct reading reading;
    if (write(host->input, "\n", 1) != 1 ||
        fscanf(host->output, "%lf %lf", &reading.rounds, &reading.seconds) != 2)
        bench_fail("the rounds");
    return reading;
}

static double rate_between(struct reading from, struct reading to)
{
    return (to.rounds - from.rounds) / (to.seconds - from.seconds);
}

static double rate_alone(struct host *host)
{
    usleep(WARM_US);
    struct reading from = read_host(host);
    usleep((useconds_t)(1000 * bench_amount(MILLISECONDS)));
    return rate_between(from, read_host(host));
}

/* The rate of the others meanwhile. */
static double rate_beside(struct host *host, const char *kind,
                          const struct bench_workload *workload, struct bench_result *result)
{
    char line[4096];
    int ends[2], status = 1;
    double rate, p50, p99;
    snprintf(line, sizeof line, "exec '%s' %s %d %d %lu", KRI_ASK_PROGRAM, kind, host->port,
             strstr(workload->name, ".think") ? THINK_US : 0, bench_amount(MILLISECONDS));
    BENCH_MUST(pipe2(ends, O_CLOEXEC));
    struct reading from = read_host(host);
    pid_t client = start(line, workload->place, -1, ends[1]);
    close(ends[1]);
    FILE *said = fdopen(ends[0], "r");
    bool right = said && fscanf(said, "%lf %lf %lf", &rate, &p50, &p99) == 3;
    double others = rate_between(from, read_host(host));
    waitpid(client, &status, 0);
    if (!right || status != 0)
        bench_fail("the client");
    fclose(said);
    *result = (struct bench_result){.ns_per_op = 1e9 / rate, .p50 = p50, .p99 = p99};
    return others;
}

struct bench_result bench_gil_convoy(const struct bench_workload *workload, const void *subject)
{
    const char *kind = strstr(workload->name, ".tcp") ? "tcp" : "udp";
    struct bench_result result;
    struct host host = start_host(subject, kind, workload);
    double alone = workload->threads > 0 ? rate_alone(&host) : 0;
    double beside = rate_beside(&host, kind, workload, &result);
    end_host(&host);
    if (alone > 0)
        result.kept = beside / alone;
    return result;
}

struct bench_result bench_gil_compute(const struct bench_workload *workload, const void *subject)
{
    struct host host = start_host(subject, "udp", workload);
    double rate = rate_alone(&host);
    end_host(&host);
    return (struct bench_result){.ns_per_op = 1e9 / rate};
}
