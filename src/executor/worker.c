/* A worker of the thread pool: where its tasks come from, and how they run.
 *
 * State.  The worker's own deque holds what its tasks have submitted, and what it has taken from
 * the common queue in one go; the newest is run first, and what was taken in one go stands there in
 * reverse, so that it is run in order.  Others steal the oldest.
 *
 * Protocol.
 *     From the common queue one task is taken, or several, if those taken before were brief.
 *     Next comes: what waits in the high lane, the own deque, the common queue, another's deque,
 *     the low lane.  Every 64th time the low lane, the common queue and the queues of the others
 *     come first, so that a task that submits itself again does not keep them waiting for ever, nor
 *     a long task those that were taken along with it.
 *     Taken from a queue, a future still has to be claimed; if somebody has claimed it there, it is
 *     a shell, and dropped.
 *     A worker that finds nothing searches, if nobody else does, for as long as that has paid
 *     lately; then it parks (idle.c).
 *
 * Ordering.  That of the queues (src/queue) and of the claim (future.c).
 *
 * Why does the own deque come before the common queue?  It is what fork-join needs: what was pushed
 * last is warm in the cache and wanted first.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"

#include <stdio.h>

#include "os/os.h"
#include "trace/trace.h"

enum { FEW = 8 }; /* tasks */
enum { EVERY = 64, BATCH = KRI_INJECTION_CHUNK };
_Static_assert((int)BATCH <= (int)KRI_DEQUE_ROOM, "a batch goes to an empty deque");
enum { MICROSECOND = 1000 };
enum {
    FULL_SEARCH = 50 * MICROSECOND,
    REDUCED_SEARCH = 5 * MICROSECOND,
    LEAST_SEARCH = MICROSECOND,
    LONG_IDLE = 150 * MICROSECOND,
    BRIEF = 10 * MICROSECOND,
    EAGER = 3 * MICROSECOND,
};
enum { LONG_IDLES_TO_REDUCE = 3, LONG_IDLES_TO_LEAST = 6 };
#ifdef KRI_MODEL
/* A pause would let the others go on first. */
enum { PAUSES = 0, MANY_PAUSES = 0, LOOKS_PER_CLOCK = 1, PATIENCE = 0 };
#else
enum { PAUSES = 4, MANY_PAUSES = 32, LOOKS_PER_CLOCK = 4, PATIENCE = 32 };
#endif

/* Taking. */

static kri_item take_one(kri_worker *worker, int lane)
{
    kri_item item = 0;
    kri_injection *queue = &worker->pool->lanes[lane];
    if (!kri_injection_is_empty(queue))
        (void)kri_injection_take(queue, &item, 1);
    return item;
}

/* How many to take at once: twice as many as the last time while that has lasted a moment only.
 * Where tasks are long each is taken by itself, so that none has to wait behind another. */
static size_t batch_size(kri_worker *worker, size_t length)
{
    kr_time now = os_now();
    bool brief = now - worker->batch_taken < BRIEF;
    worker->batch_taken = now;
    worker->batch = brief ? worker->batch * 2 : 1;
    if (worker->batch > BATCH)
        worker->batch = BATCH;
    size_t share = length / (size_t)worker->pool->executor.workers + 1;
    return share < worker->batch ? share : worker->batch;
}

/* A submitter who does not wait goes on submitting, and this worker takes the tasks as fast as they
 * come.  Then a moment's patience lets several gather: to take each by itself costs the submitter
 * as much as the worker, since the queue moves from one processor's cache to the other's. */
static void let_gather(const kri_worker *worker)
{
    if (worker->took_few && worker->streams && kri_spin_pays())
        for (int i = 0; i < PATIENCE; i++)
            os_pause();
}

/* From the common queue several at once, which the own deque, empty now, has room for. */
static kri_item take_batch(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    kri_injection *queue = &pool->lanes[KR_PRIORITY_NORMAL];
    kri_item items[BATCH];
    let_gather(worker);
    size_t length = kri_injection_length(queue);
    worker->took_few = length < FEW;
    if (length == 0)
        return 0;
    size_t n = kri_injection_take(queue, items, batch_size(worker, length));
    if (n == 0)
        return 0;
    for (size_t i = n; i-- > 1;)
        (void)kri_deque_push(&worker->deque, items[i]);
    if (n > 1)
        kri_pool_notify(pool);
    return items[0];
}

static kri_item steal(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    worker->stole = false;
    uint32_t used = kri_load_acq(&pool->slots_used);
    worker->random = worker->random * 1664525u + 1013904223u;
    uint32_t first = (worker->random >> 16) % used;
    for (uint32_t i = 0; i < used; i++) {
        uint32_t at = first + i < used ? first + i : first + i - used;
        kri_worker *victim = kri_load_acq_ptr(&pool->slots[at]);
        if (victim == worker || kri_deque_is_empty(&victim->deque))
            continue;
        kri_item item = kri_deque_steal(&victim->deque);
        if (item) {
            kri_count(&worker->steals);
            KRI_TRACE_HAPPENS(steal, STEAL, item & ~(kri_item)KRI_ITEM_OF_GROUP, at);
            worker->stole = true;
            return item;
        }
    }
    return 0;
}

