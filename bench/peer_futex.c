/* The kernel's futex with as little as possible around it: what hand-over costs at least without
 * spinning.  Private, without time-outs, cancellation or checks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"

#include "base/atomic.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

static void sleep_while(kr_word *word, uint32_t value)
{
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void wake(kr_word *word, int count)
{
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, count, NULL, NULL, 0);
}

static void leave_zero(void *storage)
{
    (void)storage;
}

/* The lock of three states: free, held, held and perhaps waited for. */
enum { FREE, HELD, CONTENDED };

static void lock_acquire(void *lock)
{
    uint32_t seen = FREE;
    if (kri_cas_acq(lock, &seen, HELD))
        return;
    while (kri_swap_acq(lock, CONTENDED) != FREE)
        sleep_while(lock, CONTENDED);
}

static void lock_release(void *lock)
{
    if (kri_swap_rel(lock, FREE) == CONTENDED)
        wake(lock, 1);
}

const struct bench_lock bench_futex_lock = {leave_zero, lock_acquire, lock_release};

struct semaphore {
    kr_word permits;
    kr_word waiters;
};

static void semaphore_acquire(void *arg)
{
    struct semaphore *semaphore = arg;
    for (;;) {
        uint32_t permits = kri_load_sc(&semaphore->permits);
        if (permits == 0) {
            kri_add_sc(&semaphore->waiters, 1);
            sleep_while(&semaphore->permits, 0);
            kri_sub_sc(&semaphore->waiters, 1);
        } else if (kri_cas_acq(&semaphore->permits, &permits, permits - 1)) {
            return;
        }
    }
}

static void semaphore_release(void *arg)
{
    struct semaphore *semaphore = arg;
    kri_add_sc(&semaphore->permits, 1);
    if (kri_load_sc(&semaphore->waiters) > 0)
        wake(&semaphore->permits, 1);
}

const struct bench_semaphore bench_futex_semaphore = {leave_zero, semaphore_acquire,
                                                      semaphore_release};

static void event_set(void *event)
{
    kri_store_sc(event, 1);
    wake(event, INT_MAX);
}

static void event_wait_and_clear(void *event)
{
    while (kri_load_sc(event) == 0)
        sleep_while(event, 0);
    kri_store_sc(event, 0);
}

const struct bench_event bench_futex_event = {leave_zero, event_set, event_wait_and_clear};

static void turn_pass(void *turn, int mine, int next)
{
    uint32_t whose;
    while ((whose = kri_load_sc(turn)) != (uint32_t)mine)
        sleep_while(turn, whose);
    kri_store_sc(turn, (uint32_t)next);
    wake(turn, 1);
}

const struct bench_turn bench_futex_turn = {leave_zero, turn_pass};
