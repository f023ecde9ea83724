/* Callbacks of a loop.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "loop/in_loop.h"

#include "base/atomic.h"
#include "loop/loop.h"

enum { MOST = 16 };

static char log_text[MOST + 1];
static size_t logged;

static void note(void *arg)
{
    CHECK(logged < MOST);
    log_text[logged++] = *(const char *)arg;
}

static void soon(kr_call *call, const char *name)
{
    CHECK_EQ(kr_call_soon(call, note, (void *)name), 0);
}

static void later(kr_call *call, kr_time delay, const char *name)
{
    CHECK_EQ(kr_call_later(call, delay, note, (void *)name), 0);
}

static void expect(const char *text)
{
    CHECK_STR(log_text, text);
}

static void wait_logged(size_t count)
{
    while (logged < count)
        CHECK_EQ(kr_sleep(kr_us(200)), 0);
}

LOOP_TEST(test_call_soon)
{
    kr_call calls[3] = {{.arg = NULL}};
    soon(&calls[0], "a");
    soon(&calls[1], "b");
    soon(&calls[2], "c");
    CHECK(kr_call_pending(&calls[1]));
    expect("");
    wait_logged(3);
    expect("abc");
    CHECK(!kr_call_pending(&calls[1]));
}

LOOP_TEST(test_call_later)
{
    kr_call calls[3] = {{.arg = NULL}};
    kr_time began = kr_now();
    later(&calls[0], kr_ms(5 * KRI_TIMES), "c");
    later(&calls[1], kr_ms(1), "a");
    later(&calls[2], kr_ms(2 * KRI_TIMES), "b");
    wait_logged(3);
    CHECK_GE(kr_now() - began, kr_ms(5 * KRI_TIMES));
    expect("abc");
}

/* Times that have passed are in their order all the same. */
LOOP_TEST(test_call_later_negative_delays)
{
    kr_call calls[2] = {{.arg = NULL}};
    kr_time now = kr_now();
    CHECK_EQ(kr_call_at(&calls[0], now - kr_ms(1), note, "b"), 0);
    CHECK_EQ(kr_call_at(&calls[1], now - kr_ms(2), note, "a"), 0);
    wait_logged(2);
    expect("ab");
    CHECK_EQ(kr_call_later(&calls[0], -1, note, "c"), -EINVAL);
}

LOOP_TEST(test_time_and_call_at)
{
    kr_call call = {.arg = NULL};
    kr_time when = kr_now() + kr_ms(3);
    CHECK_EQ(kr_call_at(&call, when, note, "a"), 0);
    wait_logged(1);
    CHECK_GE(kr_now(), when);
}

/* Cancelled ones are skipped, wherever they stand, and their memory may be used at once.
 * behaviour: 13.6 test__run_once* */
LOOP_TEST(test_cancel)
{
    kr_call calls[4] = {{.arg = NULL}};
    soon(&calls[0], "a");
    soon(&calls[1], "b");
    soon(&calls[2], "c");
    later(&calls[3], kr_ms(1), "d");
    CHECK_EQ(kr_call_cancel(&calls[1]), 1);
    CHECK_EQ(kr_call_cancel(&calls[3]), 1);
    CHECK_EQ(kr_call_cancel(&calls[3]), 0);
    calls[1] = calls[3] = (kr_call){.arg = NULL};
    wait_logged(2);
    CHECK_EQ(kr_sleep(kr_ms(2)), 0);
    expect("ac");
}

/* A thousand set and cancelled leave nothing behind. */
LOOP_TEST(test_cancelled_are_purged)
{
    static kr_call calls[1000];
    const kri_timers *timers = &kri_loop_here()->timers;
    size_t reserved = timers->reserved;
    for (int i = 0; i < 1000; i++)
        later(&calls[i], kr_sec(3600 + i), "x");
    CHECK_EQ(timers->reserved, reserved + 1000);
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(kr_call_cancel(&calls[i]), 1);
    CHECK_LE(timers->count, 100);
    CHECK_EQ(timers->reserved, reserved);
}

static kr_call first_call, second_call;
static int turns;

static void note_turn(void *arg)
{
    *(int *)arg = turns;
}

static int first_turn, second_turn;

static void call_another(void *arg)
{
    first_turn = turns;
    CHECK_EQ(kr_call_soon(&second_call, note_turn, arg), 0);
}

