/* Pools over a Redis server: workers that die, and a server that does.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/redis_help.h"

#include <fcntl.h>
#include <sys/stat.h>

struct trail {
    char path[200];
    int deaths; /* how many die of it */
    kr_time lasting;
};

/* Leaves a byte in a file each time that it is run; how many there are now. */
static int leave_trail(const struct trail *trail)
{
    int fd = open(trail->path, O_CREAT | O_WRONLY | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, "x", 1) != 1)
        abort();
    int runs = (int)lseek(fd, 0, SEEK_END);
    close(fd);
    return runs;
}

static int die_at_first(const void *arg, void *result)
{
    const struct trail *trail = arg;
    int runs = leave_trail(trail);
    if (runs <= trail->deaths)
        raise(SIGKILL);
    *(int *)result = runs;
    return 0;
}
KR_TASK(die_at_first);

static int compute(const void *arg, void *result)
{
    const struct trail *trail = arg;
    kr_time begun = kr_now();
    int runs = leave_trail(trail);
    while (kr_now() - begun < trail->lasting)
        kri_test_nap();
    *(int *)result = runs;
    return 0;
}
KR_TASK(compute);

static struct trail trail_of(int deaths)
{
    struct trail trail = {.deaths = deaths};
    snprintf(trail.path, sizeof trail.path, "%s/trail", server.directory);
    return trail;
}

static kr_process *start_hasty_worker(void)
{
    return start_worker_with((struct worker_plan){.lease = kr_sec(1)});
}

static void wait_ended(kr_process *worker)
{
    int code;
    CHECK_EQ(kr_process_join(worker, &code, KR_FOREVER), 0);
    CHECK_EQ(code, -SIGKILL);
    kr_process_release(worker);
}

TEST(a_dead_workers_task_is_run_by_another)
{
    begin_server();
    struct trail trail = trail_of(1);
    kr_process *first = start_hasty_worker();
    kr_executor *pool = make_pool();
    kr_future *f;
    int runs = 0;
    CHECK_EQ(kr_submit(pool, &f, die_at_first, &trail, sizeof trail, sizeof runs), 0);
    wait_ended(first);
    kr_process *second = start_hasty_worker();
    CHECK_EQ(square_of(pool, 4), 16); /* what is new does not wait for it */
    CHECK_EQ(kr_future_result(f, &runs, sizeof runs, NULL, KR_FOREVER), 0);
    CHECK_EQ(runs, 2);
    kr_future_release(f);
    end(pool);
    end_worker(second);
}

/* A task that is the death of three is not given to a fourth. */
TEST(a_deadly_task_fails)
{
    begin_server();
    struct trail trail = trail_of(1000);
    kr_executor *pool = make_pool();
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, die_at_first, &trail, sizeof trail, sizeof(int)), 0);
    for (int i = 0; i < 3; i++)
        wait_ended(start_hasty_worker());
    kr_process *fourth = start_hasty_worker();
    CHECK_EQ(error_of(f), KR_ECRASHED);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
    end_worker(fourth);
}

/* A claim is renewed while the task runs. */
TEST(a_long_task_is_run_once)
{
    begin_server();
    struct trail trail = trail_of(0);
    struct worker_plan plan = {.lease = kr_sec(5)};
    struct stat status;
    kr_process *workers[2];
    for (int i = 0; i < 2; i++)
        workers[i] = start_worker_with(plan);
    kr_executor *pool = make_pool();
    kr_future *f;
    int runs = 0;
    trail.lasting = kr_sec(7);
    CHECK_EQ(kr_submit(pool, &f, compute, &trail, sizeof trail, sizeof runs), 0);
    CHECK_EQ(kr_future_result(f, &runs, sizeof runs, NULL, KR_FOREVER), 0);
    CHECK_EQ(runs, 1);
    CHECK_EQ(stat(trail.path, &status), 0);
    CHECK_EQ(status.st_size, 1); /* nor has another begun it, whose result would come too late */
    kr_future_release(f);
    end(pool);
    for (int i = 0; i < 2; i++)
        end_worker(workers[i]);
}

