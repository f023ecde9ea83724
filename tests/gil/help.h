/* What the tests of interpreter locks share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_GIL_HELP_H
#define KRI_TESTS_GIL_HELP_H

#include "base/atomic.h"
#include "harness/test.h"

#include <krait/krait.h>

static const kr_gil_policy policies[] = {KR_GIL_DEADLINE, KR_GIL_INTERVAL, KR_GIL_TICKS};
static const char *const policy_names[] = {"deadline", "interval", "ticks"};
enum { POLICIES = 3 };

static inline kr_gil *gil_create(kr_gil_policy policy)
{
    kr_gil *gil;
    CHECK_EQ(kr_gil_create(&gil, &(kr_gil_options){.policy = policy}), 0);
    return gil;
}

static inline kr_gil_thread *gil_attach(kr_gil *gil)
{
    kr_gil_thread *thread;
    CHECK_EQ(kr_gil_attach(gil, &thread), 0);
    return thread;
}

/* Until `count` wait for it. */
static inline void gil_await_waiting(kr_gil *gil, unsigned count)
{
    kr_gil_metrics metrics;
    do {
        kri_test_nap();
        kr_gil_measure(gil, &metrics);
    } while (metrics.waiting < count);
}

static inline kr_thread *start(int (*run)(void *arg), void *arg)
{
    kr_thread *thread;
    CHECK_EQ(kr_thread_start(&thread, run, arg, 0, NULL), 0);
    return thread;
}

static inline int join(kr_thread *thread)
{
    int result;
    CHECK_EQ(kr_thread_join(thread, &result, KR_FOREVER), 0);
    kr_thread_release(thread);
    return result;
}

#endif
