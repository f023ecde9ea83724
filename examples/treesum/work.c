/* Shares files out over a pool of krait's, and gives the results back in order.
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
 * A batch's future says that its files are done.  The caller's thread shows the batches in order,
 * as far as they are done, and frees them.
 *
 * Whether the pool's workers are threads, processes or ranks of an MPI job only one line of this
 * file says: which pool is made.  A worker that is a process may die; its batch is begun again
 * once, by another, and where it was a rank, here.
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
    kr_future *future;           /* started, and NULL: it was done in the caller's thread */
    uint64_t cost;               /* bytes, and what opening adds */
    uint32_t count;
    bool started;
    size_t text_size;
    struct file files[]; /* and behind them the text: their paths and wanted digests */
};

/* A batch in the making. */
struct draft {
    struct file files[BATCH_FILES];
    size_t offsets[BATCH_FILES]; /* of the paths in text, a wanted digest behind each */
    size_t count;
    uint64_t cost;
    char *text;
    size_t used, capacity;
};

struct work {
    kr_executor *pool; /* NULL: everything is done in the caller's thread */
    bool processes;
    bool ranks;
    unsigned workers;
    show_fn *show;
    void *context;

    struct draft draft;
    struct batch *first, *last; /* all that have not been shown */
    struct batch *pending;      /* the first of them that was not started */
    struct batch *large[64];    /* not started, by the logarithm of their cost */
    uint64_t pending_cost;
    kr_semaphore slots;
};

