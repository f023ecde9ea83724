/* kr_map where tasks run elsewhere: a window of batches over the arrays.
 *
 * A batch is one task: its items' arguments go over together, and their results and errors come
 * back together.  Batches are taken in order, and while the caller waits for the oldest one the
 * executor may have him take what the others have done.
 *
 * A worker that dies in a batch costs one item where the executor runs what comes after it once
 * more, as a process pool does; where the batch itself fails with KR_ECRASHED, all of it.
 *
 * Why is the caller free to go when he is cancelled, where a thread pool's waits for what runs?  No
 * worker touches his arrays; what runs is the executor's to stop, or to leave.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/map_batches.h"

#include "os/os.h"

enum { BATCHES_A_WORKER = 8, LEAST_WINDOW = 256, BATCH_BYTES = 1 << 20 };

struct batch {
    kr_future *future;
    size_t first;
    size_t count;
};

struct map {
    kr_executor *executor;
    void (*abandon)(kr_executor *executor, kr_future *f);
    const kri_task *task; /* of all items */
    unsigned char *results;
    const kr_map_options *options;
    size_t chunk;
    size_t submitted; /* items */
    size_t done;
    size_t window;
    size_t oldest; /* in the ring */
    size_t length;
    size_t failed_at;
    int error;   /* of the item there; 0: none has failed */
    int refused; /* why no more batches were taken */
    struct batch *ring;
};

static size_t smaller(size_t a, size_t b)
{
    return a < b ? a : b;
}

static size_t choose_chunk(const kr_executor *executor, const kri_task *task)
{
    size_t batches = (size_t)executor->workers * BATCHES_A_WORKER;
    size_t larger = task->item_arg > task->item_result ? task->item_arg : task->item_result;
    size_t chunk = (task->items - 1) / batches + 1;
    size_t fitting = BATCH_BYTES / (larger + sizeof(int));
    return smaller(smaller(chunk, fitting ? fitting : 1), UINT32_MAX);
}

/* 0, or an error: -ETIMEDOUT: there is no room just now. */
static int submit(struct map *map)
{
    const kri_task *all = map->task;
    size_t count = smaller(map->chunk, all->items - map->submitted);
    const unsigned char *args = all->arg;
    kri_task task = *all;
    task.items = count;
    task.arg = all->item_arg ? args + map->submitted * all->item_arg : all->arg;
    task.arg_size = count * all->item_arg;
    task.result_size = kri_batch_result_size(count, all->item_result);
    struct batch *batch = &map->ring[(map->oldest + map->length) % map->window];
    int err = kri_submit(map->executor, &batch->future, &task, map->length ? 0 : KRI_NEVER);
    if (err)
        return err;
    batch->first = map->submitted;
    batch->count = count;
    map->submitted += count;
    map->length++;
    return 0;
}

static void fill(struct map *map)
{
    int err = 0;
    while (!err && map->length < map->window && map->submitted < map->task->items)
        err = submit(map);
    if (err && !(map->length && (err == -ETIMEDOUT || err == -ENOMEM)))
        map->refused = err;
}

static void note_error(struct map *map, size_t item, int error)
{
    if (map->options->errors)
        map->options->errors[item] = error;
    if (error && !map->error) {
        map->error = error;
        map->failed_at = item;
    }
}

static void count_done(struct map *map, const struct batch *batch)
{
    map->done += batch->count;
    if (map->options->progress)
        map->options->progress(map->done, map->task->items, map->options->progress_arg);
}

/* Copy the results of the items that have not failed, in runs as long as can be. */
static void copy_out(struct map *map, const struct batch *batch)
{
    const unsigned char *from = batch->future->result;
    size_t size = map->task->item_result;
    const int *errors = (const int *)(const void *)(from + kri_batch_errors_at(batch->count, size));
    for (size_t i = 0; i < batch->count;) {
        size_t run = i;
        while (run < batch->count && errors[run] == 0)
            run++;
        if (size)
            kri_copy(map->results + (batch->first + i) * size, from + i * size, (run - i) * size);
        for (; map->options->errors && i < run; i++)
            map->options->errors[batch->first + i] = 0;
        if (run < batch->count)
            note_error(map, batch->first + run, errors[run]);
        i = run + 1;
    }
    count_done(map, batch);
}

static void fail_all(struct map *map, const struct batch *batch, int error)
{
    for (size_t i = 0; i < batch->count; i++)
        note_error(map, batch->first + i, error);
    count_done(map, batch);
}

static void take_oldest(struct map *map)
{
    struct batch *batch = &map->ring[map->oldest];
    int error = kri_future_error(batch->future);
    if (error == 0)
        copy_out(map, batch);
    else if (error == KR_ECRASHED)
        fail_all(map, batch, error);
    else if (!map->refused)
        map->refused = error == -ECANCELED ? KR_ESHUTDOWN : error;
    kri_future_seen(batch->future);
    kr_future_release(batch->future);
    map->oldest = (map->oldest + 1) % map->window;
    map->length--;
}

/* The last first, so that none begins meanwhile; then what is done is taken. */
static void cut_short(struct map *map)
{
    for (size_t i = map->length; i-- > 0;) {
        struct batch *batch = &map->ring[(map->oldest + i) % map->window];
        if (!kri_future_is_over(batch->future))
            map->abandon(map->executor, batch->future);
    }
    while (map->length) {
        struct batch *batch = &map->ring[map->oldest];
        kri_future_look(batch->future, false);
        if (kri_future_is_over(batch->future)) {
            take_oldest(map);
            continue;
        }
        kr_future_release(batch->future);
        map->oldest = (map->oldest + 1) % map->window;
        map->length--;
    }
}

static void run(struct map *map)
{
    fill(map);
    while (map->length) {
        kr_future *f = map->ring[map->oldest].future;
        if (!kri_future_is_over(f) && kri_future_await_here(f, KRI_NEVER, 0) != 0) {
            cut_short(map);
            return;
        }
        take_oldest(map);
        if (!map->refused)
            fill(map);
    }
}

static int outcome(const struct map *map, int cut)
{
    bool all = map->done == map->task->items;
    if (all && !map->error)
        return 0;
    if (cut)
        return cut;
    return all ? map->error : map->refused;
}

int kri_map_batches(kr_executor *executor, const kri_task *task, void *results,
                    const kr_map_options *options,
                    void (*abandon)(kr_executor *executor, kr_future *f))
{
    struct map map = {.executor = executor,
                      .abandon = abandon,
                      .task = task,
                      .results = results,
                      .options = options};
    map.chunk = options->chunk ? smaller(options->chunk, UINT32_MAX) : choose_chunk(executor, task);
    map.window = options->window ? options->window : LEAST_WINDOW;
    map.window = smaller(map.window, (task->items - 1) / map.chunk + 1);
    map.ring = os_alloc(map.window * sizeof *map.ring);
    if (!map.ring)
        return -ENOMEM;
    kr_cancel_scope scope = {0};
    int err = kr_cancel_scope_enter(&scope, options->timeout ? options->timeout : KR_FOREVER);
    if (!err) {
        run(&map);
        err = outcome(&map, kr_cancel_scope_exit(&scope));
    }
    os_free(map.ring);
    return err;
}
