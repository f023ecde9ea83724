/* Private queues under every schedule.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "model/scenario.h"
#include "queue/private.h"

enum { ITEMS = 8 };
enum kind { BOUNDED, UNBOUNDED, STACK, HEAP, REENTRANT };

/* Item n stands for data[n], which is written before the put. */
static struct {
    kr_queue *q;
    long data[ITEMS];
    int taken[ITEMS]; /* plain: two takers of one item are a race at least */
    int results[ITEMS];
    bool asked;
    kr_cancel_scope scope;
} s;

static void fresh(enum kind kind)
{
    static const kr_queue_order orders[] = {KR_FIFO, KR_FIFO, KR_LIFO, KR_PRIORITY, KR_FIFO};
    size_t maxsize = kind == BOUNDED || kind == STACK ? 1 : kind == HEAP ? 3 : 0;
    kr_queue_options o = {.order = orders[kind], .reentrant = kind == REENTRANT};
    memset(&s, 0, sizeof s);
    kr_explore_check(kr_queue_create(&s.q, sizeof(uint64_t), maxsize, &o) == 0);
    kr_explore_name(&s.data, sizeof s.data, "data");
    kr_explore_name(&s.taken, sizeof s.taken, "taken");
    kr_explore_name(&kri_private_of(s.q)->items, sizeof(kri_gate), "items");
    kr_explore_name(&kri_private_of(s.q)->room, sizeof(kri_gate), "room");
    kr_explore_name(&kri_private_of(s.q)->done, sizeof(kri_word64), "done");
}

static void end(void)
{
    kr_explore_join_all();
    kr_queue_release(s.q);
}

static int put(uint64_t item, kr_time timeout)
{
    s.data[item] = (long)item + 100;
    return kr_queue_put(s.q, &item, timeout);
}

static void use(uint64_t item)
{
    kr_explore_check(item >= 1 && item < ITEMS);
    kr_explore_check(s.data[item] == (long)item + 100);
    kr_explore_check(s.taken[item]++ == 0);
}

static uint64_t get(kr_time timeout, int *result)
{
    uint64_t item = 0;
    *result = kr_queue_get(s.q, &item, timeout);
    if (*result == 0)
        use(item);
    return item;
}

static int number_of(void *arg)
{
    return (int)(uintptr_t)arg;
}

#define NUMBER(n) ((void *)(uintptr_t)(n))

static void put_it(void *arg)
{
    kr_explore_check(put((uintptr_t)arg, KR_FOREVER) == 0);
}

static void put_result(void *arg)
{
    s.results[number_of(arg)] = put((uintptr_t)arg, KR_FOREVER);
}

static void get_one(void *arg)
{
    int result;
    (void)arg;
    get(KR_FOREVER, &result);
    kr_explore_check(result == 0);
}

static void get_result(void *arg)
{
    get(KR_FOREVER, &s.results[number_of(arg)]);
}

static void hand_over(enum kind kind)
{
    fresh(kind);
    kr_explore_spawn(get_one, NULL);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    end();
}

SCENARIO(queue_hands_over)
{
    hand_over(UNBOUNDED);
}

SCENARIO(stack_hands_over)
{
    hand_over(STACK);
}

SCENARIO(heap_hands_over)
{
    hand_over(HEAP);
}

SCENARIO(reentrant_hands_over)
{
    hand_over(REENTRANT);
}

/* One call for two items: whoever is called passes it on. */
static void two_getters(enum kind kind)
{
    fresh(kind);
    kr_explore_spawn(get_one, NULL);
    kr_explore_spawn(get_one, NULL);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_check(put(2, KR_FOREVER) == 0);
    end();
    kr_explore_check(s.taken[1] + s.taken[2] == 2);
}

SCENARIO(queue_two_getters, .stale = 1)
{
    two_getters(UNBOUNDED);
}

SCENARIO(heap_two_getters, .stale = 1)
{
    two_getters(HEAP);
}

SCENARIO(reentrant_two_getters, .stale = 1)
{
    two_getters(REENTRANT);
}

/* One getter is called and finds that another was faster, as the next item comes. */
static void put_two(void *arg)
{
    (void)arg;
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_check(put(2, KR_FOREVER) == 0);
}

SCENARIO(queue_faster_getter, .stale = KR_EXPLORE_NONE)
{
    fresh(UNBOUNDED);
    kr_explore_spawn(put_two, NULL);
    kr_explore_spawn(get_one, NULL);
    get_one(NULL);
    end();
}

