/* The wire of the pools on other machines: a head, and the bytes of an argument or a result.
 *
 *     0   "krT" and the version        48  items, item_arg, item_result, result_size
 *     4   kind, three zero bytes       80  took, size
 *     8   function, error              96  HMAC-SHA256 of all before and of the payload
 *     16  program, number              128 the payload
 *     32  session
 *
 * Numbers are little-endian.  Nothing in the head but the magic and the size is looked at before
 * the digest was found right; and the receiver has compared the size with what it allows before it
 * has made room for the message.
 *
 * A session is named by random bytes, and a number is given once in a session: so a message that
 * was signed once is good for one task of one session, in one direction, since the kind is signed
 * too.  Who keeps old ones can do nothing with them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "remote/message.h"

#include <krait/remote.h>
#include <stdlib.h>
#include <string.h>

#ifdef KRI_HAVE_OPENSSL
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#endif

enum { DIGEST = KRI_MESSAGE_HEAD - KRI_MESSAGE_FIELDS };

static const unsigned char magic[4] = {'k', 'r', 'T', 1}; /* the last is the version */

#ifdef KRI_HAVE_OPENSSL
static int make_context(kri_signer *signer, const void *key, size_t size)
{
    char digest[] = "SHA2-256";
    OSSL_PARAM params[] = {OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_END};
    EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    EVP_MAC_CTX *context = mac ? EVP_MAC_CTX_new(mac) : NULL;
    EVP_MAC_free(mac);
    if (context && EVP_MAC_init(context, key, size, params)) {
        signer->context = context;
        return 0;
    }
    EVP_MAC_CTX_free(context);
    return -ENOMEM;
}

void kri_signer_end(kri_signer *signer)
{
    EVP_MAC_CTX_free(signer->context);
    signer->context = NULL;
}

/* The key stays in the context; the first init without one begins anew with it. */
static bool digest_of(const kri_signer *signer, const unsigned char *bytes, size_t size,
                      unsigned char digest[DIGEST])
{
    EVP_MAC_CTX *context = signer->context;
    size_t length = 0;
    return EVP_MAC_init(context, NULL, 0, NULL) &&
           EVP_MAC_update(context, bytes, KRI_MESSAGE_FIELDS) &&
           EVP_MAC_update(context, bytes + KRI_MESSAGE_HEAD, size) &&
           EVP_MAC_final(context, digest, &length, DIGEST) && length == DIGEST;
}

static bool is_same(const unsigned char *a, const unsigned char *b)
{
    return CRYPTO_memcmp(a, b, DIGEST) == 0; /* takes as long wherever they differ */
}
#else
static int make_context(kri_signer *signer, const void *key, size_t size)
{
    (void)signer, (void)key, (void)size;
    return -ENOSYS;
}

void kri_signer_end(kri_signer *signer)
{
    (void)signer;
}

static bool digest_of(const kri_signer *signer, const unsigned char *bytes, size_t size,
                      unsigned char digest[DIGEST])
{
    (void)signer, (void)bytes, (void)size, (void)digest;
    return false;
}

static bool is_same(const unsigned char *a, const unsigned char *b)
{
    (void)a, (void)b;
    return false;
}
#endif

int kri_signer_begin(kri_signer *signer, const void *key, size_t size)
{
    signer->context = NULL;
    if (!key) {
        key = secure_getenv("KRAIT_KEY");
        size = key ? strlen(key) : 0;
        if (size == 0)
            return -ENOKEY;
    }
    return size < KR_KEY_LEAST ? -EKEYREJECTED : make_context(signer, key, size);
}

static void put(unsigned char *at, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        at[i] = (unsigned char)(value >> 8 * i);
}

static uint64_t get(const unsigned char *at, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)at[i] << 8 * i;
    return value;
}

int kri_message_seal(kri_signer *signer, const kri_message *m, unsigned char *bytes)
{
    memset(bytes, 0, KRI_MESSAGE_HEAD);
    memcpy(bytes, magic, sizeof magic);
    bytes[4] = m->kind;
    put(bytes + 8, m->function, 4);
    put(bytes + 12, (uint32_t)m->error, 4);
    put(bytes + 16, m->program, 8);
    put(bytes + 24, m->number, 8);
    memcpy(bytes + 32, m->session, KRI_MESSAGE_SESSION);
    put(bytes + 48, m->items, 8);
    put(bytes + 56, m->item_arg, 8);
    put(bytes + 64, m->item_result, 8);
    put(bytes + 72, m->result_size, 8);
    put(bytes + 80, m->took, 8);
    put(bytes + 88, m->size, 8);
    return digest_of(signer, bytes, m->size, bytes + KRI_MESSAGE_FIELDS) ? 0 : -EIO;
}

static void read_fields(kri_message *m, const unsigned char *bytes)
{
    m->kind = bytes[4];
    m->function = (uint32_t)get(bytes + 8, 4);
    m->error = (int32_t)(uint32_t)get(bytes + 12, 4);
    m->program = get(bytes + 16, 8);
    m->number = get(bytes + 24, 8);
    memcpy(m->session, bytes + 32, KRI_MESSAGE_SESSION);
    m->items = get(bytes + 48, 8);
    m->item_arg = get(bytes + 56, 8);
    m->item_result = get(bytes + 64, 8);
    m->result_size = get(bytes + 72, 8);
    m->took = get(bytes + 80, 8);
    m->size = get(bytes + 88, 8);
}

int kri_message_open(kri_signer *signer, uint64_t program, const unsigned char *bytes, size_t size,
                     kri_message *m)
{
    unsigned char digest[DIGEST];
    if (size < KRI_MESSAGE_HEAD || memcmp(bytes, magic, sizeof magic) != 0 ||
        get(bytes + 88, 8) != size - KRI_MESSAGE_HEAD)
        return -EBADMSG;
    if (!digest_of(signer, bytes, size - KRI_MESSAGE_HEAD, digest) ||
        !is_same(digest, bytes + KRI_MESSAGE_FIELDS))
        return KR_EAUTH;
    read_fields(m, bytes);
    return m->program == program ? 0 : KR_ETASK;
}
