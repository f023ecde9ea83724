/* Locks, and hand-over from thread to thread.
 *
 *     lock.uncontended          one thread acquires and releases, another one exists and sleeps
 *     lock.2threads, 4threads   all acquire and release as fast as they can; one op is one section;
 *                               the share is the least that a thread got over the most
 *     *.pingpong                one op is a round trip between two threads
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

#include "base/atomic.h"
#include <pthread.h>
#include <stdalign.h>
#include <unistd.h>

#define CONTENTION_NS 200e6 /* for so long the threads of a contended row go on */

struct storage {
    alignas(64) unsigned char bytes[BENCH_STORAGE];
};

/* lock.uncontended */

static void *sleep_for_good(void *arg)
{
    for (;;)
        pause();
    return arg;
}

static struct bench_result measure_uncontended(const struct bench_workload *workload,
                                               const void *subject)
{
    const struct bench_lock *kind = subject;
    static struct storage lock;
    pthread_t sleeper;
    unsigned long amount = bench_amount(5000000);
    bench_place_thread(workload->place, 0);
    /* Alone, some libraries leave out the locked instructions. */
    BENCH_MUST(-pthread_create(&sleeper, NULL, sleep_for_good, NULL));
    kind->init(&lock);
    double begun = bench_now();
    for (unsigned long i = 0; i < amount; i++) {
        kind->acquire(&lock);
        kind->release(&lock);
    }
    return (struct bench_result){.ns_per_op = (bench_now() - begun) / (double)amount};
}

/* lock.Nthreads */

struct contention {
    const struct bench_lock *kind;
    struct storage lock;
    unsigned long sections; /* guarded by lock */
    struct {
        alignas(64) unsigned long sections;
    } own[16];
    alignas(64) kr_word over;
};

static void contend(void *arg, int index)
{
    struct contention *contention = arg;
    unsigned long own = 0;
    double duration = CONTENTION_NS / 100 * (double)bench_amount(100);
    double end = bench_now() + duration;
    while (!kri_load_rlx(&contention->over)) {
        contention->kind->acquire(&contention->lock);
        contention->sections++;
        contention->kind->release(&contention->lock);
        if (++own % 256 == 0 && bench_now() >= end)
            kri_store_rlx(&contention->over, 1);
    }
    contention->own[index].sections = own;
}

static struct bench_result measure_contended(const struct bench_workload *workload,
                                             const void *subject)
{
    static struct contention contention;
    contention.kind = subject;
    contention.kind->init(&contention.lock);
    double taken = bench_threads(workload->place, workload->threads, contend, &contention);
    unsigned long sum = 0, least = contention.own[0].sections, most = 0;
    for (int i = 0; i < workload->threads; i++) {
        unsigned long own = contention.own[i].sections;
        sum += own;
        least = own < least ? own : least;
        most = own > most ? own : most;
    }
    if (sum != contention.sections)
        bench_fail("mutual exclusion");
    return (struct bench_result){.ns_per_op = taken / (double)sum,
                                 .share = (double)least / (double)most};
}

/* *.pingpong */

struct table {
    const void *kind;
    struct storage sides[2];
    unsigned long rounds;
};

static void play_semaphores(void *arg, int index)
{
    struct table *table = arg;
    const struct bench_semaphore *kind = table->kind;
    for (unsigned long i = 0; i < table->rounds; i++) {
        if (index == 0)
            kind->release(&table->sides[1]);
        kind->acquire(&table->sides[index]);
        if (index == 1)
            kind->release(&table->sides[0]);
    }
}

static struct bench_result play(const struct bench_workload *workload, struct table *table,
                                void (*body)(void *arg, int index))
{
    double taken = bench_threads(workload->place, 2, body, table);
    return (struct bench_result){.ns_per_op = taken / (double)table->rounds};
}

static struct bench_result measure_semaphore(const struct bench_workload *workload,
                                             const void *subject)
{
    static struct table table;
    const struct bench_semaphore *kind = subject;
    table.kind = subject;
    table.rounds = bench_amount(20000);
    kind->init(&table.sides[0]);
    kind->init(&table.sides[1]);
    return play(workload, &table, play_semaphores);
}

static void play_events(void *arg, int index)
{
    struct table *table = arg;
    const struct bench_event *kind = table->kind;
    for (unsigned long i = 0; i < table->rounds; i++) {
        if (index == 0)
            kind->set(&table->sides[1]);
        kind->wait_and_clear(&table->sides[index]);
        if (index == 1)
            kind->set(&table->sides[0]);
    }
}

static struct bench_result measure_event(const struct bench_workload *workload, const void *subject)
{
    static struct table table;
    const struct bench_event *kind = subject;
    table.kind = subject;
    table.rounds = bench_amount(20000);
    kind->init(&table.sides[0]);
    kind->init(&table.sides[1]);
    return play(workload, &table, play_events);
}

static void play_turns(void *arg, int index)
{
    struct table *table = arg;
    const struct bench_turn *kind = table->kind;
    for (unsigned long i = 0; i < table->rounds; i++)
        kind->pass(&table->sides[0], index, !index);
}

static struct bench_result measure_turn(const struct bench_workload *workload, const void *subject)
{
    static struct table table;
    const struct bench_turn *kind = subject;
    table.kind = subject;
    table.rounds = bench_amount(20000);
    kind->init(&table.sides[0]);
    return play(workload, &table, play_turns);
}

void bench_sync_rows(const char *filter)
{
    struct bench_workload lock = {.name = "lock.uncontended",
                                  .measure = measure_uncontended,
                                  .peers = bench_locks,
                                  .peer_count = BENCH_LOCKS};
    bench_run(&lock, filter);
    lock.measure = measure_contended;
    lock.name = "lock.2threads";
    lock.threads = 2;
    bench_run_placed(&lock, filter);
    lock.name = "lock.4threads";
    lock.threads = 4;
    bench_run_placed(&lock, filter);

    const struct bench_workload rows[] = {
        {.name = "semaphore.pingpong",
         .measure = measure_semaphore,
         .peers = bench_semaphores,
         .peer_count = BENCH_SEMAPHORES},
        {.name = "event.pingpong",
         .measure = measure_event,
         .peers = bench_events,
         .peer_count = BENCH_EVENTS},
        {.name = "condition.pingpong",
         .measure = measure_turn,
         .peers = bench_turns,
         .peer_count = BENCH_TURNS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_run_placed(&rows[i], filter);
}
