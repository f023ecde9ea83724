/* Traces as files: valid JSON with whole spans and arrows, whatever names there are; where they
 * cannot be written; and KR_TRACE.
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"
#include "harness/sanitizers.h"
#include "trace/help.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>

static char folder[] = "/tmp/krait-trace-XXXXXX";
static char path[64];

static void make_folder(void)
{
    CHECK(mkdtemp(folder) != NULL);
    snprintf(path, sizeof path, "%s/trace.json", folder);
}

static void remove_folder(void)
{
    (void)unlink(path);
    CHECK_EQ(rmdir(folder), 0);
}

/* What a reader of such files relies on: of each line the spans are nested, arrows have two ends,
 * lines and processes have names. */
static const char checker[] =
    "import json, sys\n"
    "trace = json.load(open(sys.argv[1], encoding='utf-8'))\n"
    "events = trace['traceEvents']\n"
    "lines, begun, ended = {}, {}, {}\n"
    "named = {(e['pid'], e['tid']) for e in events if e['ph'] == 'M' and e['name'] == "
    "'thread_name'}\n"
    "processes = {e['pid'] for e in events if e['ph'] == 'M' and e['name'] == 'process_name'}\n"
    "for e in events:\n"
    "    assert e['ph'] in 'XisfM', e\n"
    "    if e['ph'] == 'M': continue\n"
    "    assert e['ts'] >= 0 and isinstance(e['name'], str), e\n"
    "    assert (e['pid'], e['tid']) in named and e['pid'] in processes, e\n"
    "    if e['ph'] == 'X':\n"
    "        lines.setdefault((e['pid'], e['tid']), []).append(e)\n"
    "    if e['ph'] == 's': begun[e['id']] = e['ts']\n"
    "    if e['ph'] == 'f': ended.setdefault(e['id'], []).append(e['ts'])\n"
    "for line in lines.values():\n"
    "    line.sort(key=lambda e: (round(e['ts'] * 1000), -round(e['dur'] * 1000)))\n"
    "    stack = []\n"
    "    for e in line:\n"
    "        first, last = round(e['ts'] * 1000), round((e['ts'] + e['dur']) * 1000)\n"
    "        while stack and stack[-1] <= first: stack.pop()\n"
    "        assert not stack or last <= stack[-1], e\n"
    "        stack.append(last)\n"
    "assert set(begun) == set(ended), (begun, ended)\n"
    "for i in ended: assert all(begun[i] <= t for t in ended[i]), i\n"
    "names = [e['name'] for e in events]\n"
    "for name in sys.argv[2:]: assert name in names, (name, sorted(set(names)))\n"
    "print(len(events), len(begun))\n";

static void check_file(const char *const *names)
{
    char *arguments[16] = {"python3", "-c", (char *)(uintptr_t)checker, path};
    for (int i = 0; names[i] != NULL; i++)
        arguments[4 + i] = (char *)(uintptr_t)names[i];
    if (system("python3 -c pass >/dev/null 2>&1") != 0)
        SKIP("there is no python3");
    int status;
    pid_t pid = fork();
    if (pid == 0) {
        execvp("python3", arguments);
        _exit(127);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
}

static kr_lock lock;

static int work(const void *arg, void *result)
{
    (void)arg;
    kr_trace_begin("work");
    kr_with (&lock)
        *(int *)result = 7;
    kr_trace_end();
    return 0;
}
KR_TASK(work);

static void submit_to(kr_executor *pool)
{
    enum { TASKS = 20 };
    kr_future *f[TASKS];
    for (int i = 0; i < TASKS; i++)
        CHECK_EQ(kr_submit(pool, &f[i], work, NULL, 0, sizeof(int)), 0);
    for (int i = 0; i < TASKS; i++) {
        CHECK_EQ(kr_future_exception(f[i], NULL, KR_FOREVER), 0);
        kr_future_release(f[i]);
    }
    kr_executor_release(pool);
}

static int spawn_some(void *arg)
{
    kr_future *f[3];
    (void)arg;
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_spawn(&f[i], work, NULL, 0, sizeof(int), NULL), 0);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_future_exception(f[i], NULL, KR_FOREVER), 0);
        kr_future_release(f[i]);
    }
    return kr_sleep(kr_ms(1));
}

