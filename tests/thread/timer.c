/* Timers.
 *
 * Behaviours: section 7
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "thread/child.h"
#include <krait/krait.h>

typedef struct call {
    int values[2];
    kr_word *calls;
} call;

static int change_and_count(void *arg)
{
    call *c = arg;
    CHECK_EQ(c->values[0], 1);
    CHECK_EQ(c->values[1], 2);
    c->values[0] = 0;
    kri_add_sc(c->calls, 1);
    return 6;
}

static kr_timer *start(kr_time delay, kr_word *calls)
{
    kr_timer *timer;
    call c = {{1, 2}, calls};
    CHECK_EQ(kr_timer_start(&timer, delay, change_and_count, &c, sizeof c, NULL), 0);
    return timer;
}

static int join(kr_timer *timer)
{
    int result = 0;
    CHECK_EQ(kr_timer_join(timer, &result, KR_FOREVER), 0);
    CHECK(!kr_timer_alive(timer));
    kr_timer_release(timer);
    return result;
}

TEST(test_init_immutable_default_args)
{
    kr_word calls = {0};
    kr_time began = kr_now();
    CHECK_EQ(join(start(kr_ms(10), &calls)), 6);
    CHECK_GE(kr_now() - began, kr_ms(10));
    CHECK_EQ(calls.bits, 1);
    CHECK_EQ(join(start(kr_ms(10), &calls)), 6); /* the first has changed its own copy */
    CHECK_EQ(calls.bits, 2);
}

TEST(a_cancelled_timer_does_not_fire)
{
    kr_word calls = {0};
    kr_timer *timer = start(kr_sec(1000), &calls);
    CHECK(kr_timer_alive(timer));
    CHECK_EQ(kr_timer_join(timer, NULL, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_timer_cancel(timer), 1);
    CHECK_EQ(kr_timer_cancel(timer), 1);
    CHECK_EQ(join(timer), -ECANCELED);
    CHECK_EQ(calls.bits, 0);
}

TEST(cancel_after_the_call_is_too_late)
{
    kr_word calls = {0};
    kr_timer *timer = start(KR_NOWAIT, &calls);
    CHECK_EQ(kr_timer_join(timer, NULL, KR_FOREVER), 0);
    CHECK_EQ(kr_timer_cancel(timer), 0);
    CHECK_EQ(join(timer), 6);
    CHECK_EQ(calls.bits, 1);
}

TEST(a_timer_is_refused)
{
    kr_timer *timer;
    kr_thread_options bad = {.daemon = 7};
    CHECK_EQ(kr_timer_start(&timer, -1, change_and_count, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_timer_start(&timer, KR_FOREVER, change_and_count, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_timer_start(&timer, KR_NOWAIT, NULL, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_timer_start(&timer, KR_NOWAIT, change_and_count, NULL, 0, &bad), -EINVAL);
    CHECK(timer == NULL);
}

/* Either side may win; both must know which did. */
TEST(timers_race_with_cancel)
{
    uint64_t state = kri_test_seed();
    int prevented = 0, fired = 0;
    for (int i = 0; i < 500; i++) {
        kr_word calls = {0};
        kr_event never = KR_EVENT_INIT;
        kr_timer *timer = start(kr_us((int64_t)(kri_test_random(&state) % 200)), &calls);
        kr_time nap = kr_us((int64_t)(kri_test_random(&state) % 200));
        CHECK_EQ(kr_event_wait(&never, nap), -ETIMEDOUT);
        int cancelled = kr_timer_cancel(timer);
        CHECK_EQ(join(timer), cancelled ? -ECANCELED : 6);
        CHECK_EQ(calls.bits, !cancelled);
        prevented += cancelled;
        fired += !cancelled;
    }
    kri_test_note("%d prevented, %d fired", prevented, fired);
}

static int say(void *text)
{
    puts(text);
    return 0;
}

static void leave_timers(void)
{
    kr_thread_options daemon = {.daemon = KR_DAEMON_YES};
    CHECK_EQ(kr_timer_start(NULL, kr_sec(1000), say, "never", 0, &daemon), 0);
    CHECK_EQ(kr_timer_start(NULL, kr_ms(50), say, "fired", 0, NULL), 0);
    puts("end of main");
}

TEST(exit_waits_for_timers_that_are_no_daemons)
{
    child_expect(leave_timers, "end of main\nfired\n");
}

TEST(a_timer_in_a_forked_child_is_gone)
{
    kr_word calls = {0};
    kr_timer *timer = start(kr_sec(1000), &calls);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(!kr_timer_alive(timer));
        CHECK_EQ(kr_timer_cancel(timer), 1);
        CHECK_EQ(join(timer), KR_EFORKED);
        exit(0);
    }
    child_wait(pid);
    CHECK_EQ(kr_timer_cancel(timer), 1);
    CHECK_EQ(join(timer), -ECANCELED);
}
