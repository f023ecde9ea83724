/* kr_mpi_serve: a rank runs what rank 0 asks for.
 *
 * State.  The calling thread runs tasks and talks to MPI.  Where rank 0 cannot see this process a
 * second thread, the beater, sends a beat now and then while a task runs: it alone has MPI then.
 *
 * Fields.
 *     lock      held by whoever calls MPI: by the calling thread all the time, but in a task
 *     in_task   [lock]
 *     stop      atomic: 1 when the beater shall end
 *
 * Protocol.
 *     Numbers rise, so a task that comes a second time is dropped.
 *     A long result needs us until it is over, so no task begins before.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/mpi.h"

#include "os/child.h"
#include "os/os.h"
#include "process/internal.h"
#include "wait/stall.h"

enum { TIMEOUT = 30, REST_MOST = 5 * 1000 * 1000, LOOK_EVERY = 100 * 1000 * 1000 };
enum { ROOT = 0, BYE_MOST_MS = 1000 };

struct server {
    kri_mpi_line line;
    kri_signer signer;
    uint64_t program;
    uint64_t max_message;
    uint64_t last; /* number of a task */
    bool said_hello;
    kr_time interval; /* of beats; 0: none are wanted */
    kr_time looked;   /* for rank 0 */
    int root;         /* its pidfd; -1: it is elsewhere */
    kri_backoff rest;
    unsigned char session[KRI_MESSAGE_SESSION];
    kr_remote_counts counts;
    kri_mutex lock;
    bool in_task;
    uint64_t beats;
    kr_word stop;
    kr_word nap; /* never woken */
    kr_thread *beater;
};

static int send(struct server *s, kri_message *m, unsigned char *bytes)
{
    m->program = s->program;
    memcpy(m->session, s->session, sizeof m->session);
    int err = bytes ? kri_message_seal(&s->signer, m, bytes) : -ENOMEM;
    if (!err)
        return kri_mpi_line_send(&s->line, ROOT, bytes, KRI_MESSAGE_HEAD + m->size);
    os_free(bytes);
    return err;
}

/* Nothing has come.  KR_ECRASHED: nothing ever will. */
static int rest(struct server *s)
{
    kr_time nap = kri_backoff_step(&s->rest);
    if (nap == 0)
        return 0;
    (void)kri_wait(&s->nap, 0, kri_deadline(nap), KRI_UNCANCELLABLE | KRI_IDLE | KRI_NO_SPIN);
    kr_time now = os_now();
    if (s->root < 0 || now - s->looked < LOOK_EVERY)
        return 0;
    s->looked = now;
    if (!os_pidfd_over(s->root))
        return 0;
    kri_mpi_abandon();
    return KR_ECRASHED;
}

/* The next message that is signed with our key, from our program: 0. */
static int receive(struct server *s, kri_message *m, unsigned char **bytes, kr_time deadline,
                   bool greeting)
{
    for (;;) {
        size_t size;
        int from, err = 0;
        int got =
            kri_mpi_line_receive(&s->line, s->max_message + KRI_MESSAGE_HEAD, &from, bytes, &size);
        if (got == -EMSGSIZE)
            kri_counts_drop(&s->counts, KRI_OVERSIZED);
        else if (got < 0)
            return got;
        if (got == 0) {
            err = rest(s);
            if (err || os_now() > deadline)
                return err ? err : -ETIMEDOUT;
            continue;
        }
        kri_backoff_over(&s->rest);
        if (got < 0)
            continue;
        err = kri_message_open(&s->signer, s->program, *bytes, size, m);
        if (!err)
            return 0;
        kri_counts_drop(&s->counts, kri_drop_for(err));
        os_free(*bytes);
        if (greeting) /* it is the answer to our hello */
            return err == -EBADMSG ? KR_ETASK : err;
    }
}

static int say_hello(struct server *s)
{
    kri_mpi_self self;
    unsigned char *bytes = os_alloc(KRI_MESSAGE_HEAD + sizeof self);
    kri_message m = {.kind = KRI_MESSAGE_HELLO, .size = sizeof self, .result_size = s->max_message};
    kri_mpi_know_self(&self);
    if (bytes)
        memcpy(bytes + KRI_MESSAGE_HEAD, &self, sizeof self);
    os_random(s->session, sizeof s->session);
    s->said_hello = true;
    return send(s, &m, bytes);
}

static int take_welcome(struct server *s, const kri_message *m, const unsigned char *payload)
{
    kri_mpi_welcome answer;
    if (m->kind != KRI_MESSAGE_WELCOME || m->size != sizeof answer)
        return -EAGAIN;
    memcpy(&answer, payload, sizeof answer);
    if (memcmp(answer.challenge, s->session, sizeof s->session) != 0)
        return -EAGAIN;
    memcpy(s->session, m->session, sizeof s->session);
    s->interval = (kr_time)m->took;
    int err = kri_mpi_find(&answer.self, &s->root);
    if (s->root >= 0)
        kri_mpi_watch(s->root);
    if (err == KR_ECRASHED)
        kri_mpi_abandon();
    return err;
}

