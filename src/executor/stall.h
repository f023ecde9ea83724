/* What the waits of executors are for, in the report of a stall.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_STALL_H
#define KRI_EXECUTOR_STALL_H

#include "executor/future.h"
#include "wait/wait.h"

void kri_future_describe(const kr_word *word, kri_text *text);    /* kr_future.state */
void kri_group_describe(const kr_word *word, kri_text *text);     /* of any word */
void kri_pool_describe_room(const kr_word *word, kri_text *text); /* kri_pool.room */
void kri_pool_describe_end(const kr_word *word, kri_text *text);  /* kri_pool.ended */

/* Of several futures one that is not done; NULL: they all are by now. */
void kri_futures_describe(const kr_future *open, kri_text *text);

#endif
