/* The rows of a manager's lists, queues and values, and which peers stand in which.
 *
 *     list.append, list.append_left    one op is an item of 64 bytes, with 0 to 999 others inside
 *     list.pop, list.pop_left          the same, back out
 *     managed.queue.put, .get          of a queue that a manager has
 *     managed.value.add                one op adds 1
 *
 * SPDX-License-Identifier: MIT
 */
#include "list.h"
#include "party.h"
#include "rows.h"

#include <string.h>

enum { USUAL = 1000000, FEW = 4000, ROUNDS = 5 };

static bool ends_with(const char *name, const char *end)
{
    size_t length = strlen(name), tail = strlen(end);
    return length >= tail && strcmp(name + length - tail, end) == 0;
}

/* Fill it and empty it, `times` times; the time of what the row is about. */
static double run(const struct bench_list *how, void *list, bool takes, bool left,
                  unsigned long times)
{
    static char item[BENCH_ITEM];
    double taken = 0;
    for (unsigned long t = 0; t < times; t++) {
        double begun = bench_now();
        for (int i = 0; i < BENCH_ITEMS; i++)
            how->add(list, left, item);
        double full = bench_now();
        for (int i = 0; i < BENCH_ITEMS; i++)
            how->take(list, left, item);
        taken += takes ? bench_now() - full : full - begun;
    }
    return taken;
}

static struct bench_result measure(const struct bench_workload *workload, const void *subject)
{
    const struct bench_command *command = bench_as_command(subject);
    if (command != NULL)
        return bench_run_row(workload, command, bench_amount(FEW));
    const struct bench_list *how = subject;
    const char *name = workload->name;
    bool takes = strstr(name, ".pop") != NULL || ends_with(name, ".get");
    bool left = ends_with(name, "_left");
    void *list = how->create();
    unsigned long times = 1;
    double taken = run(how, list, takes, left, times);
    times = bench_afford(taken, times, times, bench_amount(USUAL) / BENCH_ITEMS) + 1;
    taken = run(how, list, takes, left, times);
    how->end(list);
    return (struct bench_result){.ns_per_op = taken / (double)(times * BENCH_ITEMS)};
}

#ifdef KRI_HAVE_BOOST_LIST
#define BOOST (&bench_boost_list)
#else
#define BOOST NULL
#endif
#ifdef KRI_HAVE_REDIS_LIST
#define REDIS (&bench_redis_list)
#else
#define REDIS NULL
#endif
#ifdef KRI_PYTHON
#define MANAGER (&bench_cpython_list_command)
#else
#define MANAGER NULL
#endif

static const struct bench_peer lists[] = {{"krait", &bench_krait_list, NULL, false},
                                          {"boost", BOOST, "libboost-dev, g++", false},
                                          {"redis", REDIS, "redis-server, libhiredis-dev", false},
                                          {"cpython", MANAGER, "python3", false}};
static const struct bench_peer queues[] = {{"krait", &bench_krait_managed_queue, NULL, false},
                                           {"cpython", MANAGER, "python3", false}};
static const struct bench_peer values[] = {{"krait", &bench_krait_value, NULL, false},
                                           {"cpython", MANAGER, "python3", false}};

#define ROW(row, who)                                                                              \
    {                                                                                              \
        .name = row, .measure = measure, .peers = who, .peer_count = sizeof who / sizeof *who,     \
        .threads = 1, .shared = true, .rounds = ROUNDS                                             \
    }

static const struct bench_workload rows[] = {
    ROW("list.append", lists),        ROW("list.append_left", lists),
    ROW("list.pop", lists),           ROW("list.pop_left", lists),
    ROW("managed.queue.put", queues), ROW("managed.queue.get", queues),
    ROW("managed.value.add", values)};

void bench_list_rows(const char *filter)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_run(&rows[i], filter);
}
