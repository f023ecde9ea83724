/* Executors whose work exit() finishes, and which a forked child forgets.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_FINISH_H
#define KRI_EXECUTOR_FINISH_H

#include "executor/executor.h"

/* A member of an executor of its kind. */
typedef struct kri_finish {
    struct kri_finish *next; /* the lock of the list, as the rest */
    struct kri_finish *previous;
    kr_executor *executor; /* const */
    void (*retain)(kr_executor *executor);
    void (*release)(kr_executor *executor);
    bool visited;
    bool listed;
} kri_finish;

/* kri_finish_add - from now on exit() shuts it down and waits for its tasks, until it is removed:
 * 0, -ENOMEM, KR_ESHUTDOWN (the process is exiting).  kri_finish_remove - also of one that was
 * never added; by whoever gives up the last reference. */
int kri_finish_add(kri_finish *finish);
void kri_finish_remove(kri_finish *finish);

#endif