static int greet(struct server *s, kr_time timeout)
{
    kr_time deadline = kri_deadline(timeout);
    kri_message m;
    unsigned char *bytes;
    int err = say_hello(s);
    while (!err) {
        err = receive(s, &m, &bytes, deadline, true);
        if (err)
            return err;
        err = take_welcome(s, &m, bytes + KRI_MESSAGE_HEAD);
        os_free(bytes);
        if (err != -EAGAIN)
            return err;
        kri_counts_drop(&s->counts, KRI_REPLAYED);
        err = 0;
    }
    return err;
}

/* The beater. */
static int beat(void *arg)
{
    struct server *s = *(struct server *const *)arg;
    kri_stall_serve();
    while (!kri_load_acq(&s->stop)) {
        (void)kri_wait(&s->stop, 0, kri_deadline(s->interval), KRI_UNCANCELLABLE | KRI_IDLE);
        if (!kri_mutex_try(&s->lock))
            continue;
        if (s->in_task && !kri_load_acq(&s->stop)) {
            kri_message m = {.kind = KRI_MESSAGE_BEAT, .number = ++s->beats};
            (void)send(s, &m, os_alloc(KRI_MESSAGE_HEAD));
            kri_mpi_line_push(&s->line);
        }
        kri_mutex_unlock(&s->lock);
    }
    return 0;
}

static int start_beater(struct server *s)
{
    kr_thread_options options = {.name = "krait-beat", .daemon = KR_DAEMON_YES};
    return s->interval ? kr_thread_start(&s->beater, beat, &s, sizeof s, &options) : 0;
}

static void end_beater(struct server *s)
{
    kri_store_sc(&s->stop, 1);
    kri_wake(&s->stop, KRI_ALL, 0);
    if (s->beater)
        (void)kr_thread_join(s->beater, NULL, KR_FOREVER);
    kr_thread_release(s->beater);
}

static int run_task(struct server *s, const kri_message *task, const unsigned char *payload)
{
    unsigned char *reply;
    kri_message head;
    s->in_task = true;
    kri_mutex_unlock(&s->lock);
    int err = kri_errand_run(task, payload, s->max_message, &reply, &head);
    kri_mutex_lock(&s->lock);
    s->in_task = false;
    if (!err)
        err = send(s, &head, reply);
    s->counts.done++;
    while (!err && s->line.out) {
        kri_mpi_line_push(&s->line);
        err = s->line.out ? rest(s) : 0;
    }
    kri_backoff_over(&s->rest);
    return err;
}

static int serve(struct server *s)
{
    for (;;) {
        kri_message m;
        unsigned char *bytes;
        int err = receive(s, &m, &bytes, KRI_NEVER, false);
        if (err)
            return err;
        bool ours = memcmp(s->session, m.session, sizeof m.session) == 0 && m.number > s->last;
        bool bye = ours && m.kind == KRI_MESSAGE_BYE;
        if (bye && m.error)
            kri_mpi_abandon();
        if (ours && m.kind == KRI_MESSAGE_TASK) {
            s->last = m.number;
            err = run_task(s, &m, bytes + KRI_MESSAGE_HEAD);
        } else if (!bye) {
            kri_counts_drop(&s->counts, KRI_REPLAYED);
        }
        os_free(bytes);
        if (err || bye)
            return err ? err : KR_SERVED;
    }
}

/* Else rank 0 would wait for us, who live.  Whom it has refused, or where it is dead, need not. */
static void say_bye(struct server *s, int why)
{
    kri_message m = {.kind = KRI_MESSAGE_BYE, .number = UINT64_MAX, .error = why};
    kr_time deadline = kri_deadline(kr_ms(BYE_MOST_MS));
    if (!s->said_hello || why >= 0 || why == KR_EAUTH || why == KR_ETASK || why == KR_ECRASHED)
        return;
    (void)send(s, &m, os_alloc(KRI_MESSAGE_HEAD));
    while (s->line.out && os_now() < deadline) {
        kri_mpi_line_push(&s->line);
        os_yield();
    }
}

static int begin(struct server *s, const kr_remote_options *remote)
{
    int err = kri_signer_begin(&s->signer, remote->key, remote->key_size);
    if (!err)
        err = greet(s, remote->timeout ? remote->timeout : kr_sec(TIMEOUT));
    return err;
}

int kr_mpi_serve(const kr_remote_options *remote)
{
    static const kr_remote_options no_remote;
    static const kr_pool_options no_options;
    struct server s = {.root = -1, .rest = {.most = REST_MOST}};
    int rank, ranks;
    remote = remote ? remote : &no_remote;
    int err = kri_remote_check_options(&no_options, remote);
    if (!err && !kri_initialised())
        err = KR_EINIT;
    if (!err)
        err = kri_mpi_begin(&s.line.calls, &rank, &ranks);
    if (err || rank == ROOT)
        return err;
    s.program = kri_task_table_sum();
    s.max_message = remote->max_message ? remote->max_message : KRI_MAX_MESSAGE;
    kri_mutex_lock(&s.lock);
    err = begin(&s, remote);
    if (!err)
        err = start_beater(&s);
    if (!err)
        err = serve(&s);
    say_bye(&s, err);
    kri_mutex_unlock(&s.lock);
    end_beater(&s);
    kri_signer_end(&s.signer);
    if (remote->counts)
        *remote->counts = s.counts;
    return err;
}
