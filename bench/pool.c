/* What is measured of pools, by the tables of pool.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "party.h"
#include "pool.h"
#include "pool_rows.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

enum {
    FIB = 27,
    FIB_CALLS = 635621, /* of fib(27) */
    FIB_RESULT = 196418,
    ITEMS = 1000000,
    WORK = 12000, /* of a task of some 20 us */
};

void *bench_places(unsigned long count, size_t size)
{
    static void *places;
    static size_t bytes;
    if (count * size > bytes) {
        free(places);
        bytes = count * size;
        places = calloc(count, size);
        if (!places)
            bench_fail("calloc");
    }
    return places;
}

static void rest(double ns)
{
    struct timespec time = {.tv_sec = (time_t)(ns / 1e9), .tv_nsec = (long)ns % 1000000000};
    nanosleep(&time, NULL);
}

static struct bench_result run_program(const struct bench_workload *workload,
                                       const struct bench_pool *pool, unsigned long amount)
{
    struct bench_command command = {pool->program, pool->interpreter ? pool->interpreter : ""};
    struct bench_result result = {0};
    bench_run_command(&command, workload->afresh, amount, workload->threads, &result.ns_per_op,
                      &result.p99);
    return result;
}

/* Tasks from outside */

static struct bench_result measure_tasks(const struct bench_workload *workload,
                                         const struct bench_pool *pool, unsigned long amount,
                                         unsigned rounds)
{
    if (pool->program)
        return run_program(workload, pool, amount);
    uint64_t expected = 0;
    for (unsigned long i = 0; i < amount; i++)
        expected += bench_task(i, rounds);
    pool->open(workload->threads);
    if (pool->submit(amount, rounds) != expected)
        bench_fail("the first round's sum");
    double begun = bench_now();
    uint64_t sum = pool->submit(amount, rounds);
    double taken = bench_now() - begun;
    if (sum != expected)
        bench_fail("the sum");
    return (struct bench_result){.ns_per_op = taken / (double)amount};
}

struct bench_result bench_pool_submit(const struct bench_workload *workload, const void *subject)
{
    return measure_tasks(workload, subject, bench_amount(1000000), 0);
}

struct bench_result bench_pool_crowd_empty(const struct bench_workload *workload,
                                           const void *subject)
{
    return measure_tasks(workload, subject, bench_amount(200000), 0);
}

struct bench_result bench_pool_crowd_work(const struct bench_workload *workload,
                                          const void *subject)
{
    return measure_tasks(workload, subject, bench_amount(1000), WORK);
}

/* Fork and join */

static struct bench_result measure_fib(const struct bench_workload *workload,
                                       const struct bench_pool *pool, uint64_t (*fib)(unsigned n))
{
    if (pool->program)
        return run_program(workload, pool, FIB);
    pool->open(workload->threads);
    if (fib(20) != 6765)
        bench_fail("fib(20)");
    double begun = bench_now();
    uint64_t result = fib(FIB);
    double taken = bench_now() - begun;
    if (result != FIB_RESULT)
        bench_fail("fib(27)");
    return (struct bench_result){.ns_per_op = taken / FIB_CALLS};
}

struct bench_result bench_pool_fib_both(const struct bench_workload *workload, const void *subject)
{
    const struct bench_pool *pool = subject;
    return measure_fib(workload, pool, pool->fib_both);
}

struct bench_result bench_pool_fib_one(const struct bench_workload *workload, const void *subject)
{
    const struct bench_pool *pool = subject;
    return measure_fib(workload, pool, pool->fib_one);
}

struct bench_result bench_pool_fib_future(const struct bench_workload *workload,
                                          const void *subject)
{
    const struct bench_pool *pool = subject;
    return measure_fib(workload, pool, pool->fib_future);
}

/* Round trips */

struct trips {
    const struct bench_pool *pool;
    unsigned long amount;
    struct bench_result result;
};

static void make_trip(const struct bench_pool *pool, uint64_t arg)
{
    if (pool->round_trip(arg) != bench_task(arg, 0))
        bench_fail("the result of a round trip");
}

/* By time, not by number: between the fastest and the slowest lies a factor of a thousand. */
static void make_hot_trips(void *arg)
{
    struct trips *trips = arg;
    unsigned long made = 0;
    double begun, now;
    for (unsigned long i = 0; i < 500; i++)
        make_trip(trips->pool, i);
    begun = bench_now();
    do {
        for (int i = 0; i < 50; i++)
            make_trip(trips->pool, made++);
        now = bench_now();
    } while (now - begun < (double)trips->amount * 1e6);
    trips->result.ns_per_op = (now - begun) / (double)made;
}

