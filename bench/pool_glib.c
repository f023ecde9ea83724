/* GLib's GThreadPool.  A task has no result of its own: it is a block of memory, and a count tells
 * that all are done.  The caller is not one of the workers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "peers.h"
#include "pool.h"

#include <glib.h>

static GThreadPool *pool;
static GMutex lock;
static GCond all_done;
static gint left; /* tasks */

static void run(gpointer data, gpointer user_data)
{
    struct bench_call *call = data;
    (void)user_data;
    call->result = bench_task(call->arg, call->rounds);
    if (!g_atomic_int_dec_and_test(&left))
        return;
    g_mutex_lock(&lock);
    g_cond_signal(&all_done);
    g_mutex_unlock(&lock);
}

static void open_glib(int workers)
{
    pool = g_thread_pool_new(run, NULL, workers, TRUE, NULL);
    if (!pool)
        bench_fail("g_thread_pool_new");
}

static void wait_for_all(void)
{
    g_mutex_lock(&lock);
    while (g_atomic_int_get(&left) > 0)
        g_cond_wait(&all_done, &lock);
    g_mutex_unlock(&lock);
}

static struct bench_call *push(uint64_t arg, unsigned rounds)
{
    struct bench_call *call = g_new(struct bench_call, 1);
    *call = (struct bench_call){.arg = arg, .rounds = rounds};
    g_thread_pool_push(pool, call, NULL);
    return call;
}

static uint64_t submit_glib(unsigned long count, unsigned rounds)
{
    struct bench_call **calls = bench_places(count, sizeof(struct bench_call *));
    uint64_t sum = 0;
    g_atomic_int_set(&left, (gint)count);
    for (unsigned long i = 0; i < count; i++)
        calls[i] = push(i, rounds);
    wait_for_all();
    for (unsigned long i = 0; i < count; i++) {
        sum += calls[i]->result;
        g_free(calls[i]);
    }
    return sum;
}

static uint64_t round_trip_glib(uint64_t arg)
{
    g_atomic_int_set(&left, 1);
    struct bench_call *call = push(arg, 0);
    wait_for_all();
    uint64_t result = call->result;
    g_free(call);
    return result;
}

const struct bench_pool bench_glib_pool = {
    .open = open_glib,
    .submit = submit_glib,
    .round_trip = round_trip_glib,
};
