/* treesum -p: the same in worker processes, which may be killed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum/tool.h"

#include <fcntl.h>
#include <glob.h>
#include <krait/krait.h>
#include <sys/prctl.h>
#include <sys/stat.h>

enum { FAMILY = 64 };

SCRIPT(
    processes_print_the_same,
    "mkdir d; i=0; while [ $i -lt 300 ]; do mkdir -p d/$((i % 7)); "
    "head -c $((i * 37)) /dev/zero >d/$((i % 7))/$i; i=$((i + 1)); done; "
    "printf 1 >'d/ lead'; printf 2 >'d/two  spaces '; printf 3 >\"$(printf 'd/new\\nline')\"; "
    "head -c 9000000 /dev/zero >d/5/large; head -c 5000000 /dev/zero >d/zlast; expected d >want; "
    "for how in -p '-p -j1' '-p -j3' '--processes --jobs=2'; do "
    "treesum $how d >got 2>err; same want got; [ ! -s err ]; done; "
    "for how in --quiet --status; do treesum -p -c $how want >got; [ ! -s got ]; done; "
    "treesum -p -c want >got; sha256sum -c want >list; same list got")

SCRIPT(processes_judge_the_same,
       "mkdir d; echo 1 >d/a; echo 2 >d/b; echo 3 >d/c; expected d >list; echo 4 >d/b; rm d/c; "
       "status 1 treesum -p -c list >got 2>err; status 1 sha256sum -c list 2>&1 >want | renamed "
       ">want.err; same want got; same want.err err; "
       "status 1 treesum -p d/a nothing d >got 2>err; echo 'treesum: nothing: No such file or "
       "directory' >want; same want err; expected d/a d >want; same want got")

SCRIPT(processes_read_standard_input,
       "echo hello | treesum -p - >got; echo hello | sha256sum - >want; same want got; "
       "mkfifo p; echo hello >p & treesum -p p >got; echo hello | sha256sum >want; "
       "sed -i 's/-$/p/' want; same want got; echo 1 >f; sha256sum f >want; "
       "treesum -p f <&- >got; same want got")

SCRIPT(sequential_needs_no_processes,
       "echo 1 >f; sha256sum f >want; treesum -p --sequential f >got; same want got")

static void make_large_file(const char *name, off_t size)
{
    int fd = open(name, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK_EQ(ftruncate(fd, size), 0);
    CHECK_EQ(close(fd), 0);
}

static int add_descendants(pid_t process, pid_t *list, int count);

/* Each thread has a list of those that it has started. */
static int add_children_of(const char *path, pid_t *list, int count)
{
    int child;
    FILE *stream = fopen(path, "re");
    if (!stream)
        return count;
    while (count < FAMILY && fscanf(stream, "%d", &child) == 1) {
        list[count++] = child;
        count = add_descendants(child, list, count);
    }
    fclose(stream);
    return count;
}

/* Its children, their children and so on, added to the list. */
static int add_descendants(pid_t process, pid_t *list, int count)
{
    char path[64];
    glob_t threads;
    snprintf(path, sizeof path, "/proc/%d/task/*/children", (int)process);
    if (glob(path, 0, NULL, &threads) != 0)
        return count;
    for (size_t i = 0; i < threads.gl_pathc; i++)
        count = add_children_of(threads.gl_pathv[i], list, count);
    globfree(&threads);
    return count;
}

/* Not so the fork server, which has on its account what the workers that it has reaped had read. */
static bool is_busy(pid_t process)
{
    pid_t children[FAMILY];
    return bytes_read(process) >= 4 << 20 && add_descendants(process, children, 0) == 0;
}

/* In a process group of its own, as a shell has it; so it has to be told when the test ends. */
static pid_t run(const char *how, const char *path)
{
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int fd = open("got", O_CREAT | O_TRUNC | O_WRONLY, 0644);
        int err = open("err", O_CREAT | O_TRUNC | O_WRONLY, 0644);
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || setpgid(0, 0) != 0 || dup2(fd, 1) < 0 ||
            dup2(err, 2) < 0)
            _exit(126);
        execl(TOOL, "treesum", "-p", how, path, (char *)NULL);
        _exit(127);
    }
    return child;
}

/* Started, and so many of its workers are in the middle of a large file. */
static pid_t start(int workers, pid_t *family, int *count)
{
    char how[16];
    snprintf(how, sizeof how, "-j%d", workers);
    pid_t child = run(how, "d");
    for (int busy = 0; busy < workers;) {
        kri_test_nap();
        *count = add_descendants(child, family, 0);
        busy = 0;
        for (int i = 0; i < *count; i++)
            busy += is_busy(family[i]);
    }
    return child;
}

