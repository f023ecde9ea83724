/* kr_parallel_for and kr_parallel_reduce: every index once, in pieces as asked for; errors, time
 * limits, cancelling; results that are joined in order.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/sanitizers.h"
#include <sys/wait.h>
#include <unistd.h>

#include "executor/pool.h"

enum { MANY = 5000 };

static kr_word hits[MANY];
static size_t origin; /* the index of hits[0] */

static int hit(size_t first, size_t end, void *arg)
{
    (void)arg;
    CHECK(first < end);
    for (size_t i = first; i < end; i++)
        kri_add_rlx(&hits[i - origin], 1);
    return 0;
}

static void fresh(size_t first)
{
    memset(hits, 0, sizeof hits);
    origin = first;
}

static void check_hits(size_t count, uint32_t want)
{
    for (size_t i = 0; i < MANY; i++)
        CHECK_EQ(kri_load_rlx(&hits[i]), i < count ? want : 0);
}

static void check_range(kr_executor *pool, size_t first, size_t count,
                        const kr_parallel_options *options)
{
    fresh(first);
    CHECK_EQ(kr_parallel_for(pool, first, first + count, hit, NULL, options), 0);
    check_hits(count, 1);
}

static kr_parallel_options random_options(uint64_t *state)
{
    const size_t grains[] = {0, 0, 1, 2, 7, 100, MANY, SIZE_MAX};
    return (kr_parallel_options){.grain = grains[kri_test_random(state) % 8],
                                 .runners = (int)(kri_test_random(state) % 6)};
}

static size_t random_first(uint64_t *state, size_t count)
{
    const size_t firsts[] = {0, 1, kri_test_random(state) / 2, SIZE_MAX / 2, SIZE_MAX - count};
    return firsts[kri_test_random(state) % 5];
}

TEST(every_index_is_run_once)
{
    uint64_t state = kri_test_seed();
    for (int workers = 1; workers <= 5; workers++) {
        kr_executor *pool = pool_of(workers);
        for (int i = 0; i < 60; i++) {
            size_t count = kri_test_random(&state) % (i % 2 ? MANY + 1 : 10);
            kr_parallel_options options = random_options(&state);
            check_range(pool, random_first(&state, count), count, &options);
        }
        check_range(pool, 0, MANY, NULL);
        end(pool);
    }
}

static kri_word64 lengths;

static int add_length(size_t first, size_t end, void *arg)
{
    (void)arg;
    CHECK(first < end);
    kri_add_rlx64(&lengths, end - first);
    return 0;
}

TEST(the_longest_range_there_is)
{
    const size_t grains[] = {0, SIZE_MAX / 1000, SIZE_MAX / 3, SIZE_MAX - 1, SIZE_MAX};
    kr_executor *pool = pool_of(3);
    for (int i = 0; i < 5; i++) {
        kr_parallel_options options = {.grain = grains[i], .runners = 3};
        kri_store_rlx64(&lengths, 0);
        CHECK_EQ(kr_parallel_for(pool, 0, SIZE_MAX, add_length, NULL, &options), 0);
        CHECK_EQ(kri_load_rlx64(&lengths), SIZE_MAX);
    }
    end(pool);
}

/* Pieces */

static kr_word pieces, short_pieces;

static int count_pieces(size_t first, size_t end, void *arg)
{
    kri_add_rlx(&pieces, 1);
    if (end - first < *(size_t *)arg)
        kri_add_rlx(&short_pieces, 1);
    return hit(first, end, NULL);
}

TEST(only_the_last_piece_is_shorter_than_the_grain)
{
    kr_executor *pool = pool_of(3);
    for (size_t grain = 1; grain <= MANY + 1; grain = 3 * grain + 1) {
        kr_parallel_options options = {.grain = grain, .runners = 3};
        fresh(0);
        kri_store_rlx(&pieces, 0);
        kri_store_rlx(&short_pieces, 0);
        CHECK_EQ(kr_parallel_for(pool, 0, MANY, count_pieces, &grain, &options), 0);
        check_hits(MANY, 1);
        CHECK_LE(kri_load_rlx(&short_pieces), 1);
        CHECK_LE(kri_load_rlx(&pieces), (MANY - 1) / grain + 1);
    }
    end(pool);
}

static bool starts_a_worker(size_t grain)
{
    kr_executor *pool = pool_of(4);
    check_range(pool, 0, 10, &(kr_parallel_options){.grain = grain, .runners = 4});
    bool started = ((kri_pool *)pool)->slots_used.bits > 0;
    end(pool);
    return started;
}

