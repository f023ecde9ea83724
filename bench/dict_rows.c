/* The rows of shared dicts, and which peers stand in which.
 *
 *     dict.get.1, dict.set.1    one op is a key of 10,000 by chance, by one process
 *     dict.get.2, dict.set.2    the same by two at once; an op of either counts
 *
 * `plain` is a mutex and a hash table inside one process: the limit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "dict.h"
#include "party.h"
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { USUAL = 2000000, FEW = 2000, MOST_AT_ONCE = 64, ROUNDS = 5 };

struct run {
    const struct bench_dict *how;
    void *created;
    bool set;
    unsigned long count; /* by each */
    bench_key *keys;
};

static bench_key *make_keys(void)
{
    bench_key *keys = malloc(sizeof(bench_key) * BENCH_KEYS);
    for (int i = 0; keys != NULL && i < BENCH_KEYS; i++) {
        char text[BENCH_KEY + 12];
        snprintf(text, sizeof text, "key:%08d", i);
        memcpy(keys[i], text, BENCH_KEY);
    }
    if (keys == NULL)
        bench_fail("malloc");
    return keys;
}

static void work(void *arg, int index)
{
    const struct run *r = arg;
    const struct bench_dict *how = r->how;
    void *dict = how->enter != NULL ? how->enter(r->created) : r->created;
    const bench_key *some[MOST_AT_ONCE];
    static char values[MOST_AT_ONCE * BENCH_VALUE];
    uint64_t random = (uint64_t)index * 977 + 1;
    unsigned at_once = how->batch != 0 ? how->batch : 1;
    for (unsigned long i = 0; i < r->count; i += at_once) {
        for (unsigned k = 0; k < at_once; k++) {
            random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
            some[k] = (const bench_key *)&r->keys[(random >> 33) % BENCH_KEYS];
        }
        if (how->batch != 0)
            r->set ? how->set_many(dict, some, values) : how->get_many(dict, some, values);
        else
            r->set ? how->set(dict, some[0], values) : how->get(dict, some[0], values);
    }
}

static void fill(const struct run *r)
{
    static const char value[BENCH_VALUE];
    for (int i = 0; i < BENCH_KEYS; i++)
        r->how->set(r->created, (const bench_key *)&r->keys[i], value);
}

static struct bench_result measure(const struct bench_workload *workload, const void *subject)
{
    const struct bench_command *command = bench_as_command(subject);
    if (command != NULL)
        return bench_run_row(workload, command, bench_amount(4 * FEW));
    struct run r = {.how = subject, .keys = make_keys()};
    r.set = strstr(workload->name, ".set.") != NULL;
    r.created = r.how->create();
    fill(&r);
    struct bench_party party = {.place = workload->threads > 1 ? BENCH_TWO_CPUS : BENCH_FREE,
                                .count = workload->threads,
                                .processes = true,
                                .body = work,
                                .arg = &r};
    r.count = FEW / 64 * 64;
    unsigned long done = r.count * (unsigned long)workload->threads;
    double taken = bench_party(&party);
    r.count = bench_afford(taken, r.count, FEW, bench_amount(USUAL)) / 64 * 64 + 64;
    done = r.count * (unsigned long)workload->threads;
    taken = bench_party(&party);
    if (r.how->end != NULL)
        r.how->end(r.created);
    free(r.keys);
    return (struct bench_result){.ns_per_op = taken / (double)done};
}

#ifdef KRI_HAVE_LMDB
#define LMDB (&bench_lmdb_dict)
#else
#define LMDB NULL
#endif
#ifdef KRI_HAVE_BOOST_DICT
#define BOOST (&bench_boost_dict)
#else
#define BOOST NULL
#endif
#ifdef KRI_HAVE_REDIS_DICT
#define REDIS (&bench_redis_dict)
#define PIPED (&bench_redis_dict_piped)
#else
#define REDIS NULL
#define PIPED NULL
#endif
#ifdef KRI_PYTHON
#define MANAGER (&bench_cpython_dict_command)
#else
#define MANAGER NULL
#endif

#define OTHERS                                                                                     \
    {"boost", BOOST, "libboost-dev, g++", false}, {"lmdb", LMDB, "liblmdb-dev", false},            \
        {"redis", REDIS, "redis-server, libhiredis-dev", false},                                   \
        {"redis-by-16", PIPED, "redis-server, libhiredis-dev", false},                             \
    {                                                                                              \
        "cpython", MANAGER, "python3", false                                                       \
    }

static const struct bench_peer alone[] = {
    {"krait", &bench_krait_dict, NULL, false}, {"plain", &bench_plain_dict, NULL, true}, OTHERS};
static const struct bench_peer together[] = {{"krait", &bench_krait_dict, NULL, false}, OTHERS};

#define ROW(row, who, processes)                                                                   \
    {                                                                                              \
        .name = row, .measure = measure, .peers = who, .peer_count = sizeof who / sizeof *who,     \
        .threads = processes, .shared = true, .rounds = ROUNDS                                     \
    }

static const struct bench_workload rows[] = {
    ROW("dict.get.1", alone, 1), ROW("dict.get.2", together, 2), ROW("dict.set.1", alone, 1),
    ROW("dict.set.2", together, 2)};

/* How much two processes do in the time of one. */
static void print_together(const char *name)
{
    double one = bench_median(0, 0), two = bench_median(1, 0);
    if (one > 0 && two > 0)
        printf("%-30s %-16s two processes: %.2f of one\n", name, "krait", one / two);
}

void bench_dict_rows(const char *filter)
{
    if (bench_wanted("dict.get.", filter)) {
        bench_run_together(&rows[0], 2);
        print_together("dict.get");
    }
    if (bench_wanted("dict.set.", filter)) {
        bench_run_together(&rows[2], 2);
        print_together("dict.set");
    }
}
