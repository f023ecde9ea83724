/* Starts a task for each URL of the lists, and waits for all of them.
 *
 * The tasks are a group's, so this function cannot leave any behind: whether the lists end, an
 * error does, or Ctrl-C cancels the scope that it is called in, its end is the end of all tasks.  A
 * semaphore says how many are under way.
 *
 * Whether a task is a coroutine or a thread only open_pool says: it picks one of two functions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "../bar.h"
#include "fetch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct work {
    const struct options *options;
    kr_group group;
    kr_semaphore slots;
    struct job *jobs, *last; /* all that there were, in the order of the list */
    size_t count;
    bool list_failed;
};

void work_slot_free(struct work *work)
{
    (void)kr_semaphore_release(&work->slots, 1);
}

static int open_pool(kr_executor **pool, const struct options *options)
{
    const kr_pool_options in_threads = {.workers = (int)options->jobs, .name = "fetch"};
    const kr_pool_options in_coroutines = {.workers = 1, .name = "fetch"};
    if (options->threads)
        return kr_thread_pool(pool, &in_threads);
    return kr_loop_pool(pool, &in_coroutines);
}

static struct job *new_job(struct work *work, const char *url)
{
    struct job *job = calloc(1, sizeof *job + strlen(url) + 1);
    if (!job)
        return NULL;
    strcpy(job->url, url);
    job->work = work;
    job->number = ++work->count;
    if (work->last)
        work->last->next = job;
    else
        work->jobs = job;
    work->last = job;
    return job;
}

static int add(struct work *work, const char *url)
{
    int err = kr_semaphore_acquire(&work->slots, KR_FOREVER);
    if (err)
        return err;
    struct job *job = new_job(work, url);
    if (!job)
        return -ENOMEM;
    console_expect();
    output_expect(job);
    err = kr_group_start(&work->group, &job->task, task_fetch, work->options, job);
    return err ? err : output_error();
}

static int add_list(struct work *work, const char *path)
{
    struct list *list;
    const char *url;
    int got = list_open(&list, path);
    if (got == 0) {
        while ((got = list_next(list, &url)) > 0) {
            int err = add(work, url);
            if (err) {
                list_close(list);
                return err;
            }
        }
        list_close(list);
    }
    if (got && got != -ECANCELED) {
        complain("%s: %s", path, reason(got));
        work->list_failed = true;
        got = 0;
    }
    return got;
}

static int add_lists(struct work *work, char **lists, size_t count)
{
    int err = 0;
    for (size_t i = 0; i < count && !err; i++)
        err = add_list(work, lists[i]);
    console_all_known();
    return err;
}

/* How many were not fetched. */
static size_t sum_up(const struct work *work, kr_time took)
{
    char size[16], rate[16];
    size_t good = 0;
    uint64_t bytes = 0, retries = 0;
    for (const struct job *job = work->jobs; job; job = job->next) {
        good += job->done && !job->error;
        bytes += job->bytes;
        retries += job->retries;
    }
    double seconds = (double)took / 1e9;
    bar_human(size, sizeof size, bytes);
    bar_human(rate, sizeof rate, seconds > 0 ? (uint64_t)((double)bytes / seconds) : 0);
    if (!work->options->quiet)
        complain("%zu of %zu URLs, %llu retries, %s in %.1f s, %s/s", good, work->count,
                 (unsigned long long)retries, size, seconds, rate);
    return work->count - good;
}

static void free_jobs(struct work *work)
{
    while (work->jobs) {
        struct job *job = work->jobs;
        work->jobs = job->next;
        free(job->file);
        free(job);
    }
}

/* 0, or the error that ended it. */
static int run(struct work *work, kr_executor *pool, char **lists, size_t count)
{
    int err = kr_semaphore_init(&work->slots, work->options->jobs, NULL);
    if (!err)
        err = kr_group_open(&work->group, pool);
    if (err)
        return err;
    output_open(work->options->as_completed);
    err = add_lists(work, lists, count);
    if (err)
        kr_group_cancel(&work->group);
    int closed = kr_group_close(&work->group);
    console_close();
    int written = output_close();
    return written ? written : err ? err : closed;
}

int work_run(const struct options *options, char **lists, size_t count)
{
    struct work work = {.options = options};
    KR_AUTO(kr_executor) *pool = NULL;
    kr_time begun = kr_now();
    int err = open_pool(&pool, options);
    if (err) {
        complain("cannot start: %s", reason(err));
        return EXIT_FAILURE;
    }
    err = run(&work, pool, lists, count);
    bool interrupted = kr_cancelled();
    if (err && !interrupted)
        complain("%s", reason(err));
    size_t missing = sum_up(&work, kr_now() - begun);
    free_jobs(&work);
    trust_forget();
    if (interrupted)
        return 130;
    return err || missing > 0 || work.list_failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
