/* A local whose values are counted, to see that each task has its own, and for how long.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_EXECUTOR_COUNTED_LOCAL_H
#define KRI_TESTS_EXECUTOR_COUNTED_LOCAL_H

#include "base/atomic.h"
#include <krait/local.h>

static kr_word values_alive;

static int begin_value(void *value)
{
    (void)value;
    kri_add_rlx(&values_alive, 1);
    return 0;
}

static void end_value(void *value)
{
    (void)value;
    kri_sub_rlx(&values_alive, 1);
}

static kr_local local = KR_LOCAL_INIT(sizeof(int), begin_value, end_value);

#endif