static kri_item look_around(kri_worker *worker)
{
    kri_item item = take_one(worker, KR_PRIORITY_HIGH);
    if (!item)
        item = take_batch(worker);
    if (!item)
        item = steal(worker);
    return item ? item : take_one(worker, KR_PRIORITY_LOW);
}

static kri_item next_item(kri_worker *worker)
{
    kri_item item = 0;
    if (++worker->tick % EVERY == 0) {
        item = take_one(worker, KR_PRIORITY_LOW);
        if (!item)
            item = take_one(worker, KR_PRIORITY_NORMAL);
        if (!item)
            item = steal(worker);
    }
    if (!item)
        item = take_one(worker, KR_PRIORITY_HIGH);
    if (!item)
        item = kri_deque_pop(&worker->deque);
    return item ? item : look_around(worker);
}

/* Searching. */

static kr_time search_budget(const kri_pool *pool)
{
    uint32_t long_idles = kri_load_rlx(&pool->long_idles);
    if (!kri_spin_pays())
        return 0;
    if (long_idles < LONG_IDLES_TO_REDUCE)
        return FULL_SEARCH;
    return long_idles < LONG_IDLES_TO_LEAST ? REDUCED_SEARCH : LEAST_SEARCH;
}

/* After some microseconds it looks less often: each look takes the lines that it reads away from
 * those who work. */
static kri_item search(kri_worker *worker)
{
    kr_time end = worker->idle_since + search_budget(worker->pool);
    kr_time eager_until = worker->idle_since + EAGER;
    int pauses = PAUSES;
    kr_time now;
    do {
        for (int look = 0; look < LOOKS_PER_CLOCK; look++) {
            kri_item item = look_around(worker);
            if (item)
                return item;
            for (int i = 0; i < pauses; i++)
                os_pause();
        }
        now = os_now();
        if (now > eager_until)
            pauses = MANY_PAUSES;
    } while (now < end);
    return 0;
}

static void learn(kri_worker *worker)
{
    kr_word *long_idles = &worker->pool->long_idles;
    uint32_t before = kri_load_rlx(long_idles);
    uint32_t now = 0;
    if (os_now() - worker->idle_since > LONG_IDLE)
        now = before < LONG_IDLES_TO_LEAST ? before + 1 : before;
    if (now != before)
        kri_store_rlx(long_idles, now);
    worker->idle_since = 0;
}

static kri_item found(kri_worker *worker, kri_item item)
{
    if (worker->idle_since) {
        learn(worker);
        kri_nap_note_found(worker);
        worker->called_to_work = false;
    }
    return item;
}

static void found_nothing(kri_worker *worker)
{
    if (worker->called_to_work)
        kri_nap_note_vain(worker->pool);
    worker->called_to_work = false;
}

/* The next item; 0: the worker must leave. */
static kri_item find(kri_worker *worker)
{
    for (;;) {
        bool excess = kri_load_rlx(&worker->pool->excess);
        kri_item item = excess ? 0 : next_item(worker);
        if (item)
            return found(worker, item);
        if (!worker->idle_since)
            worker->idle_since = os_now();
        if (!excess && kri_worker_begin_search(worker)) {
            item = search(worker);
            if (item)
                return found(worker, item);
            found_nothing(worker);
            if (kri_worker_nap(worker))
                continue;
        }
        if (!kri_worker_park(worker))
            return 0;
    }
}

/* Running. */

static bool is_forked(const kri_pool *pool)
{
    return kri_forked_since(pool->executor.generation);
}

static void drop_shell(kri_pool *pool, kr_future *f)
{
    kri_future_pass(f);
    kri_sub_rlx64(&pool->shells, 1);
    kr_future_release(f);
}

static void note_begin(kri_worker *worker, const kr_future *f)
{
    kri_pool *pool = worker->pool;
    kri_count(&worker->begun);
    worker->streams = f->streams;
    if (pool->options.max_queued)
        kri_pool_departed(pool);
    if (f->submitted)
        kri_waiting_times_note(pool->times, os_now() - f->submitted);
}

bool kri_worker_claim(kri_worker *worker, kr_future *f, kr_cancel_scope *scope)
{
    bool out = kri_deque_newest(&worker->deque) == kri_item_of(f) && kri_deque_pop(&worker->deque);
    if (!kri_future_claim(f, (uintptr_t)scope)) {
        if (out)
            drop_shell(worker->pool, f);
        return false;
    }
    if (!out) {
        kr_future_retain(f);
        kri_add_rlx64(&worker->pool->shells, 1);
    }
    note_begin(worker, f);
    return true;
}

void kri_worker_helped(kri_worker *worker)
{
    kri_count(&worker->helped); /* [watch-3] */
    kri_count(&worker->done);
}

/* Nothing else to do after this task: be the searcher before anybody knows of its result. */
void kri_pool_before_end(const kri_frame *frame)
{
    kri_worker *worker = frame ? frame->worker : NULL;
    if (worker && frame == &worker->frame && kri_deque_newest(&worker->deque) == 0 &&
        kri_injection_is_empty(&worker->pool->lanes[KR_PRIORITY_NORMAL]))
        kri_worker_begin_search_surely(worker);
}

