/* Shares files out over krait's thread pool and gives the results back in order.
 *
 * The caller's thread adds files in the order in which it wants them back.  They are packed into
 * batches, so that many small files cost one hand-over to the pool and a large file is a batch of
 * its own.  A batch is submitted when a slot is free; slots are a few more than workers, so that no
 * worker waits for us and the choice of what is next stays here as long as possible:
 *
 *     in order, so that output flows, unless the largest batch that is left would take one worker
 *     about as long as everything that is left takes all of them: then that one, or the end would
 *     be one worker busy with it and the others idle.
 *
 * A batch's event says that its files are done.  The caller's thread shows the batches in order, as
 * far as they are done, and frees them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "treesum.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BATCH_FILES      128
#define BATCH_BYTES      ((uint64_t)4 << 20)
#define LARGE_LOG2       22                   /* from 4 MiB on a batch may be taken early */
#define FILE_COST        ((uint64_t)16 << 10) /* opening a file is worth hashing so many bytes */
#define SLOTS_PER_WORKER 4
#define MAX_WORKERS      4096
#define SHOW_INTERVAL    kr_ms(100) /* so long at most a line waits for its reader while we wait */

struct batch {
    struct batch *next; /* in order */
    struct batch *next_of_size;
    struct batch **link_of_size; /* what points to it in its list of that size; NULL: in none */
    kr_event done;
    uint64_t cost; /* bytes, and what opening adds */
    uint32_t count;
    bool started;
    struct file files[]; /* and behind them their paths and wanted digests */
};

/* A batch in the making. */
struct draft {
    struct file files[BATCH_FILES];
    size_t offsets[BATCH_FILES]; /* of the paths in text */
    size_t count;
    uint64_t cost;
    char *text;
    size_t used, capacity;
};

struct work {
    kr_executor *pool; /* NULL: everything is done in the caller's thread */
    unsigned workers;
    kr_cancel_scope *scope;
    show_fn *show;
    void *context;

    struct draft draft;
    struct batch *first, *last; /* all that have not been shown */
    struct batch *pending;      /* the first of them that was not started */
    struct batch *large[64];    /* not started, by the logarithm of their cost */
    uint64_t pending_cost;
    kr_semaphore slots;

    kr_lock lock; /* guards the two below */
    struct hasher **idle;
    size_t idle_count;
};

/* In the workers */

static struct hasher *take_hasher(struct work *work)
{
    kr_with (&work->lock) {
        if (work->idle_count > 0)
            return work->idle[--work->idle_count];
    }
    return hasher_create(work->scope);
}

static void give_hasher_back(struct work *work, struct hasher *hasher)
{
    kr_with (&work->lock)
        work->idle[work->idle_count++] = hasher;
}

static void sum_files(struct work *work, struct file *files, size_t count)
{
    struct hasher *hasher = take_hasher(work);
    for (size_t i = 0; i < count; i++) {
        if (hasher)
            hasher_sum(hasher, &files[i]);
        else
            files[i].error = -ENOMEM;
    }
    if (hasher)
        give_hasher_back(work, hasher);
}

struct task {
    struct work *work;
    struct batch *batch;
};

static int sum_batch(const void *arg, void *result)
{
    const struct task *task = arg;
    struct work *work = task->work;
    (void)result;
    sum_files(work, task->batch->files, task->batch->count);
    kr_event_set(&task->batch->done); /* from here on the batch may be gone */
    return kr_semaphore_release(&work->slots, 1);
}

/* In the caller's thread: which batch is next */

static void list_by_size(struct work *work, struct batch *batch)
{
    unsigned size = 63u - (unsigned)__builtin_clzll(batch->cost);
    if (size < LARGE_LOG2)
        return;
    struct batch **list = &work->large[size];
    batch->next_of_size = *list;
    if (*list)
        (*list)->link_of_size = &batch->next_of_size;
    *list = batch;
    batch->link_of_size = list;
}

