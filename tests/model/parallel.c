/* Loops shared by the caller and a helper, under every schedule within narrow bounds and at random.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include <krait/event.h>
#include <krait/parallel.h>

enum { MOST = 4 };

static struct {
    kr_executor *pool;
    int hits[MOST]; /* plain: each by the one runner that has the index */
    kr_event never;
    kr_cancel_scope scope;
} s;

static const kr_parallel_options two = {.grain = 1, .runners = 2};

static void fresh_with(bool no_outside_help)
{
    kr_pool_options options = {.workers = 1, .max_spares = -1, .no_outside_help = no_outside_help};
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_thread_pool(&s.pool, &options) == 0);
    kr_explore_name(s.hits, sizeof s.hits, "hits");
}

static void fresh(void)
{
    fresh_with(false);
}

static void finish(void)
{
    kr_executor_release(s.pool);
}

static int hit(size_t first, size_t end, void *arg)
{
    (void)arg;
    for (size_t i = first; i < end; i++)
        s.hits[i]++;
    return 0;
}

static void check_hits(int count)
{
    for (int i = 0; i < MOST; i++)
        kr_explore_check(s.hits[i] == (i < count));
}

static int loop(size_t count, kr_range_fn fn)
{
    return kr_parallel_for(s.pool, 0, count, fn, NULL, &two);
}

SCENARIO(loop_two_runners, .stale = 1, .keeps_memory = true, .schedules = 100000)
{
    fresh();
    kr_explore_check(loop(2, hit) == 0);
    check_hits(2);
    finish();
}

SCENARIO(loop_two_runners_pct, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 20000,
         .keeps_memory = true)
{
    fresh();
    kr_explore_check(loop(MOST, hit) == 0);
    check_hits(MOST);
    finish();
}

static int fail_at_once(size_t first, size_t end, void *arg)
{
    (void)hit(first, end, arg);
    return first == 0 ? -EPIPE : 0;
}

/* The caller is through while the helper is about to begin: it is removed, or waited for. */
SCENARIO(loop_error_against_take, .stale = KR_EXPLORE_NONE, .keeps_memory = true,
         .schedules = 250000)
{
    fresh();
    kr_explore_check(loop(2, fail_at_once) == -EPIPE);
    kr_explore_check(s.hits[0] == 1 && s.hits[1] <= 1);
    finish();
}

static int fail_both(size_t first, size_t end, void *arg)
{
    (void)hit(first, end, arg);
    return first == 0 ? -EPIPE : -EIO;
}

SCENARIO(loop_two_errors, .stale = 1, .keeps_memory = true, .schedules = 100000)
{
    fresh();
    int err = loop(2, fail_both);
    kr_explore_check(err == -EPIPE || (err == -EIO && s.hits[1]));
    finish();
}

/* One fails, the other waits for what never comes: the error ends its wait. */
static int fail_or_wait(size_t first, size_t end, void *arg)
{
    (void)hit(first, end, arg);
    return first == 0 ? -EPIPE : kr_event_wait(&s.never, KR_FOREVER);
}

SCENARIO(loop_error_ends_a_wait, .preemptions = 1, .stale = 1, .keeps_memory = true)
{
    fresh();
    kr_explore_check(loop(2, fail_or_wait) == -EPIPE);
    finish();
}

static int wait_for_ever(size_t first, size_t end, void *arg)
{
    (void)hit(first, end, arg);
    return kr_event_wait(&s.never, KR_FOREVER);
}

static void cancel(void *arg)
{
    (void)arg;
    kr_cancel(&s.scope);
}

/* The cancel reaches the caller's piece and the helper's. */
SCENARIO(loop_cancelled, .preemptions = 1, .stale = KR_EXPLORE_NONE, .schedules = 60000,
         .keeps_memory = true)
{
    fresh();
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    int other = kr_explore_spawn(cancel, NULL);
    kr_explore_check(loop(2, wait_for_ever) == -ECANCELED);
    kr_explore_check(kr_cancel_scope_exit(&s.scope) == -ECANCELED);
    kr_explore_join(other);
    finish();
}

