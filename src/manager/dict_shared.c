/* Dicts in shared memory: each call is one transaction.
 *
 * A call on one key locks the domain that the key belongs to, and nothing else; calls on all of
 * them, and batches, lock what they need in order.  Whoever took the dict away held all domains: so
 * any lock is enough to see whether it is still there.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/dict_shared.h"
#include "manager/number.h"
#include "os/os.h"
#include <stdlib.h>
#include <string.h>

static shared_dict *of(kr_dict *d)
{
    return (shared_dict *)(void *)d;
}

/* A call on one key */

typedef struct visit {
    kri_tx tx;
    kri_key key;
    kri_key_place at;
} visit;

/* The transaction has begun, and what is there was found; or nothing is held. */
static inline int begin(visit *v, kr_dict *d, const void *key, size_t key_size)
{
    kri_space *s = of(d)->space;
    v->key = kri_key_make(s, key, key_size);
    int err = kri_tx_begin(&v->tx, s, UINT64_C(1) << kri_key_domain(&v->key));
    if (err != 0)
        return err;
    err = kri_object_is(&of(d)->ref) ? kri_table_find(s, of(d)->ref.object, &v->key, &v->at)
                                     : -ESTALE;
    return err != 0 ? kri_tx_cancel(&v->tx, err) : 0;
}

static int copy_out(const kri_item *item, void *value, size_t room, size_t *size)
{
    if (item == NULL)
        return -ENOENT;
    *size = item->value_size;
    if (item->value_size > room)
        return -ERANGE;
    if (item->value_size != 0)
        memcpy(value, kri_item_value(item), item->value_size);
    return 0;
}

static int get(kr_dict *d, const void *key, size_t key_size, void *value, size_t room, size_t *size)
{
    kri_space *s = of(d)->space;
    kri_key_place at;
    kri_key sought = kri_key_make(s, key, key_size);
    kri_domain *domain = &s->state->domains[kri_key_domain(&sought)];
    int err = kri_look_begin(s, domain);
    if (err != 0)
        return err;
    err = kri_object_is(&of(d)->ref) ? kri_table_find(s, of(d)->ref.object, &sought, &at) : -ESTALE;
    if (err == 0)
        err = copy_out(at.found.item, value, room, size);
    kri_look_end(domain);
    return err;
}

static int get_new(kr_dict *d, const void *key, size_t key_size, void **value, size_t *size)
{
    visit v;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    const kri_item *item = v.at.found.item;
    unsigned char *made = item != NULL ? malloc((size_t)item->value_size + 1) : NULL;
    if (made != NULL) {
        (void)copy_out(item, made, item->value_size, size);
        made[*size] = 0;
        *value = made;
    } else {
        err = item != NULL ? -ENOMEM : -ENOENT;
    }
    (void)kri_tx_end(&v.tx);
    return err;
}

static int set(kr_dict *d, const void *key, size_t key_size, const void *value, size_t size)
{
    visit v;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    kri_table_put(&v.tx, &v.key, &v.at, value, size);
    return kri_tx_end(&v.tx);
}

static int setdefault(kr_dict *d, const void *key, size_t key_size, const void *value, size_t size,
                      void *found, size_t room, size_t *found_size)
{
    visit v;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    if (v.at.found.item != NULL) {
        err = copy_out(v.at.found.item, found, room, found_size);
        (void)kri_tx_end(&v.tx);
        return err;
    }
    kri_table_put(&v.tx, &v.key, &v.at, value, size);
    err = kri_tx_end(&v.tx);
    return err == 0 ? KR_DICT_NEW : err;
}

static int pop(kr_dict *d, const void *key, size_t key_size, void *value, size_t room, size_t *size)
{
    visit v;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    err = copy_out(v.at.found.item, value, room, size);
    if (err != 0)
        return kri_tx_cancel(&v.tx, err);
    kri_table_remove(&v.tx, &v.at);
    return kri_tx_end(&v.tx);
}

static int drop(kr_dict *d, const void *key, size_t key_size)
{
    visit v;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    if (v.at.found.item == NULL)
        return kri_tx_cancel(&v.tx, -ENOENT);
    kri_table_remove(&v.tx, &v.at);
    return kri_tx_end(&v.tx);
}

static int contains(kr_dict *d, const void *key, size_t key_size)
{
    visit v;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    bool is = v.at.found.item != NULL;
    (void)kri_tx_end(&v.tx);
    return is;
}

static bool is_value(const kri_item *item, const void *expected, size_t size)
{
    if (item == NULL || expected == NULL)
        return item == NULL && expected == NULL;
    return item->value_size == size && memcmp(kri_item_value(item), expected, size) == 0;
}

static int compare_and_set(kr_dict *d, const void *key, size_t key_size, const void *expected,
                           size_t expected_size, const void *value, size_t size)
{
    visit v;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    if (!is_value(v.at.found.item, expected, expected_size))
        return kri_tx_cancel(&v.tx, -EAGAIN);
    if (value != NULL)
        kri_table_put(&v.tx, &v.key, &v.at, value, size);
    else if (v.at.found.item != NULL)
        kri_table_remove(&v.tx, &v.at);
    return kri_tx_end(&v.tx);
}

