/* A lock that is released however the block is left.
 *
 * Row 9 of docs/lessons.md.  In Python: `with lock:`, which an exception or a return leaves
 * released too.
 *
 * kr_with does the same for return, break, continue and goto.  Watch the one thing that is unlike
 * Python: break and continue belong to the kr_with, as if it were a loop; so a loop around it is
 * left by a flag or by goto.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static kr_lock lock = KR_LOCK_INIT;

static void report(const char *how)
{
    printf("left by %s: %s\n", how, kr_lock_locked(&lock) ? "still locked" : "released");
}

static int leave_by_return(void)
{
    kr_with (&lock) {
        if (kr_lock_locked(&lock))
            return 1; /* the value is computed first, then the lock is released */
    }
    return 0;
}

static void leave_by_break(void)
{
    kr_with (&lock) {
        if (kr_lock_locked(&lock))
            break; /* out of the block, to the line behind it */
        puts("never printed");
    }
}

static int leave_two_loops_by_goto(void)
{
    int rounds = 0;
    for (;;) {
        rounds++;
        kr_with (&lock) {
            if (rounds == 3)
                goto found;
        }
    }
found:
    return rounds;
}

/* The same of every lock-like object: a permit of a semaphore, which is back afterwards. */
static unsigned leave_a_semaphore(void)
{
    kr_semaphore permits = KR_SEMAPHORE_INIT(3);
    kr_with (&permits)
        printf("inside %u permits are left, ", kr_semaphore_value(&permits));
    return kr_semaphore_value(&permits);
}

int main(void)
{
    kr_with (&lock)
        printf("inside: %s\n", kr_lock_locked(&lock) ? "locked" : "free");
    report("its end");

    if (leave_by_return() != 1)
        return EXIT_FAILURE;
    report("return");
    leave_by_break();
    report("break");
    if (leave_two_loops_by_goto() != 3)
        return EXIT_FAILURE;
    report("goto");

    printf("outside %u\n", leave_a_semaphore());
    return EXIT_SUCCESS;
}
