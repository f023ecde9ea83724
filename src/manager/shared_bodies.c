/* Taking away objects that have one block as their body.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/directory.h"
#include <krait/barrier.h>
#include <krait/condition.h>
#include <krait/rlock.h>

/* NULL: damaged, and the transaction has failed. */
static const void *body_of(kri_tx *tx, const kri_object *o, size_t size)
{
    uint64_t body = kri_load_rlx64(&o->body);
    if (kri_space_has(tx->space, body, size))
        return kri_space_at(tx->space, body);
    kri_tx_fail(tx, KR_ECORRUPT);
    return NULL;
}

void kri_body_end(kri_tx *tx, kri_object *o)
{
    uint64_t body = kri_load_rlx64(&o->body);
    if (body != 0)
        kri_tx_free(tx, body);
}

static void end_unless(kri_tx *tx, kri_object *o, bool busy)
{
    if (busy)
        kri_tx_fail(tx, -EBUSY);
    kri_body_end(tx, o);
}

void kri_lock_end(kri_tx *tx, kri_object *o)
{
    const kr_lock *lock = body_of(tx, o, sizeof *lock);
    end_unless(tx, o, lock != NULL && kr_lock_locked(lock));
}

void kri_rlock_end(kri_tx *tx, kri_object *o)
{
    const kr_rlock *lock = body_of(tx, o, sizeof *lock);
    end_unless(tx, o, lock != NULL && kr_rlock_locked(lock));
}

void kri_condition_end(kri_tx *tx, kri_object *o)
{
    const kr_condition *condition = body_of(tx, o, sizeof *condition);
    bool plain = condition != NULL && kri_condition_is_plain(condition);
    if (condition != NULL && !plain)
        kri_tx_fail(tx, KR_ECORRUPT);
    end_unless(tx, o, plain && kr_condition_locked(condition));
}

void kri_barrier_end(kri_tx *tx, kri_object *o)
{
    const kr_barrier *barrier = body_of(tx, o, sizeof *barrier);
    end_unless(tx, o, barrier != NULL && kr_barrier_n_waiting(barrier) != 0);
}
