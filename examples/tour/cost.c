/* What a runner costs: to make and end one that does nothing, and to go from one to the next.
 *
 * All is measured by a new process, which has nothing of what the chapters have left behind: stacks
 * that are kept for the next thread, memory that was freed and not given back.
 *
 * A turn is what it takes until another runs, on one processor: two hand a permit to and fro.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <string.h>

enum { REPEATS = 3, COROUTINE_TURNS = 10 };

struct order {
    enum runner runner;
    kr_time make;
    int turns, keep;
};

/* Making */

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}
KR_TASK(do_nothing);

static int do_nothing_too(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return 0;
}

static const kr_start_method methods[] = {
    [FORKED] = KR_FORK, [FROM_SERVER] = KR_FORKSERVER, [SPAWNED] = KR_SPAWN};

int make_process(kr_process **process, enum runner runner, kr_run_fn run, const int *descriptors,
                 int count)
{
    return kr_process_start(process, run, NULL, 0,
                            &(kr_process_options){.start = methods[runner],
                                                  .daemon = KR_DAEMON_YES,
                                                  .die_with_parent = true,
                                                  .descriptors = descriptors,
                                                  .descriptor_count = count});
}

/* Made, run to its end, and waited for. */
static int make_one(enum runner runner)
{
    KR_AUTO(kr_thread) *thread = NULL;
    KR_AUTO(kr_process) *process = NULL;
    KR_AUTO(kr_future) *future = NULL;
    int err;
    switch (runner) {
    case COROUTINE:
        err = kr_spawn(&future, do_nothing_too, NULL, 0, 0, NULL);
        return err ? err : kr_future_result(future, NULL, 0, NULL, KR_FOREVER);
    case THREAD:
        err = kr_thread_start(&thread, do_nothing, NULL, 0, NULL);
        return err ? err : kr_thread_join(thread, NULL, KR_FOREVER);
    default:
        err = make_process(&process, runner, do_nothing, NULL, 0);
        return err ? err : kr_process_join(process, NULL, KR_FOREVER);
    }
}

static int measure_make(const struct order *order, double *seconds)
{
    int err = make_one(order->runner); /* the first has more to do: it starts the fork server */
    double begun = now_seconds(), until = begun + (double)order->make / 1e9, now = begun;
    int made = 0;
    for (; !err && now < until; made++) {
        err = make_one(order->runner);
        now = now_seconds();
    }
    *seconds = made > 0 ? (now - begun) / made : 0;
    return err;
}

/* Turns */

struct table {
    kr_semaphore ends[2];
    int turns;
};

struct player {
    struct table *table;
    int end;
};

static int play(void *arg)
{
    const struct player *player = arg;
    struct table *table = player->table;
    int err = 0;
    for (int i = 0; i < table->turns && !err; i++) {
        err = kr_semaphore_acquire(&table->ends[player->end], KR_FOREVER);
        if (!err)
            err = kr_semaphore_release(&table->ends[1 - player->end], 1);
    }
    return err;
}

static int play_as_task(const void *arg, void *result)
{
    struct player player = *(const struct player *)arg;
    (void)result;
    return play(&player);
}

static int play_in_coroutines(const struct player players[2])
{
    kr_future *futures[2] = {NULL};
    int err = 0;
    for (int i = 0; i < 2 && !err; i++)
        err = kr_spawn(&futures[i], play_as_task, &players[i], sizeof players[i], 0, NULL);
    if (!err)
        err = kr_gather(futures, 2, NULL, NULL, KR_FOREVER);
    kr_future_release(futures[0]);
    kr_future_release(futures[1]);
    return err;
}

static int play_in_threads(const struct player players[2], const kr_cpu_set *processor)
{
    kr_thread *threads[2] = {NULL};
    int err = 0;
    for (int i = 0; i < 2 && !err; i++)
        err = kr_thread_start(&threads[i], play, &players[i], sizeof players[i],
                              &(kr_thread_options){.affinity = processor});
    for (int i = 0; i < 2 && threads[i]; i++) {
        if (!err)
            err = kr_thread_join(threads[i], NULL, KR_FOREVER);
        kr_thread_release(threads[i]);
    }
    return err;
}

static int play_in_processes(const struct player players[2], const kr_cpu_set *processor)
{
    kr_process *processes[2] = {NULL};
    int err = 0;
    for (int i = 0; i < 2 && !err; i++)
        err = kr_process_start(&processes[i], play, &players[i], sizeof players[i],
                               &(kr_process_options){.start = KR_FORK,
                                                     .daemon = KR_DAEMON_YES,
                                                     .die_with_parent = true,
                                                     .affinity = processor});
    for (int i = 0; i < 2 && processes[i]; i++) {
        if (!err)
            err = kr_process_join(processes[i], NULL, KR_FOREVER);
        kr_process_release(processes[i]);
    }
    return err;
}