static int count_turns(const void *arg, void *result)
{
    const bool *stop = *(const bool *const *)arg;
    (void)result;
    for (; !*stop; turns++)
        CHECK_EQ(kr_yield(), 0);
    return 0;
}

LOOP_TEST(test_run_once_schedule_handle)
{
    kr_future *f;
    bool stop = false, *stopped = &stop;
    CHECK_EQ(kr_spawn(&f, count_turns, &stopped, sizeof stopped, 0, NULL), 0);
    (void)kr_yield();
    second_turn = -1;
    CHECK_EQ(kr_call_soon(&first_call, call_another, &second_turn), 0);
    while (second_turn < 0)
        CHECK_EQ(kr_yield(), 0);
    CHECK(second_turn > first_turn);
    stop = true;
    CHECK_EQ(error_of(f), 0);
}

/* One callback cancels the one that is to be called after it in the same turn. */
static void cancel_second(void *arg)
{
    note(arg);
    CHECK_EQ(kr_call_cancel(&second_call), 1);
}

LOOP_TEST(test_cancel_in_callback)
{
    kr_call third = {.arg = NULL};
    CHECK_EQ(kr_call_soon(&first_call, cancel_second, "a"), 0);
    soon(&second_call, "b");
    soon(&third, "c");
    wait_logged(2);
    expect("ac");
}

static void set_again(void *arg)
{
    note(arg);
    if (logged < 4)
        CHECK_EQ(kr_call_rearm(&first_call, kr_us(100)), 0);
}

LOOP_TEST(test_rearm)
{
    CHECK_EQ(kr_call_rearm(&first_call, 1), -EINVAL);
    CHECK_EQ(kr_call_later(&first_call, 0, set_again, "a"), 0);
    wait_logged(4);
    expect("aaaa");
    for (int i = 0; i < 8; i++) {
        later(&second_call, 1, "b"); /* due before the loop's next turn, but put off before that */
        CHECK_EQ(kr_call_rearm(&second_call, kr_sec(3600) + i % 3), 0);
        CHECK_EQ(kr_sleep(kr_us(300)), 0);
        CHECK_EQ(kr_call_rearm(&second_call, kr_sec(3600) - i % 3), 0);
        CHECK_EQ(kr_sleep(1), 0);
        CHECK_EQ(kr_call_cancel(&second_call), 1);
    }
    later(&second_call, kr_sec(3600), "b");
    expect("aaaa");
    soon(&second_call, "c");
    wait_logged(5);
    CHECK_EQ(kr_sleep(kr_ms(3)), 0);
    expect("aaaac");
}

static int sleeps;

static void count_sleep(kri_block_hook *hook)
{
    (void)hook;
    sleeps++;
}

static void do_nothing(kri_block_hook *hook)
{
    (void)hook;
}

static void sleep_for_two_calls(kr_time unit)
{
    logged = 0;
    later(&first_call, 1, "a");
    later(&second_call, unit * 3, "b");
    CHECK_EQ(kr_sleep(unit * 5), 0);
    expect("ab");
}

/* Times below the clock's grain, and what is left of a millisecond, do not keep the loop busy.
 * Where so short a time is over before the loop comes to its sleep, a longer one is tried. */
LOOP_TEST(test_timeout_rounding)
{
    kri_block_hook hook = {.before = count_sleep, .after = do_nothing};
    kri_loop_here()->thread_party->hooks = &hook;
    for (kr_time unit = kr_us(500); sleeps == 0; unit *= 2)
        sleep_for_two_calls(unit);
    kri_loop_here()->thread_party->hooks = NULL;
    CHECK_LE(sleeps, 6);
}

static kr_event event;
static int waited = 1, taken = 1;
static kr_future *spawned;

static int return_five(const void *arg, void *result)
{
    (void)arg;
    *(int *)result = 5;
    return 0;
}

static void try_things(void *arg)
{
    kr_queue *q = arg;
    int item = 6;
    waited = kr_event_wait(&event, KR_FOREVER);
    CHECK_EQ(kr_sleep(kr_sec(3600)), -ECANCELED);
    CHECK(kr_cancelled());
    CHECK(kr_task_current() == NULL);
    taken = kr_queue_put(q, &item, KR_NOWAIT);
    CHECK_EQ(kr_spawn(&spawned, return_five, NULL, 0, sizeof(int), NULL), 0);
    CHECK_EQ(kr_spawn(NULL, return_five, NULL, 0, sizeof(int), &(kr_spawn_options){.eager = true}),
             -EPERM);
    kr_event_set(&event);
}