static int hold_gil(void *gil)
{
    kr_gil_thread *self;
    CHECK_EQ(kr_gil_attach(gil, &self), 0);
    for (int i = 0; i < 5; i++)
        CHECK_EQ(kr_sleep(kr_us(100)), 0);
    return kr_gil_detach(self);
}

static void use_gil(void)
{
    kr_gil *gil;
    kr_thread *t;
    CHECK_EQ(kr_gil_create(&gil, NULL), 0);
    CHECK_EQ(kr_thread_start(&t, hold_gil, gil, 0, NULL), 0);
    CHECK_EQ(hold_gil(gil), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    CHECK_EQ(kr_gil_destroy(gil), 0);
}

METHOD_TEST(test_whole_program)
{
    NEED_PROCESSES;
    kr_executor *pool;
    make_folder();
    begin_trace(0);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 3}), 0);
    submit_to(pool);
    CHECK_EQ(kr_process_pool_with(&pool, &(kr_pool_options){.workers = 2},
                                  &(kr_process_pool_options){.start = method}),
             0);
    submit_to(pool);
    CHECK_EQ(kr_run(spawn_some, NULL), 0);
    use_gil();
    kr_trace_begin("left open");
    CHECK_EQ(kr_trace_write(path), 0); /* while it runs */
    check_file((const char *[]){"work", "left open", "held", NULL});
    kr_trace_mark("the end");
    CHECK_EQ(kr_trace_stop(), 0);
    CHECK_EQ(kr_trace_write(path), 0);
    check_file((const char *[]){"work", "left open", "the end", "sleep", NULL});
    remove_folder();
}

TEST(test_names_are_escaped)
{
    make_folder();
    begin_trace(0);
    kr_trace_mark("quote \" and \\ and /");
    kr_trace_mark("line\nfeed\ttab\x01\x7f");
    kr_trace_mark("\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x8d");
    kr_trace_mark("bad \xff\xc0\xaf\xed\xa0\x80\xf5");
    kr_trace_mark("cut off in a character: \xe2\x82\xac\xe2\x82\xac\xe2\x82\xac");
    kr_trace_mark("");
    CHECK_EQ(kr_trace_stop(), 0);
    CHECK_EQ(kr_trace_write(path), 0);
    check_file((const char *[]){"quote \" and \\ and /", "line\nfeed\ttab\x01\x7f",
                                "\xc3\xa4 \xe2\x82\xac \xf0\x9f\x90\x8d", NULL});
    remove_folder();
}

/* What is cut off in front is no reason for a file that cannot be read. */
TEST(test_file_of_overflown_rings)
{
    kr_executor *pool;
    make_folder();
    begin_trace(64);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 3}), 0);
    submit_to(pool);
    CHECK_EQ(kr_run(spawn_some, NULL), 0);
    CHECK_EQ(kr_trace_write(path), 0);
    check_file((const char *[]){NULL});
    remove_folder();
}

TEST(test_cannot_be_written)
{
    struct stat about;
    make_folder();
    begin_trace(0);
    for (int i = 0; i < 5000; i++)
        kr_trace_mark("some");
    CHECK_EQ(kr_trace_write("/dev/full"), -ENOSPC);
    CHECK_EQ(kr_trace_write("/tmp"), -EISDIR);
    CHECK_EQ(kr_trace_write("/nowhere/at/all"), -ENOENT);
    CHECK_EQ(kr_trace_write(""), -ENOENT);
    CHECK_EQ(stat(path, &about), -1);
    CHECK_EQ(kr_trace_write(path), 0);
    CHECK_EQ(stat(path, &about), 0);
    CHECK_EQ(kr_trace_stop(), 0);
    remove_folder();
}

/* The environment.  The program is this one, in which the next case does something. */

TEST(test_program_for_the_environment)
{
    NEED_PROCESSES;
    kr_trace_mark("in the program");
    CHECK_EQ(kr_sleep(kr_us(10)), 0);
    kr_process *p;
    CHECK_EQ(kr_process_start(&p, stay, NULL, 0, &(kr_process_options){.start = KR_SPAWN}), 0);
    CHECK_EQ(kr_process_kill(p), 0);
    CHECK_EQ(end(p), -SIGKILL);
}

