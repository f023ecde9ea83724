/* kri-runner: runs every case of the given test programs, each in a process group of its own.
 *
 *     kri-runner [-j JOBS] [-t SECONDS] [-f TEXT] [-e EMULATOR [-l]] [-v] PROGRAM...
 *
 * -j  how many at a time                 -t  how long a case may take, beyond its budget
 * -f  only cases whose "folder/program case" contains TEXT        -v  a line for each case
 * -e  what starts the programs, where they are another processor's, or valgrind
 * -l  not to list their cases: they do that without, and sooner
 *
 * A case that passed is silent unless -v asks for what it noted, so that failures are seen.
 * A case that takes too long has its stacks printed before it is killed.  One that leaves a process
 * behind has failed, whatever its status.  Ends with the line `N passed, N failed, N skipped`.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/stacks.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MOST_JOBS = 64, SKIPPED = 77, GRACE_MS = 10000, LEFT_ROOM = 16 };

typedef struct test_case {
    const char *program;
    char *name;
} test_case;

typedef struct job {
    test_case test;
    pid_t pid; /* also its group; 0: the slot is free */
    int output;
    bool ended;
    bool timed_out;
    int status;
    int64_t started; /* in ms, as the next */
    int64_t limit;   /* of the case, then of what it leaves behind */
} job;

static test_case *cases;
static size_t case_count;
static job jobs[MOST_JOBS];
static int most_jobs = 1;
static int64_t case_ms = 30000;
static bool verbose;
static const char *emulator;
static bool list_without;
static int passed, failed, skipped;

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* "folder/program" of a path. */
static const char *short_name(const char *program)
{
    const char *last = strrchr(program, '/');
    while (last && last > program && last[-1] != '/')
        last--;
    return last ? last : program;
}

/* Listing */

static void add_case(const char *program, const char *name, const char *filter)
{
    char whole[512];
    snprintf(whole, sizeof whole, "%s %s", short_name(program), name);
    if (filter && !strstr(whole, filter))
        return;
    cases = realloc(cases, (case_count + 1) * sizeof *cases);
    char *copy = strdup(name);
    if (!cases || !copy) {
        fputs("kri-runner: no memory\n", stderr);
        exit(2);
    }
    cases[case_count++] = (test_case){program, copy};
}

static void list_cases(const char *program, const char *filter)
{
    char command[4096], line[256];
    snprintf(command, sizeof command, "%s '%s' --list", emulator && !list_without ? emulator : "",
             program);
    fflush(NULL);
    FILE *list = popen(command, "re");
    while (list && fgets(line, sizeof line, list)) {
        line[strcspn(line, "\n")] = '\0';
        add_case(program, line, filter);
    }
    if (!list || pclose(list) != 0) {
        printf("FAILED %s: does not list its cases\n", short_name(program));
        failed++;
    }
}

/* Starting */

/* Where a case's standard streams are must be nobody else's descriptors: with one of them closed,
 * the output of a case would get its number, and be closed as the case's own is put there. */
static void fill_standard_streams(void)
{
    int fd = open("/dev/null", O_RDWR);
    while (fd >= 0 && fd <= STDERR_FILENO)
        fd = dup(fd);
    if (fd > STDERR_FILENO)
        close(fd);
}

static _Noreturn void become_case(const job *j, pid_t runner)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != runner)
        _exit(2);
    dup2(open("/dev/null", O_RDONLY | O_CLOEXEC), STDIN_FILENO);
    dup2(j->output, STDOUT_FILENO);
    dup2(j->output, STDERR_FILENO);
    if (emulator)
        execlp(emulator, emulator, j->test.program, "--run", j->test.name, (char *)NULL);
    else
        execl(j->test.program, j->test.program, "--run", j->test.name, (char *)NULL);
    perror(j->test.program);
    _exit(2);
}

static void start_case(job *j, test_case test)
{
    *j = (job){.test = test, .started = now_ms()};
    j->limit = j->started + case_ms;
    j->output = memfd_create("output", MFD_CLOEXEC);
    fflush(stdout);
    pid_t runner = getpid();
    j->pid = fork();
    if (j->pid == 0)
        become_case(j, runner);
    if (j->pid < 0 || j->output < 0) {
        perror("kri-runner");
        exit(2);
    }
    setpgid(j->pid, j->pid);
}

/* Reporting */

/* The seed that the output names, as an assignment for the shell. */
static void find_seed(FILE *output, char *seed, size_t room)
{
    char line[4096];
    seed[0] = '\0';
    rewind(output);
    while (fgets(line, sizeof line, output))
        if (strncmp(line, "seed: ", 6) == 0)
            snprintf(seed, room, "%.*s ", (int)strcspn(line + 6, "\n"), line + 6);
}

/* Print the lines of the output that begin with `start`, each behind `prefix`. */
static void show_output(FILE *output, const char *prefix, const char *start)
{
    char line[4096];
    rewind(output);
    while (fgets(line, sizeof line, output))
        if (strncmp(line, start, strlen(start)) == 0)
            printf("%s%s%s", prefix, line, strchr(line, '\n') ? "" : "\n");
}

static void describe_end(const job *j, char *text, size_t room)
{
    if (j->timed_out)
        snprintf(text, room, "ran longer than %d s", (int)((now_ms() - j->started) / 1000));
    else if (WIFSIGNALED(j->status))
        snprintf(text, room, "killed by %s", strsignal(WTERMSIG(j->status)));
    else
        snprintf(text, room, "status %d", WEXITSTATUS(j->status));
}

