/* Rank 0's talk with the others.
 *
 * State.  A rank is ABSENT until its first message; then it SERVES, or is REFUSED for want of our
 * key or our program, or since it has given up; a rank that has died is LOST for good.
 *
 * Protocol.
 *     hello     HELLO with a challenge and who the rank is -> WELCOME with the challenge, and a
 *               session that was just made, which is good for this rank and this pool.  Who has not
 *               our key learns so, too: he cannot read our answer as signed.
 *     tasks     TASK -> RESULT, in any number of sessions at a time, and BEATs of a rank that is
 *               long in a task, if its process cannot be seen from here.  A rank that runs short
 *               tasks is sent one ahead.  The last of a few long tasks would stand behind another,
 *               so those are sent when a rank is free.
 *     end       BYE, from here to all that serve; or from a rank that gives up, in the session that
 *               it has, or with its challenge if it has not been welcomed: it lives, and answers
 *               nothing any more.  It may come back with another HELLO.
 *
 * Death.  A process on this machine is watched by its pidfd, and what it had sent before it died is
 * taken first.  Of another machine only silence tells.  MPI itself says nothing: a message to a
 * dead rank is taken, and never arrives.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/mpi.h"

#include "os/child.h"
#include "os/os.h"

enum {
    TINY_TASK = 50 * 1000,
    SHORT_TASK = 10 * 1000 * 1000,
    LOOK_EVERY = 10 * 1000 * 1000,
    BEATS_A_LEASE = 10,
    A_TURN = 64
};

int kri_mpi_absent(const kri_mpi_pool *p)
{
    int absent = 0;
    for (int rank = 1; rank < p->rank_count; rank++)
        absent += p->ranks[rank].state == KRI_RANK_ABSENT;
    return absent;
}

static void note_serving(kri_mpi_pool *p, int more, int lost)
{
    p->serving += more;
    kri_mutex_lock(&p->cluster.mutex);
    p->cluster.counts.workers = p->serving;
    p->cluster.counts.lost += (uint64_t)lost;
    kri_mutex_unlock(&p->cluster.mutex);
}

static void fail_tasks(kri_mpi_pool *p, kri_rank *r)
{
    while (r->busy > 0)
        kri_cluster_fail(&p->cluster, r->tasks[--r->busy], KR_ECRASHED);
}

static void lose(kri_mpi_pool *p, int rank)
{
    kri_rank *r = &p->ranks[rank];
    r->state = KRI_RANK_LOST;
    kri_mpi_abandon();
    kri_mpi_line_forget(&p->line, rank);
    note_serving(p, -1, 1);
    fail_tasks(p, r);
}

static void look_after_ranks(kri_mpi_pool *p)
{
    kr_time now = os_now();
    if (now - p->looked < LOOK_EVERY)
        return;
    p->looked = now;
    for (int rank = 1; rank < p->rank_count; rank++) {
        kri_rank *r = &p->ranks[rank];
        if (r->state != KRI_RANK_SERVES)
            continue;
        bool silent = r->pidfd < 0 && r->busy && now - r->heard > p->lease;
        if (silent || r->over)
            lose(p, rank);
        else
            r->over = r->pidfd >= 0 && os_pidfd_over(r->pidfd);
    }
}

static int welcome(kri_mpi_pool *p, int rank, const unsigned char *challenge)
{
    kri_rank *r = &p->ranks[rank];
    kri_message m = {.kind = KRI_MESSAGE_WELCOME,
                     .program = p->program,
                     .size = sizeof(kri_mpi_welcome),
                     .took = r->pidfd < 0 ? (uint64_t)(p->lease / BEATS_A_LEASE) : 0};
    unsigned char *bytes = os_alloc(KRI_MESSAGE_HEAD + sizeof(kri_mpi_welcome));
    if (!bytes)
        return -ENOMEM;
    kri_mpi_welcome answer;
    memset(&answer, 0, sizeof answer);
    memcpy(answer.challenge, challenge, sizeof answer.challenge);
    kri_mpi_know_self(&answer.self);
    memcpy(bytes + KRI_MESSAGE_HEAD, &answer, sizeof answer);
    memcpy(m.session, r->session, sizeof m.session);
    int err = kri_message_seal(&p->signer, &m, bytes);
    if (err) {
        os_free(bytes);
        return err;
    }
    return kri_mpi_line_send(&p->line, rank, bytes, KRI_MESSAGE_HEAD + sizeof answer);
}

static void refuse(kri_mpi_pool *p, int rank, int why)
{
    static const unsigned char no_challenge[KRI_MESSAGE_SESSION];
    kri_rank *r = &p->ranks[rank];
    if (r->state != KRI_RANK_ABSENT)
        return;
    r->state = KRI_RANK_REFUSED;
    r->why = why;
    (void)welcome(p, rank, no_challenge);
}

static void admit(kri_mpi_pool *p, int rank, const kri_message *m, const unsigned char *payload)
{
    kri_rank *r = &p->ranks[rank];
    kri_mpi_self self;
    if (m->size != sizeof self || (r->state != KRI_RANK_ABSENT && r->state != KRI_RANK_REFUSED)) {
        kri_cluster_drop(&p->cluster, KRI_REPLAYED);
        return;
    }
    memcpy(&self, payload, sizeof self);
    *r = (kri_rank){
        .state = KRI_RANK_SERVES, .pidfd = -1, .max_message = m->result_size, .heard = os_now()};
    os_random(r->session, sizeof r->session);
    memcpy(r->challenge, m->session, sizeof r->challenge);
    bool over = kri_mpi_find(&self, &r->pidfd) == KR_ECRASHED;
    if (r->pidfd >= 0)
        kri_mpi_watch(r->pidfd);
    note_serving(p, 1, 0);
    if (over || welcome(p, rank, m->session) != 0)
        lose(p, rank);
}

/* It has given up. */
static void part_from(kri_mpi_pool *p, kri_rank *r)
{
    r->state = KRI_RANK_REFUSED;
    r->why = -ETIMEDOUT;
    note_serving(p, -1, 1);
    fail_tasks(p, r);
}

