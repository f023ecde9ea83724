/* A number there and back by two queues of krait's: between a thread and a coroutine that runs in
 * another one, and between two threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine_rows.h"
#include "party.h"

#include <krait/coroutine.h>
#include <krait/queue.h>

enum { FEW = 500, MOST = 1000000 };

struct bench_handover {
    bool coroutine; /* who answers is one */
};

struct game {
    const struct bench_handover *kind;
    unsigned long count;
    kr_queue *there, *back;
};

static int answer(void *arg)
{
    struct game *game = arg;
    for (unsigned long i = 0; i < game->count; i++) {
        unsigned long number;
        BENCH_MUST(kr_queue_get(game->there, &number, KR_FOREVER));
        number++;
        BENCH_MUST(kr_queue_put(game->back, &number, KR_FOREVER));
    }
    return 0;
}

static void ask(struct game *game)
{
    for (unsigned long i = 0; i < game->count; i++) {
        unsigned long number = i;
        BENCH_MUST(kr_queue_put(game->there, &number, KR_FOREVER));
        BENCH_MUST(kr_queue_get(game->back, &number, KR_FOREVER));
        if (number != i + 1)
            bench_fail("a number that was handed over");
    }
}

static void play(void *arg, int index)
{
    struct game *game = arg;
    if (index == 0)
        ask(game);
#ifdef KRI_HAVE_LOOP
    else if (game->kind->coroutine)
        BENCH_MUST(kr_run(answer, game));
#endif
    else
        answer(game);
}

static double take(const struct bench_workload *workload, struct game *game, unsigned long count)
{
    struct bench_party party = {.place = workload->place, .count = 2, .body = play, .arg = game};
    game->count = count;
    return bench_party(&party);
}

struct bench_result bench_coroutine_handover(const struct bench_workload *workload,
                                             const void *subject)
{
    struct game game = {.kind = subject};
    BENCH_MUST(kr_queue_create(&game.there, sizeof(unsigned long), 1, NULL));
    BENCH_MUST(kr_queue_create(&game.back, sizeof(unsigned long), 1, NULL));
    take(workload, &game, FEW);
    unsigned long count = bench_afford(take(workload, &game, FEW), FEW, FEW, bench_amount(MOST));
    return (struct bench_result){.ns_per_op = take(workload, &game, count) / (double)count};
}

const struct bench_handover bench_handover_coroutine = {true}, bench_handover_threads = {false};
