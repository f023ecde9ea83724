/* Errands: a task of a pool on other machines, from its submit to the queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/cluster.h"

#include "executor/block.h"
#include "process/internal.h"
#include "wait/stall.h"

int kri_remote_program(uint64_t *program)
{
    *program = kri_task_table_sum();
    return kri_initialised() ? 0 : KR_EINIT;
}

static void destroy(kri_errand *errand)
{
    kri_cluster *c = errand->cluster;
    kri_block_free(errand, sizeof *errand);
    kri_cluster_unref(c);
}

static void drop(kri_remote *remote)
{
    kri_errand *errand = (kri_errand *)remote;
    if (!kri_forked_since(errand->cluster->executor.generation))
        destroy(errand);
}

/* A pointer leads nowhere there. */
static int check(const kri_cluster *c, const kri_task *task)
{
    bool good = task->arg_size ? task->arg != NULL : task->arg == NULL || task->items != 0;
    if (!good || task->items > UINT32_MAX || (task->items && !task->item_arg && task->arg))
        return -EINVAL;
    bool fits = task->arg_size <= c->max_message && task->result_size <= c->max_message;
    return fits ? 0 : -EMSGSIZE;
}

int kri_errand_make(kr_executor *executor, kr_future **future, const kri_task *task, bool forgotten)
{
    kri_cluster *c = kri_cluster_of(executor);
    uint32_t function;
    *future = NULL;
    int err = check(c, task);
    if (!err)
        err = kri_task_find((void (*)(void))task->fn, &function);
    if (err)
        return err;
    kri_errand *errand = kri_block_new(sizeof *errand);
    if (!errand)
        return -ENOMEM;
    *errand = (kri_errand){.remote = {.ops = &kri_errand_ops},
                           .cluster = c,
                           .function = function,
                           .arg_size = task->arg_size,
                           .items = task->items,
                           .item_arg = task->item_arg,
                           .item_result = task->item_result};
    kri_add_rlx(&c->references, 1);
    err = kri_future_new(&errand->future, executor, task, forgotten);
    if (err) {
        destroy(errand);
        return err;
    }
    errand->future->remote = &errand->remote;
    *future = errand->future;
    return 0;
}

void kri_errand_append(kri_errand_list *list, kri_errand *errand)
{
    errand->next = NULL;
    errand->previous = list->last;
    *(list->last ? &list->last->next : &list->first) = errand;
    list->last = errand;
}

void kri_errand_unlink(kri_errand_list *list, kri_errand *errand)
{
    *(errand->previous ? &errand->previous->next : &list->first) = errand->next;
    *(errand->next ? &errand->next->previous : &list->last) = errand->previous;
}

kri_errand *kri_errand_shift(kri_errand_list *list)
{
    kri_errand *errand = list->first;
    if (errand)
        kri_errand_unlink(list, errand);
    return errand;
}

static int why_closed(const kri_cluster *c)
{
    if (c->broken)
        return KR_EBROKEN;
    return c->shut ? KR_ESHUTDOWN : 0;
}

static bool is_full(const kri_cluster *c)
{
    return c->max_queued && c->queued >= c->max_queued;
}

static void describe_room(const kr_word *word, kri_text *text)
{
    (void)word;
    kri_text_add(text, "room in the queue of a pool on other machines");
}

/* With the mutex held, also afterwards. */
static int enter(kri_cluster *c, kr_time deadline)
{
    int err;
    while (!(err = why_closed(c)) && is_full(c)) {
        uint32_t seen = kri_load_rlx(&c->room);
        kri_mutex_unlock(&c->mutex);
        err = deadline ? kri_wait_for(&c->room, seen, deadline, 0, describe_room) : -ETIMEDOUT;
        kri_mutex_lock(&c->mutex);
        if (err && err != -EAGAIN)
            return err;
    }
    return err;
}

int kri_errand_submit(kr_executor *executor, kr_future *f, kr_time deadline)
{
    kri_cluster *c = kri_cluster_of(executor);
    kri_errand *errand = kri_errand_of(f);
    kri_mutex_lock(&c->mutex);
    int err = enter(c, deadline);
    if (!err) {
        errand->place = KRI_ERRAND_QUEUED;
        kri_errand_append(&c->queue[f->lane], errand);
        c->queued++;
        c->outstanding++;
    }
    kri_mutex_unlock(&c->mutex);
    if (!err)
        kri_cluster_rouse(c);
    return err;
}

static bool withdraw(kr_future *f)
{
    kri_errand *errand = kri_errand_of(f);
    kri_cluster *c = errand->cluster;
    kri_mutex_lock(&c->mutex);
    bool queued = errand->place == KRI_ERRAND_QUEUED;
    if (queued) {
        kri_errand_unlink(&c->queue[f->lane], errand);
        c->queued--;
        errand->place = KRI_ERRAND_NOWHERE;
    }
    kri_mutex_unlock(&c->mutex);
    return queued;
}

bool kri_errand_claimed(kr_executor *executor, kr_future *f, bool run)
{
    kri_cluster *c = kri_cluster_of(executor);
    (void)f;
    (void)run;
    kri_mutex_lock(&c->mutex);
    kri_cluster_departed(c, 1);
    kri_mutex_unlock(&c->mutex);
    return true;
}

static bool has_begun(const kr_future *f)
{
    kri_errand *errand = kri_errand_of(f);
    kri_mutex_lock(&errand->cluster->mutex);
    bool begun = errand->place != KRI_ERRAND_QUEUED;
    kri_mutex_unlock(&errand->cluster->mutex);
    return begun;
}

static void withdrawn(kr_future *f)
{
    (void)f;
}

static void look(const kr_future *f, bool watched)
{
    (void)f;
    (void)watched;
}

const kri_remote_ops kri_errand_ops = {
    .has_begun = has_begun,
    .withdraw = withdraw,
    .withdrawn = withdrawn,
    .await = kri_future_await,
    .look = look,
    .drop = drop,
};
