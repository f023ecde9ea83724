/* GLib's lock and condition variable.
 *
 * SPDX-License-Identifier: MIT
 */
#include "locks.h"

#include <glib.h>

static void lock_init(void *lock)
{
    g_mutex_init(lock);
}

static void lock_acquire(void *lock)
{
    g_mutex_lock(lock);
}

static void lock_release(void *lock)
{
    g_mutex_unlock(lock);
}

BENCH_LOCK(bench_glib_lock, lock_init, lock_acquire, lock_release);

struct turn {
    GMutex mutex;
    GCond changed;
    int whose;
};

static void turn_init(void *arg)
{
    struct turn *turn = arg;
    g_mutex_init(&turn->mutex);
    g_cond_init(&turn->changed);
}

static void turn_pass(void *arg, int mine, int next)
{
    struct turn *turn = arg;
    g_mutex_lock(&turn->mutex);
    while (turn->whose != mine)
        g_cond_wait(&turn->changed, &turn->mutex);
    turn->whose = next;
    g_cond_signal(&turn->changed);
    g_mutex_unlock(&turn->mutex);
}

const struct bench_turn bench_glib_turn = {turn_init, turn_pass};
