/* The harness of the benchmarks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "common.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_ROUNDS = 99, MOST_PEERS = 16, MOST_TOGETHER = 4 };

static double medians[MOST_TOGETHER][MOST_PEERS];

static unsigned long setting(const char *name, unsigned long usual)
{
    const char *text = getenv(name);
    unsigned long value = text ? strtoul(text, NULL, 10) : 0;
    return value ? value : usual;
}

unsigned long bench_amount(unsigned long usual)
{
    unsigned long amount = usual / 100 * setting("KR_BENCH_SHARE", 100);
    return amount ? amount : 1;
}

static double read_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

double bench_now(void)
{
    return read_clock(CLOCK_MONOTONIC);
}

double bench_processor_time(void)
{
    return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

/* Places */

/* The number-th of the processors that this process may use; -1: it has fewer. */
static int usable_cpu(int number)
{
    static cpu_set_t usable; /* at the first call: before anything was restricted */
    static bool known;
    if (!known && sched_getaffinity(0, sizeof usable, &usable) != 0)
        CPU_SET(0, &usable);
    known = true;
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, &usable) && number-- == 0)
            return cpu;
    }
    return -1;
}

void bench_place_thread(enum bench_place place, int index)
{
    if (place == BENCH_FREE)
        return;
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)usable_cpu(place == BENCH_TWO_CPUS ? index % 2 : 0), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("sched_setaffinity");
        _exit(1);
    }
}

void bench_place_process(enum bench_place place)
{
    cpu_set_t set;
    /* On one processor who polls must let the other run; Open MPI asks for it here. */
    if (place == BENCH_ONE_CPU)
        setenv("OMPI_MCA_mpi_yield_when_idle", "1", 1);
    if (place != BENCH_TWO_CPUS) {
        bench_place_thread(place, 0);
        return;
    }
    CPU_ZERO(&set);
    CPU_SET((size_t)usable_cpu(0), &set);
    CPU_SET((size_t)usable_cpu(1), &set);
    if (sched_setaffinity(0, sizeof set, &set) != 0) {
        perror("sched_setaffinity");
        _exit(1);
    }
}

/* Measuring */

enum { LONGEST_SECONDS = 60 }; /* of a measurement; one that takes longer hangs */

/* The program once more, in the child. */
static _Noreturn void start_afresh(const struct bench_workload *workload,
                                   const struct bench_peer *peer, int to)
{
    char descriptor[16];
    snprintf(descriptor, sizeof descriptor, "%d", to);
    bench_place_process(workload->place);
    execl("/proc/self/exe", "krait-bench", "--measure", workload->afresh, peer->name, descriptor,
          (char *)NULL);
    perror("/proc/self/exe");
    _exit(1);
}

_Noreturn void bench_measure_afresh(const struct bench_workload *workload, const char *peer,
                                    const char *descriptor)
{
    int to = (int)strtol(descriptor, NULL, 10);
    /* A program that this one starts must not keep it open, or nobody sees that this one died. */
    fcntl(to, F_SETFD, FD_CLOEXEC);
    for (size_t i = 0; i < workload->peer_count; i++) {
        if (strcmp(workload->peers[i].name, peer) != 0)
            continue;
        struct bench_result result = workload->measure(workload, workload->peers[i].subject);
        ssize_t written = write(to, &result, sizeof result);
        _exit(written == (ssize_t)sizeof result ? 0 : 1);
    }
    _exit(2);
}

/* In a child, so that no measurement finds what another has left behind. */
static bool measure_apart(const struct bench_workload *workload, const struct bench_peer *peer,
                          struct bench_result *result)
{
    int ends[2];
    if (pipe(ends) != 0)
        return false;
    pid_t child = fork();
    if (child == 0) {
        alarm(LONGEST_SECONDS);
        if (workload->afresh)
            start_afresh(workload, peer, ends[1]);
        *result = workload->measure(workload, peer->subject);
        _exit(write(ends[1], result, sizeof *result) == (ssize_t)sizeof *result ? 0 : 1);
    }
    close(ends[1]);
    ssize_t got = child < 0 ? -1 : read(ends[0], result, sizeof *result);
    close(ends[0]);
    int status = 1;
    if (child > 0)
        waitpid(child, &status, 0);
    if (WIFSIGNALED(status))
        fprintf(stderr, "bench: %s %s: %s\n", workload->name, peer->name,
                WTERMSIG(status) == SIGALRM ? "hangs" : strsignal(WTERMSIG(status)));
    return status == 0 && got == (ssize_t)sizeof *result;
}

