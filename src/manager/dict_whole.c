/* Calls on all keys of a dict in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/dict_shared.h"
#include "sync/internal.h"
#include <stdlib.h>
#include <string.h>

static shared_dict *of(kr_dict *d)
{
    return (shared_dict *)(void *)d;
}

/* The domains of the set are locked, and it is still there. */
static int begin(kri_tx *tx, kr_dict *d, uint64_t domains)
{
    int err = kri_tx_begin(tx, of(d)->space, domains);
    if (err == 0 && !kri_object_is(&of(d)->ref))
        err = kri_tx_cancel(tx, -ESTALE);
    return err;
}

static int stripe_of(kr_dict *d, unsigned domain, kri_stripe **stripe)
{
    const kri_word64 *place = kri_table_stripe(of(d)->space, of(d)->ref.object, domain);
    uint64_t offset = place != NULL ? kri_load_rlx64(place) : 0;
    *stripe = offset != 0 ? kri_stripe_at(of(d)->space, offset) : NULL;
    return place == NULL || (offset != 0 && *stripe == NULL) ? KR_ECORRUPT : 0;
}

int64_t kri_shared_length(kr_dict *d)
{
    kri_tx tx;
    int64_t sum = 0;
    int err = begin(&tx, d, KRI_ALL_DOMAINS);
    if (err != 0)
        return err;
    for (unsigned domain = 0; domain < KRI_DOMAINS && err == 0; domain++) {
        kri_stripe *stripe;
        err = stripe_of(d, domain, &stripe);
        if (stripe != NULL)
            sum += (int64_t)kri_load_rlx64(&stripe->count);
    }
    (void)kri_tx_end(&tx);
    return err != 0 ? err : sum;
}

int kri_shared_clear(kr_dict *d)
{
    kri_tx tx;
    int err = begin(&tx, d, KRI_ALL_DOMAINS);
    if (err != 0)
        return err;
    kri_table_clear(&tx, of(d)->ref.object);
    err = kri_tx_end(&tx);
    if (err == 0)
        (void)kri_graves_empty(of(d)->space, KRI_ALL_DOMAINS); /* what is left others do */
    return err;
}

/* Copies */

static kr_dict_item *copy_of(const kri_item *item)
{
    unsigned char *key, *value;
    kr_dict_item *made = kri_dict_item_make(item->key_size, item->value_size, &key, &value);
    if (made != NULL) {
        memcpy(key, item->bytes, item->key_size);
        memcpy(value, kri_item_value(item), item->value_size);
    }
    return made;
}

/* What becomes of an item that is to be taken away: take(item, arg); other than 0: it stays. */
typedef int taker(const kri_item *item, void *arg);

/* One of a stripe; -ENOENT: it is empty.  A look from anywhere finds one soon, while those from one
 * place on would have to go by what others have left empty there. */
static int pop_any(kri_tx *tx, kr_dict *d, unsigned domain, taker *take, void *arg)
{
    kri_stripe *stripe;
    kri_found found;
    int err = stripe_of(d, domain, &stripe);
    uint64_t count = err == 0 && stripe != NULL ? kri_load_rlx64(&stripe->count) : 0;
    if (err != 0 || count == 0)
        return err != 0 ? err : -ENOENT;
    if (!kri_stripe_any(of(d)->space, stripe, count * UINT64_C(0x9e3779b97f4a7c15) >> 32, &found))
        return KR_ECORRUPT;
    err = take(found.item, arg);
    if (err == 0)
        kri_stripe_remove(tx, stripe, &found);
    return err;
}

/* All are locked for the answer that it is empty, and one otherwise. */
static int pop_from(kr_dict *d, uint64_t domains, unsigned from, taker *take, void *arg)
{
    kri_tx tx;
    int err = begin(&tx, d, domains);
    if (err != 0)
        return err;
    err = -ENOENT;
    for (unsigned i = 0; i < KRI_DOMAINS && err == -ENOENT; i++) {
        unsigned domain = (from + i) % KRI_DOMAINS;
        if (domains >> domain & 1)
            err = pop_any(&tx, d, domain, take, arg);
    }
    return kri_tx_cancel(&tx, err);
}

static int pop(kr_dict *d, taker *take, void *arg)
{
    unsigned from = (unsigned)kri_process_self() % KRI_DOMAINS; /* not all at the same place */
    int err = -ENOENT;
    for (unsigned i = 0; i < KRI_DOMAINS && err == -ENOENT; i++)
        err = pop_from(d, UINT64_C(1) << (from + i) % KRI_DOMAINS, from, take, arg);
    return err == -ENOENT ? pop_from(d, KRI_ALL_DOMAINS, from, take, arg) : err;
}

static int take_item(const kri_item *item, void *arg)
{
    kr_dict_item **copy = arg;
    *copy = copy_of(item);
    return *copy != NULL ? 0 : -ENOMEM;
}

int kri_shared_popitem(kr_dict *d, kr_dict_item **item)
{
    *item = NULL;
    int err = pop(d, take_item, item);
    if (err != 0) {
        free(*item);
        *item = NULL;
    }
    return err;
}

static int take_key(const kri_item *item, void *arg)
{
    kri_key_room *key = arg;
    key->size = item->key_size;
    if (key->size > key->room)
        return -ERANGE;
    if (key->size != 0)
        memcpy(key->bytes, item->bytes, key->size);
    return 0;
}

int kri_shared_pop_key(kr_dict *d, kri_key_room *key)
{
    return pop(d, take_key, key);
}

static int add_copy(const kri_item *item, void *arg)
{
    kr_dict_item *made = copy_of(item);
    return made != NULL ? kri_dict_items_add(arg, made) : -ENOMEM;
}

/* What is in those domains. */
static int copy_all(kr_dict *d, uint64_t domains, kr_dict_items **items)
{
    kri_tx tx;
    kr_dict_items *made = kri_dict_items_make();
    if (made == NULL)
        return -ENOMEM;
    int err = begin(&tx, d, domains);
    if (err == 0) {
        err = kri_table_each(of(d)->space, of(d)->ref.object, domains, add_copy, made);
        (void)kri_tx_end(&tx);
    }
    if (err == 0)
        *items = made;
    else
        kr_dict_items_release(made);
    return err;
}

int kri_shared_snapshot(kr_dict *d, kr_dict_items **items)
{
    return copy_all(d, KRI_ALL_DOMAINS, items);
}

int kri_shared_each(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg), void *arg)
{
    int err = 0;
    for (unsigned domain = 0; domain < KRI_DOMAINS && err == 0; domain++) {
        kr_dict_items *items = NULL;
        err = copy_all(d, UINT64_C(1) << domain, &items);
        size_t count = err == 0 ? kr_dict_items_count(items) : 0;
        for (size_t i = 0; i < count && err == 0; i++)
            err = each(kr_dict_items_at(items, i), arg);
        kr_dict_items_release(items);
    }
    return err;
}
