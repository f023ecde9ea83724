/* Making streams of TLS, and asking about them.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/internal.h"
#include "stream/tls.h"
#include <krait/tls.h>
#include <string.h>

#ifdef KRI_HAVE_SSL

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* The certificate has to be for that host, whose name the server is told unless it is a number. */
static bool expect_host(SSL *ssl, const char *host)
{
    X509_VERIFY_PARAM *wanted = SSL_get0_param(ssl);
    if (X509_VERIFY_PARAM_set1_ip_asc(wanted, host) == 1)
        return true;
    ERR_clear_error();
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return SSL_set1_host(ssl, host) == 1 && SSL_set_tlsext_host_name(ssl, host) == 1;
}

static bool set_role(kri_tls *tls, bool server, const char *host)
{
    const kr_tls_context *context = tls->context;
    if (server) {
        SSL_set_accept_state(tls->ssl);
        SSL_set_verify(tls->ssl,
                       context->client_certificates
                           ? SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT
                           : SSL_VERIFY_NONE,
                       NULL);
        return true;
    }
    SSL_set_connect_state(tls->ssl);
    SSL_set_verify(tls->ssl, context->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
    return host == NULL || expect_host(tls->ssl, host);
}

static kri_tls *new_tls(kr_tls_context *context, kr_stream *over, bool server, const char *host)
{
    kri_tls *tls = os_alloc(sizeof *tls);
    if (tls == NULL)
        return NULL;
    tls->base.ops = &kri_tls_ops;
    tls->over = kr_stream_retain(over);
    tls->context = kr_tls_context_retain(context);
    ERR_clear_error();
    tls->ssl = SSL_new(context->ssl);
    tls->come = BIO_new(BIO_s_mem());
    tls->going = BIO_new(BIO_s_mem());
    bool good = tls->ssl != NULL && tls->come != NULL && tls->going != NULL;
    if (good) {
        SSL_set_bio(tls->ssl, tls->come, tls->going);
        good = set_role(tls, server, host);
    } else {
        (void)BIO_free(tls->come);
        (void)BIO_free(tls->going);
    }
    ERR_clear_error();
    if (good)
        return tls;
    kri_tls_free(tls);
    return NULL;
}

static int start(kr_stream **s, kr_tls_context *context, kr_stream *over, bool server,
                 const char *host, const kr_stream_options *options, kr_time timeout)
{
    kr_time deadline = kri_deadline(timeout);
    kri_tls *tls = new_tls(context, over, server, host);
    if (tls == NULL)
        return -ENOMEM;
    int err = kri_tls_handshake(tls, deadline);
    if (err == 0)
        err = kri_stream_over(s, &tls->base, options);
    if (err < 0)
        kri_tls_free(tls);
    return err;
}

/* A name that certificates and servers can be asked about.  With a dot before it OpenSSL would take
 * the certificate of any host of that domain. */
static bool is_host(const char *host)
{
    return host[0] != '\0' && host[0] != '.' && strlen(host) < 256;
}

int kr_tls_wrap(kr_stream **s, kr_tls_context *context, kr_stream *over, const char *host,
                const kr_stream_options *options, kr_time timeout)
{
    if (s == NULL)
        return -EINVAL;
    *s = NULL;
    if (context == NULL || over == NULL || timeout < 0 || !kri_stream_options_check(options) ||
        (host == NULL ? !context->insecure : !is_host(host)))
        return -EINVAL;
    return start(s, context, over, false, host, options, timeout);
}

int kr_tls_accept(kr_stream **s, kr_tls_context *context, kr_stream *over,
                  const kr_stream_options *options, kr_time timeout)
{
    if (s == NULL)
        return -EINVAL;
    *s = NULL;
    if (context == NULL || over == NULL || timeout < 0 || !kri_stream_options_check(options))
        return -EINVAL;
    return start(s, context, over, true, NULL, options, timeout);
}

int kri_tls_connect(kr_stream **s, kr_tls_context *context, const char *host, const char *service,
                    const kr_stream_options *options, kr_time timeout, kri_half_open *half)
{
    kr_stream *over;
    if (s == NULL)
        return -EINVAL;
    *s = NULL;
    if (context == NULL || timeout < 0 || host == NULL || !is_host(host))
        return -EINVAL;
    kr_time deadline = kri_deadline(timeout);
    int err = kri_stream_connect(&over, host, service, options, timeout, half);
    if (err < 0)
        return err;
    err = kr_tls_wrap(s, context, over, host, options, kri_left_until(deadline));
    if (err < 0) {
        kri_half_open_end(half);
        kr_stream_abort(over);
    }
    kr_stream_release(over);
    return err;
}

int kr_tls_connect(kr_stream **s, kr_tls_context *context, const char *host, const char *service,
                   const kr_stream_options *options, kr_time timeout)
{
    kri_half_open half = {.noted = false};
    int err = kri_tls_connect(s, context, host, service, options, timeout, &half);
    kri_half_open_end(&half);
    return err;
}

/* About one */

/* The connection, with its lock, and not closed until it is let go; NULL: there is none. */
static kri_tls *keep(kr_stream *s)
{
    kri_transport *transport = s != NULL ? kri_stream_keep_open(s) : NULL;
    if (transport == NULL)
        return NULL;
    if (transport->ops != &kri_tls_ops) {
        kri_stream_let_close(s);
        return NULL;
    }
    kri_tls *tls = (kri_tls *)(void *)transport;
    kri_mutex_lock(&tls->lock);
    return tls;
}

static void let_go(kr_stream *s, kri_tls *tls)
{
    kri_mutex_unlock(&tls->lock);
    kri_stream_let_close(s);
}

const char *kr_tls_version_of(kr_stream *s)
{
    kri_tls *tls = keep(s);
    if (tls == NULL)
        return NULL;
    const char *version = SSL_get_version(tls->ssl); /* a constant, as the next one */
    let_go(s, tls);
    return version;
}

const char *kr_tls_cipher_of(kr_stream *s)
{
    kri_tls *tls = keep(s);
    if (tls == NULL)
        return NULL;
    const char *cipher = SSL_get_cipher_name(tls->ssl);
    let_go(s, tls);
    return cipher;
}

int kr_tls_protocol_of(kr_stream *s, char *text, size_t size)
{
    const unsigned char *name;
    unsigned length;
    kri_tls *tls = keep(s);
    if (tls == NULL)
        return -EINVAL;
    SSL_get0_alpn_selected(tls->ssl, &name, &length);
    bool fits = length < size;
    if (fits && length > 0)
        memcpy(text, name, length);
    if (fits)
        text[length] = '\0';
    let_go(s, tls);
    return fits ? 0 : -ENOSPC;
}

int64_t kr_tls_peer_certificate(kr_stream *s, void *bytes, size_t size)
{
    kri_tls *tls = keep(s);
    if (tls == NULL)
        return -EINVAL;
    X509 *certificate = SSL_get1_peer_certificate(tls->ssl);
    let_go(s, tls);
    if (certificate == NULL)
        return 0;
    unsigned char *der = NULL;
    int length = i2d_X509(certificate, &der);
    if (length > 0 && (size_t)length <= size)
        memcpy(bytes, der, (size_t)length);
    OPENSSL_free(der);
    X509_free(certificate);
    return length > 0 ? length : -ENOMEM;
}

int kr_tls_update_keys(kr_stream *s)
{
    kri_tls *tls = keep(s);
    if (tls == NULL)
        return -EINVAL;
    ERR_clear_error();
    bool good = SSL_version(tls->ssl) == TLS1_3_VERSION &&
                SSL_key_update(tls->ssl, SSL_KEY_UPDATE_REQUESTED) == 1;
    ERR_clear_error();
    let_go(s, tls);
    return good ? 0 : -EOPNOTSUPP;
}

#else

int kr_tls_wrap(kr_stream **s, kr_tls_context *context, kr_stream *over, const char *host,
                const kr_stream_options *options, kr_time timeout)
{
    (void)context, (void)over, (void)host, (void)options, (void)timeout;
    if (s != NULL)
        *s = NULL;
    return -ENOSYS;
}

int kr_tls_accept(kr_stream **s, kr_tls_context *context, kr_stream *over,
                  const kr_stream_options *options, kr_time timeout)
{
    return kr_tls_wrap(s, context, over, NULL, options, timeout);
}

int kr_tls_connect(kr_stream **s, kr_tls_context *context, const char *host, const char *service,
                   const kr_stream_options *options, kr_time timeout)
{
    (void)service;
    return kr_tls_wrap(s, context, NULL, host, options, timeout);
}

int kri_tls_connect(kr_stream **s, kr_tls_context *context, const char *host, const char *service,
                    const kr_stream_options *options, kr_time timeout, kri_half_open *half)
{
    (void)half;
    return kr_tls_connect(s, context, host, service, options, timeout);
}

const char *kr_tls_version_of(kr_stream *s)
{
    (void)s;
    return NULL;
}

const char *kr_tls_cipher_of(kr_stream *s)
{
    (void)s;
    return NULL;
}

int kr_tls_protocol_of(kr_stream *s, char *text, size_t size)
{
    (void)s, (void)text, (void)size;
    return -ENOSYS;
}

int64_t kr_tls_peer_certificate(kr_stream *s, void *bytes, size_t size)
{
    (void)s, (void)bytes, (void)size;
    return -ENOSYS;
}

int kr_tls_update_keys(kr_stream *s)
{
    (void)s;
    return -ENOSYS;
}

#endif
