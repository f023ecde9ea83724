/* The inside of a condition: condition.c counts who waits, condition_lock.c gives up the lock, with
 * the wakes that are due, and takes it again.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_SYNC_CONDITION_H
#define KRI_SYNC_CONDITION_H

#include "base/atomic.h"
#include "sync/internal.h"

enum { KRI_CONDITION_SHARED = 1, KRI_CONDITION_OVER_RLOCK = 2 }; /* in kind */

static inline bool kri_condition_is_shared(const kr_condition *c)
{
    return c->kind & KRI_CONDITION_SHARED;
}

static inline kr_lock *kri_condition_lock(kr_condition *c)
{
    return c->lock == 0 ? &c->own : (kr_lock *)((char *)c + c->lock);
}

/* NULL: it is no recursive one. */
static inline kr_rlock *kri_condition_rlock(kr_condition *c)
{
    return c->kind & KRI_CONDITION_OVER_RLOCK ? (kr_rlock *)((char *)c + c->lock) : NULL;
}

bool kri_condition_held(kr_condition *c);

/* Give the lock up: as kr_condition_release, and all levels of a recursive one, how many is told to
 * the taking back. */
int kri_condition_release(kr_condition *c);
int64_t kri_condition_let_go(kr_condition *c);

/* Take it again after a sleep that ended with `err`; as kri_lock_take. */
int kri_condition_take_back(kr_condition *c, const kr_word *word, int64_t depth, int err);

/* With the lock: so many members asleep on the word were notified; all of both words are let go;
 * nobody is counted, so what is known of earlier sleepers can be forgotten. */
void kri_condition_send(kr_condition *c, kr_word *word, uint32_t count);
void kri_condition_send_all(kr_condition *c);
void kri_condition_forget_moves(kr_condition *c);

#endif
