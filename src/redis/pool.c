/* A pool of connections to one server.
 *
 * State
 *     a line     idle, in the pool's list, the last used first; or busy, with one runner
 *     the server reachable, as far as is known; or it has failed `failures` times in a row, and
 *                nobody tries it before `not_before`
 *
 * Fields: at the struct.  `pools` is guarded by pools_lock.
 *
 * Protocol
 *     taking     A request has a place first, of which there are as many as lines for requests;
 *                then the idle line that was used last, if it still stands, or a new one.  Lines
 *                for requests that block in the server have no place: they would keep others from
 *                it for as long as they like.
 *     away       Who cannot connect tries again until his deadline, after pauses that double, with
 *                a random part so that not all clients come at once.  What it was is the answer.
 *                So it is from the first connection on.
 *     fork       Descriptors are the parent's, whose server would see two clients as one.  A child
 *                closes its copies and has no line then.  Where the lock was held by a thread that
 *                is not there, what it guarded may be in the midst of a change: so the lists are
 *                given up, not walked, but for the one of all lines, which is only ever changed by
 *                two stores, either of which leaves it a list.  A line that is being opened is in
 *                no list yet, and closed as all half-open descriptors are.
 *
 * Why not one connection for all, with answers in order?  A runner that is cancelled would leave
 * its answer to others, and one that asks for much would hold them up.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "os/os.h"
#include "redis/internal.h"

enum { PAUSE_FIRST_MS = 5, PAUSE_DOUBLINGS = 7, IDLE_MOST = 32 };

static kri_redis *pools KRI_GLOBAL;
static kri_mutex pools_lock KRI_GLOBAL;

/* Forked children */

static void forget_lines(kri_redis *r)
{
    for (kri_line *line = r->lines; line != NULL; line = line->next)
        kri_line_abandon(line);
    r->lines = r->idle = NULL;
    r->idle_count = r->busy_count = 0;
    kri_store_rlx(&r->lock, 0);
    int err = kr_semaphore_init(&r->places, r->most, NULL);
    (void)err; /* it was right before */
}

static void in_forked_child(void)
{
    kri_store_rlx(&pools_lock, 0);
    for (kri_redis *r = pools; r != NULL; r = r->next)
        forget_lines(r);
}

static void list_pool(kri_redis *r)
{
    kri_mutex_lock(&pools_lock);
    r->next = pools;
    if (pools != NULL)
        pools->previous = r;
    pools = r;
    kri_mutex_unlock(&pools_lock);
}

static void unlist_pool(kri_redis *r)
{
    kri_mutex_lock(&pools_lock);
    if (r->next != NULL)
        r->next->previous = r->previous;
    if (r->previous != NULL)
        r->previous->next = r->next;
    else
        pools = r->next;
    kri_mutex_unlock(&pools_lock);
}

/* The server's being away */

/* pre: the lock. */
static void note_failure(kri_redis *r, int error)
{
    uint32_t random;
    os_random(&random, sizeof random);
    unsigned doublings = r->failures < PAUSE_DOUBLINGS ? r->failures : PAUSE_DOUBLINGS;
    kr_time pause = kr_ms((int64_t)PAUSE_FIRST_MS << doublings);
    r->failures++;
    r->last_error = error;
    r->not_before = os_now() + pause / 2 + (kr_time)(random % (uint64_t)pause);
}

void kri_redis_stumbled(kri_redis *r, int error)
{
    kri_mutex_lock(&r->lock);
    note_failure(r, error);
    kri_mutex_unlock(&r->lock);
}

int kri_redis_hold(kri_redis *r, kr_time deadline)
{
    kri_mutex_lock(&r->lock);
    kr_time until = r->failures > 0 ? r->not_before : 0;
    int error = r->last_error;
    kri_mutex_unlock(&r->lock);
    if (until <= os_now())
        return 0;
    int err = kri_pause(until < deadline ? until : deadline);
    return err != -ETIMEDOUT ? err : until < deadline ? 0 : error;
}

/* What may be over in a moment, of a server that restarts or fails over. */
static bool passes(int error)
{
    switch (error) {
    case -ECONNREFUSED:
    case -ECONNRESET:
    case -EPIPE:
    case -ENOENT:
    case -EHOSTUNREACH:
    case -ENETUNREACH:
    case -EAGAIN:
    case KR_ETLS:
    case KR_EOF:
        return true;
    default:
        return false;
    }
}

/* Lines */

static void unlist_line(kri_redis *r, kri_line *line)
{
    if (line->next != NULL)
        line->next->previous = line->previous;
    if (line->previous != NULL)
        line->previous->next = line->next;
    else
        r->lines = line->next;
}

static kri_line *take_idle(kri_redis *r)
{
    kri_mutex_lock(&r->lock);
    kri_line *line = r->idle;
    if (line != NULL) {
        r->idle = line->next_idle;
        r->idle_count--;
        r->busy_count++;
    }
    kri_mutex_unlock(&r->lock);
    return line;
}

static void drop(kri_redis *r, kri_line *line)
{
    kri_mutex_lock(&r->lock);
    unlist_line(r, line);
    r->busy_count--;
    kri_mutex_unlock(&r->lock);
    kri_line_close(line);
}

static int open_line(kri_redis *r, kr_time deadline, kri_line **line)
{
    int err = kri_line_open(line, &r->address, r->tls, deadline);
    kri_mutex_lock(&r->lock);
    if (err == 0) {
        kri_line *made = *line;
        made->next = r->lines;
        if (r->lines != NULL)
            r->lines->previous = made;
        r->lines = made;
        r->busy_count++;
        r->made++;
        r->failures = 0;
    } else if (passes(err)) {
        note_failure(r, err);
    }
    kri_mutex_unlock(&r->lock);
    if (err == 0)
        kri_half_open_end(&(*line)->half);
    return err;
}

