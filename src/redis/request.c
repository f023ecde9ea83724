/* Requests: sending them, as often as that is right, and what became of them.
 *
 * Protocol.  A request is tried on a line until there is an answer, or an end:
 *     no line           the error of connecting, which the pool tried until the deadline: not
 *                       applied
 *     not all sent      the server never runs a part of a request: not applied, so once more on
 *                       another line, unless the time is up or the caller is cancelled.  Of a batch
 *                       a part may be whole requests, so that holds for nothing sent only
 *     sent, no answer   in doubt.  Once more where the caller allows it, else KR_EUNSURE
 *     refused           LOADING and its kin, READONLY, of all requests or of a transaction's: not
 *                       applied; after a pause once more.
 *                       READONLY is a server that was the master and is none any more: the next
 *                       connection to the same address may find another one
 *
 * A request that waits in the server (KRI_REDIS_BLOCKS) may be given something in the moment when
 * its caller's time is up or he is cancelled.  Closing the line would lose that.  So the server is
 * told, on another line, to end the wait; then the answer comes, with something or nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "redis/internal.h"
#include <stdlib.h>

enum { UNBLOCK_S = 1 };

typedef struct kri_request {
    const char *bytes;
    size_t size;
    int count; /* of answers */
    unsigned flags;
    kr_time deadline;
    kri_reply **replies;
    bool single; /* a part of it was not applied */
} kri_request;

static void free_replies(kri_request *q, int count)
{
    for (int i = 0; i < count; i++) {
        kri_reply_free(q->replies[i]);
        q->replies[i] = NULL;
    }
}

/* Ending waits in the server */

static int learn_id(kri_line *line, kr_time deadline)
{
    kri_reply *reply;
    if (line->id != 0)
        return 0;
    int err = kri_line_ask(line, KRI_WORDS(kri_word("CLIENT"), kri_word("ID")), &reply, deadline);
    if (err == 0)
        line->id = kri_reply_integer(reply);
    kri_reply_free(reply);
    return err;
}

static int unblock(kri_redis *r, int64_t id, kr_time deadline)
{
    kri_line *line;
    kri_reply *reply;
    kri_digits digits;
    int err = kri_line_take(r, true, deadline, &line);
    if (err < 0)
        return err;
    err = kri_line_ask(
        line, KRI_WORDS(kri_word("CLIENT"), kri_word("UNBLOCK"), kri_word_integer(&digits, id)),
        &reply, deadline);
    kri_reply_free(reply);
    kri_line_give(r, line, err == 0);
    return err;
}

/* The caller has given up: 0: there is an answer all the same. */
static int end_wait(kri_redis *r, kri_line *line, kri_reply **reply, int error)
{
    int err = error;
    kr_shield {
        kr_time deadline = kri_deadline(kr_sec(UNBLOCK_S));
        err = unblock(r, line->id, deadline);
        if (err == 0)
            err = kri_line_receive(line, reply, deadline);
    }
    return err < 0 ? error : 0;
}

/* One try */

typedef struct kri_try {
    bool sent;   /* it may have been applied */
    bool broken; /* the line is of no use any more */
} kri_try;

static int receive_all(kri_redis *r, kri_line *line, kri_request *q)
{
    for (int i = 0; i < q->count; i++) {
        int err = kri_line_receive(line, &q->replies[i], q->deadline);
        bool given_up = err == -ETIMEDOUT || err == -ECANCELED;
        if (given_up && (q->flags & KRI_REDIS_BLOCKS) != 0)
            err = end_wait(r, line, &q->replies[i], err);
        if (err < 0) {
            free_replies(q, i);
            return err;
        }
    }
    return 0;
}

static int exchange(kri_redis *r, kri_line *line, kri_request *q, kri_try *t)
{
    size_t sent = 0;
    int err = (q->flags & KRI_REDIS_BLOCKS) != 0 ? learn_id(line, q->deadline) : 0;
    if (err == 0)
        err = kri_line_send(line, q->bytes, q->size, &sent, q->deadline);
    t->sent = q->single ? sent == q->size : sent > 0;
    if (err == 0)
        err = receive_all(r, line, q);
    t->broken = err < 0;
    return err;
}

static int try_request(kri_redis *r, kri_request *q, kri_try *t)
{
    kri_line *line;
    *t = (kri_try){.sent = false};
    int err = kri_line_take(r, (q->flags & KRI_REDIS_BLOCKS) != 0, q->deadline, &line);
    if (err < 0)
        return err;
    err = exchange(r, line, q, t);
    kri_line_give(r, line, !t->broken);
    return err;
}