static int end_of(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    return status;
}

static void wait_until_gone(const pid_t *family, int count)
{
    char path[64], state;
    for (int i = 0; i < count; i++) {
        snprintf(path, sizeof path, "/proc/%d/stat", (int)family[i]);
        for (;;) {
            FILE *stream = fopen(path, "re");
            if (!stream)
                break;
            int got = fscanf(stream, "%*d (%*[^)]) %c", &state);
            fclose(stream);
            if (got != 1 || state == 'Z' || state == 'X')
                break; /* who reaps orphans here may take his time */
            kri_test_nap();
        }
    }
}

static void begin_with_large_files(off_t size)
{
    tool_begin();
    if (access("/proc/thread-self/children", R_OK) != 0)
        SKIP("the kernel does not tell a process's children");
    CHECK_EQ(mkdir("d", 0755), 0);
    make_large_file("d/1", size);
    make_large_file("d/2", size);
    make_large_file("d/3", size);
}

#define ENDLESS ((off_t)1 << 42) /* bytes of nothing: longer than any test */

/* How long it takes until all are gone. */
static kr_time interrupt_once(int group)
{
    pid_t family[FAMILY];
    int count;
    pid_t child = start(2, family, &count);
    kr_time begun = kr_now();
    CHECK_EQ(kill(group * child, SIGINT), 0);
    int status = end_of(child);
    wait_until_gone(family, count);
    kr_time took = kr_now() - begun;
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 130);
    CHECK_EQ(tool_script("[ ! -s err ] || { cat err >&2; exit 1; }"), 0);
    return took;
}

/* `group` -1: Ctrl-C at a terminal goes to the workers, too.  Other programs may keep the
 * processors from this one: the quickest counts, of three at least. */
static void interrupt(int group)
{
    enum { LEAST = 3, MOST = 20 };
    const kr_time limit = KRI_SANITIZED ? kr_sec(5) : kr_ms(200);
    kr_time quickest = KR_FOREVER;
    begin_with_large_files(ENDLESS);
    for (int i = 0; i < LEAST || (i < MOST && quickest > limit); i++) {
        kr_time took = interrupt_once(group);
        quickest = took < quickest ? took : quickest;
    }
    kri_test_note("%lld ms", (long long)(quickest / 1000000));
    CHECK_LE(quickest, limit);
}

TEST(interrupt_with_processes)
{
    interrupt(1);
}

TEST(interrupt_with_processes_at_a_terminal)
{
    interrupt(-1);
}

TEST(no_process_outlives_a_killed_one)
{
    pid_t family[FAMILY];
    int count;
    begin_with_large_files(ENDLESS);
    pid_t child = start(2, family, &count);
    CHECK_EQ(kill(child, SIGKILL), 0);
    CHECK_EQ(end_of(child), SIGKILL);
    wait_until_gone(family, count);
}

/* Its batch is begun again by another, so the list is whole. */
TEST(a_killed_worker_costs_nothing)
{
    pid_t family[FAMILY];
    int count, killed = 0;
    begin_with_large_files((off_t)1 << (KRI_SANITIZED ? 26 : 28));
    pid_t child = start(1, family, &count);
    for (int i = 0; i < count && !killed; i++)
        killed = is_busy(family[i]) && kill(family[i], SIGKILL) == 0;
    CHECK_EQ(killed, 1);
    CHECK_EQ(end_of(child), 0);
    CHECK_EQ(tool_script("expected d >want; same want got; [ ! -s err ]"), 0);
}

/* One that dies each time is named, and the rest done. */
TEST(a_batch_that_kills_its_workers_fails_alone)
{
    pid_t family[FAMILY];
    int count, status = 0;
    begin_with_large_files(ENDLESS);
    CHECK_EQ(unlink("d/1") | unlink("d/3"), 0);
    CHECK_EQ(tool_script("echo 1 >d/1; echo 3 >d/3"), 0);
    pid_t child = start(1, family, &count);
    while (waitpid(child, &status, WNOHANG) == 0) {
        count = add_descendants(child, family, 0);
        for (int i = 0; i < count; i++) {
            if (is_busy(family[i]))
                CHECK(kill(family[i], SIGKILL) == 0 || errno == ESRCH); /* it may be over */
        }
        kri_test_nap();
    }
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 1);
    CHECK_EQ(tool_script("grep -q '^treesum: d/2: ' err; sha256sum d/1 d/3 >want; same want got; "
                         "[ $(wc -l <err) = 1 ] || { cat err >&2; exit 1; }"),
             0);
}
