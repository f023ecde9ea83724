/* Hand-over between two: one op is a round trip, for a barrier one meeting.
 *
 *     semaphore.pingpong, event.pingpong, condition.pingpong, barrier.pingpong
 *     the same with .shared     two processes, in shared memory
 *
 * SPDX-License-Identifier: MIT
 */
#include "rows.h"

enum { WARM_TRIPS = 100, ROUND_TRIPS = 30000, ROUNDS = 5 };

struct table {
    const void *kind;
    unsigned long rounds;
    /* Each on lines of its own. */
    struct {
        _Alignas(128) unsigned char bytes[BENCH_STORAGE];
    } sides[2];
    unsigned long played[2];
};

static struct table *lay(const void *kind)
{
    struct table *table = bench_shared_memory(sizeof *table);
    table->kind = kind;
    return table;
}

static double play_some(struct table *table, const struct bench_party *party, unsigned long rounds)
{
    table->rounds = rounds;
    double taken = bench_party(party);
    if (table->played[0] != rounds || table->played[1] != rounds)
        bench_fail("the number of round trips");
    return taken;
}

static struct bench_result play(const struct bench_workload *workload, struct table *table,
                                void (*body)(void *arg, int index))
{
    struct bench_party party = {.place = workload->place,
                                .count = 2,
                                .processes = workload->shared,
                                .body = body,
                                .arg = table};
    /* An even number, after which everything is as it was in the beginning. */
    unsigned long warm = 2 * bench_amount(WARM_TRIPS);
    unsigned long rounds =
        bench_afford(play_some(table, &party, warm), warm, warm, bench_amount(ROUND_TRIPS));
    return (struct bench_result){.ns_per_op = play_some(table, &party, rounds) / (double)rounds};
}

static void play_semaphores(void *arg, int index)
{
    struct table *table = arg;
    const struct bench_semaphore *kind = table->kind;
    unsigned long i;
    for (i = 0; i < table->rounds; i++) {
        if (index == 0)
            kind->release(&table->sides[1]);
        kind->acquire(&table->sides[index]);
        if (index == 1)
            kind->release(&table->sides[0]);
    }
    table->played[index] = i;
}

static struct bench_result measure_semaphore(const struct bench_workload *workload,
                                             const void *subject)
{
    const struct bench_semaphore *kind = subject;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(ROUND_TRIPS));
    struct table *table = lay(subject);
    kind->init(&table->sides[0]);
    kind->init(&table->sides[1]);
    return play(workload, table, play_semaphores);
}

static void play_events(void *arg, int index)
{
    struct table *table = arg;
    const struct bench_event *kind = table->kind;
    unsigned long i;
    for (i = 0; i < table->rounds; i++) {
        if (index == 0)
            kind->set(&table->sides[1]);
        kind->wait_and_clear(&table->sides[index]);
        if (index == 1)
            kind->set(&table->sides[0]);
    }
    table->played[index] = i;
}

static struct bench_result measure_event(const struct bench_workload *workload, const void *subject)
{
    const struct bench_event *kind = subject;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(ROUND_TRIPS));
    struct table *table = lay(subject);
    kind->init(&table->sides[0]);
    kind->init(&table->sides[1]);
    return play(workload, table, play_events);
}

static void play_turns(void *arg, int index)
{
    struct table *table = arg;
    const struct bench_turn *kind = table->kind;
    unsigned long i;
    for (i = 0; i < table->rounds; i++)
        kind->pass(&table->sides[0], index, !index);
    table->played[index] = i;
}

static struct bench_result measure_turn(const struct bench_workload *workload, const void *subject)
{
    const struct bench_turn *kind = subject;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(ROUND_TRIPS));
    struct table *table = lay(subject);
    kind->init(&table->sides[0]);
    return play(workload, table, play_turns);
}

static void play_barrier(void *arg, int index)
{
    struct table *table = arg;
    const struct bench_barrier *kind = table->kind;
    unsigned long i;
    for (i = 0; i < table->rounds; i++)
        kind->wait(&table->sides[0]);
    table->played[index] = i;
}

static struct bench_result measure_barrier(const struct bench_workload *workload,
                                           const void *subject)
{
    const struct bench_barrier *kind = subject;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, bench_amount(ROUND_TRIPS));
    struct table *table = lay(subject);
    kind->init(&table->sides[0]);
    return play(workload, table, play_barrier);
}

void bench_pingpong_rows(const char *filter)
{
    static const struct {
        const char *names[2];
        struct bench_result (*measure)(const struct bench_workload *workload, const void *subject);
        const struct bench_peers *peers;
    } rows[] = {
        {{"semaphore.pingpong", "semaphore.pingpong.shared"}, measure_semaphore, bench_semaphores},
        {{"event.pingpong", "event.pingpong.shared"}, measure_event, bench_events},
        {{"condition.pingpong", "condition.pingpong.shared"}, measure_turn, bench_turns},
        {{"barrier.pingpong", "barrier.pingpong.shared"}, measure_barrier, bench_barriers},
    };
    for (size_t i = 0; i < 2 * sizeof rows / sizeof *rows; i++) {
        int shared = i % 2;
        struct bench_workload row = {.name = rows[i / 2].names[shared],
                                     .measure = rows[i / 2].measure,
                                     .peers = rows[i / 2].peers[shared].peers,
                                     .peer_count = rows[i / 2].peers[shared].count,
                                     .threads = 2,
                                     .shared = shared,
                                     .rounds = ROUNDS};
        bench_run_placed(&row, filter);
    }
}
