/* The public face of a manager's lists: checks what it is given and calls the back end.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/containers.h"
#include <string.h>

int kr_list_open(kr_list **l, kr_manager *m, const char *name)
{
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(l, m, name, &kinds);
    if (err == 0)
        err = kinds->list(l, m, name);
    return KRI_OPEN_END(l, m, err);
}

void kr_list_release(kr_list *l)
{
    KRI_CLOSE(l);
}

void kr_list_auto(kr_list **l)
{
    kr_list_release(*l);
}

const char *kr_list_name(const kr_list *l)
{
    return l != NULL ? l->handle.name : NULL;
}

static bool is_item(const kr_list *l, const void *item, size_t size)
{
    return l != NULL && (item != NULL || size == 0) && size <= PTRDIFF_MAX;
}

static int append(kr_list *l, bool left, const void *item, size_t size)
{
    return is_item(l, item, size) ? l->ops->append(l, left, item, size) : -EINVAL;
}

int kr_list_append(kr_list *l, const void *item, size_t size)
{
    return append(l, false, item, size);
}

int kr_list_append_left(kr_list *l, const void *item, size_t size)
{
    return append(l, true, item, size);
}

static int pop(kr_list *l, bool left, void *item, size_t room, size_t *size)
{
    size_t length;
    if (!is_item(l, item, room))
        return -EINVAL;
    return l->ops->pop(l, left, item, room, size != NULL ? size : &length);
}

int kr_list_pop(kr_list *l, void *item, size_t room, size_t *size)
{
    return pop(l, false, item, room, size);
}

int kr_list_pop_left(kr_list *l, void *item, size_t room, size_t *size)
{
    return pop(l, true, item, room, size);
}

int kr_list_get(kr_list *l, int64_t index, void *item, size_t room, size_t *size)
{
    size_t length;
    if (!is_item(l, item, room))
        return -EINVAL;
    return l->ops->get(l, index, item, room, size != NULL ? size : &length);
}

int kr_list_set(kr_list *l, int64_t index, const void *item, size_t size)
{
    return is_item(l, item, size) ? l->ops->set(l, index, item, size) : -EINVAL;
}

int kr_list_insert(kr_list *l, int64_t index, const void *item, size_t size)
{
    return is_item(l, item, size) ? l->ops->insert(l, index, item, size) : -EINVAL;
}

int kr_list_delete(kr_list *l, int64_t index)
{
    return l != NULL ? l->ops->take_out(l, index) : -EINVAL;
}

int64_t kr_list_index(kr_list *l, const void *item, size_t size)
{
    return is_item(l, item, size) ? l->ops->index(l, item, size) : -EINVAL;
}

int64_t kr_list_count(kr_list *l, const void *item, size_t size)
{
    return is_item(l, item, size) ? l->ops->count(l, item, size) : -EINVAL;
}

int kr_list_remove(kr_list *l, const void *item, size_t size)
{
    return is_item(l, item, size) ? l->ops->remove(l, item, size) : -EINVAL;
}

int64_t kr_list_length(kr_list *l)
{
    return l != NULL ? l->ops->length(l) : -EINVAL;
}

int kr_list_extend(kr_list *l, const kr_bytes *items, size_t count)
{
    if (l == NULL || (items == NULL && count != 0))
        return -EINVAL;
    for (size_t i = 0; i < count; i++) {
        if (!is_item(l, items[i].data, items[i].size))
            return -EINVAL;
    }
    return count != 0 ? l->ops->extend(l, items, count) : 0;
}

int kr_list_clear(kr_list *l)
{
    return l != NULL ? l->ops->clear(l) : -EINVAL;
}

int kr_list_reverse(kr_list *l)
{
    return l != NULL ? l->ops->reverse(l) : -EINVAL;
}

static int compare_bytes(const kr_bytes *a, const kr_bytes *b, void *arg)
{
    size_t least = a->size < b->size ? a->size : b->size;
    int order = least != 0 ? memcmp(a->data, b->data, least) : 0;
    (void)arg;
    return order != 0 ? order : (a->size > b->size) - (a->size < b->size);
}

int kr_list_sort(kr_list *l, kr_list_compare compare, void *arg)
{
    return l != NULL ? l->ops->sort(l, compare != NULL ? compare : compare_bytes, arg) : -EINVAL;
}

int kr_list_slice(kr_list *l, int64_t first, int64_t end, kr_items **items)
{
    if (items == NULL)
        return -EINVAL;
    *items = NULL;
    return l != NULL ? l->ops->slice(l, first, end, items) : -EINVAL;
}
