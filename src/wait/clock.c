/* SPDX-License-Identifier: MIT */
#include "os/os.h"
#include "wait/wait.h"

kr_time kr_now(void)
{
    return os_now();
}

kr_time kri_deadline(kr_time timeout)
{
    if (timeout == KR_FOREVER)
        return KRI_NEVER;
    if (timeout == KR_NOWAIT)
        return 0;
    kr_time deadline;
    return __builtin_add_overflow(os_now(), timeout, &deadline) ? KRI_NEVER : deadline;
}

kr_time kri_left_until(kr_time deadline)
{
    if (deadline == KRI_NEVER)
        return KR_FOREVER;
    kr_time now = os_now();
    return deadline > now ? deadline - now : KR_NOWAIT;
}