/* Somebody else takes over what a worker that hangs has had, and one result comes. */
TEST(a_worker_that_comes_back_too_late)
{
    begin_server();
    struct trail trail = trail_of(0);
    kr_process *first = start_hasty_worker();
    kr_executor *pool = make_pool();
    kr_remote_counts counts;
    kr_future *f;
    int runs = 0;
    trail.lasting = kr_ms(100);
    CHECK_EQ(kr_submit(pool, &f, compute, &trail, sizeof trail, sizeof runs), 0);
    while (access(trail.path, F_OK) != 0)
        kri_test_nap();
    kri_test_stop(kr_process_pid(first));
    kr_process *second = start_hasty_worker();
    CHECK_EQ(kr_future_result(f, &runs, sizeof runs, NULL, KR_FOREVER), 0);
    CHECK(runs == 1 || runs == 2); /* where it was quicker than its stop */
    kr_future_release(f);
    CHECK_EQ(kill(kr_process_pid(first), SIGCONT), 0);
    for (long n = 0; n < 20; n++)
        CHECK_EQ(square_of(pool, n), n * n);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.replayed, 0);
    end(pool);
    end_worker(first);
    end_worker(second);
}

/* Until the server has so many tasks. */
static void wait_sent(int64_t count)
{
    kri_redis *r;
    int64_t length = 0;
    CHECK_EQ(kri_redis_open(&r, redis_url(&server), NULL), 0);
    while (length < count) {
        kri_reply *reply;
        CHECK_EQ(kri_redis_do(r, KRI_WORDS(kri_word("XLEN"), kri_word("krait:{" NAME "}:tasks")),
                              KRI_REDIS_AGAIN, kri_redis_deadline(r), &reply),
                 0);
        length = kri_reply_integer(reply);
        kri_reply_free(reply);
        kri_test_nap();
    }
    kri_redis_release(r);
}

/* What it has forgotten is sent again. */
TEST(a_server_that_forgets)
{
    enum { COUNT = 10 };
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    begin_server();
    kr_executor *pool = make_pool();
    kr_remote_counts counts;
    kr_future *futures[COUNT];
    for (long n = 0; n < COUNT; n++)
        CHECK_EQ(kr_submit(pool, &futures[n], square, &n, sizeof n, sizeof n), 0);
    wait_sent(COUNT);
    redis_kill(&server);
    redis_start_again(&server);
    start_thread_worker(&worker);
    for (long n = 0; n < COUNT; n++) {
        long result = -1;
        CHECK_EQ(kr_future_result(futures[n], &result, sizeof result, NULL, KR_FOREVER), 0);
        CHECK_EQ(result, n * n);
        kr_future_release(futures[n]);
    }
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.again, COUNT);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
    end_thread_worker(&worker);
}

TEST(a_server_that_restarts_under_a_worker)
{
    begin_server();
    kr_process *worker = start_worker();
    kr_executor *pool = make_pool();
    for (int turn = 0; turn < 3; turn++) {
        for (long n = 0; n < 10; n++)
            CHECK_EQ(square_of(pool, n), n * n);
        redis_kill(&server);
        redis_start_again(&server);
    }
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
    end_worker(worker);
}

/* Away for longer than one is ready to wait: the pool is broken, and the worker returns. */
TEST(a_server_that_is_away_for_too_long)
{
    struct thread_worker worker = {.remote = {.timeout = kr_sec(2)}};
    kr_remote_options remote = {.timeout = kr_sec(2)};
    begin_server();
    kr_executor *pool = make_pool_with(NULL, &remote);
    kr_future *f;
    long n = 3;
    start_thread_worker(&worker);
    CHECK_EQ(square_of(pool, 4), 16);
    redis_kill(&server);
    CHECK_EQ(kr_thread_join(worker.thread, NULL, KR_FOREVER), 0);
    CHECK(worker.result < 0 && worker.result != -ECANCELED);
    kr_thread_release(worker.thread);
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    CHECK_EQ(error_of(f), KR_EBROKEN);
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), KR_EBROKEN);
    end(pool);
}

/* Exit finishes what was submitted. */
static int leave_a_pool(void *arg)
{
    static kr_executor *pool; /* which is no leak */
    const struct worker_plan *plan = arg;
    if (kr_redis_pool(&pool, plan->where, NAME, NULL, NULL) != 0)
        return 1;
    for (long n = 0; n < 50; n++)
        if (kr_submit(pool, NULL, square, &n, sizeof n, sizeof n) != 0)
            return 1;
    return 0;
}
KR_TASK(leave_a_pool);

TEST(test_interpreter_shutdown)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    struct worker_plan plan;
    kr_process *process;
    int code = 1;
    begin_server();
    snprintf(plan.where, sizeof plan.where, "%s", redis_url(&server));
    start_thread_worker(&worker);
    CHECK_EQ(kr_process_start(&process, leave_a_pool, &plan, sizeof plan,
                              &(kr_process_options){.start = KR_SPAWN}),
             0);
    CHECK_EQ(kr_process_join(process, &code, KR_FOREVER), 0);
    CHECK_EQ(code, 0);
    kr_process_release(process);
    end_thread_worker(&worker);
    CHECK_EQ(worker.counts.done, 50);
}
