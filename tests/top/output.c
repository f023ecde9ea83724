/* krait top: plain text, JSON, and the sentences where there is nothing to be shown.
 *
 * The program that is looked at is the case itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "top/help.h"

#include "os/os.h"
#include "os/segment.h"
#include "status/page.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>

/* What the system calls this program. */
#define PROGRAM (KRI_EMULATED ? "qemu-aarch64" : "output")

static kr_event go_on;
static kr_semaphore begun;
static kr_lock held_lock;

static int stay_in_task(const void *arg, void *result)
{
    (void)arg, (void)result;
    CHECK_EQ(kr_semaphore_release(&begun, 1), 0);
    return kr_event_wait(&go_on, KR_FOREVER);
}

static void await_begun(int count)
{
    for (int i = 0; i < count; i++)
        CHECK_EQ(kr_semaphore_acquire(&begun, KR_FOREVER), 0);
}

static int do_nothing(const void *arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

static void be_sure_it_is_there(const char *text)
{
    if (strstr(answer.out, text) == NULL)
        fprintf(stderr, "%s%s", answer.out, answer.err);
    CHECK(strstr(answer.out, text) != NULL);
}

/* A program with one of each, in a state that stays. */
static kr_executor *threads, *loops, *processes;
static kr_event *far_event;

static int stay_far_away(const void *arg, void *result)
{
    (void)arg, (void)result;
    return kr_event_wait(far_event, KR_FOREVER);
}

static void begin_work(void)
{
    static const char odd[] = "od\"d\\\n\xff\xc3\xa9";
    kr_process_pool_options fork = {.start = KR_FORK};
    far_event = kr_shared_alloc(sizeof *far_event);
    CHECK_EQ(kr_event_init(far_event, KR_SHARED), 0);
    CHECK_EQ(
        kr_process_pool_with(&processes, &(kr_pool_options){.workers = 1, .name = "far"}, &fork),
        0);
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    CHECK_EQ(kr_thread_pool(&threads, &(kr_pool_options){.workers = 2, .name = odd}), 0);
    CHECK_EQ(kr_loop_pool(&loops, &(kr_pool_options){.workers = 1, .name = "net"}), 0);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_submit(threads, NULL, stay_in_task, NULL, 0, 0), 0);
    CHECK_EQ(kr_submit(loops, NULL, stay_in_task, NULL, 0, 0), 0);
    CHECK_EQ(kr_submit(processes, NULL, stay_far_away, NULL, 0, 0), 0);
    await_begun(3);
    CHECK_EQ(kr_lock_acquire(&held_lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(&held_lock, kr_ms(2)), -ETIMEDOUT);
}

static void end_work(void)
{
    kr_event_set(&go_on);
    kr_event_set(far_event);
    kr_executor_release(threads);
    kr_executor_release(loops);
    kr_executor_release(processes);
}

/* Until the page tells of it all. */
static void await_text(const char *option, const char *const wanted[], int count)
{
    int found;
    do {
        run_top(getpid(), option, NULL);
        CHECK_EQ(answer.status, 0);
        found = 0;
        for (int i = 0; i < count; i++)
            found += strstr(answer.out, wanted[i]) != NULL;
        kri_test_nap();
    } while (found < count);
}

TEST(plain_text)
{
    static const char *const wanted[] = {
        "od\"d\\?", "far ", "net ", "held_lock", "stay_in_task", "stay_far_away", "MiB",
    };
    begin_work();
    await_text("--once", wanted, sizeof wanted / sizeof wanted[0]);
    be_sure_it_is_there("POOL");
    be_sure_it_is_there("LOOP");
    be_sure_it_is_there("LOCK");
    CHECK(strchr(answer.out, '\033') == NULL);
    CHECK(strchr(answer.out, 1) == NULL);
    CHECK_STR(answer.err, "");
    end_work();
}

/* Where the output is no terminal it is the same without being asked for. */
TEST(no_terminal)
{
    CHECK_EQ(kr_status_start(NULL), 0);
    run_top(getpid(), NULL, NULL);
    CHECK_EQ(answer.status, 0);
    char beginning[64];
    snprintf(beginning, sizeof beginning, "%s  process ", PROGRAM);
    be_sure_it_is_there(beginning);
    be_sure_it_is_there("No pools, no loops, and no lock");
}

/* Numbers, texts and nulls as a program would read them. */
static const char judge[] =
    "import json, sys\n"
    "d = json.loads(sys.argv[1])\n"
    "assert d['pid'] == int(sys.argv[2]) and d['program'] == sys.argv[4], d\n"
    "assert d['threads'] >= 4 and d['memory'] > 1000000 and d['missed'] == [], d\n"
    "assert 0 <= d['age'] and d['interval'] == 0.01 and d['shown_for'] >= 0, d\n"
    "pools = {p['kind']: p for p in d['pools']}\n"
    "assert sorted(pools) == ['loops', 'processes', 'threads'], d\n"
    "t = pools['threads']\n"
    "assert t['name'] == 'od\"d\\\\\\n\\xff\\u00e9', t\n"
    "assert t['running'] == 2 and t['queued'] == 1 and t['done'] == 0, t\n"
    "assert t['limit'] == 2 and not t['shut'] and not t['broken'] and not t['busy'], t\n"
    "assert [w['state'] for w in t['workers']] == ['running'] * 2, t\n"
    "assert all(w['task'] == 'stay_in_task' and w['thread'] > 0 for w in t['workers']), t\n"
    "p = pools['processes']\n"
    "assert p['running'] == 1 and len(p['workers']) == 1, p\n"
    "w = p['workers'][0]\n"
    "assert w['memory'] > 10000 and w['task'] == 'stay_far_away' and w['in_task_for'] >= 0, p\n"
    "l, = d['loops']\n"
    "assert l['coroutines'] == 1 and l['waiting'] == 1 and l['ready'] == 0 and l['seen'], l\n"
    "k, = [k for k in d['locks'] if k['symbol'] == 'held_lock']\n"
    "assert k['waits'] == 1 and k['waited'] >= 0.002 and k['waiting'] == 0, k\n"
    "assert k['longest'] == k['waited'] and k['name'] is None and not k['shared'], k\n"
    "assert k['first_waited_in'] == 'begin_work' or sys.argv[3] == '1', k\n";

/* The whole page is looked at again, as its rows come one after the other. */
TEST(json)
{
    static const char *const wanted[] = {
        "\"queued\": 1",
        "\"waits\": 1",
        "\"waiting\": 1",
        "\"task\": \"stay_far_away\"",
    };
    char number[32];
    begin_work();
    await_text("--json", wanted, sizeof wanted / sizeof wanted[0]);
    char *text = strdup(answer.out);
    snprintf(number, sizeof number, "%d", (int)getpid());
    /* Then frames are others', or there are none. */
    const char *sanitized = KRI_SANITIZED || !KRI_GLIBC ? "1" : "0";
    const char *const python[] = {"python3", "-S",      "-c",    judge, text,
                                  number,    sanitized, PROGRAM, NULL};
    run(python);
    if (answer.status == 127)
        SKIP("no python3");
    if (answer.status != 0)
        fprintf(stderr, "%s", answer.err);
    CHECK_EQ(answer.status, 0);
    free(text);
    end_work();
}

/* An object a line, until the program ends. */
static void show_a_page(void *arg)
{
    int *ends = arg;
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK_EQ(write(ends[1], "r", 1), 1);
    for (;;)
        pause();
}

static char word; /* what the child has said */

static pid_t one_that_does(void (*body)(void *ends))
{
    int ends[2];
    CHECK_EQ(pipe(ends), 0);
    pid_t id = child(body, ends);
    CHECK_EQ(read(ends[0], &word, 1), 1);
    return id;
}

static pid_t one_that_shows(void)
{
    return one_that_does(show_a_page);
}

TEST(json_again_and_again)
{
    pid_t id = one_that_shows();
    char number[32], line[1 << 14];
    int out[2], err[2];
    snprintf(number, sizeof number, "%d", (int)id);
    const char *const argv[] = {KRAIT, "top", "--json", "--interval=0.1", number, NULL};
    CHECK_EQ(pipe2(out, O_CLOEXEC), 0);
    CHECK_EQ(pipe2(err, O_CLOEXEC), 0);
    if (access(KRAIT, X_OK) != 0)
        SKIP("the command is not built");
    pid_t top = start_command(argv, -1, out[1], err[1]);
    close(out[1]);
    close(err[1]);
    FILE *lines = fdopen(out[0], "r");
    for (int i = 0; i < 3; i++) {
        CHECK(fgets(line, sizeof line, lines) != NULL);
        CHECK(line[0] == '{' && strcmp(line + strlen(line) - 2, "}\n") == 0);
    }
    CHECK(strstr(line, "\"processor_percent\": null") == NULL); /* known from the second on */
    kill_and_reap(id);
    while (fgets(line, sizeof line, lines) != NULL)
        ;
    fclose(lines);
    read_all(err[0], answer.err, sizeof answer.err);
    CHECK_EQ(status_of(top), 1);
    CHECK(strstr(answer.err, "has ended") != NULL);
}

/* Sentences. */

static void expect_sentence(int status, const char *words)
{
    if (answer.status != status || strstr(answer.err, words) == NULL)
        fprintf(stderr, "status %d, said: %s%s", answer.status, answer.out, answer.err);
    CHECK_EQ(answer.status, status);
    CHECK(strstr(answer.err, words) != NULL);
    CHECK(strncmp(answer.err, "krait: ", 7) == 0);
    CHECK_STR(answer.out, "");
}

TEST(no_such_process)
{
    pid_t gone = child((void (*)(void *))(void (*)(void))getpid, NULL);
    reap(gone);
    run_top(gone, "--once", NULL);
    expect_sentence(1, "there is no process ");
}

TEST(no_page)
{
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "shows no status page: it has to call kr_status_start");
    run_top(getpid(), "--json", NULL);
    expect_sentence(1, "KR_STATUS=1");
}

