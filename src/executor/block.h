/* Memory for small objects that one thread makes and another frees, such as futures.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_BLOCK_H
#define KRI_EXECUTOR_BLOCK_H

#include <stddef.h>

/* kri_block_new - memory with anything in it, aligned as malloc's; NULL when there is none.
 * kri_block_free - give it back, in any thread, with the same size; block may be NULL. */
void *kri_block_new(size_t size);
void kri_block_free(void *block, size_t size);

/* kri_block_spare - how many blocks of this size no thread has for itself. */
size_t kri_block_spare(size_t size);

#endif
