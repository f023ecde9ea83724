/* treesum beside find, xargs and sha256sum, on a tree that is in memory.
 *
 *     treesum.1, treesum.2   one and two files at a time, in threads and, as krait -p, in
 * processes; one op is one file treesum.speedup        what two gain over one; here more is better,
 * and the ratio is krait's gain over that of the others
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static unsigned long files;

static bool run(const char *command)
{
    pid_t child = fork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    int status;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

static struct bench_result measure(const struct bench_workload *workload, const void *subject)
{
    (void)workload;
    double begun = bench_now();
    if (!run(subject))
        bench_fail(subject);
    return (struct bench_result){.ns_per_op = (bench_now() - begun) / (double)files};
}

static void print_gain(const char *peer, double gain, double ratio)
{
    printf("%-30s %-16s %12.2f %25s %8.2f\n", "treesum.speedup", peer, gain, "", ratio);
}

static void run_rows(const char *const ours[3], const char *const theirs[2])
{
    const struct bench_peer peers[2][3] = {
        {{"krait", ours[0], NULL, false}, {"find+xargs", theirs[0], NULL, false}},
        {{"krait", ours[1], NULL, false},
         {"find+xargs", theirs[1], NULL, false},
         {"krait -p", ours[2], NULL, false}},
    };
    const struct bench_workload workloads[] = {
        {.name = "treesum.1", .measure = measure, .peers = peers[0], .peer_count = 2},
        {.name = "treesum.2", .measure = measure, .peers = peers[1], .peer_count = 3},
    };
    bench_run_together(workloads, 2);
    double gains[2];
    for (size_t i = 0; i < 2; i++) {
        double two = bench_median(1, i);
        gains[i] = two > 0 ? bench_median(0, i) / two : 0;
    }
    if (gains[0] > 0 && gains[1] > 0) {
        print_gain("krait", gains[0], 1.0);
        print_gain("find+xargs", gains[1], gains[0] / gains[1]);
    }
}

void bench_treesum_rows(const char *filter, const char *program, const char *scratch)
{
    static const char *const how[] = {"--sequential", "-j2", "-p -j2"};
    char tree[2048], ours[3][8192], theirs[2][8192];
    uint64_t bytes;
    if (!bench_wanted("treesum.1", filter) && !bench_wanted("treesum.2", filter) &&
        !bench_wanted("treesum.speedup", filter))
        return;
    if (access(program, X_OK) != 0) {
        printf("%-30s %-16s missing: %s was not built (libssl-dev)\n", "treesum", "krait", program);
        return;
    }
    files = bench_amount(50000);
    snprintf(tree, sizeof tree, "%s/tree-%lu", scratch, files);
    if (!bench_make_tree(tree, files, &bytes))
        return;
    for (int i = 0; i < 3; i++)
        snprintf(ours[i], sizeof ours[i], "'%s' %s '%s' >/dev/null", program, how[i], tree);
    for (int i = 0; i < 2; i++) {
        snprintf(theirs[i], sizeof theirs[i],
                 "find '%s' -type f -print0 | xargs -0 -P%d -n64 sha256sum >/dev/null", tree,
                 i + 1);
    }
    if (!run(ours[1])) /* also brings it all into memory */
        return;
    printf("# the tree: %lu files, %.0f MB\n", files, (double)bytes / 1e6);
    run_rows((const char *const[]){ours[0], ours[1], ours[2]},
             (const char *const[]){theirs[0], theirs[1]});
}
