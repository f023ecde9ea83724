/* The public face of dicts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/dict_shared.h"
#include "manager/shared.h"
#include "os/os.h"
#include <stdlib.h>
#include <string.h>

enum { FIRST_ROOM = 256 };

static bool is_key(const kr_dict *d, const void **key, size_t size)
{
    if (d == NULL || size > KR_DICT_KEY || (*key == NULL && size != 0))
        return false;
    if (*key == NULL)
        *key = "";
    return true;
}

/* Of no bytes: any address. */
static bool is_value(const void **value, size_t size)
{
    if (*value == NULL && size == 0)
        *value = "";
    return *value != NULL;
}

static bool is_room(const void *value, size_t room)
{
    return value != NULL || room == 0;
}

int kr_dict_open(kr_dict **d, kr_manager *m, const char *name)
{
    if (d == NULL)
        return -EINVAL;
    *d = NULL;
    if (m == NULL)
        return -EINVAL;
    int err = name != NULL ? kri_manager_name_check(name) : 0;
    if (err != 0)
        return err;
    return m->ops->dict != NULL ? m->ops->dict(m, name, d) : -EOPNOTSUPP;
}

int kri_dict_open_as(kr_dict **d, kr_manager *m, const char *name, kr_manager_kind kind)
{
    if (m == NULL || m->ops->dict_as == NULL)
        return kr_dict_open(d, m, name);
    int err = name != NULL ? kri_manager_name_check(name) : 0;
    return err == 0 ? m->ops->dict_as(m, name, kind, d) : err;
}

int kri_shared_dict_as(kr_manager *m, const char *name, kr_manager_kind kind, kr_dict **d)
{
    kri_space *s = &kri_shared_manager_of(m)->space;
    shared_dict *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    if (name != NULL)
        strcpy(made->face.name, name); /* was checked */
    else
        kri_manager_name_make(made->face.name);
    int err = kri_shared_dict_of_kind(s, made->face.name, kind, made);
    if (err < 0) {
        os_free(made);
        return err;
    }
    made->face.manager = m;
    kri_manager_retain(m);
    *d = &made->face;
    return 0;
}

int kri_shared_dict(kr_manager *m, const char *name, kr_dict **d)
{
    return kri_shared_dict_as(m, name, KR_MANAGER_DICT, d);
}

void kr_dict_release(kr_dict *d)
{
    if (d == NULL)
        return;
    kr_manager *m = d->manager;
    d->ops->end(d);
    kr_manager_release(m);
}

void kr_dict_auto(kr_dict **d)
{
    kr_dict_release(*d);
}

const char *kr_dict_name(const kr_dict *d)
{
    return d != NULL ? d->name : NULL;
}

int kr_dict_get(kr_dict *d, const void *key, size_t key_size, void *value, size_t room,
                size_t *size)
{
    size_t ignored;
    if (!is_key(d, &key, key_size) || !is_room(value, room))
        return -EINVAL;
    return d->ops->get(d, key, key_size, value, room, size != NULL ? size : &ignored);
}

/* With more room each time it has grown in between. */
static int get_growing(kr_dict *d, const void *key, size_t key_size, void **value, size_t *size)
{
    size_t room = FIRST_ROOM;
    for (;;) {
        unsigned char *made = malloc(room + 1);
        if (made == NULL)
            return -ENOMEM;
        int err = d->ops->get(d, key, key_size, made, room, size);
        if (err == 0) {
            made[*size] = 0;
            *value = made;
            return 0;
        }
        free(made);
        if (err != -ERANGE)
            return err;
        room = *size;
    }
}

int kr_dict_get_new(kr_dict *d, const void *key, size_t key_size, void **value, size_t *size)
{
    size_t ignored;
    if (!is_key(d, &key, key_size) || value == NULL)
        return -EINVAL;
    size_t *told = size != NULL ? size : &ignored;
    return d->ops->get_new != NULL ? d->ops->get_new(d, key, key_size, value, told)
                                   : get_growing(d, key, key_size, value, told);
}

int kr_dict_set(kr_dict *d, const void *key, size_t key_size, const void *value, size_t size)
{
    if (!is_key(d, &key, key_size) || !is_value(&value, size))
        return -EINVAL;
    return d->ops->set(d, key, key_size, value, size);
}