static int take_line(kri_redis *r, kr_time deadline, kri_line **line)
{
    while ((*line = take_idle(r)) != NULL) {
        if (kri_line_is_alive(*line))
            return 0;
        drop(r, *line);
    }
    for (;;) {
        int err = kri_redis_hold(r, deadline);
        if (err == 0)
            err = open_line(r, deadline, line);
        else
            return err;
        if (err == 0 || !passes(err) || os_now() >= deadline)
            return err;
    }
}

int kri_line_take(kri_redis *r, bool extra, kr_time deadline, kri_line **line)
{
    *line = NULL;
    int err = extra ? 0 : kr_semaphore_acquire(&r->places, kri_left_until(deadline));
    if (err < 0)
        return err;
    err = take_line(r, deadline, line);
    if (err == 0)
        (*line)->extra = extra;
    else if (!extra)
        (void)kr_semaphore_release(&r->places, 1);
    return err;
}

void kri_line_give(kri_redis *r, kri_line *line, bool good)
{
    bool extra = line->extra;
    if (good)
        line->used = os_now();
    kri_mutex_lock(&r->lock);
    r->busy_count--;
    bool keep = good && r->idle_count < IDLE_MOST;
    if (keep) {
        line->next_idle = r->idle;
        r->idle = line;
        r->idle_count++;
    } else {
        unlist_line(r, line);
    }
    kri_mutex_unlock(&r->lock);
    if (!keep)
        kri_line_close(line);
    if (!extra)
        (void)kr_semaphore_release(&r->places, 1);
}

void kri_redis_drop_idle(kri_redis *r)
{
    kri_line *line;
    while ((line = take_idle(r)) != NULL)
        drop(r, line);
}

/* The pool's life */

static int set_up(kri_redis *r, const char *where, const kri_redis_options *o)
{
    int err = kri_redis_address_read(&r->address, where);
    if (err == 0 && !kri_reader_is_there())
        err = kri_redis_note(-ENOSYS, "built without hiredis (Debian: libhiredis-dev)");
    if (err < 0)
        return err;
    r->timeout = o->timeout != 0 ? o->timeout : kr_sec(KRI_REDIS_TIMEOUT_S);
    r->most = o->lines != 0 ? o->lines : KRI_REDIS_LINES;
    if (r->address.tls && o->tls != NULL)
        r->tls = kr_tls_context_retain(o->tls);
    else if (r->address.tls)
        err = kr_tls_context_create(&r->tls, NULL);
    if (err == -ENOSYS)
        (void)kri_redis_note(err, "built without OpenSSL (Debian: libssl-dev)");
    return err < 0 ? err : kr_semaphore_init(&r->places, r->most, NULL);
}

static void tear_down(kri_redis *r)
{
    kri_redis_drop_idle(r);
    kr_tls_context_release(r->tls);
    kri_redis_address_free(&r->address);
    os_free(r);
}

/* A line that has been used, once: a server may refuse only then. */
static int try_once(kri_redis *r, kr_time deadline)
{
    kri_line *line;
    kri_reply *reply;
    int err = kri_line_take(r, true, deadline, &line);
    if (err < 0)
        return err;
    err = kri_line_ask(line, KRI_WORDS(kri_word("PING")), &reply, deadline);
    kri_reply_free(reply);
    kri_line_give(r, line, err == 0);
    return err == -EAGAIN ? 0 : err; /* it is there, and will serve in a while */
}

/* One that is started together with us may come after us. */
static int await_server(kri_redis *r)
{
    kr_time deadline = kri_redis_deadline(r);
    for (;;) {
        int err = try_once(r, deadline);
        if (!passes(err) || os_now() >= deadline)
            return err;
        kri_redis_stumbled(r, err);
    }
}

int kri_redis_open(kri_redis **out, const char *where, const kri_redis_options *options)
{
    static const kri_redis_options defaults;
    const kri_redis_options *o = options != NULL ? options : &defaults;
    *out = NULL;
    if (where == NULL || o->timeout < 0)
        return -EINVAL;
    kri_redis *r = os_alloc(sizeof *r);
    if (r == NULL)
        return -ENOMEM;
    kri_store_rlx(&r->references, 1);
    int err = kri_at_fork_child(in_forked_child);
    if (err == 0)
        err = set_up(r, where, o);
    if (err < 0) {
        tear_down(r);
        return err;
    }
    list_pool(r);
    err = await_server(r);
    if (err < 0)
        kri_redis_release(r);
    else
        *out = r;
    return err;
}

kri_redis *kri_redis_retain(kri_redis *r)
{
    (void)kri_add_rlx(&r->references, 1);
    return r;
}

void kri_redis_release(kri_redis *r)
{
    if (r == NULL || kri_sub_acq_rel(&r->references, 1) != 1)
        return;
    unlist_pool(r);
    tear_down(r);
}

kr_time kri_redis_timeout(const kri_redis *r)
{
    return r->timeout;
}

kr_time kri_redis_deadline(const kri_redis *r)
{
    return kri_deadline(r->timeout);
}

kri_redis_counts kri_redis_count(kri_redis *r)
{
    kri_mutex_lock(&r->lock);
    kri_redis_counts counts = {r->made, r->idle_count, r->busy_count};
    kri_mutex_unlock(&r->lock);
    return counts;
}
