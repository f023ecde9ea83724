/* What the public functions of a manager's containers have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/containers.h"

int kri_containers_of(const kr_manager *m, const char *name, const kri_containers **kinds)
{
    int err = m == NULL ? -EINVAL : name != NULL ? kri_manager_name_check(name) : 0;
    if (err == 0 && m->ops->containers == NULL)
        err = -EOPNOTSUPP;
    if (err == 0)
        *kinds = m->ops->containers;
    return err;
}
