/* kr_map: a team over an array, see team.c.
 *
 * Fields.
 *     [mutex]   done, failed_at, error, reported, reporting
 *     all else  constant once the first item runs
 *
 * Protocol.
 *     Whoever ends a chunk reports progress, unless somebody is at it, who then reports once more.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/map.h>

#include "base/options.h"
#include "executor/pool.h"
#include "executor/team.h"

#include <limits.h>

struct job {
    kri_team team; /* first */
    kr_task_fn fn;
    const char *args;
    size_t arg_size;
    char *results;
    size_t result_size;
    kr_map_options options;

    kri_mutex mutex;
    size_t done;      /* items that have ended */
    size_t failed_at; /* the first item, by index, that failed */
    int error;        /* of that item; 0: none failed */
    size_t reported;
    bool reporting;
};

struct tally {
    size_t done;
    size_t failed_at;
    int error;
};

static void note_error(const struct job *job, struct tally *tally, size_t i, int error)
{
    if (error > 0)
        error = 0;
    if (job->options.errors)
        job->options.errors[i] = error;
    if (error && !tally->error) {
        tally->error = error;
        tally->failed_at = i;
    }
}

static struct tally run_items(const struct job *job, size_t first, size_t end)
{
    struct tally tally = {0, 0, 0};
    const kr_task_fn fn = job->fn;
    const size_t arg_size = job->arg_size, result_size = job->result_size;
    const bool notes = job->options.errors != NULL;
    const char *arg = arg_size ? job->args + first * arg_size : job->args;
    char *result = result_size ? job->results + first * result_size : NULL;
    uint64_t cancels = UINT64_MAX;
    size_t i = first;
    for (; i < end && !kri_team_is_cut_since(&job->team, &cancels); i++) {
        int error = fn(arg, result);
        if (error || notes)
            note_error(job, &tally, i, error);
        if (arg_size)
            arg += arg_size;
        if (result)
            result += result_size;
    }
    tally.done = i - first;
    return tally;
}

static void add_up(struct job *job, struct tally tally)
{
    kri_mutex_lock(&job->mutex);
    job->done += tally.done;
    if (tally.error && (!job->error || tally.failed_at < job->failed_at)) {
        job->error = tally.error;
        job->failed_at = tally.failed_at;
    }
    kri_mutex_unlock(&job->mutex);
}

static void report(struct job *job)
{
    if (!job->options.progress)
        return;
    kri_mutex_lock(&job->mutex);
    while (!job->reporting && job->reported != job->done) {
        size_t done = job->done;
        job->reporting = true;
        kri_mutex_unlock(&job->mutex);
        job->options.progress(done, job->team.count, job->options.progress_arg);
        kri_mutex_lock(&job->mutex);
        job->reporting = false;
        job->reported = done;
    }
    kri_mutex_unlock(&job->mutex);
}

static int run_chunk(kri_team *team, size_t first, size_t end)
{
    struct job *job = (struct job *)team;
    add_up(job, run_items(job, first, end));
    report(job);
    return 0;
}

static int run_job(struct job *job)
{
    size_t count = job->team.count;
    int err = kri_team_run(&job->team);
    bool all = job->done == count;
    if (all && !job->error)
        return 0;
    if (job->team.cut)
        return job->team.cut;
    return all ? job->error : err;
}

/* May the caller run what is for the executor's workers? */
static bool takes_part(const kr_executor *executor)
{
    if (kri_frame_in_executor(executor))
        return true;
    return !kri_party_shares_thread() && executor->ops == &kri_pool_ops &&
           ((const kri_pool *)executor)->outside_help;
}

/* Where tasks overlap, as many as are asked for. */
static int runners(const kr_executor *executor, size_t window)
{
    size_t most = kri_executor_under_way(executor);
    if (window && executor->ops->overlaps)
        most = INT_MAX;
    return (int)(window && window < most ? window : most);
}

static bool is_valid(const kr_map_options *o)
{
    return o->timeout >= 0 && kri_reserved_is_clear(o->reserved);
}

int kr_map(kr_executor *executor, kr_task_fn fn, const void *args, size_t arg_size, size_t count,
           void *results, size_t result_size, const kr_map_options *options)
{
    static const kr_map_options defaults;
    int err = kri_executor_check_wait(executor);
    if (err)
        return err;
    if (!options)
        options = &defaults;
    bool arrays = (!arg_size || args) && (!result_size || results);
    if (!fn || !is_valid(options) || (count && !arrays))
        return -EINVAL;
    if (count == 0)
        return 0;
    for (size_t i = 0; options->errors && i < count; i++)
        options->errors[i] = -ECANCELED;
    if (kri_load_acq(&executor->shut))
        return KR_ESHUTDOWN;
    if (executor->ops->map) {
        kri_task task = {.fn = fn,
                         .arg = args,
                         .items = count,
                         .item_arg = arg_size,
                         .item_result = result_size};
        return executor->ops->map(executor, &task, results, options);
    }
    struct job job = {
        .team = {.executor = executor,
                 .piece = run_chunk,
                 .count = count,
                 .grain = options->chunk,
                 .exact = options->chunk != 0,
                 .leads = takes_part(executor),
                 .at_once = true,
                 .most = runners(executor, options->window),
                 .timeout = options->timeout},
        .fn = fn,
        .args = args,
        .arg_size = arg_size,
        .results = results,
        .result_size = result_size,
        .options = *options,
    };
    return run_job(&job);
}
