/* A dict: a stripe for each domain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/table.h"

enum { BODY = KRI_DOMAINS * sizeof(kri_word64) };

void kri_table_make(kri_tx *tx, unsigned domain, kri_object *o)
{
    uint64_t body = kri_tx_alloc(tx, domain, BODY);
    if (body != 0)
        memset(kri_space_at(tx->space, body), 0, BODY);
    kri_store_rlx64(&o->body, body);
}

kri_word64 *kri_table_stripe(kri_space *s, const kri_object *o, unsigned domain)
{
    uint64_t body = kri_load_rlx64(&o->body);
    return kri_space_has(s, body, BODY) ? (kri_word64 *)kri_space_at(s, body) + domain : NULL;
}

/* *stripe NULL: there is none.  KR_ECORRUPT. */
static int stripe_in(kri_space *s, const kri_word64 *place, kri_stripe **stripe)
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

int kri_table_find(kri_space *s, const kri_object *o, const kri_key *key, kri_key_place *p)
{
    p->found = (kri_found){NULL, NULL};
    p->place = kri_table_stripe(s, o, kri_key_domain(key));
    int err = stripe_in(s, p->place, &p->stripe);
    if (err != 0 || p->stripe == NULL)
        return err;
    return kri_stripe_find(s, p->stripe, key, &p->found);
}

void kri_table_put(kri_tx *tx, const kri_key *key, kri_key_place *p, const void *value, size_t size)
{
    unsigned domain = kri_key_domain(key);
    if (p->stripe == NULL) {
        uint64_t made = kri_stripe_new(tx, domain);
        if (made == 0)
            return;
        kri_tx_set(tx, p->place, made);
        p->stripe = kri_space_at(tx->space, made);
        int err = kri_stripe_find(tx->space, p->stripe, key, &p->found);
        if (err != 0) {
            kri_tx_fail(tx, err);
            return;
        }
    }
    kri_stripe_put(tx, domain, p->stripe, &p->found, key, value, size);
}

void kri_table_remove(kri_tx *tx, kri_key_place *p)
{
    kri_stripe_remove(tx, p->stripe, &p->found);
}

void kri_table_clear(kri_tx *tx, const kri_object *o)
{
    for (unsigned d = 0; d < KRI_DOMAINS && tx->err == 0; d++) {
        kri_word64 *place = kri_table_stripe(tx->space, o, d);
        kri_stripe *stripe = NULL;
        int err = stripe_in(tx->space, place, &stripe);
        if (err != 0)
            kri_tx_fail(tx, err);
        if (stripe == NULL)
            continue;
        kri_bury(tx, d, kri_load_rlx64(place));
        kri_tx_set(tx, place, 0);
    }
}

void kri_table_end(kri_tx *tx, const kri_object *o)
{
    kri_table_clear(tx, o);
    kri_tx_free(tx, kri_load_rlx64(&o->body));
}

int kri_table_each(kri_space *s, const kri_object *o, uint64_t domains,
                   int (*each)(const kri_item *item, void *arg), void *arg)
{
    int err = 0;
    for (unsigned d = 0; d < KRI_DOMAINS && err == 0; d++) {
        kri_stripe *stripe = NULL;
        if (!(domains >> d & 1))
            continue;
        err = stripe_in(s, kri_table_stripe(s, o, d), &stripe);
        if (err == 0 && stripe != NULL)
            err = kri_stripe_each(s, stripe, each, arg);
    }
    return err;
}
