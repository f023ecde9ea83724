/* The public face of managers: places, names, counts of handles.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/manager.h"
#include "base/options.h"
#include "os/os.h"
#include <stdio.h>
#include <string.h>

enum { MODES = 0666 };

static const kr_manager_options defaults;

static bool are_sound(const kr_manager_options *o)
{
    return kri_reserved_is_clear(o->reserved) && (o->mode & ~(unsigned)MODES) == 0 &&
           o->timeout >= 0 && (unsigned)o->how <= KR_MANAGER_ATTACH;
}

static bool begins_with(const char *text, const char *beginning)
{
    return strncmp(text, beginning, strlen(beginning)) == 0;
}

static bool is_server(const char *where)
{
    return begins_with(where, "redis://") || begins_with(where, "rediss://") ||
           begins_with(where, "unix:");
}

int kr_manager_open(kr_manager **m, const char *where, const kr_manager_options *options)
{
    const kr_manager_options *o = options != NULL ? options : &defaults;
    if (m == NULL || !are_sound(o))
        return -EINVAL;
    if (where == NULL && o->how == KR_MANAGER_ATTACH)
        return -EINVAL;
    return where != NULL && is_server(where) ? kri_redis_manager_open(m, where, o)
                                             : kri_shared_manager_open(m, where, o);
}

int kr_manager_attach_descriptor(kr_manager **m, int fd, const kr_manager_options *options)
{
    const kr_manager_options *o = options != NULL ? options : &defaults;
    if (m == NULL || !are_sound(o))
        return -EINVAL;
    return kri_shared_manager_attach(m, fd, o);
}

void kri_manager_retain(kr_manager *m)
{
    kri_add_rlx(&m->references, 1);
}

void kr_manager_release(kr_manager *m)
{
    if (m != NULL && kri_sub_acq_rel(&m->references, 1) == 1)
        m->ops->end(m);
}

void kr_manager_auto(kr_manager **m)
{
    kr_manager_release(*m);
}

int kr_manager_descriptor(const kr_manager *m)
{
    return m != NULL && m->ops->descriptor != NULL ? m->ops->descriptor(m) : -1;
}

int kri_manager_name_check(const char *name)
{
    size_t length = strnlen(name, KR_MANAGER_NAME + 1);
    if (length > KR_MANAGER_NAME)
        return -ENAMETOOLONG;
    return length == 0 ? -EINVAL : 0;
}

void kri_manager_name_make(char name[KR_MANAGER_NAME + 1])
{
    uint64_t numbers[2];
    os_random(numbers, sizeof numbers);
    snprintf(name, KR_MANAGER_NAME + 1, "krait-%016jx%016jx", (uintmax_t)numbers[0],
             (uintmax_t)numbers[1]);
}

int kr_manager_delete(kr_manager *m, const char *name)
{
    if (m == NULL || name == NULL)
        return -EINVAL;
    int err = kri_manager_name_check(name);
    if (err != 0)
        return err;
    return m->ops->drop != NULL ? m->ops->drop(m, name) : -EOPNOTSUPP;
}

int kr_manager_each(kr_manager *m, int (*each)(const char *name, kr_manager_kind kind, void *arg),
                    void *arg)
{
    if (m == NULL || each == NULL)
        return -EINVAL;
    return m->ops->each != NULL ? m->ops->each(m, each, arg) : -EOPNOTSUPP;
}

int kr_manager_read_statistics(kr_manager *m, kr_manager_statistics *statistics)
{
    if (m == NULL || statistics == NULL)
        return -EINVAL;
    return m->ops->statistics != NULL ? m->ops->statistics(m, statistics) : -EOPNOTSUPP;
}

int kr_manager_trim(kr_manager *m)
{
    if (m == NULL)
        return -EINVAL;
    return m->ops->trim != NULL ? m->ops->trim(m) : -EOPNOTSUPP;
}
