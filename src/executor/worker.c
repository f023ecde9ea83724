/* A worker of the thread pool; its states are told in pool.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include <stdio.h>

#include "os/os.h"

enum { ROOM_BY_DEFAULT = 1 << 20 }; /* of a stack of 8 MiB; half of one that was asked for */

void kri_worker_call(kri_worker *worker)
{
    kri_store_sc(&worker->called, 1); /* [pool-2] */
    kri_wake(&worker->called, 1, 0);
}

/* The mutex is held at call and return and free meanwhile. */
static void idle(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    kri_store_rlx(&worker->called, 0);
    worker->next_idle = pool->idle;
    pool->idle = worker;
    kri_mutex_unlock(&pool->mutex);
    while (!kri_load_acq(&worker->called)) /* [pool-2] */
        (void)kri_wait(&worker->called, 0, KRI_NEVER, KRI_UNCANCELLABLE | KRI_IDLE);
    kri_mutex_lock(&pool->mutex);
    pool->covering--;
}

/* The next task, NULL when there will be none.  The mutex is held at call and return. */
static kr_future *next_task(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    for (;;) {
        kr_future *f = kri_queue_pop(&pool->queue);
        if (f) {
            kri_pool_departed(pool);
            return f;
        }
        if (pool->shut)
            return NULL;
        idle(worker);
    }
}

static bool is_forked(const kri_pool *pool)
{
    return pool->executor.generation != kri_fork_generation();
}

/* Run tasks until there are no more; false: this is a forked child, where the pool is no more. */
static bool serve(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    kr_future *f;
    while ((f = next_task(worker)) != NULL) {
        bool counted = false;
        kri_mutex_unlock(&pool->mutex);
        kri_run(f, &pool->executor, &pool->finishing, &counted);
        if (is_forked(pool))
            return false;
        kri_mutex_lock(&pool->mutex);
        if (counted)
            kri_sub_rlx(&pool->finishing, 1); /* [pool-1] */
    }
    return true;
}

static int initialize(kri_pool *pool)
{
    const kr_pool_options *o = &pool->options;
    int err = o->initializer ? o->initializer(o->initializer_arg) : 0;
    return err < 0 ? err : 0;
}

/* As serve; true: the mutex is held. */
static bool initialize_and_serve(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    int err = initialize(pool);
    if (is_forked(pool))
        return false;
    if (err)
        kri_pool_break(pool, err);
    kri_mutex_lock(&pool->mutex);
    pool->covering--;
    return err || serve(worker);
}

static int work(void *arg)
{
    kri_worker *worker = arg;
    kri_pool *pool = worker->pool;
    size_t stack = pool->options.stack_size;
    kri_frame frame = {.bottom = __builtin_frame_address(0),
                       .room = stack ? stack / 2 : ROOM_BY_DEFAULT};
    kri_frame_enter(&frame, &pool->executor, NULL);
    bool here = initialize_and_serve(worker);
    kri_frame_leave(&frame);
    if (!here)
        return 0;
    pool->alive--;
    kri_pool_check_ended(pool);
    kri_mutex_unlock(&pool->mutex);
    kri_pool_unref(pool);
    return 0;
}

static int start_thread(kri_worker *worker, kr_thread **thread)
{
    kri_pool *pool = worker->pool;
    char name[sizeof pool->name + 16];
    snprintf(name, sizeof name, "%s_%d", pool->name, worker->number);
    kr_thread_options options = {
        .name = name, .daemon = KR_DAEMON_NO, .stack_size = pool->options.stack_size};
    return kr_thread_start(thread, work, worker, 0, &options);
}

static void list(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    worker->next = pool->all;
    pool->all = worker;
}

int kri_worker_start(kri_pool *pool)
{
    kri_worker *worker = os_alloc(sizeof *worker);
    if (!worker)
        return -ENOMEM;
    kri_mutex_lock(&pool->mutex);
    worker->pool = pool;
    worker->number = pool->numbered++;
    kri_mutex_unlock(&pool->mutex);
    kri_add_rlx(&pool->references, 1);
    kr_thread *thread;
    int err = start_thread(worker, &thread);
    if (err) {
        kri_pool_unref(pool);
        os_free(worker);
        return err;
    }
    kri_mutex_lock(&pool->mutex);
    worker->thread = thread;
    list(worker);
    kri_mutex_unlock(&pool->mutex);
    return 0;
}
