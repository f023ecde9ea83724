/* The status page comes and goes: starts, stops, exits, forks, deaths.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/help.h"
#include "harness/sanitizers.h"
#include "status/help.h"
#include <dirent.h>
#include <sys/stat.h>

enum { PLACE = 8 << 20 };

static int count_entries(const char *folder)
{
    int count = 0;
    DIR *all = opendir(folder);
    CHECK(all != NULL);
    while (readdir(all) != NULL)
        count++;
    closedir(all);
    return count;
}

static int nothing(const void *arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

/* Starting and stopping. */

TEST(options)
{
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = -1}), -EINVAL);
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10) - 1}), -EINVAL);
    CHECK_EQ(kr_status_start(&(kr_status_options){.reserved = {0, 0, 0, 1}}), -EINVAL);
    CHECK(!page_exists(getpid()));
    CHECK_EQ(kr_status_stop(), -EALREADY);
    CHECK_EQ(kr_status_start(NULL), 0);
    open_page();
    CHECK_EQ(page_of->interval, kr_ms(250));
    CHECK_STR(page_of->library, kr_version());
    CHECK_EQ(kr_status_start(NULL), -EALREADY);
    CHECK_EQ(kr_status_stop(), 0);
    CHECK_EQ(kr_status_stop(), -EALREADY);
}

TEST(only_the_owner_may_read_it)
{
    char path[64];
    struct stat about;
    snprintf(path, sizeof path, "/dev/shm/" KRI_PAGE_NAME "%d", (int)getpid());
    mode_t before = umask(0);
    CHECK_EQ(kr_status_start(NULL), 0);
    umask(before);
    CHECK_EQ(stat(path, &about), 0);
    CHECK_EQ(about.st_mode & 0777, 0600);
    CHECK(about.st_mode & S_ISVTX); /* krait's */
    CHECK_EQ(about.st_uid, geteuid());
    CHECK_EQ(about.st_size, sizeof(kri_page));
    CHECK_EQ(kr_status_stop(), 0);
    CHECK(!page_exists(getpid()));
}

TEST(each_start_is_a_new_page)
{
    int descriptors = 0, threads = 0;
    for (int i = 0; i < 20; i++) {
        CHECK_EQ(kr_status_start(NULL), 0);
        open_page();
        read_view();
        CHECK_EQ(view.looks, 1);
        CHECK(page_exists(getpid()));
        CHECK_EQ(kr_status_stop(), 0);
        CHECK(!page_exists(getpid()));
        if (i == 0) {
            descriptors = count_entries("/proc/self/fd");
            threads = count_entries("/proc/self/task");
        }
    }
    CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
    CHECK_EQ(count_entries("/proc/self/task"), threads);
}

/* Many start and stop: each answers for what it has done. */
static kri_word64 started, stopped;

static void start_and_stop(void *arg)
{
    (void)arg;
    for (int i = 0; i < 50; i++) {
        int err = kr_status_start(&(kr_status_options){.interval = kr_ms(10)});
        CHECK(err == 0 || err == -EALREADY);
        kri_add_rlx64(&started, err == 0);
        err = kr_status_stop();
        CHECK(err == 0 || err == -EALREADY);
        kri_add_rlx64(&stopped, err == 0);
    }
}

TEST(races_of_starts_and_stops)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 4, start_and_stop, NULL);
    kri_bunch_end(&bunch);
    CHECK(kri_load_rlx64(&started) == kri_load_rlx64(&stopped));
    CHECK_GE(kri_load_rlx64(&started), 50);
    CHECK(!page_exists(getpid()));
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK(page_exists(getpid()));
}