static void make_idle_trips(void *arg)
{
    struct trips *trips = arg;
    double *taken = bench_places(trips->amount, sizeof *taken);
    for (unsigned long i = 0; i < 50; i++)
        make_trip(trips->pool, i);
    for (unsigned long i = 0; i < trips->amount; i++) {
        rest(1e6);
        double begun = bench_now();
        make_trip(trips->pool, i);
        taken[i] = bench_now() - begun;
    }
    trips->result.ns_per_op = bench_middle(taken, trips->amount);
    trips->result.p99 = bench_p99(taken, trips->amount);
}

static struct bench_result measure_trips(const struct bench_workload *workload,
                                         const struct bench_pool *pool, unsigned long amount,
                                         void (*make)(void *arg))
{
    struct trips trips = {.pool = pool, .amount = amount};
    if (pool->program)
        return run_program(workload, pool, amount);
    pool->open(workload->threads);
    if (pool->inside)
        pool->inside(make, &trips);
    else
        make(&trips);
    return trips.result;
}

struct bench_result bench_pool_hot(const struct bench_workload *workload, const void *subject)
{
    return measure_trips(workload, subject, bench_amount(200), make_hot_trips); /* milliseconds */
}

struct bench_result bench_pool_idle_trips(const struct bench_workload *workload,
                                          const void *subject)
{
    return measure_trips(workload, subject, bench_amount(300), make_idle_trips);
}

/* Loops */

static int call_item(const void *from, void *to)
{
    *(double *)to = bench_item(*(const double *)from);
    return 0;
}

bench_item_fn *volatile bench_item_call = call_item;

static void check_loop(const double *from, const double *to)
{
    for (size_t i = 0; i < ITEMS; i++) {
        double difference = to[i] - bench_item(from[i]);
        if (difference > 1e-12 || difference < -1e-12)
            bench_fail("an item of the loop");
    }
}

typedef void loop_fn(const double *from, double *to, size_t count);

static struct bench_result measure_loop(const struct bench_pool *pool, loop_fn *loop, int workers)
{
    static double from[ITEMS], to[ITEMS];
    unsigned long loops = bench_amount(100);
    for (size_t i = 0; i < ITEMS; i++) {
        from[i] = (double)i;
        to[i] = -1;
    }
    pool->open(workers);
    loop(from, to, ITEMS);
    check_loop(from, to);
    loop(from, to, ITEMS);
    double begun = bench_now();
    for (unsigned long i = 0; i < loops; i++)
        loop(from, to, ITEMS);
    double taken = bench_now() - begun;
    check_loop(from, to);
    return (struct bench_result){.ns_per_op = taken / (double)loops / ITEMS};
}

struct bench_result bench_pool_loop(const struct bench_workload *workload, const void *subject)
{
    const struct bench_pool *pool = subject;
    return measure_loop(pool, pool->loop, workload->threads);
}

struct bench_result bench_pool_loop_call(const struct bench_workload *workload, const void *subject)
{
    const struct bench_pool *pool = subject;
    return measure_loop(pool, pool->loop_call, workload->threads);
}

/* Idleness */

static unsigned long switches_of(const char *thread)
{
    char path[300], line[256];
    unsigned long switches = 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/status", thread);
    FILE *stream = fopen(path, "re");
    while (stream && fgets(line, sizeof line, stream))
        sscanf(line, "voluntary_ctxt_switches: %lu", &switches);
    if (stream)
        fclose(stream);
    return switches;
}

/* How often the threads beside this one have slept. */
static unsigned long switches_of_others(void)
{
    unsigned long sum = 0;
    DIR *threads = opendir("/proc/self/task");
    if (!threads)
        bench_fail("/proc/self/task");
    for (struct dirent *entry = readdir(threads); entry; entry = readdir(threads)) {
        if (entry->d_name[0] != '.' && strtol(entry->d_name, NULL, 10) != getpid())
            sum += switches_of(entry->d_name);
    }
    closedir(threads);
    return sum;
}

struct bench_result bench_pool_idleness(const struct bench_workload *workload, const void *subject)
{
    const struct bench_pool *pool = subject;
    double seconds = (double)bench_amount(subject == &bench_krait_pool ? 1000 : 100) / 100;
    pool->open(workload->threads);
    pool->submit(1000, WORK);
    rest(100e6);
    unsigned long before = switches_of_others();
    rest(seconds * 1e9);
    unsigned long woken = switches_of_others() - before;
    return (struct bench_result){.ns_per_op = (double)woken * 10 / seconds};
}

/* Memory */

struct bench_result bench_pool_memory(const struct bench_workload *workload, const void *subject)
{
    return run_program(workload, subject, bench_amount(100000));
}
