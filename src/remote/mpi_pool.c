/* kr_mpi_pool: rank 0 makes its pool.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/mpi.h"

#include "os/os.h"
#include "process/internal.h"

enum { TIMEOUT = 30, LEASE = 30, REST_MOST = 2 * 1000 * 1000 };

static void destroy(kri_mpi_pool *p)
{
    kri_signer_end(&p->signer);
    kri_cluster_empty(&p->cluster);
    os_free(p->ranks);
    os_free(p);
}

/* Of the link: the last reference is gone. */
static void destroy_cluster(kri_cluster *c)
{
    destroy((kri_mpi_pool *)c);
}

static int run(kri_cluster *c);
const kri_link_ops kri_mpi_link_ops = {.run = run, .destroy = destroy_cluster};

/* Results are awaited by polling.  While none is, the thread sleeps, after a moment in which the
 * next task may come; only a rank that is late, and may still come, has to be looked for. */
static void sleep_until_called(kri_mpi_pool *p, uint32_t seen)
{
    bool idle = kri_cluster_is_idle(&p->cluster) && !p->line.out && !p->line.in;
    kr_time nap = kri_backoff_step(idle ? &p->pause : &p->rest);
    if (nap == 0)
        return;
    unsigned flags = KRI_UNCANCELLABLE | KRI_IDLE | KRI_NO_SPIN;
    kr_time deadline = kri_deadline(nap);
    if (idle)
        deadline = kri_mpi_absent(p) ? kri_deadline(kr_sec(1)) : KRI_NEVER;
    (void)kri_wait(&p->cluster.bell, seen, deadline, flags);
}

static void say_goodbye(kri_mpi_pool *p)
{
    kr_time deadline = kri_deadline(kr_sec(5));
    for (int rank = 1; rank < p->rank_count; rank++) {
        const kri_rank *r = &p->ranks[rank];
        unsigned char *bytes = r->state == KRI_RANK_SERVES ? os_alloc(KRI_MESSAGE_HEAD) : NULL;
        kri_message m = {.kind = KRI_MESSAGE_BYE, .number = UINT64_MAX, .program = p->program};
        m.error = kri_mpi_is_abandoned() ? KR_ECRASHED : 0;
        memcpy(m.session, r->session, sizeof m.session);
        if (bytes && kri_message_seal(&p->signer, &m, bytes) == 0)
            (void)kri_mpi_line_send(&p->line, rank, bytes, KRI_MESSAGE_HEAD);
        else
            os_free(bytes);
    }
    while (p->line.out && os_now() < deadline) {
        kri_mpi_line_push(&p->line);
        os_yield();
    }
}

static int run(kri_cluster *c)
{
    kri_mpi_pool *p = (kri_mpi_pool *)c;
    int some = 0;
    while (some >= 0) {
        uint32_t seen = kri_load_acq(&c->bell);
        some = kri_mpi_link_turn(p);
        if (some < 0 || (kri_cluster_is_over(c) && !p->line.out))
            break;
        if (!some) {
            sleep_until_called(p, seen);
            continue;
        }
        kri_backoff_over(&p->rest);
        kri_backoff_over(&p->pause);
    }
    say_goodbye(p);
    kri_mpi_disengage();
    return some < 0 ? some : 0;
}

/* Until every rank has said something, or there is no more time. */
static int greet(kri_mpi_pool *p, kr_time timeout)
{
    kr_time deadline = kri_deadline(timeout);
    int why = -ETIMEDOUT;
    while (kri_mpi_absent(p) && os_now() < deadline) {
        int some = kri_mpi_link_turn(p);
        if (some < 0)
            return some;
        kr_time nap = some ? 0 : kri_backoff_step(&p->rest);
        if (nap && kri_pause(kri_deadline(nap)) == -ECANCELED)
            return -ECANCELED;
    }
    for (int rank = 1; rank < p->rank_count; rank++) {
        if (p->ranks[rank].state == KRI_RANK_REFUSED)
            why = p->ranks[rank].why;
        else if (p->ranks[rank].state == KRI_RANK_LOST)
            why = KR_EBROKEN;
    }
    p->greeted = true;
    return p->serving ? 0 : why;
}

static int begin(kri_mpi_pool *p, const kr_pool_options *options, const kr_remote_options *remote)
{
    int rank;
    int err = kri_signer_begin(&p->signer, remote->key, remote->key_size);
    if (!err)
        err = kri_mpi_begin(&p->line.calls, &rank, &p->rank_count);
    if (!err && rank != 0)
        err = -EINVAL;
    if (!err && p->rank_count < 2)
        err = -ECHILD;
    if (!err) {
        p->ranks = os_alloc((size_t)p->rank_count * sizeof *p->ranks);
        err = p->ranks ? 0 : -ENOMEM;
    }
    if (!err)
        err = kri_cluster_begin(&p->cluster, &kri_mpi_link_ops, options, remote, "mpi");
    p->program = kri_task_table_sum();
    p->lease = remote->lease ? remote->lease : kr_sec(LEASE);
    p->rest.most = p->pause.most = REST_MOST;
    return err;
}

int kr_mpi_pool(kr_executor **pool, const kr_pool_options *options, const kr_remote_options *remote)
{
    static const kr_pool_options no_options;
    static const kr_remote_options no_remote;
    if (!pool)
        return -EINVAL;
    *pool = NULL;
    options = options ? options : &no_options;
    remote = remote ? remote : &no_remote;
    int err = kri_remote_check_options(options, remote);
    if (!err && !kri_initialised())
        err = KR_EINIT;
    kri_mpi_pool *p = err ? NULL : os_alloc(sizeof *p);
    if (!p)
        return err ? err : -ENOMEM;
    err = begin(p, options, remote);
    bool engaged = !err && kri_mpi_engage(&p->cluster);
    if (!err)
        err = engaged ? greet(p, remote->timeout ? remote->timeout : kr_sec(TIMEOUT)) : -EBUSY;
    if (!err)
        err = kri_cluster_start(&p->cluster, p->rank_count - 1);
    if (!err) {
        *pool = &p->cluster.executor;
        return 0;
    }
    if (engaged)
        kri_mpi_disengage();
    destroy(p);
    return err;
}
