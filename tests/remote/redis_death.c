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

static void ask_others_until_done(kr_executor *pool, const kr_future *f)
{
    kr_time began = kr_now();
    while (!kr_future_done(f)) {
        CHECK_EQ(square_of(pool, 4), 16);
        CHECK_LE(kr_now() - began, kr_sec(40));
    }
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

enum { COUNT = 10 };

static void submit_squares(kr_executor *pool, kr_future *futures[COUNT])
{
    for (long n = 0; n < COUNT; n++)
        CHECK_EQ(kr_submit(pool, &futures[n], square, &n, sizeof n, sizeof n), 0);
}

static void check_squares(kr_future *futures[COUNT])
{
    for (long n = 0; n < COUNT; n++) {
        long result = -1;
        CHECK_EQ(kr_future_result(futures[n], &result, sizeof result, NULL, kr_sec(100)), 0);
        CHECK_EQ(result, n * n);
        kr_future_release(futures[n]);
    }
}

/* A request of somebody else's. */
static kri_reply *ask(const kri_redis_word *words, int count)
{
    kri_redis *r;
    kri_reply *reply;
    CHECK_EQ(kri_redis_open(&r, redis_url(&server), NULL), 0);
    CHECK_EQ(kri_redis_do(r, words, count, KRI_REDIS_AGAIN, kri_redis_deadline(r), &reply), 0);
    kri_redis_release(r);
    return reply;
}

static void tell(const kri_redis_word *words, int count)
{
    kri_reply_free(ask(words, count));
}

#define TASKS "krait:{" NAME "}:tasks"

/* The same where something new is sent before anybody has asked what it knows. */
TEST(a_server_that_forgets_is_sent_more)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    kr_future *futures[2][COUNT];
    begin_server();
    kr_executor *pool = make_pool();
    submit_squares(pool, futures[0]);
    wait_sent(COUNT);
    redis_kill(&server);
    redis_start_again(&server);
    submit_squares(pool, futures[1]);
    start_thread_worker(&worker);
    check_squares(futures[0]);
    check_squares(futures[1]);
    end(pool);
    end_thread_worker(&worker);
}

/* A server with an old copy of what there was, as after a crash or a fail-over. */
static void put_back_copy(bool mark)
{
    size_t size;
    kri_reply *keys = ask(KRI_WORDS(kri_word("KEYS"), kri_word("krait:{" NAME "}:mark:*")));
    CHECK_EQ(kri_reply_count(keys), 1);
    const char *key = kri_reply_bytes(kri_reply_at(keys, 0), &size);
    if (mark)
        tell(KRI_WORDS(kri_word("SET"), kri_word_of(key, size), kri_word("1")));
    tell(KRI_WORDS(kri_word("XTRIM"), kri_word(TASKS), kri_word("MAXLEN"), kri_word("0")));
    kri_reply_free(keys);
}

TEST(a_server_that_forgets_the_last)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    kr_future *futures[COUNT];
    begin_server();
    kr_executor *pool = make_pool();
    for (int turn = 0; turn < 2; turn++) {
        submit_squares(pool, futures);
        wait_sent(COUNT);
        put_back_copy(turn == 0);
        worker.scope = (kr_cancel_scope){0};
        start_thread_worker(&worker);
        check_squares(futures);
        end_thread_worker(&worker);
    }
    end(pool);
}

/* Full: what is there is worked off, and what comes waits for room. */
TEST(a_server_that_is_full)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(5)}};
    kr_future *futures[2][COUNT];
    begin_server();
    kr_executor *pool = make_pool();
    submit_squares(pool, futures[0]);
    wait_sent(COUNT);
    tell(KRI_WORDS(kri_word("CONFIG"), kri_word("SET"), kri_word("maxmemory"), kri_word("1")));
    start_thread_worker(&worker);
    check_squares(futures[0]);
    submit_squares(pool, futures[1]);
    CHECK_EQ(kr_future_exception(futures[1][0], NULL, kr_ms(200)), -ETIMEDOUT);
    tell(KRI_WORDS(kri_word("CONFIG"), kri_word("SET"), kri_word("maxmemory"), kri_word("0")));
    check_squares(futures[1]);
    end(pool);
    end_thread_worker(&worker);
}

