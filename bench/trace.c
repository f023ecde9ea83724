/* What the trace costs, beside what the same costs while none runs.
 *
 *     trace.point     a mark of the program's own; `loop` is the loop without it
 *     trace.lock      a free lock taken and given back, which is in no trace
 *     trace.handover  from one thread to another by semaphores, and back; .free, .1cpu, .2cpu
 *     trace.task      an empty task, submitted and waited for
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include <krait/krait.h>

enum { POINTS = 5000000, TRIPS = 30000, WARM_TRIPS = 100, TASKS = 100000, ROOM = 1 << 14 };

enum kind { BARE, OFF, ON };
static const enum kind bare = BARE, off = OFF, on = ON;

/* The ring goes round and has all its memory, as in a trace that has run for a while. */
static void begin(enum kind kind)
{
    if (kind != ON)
        return;
    BENCH_MUST(kr_trace_start(&(kr_trace_options){.events = ROOM}));
    for (int i = 0; i < 2 * ROOM; i++)
        kr_trace_mark("warm");
}

static struct bench_result per_op(double taken, unsigned long count)
{
    return (struct bench_result){.ns_per_op = taken / (double)count};
}

static struct bench_result measure_point(const struct bench_workload *workload, const void *subject)
{
    enum kind kind = *(const enum kind *)subject;
    unsigned long count = bench_amount(POINTS);
    (void)workload;
    begin(kind);
    double began = bench_now();
    for (unsigned long i = 0; i < count; i++) {
        if (kind != BARE)
            kr_trace_mark("point");
        __asm__ volatile("" ::: "memory");
    }
    return per_op(bench_now() - began, count);
}

static struct bench_result measure_lock(const struct bench_workload *workload, const void *subject)
{
    static kr_lock lock;
    unsigned long count = bench_amount(POINTS);
    (void)workload;
    begin(*(const enum kind *)subject);
    double began = bench_now();
    for (unsigned long i = 0; i < count; i++) {
        BENCH_MUST(kr_lock_acquire(&lock, KR_FOREVER));
        BENCH_MUST(kr_lock_release(&lock));
    }
    return per_op(bench_now() - began, count);
}

static struct {
    _Alignas(128) kr_semaphore sides[2];
    unsigned long trips;
} table;

static void play(void *arg, int index)
{
    (void)arg;
    for (unsigned long i = 0; i < table.trips; i++) {
        if (index == 0)
            BENCH_MUST(kr_semaphore_release(&table.sides[1], 1));
        BENCH_MUST(kr_semaphore_acquire(&table.sides[index], KR_FOREVER));
        if (index == 1)
            BENCH_MUST(kr_semaphore_release(&table.sides[0], 1));
    }
}

static struct bench_result measure_handover(const struct bench_workload *workload,
                                            const void *subject)
{
    struct bench_party party = {.place = workload->place, .count = 2, .body = play};
    begin(*(const enum kind *)subject);
    table.trips = bench_amount(WARM_TRIPS);
    double warm = bench_party(&party);
    table.trips = bench_afford(warm, table.trips, table.trips, bench_amount(TRIPS));
    return per_op(bench_party(&party), table.trips);
}

static int nothing(const void *arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

static struct bench_result measure_task(const struct bench_workload *workload, const void *subject)
{
    enum { AT_ONCE = 64 };
    kr_executor *pool;
    kr_future *f[AT_ONCE];
    unsigned long count = bench_amount(TASKS);
    (void)workload;
    begin(*(const enum kind *)subject);
    BENCH_MUST(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}));
    double began = bench_now();
    for (unsigned long done = 0; done < count; done += AT_ONCE) {
        for (int i = 0; i < AT_ONCE; i++)
            BENCH_MUST(kr_submit(pool, &f[i], nothing, NULL, 0, 0));
        for (int i = 0; i < AT_ONCE; i++) {
            BENCH_MUST(kr_future_exception(f[i], NULL, KR_FOREVER));
            kr_future_release(f[i]);
        }
    }
    return per_op(bench_now() - began, (count + AT_ONCE - 1) / AT_ONCE * AT_ONCE);
}

static const struct bench_peer points[] = {
    {"off", &off, NULL, true}, {"on", &on, NULL, true}, {"loop", &bare, NULL, true}};
static const struct bench_peer others[] = {{"off", &off, NULL, true}, {"on", &on, NULL, true}};

#define ROW(row, how, who)                                                                         \
    {                                                                                              \
        .name = row, .measure = how, .peers = who, .peer_count = sizeof who / sizeof *who          \
    }

void bench_trace_rows(const char *filter)
{
    static const struct bench_workload point = ROW("trace.point", measure_point, points);
    static const struct bench_workload lock = ROW("trace.lock", measure_lock, others);
    static const struct bench_workload handover = ROW("trace.handover", measure_handover, others);
    static const struct bench_workload task = ROW("trace.task", measure_task, others);
    bench_run(&point, filter);
    bench_run(&lock, filter);
    bench_run_placed(&handover, filter);
    bench_run(&task, filter);
}