/* What is there with the addend, in digits.  Their number, or an error. */
static int sum_of(const kri_item *item, int64_t addend, int64_t *sum, char text[KRI_NUMBER])
{
    int64_t old = 0;
    int err = item != NULL
                  ? kri_number_read((const char *)kri_item_value(item), item->value_size, &old)
                  : 0;
    if (err != 0)
        return err == -EOVERFLOW ? -EBADMSG : err;
    if (__builtin_add_overflow(old, addend, sum))
        return -EOVERFLOW;
    return (int)kri_number_write(*sum, text);
}

static int add(kr_dict *d, const void *key, size_t key_size, int64_t addend, int64_t *result)
{
    visit v;
    char text[KRI_NUMBER];
    int64_t sum = 0;
    int err = begin(&v, d, key, key_size);
    if (err != 0)
        return err;
    int digits = sum_of(v.at.found.item, addend, &sum, text);
    if (digits < 0)
        return kri_tx_cancel(&v.tx, digits);
    kri_table_put(&v.tx, &v.key, &v.at, text, (size_t)digits);
    err = kri_tx_end(&v.tx);
    if (err == 0)
        *result = sum;
    return err;
}

/* Batches */

_Static_assert(sizeof(size_t) >= sizeof(int64_t), "see take_back");

static int do_one(kri_tx *tx, kri_object *o, kr_dict_operation *op)
{
    char text[KRI_NUMBER];
    kri_key_place at;
    kri_key key = kri_key_make(tx->space, op->key, op->key_size);
    int err = kri_table_find(tx->space, o, &key, &at);
    const kri_item *item = at.found.item;
    bool get = op->verb == KR_DICT_GET || op->verb == KR_DICT_POP ||
               (op->verb == KR_DICT_DEFAULT && item != NULL);
    if (err == 0 && get)
        err = copy_out(item, op->found, op->room, &op->found_size);
    if (err != 0 || op->verb == KR_DICT_GET || (get && op->verb == KR_DICT_DEFAULT))
        return err;
    if (op->verb == KR_DICT_CONTAINS)
        return item != NULL;
    if (op->verb == KR_DICT_ADD) {
        int64_t sum = 0;
        int digits = sum_of(item, op->number, &sum, text);
        if (digits < 0)
            return digits;
        op->found_size = (size_t)op->number; /* kept for take_back */
        op->number = sum;
        kri_table_put(tx, &key, &at, text, (size_t)digits);
    } else if (op->verb == KR_DICT_SET || op->verb == KR_DICT_DEFAULT) {
        kri_table_put(tx, &key, &at, op->value, op->size);
    } else if (item != NULL) {
        kri_table_remove(tx, &at);
    } else {
        return -ENOENT;
    }
    return op->verb == KR_DICT_DEFAULT ? KR_DICT_NEW : 0;
}

/* Nothing was done: the numbers are what is to be added again. */
static void take_back(kr_dict_operation *operations, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (operations[i].verb == KR_DICT_ADD && operations[i].result == 0)
            operations[i].number = (int64_t)operations[i].found_size;
    }
}

static int batch(kr_dict *d, kr_dict_operation *operations, size_t count)
{
    kri_space *s = of(d)->space;
    kri_tx tx;
    uint64_t domains = 0;
    for (size_t i = 0; i < count; i++) {
        kri_key key = kri_key_make(s, operations[i].key, operations[i].key_size);
        domains |= UINT64_C(1) << kri_key_domain(&key);
    }
    if (count == 0)
        return 0;
    int err = kri_tx_begin(&tx, s, domains);
    if (err != 0)
        return err;
    if (!kri_object_is(&of(d)->ref))
        return kri_tx_cancel(&tx, -ESTALE);
    size_t done = 0;
    for (; done < count && tx.err == 0; done++) {
        operations[done].result = do_one(&tx, of(d)->ref.object, &operations[done]);
        if (operations[done].result == KR_ECORRUPT)
            kri_tx_fail(&tx, KR_ECORRUPT);
    }
    err = kri_tx_end(&tx);
    if (err != 0)
        take_back(operations, done);
    return err;
}

/* A handle */

static void end(kr_dict *d)
{
    os_free(d);
}

static const kri_dict_ops operations = {.end = end,
                                        .get = get,
                                        .set = set,
                                        .setdefault = setdefault,
                                        .pop = pop,
                                        .popitem = kri_shared_popitem,
                                        .pop_key = kri_shared_pop_key,
                                        .drop = drop,
                                        .contains = contains,
                                        .length = kri_shared_length,
                                        .clear = kri_shared_clear,
                                        .compare_and_set = compare_and_set,
                                        .add = add,
                                        .batch = batch,
                                        .snapshot = kri_shared_snapshot,
                                        .each = kri_shared_each,
                                        .get_new = get_new};

static void make(kri_tx *tx, kri_object *o, const void *arg)
{
    (void)arg;
    kri_table_make(tx, 0, o);
}

int kri_shared_dict_of_kind(kri_space *s, const char *name, kr_manager_kind kind, shared_dict *d)
{
    const kri_kind how = {kind, make};
    d->face.ops = &operations;
    d->space = s;
    return kri_directory_open(s, name, &how, NULL, &d->ref);
}

int kri_shared_dict_of(kri_space *s, const char *name, shared_dict *d)
{
    return kri_shared_dict_of_kind(s, name, KR_MANAGER_DICT, d);
}
