/* Sleeping on a word: the kernel's futex.
 *
 * FUTEX_WAIT_BITSET and not FUTEX_WAIT, because its time-out is absolute: a signal does not
 * lengthen the sleep.
 *
 * In a build with ThreadSanitizer a sleep is cut into slices, because of the signals that it holds
 * back; they are let go at the end of each.  Whether a handler ran nobody says; one may have, and
 * so the sleep ends as an interrupted one.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/linux/held.h"
#include "os/linux/memcheck.h"
#include "os/os.h"
#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* Linux 5.16; the kernel headers of the build may be older. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif

struct waitv {
    uint64_t expected;
    uint64_t address;
    uint32_t flags;
    uint32_t reserved;
};

enum { SLICE = 20 * 1000 * 1000 }; /* nanoseconds */

enum { WAITV_32_BITS = 2, WAITV_PRIVATE = 128 };

static struct timespec *as_timespec(kr_time deadline, struct timespec *storage)
{
    if (deadline == OS_NEVER)
        return NULL;
    if (deadline < 0)
        deadline = 0;
    *storage = (struct timespec){deadline / 1000000000, deadline % 1000000000};
    return storage;
}

/* The sleeps as the kernel has them. */

static int sleep_on(kr_word *word, uint32_t expected, kr_time deadline, bool shared)
{
    struct timespec storage;
    int operation = FUTEX_WAIT_BITSET | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    long result = syscall(SYS_futex, &word->bits, operation, expected,
                          as_timespec(deadline, &storage), NULL, FUTEX_BITSET_MATCH_ANY);
    return result < 0 ? -errno : 0;
}

/* What else there is, such as a filter's EPERM, says that the call cannot be had. */
static int why_not_slept(int error)
{
    bool usual = error == EAGAIN || error == EINTR || error == ETIMEDOUT;
    return usual ? -error : -ENOSYS;
}

static int sleep_on_any(const os_sleep *sleeps, unsigned count, kr_time deadline)
{
    struct waitv list[OS_SLEEPS];
    for (unsigned i = 0; i < count; i++)
        list[i] = (struct waitv){
            .expected = sleeps[i].expected,
            .address = (uintptr_t)&sleeps[i].word->bits,
            .flags = sleeps[i].shared ? WAITV_32_BITS : WAITV_32_BITS | WAITV_PRIVATE,
        };
    struct timespec storage;
    long result =
        syscall(SYS_futex_waitv, list, count, 0, as_timespec(deadline, &storage), CLOCK_MONOTONIC);
    return result < 0 ? why_not_slept(errno) : (int)result;
}

/* The end of a sleep that is cut. */
static kr_time slice_of(kr_time deadline)
{
    if (!KRI_SIGNALS_ARE_HELD)
        return deadline;
    kr_time end = os_now() + SLICE;
    return end < deadline ? end : deadline;
}

static int end_of_slice(int result, kr_time slice, kr_time deadline)
{
    kri_run_held_signals();
    return result == -ETIMEDOUT && slice < deadline ? -EINTR : result;
}

int os_futex_wait(kr_word *word, uint32_t expected, kr_time deadline, bool shared)
{
    int saved = errno;
    kr_time slice = slice_of(deadline);
    int result = end_of_slice(sleep_on(word, expected, slice, shared), slice, deadline);
    errno = saved;
    return result;
}

int os_futex_wait_any(const os_sleep *list, unsigned count, kr_time deadline)
{
    int saved = errno;
    kr_time slice = slice_of(deadline);
    int result = end_of_slice(sleep_on_any(list, count, slice), slice, deadline);
    errno = saved;
    return result;
}

/* When both were woken the kernel reports the later in the list, so the word comes last. */
int os_futex_wait_either(kr_word *cancel, uint32_t cancel_expected, kr_word *word,
                         uint32_t expected, kr_time deadline)
{
    const os_sleep list[2] = {{cancel, cancel_expected, false}, {word, expected, true}};
    return os_futex_wait_any(list, 2, deadline);
}

/* memcheck takes it for a read of the word, which may be gone with whom the store before has let
 * go. */
int os_futex_wake(kr_word *word, int count, bool shared)
{
    int operation = FUTEX_WAKE | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    int saved = errno;
    VALGRIND_DISABLE_ERROR_REPORTING;
    long woken = syscall(SYS_futex, &word->bits, operation, count, NULL, NULL, 0);
    VALGRIND_ENABLE_ERROR_REPORTING;
    errno = saved;
    return woken < 0 ? 0 : (int)woken;
}

int os_futex_requeue(kr_word *from, int count, kr_word *to, bool shared)
{
    int operation = FUTEX_REQUEUE | (shared ? 0 : FUTEX_PRIVATE_FLAG);
    int saved = errno;
    long moved = syscall(SYS_futex, &from->bits, operation, 0, (long)count, &to->bits, 0);
    errno = saved;
    return moved < 0 ? 0 : (int)moved;
}