static void unlist(struct batch *batch)
{
    if (!batch->link_of_size)
        return;
    *batch->link_of_size = batch->next_of_size;
    if (batch->next_of_size)
        batch->next_of_size->link_of_size = batch->link_of_size;
    batch->link_of_size = NULL;
}

static struct batch *largest(const struct work *work)
{
    for (size_t size = 64; size-- > LARGE_LOG2;) {
        if (work->large[size])
            return work->large[size];
    }
    return NULL;
}

static struct batch *choose(struct work *work)
{
    struct batch *batch = largest(work);
    if (!batch || batch->cost < work->pending_cost / work->workers)
        batch = work->pending;
    unlist(batch);
    batch->started = true;
    work->pending_cost -= batch->cost;
    while (work->pending && work->pending->started)
        work->pending = work->pending->next;
    return batch;
}

static void start(struct work *work, struct batch *batch)
{
    struct task task = {.work = work, .batch = batch};
    int err = kr_submit(work->pool, NULL, sum_batch, &task, sizeof task, 0);
    if (err)
        (void)sum_batch(&task, NULL); /* too little memory, or no thread: then here */
}

/* Starts a batch as soon as a slot is free, if one is within the timeout.  KR_NOWAIT: starts as
 * many as there are slots. */
static int start_pending(struct work *work, kr_time timeout)
{
    while (work->pending) {
        int err = kr_semaphore_acquire(&work->slots, timeout);
        if (err)
            return err == -ETIMEDOUT ? 0 : err;
        start(work, choose(work));
        if (timeout != KR_NOWAIT)
            return 0;
    }
    return 0;
}

/* In the caller's thread: showing what is done */

static int show_file(struct work *work, const struct file *file)
{
    if (file->error == -ECANCELED)
        return -ECANCELED;
    return work->show(work->context, file);
}

static int show_first(struct work *work)
{
    struct batch *batch = work->first;
    int err = 0;
    for (uint32_t i = 0; i < batch->count && !err; i++)
        err = show_file(work, &batch->files[i]);
    work->first = batch->next;
    if (!work->first)
        work->last = NULL;
    free(batch);
    return err;
}

static int show_done(struct work *work)
{
    int err = 0;
    while (!err && work->first && work->first->started &&
           kr_event_wait(&work->first->done, KR_NOWAIT) == 0)
        err = show_first(work);
    return err ? err : output_idle();
}

/* In the caller's thread: packing batches */

static int close_draft(struct work *work)
{
    struct draft *draft = &work->draft;
    if (draft->count == 0)
        return 0;
    size_t files = draft->count * sizeof(struct file);
    struct batch *batch = malloc(sizeof *batch + files + draft->used);
    if (!batch)
        return -ENOMEM;
    *batch = (struct batch){.cost = draft->cost, .count = (uint32_t)draft->count};
    char *text = (char *)batch->files + files;
    memcpy(batch->files, draft->files, files);
    memcpy(text, draft->text, draft->used);
    for (size_t i = 0; i < draft->count; i++) {
        struct file *file = &batch->files[i];
        file->path = text + draft->offsets[i];
        if (file->wanted)
            file->wanted = (const unsigned char *)file->path + strlen(file->path) + 1;
    }
    draft->count = draft->used = 0;
    draft->cost = 0;

    if (work->last)
        work->last->next = batch;
    else
        work->first = batch;
    work->last = batch;
    if (!work->pending)
        work->pending = batch;
    work->pending_cost += batch->cost;
    list_by_size(work, batch);
    return 0;
}

