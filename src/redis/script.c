/* Scripts of the server's.
 *
 * The server keeps a script when it has seen it, until it restarts or is told to forget, and knows
 * it by a digest.  The digest is the server's to say: a script is loaded before its first run, and
 * once more when the server says that it does not know it (NOSCRIPT), in which case nothing of it
 * was run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "os/os.h"
#include "redis/internal.h"

enum { LOADS = 3, OWN_WORDS = 3, FEW_WORDS = 19 };

/* Where the script is known by its address; NULL: no room for one more. */
static kri_known_script *find(kri_redis *r, const kri_redis_script *script)
{
    for (int i = 0; i < KRI_REDIS_SCRIPTS; i++) {
        kri_known_script *known = &r->scripts[i];
        if (known->script == NULL)
            known->script = script;
        if (known->script == script)
            return known;
    }
    return NULL;
}

/* "": it is not known. */
static void look_up(kri_redis *r, const kri_redis_script *script, char digest[static 48])
{
    digest[0] = '\0';
    kri_mutex_lock(&r->lock);
    const kri_known_script *known = find(r, script);
    if (known != NULL)
        memcpy(digest, known->digest, sizeof known->digest);
    kri_mutex_unlock(&r->lock);
}

static void keep(kri_redis *r, const kri_redis_script *script, const char digest[static 48])
{
    kri_mutex_lock(&r->lock);
    kri_known_script *known = find(r, script);
    if (known != NULL)
        memcpy(known->digest, digest, sizeof known->digest);
    kri_mutex_unlock(&r->lock);
}

static int load(kri_redis *r, const kri_redis_script *script, char digest[static 48],
                kr_time deadline)
{
    kri_reply *reply;
    size_t size;
    int err =
        kri_redis_do(r, KRI_WORDS(kri_word("SCRIPT"), kri_word("LOAD"), kri_word(script->text)),
                     KRI_REDIS_AGAIN, deadline, &reply);
    if (err < 0)
        return err;
    const char *bytes = kri_reply_bytes(reply, &size);
    memset(digest, 0, 48);
    if (size > 0 && size < 48)
        memcpy(digest, bytes, size);
    else
        err = -EPROTO;
    kri_reply_free(reply);
    if (err == 0)
        keep(r, script, digest);
    return err;
}

/* words[1] is the digest's place. */
static int run_known(kri_redis *r, const kri_redis_script *script, kri_redis_word *words, int count,
                     unsigned flags, kr_time deadline, kri_reply **reply)
{
    char digest[48];
    look_up(r, script, digest);
    for (int i = 0; i < LOADS; i++) {
        int err = digest[0] == '\0' ? load(r, script, digest, deadline) : 0;
        if (err < 0)
            return err;
        words[1] = kri_word(digest);
        err = kri_redis_do(r, words, count, flags, deadline, reply);
        if (err != -ENOEXEC)
            return err;
        digest[0] = '\0';
    }
    return KR_EREPLY; /* a server that forgets at once */
}

int kri_redis_run(kri_redis *r, const kri_redis_script *script, int keys,
                  const kri_redis_word *words, int count, unsigned flags, kr_time deadline,
                  kri_reply **reply)
{
    kri_redis_word few[FEW_WORDS];
    kri_redis_word *all = few;
    kri_digits digits;
    *reply = NULL;
    if (count > FEW_WORDS - OWN_WORDS) {
        all = os_alloc((size_t)(count + OWN_WORDS) * sizeof *all);
        if (all == NULL)
            return -ENOMEM;
    }
    all[0] = kri_word("EVALSHA");
    all[2] = kri_word_integer(&digits, keys);
    if (count > 0)
        memcpy(all + OWN_WORDS, words, (size_t)count * sizeof *words);
    int err = run_known(r, script, all, count + OWN_WORDS, flags, deadline, reply);
    if (all != few)
        os_free(all);
    return err;
}
