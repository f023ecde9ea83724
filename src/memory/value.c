/* A shared value is an array of one.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/value.h>

/* Never defined: the handle is that of an array. */
static kr_array *array(const kr_value *v)
{
    return (kr_array *)(uintptr_t)v;
}

int kr_value_create(kr_value **v, size_t size, const void *value, const kr_array_options *options)
{
    kr_array *made = NULL;
    int err = v != NULL ? kr_array_create(&made, size, 1, value, options) : -EINVAL;
    if (err == 0)
        *v = (kr_value *)made;
    return err;
}

size_t kr_value_memory_size(size_t size)
{
    return kr_array_memory_size(size, 1);
}

int kr_value_create_at(kr_value **v, void *memory, size_t memory_size, size_t size,
                       const void *value, const kr_array_options *options)
{
    kr_array *made = NULL;
    int err = v != NULL ? kr_array_create_at(&made, memory, memory_size, size, 1, value, options)
                        : -EINVAL;
    if (err == 0)
        *v = (kr_value *)made;
    return err;
}

int kr_value_attach(kr_value **v, void *memory, size_t memory_size, const kr_array_options *options)
{
    kr_array *made = NULL;
    int err = v != NULL ? kr_array_attach(&made, memory, memory_size, options) : -EINVAL;
    if (err == 0 && kr_array_length(made) != 1) {
        kr_array_release(made);
        err = KR_ECORRUPT;
    }
    if (err == 0)
        *v = (kr_value *)made;
    return err;
}

void kr_value_release(kr_value *v)
{
    kr_array_release(array(v));
}

void kr_value_auto(kr_value **v)
{
    kr_value_release(*v);
}

size_t kr_value_size(const kr_value *v)
{
    return kr_array_item_size(array(v));
}

void *kr_value_data(const kr_value *v)
{
    return kr_array_items(array(v));
}

kr_rlock *kr_value_lock(const kr_value *v)
{
    return kr_array_lock(array(v));
}

int kr_value_get(kr_value *v, void *value, kr_time timeout)
{
    return kr_array_get(array(v), 0, value, timeout);
}

int kr_value_set(kr_value *v, const void *value, kr_time timeout)
{
    return kr_array_set(array(v), 0, value, timeout);
}