/* false: it has no such task. */
static bool take_off(kri_rank *r, uint64_t number)
{
    for (int i = 0; i < r->busy; i++) {
        if (r->tasks[i] != number)
            continue;
        r->busy--;
        for (; i < r->busy; i++)
            r->tasks[i] = r->tasks[i + 1];
        return true;
    }
    return false;
}

static void take_message(kri_mpi_pool *p, int rank, const kri_message *m,
                         const unsigned char *payload)
{
    kri_rank *r = &p->ranks[rank];
    if (m->kind == KRI_MESSAGE_HELLO) {
        admit(p, rank, m, payload);
        return;
    }
    bool serves = r->state == KRI_RANK_SERVES;
    bool ours = serves && memcmp(r->session, m->session, sizeof m->session) == 0;
    bool early = serves && memcmp(r->challenge, m->session, sizeof m->session) == 0;
    if (ours && m->kind == KRI_MESSAGE_BEAT && m->number > r->beat) {
        r->beat = m->number;
        r->heard = os_now();
    } else if (ours && m->kind == KRI_MESSAGE_RESULT && take_off(r, m->number)) {
        r->took = m->took;
        r->heard = os_now();
        (void)kri_cluster_hand_in(&p->cluster, m, payload);
    } else if ((ours || early) && m->kind == KRI_MESSAGE_BYE) {
        part_from(p, r);
    } else {
        kri_cluster_drop(&p->cluster, KRI_REPLAYED);
    }
}

static void open_message(kri_mpi_pool *p, int rank, const unsigned char *bytes, size_t size)
{
    kri_message m;
    int err = kri_message_open(&p->signer, p->program, bytes, size, &m);
    if (err) {
        kri_cluster_drop(&p->cluster, kri_drop_for(err));
        refuse(p, rank, err == -EBADMSG ? KR_ETASK : err);
    } else {
        take_message(p, rank, &m, bytes + KRI_MESSAGE_HEAD);
    }
}

/* 1: one came; 0: none; negative: MPI has failed. */
static int receive(kri_mpi_pool *p)
{
    unsigned char *bytes;
    size_t size;
    int rank;
    int got = kri_mpi_line_receive(&p->line, p->cluster.max_message + KRI_MESSAGE_HEAD, &rank,
                                   &bytes, &size);
    if (got == -EMSGSIZE || got == -ENOMEM) { /* what it was about nobody will ever know */
        if (got == -EMSGSIZE)
            kri_cluster_drop(&p->cluster, KRI_OVERSIZED);
        if (p->ranks[rank].state == KRI_RANK_SERVES)
            lose(p, rank);
        return 1;
    }
    if (got <= 0)
        return got;
    open_message(p, rank, bytes, size);
    os_free(bytes);
    return 1;
}

static int room_of(const kri_rank *r)
{
    int most = 1;
    if (r->took && r->took < SHORT_TASK)
        most = r->took < TINY_TASK ? KRI_MPI_AHEAD : 2;
    return r->state == KRI_RANK_SERVES && !r->over ? most - r->busy : 0;
}

/* One with nothing to do, by turns; else one that may have another ahead; 0: none. */
static int choose(kri_mpi_pool *p)
{
    int ahead = 0;
    for (int i = 1; i < p->rank_count; i++) {
        int rank = 1 + (p->turn + i - 1) % (p->rank_count - 1);
        const kri_rank *r = &p->ranks[rank];
        if (room_of(r) > 0 && r->busy == 0)
            return rank;
        if (room_of(r) > 0 && !ahead)
            ahead = rank;
    }
    return ahead;
}

static void send_to(kri_mpi_pool *p, int rank, kri_errand *errand)
{
    kri_rank *r = &p->ranks[rank];
    kri_message head = {.number = errand->number};
    size_t size;
    uint64_t number = errand->number;
    if (errand->arg_size > r->max_message || errand->future->result_size > r->max_message) {
        kri_cluster_fail(&p->cluster, number, -EMSGSIZE);
        return;
    }
    memcpy(head.session, r->session, sizeof head.session);
    unsigned char *bytes = kri_errand_write(errand, &p->signer, &head, &size);
    int err = bytes ? kri_mpi_line_send(&p->line, rank, bytes, size) : -ENOMEM;
    if (err) {
        kri_cluster_fail(&p->cluster, number, err);
        return;
    }
    if (r->busy == 0)
        r->heard = os_now();
    r->tasks[r->busy++] = number;
    p->turn = rank;
}

static bool give(kri_mpi_pool *p)
{
    bool some = false;
    int rank;
    while ((rank = choose(p)) != 0) {
        kri_errand *errand = kri_cluster_take(&p->cluster);
        if (!errand)
            break;
        send_to(p, rank, errand);
        some = true;
    }
    return some;
}

int kri_mpi_link_turn(kri_mpi_pool *p)
{
    int some = 0, got = 1;
    for (int i = 0; i < A_TURN && got > 0; i++) {
        got = receive(p);
        some |= got > 0;
    }
    if (got < 0)
        return got;
    kri_mpi_line_push(&p->line);
    look_after_ranks(p);
    if (p->greeted && p->serving == 0 && kri_mpi_absent(p) == 0)
        return KR_EBROKEN;
    return give(p) || some;
}
