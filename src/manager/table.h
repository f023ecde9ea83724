/* A dict as it lies in the space: a stripe for each domain, made when it is first needed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_TABLE_H
#define KRI_MANAGER_TABLE_H

#include "manager/hash.h"
#include "manager/stripe.h"

static inline kri_key kri_key_make(const kri_space *s, const void *bytes, size_t size)
{
    return (kri_key){bytes, size, kri_hash(s->state->seed, bytes, size)};
}

static inline unsigned kri_key_domain(const kri_key *key)
{
    return (unsigned)(key->hash >> 58) % KRI_DOMAINS;
}

/* kri_table_make - the body of an empty dict; in the domain's heap. */
void kri_table_make(kri_tx *tx, unsigned domain, kri_object *o);

/* kri_table_stripe - the word that names a domain's stripe; NULL: damaged. */
kri_word64 *kri_table_stripe(kri_space *s, const kri_object *o, unsigned domain);

/* What a look at a key finds, with its domain locked. */
typedef struct kri_place_of_key {
    kri_word64 *place;  /* of the stripe */
    kri_stripe *stripe; /* NULL: none yet */
    kri_found found;
} kri_key_place;

int kri_table_find(kri_space *s, const kri_object *o, const kri_key *key, kri_key_place *p);
void kri_table_put(kri_tx *tx, const kri_key *key, kri_key_place *p, const void *value,
                   size_t size);
void kri_table_remove(kri_tx *tx, kri_key_place *p);

/* kri_table_clear - with all domains locked: cut all stripes off.  kri_table_end - and the body. */
void kri_table_clear(kri_tx *tx, const kri_object *o);
void kri_table_end(kri_tx *tx, const kri_object *o);

/* kri_table_each - with all domains of the set locked: as kri_stripe_each. */
int kri_table_each(kri_space *s, const kri_object *o, uint64_t domains,
                   int (*each)(const kri_item *item, void *arg), void *arg);

#endif
