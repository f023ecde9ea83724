/* A pool as one writes it in an afternoon, one lock and one condition; a loop without any pool; and
 * the peers that are programs of their own.
 *
 * The caller is not one of the workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "pool.h"

#include <pthread.h>
#include <stdlib.h>

struct task {
    struct task *next;
    struct bench_call call;
    bool done;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t queued = PTHREAD_COND_INITIALIZER, done = PTHREAD_COND_INITIALIZER;
static struct task *first, **end = &first;
static int waiting; /* for done */

static void *work(void *arg)
{
    pthread_mutex_lock(&lock);
    for (;;) {
        while (!first)
            pthread_cond_wait(&queued, &lock);
        struct task *task = first;
        first = task->next;
        if (!first)
            end = &first;
        pthread_mutex_unlock(&lock);
        task->call.result = bench_task(task->call.arg, task->call.rounds);
        pthread_mutex_lock(&lock);
        task->done = true;
        if (waiting)
            pthread_cond_broadcast(&done);
    }
    return arg;
}

static void open_naive(int workers)
{
    pthread_t thread;
    for (int i = 0; i < workers; i++)
        BENCH_MUST(-pthread_create(&thread, NULL, work, NULL));
}

static struct task *submit_one(uint64_t arg, unsigned rounds)
{
    struct task *task = malloc(sizeof *task);
    if (!task)
        bench_fail("malloc");
    *task = (struct task){.call = {.arg = arg, .rounds = rounds}};
    pthread_mutex_lock(&lock);
    *end = task;
    end = &task->next;
    pthread_cond_signal(&queued);
    pthread_mutex_unlock(&lock);
    return task;
}

static uint64_t finish(struct task *task)
{
    pthread_mutex_lock(&lock);
    waiting++;
    while (!task->done)
        pthread_cond_wait(&done, &lock);
    waiting--;
    pthread_mutex_unlock(&lock);
    uint64_t result = task->call.result;
    free(task);
    return result;
}

static uint64_t submit_naive(unsigned long count, unsigned rounds)
{
    struct task **tasks = bench_places(count, sizeof *tasks);
    uint64_t sum = 0;
    for (unsigned long i = 0; i < count; i++)
        tasks[i] = submit_one(i, rounds);
    for (unsigned long i = 0; i < count; i++)
        sum += finish(tasks[i]);
    return sum;
}

static uint64_t round_trip_naive(uint64_t arg)
{
    return finish(submit_one(arg, 0));
}

const struct bench_pool bench_naive_pool = {
    .open = open_naive,
    .submit = submit_naive,
    .round_trip = round_trip_naive,
};

static void open_nothing(int workers)
{
    (void)workers;
}

static void loop_alone(const double *from, double *to, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = bench_item(from[i]);
}

static void loop_call_alone(const double *from, double *to, size_t count)
{
    bench_item_fn *call = bench_item_call;
    for (size_t i = 0; i < count; i++)
        (void)call(&from[i], &to[i]);
}

const struct bench_pool bench_sequential = {
    .open = open_nothing,
    .loop = loop_alone,
    .loop_call = loop_call_alone,
};

#ifdef KRI_GO_PROGRAM
const struct bench_pool bench_go_pool = {.program = KRI_GO_PROGRAM};
#endif
#ifdef KRI_PYTHON
const struct bench_pool bench_cpython_pool = {.program = KRI_PYTHON_SCRIPT,
                                              .interpreter = KRI_PYTHON};
#endif
