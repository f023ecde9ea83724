/* kr_map for executors whose tasks run elsewhere, and that understand batches.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_MAP_BATCHES_H
#define KRI_EXECUTOR_MAP_BATCHES_H

#include <krait/map.h>

#include "executor/executor.h"

/* kri_map_batches - as the operation `map`.  abandon: nobody wants this batch any more; out of the
 * queue with it, and stop it where that can be done. */
int kri_map_batches(kr_executor *executor, const kri_task *task, void *results,
                    const kr_map_options *options,
                    void (*abandon)(kr_executor *executor, kr_future *f));

#endif
