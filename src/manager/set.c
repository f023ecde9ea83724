/* A set is a dict with empty values.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/items.h"
#include "manager/manager.h"
#include <krait/set.h>
#include <string.h>

/* Never defined: the handle is that of a dict. */
static kr_dict *dict(const kr_set *s)
{
    return (kr_dict *)(uintptr_t)s;
}

int kr_set_open(kr_set **s, kr_manager *m, const char *name)
{
    kr_dict *made = NULL;
    int err = s != NULL ? kri_dict_open_as(&made, m, name, KR_MANAGER_SET) : -EINVAL;
    if (s != NULL)
        *s = (kr_set *)made;
    return err;
}

void kr_set_release(kr_set *s)
{
    kr_dict_release(dict(s));
}

void kr_set_auto(kr_set **s)
{
    kr_set_release(*s);
}

const char *kr_set_name(const kr_set *s)
{
    return kr_dict_name(dict(s));
}

int kr_set_add(kr_set *s, const void *member, size_t size)
{
    int err = kr_dict_setdefault(dict(s), member, size, NULL, 0, NULL, 0, NULL);
    return err == KR_DICT_NEW ? 1 : err;
}

int kr_set_discard(kr_set *s, const void *member, size_t size)
{
    int err = kr_dict_delete(dict(s), member, size);
    return err == 0 ? 1 : err == -ENOENT ? 0 : err;
}

int kr_set_contains(kr_set *s, const void *member, size_t size)
{
    return kr_dict_contains(dict(s), member, size);
}

/* Popping where the back end cannot: take what is found first; when somebody else has taken it
 * meanwhile, look again. */

enum { FOUND = 1 };

static int take_first(const kr_dict_item *item, void *arg)
{
    kri_key_room *c = arg;
    c->size = item->key_size;
    if (c->size > c->room)
        return -ERANGE;
    if (c->size != 0)
        memcpy(c->bytes, item->key, c->size);
    return FOUND;
}

static int find_and_pop(kr_dict *d, kri_key_room *c)
{
    int err;
    do {
        err = kr_dict_each(d, take_first, c);
        if (err == FOUND)
            err = kr_dict_delete(d, c->bytes, c->size);
        else if (err == 0)
            return -ENOENT;
    } while (err == -ENOENT);
    return err;
}

int kr_set_pop(kr_set *s, void *member, size_t room, size_t *size)
{
    kri_key_room c = {.bytes = member, .room = room};
    kr_dict *d = dict(s);
    if (d == NULL || (member == NULL && room != 0))
        return -EINVAL;
    int err = d->ops->pop_key != NULL ? d->ops->pop_key(d, &c) : find_and_pop(d, &c);
    if (size != NULL && (err == 0 || err == -ERANGE))
        *size = c.size;
    return err;
}

int64_t kr_set_length(kr_set *s)
{
    return kr_dict_length(dict(s));
}

int kr_set_clear(kr_set *s)
{
    return kr_dict_clear(dict(s));
}

int64_t kr_set_update(kr_set *s, const kr_bytes *members, size_t count)
{
    int64_t added = 0;
    if (s == NULL || (members == NULL && count != 0))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        int err = kr_set_add(s, members[i].data, members[i].size);
        if (err < 0)
            return err;
        added += err;
    }
    return added;
}

static kr_items *members_of(const kr_dict_items *all)
{
    size_t count = kr_dict_items_count(all), bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += kr_dict_items_at(all, i)->key_size;
    kr_items *members = kri_items_new(count, bytes);
    for (size_t i = 0; members != NULL && i < count; i++) {
        const kr_dict_item *item = kr_dict_items_at(all, i);
        kri_items_add(members, item->key, item->key_size);
    }
    return members;
}

int kr_set_items(kr_set *s, kr_items **members)
{
    KR_AUTO(kr_dict_items) *all = NULL;
    if (members == NULL)
        return -EINVAL;
    *members = NULL;
    int err = kr_dict_snapshot(dict(s), &all);
    if (err == 0) {
        *members = members_of(all);
        err = *members != NULL ? 0 : -ENOMEM;
    }
    return err;
}