/* Run a claimed future; false: this is a forked child of the task. */
static bool run_claimed(kri_worker *worker, kr_future *f, kr_cancel_scope *scope)
{
    if (worker->searches)
        kri_worker_stop_search(worker);
    note_begin(worker, f);
    worker->frame.future = f;
    kri_store_rel64(&worker->task, (uintptr_t)f->fn); /* [watch-2] */
    if (!kri_run(f, scope))
        return false;
    kri_store_rel64(&worker->task, 0);
    worker->frame.future = NULL;
    kri_count(&worker->done);
    return true;
}

static bool run_future(kri_worker *worker, kr_future *f)
{
    kri_pool *pool = worker->pool;
    if (kri_load_rlx(&pool->verdict)) {
        kri_pool_finish(pool, f);
        return true;
    }
    kri_party *self = kri_party_self();
    kr_cancel_scope scope;
    kri_scope_begin(self, &scope);
    if (kri_future_claim(f, (uintptr_t)&scope))
        return run_claimed(worker, f, &scope);
    kri_scope_end(self, &scope);
    drop_shell(pool, f);
    return true;
}

static bool run_item(kri_worker *worker, kri_item item)
{
    if (!(item & KRI_ITEM_OF_GROUP))
        return run_future(worker, kri_item_future(item));
    if (worker->searches)
        kri_worker_stop_search(worker);
    kri_group_run(worker, item);
    return !is_forked(worker->pool);
}

/* The thread. */

static int initialize(kri_worker *worker)
{
    const kr_pool_options *o = &worker->pool->options;
    worker->initializes = true;
    int err = o->initializer(o->initializer_arg);
    worker->initializes = false;
    return err < 0 ? err : 0;
}

/* What happens before the first task; false: this is a forked child. */
static bool begin(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    if (!pool->options.initializer)
        return true;
    kri_worker_stop_search(worker);
    int err = initialize(worker);
    if (is_forked(pool))
        return false;
    if (err)
        kri_pool_break(pool, err);
    return true;
}

static bool serve(kri_worker *worker)
{
    kri_item item;
    worker->searches = true; /* whoever started it has taken the search for it */
    if (!begin(worker))
        return false;
    while ((item = find(worker)) != 0)
        if (!run_item(worker, item))
            return false;
    return true;
}

static int work(void *arg)
{
    kri_worker *worker = arg;
    kri_pool *pool = worker->pool;
    size_t stack = os_thread_stack_left();
    const char *bottom = __builtin_frame_address(0);
    worker->frame = (kri_frame){
        .executor = &pool->executor,
        .worker = worker,
        .limit = bottom - stack / 2,
        .last = bottom - stack / 8 * 7,
    };
    *kri_frame_current() = &worker->frame;
    if (serve(worker))
        kri_pool_unref(pool);
    *kri_frame_current() = NULL;
    return 0;
}

static kri_worker *new_worker(kri_pool *pool)
{
    kri_worker *worker = os_alloc(sizeof *worker);
    if (!worker)
        return NULL;
    worker->pool = pool;
    worker->number = (int)kri_load_rlx(&pool->slots_used);
    worker->random = (uint32_t)worker->number * 2654435761u;
    kri_store_rel_ptr(&pool->slots[worker->number], worker);
    kri_store_rel(&pool->slots_used, (uint32_t)worker->number + 1);
    return worker;
}

/* One that has no thread; its last one was joined by nobody. */
static kri_worker *obtain(kri_pool *pool)
{
    kri_mutex_lock(&pool->budget->mutex);
    kri_worker *worker = pool->free;
    if (worker)
        pool->free = worker->next_free;
    else
        worker = new_worker(pool);
    kri_mutex_unlock(&pool->budget->mutex);
    return worker;
}

static void give_back(kri_worker *worker)
{
    kri_mutex_lock(&worker->pool->budget->mutex);
    worker->next_free = worker->pool->free;
    worker->pool->free = worker;
    kri_mutex_unlock(&worker->pool->budget->mutex);
}

static int start_thread(kri_worker *worker, kr_thread **thread)
{
    kri_pool *pool = worker->pool;
    char name[sizeof pool->name + 16];
    snprintf(name, sizeof name, "%s_%d", pool->name, worker->number);
    kr_thread_options options = {
        .name = name, .daemon = KR_DAEMON_NO, .stack_size = pool->options.stack_size};
    return kr_thread_start(thread, work, worker, 0, &options);
}

int kri_worker_start(kri_pool *pool)
{
    kri_worker *worker = obtain(pool);
    if (!worker)
        return -ENOMEM;
    kri_add_rlx(&pool->references, 1);
    kr_thread *thread;
    int err = start_thread(worker, &thread);
    if (err) {
        kri_pool_unref(pool);
        give_back(worker);
        return err;
    }
    kri_mutex_lock(&pool->budget->mutex);
    kr_thread *before = worker->thread;
    worker->thread = thread;
    kri_mutex_unlock(&pool->budget->mutex);
    kr_thread_release(before);
    return 0;
}
