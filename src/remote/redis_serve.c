/* kr_redis_serve: a worker, on whatever machine.
 *
 * State.  One task at a time, which is this consumer's of the group until it is acknowledged. While
 * one runs for long the keeper, a thread, renews the claim to it.
 *
 * Fields.
 *     lock      guards `busy` and `id`
 *     busy, id  a task runs, and which
 *     stop      atomic: 1 when the keeper shall end
 *
 * Protocol.
 *     A result is added and its task acknowledged by one script, which adds nothing when somebody
 *     has acknowledged it before: so of a task that two workers have run one result comes back, and
 *     the script can be run again when its answer is lost.  It gives the next task with its answer;
 *     where that is lost, the task is ours, and found as what a dead worker has left.
 *     Tasks whose worker has not renewed its claim for .lease are claimed: every quarter of that
 *     each worker looks for one.
 *     What is not signed with our key, was run here before, or is too long is acknowledged without
 *     a result.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/post.h"

#include <krait/coroutine.h>
#include <stdio.h>

#include "os/os.h"
#include "wait/stall.h"

enum { DELIVERIES = 3, REMEMBERED = 256, BLOCK_MS = 1000, REST_MS = 50, LOOKS_A_LEASE = 4 };
enum { RENEWALS_A_LEASE = 3 };
#define FIRST "0-0" /* before all entries */

struct done {
    unsigned char session[KRI_MESSAGE_SESSION];
    uint64_t number;
};

struct worker {
    kri_post post;
    kri_signer signer;
    kr_time idle; /* most; 0: no limit */
    kr_time idle_since;
    kr_time next_look; /* for what others have left */
    kr_time failing;   /* since when the server is away; 0: it is not */
    char consumer[40];
    kr_remote_counts counts;
    unsigned told;
    struct done done[REMEMBERED];
    size_t done_count;
    kri_reply *ahead; /* the answer to the last finish, with the next task; or NULL */
    kri_mutex lock;
    bool busy;
    char id[KRI_POST_ID];
    kr_word stop;
    kr_thread *keeper;
};

static kr_time soon(const struct worker *w)
{
    return kri_deadline(w->post.timeout);
}

/* The end of a task: with a result, or, where size is 0, without; and the next one, where ARGV[5]
 * is who takes it.  {1 or 0, [entry] or nil} */
static const kri_redis_script finish_task = {
    "if redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) == 0 then return {0} end "
    "redis.call('XDEL', KEYS[1], ARGV[2]) "
    "if ARGV[3] ~= '' then "
    "redis.call('XADD', KEYS[2], '*', 'm', ARGV[3]) redis.call('PEXPIRE', KEYS[2], ARGV[4]) "
    "end "
    "if ARGV[5] == '' then return {1} end "
    "local next = redis.pcall('XREADGROUP', 'GROUP', ARGV[1], ARGV[5], 'COUNT', 1, "
    "'STREAMS', KEYS[1], '>') "
    "return {1, next and not next.err and next[1][2]}"};

/* Not where what others have left is to be looked for, or this is to end. */
static bool may_take_next(const struct worker *w)
{
    return !kr_cancelled() && os_now() < w->next_look;
}

static int finish(struct worker *w, const char *id, const unsigned char *session, const void *bytes,
                  size_t size)
{
    static const unsigned char none[KRI_MESSAGE_SESSION];
    char results[KRI_POST_KEY];
    kri_digits ttl;
    kri_reply *reply;
    int err = 0;
    const char *taker = size > 0 && may_take_next(w) ? w->consumer : "";
    kri_post_key(&w->post, "results", session ? session : none, results);
    kr_shield
        err = kri_redis_run(w->post.server, &finish_task, 2,
                            KRI_WORDS(kri_word(w->post.tasks), kri_word(results),
                                      kri_word(KRI_POST_GROUP), kri_word(id),
                                      kri_word_of(bytes, size),
                                      kri_word_integer(&ttl, KRI_POST_TTL), kri_word(taker)),
                            KRI_REDIS_AGAIN, soon(w), &reply);
    if (err)
        return err;
    int done = kri_reply_integer(kri_reply_at(reply, 0)) != 0;
    if (kri_reply_count(kri_reply_at(reply, 1)) > 0)
        w->ahead = reply;
    else
        kri_reply_free(reply);
    return done;
}

static void note_dropped(struct worker *w, enum kri_drop why)
{
    kri_counts_drop(&w->counts, why);
    if (!(w->told & why))
        kri_task_report_error(kri_drop_error(why), "message", w->post.name);
    w->told |= why;
}

