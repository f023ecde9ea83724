/* How the collector of a process pool dozes, see doze.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_PROCESS_POOL_DOZE_H
#define KRI_PROCESS_POOL_DOZE_H

#include "base/atomic.h"
#include "wait/wait.h"

typedef struct kri_doze {
    kr_word dozes; /* atomic: 1: the collector dozes; written with the mutex held */
    size_t relied; /* [mutex] how many there are whom it must not keep waiting */
} kri_doze;

/* All of them with the pool's mutex held, but for the sleep. */
bool kri_doze_begin(kri_doze *doze);                /* false: somebody relies on it */
void kri_doze_sleep(kri_doze *doze, kr_time until); /* not held; after kri_doze_begin */
void kri_doze_over(kri_doze *doze);
void kri_doze_end(kri_doze *doze);  /* wake it, if it dozes */
void kri_doze_rely(kri_doze *doze); /* the same, and it does not doze before .. */
void kri_doze_rely_no_more(kri_doze *doze);

#endif