/* The end of a transaction that the server has refused a part of: nothing of it was done. */
static bool is_aborted(const kri_reply *reply)
{
    static const char word[] = "EXECABORT";
    size_t size;
    const char *text = kri_reply_bytes(reply, &size);
    return kri_reply_kind(reply) == KRI_ERROR && size >= sizeof word - 1 &&
           memcmp(text, word, sizeof word - 1) == 0;
}

/* Does the server refuse all of it for the moment? */
static int refusal(const kri_request *q)
{
    int refused = 0;
    int count = 0;
    for (int i = 0; i < q->count; i++) {
        const kri_reply *reply = q->replies[i];
        int error = kri_reply_kind(reply) == KRI_ERROR ? kri_reply_error(reply) : 0;
        if (error == -EAGAIN || error == -EROFS) {
            refused = error;
            count++;
        }
    }
    return count == q->count || is_aborted(q->replies[q->count - 1]) ? refused : 0;
}

static int in_doubt(int error)
{
    return kri_redis_note(KR_EUNSURE, "no answer: %s", kr_strerror(error));
}

/* May it be tried again?  If not, *err is what the caller is told. */
static bool goes_on(kri_redis *r, const kri_request *q, const kri_try *t, int *err)
{
    bool given_up = *err == -ETIMEDOUT || *err == -ECANCELED || *err == -ENOMEM;
    if (t->sent && (q->flags & KRI_REDIS_AGAIN) == 0) {
        *err = in_doubt(*err);
        return false;
    }
    if (!t->broken || given_up || os_now() >= q->deadline)
        return false; /* no line; that was tried long enough */
    kri_redis_stumbled(r, *err);
    int waited = kri_redis_hold(r, q->deadline);
    if (waited < 0)
        *err = waited;
    return waited == 0;
}

static int run(kri_redis *r, kri_request *q)
{
    for (;;) {
        kri_try t;
        int err = try_request(r, q, &t);
        if (err < 0) {
            if (goes_on(r, q, &t, &err))
                continue;
            return err;
        }
        int refused = refusal(q);
        if (refused == 0 || os_now() >= q->deadline)
            return 0;
        if (refused == -EROFS)
            kri_redis_drop_idle(r);
        kri_redis_stumbled(r, refused);
        if (kri_redis_hold(r, q->deadline) < 0)
            return 0; /* the refusal is the answer */
        free_replies(q, q->count);
    }
}

int kri_redis_do(kri_redis *r, const kri_redis_word *words, int count, unsigned flags,
                 kr_time deadline, kri_reply **reply)
{
    char *bytes;
    *reply = NULL;
    int64_t size = kri_format(&bytes, words, count);
    if (size < 0)
        return (int)size;
    kri_request q = {.bytes = bytes,
                     .size = (size_t)size,
                     .count = 1,
                     .flags = flags,
                     .deadline = deadline,
                     .replies = reply,
                     .single = true};
    int err = run(r, &q);
    kri_format_free(bytes);
    if (err == 0)
        err = kri_reply_error(*reply);
    if (err < 0)
        free_replies(&q, 1);
    return err;
}

/* Batches */

void kri_redis_batch_begin(kri_redis_batch *batch)
{
    *batch = (kri_redis_batch){.bytes = NULL};
}

static bool make_room(kri_redis_batch *batch, size_t more)
{
    if (batch->room - batch->size >= more)
        return true;
    size_t room = batch->room * 2 + more + 1024;
    char *bytes = realloc(batch->bytes, room);
    if (bytes == NULL)
        return false;
    batch->bytes = bytes;
    batch->room = room;
    return true;
}

void kri_redis_batch_add(kri_redis_batch *batch, const kri_redis_word *words, int count)
{
    char *bytes;
    if (batch->error < 0)
        return;
    int64_t size = kri_format(&bytes, words, count);
    if (size >= 0 && make_room(batch, (size_t)size)) {
        memcpy(batch->bytes + batch->size, bytes, (size_t)size);
        batch->size += (size_t)size;
        batch->count++;
    } else {
        batch->error = size < 0 ? (int)size : -ENOMEM;
    }
    if (size >= 0)
        kri_format_free(bytes);
}

void kri_redis_batch_end(kri_redis_batch *batch)
{
    free(batch->bytes);
    *batch = (kri_redis_batch){.bytes = NULL};
}

int kri_redis_batch_run(kri_redis *r, kri_redis_batch *batch, unsigned flags, kr_time deadline,
                        kri_reply **replies)
{
    if (batch->error < 0)
        return batch->error;
    for (int i = 0; i < batch->count; i++)
        replies[i] = NULL;
    kri_request q = {.bytes = batch->bytes,
                     .size = batch->size,
                     .count = batch->count,
                     .flags = flags & ~(unsigned)KRI_REDIS_BLOCKS,
                     .deadline = deadline,
                     .replies = replies,
                     .single = batch->count == 1};
    return batch->count > 0 ? run(r, &q) : 0;
}
