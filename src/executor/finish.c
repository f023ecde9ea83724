/* Finishing the work of executors at exit.
 *
 * All of a kind are shut before any is waited for.  A task that calls exit() is not waited for by
 * itself.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/finish.h"

#include <krait/thread.h>

void kri_finish_forget(kri_finish_list *list)
{
    *list = (kri_finish_list){.first = NULL};
}

/* One that is about to remove itself has none left. */
static bool reference_unless_gone(kr_word *references)
{
    uint32_t count = kri_load_rlx(references);
    while (count != 0)
        if (kri_cas_rlx(references, &count, count + 1))
            return true;
    return false;
}

/* The next one that is not marked `visited`, with a reference; it is marked now. */
static kri_finish *visit_next(kri_finish_list *list, bool visited)
{
    kri_mutex_lock(&list->lock);
    kri_finish *finish = list->first;
    while (finish && (finish->visited == visited || !reference_unless_gone(finish->references)))
        finish = finish->next;
    if (finish)
        finish->visited = visited;
    kri_mutex_unlock(&list->lock);
    return finish;
}

static void shut_down(const kri_finish *finish, kr_time deadline)
{
    kr_executor *executor = finish->executor;
    (void)executor->ops->shutdown(executor, false, deadline, KRI_UNCANCELLABLE);
    finish->unref(executor);
}

void kri_finish_shut(kri_finish_list *list)
{
    const kri_finish *finish;
    kri_mutex_lock(&list->lock);
    list->finishing = true;
    kri_mutex_unlock(&list->lock);
    while ((finish = visit_next(list, true)) != NULL)
        shut_down(finish, 0);
}

void kri_finish_await(kri_finish_list *list)
{
    const kri_finish *finish;
    while ((finish = visit_next(list, false)) != NULL)
        shut_down(finish, kri_frame_in_executor(finish->executor) ? 0 : KRI_NEVER);
}

void kri_finish_all(void *list)
{
    kri_finish_shut(list);
    kri_finish_await(list);
}

/* Twice does no harm: the second visit finds nothing to do. */
static int watch(kri_finish_list *list, void (*at_exit)(void *list))
{
    kri_mutex_lock(&list->lock);
    bool watched = list->watched;
    kri_mutex_unlock(&list->lock);
    if (watched)
        return 0;
    int err = kr_at_exit(at_exit, list);
    kri_mutex_lock(&list->lock);
    list->watched = list->watched || !err;
    kri_mutex_unlock(&list->lock);
    return err;
}

int kri_finish_add(kri_finish_list *list, kri_finish *finish, void (*at_exit)(void *list))
{
    int err = watch(list, at_exit);
    if (err)
        return err;
    kri_mutex_lock(&list->lock);
    if (list->finishing) {
        err = KR_ESHUTDOWN;
    } else {
        finish->next = list->first;
        finish->previous = NULL;
        if (list->first)
            list->first->previous = finish;
        list->first = finish;
        finish->listed = true;
    }
    kri_mutex_unlock(&list->lock);
    return err;
}

void kri_finish_remove(kri_finish_list *list, kri_finish *finish)
{
    kri_mutex_lock(&list->lock);
    if (finish->listed) {
        *(finish->previous ? &finish->previous->next : &list->first) = finish->next;
        if (finish->next)
            finish->next->previous = finish->previous;
    }
    finish->listed = false;
    kri_mutex_unlock(&list->lock);
}