static int wait_in_scope(size_t first, size_t end, void *arg)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_explore_check(kr_cancel_scope_enter(&scope, KR_FOREVER) == 0);
    int err = wait_for_ever(first, end, arg);
    kr_explore_check(kr_cancel_scope_exit(&scope) == -ECANCELED);
    return err;
}

/* Scopes of several runners below the one of the loop. */
SCENARIO(loop_cancelled_in_inner_scopes, .preemptions = 1, .stale = KR_EXPLORE_NONE,
         .schedules = 60000, .keeps_memory = true)
{
    fresh();
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    int other = kr_explore_spawn(cancel, NULL);
    kr_explore_check(loop(2, wait_in_scope) == -ECANCELED);
    kr_explore_check(kr_cancel_scope_exit(&s.scope) == -ECANCELED);
    kr_explore_join(other);
    finish();
}

SCENARIO(loop_times_out, .preemptions = 1, .stale = KR_EXPLORE_NONE, .keeps_memory = true)
{
    fresh();
    kr_parallel_options options = {.grain = 1, .runners = 2, .timeout = kr_ms(1)};
    int err = kr_parallel_for(s.pool, 0, 2, wait_for_ever, NULL, &options);
    kr_explore_check(err == -ETIMEDOUT);
    finish();
}

static int loop_as_task(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return loop(2, hit);
}

/* The caller is the only worker: its helper never begins. */
SCENARIO(loop_in_the_only_worker, .stale = 1, .keeps_memory = true, .schedules = 60000)
{
    kr_future *f;
    fresh_with(true);
    kr_explore_check(kr_submit(s.pool, &f, loop_as_task, NULL, 0, 0) == 0);
    kr_explore_check(kr_future_exception(f, NULL, KR_FOREVER) == 0);
    check_hits(2);
    kr_future_release(f);
    finish();
}

/* Strings of digits: not commutative. */
struct string {
    int length;
    char digits[MOST];
};

static int append(size_t first, size_t end, void *partial, void *arg)
{
    struct string *string = partial;
    (void)arg;
    for (size_t i = first; i < end; i++)
        string->digits[string->length++] = (char)('0' + i);
    return 0;
}

static void append_string(void *left, const void *right, void *arg)
{
    struct string *string = left;
    const struct string *more = right;
    (void)arg;
    memcpy(string->digits + string->length, more->digits, (size_t)more->length);
    string->length += more->length;
}

static void reduce(size_t count)
{
    const kr_reduction strings = {sizeof(struct string), append, append_string};
    struct string string = {0, {0}};
    kr_explore_check(kr_parallel_reduce(s.pool, 0, count, &strings, NULL, &string, &two) == 0);
    kr_explore_check(string.length == (int)count);
    kr_explore_check(memcmp(string.digits, "0123", count) == 0);
}

SCENARIO(reduce_joins_in_order, .stale = 1, .keeps_memory = true, .schedules = 100000)
{
    fresh();
    reduce(2);
    finish();
}

SCENARIO(reduce_joins_in_order_pct, .mode = KR_EXPLORE_PCT, .depth = 4, .schedules = 20000,
         .keeps_memory = true)
{
    fresh();
    reduce(MOST);
    finish();
}

/* No memory, no threads: the caller does it all. */
SCENARIO(loops_under_refusals, .preemptions = 1, .stale = KR_EXPLORE_NONE, .failures = 2,
         .schedules = 20000, .keeps_memory = true)
{
    memset(&s, 0, sizeof s);
    if (kr_thread_pool(&s.pool, &(kr_pool_options){.workers = 1}) != 0)
        return;
    kr_explore_check(loop(2, hit) == 0);
    check_hits(2);
    reduce(2);
    finish();
}
