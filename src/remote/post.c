/* Where things lie on the server, for a name N and a session S in hexadecimal:
 *
 *     krait:{N}:tasks       the stream of tasks, with one group of consumers, the workers
 *     krait:{N}:results:S   the stream of a pool's results
 *     krait:{N}:mark:S      the number of the last task that the pool has sent
 *     krait:{N}:sign        a signed message without content
 *
 * The sign is there as long as somebody uses the name.  Who comes with another key cannot open it,
 * and goes away before he takes tasks that he would throw away as forged.
 *
 * The braces keep them together on one server of a cluster.  What belongs to a session is gone an
 * hour after it was touched last.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/post.h"

#include <ctype.h>
#include <stdio.h>

enum { TIMEOUT = 30, LEASE = 30, NAME_MOST = 64, MESSAGE_MOST = 1 << 28 };

static bool is_name(const char *name)
{
    size_t length = name ? strlen(name) : 0;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)name[i]) && !strchr("._-", name[i]))
            return false;
    return length > 0 && length <= NAME_MOST;
}

int kri_post_open(kri_post *post, const char *where, const char *name,
                  const kr_remote_options *remote)
{
    post->server = NULL;
    if (!where || !is_name(name) || remote->max_message > MESSAGE_MOST)
        return -EINVAL;
    post->max_message = remote->max_message ? remote->max_message : MESSAGE_MOST;
    int err = kri_remote_program(&post->program);
    if (err)
        return err;
    post->timeout = remote->timeout ? remote->timeout : kr_sec(TIMEOUT);
    post->lease = remote->lease ? remote->lease : kr_sec(LEASE);
    snprintf(post->name, sizeof post->name, "%s", name);
    snprintf(post->tasks, sizeof post->tasks, "krait:{%s}:tasks", name);
    snprintf(post->sign, sizeof post->sign, "krait:{%s}:sign", name);
    return kri_redis_open(&post->server, where, &(kri_redis_options){.timeout = post->timeout});
}

void kri_post_close(kri_post *post)
{
    kri_redis_release(post->server);
    post->server = NULL;
}

/* A server that is full makes none, and is worked for all the same where there is one. */
static const kri_redis_script make_group = {
    "local there = redis.pcall('XINFO', 'GROUPS', KEYS[1]) "
    "for i = 1, there.err and 0 or #there do if there[i][2] == ARGV[1] then return 1 end end "
    "local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM') "
    "if made.err then return made end "
    "return 1"};

int kri_post_make_group(kri_post *post, kr_time deadline)
{
    kri_reply *reply;
    int err = kri_redis_run(post->server, &make_group, 1,
                            KRI_WORDS(kri_word(post->tasks), kri_word(KRI_POST_GROUP)),
                            KRI_REDIS_AGAIN, deadline, &reply);
    kri_reply_free(reply);
    return err;
}

/* The one who is there keeps his; so one is put there only where there is none. */
static const kri_redis_script show_sign = {
    "local there = redis.call('GET', KEYS[1]) "
    "if there then redis.call('PEXPIRE', KEYS[1], ARGV[2]) return there end "
    "redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) return ARGV[1]"};

static int compare_signs(kri_post *post, kri_signer *signer, kr_time deadline)
{
    unsigned char own[KRI_MESSAGE_HEAD];
    kri_message m = {.kind = KRI_MESSAGE_HELLO, .program = post->program};
    kri_digits ttl;
    kri_reply *reply;
    size_t size;
    int err = kri_message_seal(signer, &m, own);
    if (!err)
        err = kri_redis_run(post->server, &show_sign, 1,
                            KRI_WORDS(kri_word(post->sign), kri_word_of(own, sizeof own),
                                      kri_word_integer(&ttl, KRI_POST_SIGN_TTL)),
                            KRI_REDIS_AGAIN, deadline, &reply);
    if (err)
        return err;
    const void *bytes = kri_reply_bytes(reply, &size);
    err = kri_message_open(signer, post->program, bytes, size, &m);
    kri_reply_free(reply);
    return err == -EBADMSG ? KR_EAUTH : err;
}

int kri_post_enter(kri_post *post, kri_signer *signer, kr_time deadline)
{
    int err = compare_signs(post, signer, deadline);
    return err ? err : kri_post_make_group(post, deadline);
}

void kri_post_key(const kri_post *post, const char *what, const unsigned char *session,
                  char key[KRI_POST_KEY])
{
    int at = snprintf(key, KRI_POST_KEY, "krait:{%s}:%s:", post->name, what);
    for (int i = 0; i < KRI_MESSAGE_SESSION; i++)
        at += snprintf(key + at, (size_t)(KRI_POST_KEY - at), "%02x", session[i]);
}

bool kri_post_entry(const kri_reply *entry, char id[KRI_POST_ID], const unsigned char **bytes,
                    size_t *size)
{
    if (!entry || kri_reply_count(entry) != 2)
        return false;
    size_t length;
    const char *text = kri_reply_bytes(kri_reply_at(entry, 0), &length);
    if (length == 0 || length >= KRI_POST_ID)
        return false;
    memcpy(id, text, length);
    id[length] = '\0';
    const kri_reply *fields = kri_reply_at(entry, 1);
    bool whole = kri_reply_count(fields) == 2;
    *bytes = NULL;
    *size = 0;
    if (whole)
        *bytes = (const unsigned char *)kri_reply_bytes(kri_reply_at(fields, 1), size);
    return true;
}
