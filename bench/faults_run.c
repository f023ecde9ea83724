/* Run a program that may hang: for so long, and with all that it has started.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults.h"

#include "common.h"
#include "peers.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LOOK_EVERY_US = 1000, ROUNDS = 1000 };

/* The benchmark's stands among its peers, which this program has not. */
void bench_fail(const char *what)
{
    fprintf(stderr, "faults: %s failed\n", what);
    _exit(1);
}

/* In a session of its own, so that a signal to its group is one to it alone. */
static pid_t start(char *const *command, int *output)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_RDWR);
        setsid();
        dup2(nowhere, STDIN_FILENO);
        dup2(ends[1], STDOUT_FILENO);
        if (!getenv("KR_FAULTS_LOUD"))
            dup2(nowhere, STDERR_FILENO);
        close(ends[0]);
        close(ends[1]);
        execvp(command[0], command);
        _exit(127);
    }
    close(ends[1]);
    *output = ends[0];
    return child;
}

/* Reaps all, also those whose parents have died; true when `child` was among them. */
static bool reap(pid_t child, int *status)
{
    pid_t ended;
    int how;
    bool over = false;
    while ((ended = waitpid(-1, &how, WNOHANG)) > 0) {
        if (ended == child) {
            *status = how;
            over = true;
        }
    }
    return over;
}

/* What has lost its parent is this process's child: until there is none, kill them all. */
static void kill_children(void)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/children", (int)getpid());
    for (int i = 0; i < ROUNDS; i++) {
        int pid, any = 0, status;
        FILE *list = fopen(path, "re");
        while (list && fscanf(list, "%d", &pid) == 1) {
            kill(pid, SIGKILL);
            any = 1;
        }
        if (list)
            fclose(list);
        if (!any)
            return;
        reap(-1, &status);
        usleep(LOOK_EVERY_US);
    }
}

static void tell_outcome(bool over, int status, int output)
{
    char line[256] = "";
    fcntl(output, F_SETFL, O_NONBLOCK);
    ssize_t got = over ? read(output, line, sizeof line - 1) : 0;
    line[got > 0 ? (size_t)got : 0] = 0;
    line[strcspn(line, "\n")] = 0;
    if (!over)
        printf("hangs");
    else if (WIFSIGNALED(status))
        printf("dies of signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status) != 0)
        printf("fails with %d", WEXITSTATUS(status));
    else
        printf("%s", line);
}

int run_limited(double seconds, char *const *command)
{
    int output, status = 0;
    bool over = false;
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    double begun = bench_now();
    pid_t child = start(command, &output);
    if (child < 0) {
        perror(command[0]);
        return 1;
    }
    while (!(over = reap(child, &status)) && bench_now() - begun < seconds * 1e9)
        usleep(LOOK_EVERY_US);
    double taken = bench_now() - begun;
    tell_outcome(over, status, output);
    printf("\t%.2f\n", taken / 1e9);
    kill_children();
    return 0;
}
