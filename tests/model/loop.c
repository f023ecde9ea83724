/* Coroutines beside threads under every schedule: the real loop, with its switches.
 *
 * The loop runs in the scenario's own logical thread; its coroutines suspend each other as ever,
 * and other logical threads wake, cancel and submit.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "loop/descriptor.h"
#include "loop/poller.h"
#include "model/loop_scenario.h"
#include "os/os.h"

static void await(kr_future *f)
{
    kr_explore_check(kr_future_result(f, NULL, 0, NULL, KR_FOREVER) == 0);
    kr_future_release(f);
}

static void wait_as_thread(void *arg)
{
    *(int *)arg = kri_wait(&s.word, 0, KRI_NEVER, 0);
}

static int wait_once(void *arg)
{
    (void)arg;
    s.results[0] = kri_wait(&s.word, 0, KRI_NEVER, 0);
    return 0;
}

/* A waker, and a loop that is going to sleep. */
SCENARIO(unparked_by_thread)
{
    fresh();
    kr_explore_spawn(wake_word, NULL);
    kr_explore_check(in_loop(wait_once) == 0);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
}

SCENARIO(coroutine_and_thread_on_one_word, .stale = 1)
{
    fresh();
    kr_explore_spawn(wait_as_thread, &s.results[1]);
    kr_explore_spawn(wake_word, NULL);
    kr_explore_check(in_loop(wait_once) == 0);
    kr_explore_check(s.woken[0] == (s.results[0] == 0) + (s.results[1] == 0));
}

static int wait_within(void *arg)
{
    (void)arg;
    s.results[0] = kri_wait(&s.word, 0, kri_deadline(kr_sec(1)), 0);
    return 0;
}

/* The loop ends while its waker is still at it, perhaps. */
SCENARIO(timed_out_against_wake)
{
    fresh();
    kr_explore_spawn(wake_word, NULL);
    kr_explore_check(in_loop(wait_within) == 0);
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ETIMEDOUT || s.results[0] == -EAGAIN);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
}

/* What came too late for the first wait is not taken for the second. */
static int wait_within_and_again(void *arg)
{
    (void)wait_within(arg);
    do {
        s.results[1] = kri_wait(&s.second, 0, KRI_NEVER, 0);
        kr_explore_check(s.results[1] == -EAGAIN || kri_load_sc(&s.second) == 1);
    } while (kri_load_sc(&s.second) == 0);
    return 0;
}

SCENARIO(timed_out_and_waits_again, .stale = 1)
{
    fresh();
    kr_explore_spawn(wake_word, NULL);
    kr_explore_spawn(wake_second, NULL);
    kr_explore_check(in_loop(wait_within_and_again) == 0);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
}

/* Made ready by its timer, and woken before it runs. */
static int wait_until(const void *arg, void *result)
{
    (void)result;
    s.results[0] = kri_wait(&s.word, 0, *(const kr_time *)arg, 0);
    return 0;
}

static int wake_at_its_deadline(void *arg)
{
    kr_future *f;
    kr_time deadline = kri_deadline(kr_sec(1));
    kr_explore_check(kr_spawn(&f, wait_until, &deadline, sizeof deadline, 0, NULL) == 0);
    kr_explore_check(kri_wait(&s.second, 0, deadline, 0) == -ETIMEDOUT);
    wake_word(arg);
    await(f);
    return 0;
}

SCENARIO(timed_out_and_woken_within_loop)
{
    fresh();
    kr_explore_check(in_loop(wake_at_its_deadline) == 0);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
}

/* In a scope that others may cancel from now on: `first`, and `second` unless it is NULL. */
static int wait_beside(void (*first)(void *arg), void (*second)(void *arg))
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    kr_explore_spawn(first, NULL);
    if (second != NULL)
        kr_explore_spawn(second, NULL);
    int err = kri_wait(&s.word, 0, KRI_NEVER, 0);
    kr_cancel_scope_exit(&s.scope);
    return err;
}

static int wait_cancelled(void *arg)
{
    (void)arg;
    s.results[0] = wait_beside(cancel_scope, NULL);
    return 0;
}

