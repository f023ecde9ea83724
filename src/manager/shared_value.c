/* Values in shared memory.
 *
 * State.  A value of 8 bytes is one word.  One of another size has two copies, of which the word
 * says which counts.
 *
 * Protocol.  Of 8 bytes: every call is one atomic operation, and nobody waits.  Else each call
 * holds the lock; a set fills the copy that does not count, and one store of the word makes it the
 * one that does.  So whoever dies inside has changed nothing or all of it, and who has the lock
 * after that finds nothing to put right.
 *
 * Ordering.
 *     [value-1]  what was done before a set, or an add, is visible to who sees its value; and the
 *                copy is filled before it counts, also for who has the lock after a death
 *
 * Why not.  A sequence count in place of the lock, for readers: a value that is longer than a word
 * is not read often enough to be worth a loop that a writer may hold up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/shared_value.h"
#include "manager/enter.h"
#include <string.h>

_Static_assert(sizeof(int64_t) == sizeof(uint64_t), "sums are computed as signed, stored as is");

static bool is_word(size_t size)
{
    return size == sizeof(uint64_t);
}

static size_t stride(size_t size)
{
    return (size + 63) & ~(size_t)63;
}

size_t kri_value_state_size(size_t size)
{
    return sizeof(kri_value_state) + (is_word(size) ? 0 : 2 * stride(size));
}

static unsigned char *copy_at(kri_value_state *s, size_t size, uint64_t which)
{
    return (unsigned char *)(s + 1) + (which & 1) * stride(size);
}

static uint64_t word_of(const void *bytes)
{
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return word;
}

void kri_value_state_begin(kri_value_state *s, size_t size, const void *value)
{
    memset(s, 0, kri_value_state_size(size));
    s->size = size;
    (void)kr_lock_init(&s->lock, KR_SHARED);
    if (value == NULL)
        return;
    if (is_word(size))
        kri_store_rel64(&s->word, word_of(value));
    else
        memcpy(copy_at(s, size, 0), value, size);
}

static int enter(kri_value_state *s)
{
    int err = kri_enter(&s->lock);
    if (err == KR_OWNER_DIED)
        (void)kr_lock_recover(&s->lock);
    return err < 0 ? err : 0;
}

static uint64_t counting(kri_value_state *s)
{
    return kri_load_acq64(&s->word); /* [value-1] */
}

static void replace(kri_value_state *s, size_t size, const void *value)
{
    uint64_t other = !(counting(s) & 1);
    memcpy(copy_at(s, size, other), value, size);
    kri_store_rel64(&s->word, other); /* [value-1] */
}

int kri_value_state_get(kri_value_state *s, size_t size, void *value)
{
    if (is_word(size)) {
        uint64_t word = kri_load_acq64(&s->word); /* [value-1] */
        memcpy(value, &word, sizeof word);
        return 0;
    }
    int err = enter(s);
    if (err != 0)
        return err;
    memcpy(value, copy_at(s, size, counting(s)), size);
    kri_leave(&s->lock);
    return 0;
}

int kri_value_state_set(kri_value_state *s, size_t size, const void *value)
{
    if (is_word(size)) {
        kri_store_rel64(&s->word, word_of(value)); /* [value-1] */
        return 0;
    }
    int err = enter(s);
    if (err != 0)
        return err;
    replace(s, size, value);
    kri_leave(&s->lock);
    return 0;
}

int kri_value_state_compare_and_set(kri_value_state *s, size_t size, const void *expected,
                                    const void *value)
{
    if (is_word(size)) {
        uint64_t seen = word_of(expected);
        return kri_cas_acq_rel64(&s->word, &seen, word_of(value)) ? 0 : -EAGAIN; /* [value-1] */
    }
    int err = enter(s);
    if (err != 0)
        return err;
    if (memcmp(copy_at(s, size, counting(s)), expected, size) == 0)
        replace(s, size, value);
    else
        err = -EAGAIN;
    kri_leave(&s->lock);
    return err;
}

int kri_value_state_add(kri_value_state *s, int64_t amount, int64_t *sum)
{
    uint64_t seen = kri_load_rlx64(&s->word);
    do {
        if (__builtin_add_overflow((int64_t)seen, amount, sum))
            return -EOVERFLOW;
    } while (!kri_cas_acq_rel64(&s->word, &seen, (uint64_t)*sum)); /* [value-1] */
    return 0;
}
