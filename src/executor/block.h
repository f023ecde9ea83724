/* Memory for futures.  SPDX-License-Identifier: MIT */
#ifndef KRI_EXECUTOR_BLOCK_H
#define KRI_EXECUTOR_BLOCK_H
#include <stddef.h>
void *kri_block_new(size_t size);
void kri_block_free(void *block, size_t size);
#endif
