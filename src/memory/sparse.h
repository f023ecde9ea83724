/* Segments that have memory only where somebody asks for it, and are whole before they have a name.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MEMORY_SPARSE_H
#define KRI_MEMORY_SPARSE_H

#include <krait/shared_memory.h>

/* kri_sparse_create - as kr_shared_memory_create, but nothing is reserved.
 *
 *   prepare   is called when it is mapped and has no name yet; what it returns other than 0 is the
 *             result */
int kri_sparse_create(kr_shared_memory **m, const char *name, size_t size,
                      const kr_shared_memory_options *options,
                      int (*prepare)(kr_shared_memory *m, void *arg), void *arg);

#endif