/* How many requests had this as that word. */
static int count_requests(size_t at, const char *word)
{
    int count = 0;
    size_t size;
    kri_reply *log = ask(KRI_WORDS(kri_word("SLOWLOG"), kri_word("GET"), kri_word("1000")));
    for (size_t i = 0; i < kri_reply_count(log); i++) {
        const kri_reply *words = kri_reply_at(kri_reply_at(log, i), 3);
        count += strcmp(kri_reply_bytes(kri_reply_at(words, at), &size), word) == 0;
    }
    kri_reply_free(log);
    return count;
}

/* A worker is given its next task with the answer to its last. */
TEST(one_request_a_task)
{
    enum { MANY = 3 * COUNT };
    struct thread_worker worker = {.remote = {.lease = kr_sec(40)}};
    kr_future *futures[3][COUNT];
    begin_server();
    kr_executor *pool = make_pool();
    for (int i = 0; i < 3; i++)
        submit_squares(pool, futures[i]);
    wait_sent(MANY);
    tell(KRI_WORDS(kri_word("CONFIG"), kri_word("SET"), kri_word("slowlog-max-len"),
                   kri_word("1000")));
    tell(KRI_WORDS(kri_word("CONFIG"), kri_word("SET"), kri_word("slowlog-log-slower-than"),
                   kri_word("0")));
    start_thread_worker(&worker);
    for (int i = 0; i < 3; i++)
        check_squares(futures[i]);
    CHECK_GE(count_requests(0, "XREADGROUP"), MANY);
    CHECK_LE(count_requests(6, "BLOCK"), MANY / 2); /* of its own: one a second without a task */
    end(pool);
    end_thread_worker(&worker);
    CHECK_EQ(worker.counts.done, MANY);
}

static void set_idle(const char *id, const char *ms)
{
    tell(KRI_WORDS(kri_word("XCLAIM"), kri_word(TASKS), kri_word(KRI_POST_GROUP),
                   kri_word("another"), kri_word("0"), kri_word(id), kri_word("IDLE"),
                   kri_word(ms)));
}

/* Somebody else's dead worker is found behind as many that live as there may be. */
TEST(a_dead_worker_behind_many)
{
    enum { MANY = 3 * COUNT };
    struct thread_worker worker = {.remote = {.lease = kr_sec(40)}};
    kr_future *futures[3][COUNT];
    char id[KRI_POST_ID];
    const unsigned char *bytes;
    size_t size;
    begin_server();
    kr_executor *pool = make_pool();
    for (int i = 0; i < 3; i++)
        submit_squares(pool, futures[i]);
    wait_sent(MANY);
    kri_reply *reply = ask(KRI_WORDS(
        kri_word("XREADGROUP"), kri_word("GROUP"), kri_word(KRI_POST_GROUP), kri_word("another"),
        kri_word("COUNT"), kri_word("100"), kri_word("STREAMS"), kri_word(TASKS), kri_word(">")));
    const kri_reply *entries = kri_reply_at(kri_reply_at(reply, 0), 1);
    CHECK_EQ(kri_reply_count(entries), MANY);
    CHECK(kri_post_entry(kri_reply_at(entries, MANY - 1), id, &bytes, &size));
    set_idle(id, "3600000");
    start_thread_worker(&worker);
    CHECK_EQ(kr_future_exception(futures[2][COUNT - 1], NULL, kr_sec(20)), 0);
    CHECK(!kr_future_done(futures[0][0]));
    for (int i = 0; i < MANY - 1; i++) {
        CHECK(kri_post_entry(kri_reply_at(entries, (size_t)i), id, &bytes, &size));
        set_idle(id, "3600000");
    }
    for (int i = 0; i < 3; i++)
        check_squares(futures[i]);
    kri_reply_free(reply);
    end(pool);
    end_thread_worker(&worker);
}

/* Another has one for long, and one is not there any more: the second is sent again, though the
 * stream is not empty. */
