/* A dict: a stripe for each domain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/table.h"

void kri_table_make(kri_tx *tx, unsigned domain, kri_object *o)
{
    uint64_t body = kri_tx_alloc(tx, domain, KRI_TABLE_BODY);
    if (body != 0)
        memset(kri_space_at(tx->space, body), 0, KRI_TABLE_BODY);
    kri_store_rlx64(&o->body, body);
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
        int err = kri_table_stripe_in(tx->space, place, &stripe);
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
        err = kri_table_stripe_in(s, kri_table_stripe(s, o, d), &stripe);
        if (err == 0 && stripe != NULL)
            err = kri_stripe_each(s, stripe, each, arg);
    }
    return err;
}