/* Another container's process with the same number has the name. */
TEST(name_in_use)
{
    own_place(PLACE);
    char name[64];
    kr_shared_memory *m = NULL;
    snprintf(name, sizeof name, KRI_PAGE_NAME "%d", (int)getpid());
    CHECK_EQ(kr_shared_memory_create(&m, name, 1, NULL), 0);
    int descriptors = count_entries("/proc/self/fd");
    CHECK_EQ(kr_status_start(NULL), -EEXIST);
    CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
    CHECK(page_exists(getpid()));
    kr_shared_memory_release(m);
    CHECK_EQ(kr_status_start(NULL), 0);
}

TEST(no_room)
{
    own_place(sizeof(kri_page) / 2);
    CHECK_EQ(kr_status_start(NULL), -ENOSPC);
    CHECK(!page_exists(getpid()));
}

/* Exit. */

static void exit_with_a_page(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_status_start(NULL), 0);
    exit(0);
}

static void exit_with_threads(void *arg)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, (kr_run_fn)(void (*)(void))getpid, NULL, 0, NULL), 0);
    CHECK_GE(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
    exit_with_a_page(arg);
}

static int see_the_page(const void *arg, void *result)
{
    (void)result;
    kri_test_linger(); /* so that the exit has begun */
    *(bool *)(uintptr_t)arg = page_exists(getpid());
    return 0;
}

static void exit_with_tasks(void *arg)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK_EQ(kr_submit(pool, NULL, see_the_page, arg, 0, 0), 0);
    exit(0);
}

TEST(exit_takes_it_away)
{
    void (*const ways[])(void *) = {exit_with_a_page, exit_with_threads, exit_with_tasks};
    bool *seen = shared_pages(1);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        pid_t id = child(ways[i], seen);
        reap(id);
        CHECK(!page_exists(id));
    }
    CHECK(*seen); /* as long as there was work */
}

/* Deaths. */

static void stay_with_a_page(void *arg)
{
    CHECK_EQ(kr_status_start(NULL), 0);
    kri_store_rel(arg, 1);
    pause();
}

static pid_t one_with_a_page(void)
{
    kr_word *ready = shared_pages(sizeof *ready);
    pid_t id = child(stay_with_a_page, ready);
    while (kri_load_acq(ready) == 0)
        kri_test_nap();
    CHECK(page_exists(id));
    return id;
}

TEST(what_the_killed_leave_is_cleaned)
{
    own_place(PLACE);
    pid_t id = one_with_a_page();
    CHECK_EQ(kr_shared_memory_clean(NULL, NULL), 0); /* it is held */
    kill_and_reap(id);
    CHECK(page_exists(id));
    CHECK_EQ(kr_shared_memory_clean(NULL, NULL), 1);
    CHECK(!page_exists(id));
}

TEST(a_new_page_cleans_too)
{
    own_place(PLACE);
    pid_t dead = one_with_a_page(), alive = one_with_a_page();
    kill_and_reap(dead);
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK(!page_exists(dead));
    CHECK(page_exists(alive));
    kill_and_reap(alive);
}

/* Forks. */

static void be_a_fork(void *arg)
{
    (void)arg;
    kr_executor *pool;
    kr_future *f;
    CHECK(!page_exists(getpid()));
    CHECK_EQ(kr_status_stop(), -EALREADY);
    CHECK_EQ(count_entries("/proc/self/task"), 3);
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    CHECK_EQ(kr_submit(pool, &f, nothing, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0);
    kr_future_release(f);
    kr_executor_release(pool);
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK(page_exists(getpid()));
    open_page();
    read_view();
    CHECK_EQ(kr_status_stop(), 0);
}

TEST(fork_has_none_and_may_start_one)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    if (KRI_TSAN)
        SKIP("the thread sanitizer knows no threads in such a fork");
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .name = "parent's"}), 0);
    CHECK_EQ(kr_submit(pool, &f, nothing, NULL, 0, 0), 0);
    CHECK_EQ(kr_future_exception(f, NULL, KR_FOREVER), 0); /* its worker opens nothing any more */
    kr_future_release(f);
    begin_page();
    int descriptors = count_entries("/proc/self/fd");
    for (int i = 0; i < 30; i++)
        reap(child(be_a_fork, NULL));
    CHECK_EQ(count_entries("/proc/self/fd"), descriptors);
    CHECK(page_exists(getpid()));
    read_view();
    CHECK(pool_row("parent's") != NULL);
    kr_executor_release(pool);
}

