/* The handshake of CPython's multiprocessing.connection.
 *
 * One end asks and the other answers, then the other way round; the listener asks first.  To ask is
 * to send a challenge of random bytes; its answer is a digest of the challenge keyed with the
 * common key, and the answer to that a welcome or a refusal:
 *
 *     #CHALLENGE#{sha256}<40 random bytes>      {sha256}<digest>      #WELCOME# or #FAILURE#
 *
 * The digest is over the challenge with its name in braces, so nobody on the way can talk the two
 * into a weaker one.  Python up to 3.11 asks with 20 bytes without a name, takes what it is asked
 * whatever it is, and answers with the 16 bytes of an MD5 digest and no name.
 *
 * No bytes are moved here: messages come in and replies go out, so that one thread can lead the
 * handshakes of many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/auth.h"
#include "os/os.h"
#include <string.h>

#ifdef KRI_HAVE_OPENSSL
#include <openssl/crypto.h>
#include <openssl/evp.h>
#endif

enum { ASKED, TO_BE_ASKED, ANSWERED, OVER }; /* what was done last, or comes next */

enum { RANDOM_BYTES = 40, OLD_CHALLENGE = 20, OLD_ANSWER = 16, DIGEST_MOST = 64 };

static const char challenge_mark[] = "#CHALLENGE#";
static const char welcome[] = "#WELCOME#";
static const char failure[] = "#FAILURE#";
enum { MARK_SIZE = sizeof challenge_mark - 1 };

typedef struct digest_kind {
    const char *prefix;
    const char *name; /* to OpenSSL */
} digest_kind;

static const digest_kind kinds[] = {
    {"{sha256}", "SHA2-256"},   {"{sha384}", "SHA2-384"}, {"{sha3_256}", "SHA3-256"},
    {"{sha3_384}", "SHA3-384"}, {"{md5}", "MD5"},
};
enum { KINDS = sizeof kinds / sizeof kinds[0], SHA256 = 0, MD5 = KINDS - 1 };

#ifdef KRI_HAVE_OPENSSL
/* The digest of a text; its size, 0 when there is none to be had. */
static size_t digest_of(const kri_auth_key *key, int kind, const void *text, size_t size,
                        unsigned char *digest)
{
    size_t length = 0;
    if (!EVP_Q_mac(NULL, "HMAC", NULL, kinds[kind].name, NULL, key->bytes, key->size, text, size,
                   digest, DIGEST_MOST, &length))
        return 0;
    return length;
}

static bool same_bytes(const void *a, const void *b, size_t size)
{
    return CRYPTO_memcmp(a, b, size) == 0; /* takes as long wherever they differ */
}
#else
static size_t digest_of(const kri_auth_key *key, int kind, const void *text, size_t size,
                        unsigned char *digest)
{
    (void)key, (void)kind, (void)text, (void)size, (void)digest;
    return 0;
}

static bool same_bytes(const void *a, const void *b, size_t size)
{
    (void)a, (void)b, (void)size;
    return false;
}
#endif

int kri_auth_check_key(const kri_auth_key *key)
{
    if (key->bytes == NULL || key->size == 0)
        return -EINVAL;
#ifdef KRI_HAVE_OPENSSL
    return 0;
#else
    return -ENOSYS;
#endif
}

static void put(kri_auth_message *message, const void *bytes, size_t size)
{
    memcpy(message->bytes + message->size, bytes, size);
    message->size += size;
}

static void put_text(kri_auth_message *message, const char *text)
{
    put(message, text, strlen(text));
}

static void ask(kri_auth *auth, kri_auth_message *message)
{
    kri_auth_message challenge = {.size = 0};
    unsigned char bytes[RANDOM_BYTES];
    os_random(bytes, sizeof bytes);
    put_text(&challenge, kinds[SHA256].prefix);
    put(&challenge, bytes, sizeof bytes);
    memcpy(auth->challenge, challenge.bytes, challenge.size);
    auth->challenge_size = challenge.size;
    put_text(message, challenge_mark);
    put(message, challenge.bytes, challenge.size);
    auth->stage = ASKED;
}

