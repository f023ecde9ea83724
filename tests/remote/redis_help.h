/* Pools over a real Redis server, and workers that are processes of the test's own.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_REMOTE_REDIS_HELP_H
#define KRI_TESTS_REMOTE_REDIS_HELP_H

#include "remote/help.h"

#include "harness/redis.h"
#include "remote/post.h"

#define NAME "tests"

static redis_server server;

static inline void begin_server(void)
{
    char text[200];
    kri_redis *r;
    redis_start(&server);
    int err = kri_redis_open(&r, redis_url(&server), NULL);
    if (err == -ENOSYS)
        SKIP(kr_redis_error_text(text, sizeof text));
    CHECK_EQ(err, 0);
    kri_redis_release(r);
    CHECK_EQ(setenv("KRAIT_KEY", TEST_KEY, 1), 0);
}

static inline kr_executor *make_pool_with(const kr_pool_options *options,
                                          const kr_remote_options *remote)
{
    kr_executor *pool;
    CHECK_EQ(kr_redis_pool(&pool, redis_url(&server), NAME, options, remote), 0);
    return pool;
}

static inline kr_executor *make_pool(void)
{
    return make_pool_with(NULL, NULL);
}

/* A worker in a process that dies with this one: before the case has threads, or spawned. */
struct worker_plan {
    char where[320];
    kr_time lease;
    kr_time idle;
    char key[64];
};

static inline int be_worker(void *arg)
{
    const struct worker_plan *plan = arg;
    kr_remote_options remote = {.lease = plan->lease, .idle = plan->idle};
    if (plan->key[0]) {
        remote.key = plan->key;
        remote.key_size = strlen(plan->key);
    }
    int err = kr_redis_serve(plan->where, NAME, &remote);
    return err == KR_SERVED ? 0 : err;
}
KR_TASK(be_worker);

static inline kr_process *start_worker_with(struct worker_plan plan)
{
    kr_process *process;
    snprintf(plan.where, sizeof plan.where, "%s", redis_url(&server));
    CHECK_EQ(kr_process_start(&process, be_worker, &plan, sizeof plan,
                              &(kr_process_options){.start = KR_SPAWN, .daemon = KR_DAEMON_YES}),
             0);
    return process;
}

static inline kr_process *start_worker(void)
{
    return start_worker_with((struct worker_plan){.lease = kr_sec(5)});
}

static inline void end_worker(kr_process *process)
{
    CHECK_EQ(kr_process_kill(process), 0);
    CHECK_EQ(kr_process_join(process, NULL, KR_FOREVER), 0);
    kr_process_release(process);
}

/* A worker that is a thread, and ends by a cancel. */
struct thread_worker {
    kr_cancel_scope scope;
    kr_remote_options remote;
    kr_remote_counts counts;
    int result;
    kr_thread *thread;
};

static inline int serve_in_thread(void *arg)
{
    struct thread_worker *w = *(struct thread_worker **)arg;
    CHECK_EQ(kr_cancel_scope_enter(&w->scope, KR_FOREVER), 0);
    w->remote.counts = &w->counts;
    w->result = kr_redis_serve(redis_url(&server), NAME, &w->remote);
    (void)kr_cancel_scope_exit(&w->scope);
    return 0;
}

static inline void start_thread_worker(struct thread_worker *w)
{
    CHECK_EQ(kr_thread_start(&w->thread, serve_in_thread, &w, sizeof w, NULL), 0);
}

static inline void end_thread_worker(struct thread_worker *w)
{
    kr_cancel(&w->scope);
    CHECK_EQ(kr_thread_join(w->thread, NULL, KR_FOREVER), 0);
    CHECK_EQ(w->result, -ECANCELED);
    kr_thread_release(w->thread);
}

#endif
