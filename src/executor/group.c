/* Groups: tasks in their opener's frame.
 *
 * State.  A task of a group is in one of three places:
 *     - in the deque of the worker that opened the group, as an item with a tag;
 *     - in a future, where that deque is full, the opener is no worker of the executor, or the
 *       executor is no pool: the group keeps a list of these;
 *     - taken: somebody runs it, or has.
 * Tasks that were submitted with a future of their own are in group_submit.c.
 *
 * Fields.
 *     error (of a task)      whoever runs the task, before it counts it as ended
 *     started, ended_here, queued, mark
 *                            the opener's
 *     ended_elsewhere        atomic; counts tasks that others took out of the deque, when they have
 *                            ended; from the close on, those that are missing, from below 0
 *     failure                atomic; the first failure, negated
 *     cut                    atomic; 1 once a task did not come to its end for a cancel
 *     the rest               constant while it is open
 *
 * Protocol.
 *     Groups nest, so what a worker pushes after its group was opened lies above `mark` in its
 *     deque and is gone from there when the group is closed.  The close pops down to the mark and
 *     runs what is its own.  What is not was submitted by the same task beside the group; it may
 *     want what this task holds, so it is not run but handed on to the common queue.
 *     Then the close takes the number of tasks that are missing away from ended_elsewhere; who ends
 *     one of them counts up, and whoever comes to 0 wakes the opener.  That count is his last touch
 *     of the group.
 *
 * Ordering.
 *     [group-1]  what a task wrote is visible to the opener after the close: the count rises
 *                sequentially consistent, as the wake needs it, and is read with acquire
 *
 * Why not a future for each task?  A fork-join call is to cost no more than a few stores; who takes
 * a task out of a deque owns it alone, so there is nothing to claim and nothing to count.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/group.h"
#include "executor/pool.h"
#include "executor/stall.h"

#include "os/os.h"
#include "trace/trace.h"

static kri_item item_of(kr_group_task *task)
{
    return (uintptr_t)task | KRI_ITEM_OF_GROUP;
}

static kr_group_task *task_of(kri_item item)
{
    return (kr_group_task *)(uintptr_t)(item & ~(kri_item)KRI_ITEM_OF_GROUP);
}

static bool is_forked(const kr_group *group)
{
    return kri_forked_since(group->generation);
}

/* Opening. */

static int check(kr_executor *executor, const kri_frame *frame)
{
    if (!executor && !frame)
        return -EINVAL;
    if (executor)
        return kri_executor_check_wait(executor);
    if (!frame->worker)
        return kri_executor_check_wait(frame->executor);
    return frame->worker->initializes ? -EDEADLK : 0;
}

int kr_group_open(kr_group *group, kr_executor *executor)
{
    const kri_frame *frame = kri_frame_innermost();
    group->worker = NULL;
    group->error = check(executor, frame);
    if (group->error)
        return group->error;
    kri_worker *worker = frame ? frame->worker : NULL;
    group->executor = executor ? executor : frame->executor;
    if (worker && &worker->pool->executor != group->executor)
        worker = NULL;
    group->worker = worker;
    group->mark = worker ? kri_deque_mark(&worker->deque) : 0;
    group->queued = NULL;
    group->started = 0;
    group->ended_here = 0;
    group->ended_elsewhere = (kr_word){0};
    group->failure = (kr_word){0};
    group->cut = (kr_word){0};
    group->generation = group->executor->generation;
    kri_group_members_begin(group);
    kri_scope_begin(kri_party_self(), &group->scope);
    return 0;
}

void kr_group_cancel(kr_group *group)
{
    if (group->error)
        return;
    kr_cancel(&group->scope);
    kri_group_members_cancel(group);
}

int kr_group_task_error(const kr_group_task *task)
{
    return task->error;
}

/* Running a task. */

__attribute__((noinline)) void kri_group_note_error(kr_group *group, int error)
{
    uint32_t none = 0;
    if (error == -ECANCELED && kri_scope_marked(&group->scope)) {
        kri_store_rlx(&group->cut, 1);
        return;
    }
    (void)kri_cas_rlx(&group->failure, &none, (uint32_t)-error);
    kr_cancel(&group->scope);
    kri_group_members_cancel(group);
}

