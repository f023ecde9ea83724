/* The report of a stall does not come while somebody may act.
 *
 * In each case somebody acts later than a report would have come.
 *
 * SPDX-License-Identifier: MIT
 */
#include "wait/stalls.h"
#include <signal.h>
#include <sys/resource.h>

/* Somebody who may act ends the wait of main. */
static void main_waits_for(kr_run_fn fn)
{
    expect_none();
    kr_thread *t = start(fn, NULL);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    join_well(t);
    none_came();
}

static int sleep_then_set(void *arg)
{
    (void)arg;
    kr_time timeout = kr_ms(LONGER_THAN_A_REPORT_MS);
    CHECK_EQ(kri_wait(&word, 0, kri_deadline(timeout), 0), -ETIMEDOUT);
    set_event();
    return 0;
}

TEST(test_none_while_one_sleeps_for_a_time)
{
    main_waits_for(sleep_then_set);
}

static int scope_then_set(void *arg)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    (void)arg;
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(LONGER_THAN_A_REPORT_MS)), 0);
    CHECK_EQ(kri_wait(&word, 0, KRI_NEVER, 0), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    set_event();
    return 0;
}

TEST(test_none_while_a_scope_has_a_limit)
{
    main_waits_for(scope_then_set);
}

static int compute_then_set(void *arg)
{
    (void)arg;
    for (kr_time end = kr_now() + kr_ms(LONGER_THAN_A_REPORT_MS); kr_now() < end;)
        kri_test_nap();
    set_event();
    return 0;
}

TEST(test_none_while_one_runs)
{
    main_waits_for(compute_then_set);
}

static int outside_then_set(void *arg)
{
    (void)arg;
    nap_long();
    set_event();
    return 0;
}

TEST(test_none_while_one_is_in_the_system)
{
    main_waits_for(outside_then_set);
}

static pthread_key_t key;
static int rounds[2];

/* Comes in the second round, so after krait has taken leave of the thread. */
static void wait_at_the_end(void *round)
{
    if (round == &rounds[0])
        CHECK_EQ(pthread_setspecific(key, &rounds[1]), 0);
    else
        CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
}

static void make_use_and_end(void *arg)
{
    be_short(arg);
    if (arg == NULL)
        return;
    CHECK_EQ(pthread_key_create(&key, wait_at_the_end), 0);
    CHECK_EQ(pthread_setspecific(key, &rounds[0]), 0);
}

TEST(test_none_while_an_ended_thread_waits)
{
    kri_bunch first = {0}, second = {0};
    expect_none();
    kri_bunch_start(&first, 1, make_use_and_end, NULL);
    kri_bunch_end(&first);
    kri_bunch_start(&second, 1, make_use_and_end, &second);
    kri_test_wait_parked(&event.word, 1);
    nap_long();
    set_event();
    kri_bunch_end(&second);
    none_came();
}

static int pipes[2];
static kr_local local;

static void be_slow(void *value)
{
    (void)value;
    nap_long();
    set_event();
}

static int have_a_bell_and_leave(void *arg)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    (void)arg;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kri_wait_fd(pipes[0], 1, kri_deadline(kr_ms(1))), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    CHECK(kr_local_get(&local) != NULL);
    pthread_exit(NULL);
}

/* One of krait's own threads acts until it has ended. */
TEST(test_none_while_one_is_at_its_end)
{
    kri_bunch bunch = {0};
    expect_none();
    CHECK_EQ(pipe(pipes), 0);
    kr_local_init(&local, sizeof(int), NULL, be_slow);
    kri_bunch_start(&bunch, 1, make_use_and_end, NULL);
    kri_bunch_end(&bunch);
    kr_thread *t = start(have_a_bell_and_leave, NULL);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    join(t);
    none_came();
}

static void write_pipe(void)
{
    CHECK_EQ(write(pipes[1], "x", 1), 1);
}