/* What a program calls itself may be a command to the terminal. */
TEST(no_page_of_an_odd_name)
{
    CHECK_EQ(prctl(PR_SET_NAME, "a\033[2J\xc2\x9b"), 0);
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "krait: a?[2J?? (process ");
    CHECK_EQ(kr_status_start(NULL), 0);
    const char *const list[] = {KRAIT, "top", NULL};
    run(list);
    CHECK_EQ(answer.status, 0);
    be_sure_it_is_there("  a?[2J??\n");
    CHECK(strchr(answer.out, '\033') == NULL);
}

TEST(thread_is_no_process)
{
    kr_executor *pool;
    char path[64];
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, NULL, stay_in_task, NULL, 0, 0), 0);
    await_begun(1);
    kr_thread *all[8];
    int count = kr_thread_enumerate(all, 8);
    for (int i = 0; i < count; i++) {
        int id = kr_thread_native_id(all[i]);
        snprintf(path, sizeof path, "is a thread of process %d", (int)getpid());
        if (id == getpid())
            continue;
        run_top(id, "--once", NULL);
        expect_sentence(1, path);
    }
    for (int i = 0; i < count; i++)
        kr_thread_release(all[i]);
    kr_event_set(&go_on);
    kr_executor_release(pool);
}

TEST(process_that_was_not_reaped)
{
    pid_t id = one_that_shows();
    CHECK_EQ(kill(id, SIGKILL), 0);
    siginfo_t info;
    CHECK_EQ(waitid(P_PID, (id_t)id, &info, WEXITED | WNOWAIT), 0);
    run_top(id, "--once", NULL);
    expect_sentence(1, "has ended");
    CHECK_GE(waitpid(id, NULL, 0), 0);
    CHECK_EQ(kr_shared_memory_clean(NULL, NULL) >= 0, 1);
}