static int drop(struct worker *w, const char *id, enum kri_drop why)
{
    note_dropped(w, why);
    int done = finish(w, id, NULL, "", 0);
    return done < 0 ? done : 0;
}

static bool was_done(const struct worker *w, const kri_message *m)
{
    size_t known = w->done_count < REMEMBERED ? w->done_count : REMEMBERED;
    for (size_t i = 0; i < known; i++)
        if (w->done[i].number == m->number &&
            memcmp(w->done[i].session, m->session, sizeof m->session) == 0)
            return true;
    return false;
}

static void remember(struct worker *w, const kri_message *m)
{
    struct done *done = &w->done[w->done_count++ % REMEMBERED];
    done->number = m->number;
    memcpy(done->session, m->session, sizeof done->session);
}

/* Running one. */

static void set_busy(struct worker *w, const char *id)
{
    kri_mutex_lock(&w->lock);
    w->busy = id != NULL;
    if (id)
        snprintf(w->id, sizeof w->id, "%s", id);
    kri_mutex_unlock(&w->lock);
}

static int answer(struct worker *w, const char *id, const kri_message *task, kri_message *head,
                  unsigned char *bytes)
{
    head->program = task->program;
    memcpy(head->session, task->session, sizeof head->session);
    int err = bytes ? kri_message_seal(&w->signer, head, bytes) : -ENOMEM;
    if (!err)
        err = finish(w, id, task->session, bytes, KRI_MESSAGE_HEAD + head->size);
    os_free(bytes);
    if (err > 0) {
        w->counts.done++;
        remember(w, task);
    }
    return err < 0 ? err : 0;
}

static int answer_error(struct worker *w, const char *id, const kri_message *task, int error)
{
    kri_message head = {.kind = KRI_MESSAGE_RESULT, .number = task->number, .error = error};
    return answer(w, id, task, &head, os_alloc(KRI_MESSAGE_HEAD));
}

/* The payload is aligned in memory of its own, which an answer's bytes are not. */
static int run_task(struct worker *w, const char *id, const kri_message *task,
                    const unsigned char *payload)
{
    kri_message head;
    unsigned char *reply, *arg = os_alloc(task->size + 1);
    if (!arg)
        return answer_error(w, id, task, -ENOMEM);
    memcpy(arg, payload, task->size);
    set_busy(w, id);
    int err = kri_errand_run(task, arg, w->post.max_message, &reply, &head);
    if (!err)
        err = answer(w, id, task, &head, reply);
    set_busy(w, NULL);
    os_free(arg);
    return err;
}

/* How many workers have had it, this one with them: [[id, consumer, idle, count]]. */
static int64_t deliveries(struct worker *w, const char *id)
{
    kri_reply *reply;
    int err =
        kri_redis_do(w->post.server,
                     KRI_WORDS(kri_word("XPENDING"), kri_word(w->post.tasks),
                               kri_word(KRI_POST_GROUP), kri_word(id), kri_word(id), kri_word("1")),
                     KRI_REDIS_AGAIN, soon(w), &reply);
    if (err)
        return 0;
    const kri_reply *entry = kri_reply_count(reply) ? kri_reply_at(reply, 0) : NULL;
    int64_t count =
        entry && kri_reply_count(entry) == 4 ? kri_reply_integer(kri_reply_at(entry, 3)) : 0;
    kri_reply_free(reply);
    return count;
}

static int take_task(struct worker *w, const kri_reply *entry, bool left_by_another)
{
    char id[KRI_POST_ID];
    const unsigned char *bytes;
    size_t size;
    kri_message m;
    if (!kri_post_entry(entry, id, &bytes, &size))
        return 0;
    if (!bytes)
        return drop(w, id, KRI_FOREIGN);
    bool oversized = size > w->post.max_message + KRI_MESSAGE_HEAD;
    int err = kri_message_open(&w->signer, w->post.program, bytes, size, &m);
    if (err && err != KR_ETASK)
        return drop(w, id, oversized ? KRI_OVERSIZED : kri_drop_for(err));
    if (m.kind != KRI_MESSAGE_TASK || was_done(w, &m))
        return drop(w, id, KRI_REPLAYED);
    w->counts.sent++;
    w->counts.again += left_by_another;
    if (err) {
        w->counts.foreign++;
        return answer_error(w, id, &m, err);
    }
    if (oversized) { /* for us: who has sent it waits for an answer */
        note_dropped(w, KRI_OVERSIZED);
        return answer_error(w, id, &m, -EMSGSIZE);
    }
    if (left_by_another && deliveries(w, id) > DELIVERIES)
        return answer_error(w, id, &m, KR_ECRASHED);
    return run_task(w, id, &m, bytes + KRI_MESSAGE_HEAD);
}