SCENARIO(queue_two_putters_two_getters, .preemptions = 1, .stale = 1)
{
    fresh(UNBOUNDED);
    kr_explore_spawn(get_one, NULL);
    kr_explore_spawn(get_one, NULL);
    kr_explore_spawn(put_it, NUMBER(1));
    kr_explore_check(put(2, KR_FOREVER) == 0);
    end();
}

SCENARIO(reentrant_two_putters_two_getters, .preemptions = 1, .stale = 1)
{
    fresh(REENTRANT);
    kr_explore_spawn(get_one, NULL);
    kr_explore_spawn(get_one, NULL);
    kr_explore_spawn(put_it, NUMBER(1));
    kr_explore_check(put(2, KR_FOREVER) == 0);
    end();
}

/* Two putters wait for one place; both places come free. */
static void two_putters(enum kind kind)
{
    int result;
    fresh(kind);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_spawn(put_it, NUMBER(2));
    kr_explore_spawn(put_it, NUMBER(3));
    for (int i = 0; i < 3; i++) {
        get(KR_FOREVER, &result);
        kr_explore_check(result == 0);
    }
    end();
}

SCENARIO(queue_two_putters, .stale = 1)
{
    two_putters(BOUNDED);
}

SCENARIO(stack_two_putters, .preemptions = 1, .stale = 1)
{
    two_putters(STACK);
}

/* Two places come free for one call. */
SCENARIO(heap_two_putters, .stale = 1)
{
    fresh(HEAP);
    for (uint64_t i = 1; i <= 3; i++)
        kr_explore_check(put(i, KR_FOREVER) == 0);
    kr_explore_spawn(put_it, NUMBER(4));
    kr_explore_spawn(put_it, NUMBER(5));
    get_one(NULL);
    get_one(NULL);
    end();
}

/* Over the ends of chunks, in order, with chunks used again. */
static void put_five(void *arg)
{
    (void)arg;
    for (uint64_t i = 1; i <= 5; i++)
        kr_explore_check(put(i, KR_FOREVER) == 0);
}

static void in_order(enum kind kind)
{
    int result;
    fresh(kind);
    kr_explore_spawn(put_five, NULL);
    for (uint64_t i = 1; i <= 5; i++)
        kr_explore_check(get(KR_FOREVER, &result) == i);
    kr_explore_check(kr_queue_empty(s.q));
    end();
}

SCENARIO(queue_in_order, .stale = 1)
{
    in_order(UNBOUNDED);
}

SCENARIO(queue_of_one_in_order, .preemptions = 1, .stale = 1)
{
    in_order(BOUNDED);
}

SCENARIO(reentrant_in_order, .stale = 1)
{
    in_order(REENTRANT);
}

/* Somebody puts and takes at once, twice, while another does the same: nodes are used again. */
static void put_and_get_twice(void *arg)
{
    int result;
    for (uint64_t i = 0; i < 2; i++) {
        kr_explore_check(put((uintptr_t)arg + i, KR_FOREVER) == 0);
        get(KR_FOREVER, &result);
        kr_explore_check(result == 0);
    }
}

SCENARIO(reentrant_nodes_used_again, .stale = 1)
{
    fresh(REENTRANT);
    kr_explore_spawn(put_and_get_twice, NUMBER(1));
    put_and_get_twice(NUMBER(3));
    end();
}

/* A node that a putter has looked at is used, and free again, before it is taken. */
SCENARIO(reentrant_node_comes_back)
{
    fresh(REENTRANT);
    kr_explore_spawn(put_it, NUMBER(1));
    kr_explore_check(put(2, KR_FOREVER) == 0);
    kr_explore_check(put(3, KR_FOREVER) == 0);
    get_one(NULL);
    kr_explore_check(put(4, KR_FOREVER) == 0);
    kr_explore_join_all();
    for (int i = 0; i < 3; i++)
        get_one(NULL);
    end();
}

SCENARIO(queue_chunks_used_again, .stale = 1)
{
    fresh(UNBOUNDED);
    kr_explore_spawn(put_and_get_twice, NUMBER(1));
    put_and_get_twice(NUMBER(3));
    end();
}

/* Who gives up has taken nothing, and another who waits gets it. */
static void get_timed(void *arg)
{
    uint64_t item = get(kr_ms(1), &s.results[0]);
    (void)arg;
    if (s.results[0] == 0) {
        s.taken[item] = 0;
        kr_explore_check(put(item, KR_FOREVER) == 0);
    }
}

static void time_out(enum kind kind)
{
    fresh(kind);
    kr_explore_spawn(get_timed, NULL);
    kr_explore_spawn(get_one, NULL);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    end();
    kr_explore_check(s.taken[1] == 1);
}

SCENARIO(queue_getter_times_out, .stale = 1)
{
    time_out(UNBOUNDED);
}

