/* A child that is single-stepped (ptrace) through a call, and killed after so many steps; a system
 * call is one step.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MEMORY_STEP_H
#define KRI_MEMORY_STEP_H

#include "base/atomic.h"
#include "memory/help.h"
#include "sync/internal.h"
#include <sys/ptrace.h>

typedef struct step_victim {
    int (*call)(void);
    kr_word *done; /* in shared memory: the victim is through */
} step_victim;

static inline void step_be(void *arg)
{
    step_victim *v = arg;
    (void)kri_process_self(); /* the first call reads it from the system, in many steps */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
        _exit(77);
    raise(SIGSTOP);
    if (v->call() < 0)
        _exit(2);
    kri_store_rel(v->done, 1);
}

/* True: it was killed, and not through by then. */
static inline bool step_and_kill(step_victim *v, int steps)
{
    int status;
    kri_store_rel(v->done, 0);
    pid_t victim = child(step_be, v);
    CHECK_EQ(waitpid(victim, &status, 0), victim);
    if (!WIFSTOPPED(status))
        SKIP("no process may be traced here");
    for (int i = 0; i < steps && kri_load_acq(v->done) == 0; i++) {
        CHECK_EQ(ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL), 0);
        CHECK_EQ(waitpid(victim, &status, 0), victim);
        CHECK(WIFSTOPPED(status));
    }
    kill_and_reap(victim);
    return kri_load_acq(v->done) == 0;
}

#endif