TEST(page_of_another_version)
{
    char name[64];
    void *memory;
    kr_status_options never_again = {.interval = kr_sec(3600)}; /* it will be cut short */
    CHECK_EQ(kr_status_start(&never_again), 0);
    snprintf(name, sizeof name, KRI_PAGE_NAME "%d", (int)getpid());
    int fd = os_segment_open(name);
    CHECK_EQ(os_segment_map(fd, sizeof(kri_page), &memory), 0);
    kri_page *page = memory;
    page->version = 99;
    memcpy(page->library, "9.8.7", 6);
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "shows a page of version 99, of krait 9.8.7; this is krait");
    page->magic = 1;
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "is no status page");
    page->magic = KRI_PAGE_MAGIC;
    page->version = KRI_PAGE_VERSION;
    page->start++;
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "is another process's");
    page->start--;
    CHECK_EQ(ftruncate(fd, 100), 0);
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "is no status page");
    os_close(fd);
}

/* Whoever wrote it last was killed in the midst of it, or is stopped. */
TEST(page_that_is_being_written)
{
    char name[64];
    void *memory;
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_sec(3600)}), 0);
    snprintf(name, sizeof name, KRI_PAGE_NAME "%d", (int)getpid());
    int fd = os_segment_open(name);
    CHECK_EQ(os_segment_map(fd, sizeof(kri_page), &memory), 0);
    kri_page *page = memory;
    kri_store_rel64(&page->sequence, kri_load_rlx64(&page->sequence) + 1);
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "has been stopped while it wrote its status page");
    kri_store_rel64(&page->sequence, kri_load_rlx64(&page->sequence) + 1);
    kri_view *words = (kri_view *)(void *)page->words;
    words->pool_count = 1000000;
    run_top(getpid(), "--once", NULL);
    expect_sentence(1, "there is no sense in the status page");
    os_close(fd);
}

