/* A namespace is a dict whose keys are strings.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/manager.h"
#include <krait/namespace.h>
#include <string.h>

/* Never defined: the handle is that of a dict. */
static kr_dict *dict(const kr_namespace *n)
{
    return (kr_dict *)(uintptr_t)n;
}

int kr_namespace_open(kr_namespace **n, kr_manager *m, const char *name)
{
    kr_dict *made = NULL;
    int err = n != NULL ? kri_dict_open_as(&made, m, name, KR_MANAGER_NAMESPACE) : -EINVAL;
    if (n != NULL)
        *n = (kr_namespace *)made;
    return err;
}

void kr_namespace_release(kr_namespace *n)
{
    kr_dict_release(dict(n));
}

void kr_namespace_auto(kr_namespace **n)
{
    kr_namespace_release(*n);
}

const char *kr_namespace_name(const kr_namespace *n)
{
    return kr_dict_name(dict(n));
}

/* None at all is longer than any may be. */
static size_t length(const char *attribute)
{
    return attribute != NULL ? strlen(attribute) : SIZE_MAX;
}

int kr_namespace_set(kr_namespace *n, const char *attribute, const void *value, size_t size)
{
    return kr_dict_set(dict(n), attribute, length(attribute), value, size);
}

int kr_namespace_get(kr_namespace *n, const char *attribute, void *value, size_t room, size_t *size)
{
    return kr_dict_get(dict(n), attribute, length(attribute), value, room, size);
}

int kr_namespace_delete(kr_namespace *n, const char *attribute)
{
    return kr_dict_delete(dict(n), attribute, length(attribute));
}

int kr_namespace_has(kr_namespace *n, const char *attribute)
{
    return kr_dict_contains(dict(n), attribute, length(attribute));
}

int kr_namespace_set_int(kr_namespace *n, const char *attribute, int64_t value)
{
    return kr_dict_set_int(dict(n), attribute, value);
}

int kr_namespace_get_int(kr_namespace *n, const char *attribute, int64_t *value)
{
    return kr_dict_get_int(dict(n), attribute, value);
}

int kr_namespace_set_double(kr_namespace *n, const char *attribute, double value)
{
    return kr_dict_set_double(dict(n), attribute, value);
}

int kr_namespace_get_double(kr_namespace *n, const char *attribute, double *value)
{
    return kr_dict_get_double(dict(n), attribute, value);
}

int kr_namespace_set_string(kr_namespace *n, const char *attribute, const char *value)
{
    return kr_dict_set_string(dict(n), attribute, value);
}

int kr_namespace_get_string(kr_namespace *n, const char *attribute, char *value, size_t room)
{
    return kr_dict_get_string(dict(n), attribute, value, room);
}
