/* kr_map_open, kr_map_next, kr_map_close: a map over a source, a bounded way ahead of its reader.
 *
 * State.  An argument that was taken from the source is in one of three places, in the order of the
 * input:
 *     staged   in the block that becomes the next task, once it holds `chunk` of them
 *     queued   in a task, whose future stands in the ring
 *     ready    in the block that the oldest task's results were copied to
 * `taken` counts all three and never exceeds the window.  The ring and both blocks are made by
 * kr_map_open, and a task is one allocation, its future's; so memory depends on the window alone.
 *
 * Fields.
 *     busy      atomic: 1 while a call of kr_map_next is under way
 *     all else  of whoever has set busy; what is not counted here is constant once it is open
 *
 * Protocol.
 *     kr_map_next waits for the oldest future when nothing is ready, delivers one item, and takes
 *     arguments until the window is full again.  The source ends the input by 0 or by an error, and
 *     so does a task that is refused; what came before is delivered first.
 *     A wait for room that the caller's cancel cuts short leaves the block staged, as does a source
 *     that says -ECANCELED in a cancelled caller: the next call tries again.
 *     Whoever gives up cancels from the newest task to the oldest, so that a worker that is asked
 *     to stop finds none of the others in the queue.  A task keeps nothing of the map: arguments,
 *     results and the errors of its items lie in its future.  So a map that is closed need not
 *     wait for it.
 *
 * Ordering.
 *     [stream-1]  a reader sees what the reader before it did: busy is taken with acquire, and
 *                 given back with release
 *
 * Why not an item's error as its task's?  A task that was cancelled by a shutdown, or failed with
 * its pool, could not be told from one whose function returned the same number.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/map.h>

#include <string.h>

#include "base/options.h"
#include "executor/executor.h"
#include "os/os.h"

/* The argument of a task; the items' arguments follow. */
struct batch {
    kr_task_fn fn;
    size_t count;
    size_t arg_size;
    size_t result_size;
    _Alignas(max_align_t) char args[];
};

/* One task in the ring. */
struct entry {
    kr_future *future;
    size_t count;
};

struct kr_map_stream {
    kr_word busy;
    uint32_t generation;
    kr_executor *executor;
    kr_map_source source;
    void *context;
    size_t arg_size;
    size_t result_size;
    size_t window;
    size_t chunk;
    kr_time deadline;

    bool ended;           /* the source is not asked again */
    int error;            /* what ended the input, and was not told yet */
    size_t taken;         /* arguments whose results are not delivered; until it has ended */
    struct batch *staged; /* its count: how many */
    char *ready;          /* a task's results, then its errors */
    size_t ready_count;
    size_t ready_at; /* the next to be delivered */
    size_t first;    /* in the ring: the oldest */
    size_t length;
    struct entry ring[]; /* window of them: a task has one item at least */
};

/* The task */

static int run_batch(const void *arg, void *result)
{
    const struct batch *batch = arg;
    char *results = result;
    int *errors = (int *)(void *)(results + kri_batch_errors_at(batch->count, batch->result_size));
    for (size_t i = 0; i < batch->count; i++) {
        if (i > 0 && kr_cancelled())
            return -ECANCELED;
        int error = batch->fn(batch->arg_size ? batch->args + i * batch->arg_size : NULL,
                              batch->result_size ? results + i * batch->result_size : NULL);
        errors[i] = error < 0 ? error : 0;
    }
    return 0;
}

/* Taking arguments */

static struct entry *entry_of(kr_map_stream *map, size_t i)
{
    return &map->ring[(map->first + i) % map->window];
}

/* Make a task of what is staged; after an error it is staged still. */
static int flush(kr_map_stream *map)
{
    struct batch *batch = map->staged;
    if (batch->count == 0)
        return 0;
    if (map->deadline != KRI_NEVER && os_now() >= map->deadline)
        return -ETIMEDOUT;
    int err = kri_executor_check(map->executor); /* a source may fork */
    if (err)
        return err;
    struct entry *entry = entry_of(map, map->length);
    kri_task task = {.fn = run_batch,
                     .arg = batch,
                     .arg_size = sizeof *batch + batch->count * map->arg_size,
                     .result_size = kri_batch_result_size(batch->count, map->result_size)};
    if (map->executor->ops->elsewhere)
        task = (kri_task){.fn = batch->fn,
                          .arg = map->arg_size ? batch->args : NULL,
                          .arg_size = batch->count * map->arg_size,
                          .result_size = task.result_size,
                          .items = batch->count,
                          .item_arg = map->arg_size,
                          .item_result = map->result_size};
    err = kri_submit(map->executor, &entry->future, &task, map->deadline);
    if (err)
        return err;
    entry->count = batch->count;
    map->length++;
    batch->count = 0;
    return 0;
}