/* A callback may do all but sleep. */
LOOP_TEST(test_in_a_callback)
{
    kr_queue *q;
    int item, result;
    CHECK_EQ(kr_queue_create(&q, sizeof item, 0, NULL), 0);
    CHECK_EQ(kr_call_soon(&first_call, try_things, q), 0);
    CHECK_EQ(kr_queue_get(q, &item, KR_FOREVER), 0);
    CHECK_EQ(item, 6);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(waited, -ECANCELED);
    CHECK_EQ(taken, 0);
    CHECK_EQ(kr_future_result(spawned, &result, sizeof result, NULL, KR_FOREVER), 0);
    CHECK_EQ(result, 5);
    kr_future_release(spawned);
    kr_queue_release(q);
}

/* Of the wrong thread. */
static int from_elsewhere(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kr_call_soon(&second_call, note, "x"), -EPERM);
    CHECK_EQ(kr_call_later(&second_call, 1, note, "x"), -EPERM);
    CHECK_EQ(kr_call_cancel(&first_call), -EPERM);
    return 0;
}

LOOP_TEST(test_check_thread)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_thread_pool(&pool, NULL), 0);
    later(&first_call, kr_sec(3600), "x");
    CHECK_EQ(kr_submit(pool, &f, from_elsewhere, NULL, 0, 0), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(kr_call_soon_threadsafe(pool, note, "x"), -EINVAL);
    CHECK_EQ(kr_call_soon_threadsafe(NULL, note, "x"), -EINVAL);
    CHECK_EQ(kr_call_soon_threadsafe(kr_running_loop(), NULL, NULL), -EINVAL);
    CHECK_EQ(kr_call_cancel(&first_call), 1);
    kr_executor_release(pool);
}

static void set_event(void *arg)
{
    kr_event_set(arg);
}

static kr_word called;

static void count(void *arg)
{
    (void)arg;
    kri_add_rlx(&called, 1);
}

static void call_often(void *arg)
{
    for (int i = 0; i < 1000; i++)
        CHECK_EQ(kr_call_soon_threadsafe(arg, count, NULL), 0);
    CHECK_EQ(kr_call_soon_threadsafe(arg, set_event, &event), 0);
}

/* The loop sleeps, and is woken for it. */
LOOP_TEST(test_call_soon_threadsafe)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, call_often, kr_running_loop());
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), 0);
    CHECK_EQ(kri_load_rlx(&called), 1000);
    kri_bunch_end(&bunch);
}

/* In the loop's own thread, in order. */
LOOP_TEST(test_call_soon_threadsafe_same_thread)
{
    kr_executor *loop = kr_running_loop();
    CHECK_EQ(kr_call_soon_threadsafe(loop, note, "a"), 0);
    CHECK_EQ(kr_call_soon_threadsafe(loop, note, "b"), 0);
    wait_logged(2);
    expect("ab");
}

/* What is pending at the end is forgotten, and can be set in another loop. */
static int leave_pending(void *arg)
{
    (void)arg;
    later(&first_call, kr_sec(3600), "x");
    return 0;
}

static int set_it_again(void *arg)
{
    (void)arg;
    later(&first_call, 1, "a");
    wait_logged(1);
    return 0;
}

TEST(test_pending_at_the_end)
{
    CHECK_EQ(kr_run(leave_pending, NULL), 0);
    CHECK(!kr_call_pending(&first_call));
    CHECK_EQ(kr_call_cancel(&first_call), 0);
    CHECK_EQ(kr_run(set_it_again, NULL), 0);
    expect("a");
}

static int answer_at_end;

static int call_at_end(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kr_sleep(kr_sec(3600)), -ECANCELED);
    answer_at_end = kr_call_soon(&first_call, note, "x");
    return 0;
}

static int end_early(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_spawn(NULL, call_at_end, NULL, 0, 0, NULL), 0);
    let_others_run();
    return 0;
}

TEST(test_call_at_the_end)
{
    CHECK_EQ(kr_run(end_early, NULL), 0);
    CHECK_EQ(answer_at_end, KR_ESHUTDOWN);
    expect("");
}
