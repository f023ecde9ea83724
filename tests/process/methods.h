/* One body for the three start methods: METHOD_TEST(name) { ... start(&p, run, ...) }.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_PROCESS_METHODS_H
#define KRI_TESTS_PROCESS_METHODS_H

#include "harness/sanitizers.h"
#include "harness/test.h"
#include <krait/krait.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static kr_start_method method;

#define METHOD_TEST(name)                                                                          \
    static void name(void);                                                                        \
    static void name##_fork(void)                                                                  \
    {                                                                                              \
        method = KR_FORK;                                                                          \
        name();                                                                                    \
    }                                                                                              \
    static void name##_spawn(void)                                                                 \
    {                                                                                              \
        method = KR_SPAWN;                                                                         \
        name();                                                                                    \
    }                                                                                              \
    static void name##_forkserver(void)                                                            \
    {                                                                                              \
        method = KR_FORKSERVER;                                                                    \
        name();                                                                                    \
    }                                                                                              \
    __attribute__((constructor)) static void name##_register(void)                                 \
    {                                                                                              \
        static kri_test_case entries[] = {{#name ".fork", name##_fork, NULL},                      \
                                          {#name ".spawn", name##_spawn, NULL},                    \
                                          {#name ".forkserver", name##_forkserver, NULL}};         \
        for (int i = 0; i < 3; i++)                                                                \
            kri_test_register(&entries[i]);                                                        \
    }                                                                                              \
    static void name(void)

/* Start by the case's method. */
static inline kr_process *start_with(kr_run_fn run, const void *arg, size_t size,
                                     kr_process_options o)
{
    kr_process *p;
    if (o.start == KR_START_DEFAULT)
        o.start = method;
    CHECK_EQ(kr_process_start(&p, run, arg, size, &o), 0);
    return p;
}

static inline kr_process *start(kr_run_fn run, const void *arg, size_t size)
{
    return start_with(run, arg, size, (kr_process_options){0});
}

/* Join, and release: its exit code. */
static inline int end(kr_process *p)
{
    int code = 12345;
    CHECK_EQ(kr_process_join(p, &code, kr_sec(60)), 0);
    kr_process_release(p);
    return code;
}

static inline int run_code(kr_run_fn run, const void *arg, size_t size)
{
    return end(start(run, arg, size));
}

#endif
