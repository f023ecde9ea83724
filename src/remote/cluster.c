/* The pools on other machines: what they have in common at their beginning and their end.
 *
 * State.  A task waits in one of three queues, is sent, or has ended.  The link's thread alone
 * sends and receives; the teller calls the program back.
 *
 * Fields.  The legend is at the struct.  [mutex] comes after a future's, and no future's is taken
 * inside.
 *
 * Protocol.
 *     Whoever takes an errand out of its place, under the mutex, is the one who ends its future.
 *     He ends all that he has taken, after the mutex, and then counts them as departed; so a
 *     shutdown that has waited for them finds them done.
 *     A number is a slot and a round: who answers for a round that is over finds nobody.
 *     The link's thread leaves callbacks to the teller, see executor/teller.c, before it counts
 *     those tasks as departed: so the teller's end finds them all.
 *
 * Why not the process pool's machinery?  Its truth is in memory that its workers share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/cluster.h"

#include <stdio.h>

#include "base/global.h"
#include "base/options.h"
#include "executor/map_batches.h"
#include "os/os.h"
#include "wait/stall.h"

enum { LEASE_LEAST = 1 }; /* milliseconds, in which servers count */

static KRI_GLOBAL kri_finish_list clusters;
static KRI_GLOBAL kr_word clusters_named;

static void forget_in_child(void)
{
    kri_finish_forget(&clusters);
}

__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
}

static void unref_executor(kr_executor *executor)
{
    kri_cluster_unref(kri_cluster_of(executor));
}

void kri_cluster_empty(kri_cluster *c)
{
    kr_thread_release(c->runner);
    kr_thread_release(c->teller.thread);
    os_free(c->sent);
    os_free(c->free_slots);
}

void kri_cluster_unref(kri_cluster *c)
{
    if (kri_sub_acq_rel(&c->references, 1) == 1)
        c->link->destroy(c);
}

void kri_cluster_rouse(kri_cluster *c)
{
    kri_add_sc(&c->bell, 1);
    kri_wake(&c->bell, 1, 0);
}

/* A batch that nobody wants any more, and that was sent, goes on; its result is for nobody. */
static void abandon(kr_executor *executor, kr_future *f)
{
    (void)executor;
    kri_future_seen(f);
    (void)kri_future_remove(f);
}

static int map(kr_executor *executor, const kri_task *task, void *results,
               const kr_map_options *options)
{
    return kri_map_batches(executor, task, results, options, abandon);
}

const kri_executor_ops kri_cluster_ops = {
    .elsewhere = true,
    .make = kri_errand_make,
    .map = map,
    .submit = kri_errand_submit,
    .claimed = kri_errand_claimed,
    .shutdown = kri_cluster_shutdown,
    .release = kri_cluster_release,
};

int kri_remote_check_options(const kr_pool_options *o, const kr_remote_options *r)
{
    bool good = kri_reserved_is_clear(o->reserved) && kri_reserved_is_clear(r->reserved) &&
                o->workers >= 0 && r->timeout >= 0 && r->idle >= 0 &&
                (r->lease == 0 || r->lease >= kr_ms(LEASE_LEAST)) && (r->key || !r->key_size) &&
                r->max_message < SIZE_MAX / 4;
    return good ? 0 : -EINVAL;
}

int kri_cluster_begin(kri_cluster *c, const kri_link_ops *link, const kr_pool_options *options,
                      const kr_remote_options *remote, const char *kind)
{
    c->executor.ops = &kri_cluster_ops;
    c->executor.generation = kri_fork_generation();
    c->executor.name = c->name;
    c->finish = (kri_finish){
        .executor = &c->executor, .references = &c->references, .unref = unref_executor};
    c->link = link;
    c->references.bits = 1;
    c->max_queued = options->max_queued;
    c->max_message = remote->max_message ? remote->max_message : KRI_MAX_MESSAGE;
    c->window = KRI_ERRANDS;
    if (options->name)
        snprintf(c->name, sizeof c->name, "%s", options->name);
    else
        snprintf(c->name, sizeof c->name, "%s-pool-%u", kind,
                 (unsigned)kri_add_rlx(&clusters_named, 1) + 1);
    c->sent = os_alloc(KRI_ERRANDS * sizeof(kri_errand *));
    c->free_slots = os_alloc(KRI_ERRANDS * sizeof *c->free_slots);
    if (!c->sent || !c->free_slots)
        return -ENOMEM;
    while (c->free_count < KRI_ERRANDS) {
        c->free_slots[c->free_count] = KRI_ERRANDS - 1 - c->free_count;
        c->free_count++;
    }
    return 0;
}

static int run(void *arg)
{
    kri_cluster *c = *(kri_cluster *const *)arg;
    kri_stall_serve();
    int err = c->link->run(c);
    if (err < 0)
        kri_cluster_break(c, err);
    kri_teller_end(&c->teller);
    kri_finish_remove(&clusters, &c->finish);
    kri_store_sc(&c->ended, 1);
    kri_wake(&c->ended, KRI_ALL, 0);
    kri_stall_may_act(-1);
    kri_cluster_unref(c);
    return 0;
}

int kri_cluster_start(kri_cluster *c, int workers)
{
    kr_thread_options options = {.name = "krait-link", .daemon = KR_DAEMON_YES};
    c->executor.workers = workers;
    int err = kri_finish_add(&clusters, &c->finish, kri_finish_all);
    if (err)
        return err;
    err = kri_teller_start(&c->teller);
    if (!err) {
        kri_stall_may_act(1);
        kri_add_rlx(&c->references, 1);
        err = kr_thread_start(&c->runner, run, &c, sizeof c, &options);
        if (err) {
            kri_sub_rlx(&c->references, 1);
            kri_stall_may_act(-1);
            kri_teller_end(&c->teller);
        }
    }
    if (err)
        kri_finish_remove(&clusters, &c->finish);
    return err;
}

int kr_remote_read_counts(kr_executor *executor, kr_remote_counts *counts)
{
    int err = counts ? kri_executor_check(executor) : -EINVAL;
    if (err)
        return err;
    if (executor->ops != &kri_cluster_ops)
        return -EINVAL;
    kri_cluster *c = kri_cluster_of(executor);
    kri_mutex_lock(&c->mutex);
    *counts = c->counts;
    kri_mutex_unlock(&c->mutex);
    return 0;
}
