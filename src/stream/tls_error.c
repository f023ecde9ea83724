/* What went wrong with TLS, in words.
 *
 * OpenSSL keeps its errors by thread, where the next one that calls it would find them; so each is
 * taken from there at once, as a number, and put into words when somebody asks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/global.h"
#include "stream/tls.h"
#include <krait/tls.h>
#include <stdio.h>

#ifdef KRI_HAVE_SSL

#include <openssl/err.h>
#include <openssl/x509.h>

typedef struct tls_failure {
    unsigned long code; /* of OpenSSL; 0: none */
    int verified;       /* what is wrong with a certificate; 0: nothing */
    bool cut;           /* an end without a farewell */
} tls_failure;

KRI_THREAD_LOCAL(tls_failure, last_failure)

int kri_tls_note(long verified)
{
    unsigned long code = ERR_peek_error();
    bool refused =
        ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_CERTIFICATE_VERIFY_FAILED;
    *last_failure() = (tls_failure){.code = code, .verified = refused ? (int)verified : 0};
    ERR_clear_error();
    if (refused)
        return KR_ECERT;
    if (ERR_SYSTEM_ERROR(code) && ERR_GET_REASON(code) != 0)
        return -ERR_GET_REASON(code);
    return ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE ? -ENOMEM : KR_ETLS;
}

int kri_tls_note_cut(void)
{
    *last_failure() = (tls_failure){.cut = true};
    return KR_ETLS;
}

const char *kr_tls_error_text(char *text, size_t size)
{
    const tls_failure *failure = last_failure();
    const char *reason = failure->code ? ERR_reason_error_string(failure->code) : NULL;
    if (size == 0)
        return text;
    if (failure->cut)
        reason = "the connection ended without a farewell";
    else if (failure->verified != X509_V_OK)
        reason = X509_verify_cert_error_string(failure->verified);
    if (reason == NULL && failure->code != 0)
        ERR_error_string_n(failure->code, text, size);
    else
        (void)snprintf(text, size, "%s", reason != NULL ? reason : "no error");
    return text;
}

#else

const char *kr_tls_error_text(char *text, size_t size)
{
    if (size > 0)
        (void)snprintf(text, size, "built without TLS (Debian: libssl-dev)");
    return text;
}

#endif
