/* Queues of pointers in one process.
 *
 *     queue.bounded.PpCc     P threads put numbers into a queue for 1024, C threads take them; one
 *                            op is an item that went through
 *                            krait-coroutines: as many coroutines on two loops, as Go has it
 *                            futex-ring: what threads reach at best that do nothing else
 *     queue.unbounded.PpCc   the same without a limit
 *     queue.many.PpCc        bounded, put and taken up to 64 at a time
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue.h"
#include "rows.h"

#include <stdio.h>
#include <string.h>

enum { CAPACITY = 1024, BATCH = 64, ROUNDS = 5, ITEMS = 1000000, MOST_CONSUMERS = 8 };

#ifdef KRI_HAVE_QUEUE
#define KRAIT (&bench_krait_queue)
#else
#define KRAIT NULL
#endif
#ifdef KRI_HAVE_LOOP
#define COROUTINES (&bench_krait_coroutines_queue)
#else
#define COROUTINES NULL
#endif
#ifdef KRI_HAVE_GLIB
#define GLIB (&bench_glib_queue)
#else
#define GLIB NULL
#endif
#ifdef KRI_HAVE_TBB_QUEUE
#define TBB (&bench_tbb_queue)
#else
#define TBB NULL
#endif
#ifdef KRI_HAVE_MOODYCAMEL
#define MOODYCAMEL (&bench_moodycamel_queue)
#else
#define MOODYCAMEL NULL
#endif
#ifdef KRI_HAVE_BOOST_QUEUE
#define BOOST (&bench_boost_queue)
#else
#define BOOST NULL
#endif

#define PEER_KRAIT                                                                                 \
    {                                                                                              \
        "krait", KRAIT, "krait's queue", false                                                     \
    }
#define PEER_TBB                                                                                   \
    {                                                                                              \
        "tbb", TBB, "libtbb-dev, g++", false                                                       \
    }
#define PEER_MOODYCAMEL                                                                            \
    {                                                                                              \
        "moodycamel", MOODYCAMEL, "libconcurrentqueue-dev, g++", false                             \
    }
#define PEER_NAIVE                                                                                 \
    {                                                                                              \
        "naive", &bench_naive_queue, NULL, false                                                   \
    }
#define PEER_BOOST                                                                                 \
    {                                                                                              \
        "boost", BOOST, "libboost-thread-dev, g++", false                                          \
    }
#define PEER_CPYTHON                                                                               \
    {                                                                                              \
        "cpython", BENCH_CPYTHON, "python3", true                                                  \
    }

static const struct bench_peer bounded_peers[] = {
    PEER_KRAIT,
    {"krait-coroutines", COROUTINES, "krait's loops", false},
    {"go", BENCH_GO, "golang-go", false},
    PEER_NAIVE,
    {"futex-ring", &bench_futex_queue, NULL, false},
    PEER_MOODYCAMEL,
    PEER_TBB,
    PEER_BOOST,
    {"pipe", &bench_pipe_queue, NULL, false},
    PEER_CPYTHON,
};

static const struct bench_peer unbounded_peers[] = {
    PEER_KRAIT, PEER_NAIVE,   {"glib", GLIB, "libglib2.0-dev", false}, PEER_MOODYCAMEL, PEER_TBB,
    PEER_BOOST, PEER_CPYTHON,
};

static const struct bench_peer many_peers[] = {PEER_KRAIT, PEER_NAIVE, PEER_MOODYCAMEL};

struct traffic {
    const struct bench_queue *kind;
    uint64_t items; /* of each producer, and of each consumer */
    int producers;
    struct {
        _Alignas(64) uint64_t sum;
    } taken[MOST_CONSUMERS];
};

/* The number-th item of a producer. */
static void *item_of(const struct traffic *traffic, int producer, uint64_t number)
{
    return (void *)(uintptr_t)((uint64_t)producer * traffic->items + number + 1);
}

