/* Values of kr_local, for those who end a party or fork; the protocol is told in local.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_THREAD_LOCAL_H
#define KRI_THREAD_LOCAL_H

#include "wait/wait.h"

/* kri_locals_end - destroy the values of a party that ends, which is the calling one. */
void kri_locals_end(kri_party *party);
void kri_locals_lock(void); /* across a fork */
void kri_locals_unlock(void);

#endif
