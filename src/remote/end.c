/* How tasks of a pool on other machines end, and how the pool does; see cluster.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/cluster.h"

#include "wait/stall.h"

void kri_errand_ended(kri_errand *errand, int error, kri_errand_list *list)
{
    errand->error = error;
    kri_errand_append(list, errand);
}

/* true: the program has to be called for it. */
static bool conclude(kri_errand *errand)
{
    kr_future *f = errand->future;
    if (errand->error != KRI_ERRAND_CANCELLED) {
        (void)kri_future_claim(f, KRI_CLAIM_SILENT);
        return kri_future_end_quietly(f, errand->error);
    }
    (void)kri_future_claim(f, KRI_CLAIM_DROPPED);
    kri_future_conclude(f, -ECANCELED);
    return true;
}

void kri_errands_conclude(kri_cluster *c, kri_errand_list *list, bool announces)
{
    kri_due due = {NULL, NULL};
    kri_errand *errand;
    size_t count = 0;
    while ((errand = kri_errand_shift(list)) != NULL) {
        kr_future *f = errand->future;
        count++;
        if (conclude(errand))
            kri_due_append(&due, f);
    }
    if (!count)
        return;
    if (!announces)
        kri_teller_give(&c->teller, &due);
    kri_mutex_lock(&c->mutex);
    kri_cluster_departed(c, count);
    kri_mutex_unlock(&c->mutex);
    kri_due_announce(&due);
}

void kri_cluster_departed(kri_cluster *c, size_t count)
{
    c->outstanding -= count;
    if (c->max_queued) {
        kri_add_sc(&c->room, 1);
        kri_wake(&c->room, KRI_ALL, 0);
    }
    if (c->shut && !c->outstanding)
        kri_cluster_rouse(c);
}

void kri_cluster_cancel_queued(kri_cluster *c, int error, kri_errand_list *list)
{
    for (int lane = 0; lane < KRI_CLUSTER_LANES; lane++) {
        kri_errand *errand;
        while ((errand = kri_errand_shift(&c->queue[lane])) != NULL) {
            errand->place = KRI_ERRAND_NOWHERE;
            c->queued--;
            kri_errand_ended(errand, error, list);
        }
    }
}

/* The pool's end. */

static void describe_end(const kr_word *word, kri_text *text)
{
    (void)word;
    kri_text_add(text, "the tasks of a pool on other machines to end");
}

static bool is_own_thread(const kri_cluster *c)
{
    const kr_thread *self = kr_thread_current();
    return self && (self == c->runner || self == c->teller.thread);
}

static int await_end(kri_cluster *c, kr_time deadline, unsigned flags)
{
    int err = 0;
    while (!kri_load_acq(&c->ended) && (err == 0 || err == -EAGAIN))
        err = kri_wait_for(&c->ended, 0, deadline, flags, describe_end);
    if (!kri_load_acq(&c->ended))
        return err;
    (void)kr_thread_join(c->runner, NULL, KR_FOREVER);
    return 0;
}

int kri_cluster_shutdown(kr_executor *executor, bool cancel_pending, kr_time deadline,
                         unsigned flags)
{
    kri_cluster *c = kri_cluster_of(executor);
    kri_errand_list list = {NULL, NULL};
    kri_add_rlx(&c->references, 1);
    kri_mutex_lock(&c->mutex);
    if (cancel_pending)
        kri_cluster_cancel_queued(c, KRI_ERRAND_CANCELLED, &list);
    c->shut = true;
    kri_store_rel(&c->executor.shut, 1);
    kri_add_sc(&c->room, 1);
    kri_wake(&c->room, KRI_ALL, 0);
    kri_mutex_unlock(&c->mutex);
    kri_errands_conclude(c, &list, true);
    kri_cluster_rouse(c);
    int err = deadline == 0 ? -ETIMEDOUT : -EDEADLK;
    if (!is_own_thread(c))
        err = await_end(c, deadline, flags);
    kri_cluster_unref(c);
    return err;
}

void kri_cluster_release(kr_executor *executor)
{
    kri_cluster_unref(kri_cluster_of(executor));
}
