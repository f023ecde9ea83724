/* Chaos: coroutines of two loops and threads, all at the same few objects, with time-outs, cancels
 * from everywhere, and coroutines that spawn others.  In the end the sums must be right: what was
 * put was taken or is there, permits are back, and what locks guard was changed as often as they
 * were held.
 *
 * Every wait is timed, or in a scope that is, but for those at locks, whose holders leave: so a
 * wake that is lost there is a case that does not end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "harness/sanitizers.h"
#include "harness/test.h"

#include <krait/krait.h>
#include <pthread.h>
#include <stdlib.h>

enum {
    LOOPS = 2,
    THREADS = 3,
    SLOTS = KRI_SANITIZED ? 300 : 3000,
    STEPS = 20,
    PERMITS = 3,
    MEET = 2,
    ROOM = 16
};

/* Results by kind, for the report; and what must not be. */
typedef struct tally {
    kr_word done, timed_out, cancelled, wrong;
} tally;

typedef struct transfer {
    kri_word64 put, got; /* sums of the items */
    kr_word puts, gets;
} transfer;

static struct world {
    kr_lock lock;
    kr_rlock rlock;
    kr_semaphore semaphore;
    kr_condition condition;
    kr_event event;
    kr_barrier barrier;
    kr_queue *own;                    /* private */
    kr_queue *shared;                 /* in memory that could be another process's too */
    uint64_t locked, rlocked, tokens; /* guarded by lock, rlock, and the condition's */
    kr_word locks, rlocks, given, taken;
    kr_word inside; /* who hold a permit */
    kr_word places[MEET];
    transfer through_own, through_shared;
    tally results;
    kr_word spawned, stop;
} w;

static pthread_mutex_t slots_lock = PTHREAD_MUTEX_INITIALIZER;
static kr_future *slots[SLOTS]; /* the tasks from outside; guarded by slots_lock */

static unsigned below(uint64_t *random, unsigned limit)
{
    return (unsigned)(kri_test_random(random) >> 32) % limit;
}

/* What ended a wait, in words; true: it was got. */
static bool note(int err)
{
    if (err >= 0)
        kri_add_rlx(&w.results.done, 1);
    else if (err == -ETIMEDOUT)
        kri_add_rlx(&w.results.timed_out, 1);
    else if (err == -ECANCELED)
        kri_add_rlx(&w.results.cancelled, 1);
    else
        kri_add_rlx(&w.results.wrong, 1);
    return err >= 0;
}

static void expect(bool right)
{
    kri_add_rlx(&w.results.wrong, !right);
}

static kr_time some_time(uint64_t *random)
{
    unsigned what = below(random, 8);
    return what == 0 ? KR_NOWAIT : what < 6 ? kr_us(1 + below(random, 300)) : kr_ms(5);
}

static kr_time some_time_or_none(uint64_t *random)
{
    return below(random, 16) == 0 ? KR_FOREVER : some_time(random);
}

/* Inside, with something held: others are to find it held. */
static void linger(uint64_t *random)
{
    unsigned what = below(random, 64);
    if (what < 8)
        (void)kr_yield();
    else if (what == 8)
        (void)kr_sleep(kr_us(50));
}

static void use_lock(uint64_t *random)
{
    if (!note(kr_lock_acquire(&w.lock, some_time_or_none(random))))
        return;
    uint64_t before = w.locked;
    linger(random);
    expect(w.locked == before);
    w.locked = before + 1;
    kri_add_rlx(&w.locks, 1);
    expect(kr_lock_release(&w.lock) == 0);
}

static void use_rlock(uint64_t *random)
{
    if (!note(kr_rlock_acquire(&w.rlock, some_time_or_none(random))))
        return;
    bool twice = note(kr_rlock_acquire(&w.rlock, some_time(random)));
    expect(twice && kr_rlock_owned(&w.rlock));
    uint64_t before = w.rlocked;
    linger(random);
    expect(w.rlocked == before);
    w.rlocked = before + 1;
    kri_add_rlx(&w.rlocks, 1);
    expect(kr_rlock_release(&w.rlock) == 0);
    if (twice)
        expect(kr_rlock_release(&w.rlock) == 0);
}

