/* Loops over a range: kr_parallel_for and kr_parallel_reduce, each a team, see team.c.
 *
 * State.  A reduction has a first partial result, the head, which the caller alone adds to, from
 * the beginning of the range.  When helpers are called, what is left is split into blocks of one
 * length, a piece of the team each, with a partial result of its own.  So memory depends on the
 * number of runners alone, and where a block lies is known from its place in memory: at the end
 * they are joined in order.
 *
 * Protocol.  The caller of a reduction writes all but the blocks before it calls helpers; a block
 * is written by whoever took it, and read by the caller when nobody is at it any more.
 *
 * Why not a partial result for each runner?  Its pieces would not be neighbours, and what joins
 * them would have to be commutative.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/parallel.h>

#include <string.h>

#include "base/options.h"
#include "executor/team.h"
#include "os/os.h"

enum { MOST_SIZE = 4096, BLOCKS_PER_RUNNER = 64, LINE = 64 };

static bool is_valid(const kr_parallel_options *o)
{
    return o->runners >= 0 && o->timeout >= 0 && kri_reserved_is_clear(o->reserved);
}

static kri_team team_of(kr_executor *executor, size_t count, const kr_parallel_options *options)
{
    static const kr_parallel_options defaults;
    const kr_parallel_options *o = options ? options : &defaults;
    bool leads = !kri_party_shares_thread() || kri_frame_in_executor(executor);
    return (kri_team){.executor = executor,
                      .count = count,
                      .grain = o->grain,
                      .leads = leads,
                      .stands_in = true,
                      .at_once = o->grain != 0 || !leads,
                      .most = o->runners,
                      .timeout = o->timeout};
}

/* 1: there is something to run. */
static int check(const kr_executor *executor, size_t first, size_t end,
                 const kr_parallel_options *options)
{
    int err = kri_executor_check_wait(executor);
    if (err)
        return err;
    if (end < first || (options && !is_valid(options)))
        return -EINVAL;
    if (executor->ops->elsewhere)
        return -EOPNOTSUPP;
    if (end == first)
        return 0;
    return kri_load_acq(&executor->shut) ? KR_ESHUTDOWN : 1;
}

struct loop {
    kri_team team; /* first */
    kr_range_fn fn;
    void *arg;
    size_t first;
};

static int run_piece(kri_team *team, size_t first, size_t end)
{
    const struct loop *loop = (const struct loop *)team;
    return loop->fn(loop->first + first, loop->first + end, loop->arg);
}

int kr_parallel_for(kr_executor *executor, size_t first, size_t end, kr_range_fn fn, void *arg,
                    const kr_parallel_options *options)
{
    int err = fn ? check(executor, first, end, options) : -EINVAL;
    if (err != 1)
        return err;
    struct loop loop = {
        .team = team_of(executor, end - first, options), .fn = fn, .arg = arg, .first = first};
    loop.team.piece = run_piece;
    return kri_team_run(&loop.team);
}

struct sum {
    kri_team team; /* first */
    const kr_reduction *how;
    void *arg;
    size_t first;
    const void *initial;
    size_t split_at; /* where the first block begins; the end: there are none */
    size_t step;     /* what `add` gets of a block at first; 0: all at a time */
    size_t blocks;
    size_t stride;
    char *partials; /* of the blocks */
    _Alignas(max_align_t) char head[MOST_SIZE];
};

/* No two share a line of the cache, wherever they begin. */
static size_t stride_of(size_t size)
{
    return (size + 2 * LINE - 1) / LINE * LINE;
}

static bool split(kri_team *team, size_t first)
{
    struct sum *sum = (struct sum *)team;
    size_t left = team->count - first;
    size_t length = (left - 1) / (BLOCKS_PER_RUNNER * team->runners) + 1;
    if (length < team->grain)
        length = team->grain;
    size_t blocks = (left - 1) / length + 1;
    sum->partials = os_alloc(blocks * sum->stride);
    if (!sum->partials)
        return false;
    sum->blocks = blocks;
    sum->split_at = first;
    sum->step = team->grain ? 0 : team->reach;
    team->grain = length;
    team->exact = true;
    return true;
}

/* A block as long as a large range makes it is done in steps, so that a cancel is seen. */
static int add_block(const struct sum *sum, size_t first, size_t end, void *partial)
{
    size_t step = sum->step ? sum->step : end - first;
    kr_time began = sum->step ? os_now() : 0;
    int err = 0;
    while (first < end && err >= 0) {
        size_t length = end - first < step ? end - first : step;
        if (kri_team_is_cut(&sum->team))
            return -ECANCELED;
        err = sum->how->add(sum->first + first, sum->first + first + length, partial, sum->arg);
        first += length;
        if (first < end) {
            kr_time now = os_now();
            step = kri_team_learn(length, now - began);
            began = now;
        }
    }
    return err;
}

static char *block_at(const struct sum *sum, size_t i)
{
    return sum->partials + i * sum->stride;
}

static int add_piece(kri_team *team, size_t first, size_t end)
{
    struct sum *sum = (struct sum *)team;
    if (first < sum->split_at)
        return sum->how->add(sum->first + first, sum->first + end, sum->head, sum->arg);
    char *partial = block_at(sum, (first - sum->split_at) / team->grain);
    memcpy(partial, sum->initial, sum->how->size);
    return add_block(sum, first, end, partial);
}

static void join_all(struct sum *sum, void *result)
{
    for (size_t i = 0; i < sum->blocks; i++)
        sum->how->join(sum->head, block_at(sum, i), sum->arg);
    memcpy(result, sum->head, sum->how->size);
}

static bool is_reduction(const kr_reduction *r)
{
    return r && r->add && r->join && r->size > 0 && r->size <= MOST_SIZE;
}

int kr_parallel_reduce(kr_executor *executor, size_t first, size_t end,
                       const kr_reduction *reduction, void *arg, void *result,
                       const kr_parallel_options *options)
{
    int err = is_reduction(reduction) && result ? check(executor, first, end, options) : -EINVAL;
    if (err != 1)
        return err;
    struct sum sum;
    memset(&sum, 0, offsetof(struct sum, head));
    sum.team = team_of(executor, end - first, options);
    sum.team.piece = add_piece;
    sum.team.split = split;
    sum.how = reduction;
    sum.arg = arg;
    sum.first = first;
    sum.initial = result;
    sum.split_at = end - first;
    sum.stride = stride_of(reduction->size);
    memcpy(sum.head, result, reduction->size);
    err = kri_team_run(&sum.team);
    if (err == 0)
        join_all(&sum, result);
    os_free(sum.partials);
    return err;
}