static void run(kr_group_task *task)
{
    kr_group *group = task->group;
    int error = -ECANCELED;
    if (!kri_scope_marked(&group->scope))
        error = task->fn(task->arg, task->result);
    if (error >= 0)
        return;
    task->error = error;
    kri_group_note_error(group, error);
}

/* One that has a future is noted as that. */
static void run_traced(kr_group_task *task)
{
    KRI_TRACE_BEGINS(task__begin, TASK, (uintptr_t)task, (uintptr_t)task->fn);
    run(task);
    KRI_TRACE_ENDS(task__end, TASK, (uintptr_t)task, 0);
}

static void run_as_itself(void *arg)
{
    run_traced(arg);
}

void kri_group_run(kri_worker *worker, kri_item item)
{
    kr_group_task *task = task_of(item);
    kr_group *group = task->group;
    kri_party *self = kri_party_self();
    kr_cancel_scope *before = self->scope;
    kri_count(&worker->begun);
    kri_store_rel64(&worker->task, (uintptr_t)task->fn);
    self->scope = &group->scope;
    run_traced(task);
    self->scope = before;
    if (is_forked(group))
        return;
    kri_store_rel64(&worker->task, 0);
    kri_count(&worker->done);
    if (kri_add_sc(&group->ended_elsewhere, 1) == UINT32_MAX) /* [group-1] */
        kri_wake(&group->ended_elsewhere, 1, 0);
}

/* As the task of a future, which has a party of its own already; but its scope is to be the
 * group's. */
static int run_queued(const void *arg, void *result)
{
    kr_group_task *task = *(kr_group_task *const *)arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope *before = self->scope;
    (void)result;
    self->scope = &task->group->scope;
    run(task);
    self->scope = before;
    return 0;
}

/* Starting. */

static int fail_to_start(kr_group_task *task, int error)
{
    task->error = error;
    kri_group_note_error(task->group, error);
    return error;
}

static int queue(kr_group_task *task, kr_executor *executor)
{
    kr_group *group = task->group;
    kri_task what = {.fn = run_queued, .arg = &task, .arg_size = sizeof task};
    int err = kri_submit(executor, &task->future, &what, KRI_NEVER);
    if (err)
        return fail_to_start(task, err);
    task->next = group->queued;
    group->queued = task;
    return 0;
}

static __attribute__((noinline)) int start_on(kr_group_task *task, kr_executor *executor)
{
    kr_group *group = task->group;
    if (group->error)
        return task->error = -EINVAL;
    if (is_forked(group))
        return task->error = KR_EFORKED;
    int err = task->fn ? kri_executor_check_wait(executor) : -EINVAL;
    if (!err && executor->ops->elsewhere)
        err = -EOPNOTSUPP;
    if (!err && kri_scope_marked(&group->scope))
        err = -ECANCELED;
    return err ? fail_to_start(task, err) : queue(task, executor);
}

int kr_group_start(kr_group *group, kr_group_task *task, kr_task_fn fn, const void *arg,
                   void *result)
{
    *task = (kr_group_task){.group = group, .fn = fn, .arg = arg, .result = result};
    kri_worker *worker = group->worker;
    bool fit = worker && fn && !is_forked(group) && !kri_scope_marked(&group->scope);
    if (!fit || !kri_deque_push(&worker->deque, item_of(task)))
        return start_on(task, group->executor);
    group->started++;
    KRI_TRACE_HAPPENS(submit, SUBMIT, (uintptr_t)task, (uintptr_t)fn);
    kri_pool_notify(worker->pool);
    return 0;
}

int kr_group_start_on(kr_group *group, kr_group_task *task, kr_executor *executor, kr_task_fn fn,
                      const void *arg, void *result)
{
    if (executor == group->executor && !group->error)
        return kr_group_start(group, task, fn, arg, result);
    *task = (kr_group_task){.group = group, .fn = fn, .arg = arg, .result = result};
    return start_on(task, executor);
}

/* Closing. */

/* Items that are not the group's, to be put back, linked through what they are. */
struct strangers {
    kr_future *futures;
    kr_group_task *tasks;
};

static void put_aside(kri_pool *pool, kri_item item, struct strangers *strangers)
{
    if (item & KRI_ITEM_OF_GROUP) {
        task_of(item)->next = strangers->tasks;
        strangers->tasks = task_of(item);
        return;
    }
    kr_future *f = kri_item_future(item);
    if (kri_injection_push(&pool->lanes[f->lane], item) == 0) {
        kri_pool_notify(pool);
        return;
    }
    f->next = strangers->futures;
    strangers->futures = f;
}