static int run_program_of(const char *name, const char *variable, const char *errors)
{
    int status;
    if (KRI_VALGRIND)
        SKIP("valgrind takes /proc/self/exe for itself");
    pid_t pid = fork();
    if (pid == 0) {
        setenv("KR_TRACE", variable, 1);
        (void)!freopen(errors, "w", stderr);
        execl("/proc/self/exe", "program", "--run", name, (char *)NULL);
        _exit(127);
    }
    CHECK_EQ(waitpid(pid, &status, 0), pid);
    CHECK_EQ(status, 0);
    return pid;
}

static int run_program(const char *variable)
{
    return run_program_of("test_program_for_the_environment", variable, "/dev/null");
}

TEST(test_environment)
{
    make_folder();
    run_program(path);
    check_file((const char *[]){"in the program", "sleep", NULL});
    CHECK_EQ(unlink(path), 0);
    char with_number[64];
    snprintf(with_number, sizeof with_number, "%s/%%p.json", folder);
    int pid = run_program(with_number);
    snprintf(path, sizeof path, "%s/%d.json", folder, pid);
    check_file((const char *[]){"in the program", NULL});
    remove_folder();
}

/* The program goes on as ever. */
TEST(test_environment_cannot_be_written)
{
    run_program("/nowhere/at/all");
    run_program("");
}

/* A program that traces itself goes on as ever, and there is one file: its own. */

TEST(test_program_that_traces_itself)
{
    const char *own = getenv("KRI_OWN_TRACE");
    kr_trace_totals about;
    kr_trace_mark("before");
    CHECK_EQ(kr_trace_start(&(kr_trace_options){.events = 1 << 15}), 0);
    CHECK_EQ(kr_trace_start(NULL), -EALREADY);
    kr_trace_mark("in the program's own");
    CHECK_EQ(kr_trace_stop(), 0);
    CHECK_EQ(kr_trace_about(&about), 0);
    CHECK_EQ(about.events, 1);
    if (own != NULL)
        CHECK_EQ(kr_trace_write(own), 0);
}

TEST(test_environment_of_a_program_that_traces_itself)
{
    char other[80], errors[80], said[256] = "";
    make_folder();
    snprintf(other, sizeof other, "%s/other.json", folder);
    snprintf(errors, sizeof errors, "%s/errors", folder);
    setenv("KRI_OWN_TRACE", path, 1);
    run_program_of("test_program_that_traces_itself", other, errors);
    unsetenv("KRI_OWN_TRACE");
    CHECK_EQ(access(other, F_OK), -1);
    check_file((const char *[]){"in the program's own", NULL});
    FILE *file = fopen(errors, "r");
    CHECK(file != NULL && fgets(said, sizeof said, file) != NULL);
    CHECK_EQ(fclose(file), 0);
    CHECK(strstr(said, ": not written, since the program has started a trace itself") != NULL);
    CHECK_EQ(unlink(errors), 0);
    remove_folder();
}

/* It would replace any file for anybody. */
TEST(test_environment_of_a_set_user_id_program)
{
    enum { ANOTHER = 65534 };
    struct statvfs about;
    char program[64], command[256];
    make_folder();
    CHECK_EQ(chmod(folder, 0777), 0);
    snprintf(program, sizeof program, "%s/program", folder);
    snprintf(command, sizeof command, "cp /proc/%d/exe %s", (int)getpid(), program);
    if (KRI_QEMU)
        SKIP("qemu, which starts the program, has no set-user-ID for it");
    CHECK_EQ(system(command), 0);
    bool heeded = geteuid() == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 0 &&
                  statvfs(folder, &about) == 0 && !(about.f_flag & ST_NOSUID) &&
                  chown(program, ANOTHER, ANOTHER) == 0 && chmod(program, 04755) == 0;
    setenv("KR_TRACE", path, 1);
    snprintf(command, sizeof command, "%s --list > /dev/null 2>&1", program);
    int status = heeded ? system(command) : 0;
    unsetenv("KR_TRACE");
    bool written = access(path, F_OK) == 0;
    CHECK_EQ(unlink(program), 0);
    remove_folder();
    if (!heeded)
        SKIP("needs root, and set-user-ID");
    if (status != 0)
        SKIP("another user cannot run the program");
    CHECK(!written);
}
