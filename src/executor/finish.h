/* Executors whose work exit() finishes, and which a forked child forgets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_FINISH_H
#define KRI_EXECUTOR_FINISH_H

#include "executor/executor.h"

/* A member of an executor of its kind. */
typedef struct kri_finish {
    struct kri_finish *next; /* the list's lock, as the next three */
    struct kri_finish *previous;
    bool visited;
    bool listed;
    kr_executor *executor; /* const, as the rest */
    kr_word *references;   /* of it: one is taken while it is visited, where there still are any */
    void (*unref)(kr_executor *executor); /* gives that one back */
} kri_finish;

/* All executors of a kind; zero bytes at first, and global. */
typedef struct kri_finish_list {
    kri_mutex lock; /* guards the rest, and what is in it */
    kri_finish *first;
    bool watched; /* exit calls us */
    bool finishing;
} kri_finish_list;

/* kri_finish_add - from now on exit() calls at_exit(list), until it is removed: 0, -ENOMEM,
 * KR_ESHUTDOWN (the process is exiting).  kri_finish_remove - also of one that was never added, and
 * by whoever has given up the last reference. */
int kri_finish_add(kri_finish_list *list, kri_finish *finish, void (*at_exit)(void *list));
void kri_finish_remove(kri_finish_list *list, kri_finish *finish);

/* kri_finish_all - such an at_exit: kri_finish_shut - shut down all of them, and then
 * kri_finish_await - wait for each; for one whose task calls exit() there is no waiting. */
void kri_finish_all(void *list);
void kri_finish_shut(kri_finish_list *list);
void kri_finish_await(kri_finish_list *list);

/* kri_finish_forget - in a forked child, whose handlers the list's file has to be among as the
 * library is loaded: so that no fork finds the lock held that is not told. */
void kri_finish_forget(kri_finish_list *list);

#endif