static void free_batch(struct batch *batch)
{
    int ignored;
    if (batch->future && kr_future_exception(batch->future, &ignored, KR_NOWAIT) == 0)
        ignored = 0; /* it has been asked for: nobody needs to be told of it */
    kr_future_release(batch->future);
    free(batch);
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

/* Called wherever the batch was done; it may be gone. */
static int free_slot(kr_future *future, void *arg)
{
    struct work *work = arg;
    (void)future;
    return kr_semaphore_release(&work->slots, 1);
}

/* Standard input is ours alone, where the workers are ranks. */
static bool is_for_here(const struct work *work, const struct batch *batch)
{
    for (uint32_t i = 0; work->ranks && i < batch->count; i++)
        if (batch->files[i].kind == FILE_NAMED && strcmp(batch->files[i].path, "-") == 0)
            return true;
    return false;
}

static int submit(struct work *work, struct batch *batch)
{
    if (is_for_here(work, batch))
        return -EOPNOTSUPP;
    const char *text = (const char *)&batch->files[batch->count];
    size_t head = sizeof(struct parcel) + batch->count * sizeof(struct parcel_file);
    struct parcel *parcel = malloc(head + batch->text_size);
    if (!parcel)
        return -ENOMEM;
    parcel->count = batch->count;
    for (uint32_t i = 0; i < batch->count; i++) {
        const struct file *file = &batch->files[i];
        parcel->files[i] =
            (struct parcel_file){.size = file->size,
                                 .kind = file->kind,
                                 .path = (uint32_t)(head + (size_t)(file->path - text))};
    }
    memcpy((char *)parcel + head, text, batch->text_size);
    int err = kr_submit(work->pool, &batch->future, task_sum, parcel, head + batch->text_size,
                        batch->count * sizeof(struct outcome));
    free(parcel);
    return err;
}

static void start(struct work *work, struct batch *batch)
{
    int err = submit(work, batch);
    if (err) { /* too little memory, no worker, or standard input: then here */
        for (uint32_t i = 0; i < batch->count; i++)
            digest_file(&batch->files[i]);
    }
    if (err || kr_future_add_done_callback(batch->future, free_slot, work) != 0)
        (void)free_slot(batch->future, work);
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

static bool is_done(const struct batch *batch)
{
    return batch->started && (!batch->future || kr_future_done(batch->future));
}

static void take_outcomes(struct work *work, struct batch *batch)
{
    struct outcome outcomes[BATCH_FILES];
    int task_error = 0;
    int err = kr_future_result(batch->future, outcomes, batch->count * sizeof *outcomes,
                               &task_error, KR_NOWAIT);
    if (!err)
        err = task_error;
    for (uint32_t i = 0; i < batch->count; i++) {
        struct file *file = &batch->files[i];
        if (work->ranks && (err == KR_ECRASHED || err == KR_EBROKEN)) {
            digest_file(file);
            continue;
        }
        file->error = err ? err : outcomes[i].error;
        if (!file->error)
            memcpy(file->digest, outcomes[i].digest, DIGEST_SIZE);
    }
    if (work->processes || work->ranks)
        console_done(batch->count, batch->cost - batch->count * FILE_COST);
}

static int show_first(struct work *work)
{
    struct batch *batch = work->first;
    int err = 0;
    if (batch->future)
        take_outcomes(work, batch);
    for (uint32_t i = 0; i < batch->count && !err; i++)
        err = show_file(work, &batch->files[i]);
    work->first = batch->next;
    if (!work->first)
        work->last = NULL;
    free_batch(batch);
    return err;
}

static int show_done(struct work *work)
{
    int err = 0;
    while (!err && work->first && is_done(work->first))
        err = show_first(work);
    return err ? err : output_idle();
}

/* In the caller's thread: packing batches */

static struct batch *pack(const struct draft *draft)
{
    size_t files = draft->count * sizeof(struct file);
    struct batch *batch = malloc(sizeof *batch + files + draft->used);
    if (!batch)
        return NULL;
    *batch = (struct batch){
        .cost = draft->cost, .count = (uint32_t)draft->count, .text_size = draft->used};
    char *text = (char *)&batch->files[draft->count];
    memcpy(batch->files, draft->files, files);
    memcpy(text, draft->text, draft->used);
    for (size_t i = 0; i < draft->count; i++) {
        struct file *file = &batch->files[i];
        file->path = text + draft->offsets[i];
        if (file->wanted)
            file->wanted = (const unsigned char *)file->path + strlen(file->path) + 1;
    }
    return batch;
}

static int close_draft(struct work *work)
{
    struct draft *draft = &work->draft;
    if (draft->count == 0)
        return 0;
    struct batch *batch = pack(draft);
    if (!batch)
        return -ENOMEM;
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
    digest_file(&own);
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
        int task_error;
        if (work->first->future)
            err = kr_future_exception(work->first->future, &task_error, SHOW_INTERVAL);
        if (!err || err == -ETIMEDOUT)
            err = show_done(work);
    }
    return err;
}

/* Beginning and end */

int work_open(struct work **result, const struct options *options, kr_cancel_scope *scope)
{
    struct work *work = calloc(1, sizeof *work);
    if (!work)
        return -ENOMEM;
    const kr_pool_options pool = {
        .workers = (int)(options->workers < MAX_WORKERS ? options->workers : MAX_WORKERS),
        .name = "treesum",
        .no_outside_help = true, /* the caller's thread has the output to look after */
    };
    const kr_process_pool_options again = {.retries = 1};
    int err = 0;
    digest_scope(scope);
    work->ranks = options->ranks && !options->sequential;
    work->processes = options->processes && !work->ranks && !options->sequential;
    if (work->ranks)
        err = kr_mpi_pool(&work->pool, &pool, NULL);
    else if (work->processes)
        err = kr_process_pool_with(&work->pool, &pool, &again);
    else if (!options->sequential)
        err = kr_thread_pool(&work->pool, &pool);
    work->workers = work->pool ? (unsigned)kr_executor_workers(work->pool) : 1;
    if (!err)
        err = kr_semaphore_init(&work->slots, (int64_t)work->workers * SLOTS_PER_WORKER, NULL);
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
        if (work->processes && work->first) {
            (void)kr_executor_kill_workers(work->pool);
            if (patience < kr_sec(5)) /* what is killed ends, however busy the machine is */
                patience = kr_sec(5);
        }
        if (kr_executor_shutdown(work->pool, &drop, patience) != 0)
            return false;
        kr_executor_release(work->pool);
    }
    while (work->first) {
        struct batch *batch = work->first;
        work->first = batch->next;
        free_batch(batch);
    }
    free(work->draft.text);
    free(work);
    return true;
}