TEST(a_task_that_is_lost_beside_others)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(100)}};
    kr_future *futures[COUNT];
    char ids[2][KRI_POST_ID];
    const unsigned char *bytes;
    size_t size;
    kr_remote_counts counts;
    begin_server();
    kr_executor *pool = make_pool();
    submit_squares(pool, futures);
    wait_sent(COUNT);
    kri_reply *reply = ask(KRI_WORDS(
        kri_word("XREADGROUP"), kri_word("GROUP"), kri_word(KRI_POST_GROUP), kri_word("another"),
        kri_word("COUNT"), kri_word("1"), kri_word("STREAMS"), kri_word(TASKS), kri_word(">")));
    CHECK(kri_post_entry(kri_reply_at(kri_reply_at(kri_reply_at(reply, 0), 1), 0), ids[0], &bytes,
                         &size));
    kri_reply_free(reply);
    reply = ask(KRI_WORDS(kri_word("XRANGE"), kri_word(TASKS), kri_word("-"), kri_word("+")));
    CHECK(kri_post_entry(kri_reply_at(reply, COUNT / 2), ids[1], &bytes, &size));
    kri_reply_free(reply);
    tell(KRI_WORDS(kri_word("XDEL"), kri_word(TASKS), kri_word(ids[1])));
    start_thread_worker(&worker);
    CHECK_EQ(kr_future_exception(futures[COUNT / 2], NULL, kr_sec(40)), 0);
    CHECK(!kr_future_done(futures[0]));
    set_idle(ids[0], "3600000");
    check_squares(futures);
    CHECK_EQ(kr_remote_read_counts(pool, &counts), 0);
    CHECK_EQ(counts.again, 1);
    end(pool);
    end_thread_worker(&worker);
}

/* The same where there is a new one to be done at any time, for one that a worker has dropped. */
TEST(a_task_that_is_lost_in_a_stream_of_others)
{
    struct thread_worker worker = {.remote = {.lease = kr_sec(100)}};
    char id[KRI_POST_ID];
    const unsigned char *bytes;
    size_t size;
    long n = 7, result = 0;
    kr_future *f;
    begin_server();
    kr_executor *pool = make_pool();
    CHECK_EQ(kr_submit(pool, &f, square, &n, sizeof n, sizeof n), 0);
    wait_sent(1);
    kri_reply *reply = ask(KRI_WORDS(
        kri_word("XREADGROUP"), kri_word("GROUP"), kri_word(KRI_POST_GROUP), kri_word("another"),
        kri_word("COUNT"), kri_word("1"), kri_word("STREAMS"), kri_word(TASKS), kri_word(">")));
    CHECK(kri_post_entry(kri_reply_at(kri_reply_at(kri_reply_at(reply, 0), 1), 0), id, &bytes,
                         &size));
    kri_reply_free(reply);
    tell(KRI_WORDS(kri_word("XACK"), kri_word(TASKS), kri_word(KRI_POST_GROUP), kri_word(id)));
    tell(KRI_WORDS(kri_word("XDEL"), kri_word(TASKS), kri_word(id)));
    start_thread_worker(&worker);
    ask_others_until_done(pool, f);
    CHECK_EQ(kr_future_result(f, &result, sizeof result, NULL, KR_NOWAIT), 0);
    CHECK_EQ(result, 49);
    kr_future_release(f);
    end(pool);
    end_thread_worker(&worker);
}

/* A worker that is killed in a task, while another always has something else to do. */
TEST(a_dead_workers_task_in_a_stream_of_others)
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
    ask_others_until_done(pool, f);
    CHECK_EQ(kr_future_result(f, &runs, sizeof runs, NULL, KR_NOWAIT), 0);
    CHECK_EQ(runs, 2);
    kr_future_release(f);
    end(pool);
    end_worker(second);
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

/* A pool and a worker that were started before their server wait for it. */
TEST(a_server_that_comes_later)
{
    struct thread_worker worker = {.remote = {.timeout = kr_sec(100)}};
    kr_remote_options remote = {.timeout = kr_sec(100)};
    redis_starter starter;
    kr_executor *pool;
    begin_server();
    redis_kill(&server);
    CHECK_EQ(unlink(server.socket), 0);
    start_thread_worker(&worker);
    redis_starter_begin(&starter, &server);
    CHECK_EQ(kr_redis_pool(&pool, redis_url_tcp(&server), NAME, NULL, &remote), 0);
    CHECK_EQ(square_of(pool, 4), 16);
    end(pool);
    end_thread_worker(&worker);
    redis_starter_end(&starter);
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
