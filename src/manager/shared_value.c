/* Values in shared memory.
 *
 * State.  A value of 8 bytes is a word of its object.  One of another size has two copies in the
 * object's body, of which the word says which counts.
 *
 * Fields.  Of the object:
 *     words[WORD]  guarded by its domain: the value, or which copy counts, 0 or 1
 *     words[SIZE]  constant
 *     body         constant: where the copies are, 0: none
 *
 * Protocol.  Each call holds the domain's lock.  A set changes one word, at once: it fills the copy
 * that does not count before.  So whoever dies inside has changed nothing or all of it, and there
 * is nothing to undo.
 *
 * Ordering.
 *     [value-1]  the copy is filled before it counts, also for who has the lock after a death
 *
 * Why not.  No lock for values of 8 bytes: the object may be taken away, and its memory be
 * something else's, between the look whether it is still there and the change.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_object.h"
#include <string.h>

enum { WORD, SIZE };
enum { LINE = 64 };

static bool is_word(size_t size)
{
    return size == sizeof(uint64_t);
}

static size_t stride(size_t size)
{
    return (size + LINE - 1) & ~(size_t)(LINE - 1);
}

static uint64_t word_of(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

static void make(kri_tx *tx, kri_object *o, const void *arg)
{
    const kri_value_made *v = arg;
    if (v->size == 0) {
        kri_tx_fail(tx, -ENOENT);
        return;
    }
    bool in_word = is_word(v->size);
    uint64_t body = in_word ? 0 : kri_tx_alloc(tx, 0, 2 * stride(v->size));
    kri_store_rlx64(&o->body, body);
    kri_store_rlx64(&o->words[SIZE], v->size);
    kri_store_rlx64(&o->words[WORD], in_word && v->value != NULL ? word_of(v->value) : 0);
    if (body != 0 && v->value != NULL)
        memcpy(kri_space_at(tx->space, body), v->value, v->size);
    else if (body != 0)
        memset(kri_space_at(tx->space, body), 0, v->size);
}

const kri_kind kri_value_kind = {.kind = KR_MANAGER_VALUE, .make = make};

size_t kri_shared_value_size(const kri_shared_object *o)
{
    return (size_t)kri_shared_number(o, SIZE);
}

static uint64_t counting(const kri_shared_object *o)
{
    return kri_load_acq64(kri_shared_word(o, WORD)); /* [value-1] */
}

/* One of the two; NULL: damaged. */
static unsigned char *copy_of(const kri_shared_object *o, size_t size, uint64_t which)
{
    uint64_t body = kri_load_rlx64(&o->ref.object->body);
    if (!kri_space_has(o->space, body, 2 * stride(size)))
        return NULL;
    return (unsigned char *)kri_space_at(o->space, body) + (which & 1) * stride(size);
}

static int look(const kri_shared_object *o, size_t size, void *value)
{
    uint64_t word = counting(o);
    const void *from = is_word(size) ? (void *)&word : copy_of(o, size, word);
    if (from == NULL)
        return KR_ECORRUPT;
    memcpy(value, from, size);
    return 0;
}

static int replace(const kri_shared_object *o, size_t size, const void *value)
{
    uint64_t word = !(counting(o) & 1);
    if (is_word(size)) {
        word = word_of(value);
    } else {
        unsigned char *to = copy_of(o, size, word);
        if (to == NULL)
            return KR_ECORRUPT;
        memcpy(to, value, size);
    }
    kri_store_rel64(kri_shared_word(o, WORD), word); /* [value-1] */
    return 0;
}

/* 1: it is */
static int equals(const kri_shared_object *o, size_t size, const void *expected)
{
    uint64_t word = counting(o);
    const void *now = is_word(size) ? (void *)&word : copy_of(o, size, word);
    return now != NULL ? memcmp(now, expected, size) == 0 : KR_ECORRUPT;
}

int kri_shared_value_get(const kri_shared_object *o, size_t size, void *value)
{
    kri_tx tx;
    int err = kri_shared_enter(o, &tx);
    return err == 0 ? kri_tx_cancel(&tx, look(o, size, value)) : err;
}

int kri_shared_value_set(const kri_shared_object *o, size_t size, const void *value)
{
    kri_tx tx;
    int err = kri_shared_enter(o, &tx);
    return err == 0 ? kri_tx_cancel(&tx, replace(o, size, value)) : err;
}

int kri_shared_value_compare_and_set(const kri_shared_object *o, size_t size, const void *expected,
                                     const void *value)
{
    kri_tx tx;
    int err = kri_shared_enter(o, &tx);
    if (err != 0)
        return err;
    int same = equals(o, size, expected);
    err = same > 0 ? replace(o, size, value) : same == 0 ? -EAGAIN : same;
    return kri_tx_cancel(&tx, err);
}

int kri_shared_value_add(const kri_shared_object *o, int64_t amount, int64_t *sum)
{
    kri_tx tx;
    int err = kri_shared_enter(o, &tx);
    if (err != 0)
        return err;
    if (__builtin_add_overflow((int64_t)counting(o), amount, sum))
        return kri_tx_cancel(&tx, -EOVERFLOW);
    kri_store_rel64(kri_shared_word(o, WORD), (uint64_t)*sum); /* [value-1] */
    return kri_tx_end(&tx);
}