TEST(other_user)
{
    if (geteuid() != 0)
        SKIP("needs root, to become another user");
    CHECK_EQ(kr_status_start(NULL), 0);
    char line[1024];
    snprintf(line, sizeof line,
             "exec setpriv --reuid=65534 --regid=65534 --clear-groups " KRI_TEST_START
             "'%s' top %d --once",
             KRAIT, (int)getpid());
    const char *const argv[] = {"sh", "-c", line, NULL};
    run(argv);
    if (answer.status == 127 || strncmp(answer.err, "setpriv", 7) == 0)
        SKIP("nobody may run the command here");
    expect_sentence(1, "is another user's");
}

static void *stay(void *nothing)
{
    for (;;)
        pause();
    return nothing;
}

/* The page's own thread alone would not go on. */
static void end_first_thread(void *ends)
{
    pthread_t other;
    CHECK_EQ(pthread_create(&other, NULL, stay, NULL), 0);
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    CHECK_EQ(write(((int *)ends)[1], "r", 1), 1);
    pthread_exit(NULL);
}

/* The others go on, while /proc calls the process a zombie. */
TEST(program_without_its_first_thread)
{
    char path[64], state[512] = "";
    pid_t id = one_that_does(end_first_thread);
    snprintf(path, sizeof path, "/proc/%d/stat", (int)id);
    while (strstr(state, ") Z ") == NULL) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        CHECK_GE(fd, 0);
        read_all(fd, state, sizeof state);
        kri_test_nap();
    }
    run_top(id, "--once", NULL);
    kill_and_reap(id);
    CHECK_EQ(answer.status, 0);
    be_sure_it_is_there("No pools, no loops");
}

static void give_rights_up(void *ends)
{
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    bool done = setresuid(65534, 65534, 65534) == 0;
    CHECK_EQ(write(((int *)ends)[1], done ? "r" : "n", 1), 1);
    for (;;)
        pause();
}

/* Its page stays root's. */
TEST(program_that_was_root)
{
    if (geteuid() != 0)
        SKIP("needs root, to become another user");
    pid_t id = one_that_does(give_rights_up);
    run_top(id, "--once", NULL);
    kill_and_reap(id);
    CHECK_GE(kr_shared_memory_clean(NULL, NULL), 0);
    if (word == 'n')
        SKIP("needs another user");
    CHECK_EQ(answer.status, 0);
    be_sure_it_is_there("No pools, no loops");
}

