/* Starting and joining, as the cases of threads do it over and over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_THREAD_HELP_H
#define KRI_TESTS_THREAD_HELP_H

#include "harness/test.h"
#include <krait/thread.h>

static inline kr_thread *start(kr_run_fn run, const void *arg)
{
    kr_thread *t;
    CHECK_EQ(kr_thread_start(&t, run, arg, 0, NULL), 0);
    return t;
}

static inline void join(kr_thread *t)
{
    CHECK_EQ(kr_thread_join(t, NULL, KR_FOREVER), 0);
    kr_thread_release(t);
}

/* Join one that is to have returned 0. */
static inline void join_well(kr_thread *t)
{
    int result = -1;
    CHECK_EQ(kr_thread_join(t, &result, KR_FOREVER), 0);
    CHECK_EQ(result, 0);
    kr_thread_release(t);
}

static inline int nothing(void *arg)
{
    (void)arg;
    return 0;
}

#endif
