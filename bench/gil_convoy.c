/* The convoy: an interpreter in which one thread echoes while others compute, and a client.
 *
 * The host prints where it listens, and for each line of its input how many rounds it has computed
 * until when.  So what the others lose by the requests is seen in one and the same process, by
 * turns: for a while nobody asks, for a while the client does, and so on, since the machine's own
 * speed changes from second to second.
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

enum { MILLISECONDS = 2000, TURNS = 10, THINK_US = 2000, WARM_US = 100000 };

struct reading {
    double rounds, seconds;
};

/* A program of its own, which this one reads and writes. */
struct program {
    pid_t pid;
    int input; /* of it */
    FILE *output;
};

struct host {
    struct program program;
    int port;
};

static struct program start(const char *line, enum bench_place place)
{
    int in[2], out[2];
    BENCH_MUST(pipe2(in, O_CLOEXEC));
    BENCH_MUST(pipe2(out, O_CLOEXEC));
    pid_t child = fork();
    BENCH_MUST(child);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        bench_place_thread(place, 1);
        dup2(in[0], STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        execl("/bin/sh", "sh", "-c", line, (char *)NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    return (struct program){.pid = child, .input = in[1], .output = fdopen(out[0], "r")};
}

static void end(struct program *program)
{
    kill(program->pid, SIGKILL);
    waitpid(program->pid, NULL, 0);
    fclose(program->output);
    close(program->input);
}

static struct host start_host(const struct bench_gil_host *subject, const char *kind,
                              const struct bench_workload *workload)
{
    bool apart = workload->place == BENCH_TWO_CPUS;
    char line[4096];
    if (subject->policy)
        snprintf(line, sizeof line, "exec '%s' --policy=%s -n %d %s %s serve", subject->program,
                 subject->policy, workload->threads, strcmp(kind, "tcp") == 0 ? "--tcp" : "",
                 apart ? "--apart" : "");
    else
        snprintf(line, sizeof line, "exec %s %s %d %s", subject->program, kind, workload->threads,
                 apart ? "apart" : "");
    struct host host = {.program = start(line, BENCH_FREE)};
    const char *colon = host.program.output && fgets(line, sizeof line, host.program.output)
                            ? strrchr(line, ':')
                            : NULL;
    if (!colon)
        bench_fail(subject->program);
    host.port = atoi(colon + 1);
    return host;
}

static struct program start_client(const struct host *host, const char *kind,
                                   const struct bench_workload *workload)
{
    char line[4096];
    snprintf(line, sizeof line, "exec '%s' %s %d %d", KRI_ASK_PROGRAM, kind, host->port,
             strstr(workload->name, ".think") ? THINK_US : 0);
    return start(line, workload->place);
}

static struct reading read_host(struct host *host)
{
    struct reading reading;
    if (write(host->program.input, "\n", 1) != 1 ||
        fscanf(host->program.output, "%lf %lf", &reading.rounds, &reading.seconds) != 2)
        bench_fail("the rounds");
    return reading;
}

static void add(struct reading *sum, struct reading from, struct reading to)
{
    sum->rounds += to.rounds - from.rounds;
    sum->seconds += to.seconds - from.seconds;
}

/* Nobody asks. */
static void rest(struct host *host, unsigned long milliseconds, struct reading *sum)
{
    struct reading from = read_host(host);
    usleep((useconds_t)(1000 * milliseconds));
    add(sum, from, read_host(host));
}

static void press(struct host *host, struct program *client, unsigned long milliseconds,
                  struct reading *sum)
{
    char line[64];
    int size = snprintf(line, sizeof line, "%lu\n", milliseconds);
    struct reading from = read_host(host);
    if (write(client->input, line, (size_t)size) != size ||
        !fgets(line, sizeof line, client->output))
        bench_fail("the client");
    add(sum, from, read_host(host));
}

static struct bench_result end_client(struct program *client)
{
    double rate, p50, p99;
    close(client->input);
    client->input = -1;
    if (fscanf(client->output, "%lf %lf %lf", &rate, &p50, &p99) != 3)
        bench_fail("the client");
    end(client);
    return (struct bench_result){.ns_per_op = 1e9 / rate, .p50 = p50, .p99 = p99};
}

struct bench_result bench_gil_convoy(const struct bench_workload *workload, const void *subject)
{
    const char *kind = strstr(workload->name, ".tcp") ? "tcp" : "udp";
    unsigned long milliseconds = bench_amount(MILLISECONDS) / 2 / TURNS;
    struct reading alone = {0}, beside = {0};
    struct host host = start_host(subject, kind, workload);
    struct program client = start_client(&host, kind, workload);
    usleep(WARM_US);
    for (int i = 0; i < TURNS; i++) {
        rest(&host, milliseconds, &alone);
        press(&host, &client, milliseconds, &beside);
    }
    struct bench_result result = end_client(&client);
    end(&host.program);
    if (alone.rounds > 0)
        result.kept = beside.rounds / beside.seconds * alone.seconds / alone.rounds;
    return result;
}

struct bench_result bench_gil_compute(const struct bench_workload *workload, const void *subject)
{
    struct reading sum = {0};
    struct host host = start_host(subject, "udp", workload);
    usleep(WARM_US);
    rest(&host, bench_amount(MILLISECONDS) / 2, &sum);
    end(&host.program);
    return (struct bench_result){.ns_per_op = 1e9 * sum.seconds / sum.rounds};
}