SCENARIO(reentrant_getter_times_out, .stale = 1)
{
    time_out(REENTRANT);
}

static void get_in_scope(void *arg)
{
    (void)arg;
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    uint64_t item = get(KR_FOREVER, &s.results[0]);
    kr_cancel_scope_exit(&s.scope);
    if (s.results[0] == 0) {
        s.taken[item] = 0;
        kr_explore_check(put(item, KR_FOREVER) == 0);
    }
}

static void cancel_getter(enum kind kind)
{
    fresh(kind);
    kr_explore_spawn(get_in_scope, NULL);
    kr_explore_spawn(get_one, NULL);
    kr_cancel(&s.scope);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    end();
    kr_explore_check(s.taken[1] == 1);
}

SCENARIO(queue_getter_cancelled, .stale = 1)
{
    cancel_getter(UNBOUNDED);
}

SCENARIO(reentrant_getter_cancelled, .stale = 1)
{
    cancel_getter(REENTRANT);
}

static void put_timed(void *arg)
{
    s.results[number_of(arg)] = put((uintptr_t)arg, kr_ms(1));
}

SCENARIO(queue_putter_times_out, .preemptions = 1, .stale = 1)
{
    int result;
    fresh(BOUNDED);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_spawn(put_timed, NUMBER(2));
    kr_explore_spawn(put_it, NUMBER(3));
    get(KR_FOREVER, &result);
    get(KR_FOREVER, &result);
    kr_explore_join(1);
    if (s.results[2] == 0)
        get(KR_FOREVER, &result);
    kr_explore_check(kr_queue_empty(s.q) && s.taken[3] == 1);
    end();
}

/* What was put before the shutdown is taken. */
static void shut_one(enum kind kind)
{
    fresh(kind);
    kr_explore_spawn(get_one, NULL);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_check(kr_queue_shutdown(s.q, false) == 0);
    end();
}

SCENARIO(queue_shutdown_keeps_the_last)
{
    shut_one(UNBOUNDED);
}

SCENARIO(reentrant_shutdown_keeps_the_last)
{
    shut_one(REENTRANT);
}

/* The shutdown lets all go. */
static void shut_two(enum kind kind, bool immediate)
{
    fresh(kind);
    kr_explore_spawn(get_result, NUMBER(1));
    kr_explore_spawn(get_result, NUMBER(2));
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_check(kr_queue_shutdown(s.q, immediate) == 0);
    end();
    int got = (s.results[1] == 0) + (s.results[2] == 0);
    kr_explore_check(got + (s.results[1] == KR_ESHUTDOWN) + (s.results[2] == KR_ESHUTDOWN) == 2);
    kr_explore_check(immediate ? got <= 1 : got == 1);
}

SCENARIO(queue_shutdown_of_two_getters, .stale = 1)
{
    shut_two(UNBOUNDED, false);
}

SCENARIO(heap_shutdown_of_two_getters, .stale = 1)
{
    shut_two(HEAP, false);
}

SCENARIO(reentrant_shutdown_of_two_getters, .stale = 1)
{
    shut_two(REENTRANT, false);
}

SCENARIO(queue_immediate_shutdown_of_two_getters, .stale = 1)
{
    shut_two(UNBOUNDED, true);
}

SCENARIO(reentrant_immediate_shutdown_of_two_getters, .stale = 1)
{
    shut_two(REENTRANT, true);
}

SCENARIO(queue_shutdown_of_two_putters, .stale = 1)
{
    fresh(BOUNDED);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_spawn(put_result, NUMBER(2));
    kr_explore_spawn(put_result, NUMBER(3));
    kr_explore_check(kr_queue_shutdown(s.q, false) == 0);
    end();
    kr_explore_check(s.results[2] == KR_ESHUTDOWN && s.results[3] == KR_ESHUTDOWN);
}

/* A put that the shutdown meets is inside, or never was. */
static void shut_against_put(enum kind kind)
{
    int result;
    fresh(kind);
    kr_explore_spawn(put_result, NUMBER(1));
    kr_explore_check(kr_queue_shutdown(s.q, true) == 0);
    kr_explore_check(kr_queue_empty(s.q));
    get(KR_FOREVER, &result);
    kr_explore_check(result == KR_ESHUTDOWN);
    kr_explore_check(kr_queue_join(s.q, KR_FOREVER) == 0);
    end();
    kr_explore_check(s.results[1] == 0 || s.results[1] == KR_ESHUTDOWN);
}

SCENARIO(queue_shutdown_against_put)
{
    shut_against_put(UNBOUNDED);
}

SCENARIO(reentrant_shutdown_against_put)
{
    shut_against_put(REENTRANT);
}