/* Which digest the text is about, by the name at its begin or by the length that old ones have;
 * -1: none that we may use. */
static int kind_of(const kri_auth *auth, const void *text, size_t size, size_t old_size)
{
    if (size == old_size)
        return auth->key.allow_md5 ? MD5 : -1;
    int most = auth->key.allow_md5 ? KINDS : MD5;
    for (int i = 0; i < most; i++) {
        size_t length = strlen(kinds[i].prefix);
        if (size > length && memcmp(text, kinds[i].prefix, length) == 0)
            return i;
    }
    return -1;
}

/* Has the other end answered our challenge as one does who has the key? */
static bool answer_is_right(const kri_auth *auth, const unsigned char *answer, size_t size)
{
    int kind = kind_of(auth, answer, size, OLD_ANSWER);
    if (kind < 0)
        return false;
    unsigned char wanted[DIGEST_MOST];
    size_t length = digest_of(&auth->key, kind, auth->challenge, auth->challenge_size, wanted);
    size_t prefix = size == OLD_ANSWER ? 0 : strlen(kinds[kind].prefix);
    return length != 0 && size - prefix == length && same_bytes(wanted, answer + prefix, length);
}

static int judge(kri_auth *auth, const unsigned char *answer, size_t size, kri_auth_message *reply)
{
    bool right = answer_is_right(auth, answer, size);
    put_text(reply, right ? welcome : failure);
    if (!right)
        return KR_EAUTH;
    auth->stage = auth->listening ? TO_BE_ASKED : OVER;
    return auth->listening;
}

static int answer(kri_auth *auth, const unsigned char *bytes, size_t size, kri_auth_message *reply)
{
    if (size < MARK_SIZE + OLD_CHALLENGE || memcmp(bytes, challenge_mark, MARK_SIZE) != 0)
        return KR_EAUTH;
    const unsigned char *challenge = bytes + MARK_SIZE;
    size -= MARK_SIZE;
    int kind = kind_of(auth, challenge, size, OLD_CHALLENGE);
    if (kind < 0)
        return KR_EAUTH;
    unsigned char digest[DIGEST_MOST];
    size_t length = digest_of(&auth->key, kind, challenge, size, digest);
    if (length == 0)
        return KR_EAUTH;
    if (size != OLD_CHALLENGE)
        put_text(reply, kinds[kind].prefix);
    put(reply, digest, length);
    auth->stage = ANSWERED;
    return 1;
}

static int read_verdict(kri_auth *auth, const void *bytes, size_t size, kri_auth_message *reply)
{
    if (size != strlen(welcome) || memcmp(bytes, welcome, size) != 0)
        return KR_EAUTH;
    if (auth->listening) {
        auth->stage = OVER;
        return 0;
    }
    ask(auth, reply);
    return 1;
}

void kri_auth_begin(kri_auth *auth, const kri_auth_key *key, bool listening,
                    kri_auth_message *first)
{
    *auth = (kri_auth){.key = *key, .listening = listening, .stage = TO_BE_ASKED};
    first->size = 0;
    if (listening)
        ask(auth, first);
}

int kri_auth_take(kri_auth *auth, const void *bytes, size_t size, kri_auth_message *reply)
{
    int stage = auth->stage;
    auth->stage = OVER; /* unless what follows says otherwise */
    reply->size = 0;
    if (size > KRI_AUTH_MESSAGE)
        return KR_EAUTH;
    switch (stage) {
    case ASKED:
        return judge(auth, bytes, size, reply);
    case TO_BE_ASKED:
        return answer(auth, bytes, size, reply);
    case ANSWERED:
        return read_verdict(auth, bytes, size, reply);
    default:
        return KR_EAUTH;
    }
}