/* Getting one: 1, or 0, or an error. */

static int take_from(struct worker *w, const kri_reply *entries, bool left_by_another)
{
    if (!entries || kri_reply_count(entries) == 0)
        return 0;
    int err = take_task(w, kri_reply_at(entries, 0), left_by_another);
    return err < 0 ? err : 1;
}

/* What came with the answer to the last. */
static int take_ahead(struct worker *w)
{
    kri_reply *reply = w->ahead;
    w->ahead = NULL;
    int some = take_from(w, kri_reply_at(reply, 1), false);
    kri_reply_free(reply);
    return some;
}

/* Also for the sign, that it is there as long as we are. */
static kr_time look_interval(const struct worker *w)
{
    kr_time most = kr_ms(KRI_POST_SIGN_TTL) / LOOKS_A_LEASE;
    kr_time interval = w->post.lease / LOOKS_A_LEASE;
    return interval < most ? interval : most;
}

/* [next, [entry, ...], ...]: the server looks at ten from `from` on, and says where it stopped. */
static int claim_from(struct worker *w, char from[KRI_POST_ID])
{
    kri_digits lease;
    kri_reply *reply;
    size_t size;
    int err = kri_redis_do(w->post.server,
                           KRI_WORDS(kri_word("XAUTOCLAIM"), kri_word(w->post.tasks),
                                     kri_word(KRI_POST_GROUP), kri_word(w->consumer),
                                     kri_word_integer(&lease, w->post.lease / kr_ms(1)),
                                     kri_word(from), kri_word("COUNT"), kri_word("1")),
                           KRI_REDIS_AGAIN, soon(w), &reply);
    if (err)
        return err;
    bool whole = kri_reply_count(reply) >= 2;
    const char *next = whole ? kri_reply_bytes(kri_reply_at(reply, 0), &size) : FIRST;
    snprintf(from, KRI_POST_ID, "%s", next[0] ? next : FIRST);
    int some = whole ? take_from(w, kri_reply_at(reply, 1), true) : 0;
    kri_reply_free(reply);
    return some;
}

static int take_left(struct worker *w)
{
    char from[KRI_POST_ID] = FIRST;
    kr_time now = os_now();
    if (now < w->next_look)
        return 0;
    w->next_look = now + look_interval(w);
    int some = kri_post_enter(&w->post, &w->signer, soon(w));
    if (some)
        return some;
    do {
        some = claim_from(w, from);
    } while (some == 0 && strcmp(from, FIRST) != 0);
    if (some > 0)
        w->next_look = 0; /* there may be more */
    return some;
}

static kr_time most_sleep(const struct worker *w)
{
    kr_time now = os_now(), most = kr_ms(BLOCK_MS), look = w->next_look - now;
    most = look < most ? look : most;
    if (w->idle && w->idle_since + w->idle - now < most)
        most = w->idle_since + w->idle - now;
    return most < kr_ms(1) ? kr_ms(1) : most;
}

/* [[key, [entry]]], or nil. */
static int take_new(struct worker *w)
{
    kri_digits block;
    kri_reply *reply;
    int err = kri_redis_do(w->post.server,
                           KRI_WORDS(kri_word("XREADGROUP"), kri_word("GROUP"),
                                     kri_word(KRI_POST_GROUP), kri_word(w->consumer),
                                     kri_word("COUNT"), kri_word("1"), kri_word("BLOCK"),
                                     kri_word_integer(&block, most_sleep(w) / kr_ms(1)),
                                     kri_word("STREAMS"), kri_word(w->post.tasks), kri_word(">")),
                           KRI_REDIS_BLOCKS, soon(w), &reply);
    if (err)
        return err;
    const kri_reply *stream = kri_reply_count(reply) ? kri_reply_at(reply, 0) : NULL;
    bool whole = stream && kri_reply_count(stream) == 2;
    int some = whole ? take_from(w, kri_reply_at(stream, 1), false) : 0;
    kri_reply_free(reply);
    return some;
}

/* The server, or what it knew, may be gone for a while.  0: go on. */
static int bear(struct worker *w, int err)
{
    kr_time now = os_now();
    if (err == -ECANCELED || kr_cancelled())
        return -ECANCELED;
    if (err == KR_EAUTH || err == KR_ETASK)
        return err;
    if (w->failing == 0)
        w->failing = now;
    if (now - w->failing > w->post.timeout)
        return err;
    w->next_look = 0; /* which makes the group, too */
    (void)kr_sleep(kr_ms(REST_MS));
    return 0;
}

