/* nsync's lock and condition variable.
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

#ifdef KRI_HAVE_NSYNC

#include <nsync.h>

static void lock_init(void *lock)
{
    nsync_mu_init(lock);
}

static void lock_acquire(void *lock)
{
    nsync_mu_lock(lock);
}

static void lock_release(void *lock)
{
    nsync_mu_unlock(lock);
}

BENCH_LOCK(bench_nsync_lock, lock_init, lock_acquire, lock_release);

struct turn {
    nsync_mu lock;
    nsync_cv changed;
    int whose;
};

static void turn_init(void *arg)
{
    struct turn *turn = arg;
    nsync_mu_init(&turn->lock);
    nsync_cv_init(&turn->changed);
}

static void turn_pass(void *arg, int mine, int next)
{
    struct turn *turn = arg;
    nsync_mu_lock(&turn->lock);
    while (turn->whose != mine)
        nsync_cv_wait(&turn->changed, &turn->lock);
    turn->whose = next;
    nsync_cv_signal(&turn->changed);
    nsync_mu_unlock(&turn->lock);
}

const struct bench_turn bench_nsync_turn = {turn_init, turn_pass};

#else

typedef int bench_no_nsync; /* a file of C has something in it */

#endif
