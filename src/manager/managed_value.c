/* The public face of a manager's values, arrays and queues.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/containers.h"

static const kr_queue_options defaults;

/* Values */

int kr_managed_value_open(kr_managed_value **v, kr_manager *m, const char *name, size_t size,
                          const void *value)
{
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(v, m, name, &kinds);
    if (err == 0 && (size > PTRDIFF_MAX / 4 || (size == 0 && (name == NULL || value != NULL))))
        err = -EINVAL;
    if (err == 0)
        err = kinds->value(v, m, name, size, value);
    return KRI_OPEN_END(v, m, err);
}

void kr_managed_value_release(kr_managed_value *v)
{
    KRI_CLOSE(v);
}

void kr_managed_value_auto(kr_managed_value **v)
{
    kr_managed_value_release(*v);
}

const char *kr_managed_value_name(const kr_managed_value *v)
{
    return v != NULL ? v->handle.name : NULL;
}

size_t kr_managed_value_size(const kr_managed_value *v)
{
    return v != NULL ? v->size : 0;
}

int kr_managed_value_get(kr_managed_value *v, void *value)
{
    return v != NULL && value != NULL ? v->ops->get(v, value) : -EINVAL;
}

int kr_managed_value_set(kr_managed_value *v, const void *value)
{
    return v != NULL && value != NULL ? v->ops->set(v, value) : -EINVAL;
}

int kr_managed_value_compare_and_set(kr_managed_value *v, const void *expected, const void *value)
{
    if (v == NULL || expected == NULL || value == NULL)
        return -EINVAL;
    return v->ops->compare_and_set(v, expected, value);
}

int kr_managed_value_add(kr_managed_value *v, int64_t amount, int64_t *sum)
{
    int64_t unwanted;
    if (v == NULL || v->size != sizeof(int64_t))
        return -EINVAL;
    return v->ops->add(v, amount, sum != NULL ? sum : &unwanted);
}

/* Arrays */

int kr_managed_array_open(kr_managed_array **a, kr_manager *m, const char *name, size_t item_size,
                          size_t length, const void *items)
{
    size_t bytes;
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(a, m, name, &kinds);
    if (err == 0 && (__builtin_mul_overflow(item_size, length, &bytes) || bytes > PTRDIFF_MAX / 4 ||
                     (bytes == 0 && (name == NULL || items != NULL))))
        err = -EINVAL;
    if (err == 0)
        err = kinds->array(a, m, name, item_size, length, items);
    return KRI_OPEN_END(a, m, err);
}

void kr_managed_array_release(kr_managed_array *a)
{
    KRI_CLOSE(a);
}

void kr_managed_array_auto(kr_managed_array **a)
{
    kr_managed_array_release(*a);
}

const char *kr_managed_array_name(const kr_managed_array *a)
{
    return a != NULL ? a->handle.name : NULL;
}

size_t kr_managed_array_item_size(const kr_managed_array *a)
{
    return a != NULL ? a->item_size : 0;
}

size_t kr_managed_array_length(const kr_managed_array *a)
{
    return a != NULL ? a->length : 0;
}

static int check_part(const kr_managed_array *a, size_t first, size_t count, const void *items)
{
    if (a == NULL || (items == NULL && count != 0))
        return -EINVAL;
    return first > a->length || count > a->length - first ? -ENOENT : 0;
}

int kr_managed_array_get(kr_managed_array *a, size_t first, size_t count, void *items)
{
    int err = check_part(a, first, count, items);
    return err != 0 || count == 0 ? err : a->ops->get(a, first, count, items);
}

int kr_managed_array_set(kr_managed_array *a, size_t first, size_t count, const void *items)
{
    int err = check_part(a, first, count, items);
    return err != 0 || count == 0 ? err : a->ops->set(a, first, count, items);
}

/* Queues */

int kr_manager_queue(kr_queue **q, kr_manager *m, const char *name, size_t item_size,
                     size_t maxsize, const kr_queue_options *options)
{
    const kri_containers *kinds;
    int err = KRI_OPEN_BEGIN(q, m, name, &kinds);
    if (err == 0 && name == NULL)
        err = -EINVAL;
    if (err == 0)
        err = kinds->queue(q, m, name, item_size, maxsize, options != NULL ? options : &defaults);
    return err;
}
