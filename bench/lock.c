/* Locks.
 *
 *     lock.uncontended          one thread acquires and releases, another one exists and sleeps;
 *                               .shared: a lock in shared memory
 *     lock.2threads, 4threads   8 increments with the lock held, 20 xorshifts without, for a
 *     lock.2processes, 4...     second; one op is one such section; max/min is the most that a
 *                               thread or process got over the least
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"
#include "rows.h"

#include <pthread.h>
#include <unistd.h>

enum { ROUNDS_OF_A_SECOND = 3 };

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
    unsigned long amount = bench_amount(5000000);
    pthread_t sleeper;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, amount);
    void *lock = bench_shared_memory(BENCH_STORAGE);
    bench_place_thread(workload->place, 0);
    /* Alone, some libraries leave out the locked instructions. */
    BENCH_MUST(-pthread_create(&sleeper, NULL, sleep_for_good, NULL));
    kind->init(lock);
    kind->cycle(lock, amount / 100);
    double begun = bench_now();
    kind->cycle(lock, amount);
    return (struct bench_result){.ns_per_op = (bench_now() - begun) / (double)amount};
}

struct arena {
    const struct bench_lock *kind;
    struct bench_contest *contest;
};

static void contend(void *arg, int index)
{
    const struct arena *arena = arg;
    arena->kind->contend(arena->contest, index);
}

static struct bench_result measure_contended(const struct bench_workload *workload,
                                             const void *subject)
{
    unsigned long milliseconds = bench_amount(1000);
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, milliseconds);
    struct bench_contest *contest = bench_shared_memory(sizeof *contest);
    struct arena arena = {.kind = subject, .contest = contest};
    struct bench_party party = {.place = workload->place,
                                .count = workload->threads,
                                .processes = workload->shared,
                                .body = contend,
                                .arg = &arena};
    contest->duration = (double)milliseconds * 1e6;
    arena.kind->init(contest->lock);
    double taken = bench_party(&party);
    uint64_t sum = 0, least = contest->own[0].sections, most = 0;
    for (int i = 0; i < workload->threads; i++) {
        uint64_t own = contest->own[i].sections;
        sum += own;
        least = own < least ? own : least;
        most = own > most ? own : most;
    }
    for (int i = 0; i < BENCH_INSIDE; i++) {
        if (contest->guarded[i] != sum)
            bench_fail("mutual exclusion");
    }
    return (struct bench_result){.ns_per_op = taken / (double)sum,
                                 .unfair = (double)most / (double)(least ? least : 1)};
}

void bench_lock_rows(const char *filter)
{
    static const char *const alone[2] = {"lock.uncontended", "lock.uncontended.shared"};
    static const char *const by_two[2] = {"lock.2threads", "lock.2processes"};
    static const char *const by_four[2] = {"lock.4threads", "lock.4processes"};
    for (int shared = 0; shared < 2; shared++) {
        struct bench_workload row = {.name = alone[shared],
                                     .measure = measure_uncontended,
                                     .peers = bench_locks[shared].peers,
                                     .peer_count = bench_locks[shared].count,
                                     .shared = shared};
        bench_run(&row, filter);
    }
    for (int shared = 0; shared < 2; shared++) {
        struct bench_workload row = {.name = by_two[shared],
                                     .measure = measure_contended,
                                     .peers = bench_locks[shared].peers,
                                     .peer_count = bench_locks[shared].count,
                                     .threads = 2,
                                     .shared = shared,
                                     .rounds = ROUNDS_OF_A_SECOND};
        bench_run_placed(&row, filter);
        row.name = by_four[shared];
        row.threads = 4;
        bench_run_placed(&row, filter);
    }
}