static int poll_then_set(void *arg)
{
    (void)arg;
    CHECK_EQ(kri_wait_fd(pipes[0], 1, KRI_NEVER), 1);
    set_event();
    return 0;
}

TEST(test_none_while_one_polls)
{
    CHECK_EQ(pipe(pipes), 0);
    pthread_t outsider = start_outsider(write_pipe);
    main_waits_for(poll_then_set);
    CHECK_EQ(pthread_join(outsider, NULL), 0);
}

static void wake_shared(void)
{
    kri_store_sc(&word, 1);
    kri_wake(&word, 1, KRI_SHARED);
}

static int share_then_set(void *arg)
{
    (void)arg;
    while (kri_load_sc(&word) == 0)
        (void)kri_wait(&word, 0, KRI_NEVER, KRI_SHARED);
    set_event();
    return 0;
}

TEST(test_none_while_one_waits_for_another_process)
{
    pthread_t outsider = start_outsider(wake_shared);
    main_waits_for(share_then_set);
    CHECK_EQ(pthread_join(outsider, NULL), 0);
}

static int run_timer(void *arg)
{
    (void)arg;
    set_event();
    return 0;
}

TEST(test_none_while_a_timer_is_pending)
{
    kr_timer *timer;
    expect_none();
    CHECK_EQ(kr_timer_start(&timer, kr_ms(LONGER_THAN_A_REPORT_MS), run_timer, NULL, 0, NULL), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kr_timer_join(timer, NULL, KR_FOREVER), 0);
    kr_timer_release(timer);
    none_came();
}

static void send_signal(void)
{
    CHECK_EQ(kill(getpid(), SIGUSR1), 0);
}

TEST(test_none_while_a_signal_may_come)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    expect_stall(set_event);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &scope), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, &scope), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    pthread_t outsider = start_outsider(send_signal);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(pthread_join(outsider, NULL), 0);
    none_came();
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, NULL), 0);
    CHECK_EQ(kr_cancel_on_signal(SIGUSR1, NULL), 0);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_sc(&reports), 1);
    CHECK_EQ(lines(), 2);
}

/* How often the threads of this process have gone to sleep. */
static long sleeps(void)
{
    struct rusage usage;
    CHECK_EQ(getrusage(RUSAGE_SELF, &usage), 0);
    return usage.ru_nvcsw;
}

static bool is_asleep(kr_thread *t)
{
    char path[64], line[256] = "";
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", kr_thread_native_id(t));
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    CHECK(fgets(line, sizeof line, file) != NULL);
    fclose(file);
    return strstr(line, ") S ") != NULL;
}

static void wait_until_others_sleep(int others)
{
    kr_thread *threads[8];
    for (int asleep = 0; asleep < others; kri_test_nap()) {
        int count = kr_thread_enumerate(threads, 8);
        CHECK_EQ(count, others + 1);
        asleep = 0;
        for (int i = 0; i < count; i++) {
            asleep += threads[i] != kr_thread_current() && is_asleep(threads[i]);
            kr_thread_release(threads[i]);
        }
    }
}

static int pass(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    meet();
    return 0;
}

/* Nor does anybody wake to see whether there is one. */
TEST(test_none_beside_an_idle_pool_at_rest)
{
    enum { WORKERS = 4 };
    kr_executor *pool;
    expect_none();
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = WORKERS}), 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(kr_submit(pool, NULL, pass, NULL, 0, 0), 0);
    for (int i = 0; i < WORKERS; i++)
        CHECK_EQ(kr_semaphore_acquire(&entered, KR_FOREVER), 0);
    CHECK_EQ(kr_semaphore_release(&go, WORKERS), 0);
    wait_until_others_sleep(WORKERS);
    long before = sleeps();
    CHECK_EQ(kr_event_wait(&event, kr_ms(LONGER_THAN_A_REPORT_MS)), -ETIMEDOUT);
    if (!KRI_TSAN)
        CHECK_LE(sleeps() - before, 1);
    none_came();
    kr_executor_release(pool);
}
