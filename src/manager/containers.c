/* What the public functions of a manager's containers have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/containers.h"

const kri_containers *kri_containers_check(const kr_manager *m, const char *name, int *err)
{
    *err = m == NULL ? -EINVAL : name != NULL ? kri_manager_name_check(name) : 0;
    if (*err == 0 && m->ops->containers == NULL)
        *err = -EOPNOTSUPP;
    return *err == 0 ? m->ops->containers : NULL;
}
