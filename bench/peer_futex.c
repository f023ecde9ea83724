/* The kernel's futex with as little as possible around it: what hand-over costs at least without
 * spinning.  Without time-outs, cancellation or checks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Every function takes how the futex is private or shared as its last argument, a constant. */
#define FUTEX_INLINE static inline __attribute__((always_inline))

/* As a scope: shared, and each sleep has a limit of time, as it must where others may be killed. */
enum { TIMED = 1 << 16 };

FUTEX_INLINE void sleep_while(kr_word *word, uint32_t value, int scope)
{
    static const struct timespec slice = {.tv_nsec = 40 * 1000 * 1000};
    syscall(SYS_futex, word, FUTEX_WAIT | (scope & ~TIMED), value, scope & TIMED ? &slice : NULL,
            NULL, 0);
}

FUTEX_INLINE void wake(kr_word *word, int count, int scope)
{
    syscall(SYS_futex, word, FUTEX_WAKE | (scope & ~TIMED), count, NULL, NULL, 0);
}

static void leave_zero(void *storage)
{
    (void)storage;
}

/* The lock of three states: free, held, held and perhaps waited for. */
enum { FREE, HELD, CONTENDED };

FUTEX_INLINE void lock_acquire(void *lock, int scope)
{
    uint32_t seen = FREE;
    if (kri_cas_acq(lock, &seen, HELD))
        return;
    while (kri_swap_acq(lock, CONTENDED) != FREE)
        sleep_while(lock, CONTENDED, scope);
}

FUTEX_INLINE void lock_release(void *lock, int scope)
{
    if (kri_swap_rel(lock, FREE) == CONTENDED)
        wake(lock, 1, scope);
}

struct semaphore {
    kr_word permits, waiters;
};

FUTEX_INLINE void semaphore_acquire(void *arg, int scope)
{
    struct semaphore *semaphore = arg;
    for (;;) {
        uint32_t permits = kri_load_rlx(&semaphore->permits);
        if (permits == 0) {
            kri_add_sc(&semaphore->waiters, 1);
            sleep_while(&semaphore->permits, 0, scope);
            kri_sub_sc(&semaphore->waiters, 1);
        } else if (kri_cas_acq(&semaphore->permits, &permits, permits - 1)) {
            return;
        }
    }
}

FUTEX_INLINE void semaphore_release(void *arg, int scope)
{
    struct semaphore *semaphore = arg;
    kri_add_sc(&semaphore->permits, 1);
    if (kri_load_sc(&semaphore->waiters) > 0)
        wake(&semaphore->permits, 1, scope);
}

FUTEX_INLINE void event_set(void *event, int scope)
{
    kri_store_sc(event, 1);
    wake(event, INT_MAX, scope);
}

FUTEX_INLINE void event_wait_and_clear(void *event, int scope)
{
    while (kri_load_sc(event) == 0)
        sleep_while(event, 0, scope);
    kri_store_sc(event, 0);
}

FUTEX_INLINE void turn_pass(void *turn, int mine, int next, int scope)
{
    uint32_t whose;
    while ((whose = kri_load_sc(turn)) != (uint32_t)mine)
        sleep_while(turn, whose, scope);
    kri_store_sc(turn, (uint32_t)next);
    wake(turn, 1, scope);
}

struct barrier {
    kr_word arrived, round;
};

FUTEX_INLINE void barrier_wait(void *arg, int scope)
{
    struct barrier *barrier = arg;
    uint32_t round = kri_load_sc(&barrier->round);
    if (kri_add_sc(&barrier->arrived, 1) == 1) {
        kri_store_sc(&barrier->arrived, 0);
        kri_store_sc(&barrier->round, round + 1);
        wake(&barrier->round, INT_MAX, scope);
        return;
    }
    while (kri_load_sc(&barrier->round) == round)
        sleep_while(&barrier->round, round, scope);
}

/* The tables, for one scope. */
#define TABLES(suffix, how, scope)                                                                 \
    static void how##_lock_acquire(void *lock)                                                     \
    {                                                                                              \
        lock_acquire(lock, scope);                                                                 \
    }                                                                                              \
    static void how##_lock_release(void *lock)                                                     \
    {                                                                                              \
        lock_release(lock, scope);                                                                 \
    }                                                                                              \
    static void how##_semaphore_acquire(void *semaphore)                                           \
    {                                                                                              \
        semaphore_acquire(semaphore, scope);                                                       \
    }                                                                                              \
    static void how##_semaphore_release(void *semaphore)                                           \
    {                                                                                              \
        semaphore_release(semaphore, scope);                                                       \
    }                                                                                              \
    static void how##_event_set(void *event)                                                       \
    {                                                                                              \
        event_set(event, scope);                                                                   \
    }                                                                                              \
    static void how##_event_wait_and_clear(void *event)                                            \
    {                                                                                              \
        event_wait_and_clear(event, scope);                                                        \
    }                                                                                              \
    static void how##_turn_pass(void *turn, int mine, int next)                                    \
    {                                                                                              \
        turn_pass(turn, mine, next, scope);                                                        \
    }                                                                                              \
    static void how##_barrier_wait(void *barrier)                                                  \
    {                                                                                              \
        barrier_wait(barrier, scope);                                                              \
    }                                                                                              \
    BENCH_LOCK(bench_futex_lock##suffix, leave_zero, how##_lock_acquire, how##_lock_release);      \
    const struct bench_semaphore bench_futex_semaphore##suffix = {                                 \
        leave_zero, how##_semaphore_acquire, how##_semaphore_release};                             \
    const struct bench_event bench_futex_event##suffix = {leave_zero, how##_event_set,             \
                                                          how##_event_wait_and_clear};             \
    const struct bench_turn bench_futex_turn##suffix = {leave_zero, how##_turn_pass};              \
    const struct bench_barrier bench_futex_barrier##suffix = {leave_zero, how##_barrier_wait}

TABLES(, private, FUTEX_PRIVATE_FLAG);
TABLES(_shared, shared, 0);
TABLES(_timed, timed, TIMED);
