/* kr_redis_pool: who submits.
 *
 * State.  The link's thread sends: it takes tasks from the queue and has a script add them to the
 * stream.  The reader waits for results, and looks whether the server still knows what it was told.
 *
 * Fields.
 *     sending   a lock: around taking tasks until the server has them, and around sending all again
 *     marked    [sending] the number that the mark on the server has; 0: none was put there
 *     sent      atomic: counts what the reader has to look at
 *     forgotten atomic: counts how often the server had lost something
 *     stop      atomic: 1: the reader shall end
 *     failed    atomic: the error that has ended the reader, negated; 0: none
 *     last, untrimmed   the reader's: the id of the last result, and about how much lies before it
 *     next_look the reader's: when it asks what the server knows, though results come
 *     tasks, missing    see redis_look.c
 *
 * Protocol.
 *     The mark on the server is the number of the last task that was added.  So the script can be
 *     run again when its answer is lost: what has a number that is not higher is not added again.
 *     Results are read from a stream, not popped, so that an answer which is lost takes none along.
 *     A server that has lost its memory, or a part of it, as one that was restored from a copy or a
 *     replica that was behind, has no mark, or an old one: then all that was sent is sent again,
 *     with new numbers; a result with an old one is dropped.  The sender finds that with his next
 *     task, the reader once a second.  He finds a task that is lost alone, too: redis_look.c.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/redis_inside.h"

#include <krait/coroutine.h>

#include "os/os.h"
#include "wait/stall.h"

enum { EXPECTED = 16, AT_ONCE = 32, WORDS = 4 + 2 * AT_ONCE, READ_COUNT = 64, TRIM_AFTER = 256 };
enum { BLOCK_MS = 1000, REST_MS = 50 };

/* KEYS: the stream, the mark.  ARGV: how long the mark lives, what it is at least, and numbers with
 * tasks.  The mark is the last number, and behind it the ids of the tasks that came with it, for
 * whoever asks again.  {0}: it is less, and nothing was done; {1, the ids}. */
static const kri_redis_script send_tasks = {
    "local mark = redis.call('GET', KEYS[2]) or '0' "
    "local last = tonumber(string.match(mark, '^%d+')) "
    "if last < tonumber(ARGV[2]) then return {0} end "
    "if tonumber(ARGV[#ARGV - 1]) > last then "
    "mark = ARGV[#ARGV - 1] "
    "for i = 4, #ARGV, 2 do "
    "mark = mark .. ' ' .. redis.call('XADD', KEYS[1], '*', 'm', ARGV[i]) "
    "end end "
    "redis.call('SET', KEYS[2], mark, 'PX', ARGV[1]) "
    "local found = {1} "
    "for id in string.gmatch(mark, '%d+%-%d+') do found[#found + 1] = id end "
    "return found"};

static void destroy(kri_redis_pool *p)
{
    kri_signer_end(&p->signer);
    kri_signer_end(&p->checker);
    kri_post_close(&p->post);
    kr_thread_release(p->reader);
    kri_cluster_empty(&p->cluster);
    os_free(p);
}

static void destroy_cluster(kri_cluster *c)
{
    destroy((kri_redis_pool *)c);
}

/* The sender. */

struct parcel {
    unsigned char *bytes[AT_ONCE];
    uint64_t sent[AT_ONCE]; /* their numbers, rising */
    kri_digits numbers[AT_ONCE];
    kri_digits ttl, marked;
    kri_redis_word words[WORDS];
    int tasks;
    int count;
};

/* false: there is none. */
static bool pack(kri_redis_pool *p, struct parcel *parcel)
{
    kri_errand *errand = kri_cluster_take(&p->cluster);
    if (!errand)
        return false;
    kri_message head = {.kind = KRI_MESSAGE_TASK};
    size_t size;
    memcpy(head.session, p->session, sizeof head.session);
    unsigned char *bytes = kri_errand_write(errand, &p->signer, &head, &size);
    if (!bytes) {
        kri_cluster_fail(&p->cluster, errand->number, -ENOMEM);
        return true;
    }
    parcel->words[parcel->count++] =
        kri_word_integer(&parcel->numbers[parcel->tasks], (int64_t)errand->number);
    parcel->words[parcel->count++] = kri_word_of(bytes, size);
    parcel->sent[parcel->tasks] = errand->number;
    parcel->bytes[parcel->tasks++] = bytes;
    return true;
}

