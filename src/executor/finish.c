/* Finishing the work of executors at exit.
 *
 * All are shut before any is waited for.  A task that calls exit() is not waited for by itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/finish.h"

#include <krait/thread.h>

#include "base/global.h"

static KRI_GLOBAL kri_mutex finish_lock; /* guards all below, and the links */
static KRI_GLOBAL kri_finish *first_finish;
static KRI_GLOBAL bool finish_watched; /* exit calls us */
static KRI_GLOBAL bool finishing;

static void forget_in_child(void)
{
    finish_lock = (kri_mutex){0};
    first_finish = NULL;
    finish_watched = false;
    finishing = false;
}

/* As the library is loaded, so that no fork finds the lock held that is not told. */
__attribute__((constructor)) static void watch_from_the_first(void)
{
    (void)kri_at_fork_child(forget_in_child);
}

static kri_finish *visit_next(bool visited)
{
    kri_mutex_lock(&finish_lock);
    kri_finish *finish = first_finish;
    while (finish && finish->visited == visited)
        finish = finish->next;
    if (finish) {
        finish->visited = visited;
        finish->retain(finish->executor);
    }
    kri_mutex_unlock(&finish_lock);
    return finish;
}

static void shut_down(const kri_finish *finish, bool waits)
{
    kr_executor *executor = finish->executor;
    kr_time deadline = waits && !kri_frame_in_executor(executor) ? KRI_NEVER : 0;
    (void)executor->ops->shutdown(executor, false, deadline, KRI_UNCANCELLABLE);
    finish->release(executor);
}

static void finish_all(void *unused)
{
    const kri_finish *finish;
    (void)unused;
    kri_mutex_lock(&finish_lock);
    finishing = true;
    kri_mutex_unlock(&finish_lock);
    while ((finish = visit_next(true)) != NULL)
        shut_down(finish, false);
    while ((finish = visit_next(false)) != NULL)
        shut_down(finish, true);
}

static int watch(void)
{
    kri_mutex_lock(&finish_lock);
    bool watched = finish_watched;
    finish_watched = true;
    kri_mutex_unlock(&finish_lock);
    int err = watched ? 0 : kr_at_exit(finish_all, NULL);
    if (err) {
        kri_mutex_lock(&finish_lock);
        finish_watched = false;
        kri_mutex_unlock(&finish_lock);
    }
    return err;
}

int kri_finish_add(kri_finish *finish)
{
    int err = watch();
    if (err)
        return err;
    kri_mutex_lock(&finish_lock);
    if (finishing) {
        err = KR_ESHUTDOWN;
    } else {
        finish->next = first_finish;
        finish->previous = NULL;
        if (first_finish)
            first_finish->previous = finish;
        first_finish = finish;
        finish->listed = true;
    }
    kri_mutex_unlock(&finish_lock);
    return err;
}

void kri_finish_remove(kri_finish *finish)
{
    kri_mutex_lock(&finish_lock);
    if (finish->listed) {
        *(finish->previous ? &finish->previous->next : &first_finish) = finish->next;
        if (finish->next)
            finish->next->previous = finish->previous;
    }
    finish->listed = false;
    kri_mutex_unlock(&finish_lock);
}