/* The first processor that this thread may run on. */
static kr_cpu_set one_processor(void)
{
    kr_cpu_set usable = {.words = {0}}, one = {.words = {0}};
    int err = kr_thread_get_affinity(kr_thread_current(), &usable);
    for (int cpu = 0; cpu < KR_CPU_MAX && !err; cpu++) {
        if (kr_cpu_set_has(&usable, cpu)) {
            (void)kr_cpu_set_add(&one, cpu);
            break;
        }
    }
    return one;
}

static int play_once(enum runner runner, struct table *table)
{
    kr_scope scope = runner == FORKED ? KR_SHARED : KR_PRIVATE;
    struct player players[2] = {{table, 0}, {table, 1}};
    kr_cpu_set processor = one_processor();
    int err = 0;
    for (int i = 0; i < 2 && !err; i++)
        err = kr_semaphore_init(&table->ends[i], i == 0, &(kr_semaphore_options){.scope = scope});
    if (err)
        return err;
    return runner == COROUTINE ? play_in_coroutines(players)
           : runner == THREAD  ? play_in_threads(players, &processor)
                               : play_in_processes(players, &processor);
}

static int measure_turn(const struct order *order, double *seconds)
{
    struct table *table = kr_shared_alloc(sizeof *table);
    int err = table ? 0 : -ENOMEM;
    for (int i = 0; i < REPEATS && !err; i++) {
        table->turns = order->runner == COROUTINE ? COROUTINE_TURNS * order->turns : order->turns;
        double begun = now_seconds();
        err = play_once(order->runner, table);
        double taken = (now_seconds() - begun) / (2.0 * table->turns);
        if (i == 0 || taken < *seconds)
            *seconds = taken;
    }
    kr_shared_free(table);
    return err;
}

/* All of one kind, in the process for it */

struct account {
    const struct order *order;
    struct cost *cost;
};

static int measure_all(void *arg)
{
    const struct account *account = arg;
    const struct order *order = account->order;
    struct cost *cost = account->cost;
    /* First, while nothing was made that might be used again. */
    int err = measure_keep(order->runner, order->keep, &cost->keep);
    if (!err)
        err = measure_make(order, &cost->make);
    if (!err && order->runner <= FORKED)
        err = measure_turn(order, &cost->turn);
    return err;
}

static int measure_runner(const void *arg, void *result)
{
    struct account account = {arg, result};
    if (account.order->runner == COROUTINE)
        return kr_run_with(measure_all, &account, &(kr_run_options){.keep_interrupt = true});
    return measure_all(&account);
}
KR_TASK(measure_runner);

static int ask_for(const struct order *order, struct cost *cost)
{
    KR_AUTO(kr_executor) *pool = NULL;
    KR_AUTO(kr_future) *future = NULL;
    int err = kr_process_pool_with(&pool, &(kr_pool_options){.workers = 1, .name = "costs"},
                                   &(kr_process_pool_options){.start = KR_SPAWN});
    if (!err)
        err = kr_submit(pool, &future, measure_runner, order, sizeof *order, sizeof *cost);
    if (!err)
        err = kr_future_result(future, cost, sizeof *cost, NULL, KR_FOREVER);
    if (err && pool)
        kr_executor_kill_workers(pool);
    return err;
}

int measure_costs(struct tour *tour)
{
    static const char *const names[] = {[COROUTINE] = "coroutine",
                                        [THREAD] = "thread",
                                        [FORKED] = "process, fork",
                                        [FROM_SERVER] = "process, fork server",
                                        [SPAWNED] = "process, spawn"};
    static const int shares[] = {
        [COROUTINE] = 100, [THREAD] = 10, [FORKED] = 1, [FROM_SERVER] = 1, [SPAWNED] = 1};
    int err = 0;
    for (enum runner runner = COROUTINE; runner < RUNNERS && !err; runner++) {
        struct order order = {runner, tour->effort.make, tour->effort.turns,
                              shares[runner] * tour->effort.keep};
        struct cost *cost = &tour->costs[runner];
        if (!is_late(tour, tour->only < 0 ? 0.75 : 1)) {
            console_step("What a runner costs", names[runner]);
            err = ask_for(&order, cost);
        }
        cost->name = names[runner];
        if (err && err != -ECANCELED) {
            complain("%s: %s", names[runner], kr_strerror(err));
            *cost = (struct cost){.name = names[runner]};
            err = 0;
        }
    }
    return err;
}
