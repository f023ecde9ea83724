/* A manager's dict on a Redis server over its Unix socket: 64 bytes under 10,000 keys.
 *
 *     redis.get, redis.set        one op is a request and its answer; `krait` from a thread,
 *                                 `krait-coroutine` from a coroutine, `hiredis` bare
 *     redis.get.16, redis.set.16  one op is one of 16 in a batch: kr_dict_batch, which is a
 *                                 transaction; `hiredis-multi` the same by hand, `hiredis` without
 *                                 the transaction
 *
 * SPDX-License-Identifier: MIT
 */
#include "redis.h"

#include <krait/krait.h>
#include <stdio.h>
#include <string.h>

enum { SINGLES = 40000, BATCHED = 160000, BATCH = 16, ROUNDS = 5 };

struct subject {
    struct bench_redis_work work;
    bool krait;
    bool coroutine;
};

#if defined(KRI_HAVE_HIREDIS_PEER) && defined(KRI_REDIS_PROGRAM)

struct play {
    const struct bench_redis_work *work;
    kr_dict *dict;
    unsigned long amount;
    double taken;
};

static void one(kr_dict *d, bool set, unsigned long i)
{
    static char value[BENCH_REDIS_VALUE];
    char key[8];
    bench_redis_key(key, i);
    int err = set ? kr_dict_set(d, key, sizeof key, value, sizeof value)
                  : kr_dict_get(d, key, sizeof key, value, sizeof value, NULL);
    if (err != 0)
        bench_fail(kr_errname(err));
}

static void batch(kr_dict *d, bool set, unsigned long first)
{
    static char value[BENCH_REDIS_VALUE];
    kr_dict_operation operations[BATCH];
    char keys[BATCH][8];
    memset(operations, 0, sizeof operations);
    for (unsigned i = 0; i < BATCH; i++) {
        bench_redis_key(keys[i], first + i);
        operations[i] = (kr_dict_operation){.verb = set ? KR_DICT_SET : KR_DICT_GET,
                                            .key = keys[i],
                                            .key_size = sizeof keys[i],
                                            .value = value,
                                            .size = sizeof value,
                                            .found = value,
                                            .room = sizeof value};
    }
    int err = kr_dict_batch(d, operations, BATCH);
    if (err != 0 || operations[BATCH - 1].result != 0)
        bench_fail(kr_errname(err));
}

static void some(struct play *p, unsigned long amount)
{
    unsigned step = p->work->batch != 0 ? p->work->batch : 1;
    for (unsigned long i = 0; i < amount; i += step) {
        if (p->work->batch != 0)
            batch(p->dict, p->work->set, i);
        else
            one(p->dict, p->work->set, i);
    }
}

static int play(void *arg)
{
    struct play *p = arg;
    for (unsigned long i = 0; i < BENCH_REDIS_KEYS; i += BATCH)
        batch(p->dict, true, i);
    some(p, p->amount / 10);
    double began = bench_now();
    some(p, p->amount);
    p->taken = bench_now() - began;
    return 0;
}

static double run_krait(const struct subject *subject, unsigned long amount)
{
    struct play p = {.work = &subject->work, .amount = amount};
    char url[128];
    kr_manager *m;
    snprintf(url, sizeof url, "unix:%s", bench_redis_start());
    int err = kr_manager_open(&m, url, NULL);
    if (err == 0)
        err = kr_dict_open(&p.dict, m, "dict");
    if (err == 0)
        err = subject->coroutine ? kr_run(play, &p) : play(&p);
    if (err != 0)
        bench_fail(kr_errname(err));
    kr_dict_release(p.dict);
    kr_manager_release(m);
    return p.taken / (double)amount;
}

static struct bench_result measure(const struct bench_workload *workload, const void *subject)
{
    const struct subject *s = subject;
    unsigned long amount = bench_amount(s->work.batch != 0 ? BATCHED : SINGLES);
    (void)workload;
    amount -= amount % BATCH;
    return (struct bench_result){.ns_per_op = s->krait ? run_krait(s, amount)
                                                       : bench_hiredis_run(&s->work, amount)};
}

#else

static struct bench_result measure(const struct bench_workload *workload, const void *subject)
{
    (void)workload, (void)subject;
    bench_fail("no server");
}

#endif

/* clang-format off */
#define SUBJECT(...) BENCH_HIREDIS((&(const struct subject){__VA_ARGS__}))
#define ROW(name, subject, aside) {name, subject, BENCH_REDIS_PACKAGE, aside}
/* clang-format on */

static const struct bench_peer gets[] = {
    ROW("krait", SUBJECT(.work = {.batch = 0}, .krait = true), false),
    ROW("krait-coroutine", SUBJECT(.work = {.batch = 0}, .krait = true, .coroutine = true), true),
    ROW("hiredis", SUBJECT(.work = {.batch = 0}), false),
};

static const struct bench_peer sets[] = {
    ROW("krait", SUBJECT(.work = {.set = true}, .krait = true), false),
    ROW("krait-coroutine", SUBJECT(.work = {.set = true}, .krait = true, .coroutine = true), true),
    ROW("hiredis", SUBJECT(.work = {.set = true}), false),
};

static const struct bench_peer batched_gets[] = {
    ROW("krait", SUBJECT(.work = {.batch = BATCH}, .krait = true), false),
    ROW("hiredis-multi", SUBJECT(.work = {.batch = BATCH, .atomic = true}), false),
    ROW("hiredis", SUBJECT(.work = {.batch = BATCH}), true),
};

static const struct bench_peer batched_sets[] = {
    ROW("krait", SUBJECT(.work = {.set = true, .batch = BATCH}, .krait = true), false),
    ROW("hiredis-multi", SUBJECT(.work = {.set = true, .batch = BATCH, .atomic = true}), false),
    ROW("hiredis", SUBJECT(.work = {.set = true, .batch = BATCH}), true),
};

#define PEERS(table) .peers = table, .peer_count = sizeof(table) / sizeof *(table)

void bench_redis_rows(const char *filter)
{
    const struct bench_workload rows[] = {
        {.name = "redis.get", .measure = measure, PEERS(gets), .rounds = ROUNDS},
        {.name = "redis.set", .measure = measure, PEERS(sets), .rounds = ROUNDS},
        {.name = "redis.get.16", .measure = measure, PEERS(batched_gets), .rounds = ROUNDS},
        {.name = "redis.set.16", .measure = measure, PEERS(batched_sets), .rounds = ROUNDS},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        bench_run(&rows[i], filter);
}