/* A piece that happens to be interrupted looks long, so once in a while one is started. */
TEST(a_loop_that_is_soon_done_starts_no_worker)
{
    int tries = 0;
    while (starts_a_worker(0))
        CHECK_LE(++tries, 100);
    CHECK(!starts_a_worker(10));
    CHECK(starts_a_worker(9));
}

static kr_word inside, together;

/* Whoever comes waits until as many are there as should be; the rest of the range is quick. */
static int meet(size_t first, size_t end, void *arg)
{
    uint32_t want = *(uint32_t *)arg;
    (void)end;
    CHECK_LE(kri_add_sc(&inside, 1) + 1, want);
    if (kri_load_sc(&inside) == want)
        kri_store_sc(&together, 1);
    for (int i = 0; i < 20000 && !kri_load_sc(&together) && first < 50; i++)
        kri_test_nap();
    kri_sub_sc(&inside, 1);
    return 0;
}

TEST(as_many_run_together_as_asked_for)
{
    kr_executor *pool = pool_of(3);
    for (uint32_t want = 1; want <= 4; want++) {
        kri_store_sc(&together, 0);
        kr_parallel_options options = {.grain = 1, .runners = (int)want};
        CHECK_EQ(kr_parallel_for(pool, 0, 100, meet, &want, &options), 0);
        CHECK_EQ(kri_load_sc(&together), 1);
    }
    end(pool);
}

/* A long loop that has no grain gets helpers too. */
static int compute(size_t first, size_t end, void *arg)
{
    (void)arg;
    if (kri_add_sc(&inside, 1) == 1)
        kri_store_sc(&together, 1);
    kr_time until = kr_now() + kr_us((int64_t)(end - first));
    while (kr_now() < until && !kri_load_sc(&together))
        continue;
    kri_sub_sc(&inside, 1);
    return kri_load_sc(&together) ? KR_EBROKEN : 0;
}

TEST(helpers_come_to_a_loop_that_is_long)
{
    kr_executor *pool = pool_of(2);
    kr_parallel_options options = {.runners = 2};
    CHECK_EQ(kr_parallel_for(pool, 0, 10000000, compute, NULL, &options), KR_EBROKEN);
    CHECK_EQ(kri_load_sc(&together), 1);
    end(pool);
}

TEST(more_runners_than_there_are_workers)
{
    kr_executor *pool = pool_of(2);
    uint32_t want = 3;
    kr_parallel_options options = {.grain = 1, .runners = INT32_MAX};
    CHECK_EQ(kr_parallel_for(pool, 0, 100, meet, &want, &options), 0);
    CHECK_EQ(kri_load_sc(&together), 1);
    end(pool);
}

TEST(a_loop_does_not_wait_for_a_free_worker)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *f = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    check_range(pool, 0, MANY, &(kr_parallel_options){.grain = 1, .runners = 3});
    CHECK_EQ(queued(pool), 0);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(f), 0);
    end(pool);
}

/* Inside tasks and inside each other */

struct nest {
    kr_executor *pool;
    size_t grain;
    int depth;
};

static int descend(size_t first, size_t end, void *arg)
{
    const struct nest *nest = arg;
    struct nest below = {nest->pool, nest->grain, nest->depth - 1};
    if (nest->depth == 0)
        return hit(0, 8, NULL);
    kr_parallel_options options = {.grain = nest->grain, .runners = 3};
    int err = 0;
    for (size_t i = first; i < end && !err; i++)
        err = kr_parallel_for(nest->pool, 0, 4, descend, &below, &options);
    return err;
}

static int descend_in_task(const void *arg, void *result)
{
    (void)result;
    struct nest nest = *(const struct nest *)arg;
    return descend(0, 1, &nest);
}

TEST(loops_within_loops)
{
    for (int workers = 1; workers <= 3; workers++) {
        struct nest nest = {pool_of(workers), 1, 3};
        fresh(0);
        CHECK_EQ(descend(0, 1, &nest), 0);
        kr_future *f;
        CHECK_EQ(kr_submit(nest.pool, &f, descend_in_task, &nest, sizeof nest, 0), 0);
        CHECK_EQ(error_of(f), 0);
        check_hits(8, 2 * 16 * 4);
        end(nest.pool);
    }
}

static void loop_in_thread(void *arg)
{
    struct nest nest = {arg, 1, 2};
    for (int i = 0; i < 20; i++)
        CHECK_EQ(descend(0, 1, &nest), 0);
}

TEST(several_loops_at_once)
{
    kr_executor *pool = pool_of(2);
    kri_bunch bunch;
    fresh(0);
    kri_bunch_start(&bunch, 5, loop_in_thread, pool);
    kri_bunch_end(&bunch);
    check_hits(8, 5 * 20 * 4 * 4);
    end(pool);
}

/* Parties */

static uint64_t caller_id;
static kr_lock *held;

