/* kr_map: runners that take chunks of an array until there are none left.
 *
 * State.  A job lies in the caller's frame.  As many runners as may work at a time are submitted as
 * tasks of their own; each takes the next chunk, runs its items and counts them, until all are
 * taken or the map is stopped.  So what is in flight and what is allocated depends on the number of
 * workers and not on the number of items.
 *
 * Fields.
 *     next      atomic: the first item that nobody has taken
 *     stop      atomic: 1 when no further item should begin
 *     [mutex]   done, failed_at, error, cut, reported, reporting
 *     all else  constant once the first runner is submitted
 *
 * Protocol.
 *     The caller waits for each runner.  A wait that is cut short, by the time limit or by the
 *     caller's scope, sets stop, takes the runners out that have not begun and asks the others
 *     through their scopes; then it waits for them, which nothing ends, for they use its frame.
 *     A caller that is a task runs one of its queued runners itself.
 *     When the first runner is through, nothing is left to be taken: those still queued go.
 *     Whoever ends a chunk reports progress, unless somebody is at it, who then reports once more.
 *
 * Why not a future for each chunk?  It costs an allocation and a way through the queue a chunk, and
 * it needs somebody awake to keep the window filled.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/map.h>

#include "executor/executor.h"
#include "os/os.h"

enum { CHUNKS_PER_RUNNER = 8 };

struct job {
    kri_word64 next;
    kr_word stop;
    kri_mutex mutex;
    size_t done;      /* items that have ended */
    size_t failed_at; /* the first item, by index, that failed */
    int error;        /* of that item; 0: none failed */
    int cut;          /* -ETIMEDOUT or -ECANCELED: what ended the map early */
    size_t reported;
    bool reporting;

    kr_task_fn fn;
    const char *args;
    size_t arg_size;
    char *results;
    size_t result_size;
    size_t count;
    size_t chunk;
    kr_time deadline;
    const kr_cancel_scope *scope; /* the caller's; NULL: none */
    kr_map_options options;
};

static bool is_stopped(const struct job *job)
{
    return kri_load_acq(&job->stop) || kr_cancelled() ||
           (job->scope && kri_scope_marked(job->scope));
}

static int run_item(const struct job *job, size_t i)
{
    void *result = job->result_size ? job->results + i * job->result_size : NULL;
    const void *arg = job->arg_size ? job->args + i * job->arg_size : job->args;
    int error = job->fn(arg, result);
    if (error > 0)
        error = 0;
    if (job->options.errors)
        job->options.errors[i] = error;
    return error;
}

struct tally {
    size_t done;
    size_t failed_at;
    int error;
};

static struct tally run_items(const struct job *job, size_t first, size_t end)
{
    struct tally tally = {0, 0, 0};
    for (size_t i = first; i < end && !is_stopped(job); i++) {
        int error = run_item(job, i);
        tally.done++;
        if (error && !tally.error) {
            tally.error = error;
            tally.failed_at = i;
        }
    }
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
        job->options.progress(done, job->count, job->options.progress_arg);
        kri_mutex_lock(&job->mutex);
        job->reporting = false;
        job->reported = done;
    }
    kri_mutex_unlock(&job->mutex);
}

static void run_chunks(struct job *job)
{
    while (!is_stopped(job)) {
        uint64_t first = kri_add_rlx64(&job->next, job->chunk);
        if (first >= job->count)
            return;
        size_t left = job->count - (size_t)first;
        size_t end = (size_t)first + (left < job->chunk ? left : job->chunk);
        add_up(job, run_items(job, (size_t)first, end));
        report(job);
    }
}

static void note_cut(struct job *job, int why)
{
    kri_mutex_lock(&job->mutex);
    if (!job->cut)
        job->cut = why;
    kri_mutex_unlock(&job->mutex);
}

static int run(const void *arg, void *result)
{
    (void)result;
    struct job *job = *(struct job *const *)arg;
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    int err = kr_cancel_scope_enter(&scope, kri_left_until(job->deadline));
    if (err)
        return err;
    run_chunks(job);
    err = kr_cancel_scope_exit(&scope);
    if (err)
        note_cut(job, err);
    return 0;
}

