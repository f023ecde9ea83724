/* The signals of a loop; see signal.c and interrupt.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_LOOP_SIGNAL_H
#define KRI_LOOP_SIGNAL_H

#include "loop/loop.h"

typedef struct kri_signal_handler kri_signal_handler;

/* kri_loop_signals_end - take all callbacks away; its inbox is closed and empty. */
void kri_loop_signals_end(kri_loop *loop);

/* kri_interrupt_begin - from now on SIGINT cancels the task, once; false: it does not, because it
 * is somebody else's, or cannot.  kri_interrupt_end - no more; did it? */
bool kri_interrupt_begin(kr_future *future);
bool kri_interrupt_end(void);
void kri_interrupt_forked(void);

#endif