static int look_at_party(size_t first, size_t end, void *arg)
{
    CHECK(kri_party_id(kri_party_self()) != caller_id);
    CHECK_EQ(kr_lock_acquire(held, KR_NOWAIT), -ETIMEDOUT);
    CHECK(!kr_cancelled());
    return hit(first, end, arg);
}

TEST(the_caller_takes_part_as_another_party)
{
    kr_executor *pool = pool_of(2);
    kr_lock lock = KR_LOCK_INIT;
    held = &lock;
    caller_id = kri_party_id(kri_party_self());
    fresh(0);
    CHECK_EQ(kr_lock_acquire(&lock, KR_FOREVER), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 50, look_at_party, NULL, &(kr_parallel_options){.grain = 1}),
             0);
    kr_lock_release(&lock);
    check_hits(50, 1);
    CHECK_EQ(kri_party_id(kri_party_self()), caller_id);
    end(pool);
}

/* Errors */

static int fail_at_10(size_t first, size_t end, void *arg)
{
    (void)arg;
    if (first <= 10 && 10 < end)
        return -EPIPE;
    return hit(first, end, arg);
}

TEST(an_error_keeps_others_from_beginning)
{
    kr_executor *pool = pool_of(1);
    kr_parallel_options options = {.grain = 1, .runners = 1};
    fresh(0);
    CHECK_EQ(kr_parallel_for(pool, 0, 13, fail_at_10, NULL, &options), -EPIPE);
    CHECK_EQ(kri_load_rlx(&hits[12]), 0);
    CHECK_EQ(kri_load_rlx(&hits[0]), 1);
    end(pool);
}

static kr_event never = KR_EVENT_INIT;
static kr_word waiting;

/* The first piece fails once the others wait. */
static int fail_when_others_wait(size_t first, size_t end, void *arg)
{
    (void)end;
    uint32_t others = *(uint32_t *)arg;
    if (first > 0) {
        kri_add_sc(&waiting, 1);
        return kr_event_wait(&never, KR_FOREVER);
    }
    kri_test_wait_parked(&never.word, (int)others);
    return -EPIPE;
}

TEST(an_error_ends_the_waits_of_others)
{
    uint32_t others = 3;
    kr_executor *pool = pool_of(3);
    kr_parallel_options options = {.grain = 1, .runners = 4};
    CHECK_EQ(kr_parallel_for(pool, 0, 100, fail_when_others_wait, &others, &options), -EPIPE);
    CHECK_EQ(kri_load_sc(&waiting), 3);
    end(pool);
}

static int return_what_is_asked(size_t first, size_t end, void *arg)
{
    (void)first;
    (void)end;
    return *(int *)arg;
}

TEST(what_pieces_return)
{
    kr_executor *pool = pool_of(2);
    const int errors[][2] = {{-ECANCELED, -ECANCELED}, {-ETIMEDOUT, -ETIMEDOUT}, {1, 0}, {0, 0}};
    for (int i = 0; i < 4; i++) {
        int error = errors[i][0];
        CHECK_EQ(kr_parallel_for(pool, 0, 9, return_what_is_asked, &error, NULL), errors[i][1]);
        CHECK(!kr_cancelled());
    }
    end(pool);
}

/* Time limits and cancelling */

static int wait_for_ever(size_t first, size_t end, void *arg)
{
    (void)first;
    (void)end;
    (void)arg;
    kri_add_sc(&waiting, 1);
    return kr_event_wait(&never, KR_FOREVER);
}

static int compute_until_cancelled(size_t first, size_t end, void *arg)
{
    (void)first;
    (void)end;
    (void)arg;
    kri_add_sc(&waiting, 1);
    while (!kr_cancelled())
        continue;
    return 0;
}

TEST(a_timeout_ends_the_loop)
{
    const kr_range_fn fns[2] = {wait_for_ever, compute_until_cancelled};
    kr_executor *pool = pool_of(2);
    for (int i = 0; i < 2; i++) {
        kr_parallel_options options = {.grain = 1, .runners = 2, .timeout = kr_ms(100)};
        kr_time began = kr_now();
        kri_store_sc(&waiting, 0);
        CHECK_EQ(kr_parallel_for(pool, 0, 100, fns[i], NULL, &options), -ETIMEDOUT);
        CHECK_TIME(kr_now() - began, kr_ms(100));
        CHECK_LE(kri_load_sc(&waiting), 2);
        CHECK(!kr_cancelled());
    }
    end(pool);
}

TEST(the_callers_time_limit_is_the_callers)
{
    kr_executor *pool = pool_of(2);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_parallel_options options = {.grain = 1, .runners = 2, .timeout = kr_sec(100)};
    CHECK_EQ(kr_cancel_scope_enter(&scope, kr_ms(50)), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 100, wait_for_ever, NULL, &options), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ETIMEDOUT);
    end(pool);
}