/* There is room, for they came from there. */
static void put_back(kri_worker *worker, struct strangers *strangers)
{
    while (strangers->tasks) {
        kr_group_task *task = strangers->tasks;
        strangers->tasks = task->next;
        (void)kri_deque_push(&worker->deque, item_of(task));
    }
    while (strangers->futures) {
        kr_future *f = strangers->futures;
        strangers->futures = f->next;
        (void)kri_deque_push(&worker->deque, kri_item_of(f));
    }
    kri_pool_notify(worker->pool);
}

static void count_own(const kr_group *group, kri_worker *worker)
{
    kri_add_up(&worker->begun, group->ended_here);
    kri_add_up(&worker->helped, group->ended_here); /* [watch-3] */
    kri_add_up(&worker->done, group->ended_here);
}

static void run_own(kr_group *group, kri_worker *worker)
{
    const kri_frame *frame = kri_frame_innermost();
    struct strangers strangers = {NULL, NULL};
    const bool watched = worker->pool->watch != NULL;
    while (kri_deque_mark(&worker->deque) > group->mark && kri_frame_has_room(frame)) {
        kri_item item = kri_deque_pop(&worker->deque);
        if (!item)
            break;
        kr_group_task *task = task_of(item);
        if (!(item & KRI_ITEM_OF_GROUP) || task->group != group) {
            put_aside(worker->pool, item, &strangers);
            continue;
        }
        kri_run_while_waiting(run_as_itself, task, &group->scope);
        if (is_forked(group))
            return;
        if (watched)
            kri_count(&worker->turns);
        group->ended_here++;
    }
    count_own(group, worker);
    if (strangers.futures || strangers.tasks)
        put_back(worker, &strangers);
}

static bool is_none(uint32_t missing)
{
    return missing == 0;
}

static __attribute__((noinline)) void wait_for_others(kr_group *group)
{
    kri_frame *frame = kri_frame_innermost();
    if (kri_wait_briefly(&group->ended_elsewhere, is_none)) /* [group-1] */
        return;
    kri_wait_begin(frame);
    for (;;) {
        uint32_t missing = kri_load_acq(&group->ended_elsewhere); /* [group-1] */
        if (missing == 0)
            break;
        (void)kri_wait_for(&group->ended_elsewhere, missing, KRI_NEVER, KRI_UNCANCELLABLE,
                           kri_group_describe);
    }
    kri_wait_end(frame);
}

static void await_deque(kr_group *group)
{
    uint32_t missing = group->started - group->ended_here;
    if (missing && kri_sub_acq_rel(&group->ended_elsewhere, missing) != missing) /* [group-1] */
        wait_for_others(group);
}

/* A future that never ran says why. */
static void settle(kr_group_task *task)
{
    kr_future *f = task->future;
    int error = kri_future_error(f);
    kri_future_seen(f);
    if (error)
        (void)fail_to_start(task, error);
    kr_future_release(f);
}

static void await_queued(kr_group *group)
{
    for (kr_group_task *task = group->queued; task; task = task->next) {
        (void)kri_help(task->future, &group->scope);
        if (is_forked(group))
            return;
    }
    for (kr_group_task *task = group->queued; task; task = task->next) {
        (void)kri_future_await_here(task->future, KRI_NEVER, KRI_UNCANCELLABLE);
        settle(task);
    }
}

int kr_group_close(kr_group *group)
{
    if (group->error)
        return group->error;
    kri_party *self = kri_party_self();
    if (self->scope != &group->scope)
        return -EDEADLK;
    if (!is_forked(group) && group->started)
        run_own(group, group->worker);
    if (!is_forked(group)) {
        kri_group_members_await(group);
        await_deque(group);
        if (group->queued)
            await_queued(group);
    }
    kri_scope_end(self, &group->scope);
    group->worker = NULL;
    group->error = -EINVAL; /* who adds a task now would have nobody who waits for its end */
    if (is_forked(group))
        return KR_EFORKED;
    uint32_t failure = kri_load_rlx(&group->failure);
    if (failure)
        return -(int)failure;
    return kri_load_rlx(&group->cut) ? -ECANCELED : 0;
}
