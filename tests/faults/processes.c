/* Starting processes, and pools of them, where the system refuses something: see refuse.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults/refuse.h"

static int exit_with(void *arg)
{
    return *(int *)arg;
}
KR_TASK(exit_with);

static int start_by(kr_start_method start)
{
    kr_process *p;
    int want = 3, code = -1;
    kr_process_options o = {.start = start};
    int err = kr_process_start(&p, exit_with, &want, sizeof want, &o);
    CHECK_EQ(p != NULL, err == 0);
    if (err != 0)
        return err;
    err = kr_process_join(p, &code, KR_FOREVER);
    if (err != 0) {
        end_faults(err);
        CHECK_EQ(kr_process_join(p, &code, KR_FOREVER), 0);
    }
    kr_process_release(p);
    if (code != want)
        now->refused |= faulty_failed() > 0; /* the child has had no memory */
    CHECK(code == want || now->refused);
    return 0;
}

static int forked(void)
{
    return start_by(KR_FORK);
}

static int spawned(void)
{
    return start_by(KR_SPAWN);
}

static int served(void)
{
    return start_by(KR_FORKSERVER);
}

ALL_REFUSE(forked)
MEMORY_REFUSED(forked)
REFUSE(spawned, FAULTY_SYSTEM, refused, false)
MEMORY_REFUSED(spawned)
REFUSE(served, FAULTY_SYSTEM, refused, false)
MEMORY_REFUSED(served)

static int square(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg * *(const int *)arg;
    return 0;
}
KR_TASK(square);

static int pool_by(kr_start_method start, int workers)
{
    kr_executor *executor;
    kr_future *f = NULL;
    int number = 7, result = 0;
    kr_process_pool_options more = {.start = start};
    int err = kr_process_pool_with(&executor, &(kr_pool_options){.workers = workers}, &more);
    CHECK_EQ(executor != NULL, err == 0);
    if (err != 0)
        return err;
    err = kr_submit(executor, &f, square, &number, sizeof number, sizeof result);
    CHECK_EQ(f != NULL, err == 0);
    if (err == 0)
        err = kr_future_result(f, &result, sizeof result, NULL, KR_FOREVER);
    if (err == 0)
        CHECK_EQ(result, 49);
    kr_future_release(f);
    kr_executor_release(executor);
    CHECK_EQ(kr_process_active(NULL, 0), 0);
    CHECK_LE(waitpid(-1, NULL, WNOHANG), 0); /* nobody is left but a fork server, which lives */
    return err;
}

static int pool(void)
{
    return pool_by(KR_FORK, 2);
}

REFUSE(pool, FAULTY_SYSTEM, refused, false)
MEMORY_REFUSED(pool)

static int spawned_pool(void)
{
    return pool_by(KR_SPAWN, 1);
}

static int served_pool(void)
{
    return pool_by(KR_FORKSERVER, 1);
}

/* With all after it refused each would take the second for which a pool without workers tries. */
REFUSE_ONE(spawned_pool, FAULTY_SYSTEM, refused)
REFUSE_ONE(spawned_pool, FAULTY_MEMORY, without_memory)
REFUSE_ONE(spawned_pool, FAULTY_SEGMENT, without_segments)
REFUSE_ONE(served_pool, FAULTY_SYSTEM, refused)
REFUSE_ONE(served_pool, FAULTY_MEMORY, without_memory)
REFUSE_ONE(served_pool, FAULTY_SEGMENT, without_segments)