static int loop_for_ever(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    kr_parallel_options options = {.grain = 1, .runners = 2};
    return kr_parallel_for(pool, 0, 100, wait_for_ever, NULL, &options);
}

TEST(cancelling_a_task_cancels_its_loop)
{
    kr_executor *pool = pool_of(2);
    kr_future *f;
    CHECK_EQ(kr_submit(pool, &f, loop_for_ever, &pool, sizeof pool, 0), 0);
    kri_test_wait_parked(&never.word, 2);
    CHECK_EQ(kr_future_cancel(f), KR_ASKED);
    CHECK_EQ(error_of(f), -ECANCELED);
    end(pool);
}

TEST(a_cancelled_caller_begins_nothing)
{
    kr_executor *pool = pool_of(2);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_cancel(&scope);
    fresh(0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 10, hit, NULL, NULL), -ECANCELED);
    CHECK_EQ(kr_parallel_for(pool, 0, 0, hit, NULL, NULL), 0);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    check_hits(0, 0);
    end(pool);
}

TEST(wrong_loops_are_refused)
{
    kr_executor *pool = pool_of(1);
    CHECK_EQ(kr_parallel_for(NULL, 0, 1, hit, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_parallel_for(pool, 0, 1, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_parallel_for(pool, 2, 1, hit, NULL, NULL), -EINVAL);
    const kr_parallel_options wrong[] = {
        {.runners = -1}, {.timeout = -1}, {.reserved = {0, 0, 1, 0}}};
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_parallel_for(pool, 0, 1, hit, NULL, &wrong[i]), -EINVAL);
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 1, hit, NULL, NULL), KR_ESHUTDOWN);
    CHECK_EQ(kr_parallel_for(pool, 1, 1, hit, NULL, NULL), 0);
    check_hits(0, 0);
    kr_executor_release(pool);
}

/* A broken pool gives no helpers, and none are needed. */

static int refuse(void *arg)
{
    (void)arg;
    return -EACCES;
}

static void hear_nothing(const kr_task_report *report)
{
    CHECK_EQ(report->error, -EACCES);
}

TEST(a_broken_pool_does_not_break_a_loop)
{
    kr_executor *pool;
    kr_set_task_hook(hear_nothing);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 3, .initializer = refuse}), 0);
    for (int i = 0; i < 20; i++)
        check_range(pool, 0, MANY, &(kr_parallel_options){.grain = 1, .runners = 3});
    end(pool);
}

static void check_child(pid_t child)
{
    int status = -1;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* The child begins no other piece. */
static int fork_in_piece(size_t first, size_t end, void *arg)
{
    (void)first;
    (void)end;
    pid_t *child = arg;
    if (kri_load_rlx(&together))
        _exit(9);
    if (*child != -1)
        return 0;
    *child = fork();
    if (*child == 0)
        kri_store_rlx(&together, 1);
    return 0;
}

TEST(a_piece_that_returns_in_a_forked_child)
{
    kr_executor *pool = pool_of(1);
    pid_t child = -1;
    kr_parallel_options options = {.grain = 1, .runners = 1};
    int err = kr_parallel_for(pool, 0, 40, fork_in_piece, &child, &options);
    if (child == 0)
        _exit(err == KR_EFORKED ? 0 : 8);
    CHECK_EQ(err, 0);
    end(pool);
    check_child(child);
}

static kr_thread *caller_thread;
static kr_event forked = KR_EVENT_INIT;

/* The helper's child leaves the loop to its parent. */
static int fork_in_helper(size_t first, size_t end, void *arg)
{
    (void)first;
    (void)end;
    (void)arg;
    if (kr_thread_current() == caller_thread)
        return kr_event_wait(&forked, KR_FOREVER);
    if (kri_load_rlx(&together))
        _exit(9);
    if (kr_event_is_set(&forked))
        return 0;
    pid_t child = fork();
    if (child == 0) {
        kri_store_rlx(&together, 1);
        return 0;
    }
    check_child(child);
    kr_event_set(&forked);
    return 0;
}

TEST(a_helpers_piece_that_returns_in_a_forked_child)
{
    if (KRI_SANITIZED)
        SKIP("the thread sanitizer does not survive the end of such a thread");
    kr_executor *pool = pool_of(1);
    caller_thread = kr_thread_current();
    kr_parallel_options options = {.grain = 1, .runners = 2};
    CHECK_EQ(kr_parallel_for(pool, 0, 50, fork_in_helper, NULL, &options), 0);
    CHECK(kr_event_is_set(&forked));
    end(pool);
}