static void be_inside(uint64_t *random)
{
    expect(kri_add_acq_rel(&w.inside, 1) < PERMITS);
    linger(random);
    kri_sub_acq_rel(&w.inside, 1);
    expect(kr_semaphore_release(&w.semaphore, 1) == 0);
}

static void use_semaphore(uint64_t *random)
{
    if (note(kr_semaphore_acquire(&w.semaphore, some_time_or_none(random))))
        be_inside(random);
}

static void use_any(uint64_t *random)
{
    kr_choice any[] = {kr_choose_semaphore(&w.semaphore), kr_choose_event(&w.event)};
    int chosen = kr_wait_any(any, 2, some_time(random));
    if (note(chosen) && chosen == 0)
        be_inside(random);
}

static bool token(void *arg)
{
    (void)arg;
    return w.tokens > 0;
}

/* Give one, or take one. */
static void use_condition(uint64_t *random)
{
    bool give = below(random, 2);
    if (!note(kr_condition_acquire(&w.condition, some_time_or_none(random))))
        return;
    if (give) {
        w.tokens++;
        kri_add_rlx(&w.given, 1);
        expect(below(random, 4) ? kr_condition_notify(&w.condition, 1) <= 1
                                : kr_condition_notify_all(&w.condition) >= 0);
    } else if (note(kr_condition_wait_for(&w.condition, token, NULL, some_time(random)))) {
        w.tokens--;
        kri_add_rlx(&w.taken, 1);
    }
    expect(kr_condition_release(&w.condition) == 0);
}

static void use_event(uint64_t *random)
{
    unsigned what = below(random, 4);
    if (what == 0)
        kr_event_set(&w.event);
    else if (what == 1)
        kr_event_clear(&w.event);
    else
        (void)note(kr_event_wait(&w.event, some_time(random)));
}

/* The last one of a round goes by it, and so do the others; but who was kept from running for many
 * rounds is told that it failed. */
static void use_barrier(uint64_t *random)
{
    int place = kr_barrier_wait(&w.barrier, some_time(random));
    if (place == KR_EBROKEN)
        expect(kr_barrier_reset(&w.barrier) == 0);
    else if (note(place))
        kri_add_rlx(&w.places[place], 1);
}

static void put(kr_queue *q, transfer *sums, uint64_t *random)
{
    int64_t item = 1 + below(random, 1000);
    if (!note(kr_queue_put(q, &item, some_time(random))))
        return;
    kri_add_rlx(&sums->puts, 1);
    kri_add_acq_rel64(&sums->put, (uint64_t)item);
}

static void get(kr_queue *q, transfer *sums, uint64_t *random)
{
    int64_t item;
    if (!note(kr_queue_get(q, &item, some_time(random))))
        return;
    kri_add_rlx(&sums->gets, 1);
    kri_add_acq_rel64(&sums->got, (uint64_t)item);
}

static void use_own(uint64_t *random)
{
    (below(random, 2) ? put : get)(w.own, &w.through_own, random);
}

static void use_shared(uint64_t *random)
{
    (below(random, 2) ? put : get)(w.shared, &w.through_shared, random);
}

static int count_up(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kri_add_rlx(&w.spawned, 1);
    return kr_yield();
}

/* A child, which is waited for for a while, cancelled, or left alone. */
static void use_spawn(uint64_t *random)
{
    kr_future *child = NULL;
    if (kr_running_loop() == NULL || kri_load_acq(&w.stop))
        return;
    kr_spawn_options options = {.eager = below(random, 2)};
    expect(kr_spawn(&child, count_up, NULL, 0, 0, &options) == 0);
    unsigned what = below(random, 4);
    if (child == NULL || what == 0) {
        kr_future_release(child);
        return;
    }
    if (what == 1)
        (void)kr_future_cancel(child);
    (void)note(kr_future_exception(child, NULL, some_time(random)));
    kr_future_release(child);
}