static int compare_doubles(const void *left, const void *right)
{
    double a, b;
    memcpy(&a, left, sizeof a);
    memcpy(&b, right, sizeof b);
    return (a > b) - (a < b);
}

double bench_middle(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return count % 2 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

double bench_p99(double *values, size_t count)
{
    qsort(values, count, sizeof *values, compare_doubles);
    return values[count * 99 / 100];
}

struct samples {
    double ns_by_round[MOST_ROUNDS], p99_by_round[MOST_ROUNDS]; /* 0: it failed, or has none */
    double ns[MOST_ROUNDS], unfair[MOST_ROUNDS], p50[MOST_ROUNDS], p99[MOST_ROUNDS],
        kept[MOST_ROUNDS], used[MOST_ROUNDS];
    size_t count, failed;
};

static bool is_ours(const struct bench_peer *peer)
{
    return strncmp(peer->name, "krait", strlen("krait")) == 0;
}

static bool is_asked_for(const struct bench_peer *peer)
{
    const char *words = getenv("KR_BENCH_PEERS");
    size_t length = strlen(peer->name);
    if (!words || !*words || is_ours(peer))
        return true;
    for (words += strspn(words, " "); *words; words += strspn(words, " ")) {
        size_t word = strcspn(words, " ");
        if (word == length && strncmp(words, peer->name, length) == 0)
            return true;
        words += word;
    }
    return false;
}

static void take_one(const struct bench_workload *workload, size_t peer, unsigned long round,
                     struct samples *samples)
{
    struct bench_result result;
    if (!workload->peers[peer].subject ||
        !measure_apart(workload, &workload->peers[peer], &result)) {
        samples->failed++;
        return;
    }
    samples->ns_by_round[round] = result.ns_per_op;
    samples->p99_by_round[round] = result.p99;
    samples->ns[samples->count] = result.ns_per_op;
    samples->p50[samples->count] = result.p50;
    samples->p99[samples->count] = result.p99;
    samples->kept[samples->count] = result.kept;
    samples->used[samples->count] = result.used;
    samples->unfair[samples->count++] = result.unfair;
}

/* There and back again, so that a machine that slows down favours nobody. */
static void take_round(const struct bench_workload *workload, unsigned long round,
                       struct samples *samples)
{
    size_t count = workload->peer_count;
    for (size_t i = 0; i < count; i++) {
        size_t peer = round % 2 == 0 ? i : count - 1 - i;
        if (is_asked_for(&workload->peers[peer]))
            take_one(workload, peer, round, &samples[peer]);
    }
}

static void print_ratio(double ours, double theirs)
{
    if (ours > 0 && theirs > 0)
        printf(" %8.2f", ours / theirs);
    else
        printf(" %8s", "-");
}

/* The machine's speed swings, and who are measured one after the other meet the same of it: the
 * middle of what each round gives for itself. */
static void print_by_rounds(const double *ours, const double *theirs)
{
    double ratios[MOST_ROUNDS];
    size_t count = 0;
    for (size_t i = 0; i < MOST_ROUNDS; i++)
        if (ours[i] > 0 && theirs[i] > 0)
            ratios[count++] = ours[i] / theirs[i];
    if (count < 3)
        return;
    double middle = bench_middle(ratios, count);
    printf("   by rounds %.2f (%.2f-%.2f)", middle, ratios[0], ratios[count - 1]);
}

/* Of the subject alone, of which the rest of the machine knows less. */
static void print_used(struct samples *ours, struct samples *theirs)
{
    double used = bench_middle(theirs->used, theirs->count);
    if (used <= 0)
        return;
    printf("   cpu %.1f (%.1f-%.1f)", used, theirs->used[0], theirs->used[theirs->count - 1]);
    if (ours->count > 0)
        print_ratio(bench_middle(ours->used, ours->count), used);
}

static void print_row(const struct bench_workload *workload, const struct bench_peer *peer,
                      struct samples *samples, struct samples *first, double ours, double theirs)
{
    printf("%-30s %-16s", workload->name, peer->name);
    if (!peer->subject) {
        printf(" missing: needs %s\n", peer->package);
        return;
    }
    if (samples->count == 0) {
        printf(" failed\n");
        return;
    }
    /* The middle was asked for, so they are sorted. */
    printf(" %12.1f %12.1f %12.1f", theirs, samples->ns[0], samples->ns[samples->count - 1]);
    print_ratio(ours, theirs);
    if (samples != first)
        print_by_rounds(first->ns_by_round, samples->ns_by_round);
    double unfair = bench_middle(samples->unfair, samples->count);
    double p50 = bench_middle(samples->p50, samples->count);
    double p99 = bench_middle(samples->p99, samples->count);
    double kept = bench_middle(samples->kept, samples->count);
    if (unfair > 0)
        printf("   max/min %.2f (%.2f-%.2f)", unfair, samples->unfair[0],
               samples->unfair[samples->count - 1]);
    if (p50 > 0)
        printf("   %.0f/s   p50 %.1f", 1e9 / theirs, p50);
    if (p99 > 0)
        printf("   p99 %.1f", p99);
    if (p99 > 0 && samples != first)
        print_by_rounds(first->p99_by_round, samples->p99_by_round);
    if (kept > 0)
        printf("   kept %.3f (%.3f-%.3f)", kept, samples->kept[0],
               samples->kept[samples->count - 1]);
    print_used(first, samples);
    if (samples->failed)
        printf("   failed %zu times", samples->failed);
    putchar('\n');
    fflush(stdout);
}

/* Where there are several to beat: each of ours beside the best of them. */
static void print_best(const struct bench_workload *workload, const double *middles)
{
    size_t best = 0, others = 0;
    for (size_t i = 0; i < workload->peer_count; i++) {
        const struct bench_peer *peer = &workload->peers[i];
        if (is_ours(peer) || peer->aside || middles[i] <= 0)
            continue;
        if (others++ == 0 || middles[i] < middles[best])
            best = i;
    }
    for (size_t i = 0; others > 1 && i < workload->peer_count; i++) {
        if (is_ours(&workload->peers[i]) && middles[i] > 0)
            printf("%-30s %-16s beside the best, %-22s %8.2f\n", workload->name,
                   workload->peers[i].name, workload->peers[best].name, middles[i] / middles[best]);
    }
    fflush(stdout);
}

static bool possible(const struct bench_workload *workload)
{
    if (workload->place != BENCH_TWO_CPUS || usable_cpu(1) >= 0)
        return true;
    printf("%-30s %-16s not measured: there is one processor\n", workload->name, "all");
    return false;
}

void bench_run_together(const struct bench_workload *workloads, size_t count)
{
    static struct samples samples[MOST_TOGETHER][MOST_PEERS];
    memset(samples, 0, sizeof samples);
    memset(medians, 0, sizeof medians);
    unsigned long rounds =
        setting("KR_BENCH_ROUNDS", workloads[0].rounds ? workloads[0].rounds : 7);
    for (unsigned long i = 0; i < rounds && i < MOST_ROUNDS; i++) {
        for (size_t w = 0; w < count; w++)
            take_round(&workloads[w], i, samples[w]);
    }
    for (size_t w = 0; w < count; w++) {
        const struct bench_workload *workload = &workloads[w];
        for (size_t i = 0; i < workload->peer_count; i++) {
            struct samples *own = &samples[w][i];
            medians[w][i] = own->count ? bench_middle(own->ns, own->count) : 0;
        }
        for (size_t i = 0; i < workload->peer_count; i++)
            if (is_asked_for(&workload->peers[i]))
                print_row(workload, &workload->peers[i], &samples[w][i], &samples[w][0],
                          medians[w][0], medians[w][i]);
        print_best(workload, medians[w]);
    }
}

bool bench_wanted(const char *name, const char *filter)
{
    char words[512];
    char *rest;
    if (!filter)
        return true;
    snprintf(words, sizeof words, "%s", filter);
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (strstr(name, word))
            return true;
    }
    return false;
}

void bench_run(const struct bench_workload *workload, const char *filter)
{
    if (bench_wanted(workload->name, filter) && possible(workload))
        bench_run_together(workload, 1);
}

void bench_run_placed(const struct bench_workload *workload, const char *filter)
{
    static const char *const names[] = {"free", "1cpu", "2cpu"};
    for (int place = BENCH_FREE; place <= BENCH_TWO_CPUS; place++) {
        char name[64];
        snprintf(name, sizeof name, "%s.%s", workload->name, names[place]);
        struct bench_workload placed = *workload;
        placed.name = name;
        placed.place = (enum bench_place)place;
        bench_run(&placed, filter);
    }
}

double bench_median(size_t workload, size_t peer)
{
    return medians[workload][peer];
}
