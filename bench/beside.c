/* What a loop in another thread costs those who have none: the same work in the main thread of a
 * program in which another one runs a loop, with coroutines that wait for a descriptor, for a time
 * and for an event, and of one in which the other thread sleeps.
 *
 *     beside_loop.lock    a free lock taken and given back
 *     beside_loop.queue   a number put into a queue and got out
 *     beside_loop.submit  an empty task, submitted to a pool of one worker and waited for
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include <krait/krait.h>
#include <unistd.h>

enum { LOCKS = 5000000, NUMBERS = 2000000, TASKS = 200000, ROOM = 16 };

enum kind { ALONE, LOOP };
static const enum kind alone = ALONE, loop = LOOP;

static kr_event stays, is_there;
static int nothing[2]; /* a pipe into which nobody writes */

static int wait_for_input(const void *arg, void *result)
{
    char byte;
    (void)arg, (void)result;
    return (int)kr_read(nothing[0], &byte, 1, KR_FOREVER);
}

static int wait_for_time(const void *arg, void *result)
{
    (void)arg, (void)result;
    return kr_sleep(kr_sec(3600));
}

static int wait_for_event(void *arg)
{
    (void)arg;
    kr_event_set(&is_there);
    return kr_event_wait(&stays, KR_FOREVER);
}

static int wait_among_others(void *arg)
{
    BENCH_MUST(kr_spawn(NULL, wait_for_input, NULL, 0, 0, NULL));
    BENCH_MUST(kr_spawn(NULL, wait_for_time, NULL, 0, 0, NULL));
    BENCH_MUST(kr_yield());
    return wait_for_event(arg);
}

static int run_loop(void *arg)
{
    return kr_run(wait_among_others, arg);
}

/* It goes with the process, which is the row's own. */
static void begin(const void *subject)
{
    enum kind kind = *(const enum kind *)subject;
    kr_thread_options options = {.daemon = KR_DAEMON_YES};
    if (pipe(nothing) < 0)
        bench_fail("pipe");
    BENCH_MUST(kr_thread_start(NULL, kind == LOOP ? run_loop : wait_for_event, NULL, 0, &options));
    BENCH_MUST(kr_event_wait(&is_there, KR_FOREVER));
}

static struct bench_result per_op(double taken, unsigned long count)
{
    return (struct bench_result){.ns_per_op = taken / (double)count};
}

static struct bench_result measure_lock(const struct bench_workload *workload, const void *subject)
{
    static kr_lock lock;
    unsigned long count = bench_amount(LOCKS);
    (void)workload;
    begin(subject);
    double began = bench_now();
    for (unsigned long i = 0; i < count; i++) {
        BENCH_MUST(kr_lock_acquire(&lock, KR_FOREVER));
        BENCH_MUST(kr_lock_release(&lock));
    }
    return per_op(bench_now() - began, count);
}

static struct bench_result measure_queue(const struct bench_workload *workload, const void *subject)
{
    kr_queue *queue;
    unsigned long count = bench_amount(NUMBERS), sum = 0, number;
    (void)workload;
    begin(subject);
    BENCH_MUST(kr_queue_create(&queue, sizeof number, ROOM, NULL));
    double began = bench_now();
    for (unsigned long i = 0; i < count; i++) {
        BENCH_MUST(kr_queue_put(queue, &i, KR_FOREVER));
        BENCH_MUST(kr_queue_get(queue, &number, KR_FOREVER));
        sum += number - i;
    }
    if (sum != 0)
        bench_fail("a number in a queue");
    return per_op(bench_now() - began, count);
}

static int do_nothing(const void *arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

static struct bench_result measure_submit(const struct bench_workload *workload,
                                          const void *subject)
{
    kr_executor *pool;
    kr_future *future;
    unsigned long count = bench_amount(TASKS);
    (void)workload;
    begin(subject);
    BENCH_MUST(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1}));
    double began = bench_now();
    for (unsigned long i = 0; i < count; i++) {
        BENCH_MUST(kr_submit(pool, &future, do_nothing, NULL, 0, 0));
        BENCH_MUST(kr_future_exception(future, NULL, KR_FOREVER));
        kr_future_release(future);
    }
    return per_op(bench_now() - began, count);
}

void bench_beside_rows(const char *filter)
{
    static const struct bench_peer peers[] = {{.name = "krait", .subject = &loop},
                                              {.name = "alone", .subject = &alone}};
#define ROW(of)                                                                                    \
    {                                                                                              \
        .name = "beside_loop." #of, .measure = measure_##of, .peers = peers, .peer_count = 2       \
    }
    static const struct bench_workload rows[] = {ROW(lock), ROW(queue), ROW(submit)};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        bench_run(&rows[i], filter);
}
