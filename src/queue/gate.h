/* A gate: where those sleep who wait until a queue has an item, or has room.
 *
 * One is called at a time: it looks, takes what there is, and calls the next if there is more.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_QUEUE_GATE_H
#define KRI_QUEUE_GATE_H

#include "wait/wait.h"

/* All zero: nobody waits.  The fields are told at the top of gate.c. */
typedef struct kri_gate {
    kr_word waiting;
    kr_word called;
    kr_word in_vain;
    kr_word yields_in_vain;
} kri_gate;

/* Is there something for whoever stands at the gate?  Called by others too, who may see a moment
 * ago; but it sees what was published before a swap of `called` that the caller has made. */
typedef bool (*kri_gate_look)(void *queue);

void kri_gate_call_slow(kri_gate *gate, unsigned flags);

/* kri_gate_call - there is something now: see to it that one of those who wait looks.
 *
 * pre: it was published by a sequentially consistent change, or before one, of a word that `look`
 * reads (sc).  With KRI_SHARED: async-signal-safe. */
static inline void kri_gate_call(kri_gate *gate, unsigned flags)
{
    if (__builtin_expect(kri_load_sc(&gate->waiting) != 0, 0)) /* [gate-1] */
        kri_gate_call_slow(gate, flags);
}

/* kri_gate_enter - count the caller as one who waits; kri_gate_leave - no more, and if there is
 * something for the others who wait, one of them is called. */
void kri_gate_enter(kri_gate *gate);
void kri_gate_leave(kri_gate *gate, kri_gate_look look, void *queue, unsigned flags);

/* kri_gate_answer - take the call, if there is one.  Whoever does must look after it. */
void kri_gate_answer(kri_gate *gate);

/* kri_gate_wait - between enter and leave: sleep until look(queue).  0, -ETIMEDOUT, -ECANCELED. */
int kri_gate_wait(kri_gate *gate, kri_gate_look look, void *queue, kr_time deadline, unsigned flags,
                  kri_describe describe);

#endif
