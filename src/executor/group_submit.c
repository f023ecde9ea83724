/* Tasks of a group that have a future of their own, on any executor.
 *
 * State.  Each such task is a member: it stands in one of three lists of the group, until its
 * future is done.  NEW ones become LOOKED_AT when the closing opener has tried to run them itself,
 * and all become ASKED as the group is cancelled.
 *
 * Fields.
 *     members, and all of a member   members_lock; group and future are constant
 *     pending                        atomic; members that are not over, and those that are being
 *                                    submitted
 *
 * Protocol.
 *     A member is over when the future's done callback has run, in the runner that finished it: the
 *     callback counts the error, cancels the others if it is the first, takes the member out and
 *     counts down, as its last touch of the group.  The opener waits for that count, not for the
 *     futures.  A member may add members, for the count cannot come to 0 before it is over.
 *     A future is cancelled without the lock, since that may run callbacks, our own among them.
 *     Who submits while somebody cancels looks after its member can be found: it is cancelled by
 *     the one or the other.
 *
 * Ordering.
 *     [members-1]  what tasks and callbacks wrote is visible to the opener after the close: the
 *                  count falls sequentially consistent, as the wake needs it, and is read with
 *                  acquire
 *
 * Why are members not run inside the group's scope, as other tasks of groups are?  Their futures
 * have cancel scopes of their own, which kr_future_cancel reaches; in another process there is no
 * scope of the group.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/group.h"

#include "executor/executor.h"
#include "executor/stall.h"
#include "os/os.h"

enum { NEW, LOOKED_AT, ASKED };

typedef struct kri_group_member member;
struct kri_group_member {
    member *next;
    member *previous;
    kr_group *group;
    kr_future *future; /* with a reference */
    int list;
};

/* With the lock. */
static void put(member *m, int list)
{
    member **first = &m->group->members[list];
    m->list = list;
    m->previous = NULL;
    m->next = *first;
    if (m->next)
        m->next->previous = m;
    *first = m;
}

static void take_out(member *m)
{
    *(m->previous ? &m->previous->next : &m->group->members[m->list]) = m->next;
    if (m->next)
        m->next->previous = m->previous;
}

/* The future of the first in a list, with a reference; the member goes to another list. */
static kr_future *move_first(kr_group *group, int from, int to)
{
    kri_mutex_lock(&group->members_lock);
    member *m = group->members[from];
    kr_future *f = m ? kr_future_retain(m->future) : NULL;
    if (m) {
        take_out(m);
        put(m, to);
    }
    kri_mutex_unlock(&group->members_lock);
    return f;
}

static void cancel_list(kr_group *group, int list)
{
    for (kr_future *f; (f = move_first(group, list, ASKED)) != NULL;) {
        (void)kr_future_cancel(f);
        kr_future_release(f);
    }
}

void kri_group_members_cancel(kr_group *group)
{
    cancel_list(group, NEW);
    cancel_list(group, LOOKED_AT);
}

static void count_down(kr_group *group)
{
    if (kri_sub_sc(&group->pending, 1) == 1) /* [members-1] */
        kri_wake(&group->pending, 1, 0);
}

static void note(kr_group *group, kr_future *f)
{
    int error = kri_future_error(f);
    if (error == 0)
        return;
    kri_future_seen(f);
    if (error != -ECANCELED || kri_scope_marked(&group->scope))
        kri_group_note_error(group, error);
}

static int ended(kr_future *f, void *arg)
{
    member *m = arg;
    kr_group *group = m->group;
    if (kri_future_is_forked(f))
        return 0;
    note(group, f);
    kri_mutex_lock(&group->members_lock);
    take_out(m);
    kri_mutex_unlock(&group->members_lock);
    os_free(m);
    kr_future_release(f);
    count_down(group);
    return 0;
}

/* Submitting. */

static int check(kr_group *group, kr_executor *executor, kr_task_fn fn)
{
    int err = fn ? kri_executor_check_wait(executor) : -EINVAL;
    return !err && kri_scope_marked(&group->scope) ? -ECANCELED : err;
}

/* From here on the future's end is the member's. */
static void join(member *m, kri_callback *callback)
{
    kr_group *group = m->group;
    kr_future *f = kr_future_retain(m->future);
    *callback = (kri_callback){.fn = ended, .arg = m};
    kri_mutex_lock(&group->members_lock);
    put(m, NEW);
    kri_mutex_unlock(&group->members_lock);
    if (!kri_future_add_callback(f, callback)) {
        os_free(callback);
        (void)ended(f, m);
    } else if (kri_scope_marked(&group->scope)) {
        (void)kr_future_cancel(f);
    }
    kr_future_release(f);
}

static int submit(kr_group *group, kr_executor *executor, kr_future **future, const kri_task *task)
{
    member *m = os_alloc(sizeof *m);
    kri_callback *callback = os_alloc(sizeof *callback);
    int err = m && callback ? kri_submit(executor, &m->future, task, KRI_NEVER) : -ENOMEM;
    if (err) {
        os_free(m);
        os_free(callback);
        return err;
    }
    m->group = group;
    if (future)
        *future = kr_future_retain(m->future);
    join(m, callback);
    return 0;
}

int kr_group_submit(kr_group *group, kr_executor *executor, kr_future **future, kr_task_fn fn,
                    const void *arg, size_t arg_size, size_t result_size)
{
    if (future)
        *future = NULL;
    if (group->error)
        return -EINVAL;
    if (kri_forked_since(group->generation))
        return KR_EFORKED;
    if (!executor)
        executor = group->executor;
    kri_task task = {.fn = fn, .arg = arg, .arg_size = arg_size, .result_size = result_size};
    kri_add_rlx(&group->pending, 1);
    int err = check(group, executor, fn);
    if (!err)
        err = submit(group, executor, future, &task);
    if (err) {
        kri_group_note_error(group, err);
        count_down(group);
    }
    return err;
}

/* Closing. */

static void help_all(kr_group *group)
{
    for (kr_future *f; (f = move_first(group, NEW, LOOKED_AT)) != NULL;) {
        (void)kri_help(f, &group->scope);
        kr_future_release(f);
        if (kri_forked_since(group->generation))
            return;
    }
}

static void cancel_all(kr_group *group)
{
    kr_cancel(&group->scope); /* its time may be up without anybody having said so */
    kri_group_members_cancel(group);
}

static void await_all(kr_group *group)
{
    unsigned flags = 0;
    for (;;) {
        uint32_t pending = kri_load_acq(&group->pending); /* [members-1] */
        if (pending == 0)
            return;
        int err = kri_wait_for(&group->pending, pending, KRI_NEVER, flags, kri_group_describe);
        if (err != -ECANCELED)
            continue;
        cancel_all(group);
        flags = KRI_UNCANCELLABLE;
    }
}

void kri_group_members_wait(kr_group *group)
{
    if (kr_cancelled())
        cancel_all(group);
    else
        help_all(group);
    if (kri_forked_since(group->generation))
        return;
    kri_frame *frame = kri_frame_innermost();
    kri_wait_begin(frame);
    await_all(group);
    kri_wait_end(frame);
}
