/* Pools over a server where the system refuses them something: see refuse.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults/refuse.h"

#include "harness/redis.h"

#define KEY  "0123456789abcdef0123456789abcdef"
#define NAME "faults"

static redis_server server;

static int add_one(const void *arg, void *result)
{
    *(long *)result = *(const long *)arg + 1;
    return 0;
}
KR_TASK(add_one);

/* Leases that are over before anybody gets impatient; and the server answers, however late. */
static kr_remote_options remote = {.key = KEY,
                                   .key_size = sizeof KEY - 1,
                                   .timeout = 60ll * 1000 * 1000 * 1000,
                                   .lease = 60 * 1000 * 1000};

static void begin_server(void)
{
    kr_executor *pool;
    redis_start(&server);
    int err = kr_redis_pool(&pool, redis_url(&server), NAME, NULL, &remote);
    if (err == -ENOSYS)
        SKIP("built without hiredis or OpenSSL");
    CHECK_EQ(err, 0);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
}

/* One that serves again when it could not. */
typedef struct worker {
    kr_cancel_scope scope;
    kr_thread *thread;
} worker;

static int serve(void *arg)
{
    worker *w = *(worker **)arg;
    int err = 0;
    if (kr_cancel_scope_enter(&w->scope, KR_FOREVER) != 0)
        return -ENOMEM;
    while (err != -ECANCELED) {
        err = kr_redis_serve(redis_url(&server), NAME, &remote);
        if (err != -ECANCELED && kr_sleep(kr_ms(1)) != 0)
            break;
    }
    (void)kr_cancel_scope_exit(&w->scope);
    return 0;
}

static void end_worker(worker *w)
{
    kr_cancel(&w->scope);
    CHECK_EQ(kr_thread_join(w->thread, NULL, KR_FOREVER), 0);
    kr_thread_release(w->thread);
}

static bool left_over; /* a task that nobody has answered */

static int run_one(kr_executor *pool)
{
    kr_future *f = NULL;
    long n = 1, result = 0;
    int err = kr_submit(pool, &f, add_one, &n, sizeof n, sizeof result);
    if (err != 0)
        return err;
    int patience = 400;
    do { /* with nothing to work with nobody answers */
        err = kr_future_result(f, &result, sizeof result, NULL, kr_ms(50));
        patience -= faulty_fails_now() ? 50 : 1;
    } while (err == -ETIMEDOUT && patience > 0);
    CHECK(err != 0 || result == 2);
    kr_future_release(f);
    return err == -ETIMEDOUT ? -EAGAIN : err;
}

static int redis_pool(void)
{
    kr_executor *pool = NULL;
    worker w = {.scope = KR_CANCEL_SCOPE_INIT}, *arg = &w;
    int err = kr_thread_start(&w.thread, serve, &arg, sizeof arg, NULL);
    if (err != 0)
        return err;
    err = kr_redis_pool(&pool, redis_url(&server), NAME, NULL, &remote);
    CHECK((err == 0) == (pool != NULL));
    if (err == 0)
        err = run_one(pool);
    if (left_over)
        CHECK_EQ(kr_sleep(kr_ms(300)), 0);
    left_over = err != 0;
    if (pool != NULL) {
        int ended = kr_executor_shutdown(pool, NULL, left_over ? KR_NOWAIT : KR_FOREVER);
        CHECK(ended == 0 || left_over);
        kr_executor_release(pool);
    }
    end_worker(&w);
    return err;
}

/* How much lives is not counted: how many threads there were at a time is left to chance, and with
 * it what is kept for the next ones. */
static void refuse(faulty_group group)
{
    attempt a = {.op = redis_pool, .group = group, .live = INT64_MAX, .descriptors = INT_MAX};
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    begin_server();
    now = mmap(NULL, sizeof *now, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    CHECK_GE(refuse_from(&a), 1);
    a.all_after = true;
    CHECK_GE(refuse_from(&a), 1);
}

TEST(redis_pool_refused)
{
    refuse(FAULTY_SYSTEM);
}

TEST(redis_pool_without_memory)
{
    refuse(FAULTY_MEMORY);
}