/* Where the parent is over, the fork does not hold its page. */
static void have_a_child_and_stay(void *arg)
{
    pid_t *grandchild = arg;
    CHECK_EQ(kr_status_start(NULL), 0);
    pid_t id = fork();
    CHECK_GE(id, 0);
    if (id == 0) /* by now it has let go of what is its parent's */
        __atomic_store_n(grandchild, getpid(), __ATOMIC_RELEASE);
    for (;;)
        pause();
}

TEST(fork_does_not_hold_its_parents_page)
{
    own_place(PLACE);
    pid_t *grandchild = shared_pages(sizeof *grandchild);
    pid_t id = child(have_a_child_and_stay, grandchild);
    while (__atomic_load_n(grandchild, __ATOMIC_ACQUIRE) == 0)
        kri_test_nap();
    kill_and_reap(id);
    CHECK(page_exists(id));
    int cleaned = kr_shared_memory_clean(NULL, NULL);
    CHECK_EQ(kill(*grandchild, SIGKILL), 0); /* before a check that may end the case */
    CHECK_EQ(cleaned, 1);
}

static void *linger(void *arg)
{
    (void)arg;
    kri_test_linger();
    return NULL;
}

/* A program of its own: with musl a forked child whose first thread leaves never ends. */
static void leave_main(void)
{
    pthread_t last;
    CHECK_EQ(kr_status_start(&(kr_status_options){.interval = kr_ms(10)}), 0);
    CHECK_EQ(pthread_create(&last, NULL, linger, NULL), 0);
    CHECK_EQ(pthread_detach(last), 0);
    pthread_exit(NULL);
}

#define LEAVES "KRI_TEST_LEAVES"

static void begin_anew(void *arg)
{
    (void)arg;
    CHECK_EQ(setenv(LEAVES, "1", 1), 0);
    execl("/proc/self/exe", "program", "--run", kri_test_name(), (char *)NULL);
    _exit(127);
}

/* Then the process ends with its last thread, which is not to be the one that writes. */
TEST(main_leaves_by_pthread_exit)
{
    if (KRI_QEMU)
        SKIP("qemu has a thread of its own");
    if (KRI_TSAN)
        SKIP("it has a thread of its own, which stays");
    if (KRI_VALGRIND)
        SKIP("valgrind takes /proc/self/exe for itself");
    if (getenv(LEAVES) != NULL)
        leave_main();
    pid_t id = child(begin_anew, NULL);
    int status;
    CHECK_EQ(waitpid(id, &status, 0), id);
    CHECK_EQ(status, 0);
    CHECK(!page_exists(id));
}

/* The thread that writes is no reason to fork elsewhere. */
TEST(the_start_method_stays)
{
    if (KRI_QEMU)
        SKIP("qemu has a thread of its own");
    if (KRI_TSAN)
        SKIP("it has a thread of its own, from the first one on");
    CHECK_EQ(kr_process_start_method(), KR_FORK);
    CHECK_EQ(kr_status_start(NULL), 0);
    CHECK_EQ(kr_process_start_method(), KR_FORK);
}

/* The environment. */

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}

static void use_a_thread(void)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, do_nothing, NULL, 0, NULL), 0);
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
}

static void use_a_loop(void)
{
    CHECK_EQ(kr_run(do_nothing, NULL), 0);
}

static void use_a_pool(void)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    kr_executor_release(pool);
}

typedef struct first_use {
    void (*use)(void);
    const char *value;
    bool shown;
} first_use;

static void use_and_look(void *arg)
{
    const first_use *first = arg;
    CHECK_EQ(first->value != NULL ? setenv("KR_STATUS", first->value, 1) : unsetenv("KR_STATUS"),
             0);
    CHECK(!page_exists(getpid()));
    first->use();
    CHECK_EQ(page_exists(getpid()), first->shown);
    exit(0);
}

