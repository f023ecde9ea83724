/* kr_redis_pool: does the server have what it was told?
 *
 * State.  A task that was sent and not answered is
 *     there     an entry of the stream that no worker has had yet, or one that is some worker's
 *     answered  its result lies behind the last that was read
 *     lost      neither, as when a worker took a task for one that it has run before, of a server
 *               that was put back to an older copy, or when somebody has deleted it
 *
 * Fields.  All are the reader's while he has `sending`.
 *     tasks      by number: which id a task has in the stream, told by the sender
 *     missing    how many of them were not there at the last look
 *     missed_at  the id that the last result had then
 *     asked, words   room for a question
 *
 * Protocol.  One script looks at all that is out.  An entry is some worker's when it is among those
 * that are pending; no worker has had it yet when it lies behind what the group was given last, and
 * not behind the last entry.  What is deleted in between is found when the group has come there.
 *     A result is added in the same step that takes its task away.  So a task that was not there
 *     has its result, if it has one, among those up to missed_at.  When those were read and it is
 *     still not answered, it is sent again, with a new number; nobody waits for the old one any
 *     more.
 *     When the last result is older than the one that was read last the results are not those that
 *     they were, and are read from the first on before anything is believed lost.
 *
 * Why not each time for those only that are late?  How long a task takes nobody knows.  Why is the
 * stream itself not read?  Arguments may be long, and the server would copy them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/redis_inside.h"

#include <stdio.h>
#include <stdlib.h>

/* KEYS: the mark, the sign, the tasks, our results.  ARGV: how long the first two live, what the
 * mark is, the group, the ids of tasks.  {0}: the mark is another; {1, the last result's id, which
 * of the tasks are not there, counted from 0}. */
static const kri_redis_script look = {
    "redis.call('PEXPIRE', KEYS[2], ARGV[2]) "
    "local mark = redis.call('GET', KEYS[1]) or '0' "
    "if tonumber(string.match(mark, '^%d+')) ~= tonumber(ARGV[3]) then return {0} end "
    "redis.call('PEXPIRE', KEYS[1], ARGV[1]) "
    "local missing = {} "
    "for i = 5, #ARGV do "
    "local p = redis.pcall('XPENDING', KEYS[3], ARGV[4], ARGV[i], ARGV[i], 1) "
    "if p.err or #p == 0 then missing[#missing + 1] = i end "
    "end "
    "if #missing == 0 then return {1, '0-0'} end "
    "local given = '0-0' "
    "local groups = redis.pcall('XINFO', 'GROUPS', KEYS[3]) "
    "for g = 1, groups.err and 0 or #groups do "
    "local of = {} "
    "for f = 1, #groups[g], 2 do of[groups[g][f]] = groups[g][f + 1] end "
    "if of['name'] == ARGV[4] then given = of['last-delivered-id'] end "
    "end "
    "local function last_of(key) "
    "local entry = redis.call('XREVRANGE', key, '+', '-', 'COUNT', 1) "
    "return entry[1] and entry[1][1] or '0-0' "
    "end "
    "local function before(a, b) "
    "local am, as = string.match(a, '(%d+)%-(%d+)') "
    "local bm, bs = string.match(b, '(%d+)%-(%d+)') "
    "am, bm = tonumber(am), tonumber(bm) "
    "return am < bm or am == bm and tonumber(as) < tonumber(bs) "
    "end "
    "local last, found = last_of(KEYS[3]), {1, last_of(KEYS[4])} "
    "for _, i in ipairs(missing) do "
    "if not before(given, ARGV[i]) or before(last, ARGV[i]) then found[#found + 1] = i - 5 end "
    "end "
    "return found"};

static bool is_before(const char *a, const char *b)
{
    char *a_rest, *b_rest;
    unsigned long long am = strtoull(a, &a_rest, 10), bm = strtoull(b, &b_rest, 10);
    if (am != bm || *a_rest != '-' || *b_rest != '-')
        return am < bm;
    return strtoull(a_rest + 1, NULL, 10) < strtoull(b_rest + 1, NULL, 10);
}