static int serve(struct worker *w)
{
    w->idle_since = os_now();
    for (;;) {
        if (!w->ahead && kr_cancelled())
            return -ECANCELED;
        int some = w->ahead ? take_ahead(w) : take_left(w);
        if (some == 0)
            some = take_new(w);
        if (some < 0) {
            int err = bear(w, some);
            if (err)
                return err;
            continue;
        }
        w->failing = 0;
        if (some)
            w->idle_since = os_now();
        else if (w->idle && os_now() - w->idle_since >= w->idle)
            return KR_SERVED;
    }
}

/* The keeper. */

static void renew(struct worker *w, const char *id)
{
    kri_reply *reply;
    (void)kri_redis_do(w->post.server,
                       KRI_WORDS(kri_word("XCLAIM"), kri_word(w->post.tasks),
                                 kri_word(KRI_POST_GROUP), kri_word(w->consumer), kri_word("0"),
                                 kri_word(id), kri_word("JUSTID")),
                       KRI_REDIS_AGAIN, kri_deadline(w->post.lease / RENEWALS_A_LEASE), &reply);
    kri_reply_free(reply);
}

static int keep(void *arg)
{
    struct worker *w = *(struct worker *const *)arg;
    kri_stall_serve();
    while (!kri_load_acq(&w->stop)) {
        char id[KRI_POST_ID];
        (void)kri_wait(&w->stop, 0, kri_deadline(w->post.lease / RENEWALS_A_LEASE),
                       KRI_UNCANCELLABLE | KRI_IDLE);
        kri_mutex_lock(&w->lock);
        bool busy = w->busy;
        memcpy(id, w->id, sizeof id);
        kri_mutex_unlock(&w->lock);
        if (busy && !kri_load_acq(&w->stop))
            renew(w, id);
    }
    return 0;
}

static void end_keeper(struct worker *w)
{
    kri_store_sc(&w->stop, 1);
    kri_wake(&w->stop, KRI_ALL, 0);
    kr_shield
        if (w->keeper)
            (void)kr_thread_join(w->keeper, NULL, KR_FOREVER);
    kr_thread_release(w->keeper);
}

/* Nobody misses a consumer that has nothing. */
static const kri_redis_script leave_group = {
    "if #redis.call('XPENDING', KEYS[1], ARGV[1], '-', '+', 1, ARGV[2]) == 0 then "
    "redis.call('XGROUP', 'DELCONSUMER', KEYS[1], ARGV[1], ARGV[2]) end "
    "return 1"};

static void leave(struct worker *w)
{
    kri_reply *reply = NULL;
    kr_shield (void)
        kri_redis_run(
            w->post.server, &leave_group, 1,
            KRI_WORDS(kri_word(w->post.tasks), kri_word(KRI_POST_GROUP), kri_word(w->consumer)),
            KRI_REDIS_AGAIN, kri_deadline(kr_sec(1)), &reply);
    kri_reply_free(reply);
}

static int begin(struct worker *w, const char *where, const char *name,
                 const kr_remote_options *remote)
{
    kr_thread_options options = {.name = "krait-keeper", .daemon = KR_DAEMON_YES};
    uint64_t number;
    os_random(&number, sizeof number);
    snprintf(w->consumer, sizeof w->consumer, "worker-%016llx", (unsigned long long)number);
    w->idle = remote->idle;
    int err = kri_signer_begin(&w->signer, remote->key, remote->key_size);
    if (!err)
        err = kri_post_open(&w->post, where, name, remote);
    if (!err)
        err = kri_post_enter(&w->post, &w->signer, soon(w));
    if (!err)
        err = kr_thread_start(&w->keeper, keep, &w, sizeof w, &options);
    return err;
}

int kr_redis_serve(const char *where, const char *name, const kr_remote_options *remote)
{
    static const kr_remote_options no_remote;
    static const kr_pool_options no_options;
    remote = remote ? remote : &no_remote;
    int err = kri_remote_check_options(&no_options, remote);
    struct worker *w = err ? NULL : os_alloc(sizeof *w);
    if (!w)
        return err ? err : -ENOMEM;
    err = begin(w, where, name, remote);
    if (!err) {
        err = serve(w);
        leave(w);
    }
    end_keeper(w);
    if (remote->counts)
        *remote->counts = w->counts;
    kri_reply_free(w->ahead);
    kri_post_close(&w->post);
    kri_signer_end(&w->signer);
    os_free(w);
    return err;
}