/* Ask the source; -ECANCELED: it was cut short by the caller's cancel. */
static int take(kr_map_stream *map)
{
    struct batch *batch = map->staged;
    void *arg = map->arg_size ? batch->args + batch->count * map->arg_size : NULL;
    if (arg)
        memset(arg, 0, map->arg_size);
    int answer = map->source(arg, map->context);
    if (answer == -ECANCELED && kr_cancelled())
        return answer;
    if (answer > 0) {
        batch->count++;
        map->taken++;
    } else {
        map->ended = true;
        map->error = answer;
    }
    return 0;
}

static bool is_due(const kr_map_stream *map)
{
    size_t staged = map->staged->count;
    return staged > 0 && (map->ended || staged == map->chunk);
}

static int fill(kr_map_stream *map)
{
    for (;;) {
        int err = is_due(map) ? flush(map) : 0;
        if (!err && (map->ended || map->taken >= map->window))
            return 0;
        if (!err)
            err = take(map);
        if (err)
            return err;
    }
}

/* A task was refused: what is staged will never run, and nothing comes after it. */
static void end_with(kr_map_stream *map, int error)
{
    map->ended = true;
    map->error = error;
    map->staged->count = 0;
}

/* 0, or -ECANCELED: the window is not full because the caller is cancelled. */
static int refill(kr_map_stream *map)
{
    int err = fill(map);
    if (err == 0 || err == -ECANCELED)
        return err;
    end_with(map, err);
    return 0;
}

/* Giving up */

static void abandon(kr_map_stream *map)
{
    end_with(map, 0);
    for (size_t i = map->length; i-- > 0;) {
        int unwanted;
        (void)kr_future_cancel(entry_of(map, i)->future);
        (void)!kr_future_exception(entry_of(map, i)->future, &unwanted, KR_NOWAIT);
    }
    for (size_t i = 0; i < map->length; i++)
        kr_future_release(entry_of(map, i)->future);
    map->length = 0;
    map->ready_at = map->ready_count;
}

static void destroy(kr_map_stream *map)
{
    os_free(map->staged);
    os_free(map->ready);
    os_free(map);
}

void kr_map_close(kr_map_stream *map)
{
    if (!map)
        return;
    /* A forked child may have got a map that another thread was in the middle of. */
    bool torn = map->generation != kri_fork_generation() && kri_load_rlx(&map->busy);
    if (!torn)
        abandon(map);
    destroy(map);
}

/* Getting results */

/* Wait for the oldest task, and have its results ready. */
static int load(kr_map_stream *map)
{
    struct entry *entry = entry_of(map, 0);
    int error;
    int err = kr_future_result(entry->future, map->ready,
                               kri_batch_result_size(entry->count, map->result_size), &error,
                               kri_left_until(map->deadline));
    if (!err && error) /* it never ran: its pool broke, or cancelled it */
        err = error == -ECANCELED ? KR_ESHUTDOWN : error;
    if (err) {
        if (err != -ECANCELED && err != -EDEADLK)
            abandon(map);
        return err;
    }
    kr_future_release(entry->future);
    map->ready_count = entry->count;
    map->ready_at = 0;
    map->first = (map->first + 1) % map->window;
    map->length--;
    return 0;
}

/* 1: an item is ready; otherwise what kr_map_next returns. */
static int prepare(kr_map_stream *map)
{
    if (map->ready_at < map->ready_count)
        return 1;
    int err = map->length == 0 ? refill(map) : 0;
    if (map->length > 0) {
        err = load(map);
        return err ? err : 1;
    }
    if (!err) {
        err = map->error;
        map->error = 0;
    }
    return err;
}