static void cancel_somebody(uint64_t *random)
{
    pthread_mutex_lock(&slots_lock);
    kr_future *f = slots[below(random, SLOTS)];
    if (f != NULL)
        kr_future_retain(f);
    pthread_mutex_unlock(&slots_lock);
    if (f == NULL)
        return;
    (void)kr_future_cancel(f);
    kr_future_release(f);
}

static void act(uint64_t *random)
{
    static void (*const ways[])(uint64_t *) = {
        use_lock,  use_rlock,   use_semaphore, use_any,    use_condition,
        use_event, use_barrier, use_own,       use_shared, use_spawn,
    };
    enum { WAYS = sizeof ways / sizeof ways[0] };
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    if (below(random, 64) == 0)
        cancel_somebody(random);
    bool scoped = below(random, 3) == 0;
    if (scoped)
        expect(kr_cancel_scope_enter(&scope, some_time_or_none(random)) == 0);
    if (scoped && below(random, 16) == 0)
        kr_cancel(&scope);
    ways[below(random, WAYS)](random);
    if (scoped)
        (void)kr_cancel_scope_exit(&scope);
}

/* A coroutine's part; its argument is where its random numbers begin. */
static int play_task(const void *arg, void *result)
{
    uint64_t random = *(const uint64_t *)arg;
    (void)result;
    for (int i = (int)below(&random, STEPS); i >= 0; i--) {
        act(&random);
        if (kr_cancelled())
            return -ECANCELED;
        if (kri_load_acq(&w.stop))
            return 0;
    }
    return 0;
}

static int play_thread(void *arg)
{
    uint64_t random = *(const uint64_t *)arg;
    while (kri_load_acq(&w.stop) == 0)
        act(&random);
    return 0;
}

/* From outside. */

/* It may have been cancelled before it began. */
static void expect_end(kr_future *f, kr_time timeout)
{
    int error = 0;
    int err = kr_future_exception(f, &error, timeout);
    CHECK(err == 0 || err == -ECANCELED);
    CHECK(error == 0 || error == -ECANCELED);
    kr_future_release(f);
}

static void refill(kr_executor *pool, int i, uint64_t *random)
{
    kr_future *next = NULL;
    uint64_t start = kri_test_random(random);
    CHECK_EQ(kr_submit(pool, &next, play_task, &start, sizeof start, 0), 0);
    pthread_mutex_lock(&slots_lock);
    kr_future *old = slots[i];
    slots[i] = next;
    pthread_mutex_unlock(&slots_lock);
    if (old != NULL)
        expect_end(old, KR_NOWAIT);
}

static int keep_going(kr_executor *pool, uint64_t *random)
{
    kr_time end = kr_now() + kr_sec(kri_test_budget());
    int begun = 0;
    while (kr_now() < end) {
        for (int i = 0; i < SLOTS; i++) {
            if (slots[i] == NULL || kr_future_done(slots[i])) {
                refill(pool, i, random);
                begun++;
            }
            if (i % 64 == 0)
                cancel_somebody(random);
        }
        kri_test_nap();
    }
    return begun;
}

/* Half of them by a cancel, all at once; the others by themselves. */
static void end_all(void)
{
    for (int i = 0; i < SLOTS; i += 2)
        if (slots[i] != NULL)
            (void)kr_future_cancel(slots[i]);
    for (int i = 0; i < SLOTS; i++) {
        pthread_mutex_lock(&slots_lock);
        kr_future *f = slots[i];
        slots[i] = NULL;
        pthread_mutex_unlock(&slots_lock);
        if (f != NULL)
            expect_end(f, KR_FOREVER);
    }
}

