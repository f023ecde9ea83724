/* kr_group - tasks that belong together: started in a block, and all over at its end.
 *
 *     static int fib(const void *arg, void *result)
 *     {
 *         long n = *(const long *)arg, less[2] = {n - 1, n - 2}, parts[2] = {0, n};
 *         kr_group group;
 *         kr_group_task tasks[2];
 *         int err = 0;
 *         if (n >= 2) {
 *             err = kr_group_open(&group, NULL);
 *             for (int i = 0; i < 2 && !err; i++)
 *                 err = kr_group_start(&group, &tasks[i], fib, &less[i], &parts[i]);
 *             err = kr_group_close(&group);
 *         }
 *         *(long *)result = parts[0] + parts[1];
 *         return err;
 *     }
 *
 * Python's asyncio.TaskGroup, for every executor; fork-join is written with it.  The group and its
 * tasks lie in the caller's frame, which they cannot outlive: kr_group_close waits for all of them.
 * When one fails the others are cancelled, and so is the block between open and close: its waits
 * return -ECANCELED.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_GROUP_H
#define KRAIT_GROUP_H

#include <krait/executor.h>

KR_EXTERN_BEGIN

/* kr_group_task - one task of a group, in a place that the caller provides.  The members are the
 * library's; it must neither move nor end before the close. */
typedef struct kr_group_task {
    struct kr_group *group;
    kr_task_fn fn;
    const void *arg;
    void *result;
    struct kr_group_task *next;
    kr_future *future;
    int error;
} kr_group_task;

/* kr_group - a group.  The members are the library's; there is nothing to initialise or destroy. */
typedef struct kr_group {
    kr_cancel_scope scope;
    kr_executor *executor;
    void *worker;
    uint64_t mark;
    kr_group_task *queued;
    uint32_t started;
    uint32_t ended_here;
    kr_word ended_elsewhere;
    kr_word failure;
    kr_word cut;
    uint32_t generation;
    int error;
    struct kri_group_member *members[3];
    kr_word members_lock;
    kr_word pending;
} kr_group;

/* kr_group_open - begin a group, and enter its cancel scope.
 *
 *   executor  where its tasks run; must stay until the close.  NULL: where the calling task runs
 *
 * Costs no lock and no allocation.  Groups of one runner nest: the one opened last is closed first,
 * by the runner that opened it, and in any case: leaving its block by `return` is a bug.
 *
 * Returns   0; -EINVAL: NULL from a caller that is no task; -EDEADLK: from an initializer of this
 *           pool; KR_EFORKED.  After an error start answers -EINVAL and close returns the same
 *           error, so that the three calls may be written one after the other and the last result
 *           be looked at
 */
KR_API int kr_group_open(kr_group *group, kr_executor *executor);

/* kr_group_start - have fn(arg, result) run as a task of the group.
 *
 *   task      memory for it, which stays as it is until the close
 *   arg       what fn gets; not copied
 *   result    what fn writes; not cleared
 *
 * By the runner that opened the group.  A task of a thread pool needs no allocation: it lies in the
 * worker's own queue until somebody takes it, or until the close runs it.  From outside the pool,
 * where that queue is full, and on other executors it costs a future.
 *
 * Returns   0
 *           -ECANCELED    the group is cancelled, because a task failed or somebody said so; the
 *                         task counts as cancelled
 *           -ENOMEM, -EAGAIN, KR_ESHUTDOWN, KR_EBROKEN, -EINVAL, KR_EFORKED: as kr_submit.  The
 *                         task counts as failed with that error, so that close reports it too
 * Blocks    only for room, from outside a pool with .max_queued, as kr_submit
 */
KR_API int kr_group_start(kr_group *group, kr_group_task *task, kr_task_fn fn, const void *arg,
                          void *result);

/* kr_group_start_on - have fn(arg, result) run as a task of the group, on another executor than the
 * group's.
 *
 * Returns   as kr_group_start; -EDEADLK: from an initializer of that executor */
KR_API int kr_group_start_on(kr_group *group, kr_group_task *task, kr_executor *executor,
                             kr_task_fn fn, const void *arg, void *result);

/* kr_group_submit - kr_submit, with a task that belongs to the group: on any executor, process
 * pools too, since the argument is copied.
 *
 *   executor  NULL: the group's
 *   future    receives the task's future, for its result, with a reference of the caller's; NULL:
 *             not wanted
 *
 * By the runner that opened the group, and by tasks of the group that were submitted like this.
 * When the group is cancelled the task is, by kr_future_cancel; a cancel from outside the group
 * reaches it once the opener comes to a wait or to the close.  A task that was cancelled for itself
 * neither fails the group nor cancels it.  The group asks for the error, so the task hook does not
 * get it.
 *
 * Returns   as kr_submit; -ECANCELED: the group is cancelled; -EDEADLK: from an initializer of the
 *           executor.  An error counts as that of a task, so that close reports it too
 * Blocks    only for room, as kr_submit
 */
KR_API int kr_group_submit(kr_group *group, kr_executor *executor, kr_future **future,
                           kr_task_fn fn, const void *arg, size_t arg_size, size_t result_size);

/* kr_group_cancel - cancel the group: tasks that have not begun never do, those that run are asked
 * through their cancel scope, and the waits of the block end.  From any runner, while the group is
 * open. */
KR_API void kr_group_cancel(kr_group *group);

/* kr_group_close - wait for all tasks, and leave the group's cancel scope.
 *
 * Runs those that nobody has taken itself, each as a party of its own, and nothing else, as long as
 * there is stack for it; for the rest it waits, however long that takes, for the tasks use the
 * caller's frame.  A caller who is cancelled cancels them by that.
 *
 * Returns   0           every task returned 0
 *           the error   of the task that failed first.  Those that were cancelled for it do not
 *                       count, whatever they returned after that
 *           -ECANCELED  the group or the caller was cancelled before, and not every task returned 0
 *           -EDEADLK    not the caller's innermost group or cancel scope; nothing was done
 *           -EINVAL     it is closed already; so also says who would start a task in it then
 *           KR_EFORKED  the group was opened before the fork; its tasks are not here
 * Blocks    a thread sleeps, a coroutine is suspended
 */
KR_API KR_NODISCARD int kr_group_close(kr_group *group);

/* kr_group_task_error - what the task came to, after the close.  So every error is kept, not only
 * the first.
 *
 * Returns   what the task returned, or -ECANCELED: it never began */
KR_API KR_NODISCARD int kr_group_task_error(const kr_group_task *task);

KR_EXTERN_END

#endif