/* With `sending`: the server does not know what it was told. */
static void send_all_again(kri_redis_pool *p)
{
    p->marked = 0;
    kri_add_sc(&p->forgotten, 1);
    kri_cluster_send_again(&p->cluster);
    kri_cluster_rouse(&p->cluster);
}

/* *reply is what the script says; for p->post.timeout a server that is away, or full, is borne. */
static int ask_to_take(kri_redis_pool *p, const struct parcel *parcel, kri_reply **reply)
{
    kr_time deadline = kri_deadline(p->post.timeout);
    for (;;) {
        int err = kri_redis_run(p->post.server, &send_tasks, 2, parcel->words, parcel->count,
                                KRI_REDIS_AGAIN, deadline, reply);
        if (!err || err == KR_EAUTH || os_now() >= deadline || kr_sleep(kr_ms(REST_MS)) != 0)
            return err;
    }
}

static void note_taken(kri_redis_pool *p, const struct parcel *parcel, const kri_reply *reply)
{
    p->marked = parcel->sent[parcel->tasks - 1];
    for (int i = 0; i < parcel->tasks; i++)
        kri_redis_note_sent(p, parcel->sent[i], kri_reply_at(reply, (size_t)i + 1));
}

/* How many; negative: the server could not be told. */
static int send_some(kri_redis_pool *p)
{
    struct parcel parcel = {.count = 4};
    while (parcel.tasks < AT_ONCE && pack(p, &parcel))
        continue;
    if (parcel.tasks == 0)
        return 0;
    kri_add_sc(&p->sent, 1);
    kri_wake(&p->sent, KRI_ALL, 0);
    parcel.words[0] = kri_word(p->post.tasks);
    parcel.words[1] = kri_word(p->mark);
    parcel.words[2] = kri_word_integer(&parcel.ttl, KRI_POST_TTL);
    parcel.words[3] = kri_word_integer(&parcel.marked, (int64_t)p->marked);
    kri_reply *reply;
    int err = ask_to_take(p, &parcel, &reply);
    if (!err && kri_reply_integer(kri_reply_at(reply, 0)) != 0)
        note_taken(p, &parcel, reply);
    else if (!err)
        send_all_again(p);
    kri_reply_free(reply);
    for (int i = 0; i < parcel.tasks; i++)
        os_free(parcel.bytes[i]);
    return err < 0 ? err : parcel.tasks;
}

static int locked_send(kri_redis_pool *p)
{
    int err = kr_lock_acquire(&p->sending, KR_FOREVER);
    if (err)
        return err;
    int some = send_some(p);
    kr_lock_release(&p->sending);
    return some;
}

/* The reader. */

/* A task whose result is longer than we take has been run, and whoever waits for it is told. */
static void take_result(kri_redis_pool *p, const unsigned char *bytes, size_t size)
{
    kri_message m;
    bool oversized = size > p->cluster.max_message + KRI_MESSAGE_HEAD;
    int err = kri_message_open(&p->checker, p->post.program, bytes, size, &m);
    if (err) {
        kri_cluster_drop(&p->cluster, oversized ? KRI_OVERSIZED : kri_drop_for(err));
        return;
    }
    bool ours =
        m.kind == KRI_MESSAGE_RESULT && memcmp(m.session, p->session, sizeof m.session) == 0;
    if (ours && oversized) {
        kri_cluster_drop(&p->cluster, KRI_OVERSIZED);
        m.error = -EMSGSIZE;
        m.size = 0;
    }
    if (!ours || !kri_cluster_hand_in(&p->cluster, &m, bytes + KRI_MESSAGE_HEAD))
        kri_cluster_drop(&p->cluster, KRI_REPLAYED);
}