static int deliver(kr_map_stream *map, void *result, int *item_error)
{
    const int *errors =
        (const int *)(const void *)(map->ready +
                                    kri_batch_errors_at(map->ready_count, map->result_size));
    size_t i = map->ready_at++;
    map->taken--;
    if (map->result_size && result && errors[i] == 0)
        memcpy(result, map->ready + i * map->result_size, map->result_size);
    if (item_error)
        *item_error = errors[i];
    return item_error || errors[i] == 0 ? 1 : errors[i];
}

int kr_map_next(kr_map_stream *map, void *result, size_t size, int *item_error)
{
    if (!map)
        return -EINVAL;
    if (map->generation != kri_fork_generation())
        return KR_EFORKED;
    if (size != (result ? map->result_size : 0))
        return -EINVAL;
    uint32_t idle = 0;
    if (!kri_cas_acq(&map->busy, &idle, 1)) /* [stream-1] */
        return -EBUSY;
    int answer = prepare(map);
    if (answer == 1) {
        answer = deliver(map, result, item_error);
        (void)refill(map);
    }
    kri_store_rel(&map->busy, 0); /* [stream-1] */
    return answer;
}

/* Opening */

static bool multiply(size_t a, size_t b, size_t *product)
{
    const size_t most = SIZE_MAX / 8;
    *product = a * b;
    return b == 0 || a <= most / b;
}

/* NULL: there is no memory, or not so much in the world. */
static kr_map_stream *allocate(size_t window, size_t chunk, size_t arg_size, size_t result_size)
{
    size_t ring, args, results, errors;
    if (!multiply(window, sizeof(struct entry), &ring) || !multiply(chunk, arg_size, &args) ||
        !multiply(chunk, result_size, &results) || !multiply(chunk, sizeof(int), &errors))
        return NULL;
    kr_map_stream *map = os_alloc(sizeof *map + ring);
    if (!map)
        return NULL;
    map->staged = os_alloc(sizeof *map->staged + args);
    map->ready = os_alloc(kri_batch_result_size(chunk, result_size));
    if (map->staged && map->ready)
        return map;
    destroy(map);
    return NULL;
}

/* The window and the chunk; false: there are none such. */
static bool plan(const kr_map_stream_options *o, const kr_executor *executor, size_t *window,
                 size_t *chunk)
{
    *chunk = o->chunk ? o->chunk : 1;
    *window = o->window;
    if (*window == 0 && !multiply(2 * kri_executor_under_way(executor), *chunk, window))
        *window = SIZE_MAX;
    return o->timeout >= 0 && kri_reserved_is_clear(o->reserved) && *chunk <= *window;
}

/* Fill the window, and let also an incomplete chunk begin.  An error: not one task was accepted. */
static int start(kr_map_stream *map)
{
    int err = fill(map);
    if (!err)
        err = flush(map);
    if (err == 0 || err == -ECANCELED)
        return 0;
    if (map->length == 0)
        return err;
    end_with(map, err);
    return 0;
}

int kr_map_open(kr_map_stream **map, kr_executor *executor, kr_task_fn fn, kr_map_source next,
                void *context, size_t arg_size, size_t result_size,
                const kr_map_stream_options *options)
{
    static const kr_map_stream_options defaults;
    size_t window, chunk;
    if (!map)
        return -EINVAL;
    *map = NULL;
    int err = kri_executor_check(executor);
    if (err)
        return err;
    if (!options)
        options = &defaults;
    if (!fn || !next || !plan(options, executor, &window, &chunk))
        return -EINVAL;
    kr_time deadline = options->timeout ? kri_deadline(options->timeout) : KRI_NEVER;
    kr_map_stream *m = allocate(window, chunk, arg_size, result_size);
    if (!m)
        return -ENOMEM;
    *m->staged = (struct batch){.fn = fn, .arg_size = arg_size, .result_size = result_size};
    m->generation = kri_fork_generation();
    m->executor = executor;
    m->source = next;
    m->context = context;
    m->arg_size = arg_size;
    m->result_size = result_size;
    m->window = window;
    m->chunk = chunk;
    m->deadline = deadline;
    err = start(m);
    if (err)
        destroy(m);
    else
        *map = m;
    return err;
}
