/* What is done where the system refuses something: the k-th of all that is asked for, for k = 1, 2,
 * ... until there are not so many; once only that one, once every one after it too.  Either it is
 * done without, or the error says so; nothing is lost, and the same is done at once afterwards, in
 * the same loop.
 *
 * Each k has a process of its own, so that what is made but once is refused, too.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TESTS_FAULTS_REFUSE_H
#define KRI_TESTS_FAULTS_REFUSE_H

#include "harness/faulty.h"
#include "harness/sanitizers.h"
#include "thread/child.h"

#include <dirent.h>
#include <errno.h>
#include <krait/krait.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>

typedef struct attempt {
    int (*op)(void);
    faulty_group group;
    uint32_t k;
    bool all_after;
    bool in_loop;
    int64_t live; /* what there may be in the end, when all threads have ended; and the next */
    int descriptors;
} attempt;

typedef struct outcome {
    int error;
    bool refused; /* did anything fail? */
    int descriptors;
    int64_t live;
} outcome;

static outcome *now; /* shared with the child that fills it */

static int count_descriptors(void)
{
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(folder) != NULL)
        count++;
    closedir(folder);
    return count;
}

/* The last four are what a client sees of a server that has nothing for it, and who submits to a
 * pool, of workers that have not even memory to begin. */
static bool is_clear(int error)
{
    static const int clear[] = {0,      -ENOMEM,     -EMFILE, -ENFILE,    -EAGAIN,    -ENOSPC,
                                KR_EOF, -ECONNRESET, -EPIPE,  KR_EBROKEN, KR_ECRASHED};
    for (size_t i = 0; i < sizeof clear / sizeof clear[0]; i++)
        if (error == clear[i])
            return true;
    return false;
}

static void end_faults(int error)
{
    if (!is_clear(error))
        kri_test_note("the error was %d", error);
    CHECK(is_clear(error));
    now->refused |= faulty_failed() > 0;
    faulty_end();
    CHECK(error == 0 || now->refused);
    if (error != 0)
        now->error = error;
}

/* The second time in the same loop. */
static int do_twice(void *arg)
{
    const attempt *a = arg;
    int err = a->op();
    end_faults(err);
    CHECK_EQ(a->op(), 0);
    return 0;
}

/* A thread keeps the descriptor of its first such wait. */
static void wait_in_scope(void)
{
    int ends[2];
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_poll(ends[0], KR_READABLE, kr_us(1)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
    close(ends[0]);
    close(ends[1]);
}

static void run_attempt(attempt *a)
{
    faulty_begin(a->group, a->k, a->all_after);
    int err = a->in_loop ? kr_run(do_twice, a) : do_twice(a);
    if (err != 0)
        end_faults(err);
    faulty_end();
    CHECK_EQ(a->in_loop ? kr_run(do_twice, a) : do_twice(a), 0);
    wait_in_scope();
    while (faulty_live() > a->live || count_descriptors() > a->descriptors)
        kri_test_nap();
    now->descriptors = count_descriptors();
    now->live = faulty_live();
}

static outcome outcome_of(attempt *a)
{
    *now = (outcome){.error = 0};
    fflush(NULL);
    pid_t forked = fork();
    if (forked == 0) {
        run_attempt(a);
        exit(0);
    }
    child_wait(forked);
    return *now;
}

static outcome without_faults(attempt *a)
{
    enum { TIMES = 5 };
    outcome least = outcome_of(a);
    for (int i = 1; i < TIMES; i++) {
        outcome o = outcome_of(a);
        CHECK_EQ(o.error, 0);
        if (o.live < least.live)
            least.live = o.live;
        if (o.descriptors < least.descriptors)
            least.descriptors = o.descriptors;
    }
    return least;
}

/* How many there are to refuse.  Where to begin a process takes long, some of them are. */
static uint32_t refuse_from(attempt *a)
{
    uint32_t told = 0, tried = 0;
    uint64_t state = KRI_EMULATED ? kri_test_seed() : 0;
    for (a->k = 1;; a->k += KRI_EMULATED ? 1 + (uint32_t)(kri_test_random(&state) % 10) : 1) {
        outcome o = outcome_of(a);
        if (!o.refused)
            break;
        told += o.error != 0;
        tried++;
    }
    kri_test_note("%u refused%s, %u told", tried, a->all_after ? " with all after" : "", told);
    return tried;
}

static inline attempt refuse_one(int (*op)(void), faulty_group group, bool in_loop)
{
    attempt a = {.op = op,
                 .group = group,
                 .k = UINT32_MAX,
                 .in_loop = in_loop,
                 .live = INT64_MAX,
                 .descriptors = INT_MAX};
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    now = mmap(NULL, sizeof *now, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    outcome well = without_faults(&a);
    a.live = well.live;
    a.descriptors = well.descriptors;
    CHECK_GE(refuse_from(&a), 1);
    return a;
}

static inline void refuse_each(int (*op)(void), faulty_group group, bool in_loop)
{
    attempt a = refuse_one(op, group, in_loop);
    a.all_after = true;
    CHECK_GE(refuse_from(&a), 1);
}

#define REFUSE(op, group, name, in_loop)                                                           \
    TEST(op##_##name)                                                                              \
    {                                                                                              \
        refuse_each(op, group, in_loop);                                                           \
    }

#define REFUSE_ONE(op, group, name)                                                                \
    TEST(op##_##name)                                                                              \
    {                                                                                              \
        refuse_one(op, group, false);                                                              \
    }

#define LOOPS_REFUSE(op)                                                                           \
    REFUSE(op, FAULTY_SYSTEM, in_a_loop_refused, true)                                             \
    REFUSE(op, FAULTY_MEMORY, in_a_loop_without_memory, true)
#define ALL_REFUSE(op)                                                                             \
    LOOPS_REFUSE(op)                                                                               \
    REFUSE(op, FAULTY_SYSTEM, refused, false)
#define MEMORY_REFUSED(op) REFUSE(op, FAULTY_MEMORY, without_memory, false)

static inline int worse(int a, int b)
{
    return a != 0 ? a : b;
}

#endif