static void make_world(kr_scope scope)
{
    kr_queue_options own = {.scope = KR_PRIVATE}, shared = {.scope = KR_SHARED};
    CHECK_EQ(kr_lock_init(&w.lock, scope), 0);
    CHECK_EQ(kr_rlock_init(&w.rlock, scope), 0);
    CHECK_EQ(kr_event_init(&w.event, scope), 0);
    CHECK_EQ(kr_semaphore_init(&w.semaphore, PERMITS, &(kr_semaphore_options){.scope = scope}), 0);
    CHECK_EQ(kr_condition_init(&w.condition, &(kr_condition_options){.scope = scope}), 0);
    CHECK_EQ(kr_barrier_init(&w.barrier, MEET, &(kr_barrier_options){.scope = scope}), 0);
    CHECK_EQ(kr_queue_create(&w.own, sizeof(int64_t), ROOM, &own), 0);
    CHECK_EQ(kr_queue_create(&w.shared, sizeof(int64_t), ROOM, &shared), 0);
}

static void check_queue(kr_queue *q, const transfer *sums)
{
    uint64_t left = 0;
    uint32_t items = 0;
    for (int64_t item; kr_queue_get(q, &item, KR_NOWAIT) == 0; items++)
        left += (uint64_t)item;
    CHECK_EQ(kri_load_rlx(&sums->puts), kri_load_rlx(&sums->gets) + items);
    CHECK_EQ(kri_load_acq64(&sums->put), kri_load_acq64(&sums->got) + left);
    CHECK_GE(kri_load_rlx(&sums->gets), 1);
    kr_queue_release(q);
}

static void check_world(void)
{
    CHECK_EQ(kri_load_rlx(&w.results.wrong), 0);
    CHECK_EQ(w.locked, kri_load_rlx(&w.locks));
    CHECK_EQ(w.rlocked, kri_load_rlx(&w.rlocks));
    CHECK_EQ(w.tokens, kri_load_rlx(&w.given) - kri_load_rlx(&w.taken));
    CHECK(!kr_lock_locked(&w.lock) && !kr_rlock_locked(&w.rlock));
    CHECK(!kr_condition_locked(&w.condition));
    CHECK_EQ(kr_semaphore_value(&w.semaphore), PERMITS);
    CHECK_EQ(kr_barrier_n_waiting(&w.barrier), 0);
    CHECK_GE(kri_load_rlx(&w.places[0]), 1);
    for (int i = 1; i < MEET; i++)
        CHECK_GE(kri_load_rlx(&w.places[i]), kri_load_rlx(&w.places[i - 1]));
    check_queue(w.own, &w.through_own);
    check_queue(w.shared, &w.through_shared);
    CHECK_GE(kri_load_rlx(&w.results.timed_out), 1);
    CHECK_GE(kri_load_rlx(&w.results.cancelled), 1);
    CHECK_GE(kri_load_rlx(&w.taken), 1);
}

static void check_chaos(kr_scope scope)
{
    kr_executor *pool;
    kr_thread *threads[THREADS];
    uint64_t random = kri_test_seed();
    make_world(scope);
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = LOOPS}), 0);
    for (int i = 0; i < THREADS; i++) {
        uint64_t start = kri_test_random(&random);
        CHECK_EQ(kr_thread_start(&threads[i], play_thread, &start, sizeof start, NULL), 0);
    }
    int begun = keep_going(pool, &random);
    kri_store_rel(&w.stop, 1);
    for (int i = 0; i < THREADS; i++) {
        CHECK_EQ(kr_thread_join(threads[i], NULL, KR_FOREVER), 0);
        kr_thread_release(threads[i]);
    }
    end_all();
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_executor_release(pool);
    check_world();
    kri_test_note("%d coroutines and %u children: %u got, %u timed out, %u cancelled", begun,
                  kri_load_rlx(&w.spawned), kri_load_rlx(&w.results.done),
                  kri_load_rlx(&w.results.timed_out), kri_load_rlx(&w.results.cancelled));
}

TEST(at_private_objects)
{
    check_chaos(KR_PRIVATE);
}

TEST(at_shared_objects)
{
    check_chaos(KR_SHARED);
}