static kri_redis_task *task_of(kri_redis_pool *p, uint64_t number)
{
    return &p->tasks[number % KRI_ERRANDS];
}

void kri_redis_note_sent(kri_redis_pool *p, uint64_t number, const kri_reply *id)
{
    size_t size;
    const char *text = kri_reply_bytes(id, &size);
    kri_redis_task *task = task_of(p, number);
    *task = (kri_redis_task){.number = size > 0 && size < KRI_POST_ID ? number : 0};
    if (task->number)
        memcpy(task->id, text, size + 1);
}

/* Those that were not there, and whose results have not come either. */
static void send_lost_again(kri_redis_pool *p)
{
    for (size_t i = 0; i < KRI_ERRANDS && p->missing > 0; i++) {
        kri_redis_task *task = &p->tasks[i];
        if (!task->missing)
            continue;
        kri_cluster_send_one_again(&p->cluster, task->number);
        *task = (kri_redis_task){.number = 0};
        p->missing--;
    }
    p->missing = 0;
    kri_cluster_rouse(&p->cluster);
}

static void note_missing(kri_redis_pool *p, const kri_reply *reply, size_t asked)
{
    size_t size;
    const char *last = kri_reply_bytes(kri_reply_at(reply, 1), &size);
    if (kri_reply_count(reply) <= 2)
        return;
    if (is_before(last, p->last)) {
        strcpy(p->last, "0-0");
        return;
    }
    snprintf(p->missed_at, sizeof p->missed_at, "%s", last);
    for (size_t i = 2; i < kri_reply_count(reply); i++) {
        uint64_t which = (uint64_t)kri_reply_integer(kri_reply_at(reply, i));
        if (which >= asked)
            continue;
        task_of(p, p->asked[which])->missing = true;
        p->missing++;
    }
}

/* The words from there on: the ids of what is out. */
static size_t list_tasks(kri_redis_pool *p, kri_redis_word *words)
{
    size_t sent = kri_cluster_list_sent(&p->cluster, p->asked), count = 0;
    for (size_t i = 0; i < sent; i++) {
        const kri_redis_task *task = task_of(p, p->asked[i]);
        if (task->number != p->asked[i])
            continue;
        p->asked[count] = task->number;
        words[count++] = kri_word(task->id);
    }
    return count;
}

enum { HEAD = KRI_REDIS_LOOK_WORDS };

static int ask(kri_redis_pool *p)
{
    kri_digits ttl, sign_ttl, marked;
    kri_reply *reply;
    const kri_redis_word head[] = {kri_word(p->mark),
                                   kri_word(p->post.sign),
                                   kri_word(p->post.tasks),
                                   kri_word(p->results),
                                   kri_word_integer(&ttl, KRI_POST_TTL),
                                   kri_word_integer(&sign_ttl, KRI_POST_SIGN_TTL),
                                   kri_word_integer(&marked, (int64_t)p->marked),
                                   kri_word(KRI_POST_GROUP)};
    _Static_assert(sizeof head / sizeof head[0] == HEAD, "what comes before the ids");
    memcpy(p->words, head, sizeof head);
    size_t asked = list_tasks(p, p->words + HEAD);
    int err = kri_redis_run(p->post.server, &look, 4, p->words, HEAD + (int)asked, KRI_REDIS_AGAIN,
                            kri_deadline(p->post.timeout), &reply);
    if (err)
        return err;
    int known = kri_reply_integer(kri_reply_at(reply, 0)) != 0;
    if (known)
        note_missing(p, reply, asked);
    kri_reply_free(reply);
    return known;
}

int kri_redis_look(kri_redis_pool *p)
{
    if (p->missing > 0 && is_before(p->last, p->missed_at))
        return 1; /* there is something to be read yet */
    if (p->missing > 0)
        send_lost_again(p);
    if (!p->marked || kri_cluster_sent(&p->cluster) == 0)
        return 1;
    return ask(p);
}
