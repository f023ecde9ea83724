/* What the two halves of groups have of each other.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_GROUP_H
#define KRI_EXECUTOR_GROUP_H

#include <krait/group.h>

#include "base/atomic.h"

/* group.c: a task has failed, or could not be started: the group is cancelled. */
void kri_group_note_error(kr_group *group, int error);

/* group_submit.c: the tasks that have a future of their own. */
void kri_group_members_cancel(kr_group *group);
void kri_group_members_wait(kr_group *group);

static inline void kri_group_members_begin(kr_group *group)
{
    group->members[0] = group->members[1] = group->members[2] = NULL;
    group->members_lock = (kr_word){0};
    group->pending = (kr_word){0};
}

/* By the opener, as it closes the group. */
static inline void kri_group_members_await(kr_group *group)
{
    if (__builtin_expect(kri_load_acq(&group->pending) != 0, 0)) /* [members-1] */
        kri_group_members_wait(group);
}

#endif
