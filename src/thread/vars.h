/* Values of kr_context_var, for those who begin and end parties; see context_var.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_THREAD_VARS_H
#define KRI_THREAD_VARS_H

#include <krait/context_var.h>

#include "wait/wait.h"

/* kri_vars_copy - a copy of the caller's context for a party that is to come; NULL: it has no
 * values.  0, -ENOMEM. */
int kri_vars_copy(kr_context **copy);

/* kri_vars_end - the calling party ends, and with it its context. */
void kri_vars_end(kri_party *party);

#endif