TEST(environment)
{
    static const first_use uses[] = {
        {use_a_thread, "1", true},  {use_a_loop, "1", true},   {use_a_pool, "1", true},
        {use_a_thread, "0", false}, {use_a_thread, "", false}, {use_a_pool, NULL, false},
    };
    for (size_t i = 0; i < sizeof uses / sizeof uses[0]; i++) {
        pid_t id = child(use_and_look, (void *)(uintptr_t)&uses[i]);
        reap(id);
        CHECK(!page_exists(id));
    }
}

/* A page of their own would be one more of each worker. */
static int has_a_page(void *arg)
{
    (void)arg;
    use_a_thread();
    return page_exists(getpid()) ? 1 : 0;
}
KR_TASK(has_a_page);

TEST(children_do_not_heed_the_environment)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    NEED_PROCESSES;
    static const kr_start_method ways[] = {KR_FORK, KR_SPAWN, KR_FORKSERVER};
    CHECK_EQ(setenv("KR_STATUS", "1", 1), 0);
    for (size_t i = KRI_TSAN ? 1 : 0; i < 3; i++) { /* it knows no threads in such a fork */
        kr_process *p;
        int code = -1;
        kr_process_options options = {.start = ways[i]};
        CHECK_EQ(kr_process_start(&p, has_a_page, NULL, 0, &options), 0);
        CHECK_EQ(kr_process_join(p, &code, KR_FOREVER), 0);
        CHECK_EQ(code, 0);
        kr_process_release(p);
    }
    CHECK(page_exists(getpid()));
}

/* Pages that are torn, and writers that are over. */

enum { WORDS = 64 };
static kri_word64 sequence, words[WORDS];
static kr_word over;

static void write_words(void *arg)
{
    uint64_t from[WORDS];
    (void)arg;
    for (uint64_t n = 1; kri_load_rlx(&over) == 0; n++) {
        for (int i = 0; i < WORDS; i++)
            from[i] = n;
        kri_words_write(&sequence, words, from, WORDS);
        if (n % 16 == 0) /* so that a reader that is slow gets some */
            kri_test_nap();
    }
}

TEST(no_reader_gets_a_torn_page)
{
    kri_bunch bunch;
    uint64_t to[WORDS], last = 0;
    int got = 0, torn = 0;
    kri_bunch_start(&bunch, 1, write_words, NULL);
    while (got < 20000 || last < 100) {
        if (!kri_words_read(&sequence, words, to, WORDS)) {
            torn++;
            continue;
        }
        for (int i = 0; i < WORDS; i++)
            CHECK(to[i] == to[0]);
        CHECK(to[0] >= last);
        last = to[0];
        got++;
    }
    kri_store_rlx(&over, 1);
    kri_bunch_end(&bunch);
    kri_test_note("%d readings, %d torn", got, torn);
}

TEST(writer_that_died_writing)
{
    uint64_t to[WORDS], from[WORDS] = {1};
    kri_words_write(&sequence, words, from, WORDS);
    CHECK(kri_words_read(&sequence, words, to, WORDS));
    kri_store_rlx64(&sequence, kri_load_rlx64(&sequence) + 1);
    CHECK(!kri_words_read(&sequence, words, to, WORDS));
}

TEST(pages_without_sense)
{
    CHECK(kri_view_judge(&view));
    view.pool_count = KRI_PAGE_POOLS + 1;
    CHECK(!kri_view_judge(&view));
    view.pool_count = 1;
    CHECK(kri_view_judge(&view));
    memset(view.pools[0].name, 'x', sizeof view.pools[0].name);
    CHECK(!kri_view_judge(&view));
    view.pool_count = 0;
    view.loop_count = UINT32_MAX;
    CHECK(!kri_view_judge(&view));
}
