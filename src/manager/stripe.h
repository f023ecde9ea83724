/* A stripe: the part of a dict that one domain guards, a hash table that grows and shrinks by one
 * bucket at a time.  stripe.c says how.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_STRIPE_H
#define KRI_MANAGER_STRIPE_H

#include "manager/graves.h"

#ifdef KRI_MODEL
enum { KRI_FIRST_BUCKETS = 2 };
#else
enum { KRI_FIRST_BUCKETS = 8 };
#endif
enum { KRI_STRIPE_PARTS = 24 };

typedef struct kri_stripe {
    kri_grave grave;
    kri_word64 count;                   /* of items */
    kri_word64 buckets;                 /* how many there are */
    kri_word64 parts[KRI_STRIPE_PARTS]; /* the first buckets, and then each time as many again */
} kri_stripe;

/* A key with its value.  All but next and the value's bytes is constant. */
typedef struct kri_item {
    kri_word64 next; /* link */
    uint64_t hash;
    uint32_t key_size;
    uint32_t value_size;
    unsigned char bytes[]; /* the key, filled up to 8, and the value */
} kri_item;

typedef struct kri_key {
    const void *bytes;
    size_t size;
    uint64_t hash;
} kri_key;

/* Where a key is, or would be. */
typedef struct kri_found {
    kri_word64 *link; /* that leads to the item; or to the bucket's first */
    kri_item *item;   /* NULL: it is not there */
} kri_found;

static inline const unsigned char *kri_item_value(const kri_item *item)
{
    return item->bytes + ((item->key_size + (size_t)7) & ~(size_t)7);
}

/* kri_stripe_new - an empty one in the domain's heap; 0: see tx->err. */
uint64_t kri_stripe_new(kri_tx *tx, unsigned domain);

/* kri_stripe_put - the key, found or not, has a copy of the value.  kri_stripe_remove - a found one
 * is gone.  What was found is not valid after either. */
void kri_stripe_put(kri_tx *tx, unsigned domain, kri_stripe *stripe, const kri_found *found,
                    const kri_key *key, const void *value, size_t size);
void kri_stripe_remove(kri_tx *tx, kri_stripe *stripe, const kri_found *found);

/* kri_stripe_each - call each(item, arg) for all, until it returns other than 0, which is the
 * result; KR_ECORRUPT. */
int kri_stripe_each(kri_space *s, const kri_stripe *stripe,
                    int (*each)(const kri_item *item, void *arg), void *arg);

/* kri_stripe_any - the first that a look from that bucket on finds; NULL: it is empty, or damaged.
 */
bool kri_stripe_any(kri_space *s, const kri_stripe *stripe, uint64_t from, kri_found *found);

#endif