/* What stands before the last one that was read is not needed any more. */
static void trim(kri_redis_pool *p)
{
    kri_reply *reply;
    p->untrimmed = 0;
    (void)kri_redis_do(
        p->post.server,
        KRI_WORDS(kri_word("XTRIM"), kri_word(p->results), kri_word("MINID"), kri_word(p->last)),
        KRI_REDIS_AGAIN, kri_deadline(p->post.timeout), &reply);
    kri_reply_free(reply);
}

/* [[key, [entry, ...]]], or nil.  Results are long: so the memory is given back soon. */
static size_t take_results(kri_redis_pool *p, const kri_reply *reply)
{
    const kri_reply *stream = kri_reply_count(reply) ? kri_reply_at(reply, 0) : NULL;
    const kri_reply *entries =
        stream && kri_reply_count(stream) == 2 ? kri_reply_at(stream, 1) : NULL;
    size_t count = entries ? kri_reply_count(entries) : 0;
    for (size_t i = 0; i < count; i++) {
        const unsigned char *bytes;
        size_t size;
        if (!kri_post_entry(kri_reply_at(entries, i), p->last, &bytes, &size))
            continue;
        p->untrimmed += 1 + size / 4096;
        take_result(p, bytes, size);
    }
    return count;
}

/* Who is just sending finds it himself. */
static int check(kri_redis_pool *p)
{
    int err = kr_lock_acquire(&p->sending, KR_NOWAIT);
    if (err)
        return err == -ETIMEDOUT ? 0 : err;
    int known = kri_redis_look(p);
    if (known == 0)
        send_all_again(p);
    kr_lock_release(&p->sending);
    return known < 0 ? known : 0;
}

static int read_results(kri_redis_pool *p)
{
    kri_digits block, count;
    kri_reply *reply;
    int err = kri_redis_do(
        p->post.server,
        KRI_WORDS(kri_word("XREAD"), kri_word("COUNT"), kri_word_integer(&count, READ_COUNT),
                  kri_word("BLOCK"), kri_word_integer(&block, BLOCK_MS), kri_word("STREAMS"),
                  kri_word(p->results), kri_word(p->last)),
        KRI_REDIS_AGAIN | KRI_REDIS_BLOCKS, kri_deadline(p->post.timeout), &reply);
    if (err)
        return err;
    size_t some = take_results(p, reply);
    kri_reply_free(reply);
    if (p->untrimmed > TRIM_AFTER || (some == 0 && p->untrimmed))
        trim(p);
    if (some && os_now() < p->next_look)
        return 0;
    p->next_look = os_now() + kr_ms(BLOCK_MS);
    return check(p);
}

static bool is_stopped(const kri_redis_pool *p)
{
    return kri_load_acq(&p->stop) != 0;
}

/* For p->post.timeout errors are borne. */
static int read_until_stopped(kri_redis_pool *p)
{
    kr_time failing = 0;
    uint32_t forgotten = 0;
    while (!is_stopped(p)) {
        uint32_t seen = kri_load_acq(&p->sent);
        if (kri_load_acq(&p->forgotten) != forgotten) {
            forgotten = kri_load_acq(&p->forgotten);
            strcpy(p->last, "0-0");
        }
        if (kri_cluster_sent(&p->cluster) == 0) {
            (void)kri_wait(&p->sent, seen, KRI_NEVER, KRI_UNCANCELLABLE | KRI_IDLE);
            continue;
        }
        int err = read_results(p);
        kr_time now = os_now();
        failing = err ? failing ? failing : now : 0;
        if (err && now - failing > p->post.timeout)
            return err;
        if (err && !is_stopped(p))
            (void)kr_sleep(kr_ms(REST_MS));
    }
    return 0;
}

