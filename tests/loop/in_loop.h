/* Cases that run as the first coroutine of a loop, and tasks that end when they are told to.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_LOOP_IN_LOOP_H
#define KRI_TESTS_LOOP_IN_LOOP_H

#include "harness/test.h"

#include <krait/krait.h>

#define LOOP_TEST(name)                                                                            \
    static void name##_in_loop(void);                                                              \
    static int name##_main(void *arg)                                                              \
    {                                                                                              \
        (void)arg;                                                                                 \
        name##_in_loop();                                                                          \
        return 0;                                                                                  \
    }                                                                                              \
    TEST(name)                                                                                     \
    {                                                                                              \
        CHECK_EQ(kr_run(name##_main, NULL), 0);                                                    \
    }                                                                                              \
    static void name##_in_loop(void)

/* A task that says that it runs, waits until it is told to end, and says how it ended. */
struct step {
    kr_event go;
    int error;           /* what it returns then */
    int after_cancel;    /* what it returns when it was cancelled; 0: -ECANCELED */
    kr_time delay;       /* how long it takes to end when cancelled */
    bool ignores_cancel; /* goes on waiting when cancelled */
    bool begun;
    bool cancelled;
    bool ended;
};

static inline int end_step(struct step *step)
{
    step->cancelled = true;
    kr_shield {
        if (step->delay > 0)
            CHECK_EQ(kr_sleep(step->delay), 0);
        if (step->ignores_cancel)
            CHECK_EQ(kr_event_wait(&step->go, KR_FOREVER), 0);
    }
    if (step->ignores_cancel)
        return step->error;
    return step->after_cancel != 0 ? step->after_cancel : -ECANCELED;
}

static inline int take_step(const void *arg, void *result)
{
    struct step *step = *(struct step *const *)arg;
    step->begun = true;
    int err = kr_event_wait(&step->go, KR_FOREVER);
    err = err == -ECANCELED ? end_step(step) : step->error;
    step->ended = true;
    if (result != NULL)
        *(int *)result = 42;
    return err;
}

static inline kr_future *spawn_step(struct step *step, size_t result_size)
{
    kr_future *f;
    CHECK_EQ(kr_spawn(&f, take_step, &step, sizeof step, result_size, NULL), 0);
    return f;
}

static inline void let_go(struct step *step, int error)
{
    step->error = error;
    kr_event_set(&step->go);
}

/* Until all others of the loop have come to a wait. */
static inline void let_others_run(void)
{
    for (int i = 0; i < 8; i++)
        (void)kr_yield();
}

static inline int error_of(kr_future *f)
{
    int error;
    CHECK_EQ(kr_future_exception(f, &error, KR_FOREVER), 0);
    kr_future_release(f);
    return error;
}

#endif
