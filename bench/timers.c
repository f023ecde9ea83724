/* Timers: what a processor spends on setting and firing one of very many, and on setting one anew.
 *
 * SPDX-License-Identifier: MIT
 */
#include "timers.h"
#include "coroutine_rows.h"
#include "party.h"

#include <stdlib.h>

enum { OUTSTANDING = 1000000, REARMED = 5, SOONEST = 1000, SPREAD = 1000 };

size_t bench_timers_fired;

static unsigned draw(unsigned below)
{
    static unsigned long long state = 1;
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

static unsigned *numbers(size_t count)
{
    unsigned *all = malloc(count * sizeof *all);
    if (!all)
        bench_fail("malloc");
    return all;
}

/* What a measurement needs, and what it found. */
struct task {
    const struct bench_timers *timers;
    size_t count;
    unsigned *delays;
    unsigned *order;
    double taken;
};

static double measure(const struct bench_workload *workload, struct task *task,
                      void (*body)(void *arg))
{
    bench_place_process(workload->place);
    if (task->timers->inside)
        task->timers->inside(body, task);
    else
        body(task);
    free(task->delays);
    free(task->order);
    return task->taken;
}

/* None is due before the last of them has been set. */
static void fire_all(void *arg)
{
    struct task *task = arg;
    double begun = bench_processor_time(), since = bench_now();
    task->timers->arm(task->delays, task->count);
    task->timers->run();
    task->taken = bench_processor_time() - begun;
    if (bench_timers_fired != task->count || bench_now() - since < SOONEST * 1e6)
        bench_fail("the timers that fired");
}

struct bench_result bench_timers_fire(const struct bench_workload *workload, const void *subject)
{
    size_t count = bench_amount(OUTSTANDING);
    struct task task = {.timers = subject, .count = count, .delays = numbers(count)};
    for (size_t i = 0; i < count; i++)
        task.delays[i] = SOONEST + draw(SPREAD);
    return (struct bench_result){.ns_per_op = measure(workload, &task, fire_all) / (double)count};
}

static void rearm_all(void *arg)
{
    struct task *task = arg;
    task->timers->arm(task->delays, task->count);
    task->timers->rearm(task->order, task->count);
    double begun = bench_processor_time();
    for (int i = 0; i < REARMED; i++)
        task->timers->rearm(task->order, task->count);
    task->taken = (bench_processor_time() - begun) / REARMED;
    if (bench_timers_fired != 0)
        bench_fail("timers that were to be set anew");
}

static void shuffle(unsigned *order, size_t count)
{
    for (size_t i = count - 1; i > 0; i--) {
        size_t other = draw((unsigned)i + 1);
        unsigned number = order[i];
        order[i] = order[other];
        order[other] = number;
    }
}

static struct bench_result measure_rearm(const struct bench_workload *workload, const void *subject,
                                         bool shuffled)
{
    size_t count = bench_amount(OUTSTANDING);
    struct task task = {
        .timers = subject, .count = count, .delays = numbers(count), .order = numbers(count)};
    for (size_t i = 0; i < count; i++) {
        task.delays[i] = BENCH_TIMEOUT + draw(SPREAD);
        task.order[i] = (unsigned)i;
    }
    if (shuffled)
        shuffle(task.order, count);
    return (struct bench_result){.ns_per_op = measure(workload, &task, rearm_all) / (double)count};
}

struct bench_result bench_timers_rearm(const struct bench_workload *workload, const void *subject)
{
    return measure_rearm(workload, subject, false);
}

struct bench_result bench_timers_rearm_random(const struct bench_workload *workload,
                                              const void *subject)
{
    return measure_rearm(workload, subject, true);
}
