/* A scenario as a test case.
 *
 *     SCENARIO(two_lockers, .early = 2)
 *     {
 *         ...                         // runs once per schedule, as logical thread 0
 *     }
 *
 * The case passes when no schedule within the bounds fails.  In the program of a mutant only the
 * scenario that must find it is a case, and it passes when a schedule fails.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MODEL_SCENARIO_H
#define KRI_MODEL_SCENARIO_H

#include "harness/test.h"
#include <krait/explore.h>

typedef struct kri_scenario {
    const char *name;
    void (*body)(void *arg);
    kr_explore_options options;
    kr_explore_result must_find; /* for scenarios that hold a bug themselves */
    kri_test_case entry;
} kri_scenario;

void kri_scenario_register(kri_scenario *s, void (*run)(void));
void kri_scenario_run(const kri_scenario *s);

/* The last initializer is there because a macro wants an argument for its dots. */
#define SCENARIO(...) KRI_SCENARIO(KR_EXPLORE_PASSED, __VA_ARGS__, .replay = NULL)

/* FAULTY - a scenario that must fail so: FAULTY(name, result, options...). */
#define FAULTY(title, ...)             KRI_FAULTY(title, __VA_ARGS__, .replay = NULL)
#define KRI_FAULTY(title, result, ...) KRI_SCENARIO(result, title, __VA_ARGS__)

#define KRI_SCENARIO(result, title, ...)                                                           \
    static void title(void *arg);                                                                  \
    static kri_scenario title##_scenario = {.name = #title,                                        \
                                            .body = title,                                         \
                                            .must_find = (result),                                 \
                                            .options = {.name = #title, __VA_ARGS__}};             \
    static void title##_run(void)                                                                  \
    {                                                                                              \
        kri_scenario_run(&title##_scenario);                                                       \
    }                                                                                              \
    __attribute__((constructor)) static void title##_register(void)                                \
    {                                                                                              \
        kri_scenario_register(&title##_scenario, title##_run);                                     \
    }                                                                                              \
    static void title(void *arg __attribute__((unused)))

#endif