static int add_to_draft(struct draft *draft, const struct file *file, uint64_t size)
{
    size_t length = strlen(file->path) + 1;
    size_t needed = draft->used + length + (file->wanted ? DIGEST_SIZE : 0);
    if (needed > draft->capacity) {
        char *bigger = realloc(draft->text, 2 * needed);
        if (!bigger)
            return -ENOMEM;
        draft->text = bigger;
        draft->capacity = 2 * needed;
    }
    memcpy(draft->text + draft->used, file->path, length);
    if (file->wanted)
        memcpy(draft->text + draft->used + length, file->wanted, DIGEST_SIZE);
    draft->files[draft->count] = *file;
    draft->offsets[draft->count++] = draft->used;
    draft->used = needed;
    draft->cost += size + FILE_COST;
    return 0;
}

static int add_for_pool(struct work *work, const struct file *file, uint64_t size)
{
    int err = size >= (uint64_t)1 << LARGE_LOG2 ? close_draft(work) : 0;
    if (!err)
        err = add_to_draft(&work->draft, file, size);
    if (err || (work->draft.count < BATCH_FILES && work->draft.cost < BATCH_BYTES))
        return err;
    err = close_draft(work);
    if (!err)
        err = start_pending(work, KR_NOWAIT);
    return err ? err : show_done(work);
}

int work_add(struct work *work, const struct file *file, off_t size)
{
    uint64_t bytes = size > 0 ? (uint64_t)size : 0;
    console_expect(file->kind != FILE_NOTE, bytes);
    struct file own = *file;
    own.size = file->kind == FILE_FOUND && work_wants_sizes(work) ? size : -1;
    if (work->pool)
        return add_for_pool(work, &own, bytes);
    sum_files(work, &own, 1);
    int err = show_file(work, &own);
    return err ? err : output_idle();
}

int work_finish(struct work *work)
{
    console_all_known();
    int err = close_draft(work);
    while (!err && work->pending) {
        err = start_pending(work, SHOW_INTERVAL);
        if (!err)
            err = show_done(work);
    }
    while (!err && work->first) {
        err = kr_event_wait(&work->first->done, SHOW_INTERVAL);
        if (!err || err == -ETIMEDOUT)
            err = show_done(work);
    }
    return err;
}

/* Beginning and end */

int work_open(struct work **result, const struct options *options, kr_cancel_scope *scope)
{
    unsigned workers = options->sequential ? 1 : options->workers;
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return -ENOMEM;
    if (workers > MAX_WORKERS)
        workers = MAX_WORKERS;
    work->scope = scope;
    int err = 0;
    if (!options->sequential) {
        err = kr_thread_pool(&work->pool,
                             &(kr_pool_options){.workers = (int)workers, .name = "treesum"});
        workers = err ? 1 : (unsigned)kr_executor_workers(work->pool);
    }
    work->workers = workers;
    if (!err)
        err = kr_semaphore_init(&work->slots, (int64_t)workers * SLOTS_PER_WORKER, NULL);
    /* One hasher each, and one for the caller's thread, which hashes when the pool cannot. */
    work->idle = calloc(workers + 1, sizeof(struct hasher *));
    if (!err && !work->idle)
        err = -ENOMEM;
    if (err) {
        (void)work_close(work, KR_FOREVER);
        return err;
    }
    *result = work;
    return 0;
}

void work_show(struct work *work, show_fn *show, void *context)
{
    work->show = show;
    work->context = context;
}

bool work_wants_sizes(const struct work *work)
{
    return work->pool || console_has_bar();
}

bool work_close(struct work *work, kr_time patience)
{
    if (work->pool) {
        /* After an error there are tasks in the queue that nobody waits for any more. */
        kr_shutdown_options drop = {.cancel_pending = true};
        if (kr_executor_shutdown(work->pool, &drop, patience) != 0)
            return false;
        kr_executor_release(work->pool);
    }
    while (work->first) {
        struct batch *batch = work->first;
        work->first = batch->next;
        free(batch);
    }
    while (work->idle_count > 0)
        hasher_free(work->idle[--work->idle_count]);
    free(work->idle);
    free(work->draft.text);
    free(work);
    return true;
}
