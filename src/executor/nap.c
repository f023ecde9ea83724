/* The searcher naps: while it does, nobody is called for a task.
 *
 * A worker that is called costs its caller a system call, and more processors or time than most
 * tasks.  That was in vain if the submitter takes the task back to run it himself while he waits,
 * and on a single processor nobody can run beside the submitter.  So the searcher, which would go
 * to sleep now, naps instead, and goes on being the searcher:
 *
 *     on a single processor, where it would otherwise search for as long, once;
 *     after several calls in a row that were in vain, again and again, until nobody has relied on
 *     it for a while.
 *
 * State.  `searching` is NAPPING during a nap, and RELIED_ON from when somebody has submitted a
 * task meanwhile.
 *
 * Protocol.  After a nap it looks for work, so what comes during a nap waits at most that long, and
 * no longer than until somebody who has submitted something sleeps in a wait (src/wait/nap.c).  A
 * task that was found says that calls are not in vain.  Where a worker has to run it, the submitter
 * ends the nap.
 *     Whoever blocks outside of krait, or goes on computing, ends no nap: his task waits for the
 *     rest of it.  Where that has happened, and he did not submit many meanwhile, the next naps are
 *     left out, first 64, then twice as many each time, until one has spared a call.
 *
 * Ordering.
 *     [nap-1]  Who submits queues the task and reads `searching`; the napper writes NAPPING and
 *              looks at the queues.  All are sequentially consistent: either it sees the task or
 *              the other one that it naps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/pool.h"
#include "os/os.h"

enum { MICROSECOND = 1000 };
enum { FIRST_NAP = 50 * MICROSECOND, LONGEST_NAP = 250 * MICROSECOND, UNTIL = 2000 * MICROSECOND };
enum { CALLS_IN_VAIN = 4 };
enum { FEW = 8, FIRST_OMITTED = 64, MOST_OMITTED = 1024 };
#ifdef KRI_MODEL
/* The scenarios of naps say so in the pool. */
static bool is_alone(void)
{
    return false;
}
#else
static bool is_alone(void)
{
    return !kri_spin_pays();
}
#endif

void kri_nap_note_vain(kri_pool *pool)
{
    uint32_t vain = kri_load_rlx(&pool->vain_calls);
    if (vain < CALLS_IN_VAIN)
        kri_store_rlx(&pool->vain_calls, vain + 1);
}

static void expect_use(kri_pool *pool)
{
    if (kri_load_rlx(&pool->vain_calls) != 0)
        kri_store_rlx(&pool->vain_calls, 0);
}

/* On a single processor the submitter, or the worker that was stolen from, would have done it. */
static bool was_needless(const kri_worker *worker)
{
    return is_alone() && (worker->pool->outside_help || worker->stole);
}

void kri_nap_note_found(kri_worker *worker)
{
    if (!was_needless(worker))
        expect_use(worker->pool);
    else if (worker->called_to_work)
        kri_nap_note_vain(worker->pool);
}

void kri_pool_rely(kri_pool *pool)
{
    uint32_t napping = KRI_NAPPING;
    (void)kri_cas_rlx(&pool->searching, &napping, KRI_RELIED_ON);
    kri_nap_rely();
}

/* Others of the budget must not wait for it. */
static bool may_nap(const kri_pool *pool)
{
    return !kri_load_rlx(&pool->excess) && !kri_load_rlx(&pool->closed) &&
           kri_load_rlx(&pool->budget->references) == 1;
}

static bool is_to_be_omitted(kri_pool *pool)
{
    uint32_t left = kri_load_rlx(&pool->naps_to_omit);
    if (left != 0)
        kri_store_rlx(&pool->naps_to_omit, left - 1);
    return left != 0;
}

/* After a nap that somebody has relied on, and that lasted its whole time or was ended. */
static void learn(kri_pool *pool, bool whole)
{
    size_t left = 0;
    for (int lane = 0; lane < KRI_LANES; lane++)
        left += kri_injection_length(&pool->lanes[lane]);
    uint32_t omitted = kri_load_rlx(&pool->naps_omitted);
    if (left == 0 && omitted != 0)
        kri_store_rlx(&pool->naps_omitted, 0);
    if (left == 0 || left >= FEW || !whole)
        return;
    omitted = omitted == 0 ? FIRST_OMITTED : omitted < MOST_OMITTED ? omitted * 2 : MOST_OMITTED;
    kri_store_rlx(&pool->naps_omitted, omitted);
    kri_store_rlx(&pool->naps_to_omit, omitted);
}

/* true: somebody has relied on it. */
static bool nap(kri_pool *pool, kr_time length)
{
    uint32_t calls = kri_nap_calls();
    kri_store_sc(&pool->searching, KRI_NAPPING); /* [nap-1] */
    bool slept = !kri_pool_has_work(pool);       /* [nap-1] */
    if (slept)
        kri_nap(calls, os_now() + length);
    bool relied = kri_swap_sc(&pool->searching, KRI_SEARCHING) == KRI_RELIED_ON;
    if (slept && relied)
        learn(pool, kri_nap_calls() == calls);
    return relied;
}

bool kri_worker_nap(kri_worker *worker)
{
    kri_pool *pool = worker->pool;
    bool again = kri_load_rlx(&pool->vain_calls) >= CALLS_IN_VAIN;
    kr_time length = FIRST_NAP;
    kr_time idle = 0;
    bool useful = false;
    if (!again && !(is_alone() && pool->outside_help))
        return false;
    if (is_to_be_omitted(pool))
        return false;
    do {
        if (!may_nap(pool))
            return kri_pool_has_work(pool);
        bool relied = nap(pool, length);
        if (kri_pool_has_work(pool))
            return true;
        useful |= relied;
        idle = relied ? 0 : idle + length;
        length = relied ? FIRST_NAP : length * 2 < LONGEST_NAP ? length * 2 : LONGEST_NAP;
    } while (again && idle < UNTIL);
    if (again && !useful)
        expect_use(pool);
    return false;
}
