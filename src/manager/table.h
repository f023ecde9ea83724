/* A dict as it lies in the space: a stripe for each domain, made when it is first needed.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_TABLE_H
#define KRI_MANAGER_TABLE_H

#include "manager/hash.h"
#include "manager/look.h"

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

enum { KRI_TABLE_BODY = KRI_DOMAINS * sizeof(kri_word64) };

/* What a look at a key finds, with its domain locked. */
typedef struct kri_place_of_key {
    kri_word64 *place;  /* of the stripe */
    kri_stripe *stripe; /* NULL: none yet */
    kri_found found;
} kri_key_place;

/* kri_table_stripe - the word that names a domain's stripe; NULL: damaged. */
static inline kri_word64 *kri_table_stripe(kri_space *s, const kri_object *o, unsigned domain)
{
    uint64_t body = kri_load_rlx64(&o->body);
    return kri_space_has(s, body, KRI_TABLE_BODY) ? (kri_word64 *)kri_space_at(s, body) + domain
                                                  : NULL;
}

/* *stripe NULL: there is none.  KR_ECORRUPT. */
static inline int kri_table_stripe_in(kri_space *s, const kri_word64 *place, kri_stripe **stripe)
{
    *stripe = NULL;
    if (place == NULL)
        return KR_ECORRUPT;
    uint64_t offset = kri_load_rlx64(place);
    if (offset == 0)
        return 0;
    *stripe = kri_stripe_at(s, offset);
    return *stripe != NULL ? 0 : KR_ECORRUPT;
}

static inline int kri_table_find(kri_space *s, const kri_object *o, const kri_key *key,
                                 kri_key_place *p)
{
    p->found = (kri_found){NULL, NULL};
    p->place = kri_table_stripe(s, o, kri_key_domain(key));
    int err = kri_table_stripe_in(s, p->place, &p->stripe);
    if (err != 0 || p->stripe == NULL)
        return err;
    return kri_stripe_find(s, p->stripe, key, &p->found);
}

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