static int read_in_scope(void *arg)
{
    kri_redis_pool *p = *(kri_redis_pool *const *)arg;
    kri_stall_serve();
    int err = kr_cancel_scope_enter(&p->scope, KR_FOREVER);
    if (err)
        return err;
    err = read_until_stopped(p);
    (void)kr_cancel_scope_exit(&p->scope);
    kri_store_rel(&p->failed, (uint32_t)-err);
    kri_cluster_rouse(&p->cluster);
    return 0;
}

static void stop_reader(kri_redis_pool *p)
{
    kri_store_rel(&p->stop, 1);
    kri_add_sc(&p->sent, 1);
    kri_wake(&p->sent, KRI_ALL, 0);
    kr_cancel(&p->scope);
    (void)kr_thread_join(p->reader, NULL, KR_FOREVER);
}

/* The pool. */

static void clean_up(kri_redis_pool *p)
{
    kri_reply *reply;
    (void)kri_redis_do(p->post.server,
                       KRI_WORDS(kri_word("UNLINK"), kri_word(p->results), kri_word(p->mark)),
                       KRI_REDIS_AGAIN, kri_deadline(kr_sec(1)), &reply);
    kri_reply_free(reply);
}

static int send_until_over(kri_redis_pool *p)
{
    kri_cluster *c = &p->cluster;
    for (;;) {
        uint32_t seen = kri_load_acq(&c->bell);
        int failed = -(int)kri_load_acq(&p->failed);
        int some = failed ? failed : locked_send(p);
        if (some < 0)
            return some;
        if (some == 0 && kri_cluster_is_over(c))
            return 0;
        if (some == 0)
            (void)kri_wait(&c->bell, seen, KRI_NEVER, KRI_UNCANCELLABLE | KRI_IDLE);
    }
}

static int run(kri_cluster *c)
{
    kri_redis_pool *p = (kri_redis_pool *)c;
    kr_thread_options options = {.name = "krait-results", .daemon = KR_DAEMON_YES};
    int err = kr_thread_start(&p->reader, read_in_scope, &p, sizeof p, &options);
    if (err)
        return err;
    err = send_until_over(p);
    stop_reader(p);
    if (!err)
        clean_up(p);
    return err;
}

static const kri_link_ops redis_link_ops = {.run = run, .destroy = destroy_cluster};

static int begin(kri_redis_pool *p, const char *where, const char *name,
                 const kr_pool_options *options, const kr_remote_options *remote)
{
    kr_remote_options own = *remote;
    int err = kri_signer_begin(&p->signer, remote->key, remote->key_size);
    if (!err)
        err = kri_signer_begin(&p->checker, remote->key, remote->key_size);
    if (!err)
        err = kri_post_open(&p->post, where, name, remote);
    if (!err)
        err = kri_post_enter(&p->post, &p->signer, kri_deadline(p->post.timeout));
    if (err)
        return err;
    own.max_message = p->post.max_message;
    err = kri_cluster_begin(&p->cluster, &redis_link_ops, options, &own, "redis");
    if (err)
        return err;
    int workers = options->workers ? options->workers : EXPECTED;
    p->cluster.window = workers < KRI_ERRANDS / 2 ? 2 * (uint32_t)workers : KRI_ERRANDS;
    os_random(p->session, sizeof p->session);
    kri_post_key(&p->post, "results", p->session, p->results);
    kri_post_key(&p->post, "mark", p->session, p->mark);
    strcpy(p->last, "0-0");
    return kri_cluster_start(&p->cluster, workers);
}

int kr_redis_pool(kr_executor **pool, const char *where, const char *name,
                  const kr_pool_options *options, const kr_remote_options *remote)
{
    static const kr_pool_options no_options;
    static const kr_remote_options no_remote;
    if (!pool)
        return -EINVAL;
    *pool = NULL;
    options = options ? options : &no_options;
    remote = remote ? remote : &no_remote;
    int err = kri_remote_check_options(options, remote);
    kri_redis_pool *p = err ? NULL : os_alloc(sizeof *p);
    if (!p)
        return err ? err : -ENOMEM;
    err = begin(p, where, name, options, remote);
    if (err)
        destroy(p);
    else
        *pool = &p->cluster.executor;
    return err;
}
