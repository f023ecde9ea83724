/* A thread that calls the program back for an executor; see teller.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_EXECUTOR_TELLER_H
#define KRI_EXECUTOR_TELLER_H

#include <krait/thread.h>

#include "executor/due.h"

typedef struct kri_teller {
    kr_thread *thread; /* const once started; NULL: not yet */
    kr_word bell;      /* atomic: counts what it has to look at */
    kr_word closing;   /* atomic: 1 when it shall end */
    kri_mutex mutex;
    kri_due due; /* [mutex] */
} kri_teller;

/* kri_teller_start - with a zeroed one, which stays until kri_teller_end; as kr_thread_start.
 * kri_teller_end - once what it was given before is announced; by another thread. */
int kri_teller_start(kri_teller *teller);
void kri_teller_end(kri_teller *teller);

void kri_teller_give(kri_teller *teller, kri_due *due); /* which is empty then */

#endif
