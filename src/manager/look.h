/* Looking for a key in a stripe: what every call does first, and so is inline.
 *
 * Others may write into the memory at any time, so what is read there leads nowhere outside, and a
 * chain ends after as many items as there are.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_LOOK_H
#define KRI_MANAGER_LOOK_H

#include "manager/stripe.h"
#include <string.h>

enum { KRI_TAG_AT = 48, KRI_TAG_OF_HASH = 32 };
#define KRI_LINK_PLACE ((UINT64_C(1) << KRI_TAG_AT) - 1)

static inline uint64_t kri_link_place(uint64_t link)
{
    return link & KRI_LINK_PLACE;
}

static inline uint64_t kri_link_tag(uint64_t hash)
{
    return (hash >> KRI_TAG_OF_HASH) << KRI_TAG_AT;
}

static inline kri_item *kri_item_at(kri_space *s, uint64_t link)
{
    uint64_t offset = kri_link_place(link);
    if (!kri_space_has(s, offset, sizeof(kri_item)))
        return NULL;
    kri_item *item = kri_space_at(s, offset);
    uint64_t room = s->end - offset - sizeof *item;
    uint64_t size = (((uint64_t)item->key_size + 7) & ~UINT64_C(7)) + item->value_size;
    return size <= room ? item : NULL;
}

static inline kri_stripe *kri_stripe_at(kri_space *s, uint64_t offset)
{
    return kri_space_has(s, offset, sizeof(kri_stripe)) ? kri_space_at(s, offset) : NULL;
}

/* Buckets */

static inline uint64_t kri_highest_bit(uint64_t number)
{
    return UINT64_C(1) << (63 - __builtin_clzll(number));
}

static inline uint64_t kri_stripe_buckets(const kri_stripe *stripe)
{
    return kri_load_rlx64(&stripe->buckets);
}

static inline int kri_stripe_part(uint64_t bucket)
{
    return bucket < KRI_FIRST_BUCKETS ? 0 : 64 - __builtin_clzll(bucket / KRI_FIRST_BUCKETS);
}

static inline uint64_t kri_part_begin(int part)
{
    return part == 0 ? 0 : (uint64_t)KRI_FIRST_BUCKETS << (part - 1);
}

static inline uint64_t kri_part_length(int part)
{
    return part == 0 ? KRI_FIRST_BUCKETS : kri_part_begin(part);
}

/* NULL: damaged. */
static inline kri_word64 *kri_bucket_at(kri_space *s, const kri_stripe *stripe, uint64_t bucket)
{
    int part = kri_stripe_part(bucket);
    if (part >= KRI_STRIPE_PARTS)
        return NULL;
    uint64_t place = kri_load_rlx64(&stripe->parts[part]);
    if (!kri_space_has(s, place, kri_part_length(part) * sizeof(kri_word64)))
        return NULL;
    return (kri_word64 *)kri_space_at(s, place) + (bucket - kri_part_begin(part));
}

static inline uint64_t kri_bucket_of(uint64_t buckets, uint64_t hash)
{
    uint64_t high = kri_highest_bit(buckets), bucket = hash & (2 * high - 1);
    return bucket < buckets ? bucket : bucket & (high - 1);
}

/* Items */

static inline bool kri_item_is(const kri_item *item, const kri_key *key)
{
    return item->hash == key->hash && item->key_size == key->size &&
           memcmp(item->bytes, key->bytes, key->size) == 0;
}

/* kri_stripe_find - 0; KR_ECORRUPT. */
static inline int kri_stripe_find(kri_space *s, const kri_stripe *stripe, const kri_key *key,
                                  kri_found *found)
{
    uint64_t buckets = kri_stripe_buckets(stripe), left = kri_load_rlx64(&stripe->count);
    kri_word64 *first =
        buckets != 0 ? kri_bucket_at(s, stripe, kri_bucket_of(buckets, key->hash)) : NULL;
    if (first == NULL)
        return KR_ECORRUPT;
    kri_word64 *at = first;
    *found = (kri_found){.link = first};
    for (uint64_t link = kri_load_rlx64(at); link != 0; left--) {
        kri_item *item = kri_item_at(s, link);
        if (item == NULL || left == 0)
            return KR_ECORRUPT;
        if ((link & ~KRI_LINK_PLACE) == kri_link_tag(key->hash) && kri_item_is(item, key)) {
            *found = (kri_found){at, item};
            return 0;
        }
        at = &item->next;
        link = kri_load_rlx64(at);
    }
    return 0;
}

#endif