SCENARIO(cancelled_by_thread)
{
    fresh();
    kr_explore_check(in_loop(wait_cancelled) == 0);
    kr_explore_check(s.results[0] == -ECANCELED);
}

static int wait_cancelled_and_woken(void *arg)
{
    (void)arg;
    s.results[0] = wait_beside(cancel_scope, wake_word);
    return 0;
}

/* One of the two takes it, and the other knows. */
SCENARIO(cancelled_against_wake, .stale = 1)
{
    fresh();
    kr_explore_check(in_loop(wait_cancelled_and_woken) == 0);
    kr_explore_check(s.results[0] == 0 || s.results[0] == -ECANCELED || s.results[0] == -EAGAIN);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
}

/* By the bell, beside a descriptor. */

static int wait_for_bell(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.results[1] = kri_wait_fd(s.fd, OS_READABLE, KRI_NEVER);
    return 0;
}

static int wait_beside_descriptor(void *arg)
{
    kr_future *f;
    s.fd = os_bell_create();
    kr_explore_check(kr_spawn(&f, wait_for_bell, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(wake_word, NULL);
    (void)wait_once(arg);
    os_bell_ring(s.fd);
    await(f);
    os_close(s.fd);
    return 0;
}

SCENARIO(unparked_beside_descriptor)
{
    fresh();
    kr_explore_check(in_loop(wait_beside_descriptor) == 0);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
    kr_explore_check(s.results[1] == OS_READABLE);
}

/* The descriptor's coroutine is cancelled at the end, and a ring may be under way then. */
static int wait_within_beside_descriptor(void *arg)
{
    kr_explore_check(kr_spawn(NULL, wait_for_bell, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(wake_word, NULL);
    return wait_within(arg);
}

SCENARIO(timed_out_beside_descriptor, .stale = 1)
{
    fresh();
    s.fd = os_bell_create();
    kr_explore_check(in_loop(wait_within_beside_descriptor) == 0);
    os_close(s.fd);
    kr_explore_check(s.woken[0] == (s.results[0] == 0));
    kr_explore_check(s.results[1] == -ECANCELED);
}

static void ring_fd(void *arg)
{
    (void)arg;
    os_bell_ring(s.fd);
}

static void close_fd(void *arg)
{
    (void)arg;
    kri_descriptor_closing(s.fd);
}

static int wait_for_event(void *arg)
{
    (void)arg;
    kr_explore_check(kri_wait_fd(s.fd, OS_READABLE, 0) == -ETIMEDOUT);
    kr_explore_spawn(ring_fd, NULL);
    s.results[0] = kri_wait_fd(s.fd, OS_READABLE, kri_deadline(kr_sec(1)));
    if (s.results[0] == -ETIMEDOUT)
        s.results[1] = kri_wait_fd(s.fd, OS_READABLE, KRI_NEVER);
    return 0;
}

SCENARIO(event_against_time_limit, .stale = 1)
{
    fresh();
    s.fd = os_bell_create();
    kr_explore_check(in_loop(wait_for_event) == 0);
    kr_explore_check(s.results[0] == OS_READABLE || s.results[1] == OS_READABLE);
    os_close(s.fd);
}

/* Whoever closes a descriptor by the library ends the waits for it. */
static int wait_for_close(void *arg)
{
    (void)arg;
    kr_future *f;
    kr_explore_check(kr_spawn(&f, wait_for_bell, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(close_fd, NULL);
    await(f);
    return 0;
}

SCENARIO(closed_while_waited_for, .stale = 1)
{
    fresh();
    s.fd = os_bell_create();
    kr_explore_check(in_loop(wait_for_close) == 0);
    kr_explore_check(s.results[1] == -EBADF);
    os_close(s.fd);
}

static int wait_for_own_close(void *arg)
{
    kr_future *f;
    (void)arg;
    kr_explore_check(kr_spawn(&f, wait_for_bell, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kri_descriptor_closing(s.fd);
    await(f);
    return 0;
}

SCENARIO(closed_within_loop)
{
    fresh();
    s.fd = os_bell_create();
    kr_explore_check(in_loop(wait_for_own_close) == 0);
    kr_explore_check(s.results[1] == -EBADF);
    os_close(s.fd);
}

/* Two are closed by two. */
static int wait_for_second_bell(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    s.results[0] = kri_wait_fd(s.second_fd, OS_READABLE, KRI_NEVER);
    return 0;
}

static void close_second_fd(void *arg)
{
    (void)arg;
    kri_descriptor_closing(s.second_fd);
}

static int wait_for_two_closes(void *arg)
{
    (void)arg;
    kr_future *f, *g;
    kr_explore_check(kr_spawn(&f, wait_for_bell, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_spawn(&g, wait_for_second_bell, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(close_fd, NULL);
    kr_explore_spawn(close_second_fd, NULL);
    await(f);
    await(g);
    return 0;
}

SCENARIO(closed_by_two, .preemptions = 1)
{
    fresh();
    s.fd = os_bell_create();
    s.second_fd = os_bell_create();
    kr_explore_check(in_loop(wait_for_two_closes) == 0);
    kr_explore_check(s.results[0] == -EBADF && s.results[1] == -EBADF);
    os_close(s.fd);
    os_close(s.second_fd);
}

/* Waits that begin when the end of their descriptor was told of, and before it has come, are over
 * with it, where nobody asks the system about waits that last. */
static void close_entirely(void *arg)
{
    (void)arg;
    kri_descriptor_close(s.fd);
}

static void ask_never(void)
{
    kri_loop *loop = kri_loop_here();
    kr_explore_check(kri_poller_make(loop) == 0);
    kri_poller_descriptor(loop->poller, s.fd)->is_young = true;
}

static int wait_until_closed(void *arg)
{
    (void)arg;
    if (kri_loop_here()->poller == NULL)
        ask_never();
    kr_explore_spawn(close_entirely, NULL);
    do {
        s.results[0] = kri_descriptor_await(s.fd, OS_READABLE, KRI_NEVER);
        if (s.results[0] == OS_READABLE)
            s.results[0] = os_poll(s.fd, OS_READABLE, -1, 0);
    } while (s.results[0] == -ETIMEDOUT);
    return 0;
}

SCENARIO(closed_after_the_wait_began, .stale = 1, .preemptions = 3)
{
    fresh();
    s.fd = os_bell_create();
    in_loop(wait_until_closed);
    kr_explore_check(s.results[0] == -EBADF);
}

/* One waits since before the loop is told of the first step, another one since then. */
static int wait_beside_another_until_closed(void *arg)
{
    kr_future *f;
    ask_never();
    kr_explore_check(kr_spawn(&f, wait_for_bell, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    (void)wait_until_closed(arg);
    await(f);
    return 0;
}

SCENARIO(closed_in_two_steps, .stale = 1, .preemptions = 3)
{
    fresh();
    s.fd = os_bell_create();
    in_loop(wait_beside_another_until_closed);
    kr_explore_check(s.results[0] == -EBADF);
    kr_explore_check(s.results[1] == -EBADF);
}

/* The wait is for what is closed meanwhile, or for what has its number next. */
static int wait_and_register(void *arg)
{
    (void)arg;
    kr_explore_spawn(close_fd, NULL);
    s.results[1] = kri_wait_fd(s.fd, OS_READABLE, kri_deadline(kr_sec(1)));
    kr_explore_check(s.results[1] == -ETIMEDOUT || s.results[1] == -EBADF);
    return 0;
}

SCENARIO(closed_while_registered, .stale = 1)
{
    fresh();
    s.fd = os_bell_create();
    kr_explore_check(in_loop(wait_and_register) == 0);
    os_close(s.fd);
}

/* An event, and a cancel from elsewhere: one of the two. */
static int wait_in_scope(const void *arg, void *result)
{
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    (void)wait_for_bell(arg, result);
    kr_cancel_scope_exit(&s.scope);
    return 0;
}

static int cancel_and_ring(void *arg)
{
    (void)arg;
    kr_future *f;
    kr_explore_check(kr_spawn(&f, wait_in_scope, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(cancel_scope, NULL);
    os_bell_ring(s.fd);
    await(f);
    return 0;
}

SCENARIO(event_against_cancel, .preemptions = 1)
{
    fresh();
    s.fd = os_bell_create();
    kr_explore_check(in_loop(cancel_and_ring) == 0);
    kr_explore_check(s.results[1] == OS_READABLE || s.results[1] == -ECANCELED);
    os_close(s.fd);
}

/* A time limit, and a cancel that comes to it: it is over before the next wait, which stands where
 * the first has stood. */
static int wait_a_while_in_scope(void *arg)
{
    (void)arg;
    kr_explore_check(kri_wait_fd(s.fd, OS_READABLE, 0) == -ETIMEDOUT);
    kr_explore_check(kr_cancel_scope_enter(&s.scope, KR_FOREVER) == 0);
    kr_explore_spawn(cancel_scope, NULL);
    s.results[0] = kri_wait_fd(s.fd, OS_READABLE, kri_deadline(kr_ms(1)));
    kr_shield {
        kr_explore_spawn(ring_fd, NULL);
        s.results[1] = kri_wait_fd(s.fd, OS_READABLE, KRI_NEVER);
    }
    kr_cancel_scope_exit(&s.scope);
    return 0;
}

SCENARIO(time_limit_against_cancel, .stale = 1)
{
    fresh();
    s.fd = os_bell_create();
    in_loop(wait_a_while_in_scope);
    kr_explore_check(s.results[0] == -ETIMEDOUT || s.results[0] == -ECANCELED);
    kr_explore_check(s.results[1] == OS_READABLE);
    os_close(s.fd);
}

/* Handing over inside one loop, and a thread that takes its chance. */

static void count_by_lock(void)
{
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    s.counter++;
    kr_explore_check(kr_lock_release(&s.lock) == 0);
}

static void count_as_thread(void *arg)
{
    (void)arg;
    count_by_lock();
}

static int count_as_coroutine(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    count_by_lock();
    return 0;
}

static int hand_over_lock(void *arg)
{
    kr_future *f;
    (void)arg;
    kr_explore_check(kr_lock_acquire(&s.lock, KR_FOREVER) == 0);
    kr_explore_check(kr_spawn(&f, count_as_coroutine, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(count_as_thread, NULL);
    s.counter++;
    kr_explore_check(kr_lock_release(&s.lock) == 0);
    await(f);
    return 0;
}

SCENARIO(lock_handed_within_loop, .stale = 1)
{
    fresh();
    kr_explore_check(in_loop(hand_over_lock) == 0);
    kr_explore_check(s.counter == 3);
    kr_explore_check(!kr_lock_locked(&s.lock));
}

static void count_by_permit(void)
{
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    s.counter++;
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
}

static void permit_as_thread(void *arg)
{
    (void)arg;
    count_by_permit();
}

static int permit_as_coroutine(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    count_by_permit();
    return 0;
}

static int hand_over_permit(void *arg)
{
    kr_future *f;
    (void)arg;
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_FOREVER) == 0);
    kr_explore_check(kr_spawn(&f, permit_as_coroutine, NULL, 0, 0, NULL) == 0);
    kr_explore_check(kr_yield() == 0);
    kr_explore_spawn(permit_as_thread, NULL);
    s.counter++;
    kr_explore_check(kr_semaphore_release(&s.semaphore, 1) == 0);
    await(f);
    return 0;
}

SCENARIO(permit_handed_within_loop, .stale = 1)
{
    fresh();
    kr_explore_check(kr_semaphore_init(&s.semaphore, 1, 0) == 0);
    kr_explore_check(in_loop(hand_over_permit) == 0);
    kr_explore_check(s.counter == 3);
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_NOWAIT) == 0);
    kr_explore_check(kr_semaphore_acquire(&s.semaphore, KR_NOWAIT) == -ETIMEDOUT);
}
