/* Managers on a server: not in this build.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/manager.h"

int kri_redis_manager_open(kr_manager **m, const char *url, const kr_manager_options *o)
{
    (void)m, (void)url, (void)o;
    return -ENOSYS;
}
