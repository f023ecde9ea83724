/* SPDX-License-Identifier: MIT */
#include "os/os.h"
#include <time.h>

kr_time os_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (kr_time)now.tv_sec * 1000000000 + now.tv_nsec;
}
