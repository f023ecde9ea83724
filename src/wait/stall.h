/* The stall report: noticing that every runner waits for ever, and saying who waits for what.
 *
 * A layer above says who counts beyond the threads that wait, and puts its objects into words.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_WAIT_STALL_H
#define KRI_WAIT_STALL_H

#include "wait/wait.h"

/* Who may act. */

/* kri_stall_may_act - count `more` (which may be negative) that may yet wake somebody: a thread
 * that is about to be started, a signal that is caught. */
void kri_stall_may_act(int more);

/* kri_stall_came - in a thread whose starter has counted it, before its first wait. */
void kri_stall_came(void);

/* kri_stall_gone - the calling thread ends; it counts no more. */
void kri_stall_gone(void);

/* kri_stall_serve - the calling thread serves the library: it acts only for those who count
 * otherwise, and so counts no more, though it may sleep with time limits or poll. */
void kri_stall_serve(void);

/* Words.  They are asked for while all queues of waiters are held: take no lock but with
 * kri_mutex_try, wake nobody. */

void kri_text_add(kri_text *text, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* kri_text_add_thread - the name of the thread with the kernel's number. */
void kri_text_add_thread(kri_text *text, int thread);
int kri_party_thread(const kri_party *party); /* the number of the one that acts as the party */

/* kri_text_add_runner - `before`, and the name of the waiting runner that is inside the scope;
 * false: there is none, and nothing was added. */
bool kri_text_add_runner(kri_text *text, const char *before, const kr_cancel_scope *scope);

/* kri_stall_name_with - from now on `name` adds the name of a thread that has the kernel's number;
 * false: it knows none. */
void kri_stall_name_with(bool (*name)(int thread, kri_text *text));

#endif