/* A join sees what was done before the last task_done. */
static void finish(void *arg)
{
    int result;
    (void)arg;
    uint64_t item = get(KR_FOREVER, &result);
    kr_explore_check(result == 0);
    s.results[item] = 1;
    kr_explore_check(kr_queue_task_done(s.q) == 0);
}

static void join_two(enum kind kind)
{
    fresh(kind);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_check(put(2, KR_FOREVER) == 0);
    kr_explore_spawn(finish, NULL);
    kr_explore_spawn(finish, NULL);
    kr_explore_check(kr_queue_join(s.q, KR_FOREVER) == 0);
    kr_explore_check(s.results[1] == 1 && s.results[2] == 1);
    kr_explore_check(kr_queue_task_done(s.q) == -EPERM);
    end();
}

SCENARIO(queue_join, .stale = 1)
{
    join_two(UNBOUNDED);
}

SCENARIO(heap_join, .stale = 1)
{
    join_two(HEAP);
}

SCENARIO(reentrant_join, .stale = 1)
{
    join_two(REENTRANT);
}

static void join(void *arg)
{
    (void)arg;
    kr_explore_check(kr_queue_join(s.q, KR_FOREVER) == 0);
}

SCENARIO(queue_immediate_shutdown_lets_join_go, .stale = 1)
{
    fresh(UNBOUNDED);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_spawn(join, NULL);
    kr_explore_check(kr_queue_shutdown(s.q, true) == 0);
    end();
}

/* Many at once. */
static void put_three_at_once(void *arg)
{
    uint64_t items[3] = {1, 2, 3};
    (void)arg;
    for (int i = 1; i <= 3; i++)
        s.data[i] = i + 100;
    kr_explore_check(kr_queue_put_many(s.q, items, 3, KR_FOREVER) == 3);
}

static void many(enum kind kind)
{
    uint64_t items[3], next = 1;
    fresh(kind);
    kr_explore_spawn(put_three_at_once, NULL);
    while (next <= 3) {
        int count = kr_queue_get_many(s.q, items, 3, KR_FOREVER);
        kr_explore_check(count >= 1 && count <= 3);
        for (int i = 0; i < count; i++) {
            kr_explore_check(items[i] == next++);
            use(items[i]);
        }
    }
    end();
}

SCENARIO(queue_many, .stale = 1)
{
    many(UNBOUNDED);
}

SCENARIO(queue_of_one_many, .stale = 1)
{
    many(BOUNDED);
}

SCENARIO(heap_many, .stale = 1)
{
    many(HEAP);
}

/* No memory: the item is not there, and all else goes on. */
static void refused(enum kind kind)
{
    kr_queue_options o = {.order = kind == HEAP ? KR_PRIORITY : KR_FIFO,
                          .reentrant = kind == REENTRANT};
    uint64_t wanted = 0;
    memset(&s, 0, sizeof s);
    if (kr_queue_create(&s.q, sizeof(uint64_t), 0, &o) != 0) {
        kr_explore_check(s.q == NULL);
        return;
    }
    for (uint64_t i = 1; i <= 5; i++) {
        int err = put(i, KR_FOREVER);
        kr_explore_check(err == 0 || err == -ENOMEM);
        wanted += err == 0;
    }
    kr_explore_check(kr_queue_qsize(s.q) == wanted);
    for (; wanted > 0; wanted--)
        get_one(NULL);
    kr_explore_check(kr_queue_empty(s.q));
    kr_queue_release(s.q);
}

SCENARIO(queue_no_memory, .failures = 2)
{
    refused(UNBOUNDED);
}

SCENARIO(heap_no_memory, .failures = 2)
{
    refused(HEAP);
}

SCENARIO(reentrant_no_memory, .failures = 2)
{
    refused(REENTRANT);
}

/* Waiting for any: whoever is called and goes passes the call on. */
static void watch_and_go(void *arg)
{
    kr_word *word;
    uint32_t expected;
    (void)arg;
    s.q->ops->watch(s.q, &word, &expected);
    while (!s.q->ops->ready(s.q))
        (void)kri_wait(word, expected, KRI_NEVER, s.q->wait_flags);
    s.q->ops->unwatch(s.q);
}

SCENARIO(queue_watcher_passes_on, .stale = 1)
{
    fresh(UNBOUNDED);
    kr_explore_spawn(watch_and_go, NULL);
    int getter = kr_explore_spawn(get_one, NULL);
    kr_explore_check(put(1, KR_FOREVER) == 0);
    kr_explore_join(getter);
    kr_explore_check(put(2, KR_FOREVER) == 0);
    end();
}
