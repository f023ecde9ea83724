/* Ctrl-C in the midst of a tour: it ends at once, with 130, and leaves nothing behind: no process,
 * no page, nothing in /dev/shm.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour/run.h"

#include <fcntl.h>
#include <krait/krait.h>
#include <poll.h>
#include <signal.h>

enum { SECONDS_MOST = 30 };

/* As a terminal would have it: a group of its own, which gets the signal as a whole. */
static pid_t start(const char *const arguments[], int *out)
{
    int ends[2];
    CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        int err = open("err", O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0644);
        if (setpgid(0, 0) != 0 || signal(SIGINT, SIG_DFL) == SIG_ERR || dup2(ends[1], 1) < 0 ||
            dup2(err, 2) < 0)
            _exit(126);
        execv(TOOL, (char *const *)arguments);
        _exit(127);
    }
    close(ends[1]);
    *out = ends[0];
    return child;
}

static void read_until(int out, const char *text)
{
    char said[65536] = "";
    size_t used = 0;
    while (!strstr(said, text)) {
        ssize_t got = read(out, said + used, sizeof said - 1 - used);
        CHECK(got > 0);
        used += (size_t)got;
        said[used] = '\0';
    }
}

/* How many processes of the group run; those that are over and wait to be reaped do not. */
static int running_in(pid_t group)
{
    int count = 0;
    DIR *all = opendir("/proc");
    CHECK(all != NULL);
    for (struct dirent *entry; (entry = readdir(all)) != NULL;) {
        char path[300], text[512] = "", state = 'Z';
        int pid = 0, of = 0;
        snprintf(path, sizeof path, "/proc/%s/stat", entry->d_name);
        FILE *file = fopen(path, "re");
        if (!file)
            continue;
        char *line = fgets(text, sizeof text, file), *end = line ? strrchr(line, ')') : NULL;
        if (end && sscanf(end, ") %c %d %d", &state, &pid, &of) == 3)
            count += of == group && state != 'Z' && state != 'X';
        fclose(file);
    }
    closedir(all);
    return count;
}

/* Processes of krait's are killed by the kernel when their parent is gone: a moment later. */
static void check_nobody_left(pid_t group)
{
    kr_time until = kr_now() + kr_sec(SECONDS_MOST);
    while (running_in(group) > 0) {
        CHECK(kr_now() < until);
        kr_sleep(kr_ms(5));
    }
}

/* Its server, or workers, are there: they stay for a second and more. */
static void await_others(pid_t group)
{
    kr_time until = kr_now() + kr_sec(SECONDS_MOST);
    while (running_in(group) < 2) {
        CHECK(kr_now() < until);
        kr_sleep(kr_ms(1));
    }
}

/* What of ours is in /dev/shm, by whomever it was made: others' tests run at the same time. */
static int shared_of(pid_t pid)
{
    char number[16];
    int count = 0;
    snprintf(number, sizeof number, "%d", (int)pid);
    DIR *shared = opendir("/dev/shm");
    for (struct dirent *entry; shared && (entry = readdir(shared)) != NULL;)
        count += strstr(entry->d_name, number) != NULL;
    if (shared)
        closedir(shared);
    return count;
}

static void interrupt_in(const char *chapter, bool others)
{
    char which[64];
    int out;
    snprintf(which, sizeof which, "--chapter=%s", chapter);
    tool_begin();
    pid_t child = start((const char *const[]){"tour", which, "-o", "out.html", NULL}, &out);
    read_until(out, "processor"); /* then it catches the signal, and has all of it before it */
    if (others)
        await_others(child);
    CHECK_EQ(kill(-child, SIGINT), 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 130);
    check_nobody_left(child);
    CHECK_EQ(shared_of(child), 0);
    CHECK(strstr(tool_read("err"), "tour: interrupted\n") != NULL);
    CHECK_EQ(tour_files(), 1); /* err */
    close(out);
}

TEST(interrupted_while_it_fetches)
{
    interrupt_in("waiting", true);
}

TEST(interrupted_while_it_hashes)
{
    interrupt_in("hashing", false);
}

TEST(interrupted_in_the_interpreter)
{
    interrupt_in("interpreter", false);
}

TEST(interrupted_while_it_counts)
{
    interrupt_in("counting", false);
}

TEST(interrupted_while_it_makes_processes)
{
    interrupt_in("costs", true);
}

/* Somewhere in the middle, wherever that is. */
TEST(interrupted_later)
{
    int out;
    tool_begin();
    pid_t child = start((const char *const[]){"tour", "-o", "out.html", NULL}, &out);
    read_until(out, "Many that wait"); /* is over: hashing, and all that follows, are before it */
    CHECK_EQ(kill(-child, SIGINT), 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    CHECK_EQ(WEXITSTATUS(status), 130);
    check_nobody_left(child);
    CHECK_EQ(tour_files(), 1);
    close(out);
}

/* Killed without a word: its processes are gone with it, and there is no half of a page. */
TEST(killed)
{
    int out;
    tool_begin();
    pid_t child =
        start((const char *const[]){"tour", "--chapter=waiting", "-o", "out.html", NULL}, &out);
    await_others(child);
    CHECK_EQ(kill(child, SIGKILL), 0);
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFSIGNALED(status));
    check_nobody_left(child);
    CHECK_EQ(tour_files(), 1);
    close(out);
}
