/* What the interpreter lock itself costs.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gil_rows.h"

#include "base/atomic.h"

#include <krait/gil.h>
#include <pthread.h>
#include <unistd.h>

enum { ALONE = 20000000, WARM = 1000, HANDOVERS = 200000, CHECKS = 500 };

static kr_gil_thread *self;

static void check(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        if (kr_gil_check(self) != 0)
            bench_fail("a check");
        __asm__ volatile("" ::: "memory");
    }
}

static void no_check(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++)
        __asm__ volatile("" ::: "memory");
}

static void region(unsigned long count)
{
    for (unsigned long i = 0; i < count; i++) {
        kr_allow_threads (self)
            __asm__ volatile("" ::: "memory");
    }
}

static void mutex(unsigned long count)
{
    static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&lock);
    for (unsigned long i = 0; i < count; i++) {
        pthread_mutex_unlock(&lock);
        pthread_mutex_lock(&lock);
    }
    pthread_mutex_unlock(&lock);
}

bench_gil_loop *const bench_gil_check = check, *const bench_gil_no_check = no_check,
                      *const bench_gil_region = region, *const bench_gil_mutex = mutex;

/* There is a second thread: alone, pthread's mutex leaves out the locked instructions. */
_Noreturn static void *sleep_on(void *arg)
{
    (void)arg;
    for (;;)
        pause();
}

struct bench_result bench_gil_alone(const struct bench_workload *workload, const void *subject)
{
    bench_gil_loop *const *loop = subject;
    unsigned long count = bench_amount(ALONE);
    pthread_t other;
    kr_gil *gil;
    (void)workload;
    BENCH_MUST(-pthread_create(&other, NULL, sleep_on, NULL));
    BENCH_MUST(kr_gil_create(&gil, NULL));
    BENCH_MUST(kr_gil_attach(gil, &self));
    (*loop)(count / 100 + 1);
    double begun = bench_now();
    (*loop)(count);
    double taken = bench_now() - begun;
    kr_gil_detach(self);
    return (struct bench_result){.ns_per_op = taken / (double)count};
}

/* Two that both want it: as one gets it the other is in the queue already and asks for it at once,
 * which it sees at its next check.  The clock starts when the second one has come: on one processor
 * the first computes alone until the system lets the other one run, some milliseconds later. */

struct play {
    kr_gil *gil;
    const struct bench_turn *turn; /* NULL: the lock */
    unsigned long rounds;
    kr_word here, over;
    double begun, ended; /* by who has the lock */
    _Alignas(128) unsigned char storage[BENCH_STORAGE];
};

/* Until one of them has handed it over so often. */
static void play_lock(struct play *play)
{
    kr_gil_thread *thread;
    kr_gil_metrics metrics = {.switches = 0};
    BENCH_MUST(kr_gil_attach(play->gil, &thread));
    if (kri_add_rlx(&play->here, 1) == 1)
        play->begun = bench_now();
    while (!kri_load_rlx(&play->over)) {
        for (unsigned i = 0; i < CHECKS; i++)
            BENCH_MUST(kr_gil_check(thread));
        kr_gil_measure_thread(thread, &metrics);
        if (metrics.forced_drops >= play->rounds && !kri_load_rlx(&play->over)) {
            kri_store_rlx(&play->over, 1);
            play->ended = bench_now();
        }
    }
    kr_gil_detach(thread);
}

static void play_body(void *arg, int index)
{
    struct play *play = arg;
    if (!play->turn) {
        play_lock(play);
        return;
    }
    for (unsigned long i = 0; i < play->rounds; i++)
        play->turn->pass(play->storage, index, 1 - index);
}

static double play_some(struct play *play, enum bench_place place, unsigned long rounds,
                        double *handovers)
{
    struct bench_party party = {.place = place, .count = 2, .body = play_body, .arg = play};
    play->rounds = rounds;
    kri_store_rlx(&play->here, 0);
    kri_store_rlx(&play->over, 0);
    *handovers = 2 * (double)rounds;
    const kr_gil_options eager = {.switch_interval = 1, .min_slice = 1};
    if (!play->turn)
        BENCH_MUST(kr_gil_create(&play->gil, &eager));
    double taken = bench_party(&party);
    if (!play->turn) {
        kr_gil_metrics metrics;
        kr_gil_measure(play->gil, &metrics);
        *handovers = metrics.switches ? (double)metrics.switches : 1;
        kr_gil_destroy(play->gil);
        taken = play->ended - play->begun;
    }
    return taken;
}

struct bench_result bench_gil_handover(const struct bench_workload *workload, const void *subject)
{
    static struct play play;
    const struct bench_turn *const *turn = subject;
    unsigned long warm = bench_amount(WARM);
    double handovers;
    play.turn = *turn;
    if (play.turn)
        play.turn->init(play.storage);
    double taken = play_some(&play, workload->place, warm, &handovers);
    unsigned long rounds = bench_afford(taken, warm, warm, bench_amount(HANDOVERS));
    taken = play_some(&play, workload->place, rounds, &handovers);
    return (struct bench_result){.ns_per_op = taken / handovers};
}