static void report_success(const job *j, FILE *output, double seconds, bool was_skipped)
{
    char prefix[512];
    snprintf(prefix, sizeof prefix, "%s %s: ", short_name(j->test.program), j->test.name);
    if (verbose)
        printf("%-7s %s %s (%.2f s)\n", was_skipped ? "skipped" : "ok", short_name(j->test.program),
               j->test.name, seconds);
    if (verbose || was_skipped)
        show_output(output, prefix, "# ");
    *(was_skipped ? &skipped : &passed) += 1;
}

static void report_failure(const job *j, FILE *output, double seconds, int left_behind)
{
    char seed[128], end[128];
    describe_end(j, end, sizeof end);
    find_seed(output, seed, sizeof seed);
    printf("FAILED  %s %s (%.2f s): %s\n", short_name(j->test.program), j->test.name, seconds, end);
    show_output(output, "    ", "");
    if (left_behind > 0)
        printf("    left %d process%s behind\n", left_behind, left_behind > 1 ? "es" : "");
    printf("    repeat: %s%s --run %s\n", seed, j->test.program, j->test.name);
    failed++;
}

static void finish_case(job *j, int left_behind)
{
    double seconds = (double)(now_ms() - j->started) / 1000;
    int code = WIFEXITED(j->status) ? WEXITSTATUS(j->status) : -1;
    FILE *output = fdopen(j->output, "r");
    if (!output)
        exit(2);
    if (!j->timed_out && left_behind == 0 && (code == 0 || code == SKIPPED))
        report_success(j, output, seconds, code == SKIPPED);
    else
        report_failure(j, output, seconds, left_behind);
    fflush(stdout);
    fclose(output);
    j->pid = 0;
}

/* Watching */

static void reap(void)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (int i = 0; i < most_jobs; i++)
            if (jobs[i].pid == pid) {
                jobs[i].ended = true;
                jobs[i].status = status;
                jobs[i].limit = now_ms() + GRACE_MS;
            }
}

/* A process of the group may be on its way out when the case's own has ended: it gets a moment. */
static void check_ended(job *j)
{
    pid_t left[LEFT_ROOM];
    int count = kri_group_members(j->pid, left, LEFT_ROOM);
    if (count > 0 && now_ms() < j->limit)
        return;
    if (count > 0)
        kill(-j->pid, SIGKILL);
    finish_case(j, j->timed_out ? 0 : count);
}

static void check_time(job *j)
{
    if (now_ms() < j->limit)
        return;
    j->timed_out = true;
    printf("TIMEOUT %s %s\n", short_name(j->test.program), j->test.name);
    kri_stacks_print(j->pid);
    kill(-j->pid, SIGKILL);
    j->limit = INT64_MAX;
}

static void kill_all(void)
{
    for (int i = 0; i < most_jobs; i++)
        if (jobs[i].pid)
            kill(-jobs[i].pid, SIGKILL);
}

/* Wait for a moment or a child's end; true when the runner was told to stop. */
static bool told_to_stop(const sigset_t *signals, int64_t wait_ms)
{
    struct timespec patience = {.tv_nsec = (long)wait_ms * 1000000};
    int got = sigtimedwait(signals, NULL, &patience);
    return got > 0 && got != SIGCHLD;
}

static bool run_cases(const sigset_t *signals)
{
    for (size_t next = 0, running = 1; next < case_count || running > 0;) {
        running = 0;
        bool leaving = false;
        reap();
        for (int i = 0; i < most_jobs; i++) {
            if (jobs[i].pid && jobs[i].ended)
                check_ended(&jobs[i]);
            else if (jobs[i].pid)
                check_time(&jobs[i]);
            if (!jobs[i].pid && next < case_count)
                start_case(&jobs[i], cases[next++]);
            running += jobs[i].pid != 0;
            leaving |= jobs[i].pid && jobs[i].ended;
        }
        if (running > 0 && told_to_stop(signals, leaving ? 5 : 100)) {
            kill_all();
            return false;
        }
    }
    return true;
}

static const char *read_options(int argc, char **argv)
{
    const char *filter = NULL;
    const char *budget = getenv("KR_BUDGET");
    for (int option; (option = getopt(argc, argv, "j:t:f:e:lv")) != -1;) {
        if (option == 'j')
            most_jobs = atoi(optarg);
        else if (option == 't')
            case_ms = atoi(optarg) * (int64_t)1000;
        else if (option == 'f')
            filter = optarg;
        else if (option == 'e')
            emulator = optarg;
        else if (option == 'l')
            list_without = true;
        else if (option == 'v')
            verbose = true;
        else
            exit(2);
    }
    if (most_jobs < 1 || most_jobs > MOST_JOBS || case_ms < 1 || optind == argc) {
        fputs("usage: kri-runner [-j JOBS] [-t SECONDS] [-f TEXT] [-e EMULATOR [-l]] [-v] "
              "PROGRAM...\n",
              stderr);
        exit(2);
    }
    case_ms += 2000 * (int64_t)(budget ? atoi(budget) : 0);
    return filter;
}

int main(int argc, char **argv)
{
    fill_standard_streams();
    const char *filter = read_options(argc, argv);
    for (int i = optind; i < argc; i++)
        list_cases(argv[i], filter);

    /* Orphans of a case come to this process, so that none is left to others. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGCHLD);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigprocmask(SIG_BLOCK, &signals, NULL);
    if (!run_cases(&signals))
        return 130;
    printf("%d passed, %d failed, %d skipped\n", passed, failed, skipped);
    return failed > 0 || passed + skipped == 0;
}