int kr_dict_setdefault(kr_dict *d, const void *key, size_t key_size, const void *value, size_t size,
                       void *found, size_t room, size_t *found_size)
{
    size_t ignored;
    if (!is_key(d, &key, key_size) || !is_value(&value, size) || !is_room(found, room))
        return -EINVAL;
    return d->ops->setdefault(d, key, key_size, value, size, found, room,
                              found_size != NULL ? found_size : &ignored);
}

int kr_dict_pop(kr_dict *d, const void *key, size_t key_size, void *value, size_t room,
                size_t *size)
{
    size_t ignored;
    if (!is_key(d, &key, key_size) || !is_room(value, room))
        return -EINVAL;
    return d->ops->pop(d, key, key_size, value, room, size != NULL ? size : &ignored);
}

int kr_dict_popitem(kr_dict *d, kr_dict_item **item)
{
    return d != NULL && item != NULL ? d->ops->popitem(d, item) : -EINVAL;
}

int kr_dict_delete(kr_dict *d, const void *key, size_t key_size)
{
    return is_key(d, &key, key_size) ? d->ops->drop(d, key, key_size) : -EINVAL;
}

int kr_dict_contains(kr_dict *d, const void *key, size_t key_size)
{
    return is_key(d, &key, key_size) ? d->ops->contains(d, key, key_size) : -EINVAL;
}

int64_t kr_dict_length(kr_dict *d)
{
    return d != NULL ? d->ops->length(d) : -EINVAL;
}

int kr_dict_clear(kr_dict *d)
{
    return d != NULL ? d->ops->clear(d) : -EINVAL;
}

int kr_dict_compare_and_set(kr_dict *d, const void *key, size_t key_size, const void *expected,
                            size_t expected_size, const void *value, size_t size)
{
    bool sound = (expected != NULL || expected_size == 0) && (value != NULL || size == 0);
    if (!is_key(d, &key, key_size) || !sound)
        return -EINVAL;
    return d->ops->compare_and_set(d, key, key_size, expected, expected_size, value, size);
}

int kr_dict_add(kr_dict *d, const void *key, size_t key_size, int64_t addend, int64_t *result)
{
    int64_t ignored;
    if (!is_key(d, &key, key_size))
        return -EINVAL;
    return d->ops->add(d, key, key_size, addend, result != NULL ? result : &ignored);
}

int kr_dict_update(kr_dict *d, const void *key, size_t key_size,
                   int (*change)(kr_dict_value *now, void *arg), void *arg)
{
    if (change == NULL)
        return -EINVAL;
    for (;;) {
        void *old = NULL;
        size_t size = 0;
        int err = kr_dict_get_new(d, key, key_size, &old, &size);
        if (err != 0 && err != -ENOENT)
            return err;
        kr_dict_value now = {old, size};
        int wanted = change(&now, arg);
        if (wanted == 0)
            err = kr_dict_compare_and_set(d, key, key_size, old, size, now.value,
                                          now.value != NULL ? now.size : 0);
        free(old);
        if (wanted != 0 || err != -EAGAIN)
            return wanted != 0 ? wanted : err;
    }
}

static bool is_operation(const kr_dict *d, kr_dict_operation *op)
{
    if (!is_key(d, &op->key, op->key_size) || !is_room(op->found, op->room))
        return false;
    if ((op->verb == KR_DICT_SET || op->verb == KR_DICT_DEFAULT) && !is_value(&op->value, op->size))
        return false;
    return op->verb >= KR_DICT_GET && op->verb <= KR_DICT_ADD;
}

int kr_dict_batch(kr_dict *d, kr_dict_operation *operations, size_t count)
{
    if (d == NULL || (operations == NULL && count != 0) || count > INT32_MAX)
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (!is_operation(d, &operations[i]))
            return -EINVAL;
    }
    return d->ops->batch(d, operations, count);
}

int kr_dict_snapshot(kr_dict *d, kr_dict_items **items)
{
    return d != NULL && items != NULL ? d->ops->snapshot(d, items) : -EINVAL;
}

static int each_of_snapshot(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg), void *arg)
{
    KR_AUTO(kr_dict_items) *items = NULL;
    int err = d->ops->snapshot(d, &items);
    for (size_t i = 0; err == 0 && i < kr_dict_items_count(items); i++)
        err = each(kr_dict_items_at(items, i), arg);
    return err;
}

int kr_dict_each(kr_dict *d, int (*each)(const kr_dict_item *item, void *arg), void *arg)
{
    if (d == NULL || each == NULL)
        return -EINVAL;
    return d->ops->each != NULL ? d->ops->each(d, each, arg) : each_of_snapshot(d, each, arg);
}
