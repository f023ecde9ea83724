/* What gdb knows of coroutines.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "harness/test.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int ready;

/* The bodies of coroutines, to be found by their names. */
__attribute__((noinline)) static int wait_in_the_depths(kr_event *event, int depth)
{
    if (depth > 0)
        return wait_in_the_depths(event, depth - 1) + 1;
    return kr_event_wait(event, KR_FOREVER);
}

static int dig(const void *arg, void *result)
{
    (void)result;
    CHECK_EQ(kr_task_set_name("digger"), 0);
    return wait_in_the_depths(*(kr_event *const *)arg, 3);
}

static int sleep_long(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return kr_sleep(kr_sec(1000));
}

__attribute__((noinline)) static void be_looked_at(void)
{
    CHECK_EQ(write(ready, "r", 1), 1);
    for (;;) {
        if (KRI_GLIBC) /* gdb finds no way out of the calls of others */
            pause();
    }
}

static int look_at_us(void *arg)
{
    static kr_event never = KR_EVENT_INIT;
    kr_event *event = &never;
    (void)arg;
    CHECK_EQ(kr_spawn(NULL, dig, &event, sizeof event, 0, NULL), 0);
    CHECK_EQ(kr_spawn(NULL, sleep_long, NULL, 0, 0, NULL), 0);
    CHECK_EQ(kr_yield(), 0);
    CHECK_EQ(kr_yield(), 0);
    be_looked_at();
    return 0;
}

static pid_t start(void)
{
    int ends[2];
    char byte;
    CHECK_EQ(pipe(ends), 0);
    pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
        ready = ends[1];
        _exit(kr_run(look_at_us, NULL));
    }
    close(ends[1]);
    CHECK_EQ(read(ends[0], &byte, 1), 1);
    close(ends[0]);
    return child;
}

static char said[1 << 16];

static void ask_gdb(pid_t process, const char *command)
{
    char line[1000];
    size_t length = 0;
    snprintf(line, sizeof line,
             "gdb -q -nx -batch -p %d -iex 'set debuginfod enabled off' -ex 'set width 0' "
             "-ex 'source %s/tools/gdb/krait.py' -ex '%s' 2>&1",
             (int)process, KRI_TEST_SOURCE, command);
    FILE *output = popen(line, "r");
    CHECK(output != NULL);
    while (length < sizeof said - 1 && !feof(output))
        length += fread(said + length, 1, sizeof said - 1 - length, output);
    CHECK_EQ(pclose(output), 0);
    printf("%s", said);
}

/* The part of what was said about one coroutine. */
static const char *about(const char *name)
{
    static char part[1 << 14];
    char head[100];
    snprintf(head, sizeof head, "coroutine \"%s\"", name);
    const char *from = strstr(said, head);
    if (from == NULL)
        kri_test_fail(__FILE__, __LINE__, "%s is not listed", name);
    const char *to = strstr(from, "\n\n");
    CHECK(to != NULL);
    snprintf(part, sizeof part, "%.*s", (int)(to - from), from);
    return part;
}

TEST(test_coroutines_in_gdb)
{
    if (KRI_QEMU)
        SKIP("gdb would see qemu, and not the program");
    if (KRI_VALGRIND)
        SKIP("gdb would see valgrind, and not the program");
    if (system("gdb --batch -ex 'python import gdb' >/dev/null 2>&1") != 0)
        SKIP("there is no gdb with Python");
    pid_t child = start();
    ask_gdb(child, "krait coroutines");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);

    CHECK(strstr(said, "3 coroutines in 1 loops") != NULL);
    CHECK(strstr(about("main"), "running") != NULL);
    CHECK(strstr(about("main"), "be_looked_at") != NULL);
    CHECK(strstr(about("main"), "kri_context_begin") != NULL);
    const char *digger = about("digger");
    CHECK(strstr(digger, "waiting") != NULL);
    CHECK(strstr(digger, "wait_in_the_depths") != NULL);
    CHECK(strstr(digger, "kr_event_wait") != NULL);
    CHECK(strstr(digger, "kri_context_begin") != NULL);
    CHECK(strstr(digger, "sleep_long") == NULL);
    CHECK(strstr(about("task-3"), "sleep_long") != NULL);
    CHECK(strstr(said, "corrupt") == NULL);
    CHECK(strstr(said, "Error") == NULL);
}