/* A lock in a file that is gone; in its place is a pipe, which nobody opens to write. */
TEST(pipe_in_the_place_of_a_file)
{
    char path[] = "/tmp/krait-top-XXXXXX", gone[64];
    int fd = mkostemp(path, O_CLOEXEC);
    CHECK_GE(fd, 0);
    CHECK_EQ(ftruncate(fd, (off_t)sizeof(kr_lock)), 0);
    kr_lock *lock = mmap(NULL, sizeof *lock, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    CHECK(lock != MAP_FAILED);
    CHECK_EQ(unlink(path), 0);
    snprintf(gone, sizeof gone, "%s (deleted)", path);
    CHECK_EQ(mkfifo(gone, 0600), 0);
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    CHECK_EQ(kr_lock_acquire(lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(lock, kr_ms(2)), -ETIMEDOUT);
    do
        run_top(getpid(), "--once", NULL);
    while (strstr(answer.out, "LOCK") == NULL && answer.status == 0);
    CHECK_EQ(unlink(gone), 0);
    CHECK_EQ(answer.status, 0);
    close(fd);
}

TEST(usage)
{
    static const char *const wrong[][5] = {
        {KRAIT, "top", "abc"},     {KRAIT, "top", "-5"},          {KRAIT, "top", "0"},
        {KRAIT, "top", "1", "2"},  {KRAIT, "top", "--interval"},  {KRAIT, "top", "--interval=0"},
        {KRAIT, "top", "--twice"}, {KRAIT, "top", "99999999999"}, {KRAIT, "top", "--interval", "x"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        run(wrong[i]);
        expect_sentence(2, "usage: krait top [PID]");
    }
    const char *const help[] = {KRAIT, "top", "--help", NULL};
    run(help);
    CHECK_EQ(answer.status, 0);
    be_sure_it_is_there("--interval");
    const char *const all[] = {KRAIT, "help", NULL};
    run(all);
    be_sure_it_is_there("top [PID]");
}

TEST(list_of_programs)
{
    char number[32];
    const char *const argv[] = {KRAIT, "top", NULL};
    pid_t other = one_that_shows();
    CHECK_EQ(kr_status_start(NULL), 0);
    run(argv);
    CHECK_EQ(answer.status, 0);
    snprintf(number, sizeof number, "%10d  %s\n", (int)getpid(), PROGRAM);
    be_sure_it_is_there(number);
    snprintf(number, sizeof number, "%10d  %s\n", (int)other, PROGRAM);
    be_sure_it_is_there(number);
    kill_and_reap(other);
    run(argv);
    CHECK(strstr(answer.out, number) == NULL);
}

/* Nothing but the page is wanted of the program. */
TEST(stopped_program_is_shown)
{
    pid_t id = one_that_shows();
    int status;
    CHECK_EQ(kill(id, SIGSTOP), 0);
    CHECK_EQ(waitpid(id, &status, WUNTRACED), id);
    do {
        run_top(id, "--once", NULL);
        CHECK_EQ(answer.status, 0);
    } while (strstr(answer.out, "the program is stopped, or has no time to write") == NULL);
    kill_and_reap(id);
}

TEST(full_output)
{
    CHECK_EQ(kr_status_start(NULL), 0);
    int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
    if (full < 0)
        SKIP("no /dev/full");
    char number[32];
    snprintf(number, sizeof number, "%d", (int)getpid());
    const char *const argv[] = {KRAIT, "top", number, NULL};
    if (access(KRAIT, X_OK) != 0)
        SKIP("the command is not built");
    CHECK_EQ(status_of(start_command(argv, -1, full, -1)), 1);
}

/* A task's name is known also where it is over at once. */
TEST(tasks_that_are_over)
{
    kr_executor *pool;
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "quick"}), 0);
    for (int i = 0; i < 1234; i++)
        CHECK_EQ(kr_submit(pool, NULL, do_nothing, NULL, 0, 0), 0);
    static const char *const wanted[] = {"1,234"};
    await_text("--once", wanted, 1);
    kr_executor_release(pool);
}
