/* What the scenarios of loops share: a loop, and what its coroutines and others meet at.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MODEL_LOOP_SCENARIO_H
#define KRI_MODEL_LOOP_SCENARIO_H

#include "base/atomic.h"
#include "model/scenario.h"
#include "wait/wait.h"
#include <krait/cancel.h>
#include <krait/coroutine.h>
#include <krait/lock.h>
#include <krait/semaphore.h>

static struct {
    kr_word word;
    kr_word second;
    kr_lock lock;
    kr_semaphore semaphore;
    long counter; /* plain: guarded by lock, or by semaphore */
    int results[2];
    int woken[2];
    int fd;
    int second_fd;
    kr_future *future;
    int cancelled;
    kr_cancel_scope scope;
} s;

static inline void fresh(void)
{
    memset(&s, 0, sizeof s);
    kr_explore_name(&s.word, sizeof s.word, "word");
    kr_explore_name(&s.second, sizeof s.second, "second");
    kr_explore_name(&s.lock, sizeof s.lock, "lock");
    kr_explore_name(&s.counter, sizeof s.counter, "counter");
}

/* The loop, from its first coroutine to its last. */
static inline int in_loop(int (*first)(void *arg))
{
    const kr_run_options o = {.keep_interrupt = true};
    int err = kr_run_with(first, NULL, &o);

    kr_explore_join_all();
    return err;
}

static inline void wake_word(void *arg)
{
    (void)arg;
    kri_store_sc(&s.word, 1);
    s.woken[0] = kri_wake(&s.word, KRI_ALL, 0);
}

static inline void wake_second(void *arg)
{
    (void)arg;
    kri_store_sc(&s.second, 1);
    s.woken[1] = kri_wake(&s.second, 1, 0);
}

static inline void cancel_scope(void *arg)
{
    (void)arg;
    kr_cancel(&s.scope);
}

#endif