static void move_singly(void *arg, int index)
{
    struct traffic *traffic = arg;
    const struct bench_queue *kind = traffic->kind;
    uint64_t sum = 0;
    if (index < traffic->producers) {
        for (uint64_t i = 0; i < traffic->items; i++)
            kind->put(item_of(traffic, index, i));
        return;
    }
    for (uint64_t i = 0; i < traffic->items; i++)
        sum += (uintptr_t)kind->get();
    traffic->taken[index - traffic->producers].sum = sum;
}

static void put_batches(const struct traffic *traffic, int producer)
{
    void *items[BATCH];
    for (uint64_t i = 0; i < traffic->items;) {
        size_t count = 0;
        while (count < BATCH && i < traffic->items)
            items[count++] = item_of(traffic, producer, i++);
        traffic->kind->put_many(items, count);
    }
}

static void move_in_batches(void *arg, int index)
{
    struct traffic *traffic = arg;
    void *items[BATCH];
    uint64_t sum = 0;
    if (index < traffic->producers) {
        put_batches(traffic, index);
        return;
    }
    for (uint64_t left = traffic->items; left > 0;) {
        size_t got = traffic->kind->get_many(items, left < BATCH ? left : BATCH);
        left -= got;
        for (size_t i = 0; i < got; i++)
            sum += (uintptr_t)items[i];
    }
    traffic->taken[index - traffic->producers].sum = sum;
}

/* As many consumers as producers, so that each takes as many as each puts. */
static double move_items(struct traffic *traffic, const struct bench_party *party, uint64_t items)
{
    uint64_t sum = 0, all = items * (uint64_t)traffic->producers;
    traffic->items = items;
    double taken = traffic->kind->run ? traffic->kind->run(party) : bench_party(party);
    for (int i = 0; i < traffic->producers; i++)
        sum += traffic->taken[i].sum;
    if (sum != all * (all + 1) / 2)
        bench_fail("the sum of the items");
    return taken;
}

static struct bench_result measure(const struct bench_workload *workload, const void *subject,
                                   size_t capacity, void (*body)(void *arg, int index))
{
    unsigned long pairs = (unsigned long)workload->threads / 2;
    unsigned long most = bench_amount(ITEMS) / pairs, warm = bench_amount(ITEMS) / 200 / pairs + 1;
    if (bench_as_command(subject))
        return bench_run_row(workload, subject, most * pairs);
    struct traffic traffic = {.kind = subject, .producers = (int)pairs};
    struct bench_party party = {
        .place = workload->place, .count = workload->threads, .body = body, .arg = &traffic};
    if (traffic.kind->run)
        bench_place_process(workload->place);
    traffic.kind->open(capacity);
    double warming = move_items(&traffic, &party, warm);
    /* So many at least that who slept and was woken once does not show. */
    unsigned long items = bench_afford(warming, warm, most / 20 + 1, most);
    double taken = move_items(&traffic, &party, items);
    return (struct bench_result){.ns_per_op = taken / (double)(items * pairs)};
}

static struct bench_result measure_bounded(const struct bench_workload *workload,
                                           const void *subject)
{
    return measure(workload, subject, CAPACITY, move_singly);
}

static struct bench_result measure_unbounded(const struct bench_workload *workload,
                                             const void *subject)
{
    return measure(workload, subject, 0, move_singly);
}

static struct bench_result measure_many(const struct bench_workload *workload, const void *subject)
{
    return measure(workload, subject, CAPACITY, move_in_batches);
}

#define PEERS(table) .peers = table, .peer_count = sizeof(table) / sizeof *(table)

void bench_queue_rows(const char *filter)
{
    const struct bench_workload rows[] = {
        {.name = "queue.bounded", .measure = measure_bounded, PEERS(bounded_peers)},
        {.name = "queue.unbounded", .measure = measure_unbounded, PEERS(unbounded_peers)},
        {.name = "queue.many", .measure = measure_many, PEERS(many_peers)},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (int pairs = 1; pairs <= 4; pairs *= 2) {
            char name[40];
            snprintf(name, sizeof name, "%s.%dp%dc", rows[i].name, pairs, pairs);
            struct bench_workload row = rows[i];
            row.name = name;
            row.threads = 2 * pairs;
            row.rounds = ROUNDS;
            bench_run_placed(&row, filter);
        }
    }
}