/* Submit the runners; how many there are, or the error when there is not even one. */
static int submit(struct job *job, kr_executor *executor, kr_future **runners, size_t wanted)
{
    kri_task task = {.fn = run, .arg = &job, .arg_size = sizeof job};
    size_t n = 0;
    int err = 0;
    while (n < wanted && !err) {
        err = kri_submit(executor, &runners[n], &task, n == 0 ? job->deadline : 0);
        n += err == 0;
    }
    return n ? (int)n : err;
}

static void help(kr_future **runners, int n)
{
    bool helped = false;
    for (int i = 0; i < n && !helped; i++)
        helped = kri_help(runners[i], kri_party_self()->scope);
}

static void stop(struct job *job, kr_future **runners, int n, int why)
{
    note_cut(job, why);
    kri_store_rel(&job->stop, 1);
    for (int i = 0; i < n; i++)
        (void)kr_future_cancel(runners[i]);
}

static void remove_queued(kr_future **runners, int n)
{
    for (int i = 0; i < n; i++)
        (void)kri_future_remove(runners[i]);
}

/* Wait for all of them, and let them go.  The first error of a runner itself: its pool broke, or
 * cancelled it. */
static int wait_for(struct job *job, kr_future **runners, int n)
{
    int error = 0;
    bool stopped = false;
    for (int i = 0; i < n; i++) {
        int err = stopped ? 0 : kri_future_await(runners[i], job->deadline, 0);
        if (err) {
            stop(job, runners, n, err);
            stopped = true;
        }
        (void)kri_future_await(runners[i], KRI_NEVER, KRI_UNCANCELLABLE);
        int how = runners[i]->error;
        if (how == 0)
            remove_queued(runners, n);
        else if (!error)
            error = how == -ECANCELED ? KR_ESHUTDOWN : how;
    }
    for (int i = 0; i < n; i++) {
        kri_future_seen(runners[i]);
        kr_future_release(runners[i]);
    }
    return error;
}

/* What the map returns, once nobody is at it any more. */
static int outcome(const struct job *job, int error)
{
    bool complete = job->done == job->count;
    if (complete && !job->error)
        return 0;
    if (job->cut)
        return job->cut;
    if (complete)
        return job->error;
    if (job->deadline != KRI_NEVER && os_now() >= job->deadline)
        return -ETIMEDOUT;
    return kr_cancelled() ? -ECANCELED : error;
}

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Settles the chunk; how many runners the job is worth. */
static size_t plan(struct job *job, const kr_executor *executor)
{
    size_t runners = (size_t)executor->workers;
    if (job->options.window)
        runners = smaller(runners, job->options.window);
    job->chunk =
        job->options.chunk ? job->options.chunk : job->count / (runners * CHUNKS_PER_RUNNER);
    if (job->chunk == 0)
        job->chunk = 1;
    job->chunk = smaller(job->chunk, job->count);
    return smaller(runners, (job->count - 1) / job->chunk + 1);
}

static int run_job(struct job *job, kr_executor *executor)
{
    size_t wanted = plan(job, executor);
    kr_future **runners = os_alloc(wanted * sizeof(kr_future *));
    if (!runners)
        return -ENOMEM;
    for (size_t i = 0; job->options.errors && i < job->count; i++)
        job->options.errors[i] = -ECANCELED;
    int err = submit(job, executor, runners, wanted);
    if (err > 0) {
        help(runners, err);
        err = outcome(job, wait_for(job, runners, err));
    }
    os_free(runners);
    return err;
}

static bool is_valid(const kr_map_options *o)
{
    uint64_t reserved = o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3];
    return o->timeout >= 0 && reserved == 0;
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
    struct job job = {
        .fn = fn,
        .args = args,
        .arg_size = arg_size,
        .results = results,
        .result_size = result_size,
        .count = count,
        .deadline = options->timeout ? kri_deadline(options->timeout) : KRI_NEVER,
        .scope = kri_party_self()->scope,
        .options = *options,
    };
    return run_job(&job, executor);
}
