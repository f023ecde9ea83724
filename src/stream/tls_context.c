/* What connections of TLS have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/tls.h"
#include "os/os.h"
#include <string.h>

#ifdef KRI_HAVE_SSL

#include <openssl/err.h>

/* Nobody is asked for a password: the program may have no terminal, and a coroutine would wait. */
static int give_password(char *text, int size, int writing, void *given)
{
    (void)writing;
    size_t length = given != NULL ? strlen(given) : 0;
    if (given == NULL || length > (size_t)size)
        return -1;
    memcpy(text, given, length);
    return (int)length;
}

static int load_certificate(SSL_CTX *ssl, const kr_tls_options *o)
{
    const char *key = o->key != NULL ? o->key : o->certificate;
    if (o->certificate == NULL)
        return o->key != NULL ? -EINVAL : 0;
    char *password = (char *)(uintptr_t)o->password; /* only read, by the function above */
    SSL_CTX_set_default_passwd_cb(ssl, give_password);
    SSL_CTX_set_default_passwd_cb_userdata(ssl, password);
    bool good = SSL_CTX_use_certificate_chain_file(ssl, o->certificate) == 1 &&
                SSL_CTX_use_PrivateKey_file(ssl, key, SSL_FILETYPE_PEM) == 1 &&
                SSL_CTX_check_private_key(ssl) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ssl, NULL);
    return good ? 0 : kri_tls_note(X509_V_OK);
}

static int load_trusted(SSL_CTX *ssl, const kr_tls_options *o)
{
    bool good;
    if (o->ca_file == NULL && o->ca_directory == NULL)
        good = SSL_CTX_set_default_verify_paths(ssl) == 1;
    else
        good = SSL_CTX_load_verify_locations(ssl, o->ca_file, o->ca_directory) == 1;
    if (good && o->client_certificates && o->ca_file != NULL) {
        STACK_OF(X509_NAME) *names = SSL_load_client_CA_file(o->ca_file);
        good = names != NULL;
        SSL_CTX_set_client_CA_list(ssl, names); /* which clients may choose by */
    }
    return good ? 0 : kri_tls_note(X509_V_OK);
}

/* In the form in which they travel. */
static int pack_protocols(kr_tls_context *context, const char *const *protocols)
{
    size_t size = 0;
    for (size_t i = 0; protocols != NULL && protocols[i] != NULL; i++) {
        size_t length = strlen(protocols[i]);
        if (length == 0 || length > 255)
            return -EINVAL;
        size += 1 + length;
    }
    if (size == 0)
        return 0;
    if (size > UINT16_MAX)
        return -EINVAL;
    unsigned char *to = context->protocols = os_alloc(size);
    if (to == NULL)
        return -ENOMEM;
    context->protocols_size = (unsigned)size;
    for (size_t i = 0; protocols[i] != NULL; i++) {
        size_t length = strlen(protocols[i]);
        *to++ = (unsigned char)length;
        memcpy(to, protocols[i], length);
        to += length;
    }
    return 0;
}

/* A server's choice: the first of its own that the client has, too. */
static int choose_protocol(SSL *ssl, const unsigned char **chosen, unsigned char *size,
                           const unsigned char *offered, unsigned offered_size, void *arg)
{
    const kr_tls_context *context = arg;
    unsigned char *found;
    (void)ssl;
    if (SSL_select_next_proto(&found, size, context->protocols, context->protocols_size, offered,
                              offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_NOACK;
    *chosen = found;
    return SSL_TLSEXT_ERR_OK;
}

static int set_protocols(kr_tls_context *context, const char *const *protocols)
{
    int err = pack_protocols(context, protocols);
    if (err < 0 || context->protocols == NULL)
        return err;
    SSL_CTX_set_alpn_select_cb(context->ssl, choose_protocol, context);
    return SSL_CTX_set_alpn_protos(context->ssl, context->protocols, context->protocols_size) == 0
               ? 0
               : -ENOMEM;
}

static int set_up(kr_tls_context *context, const kr_tls_options *o)
{
    context->client_certificates = o->client_certificates;
    context->insecure = o->insecure;
    ERR_clear_error();
    SSL_CTX *ssl = context->ssl = SSL_CTX_new(TLS_method());
    if (ssl == NULL)
        return -ENOMEM;
    (void)SSL_CTX_set_min_proto_version(ssl,
                                        o->minimum == KR_TLS_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    (void)SSL_CTX_set_options(ssl, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                       SSL_OP_NO_TICKET | SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    (void)SSL_CTX_set_session_cache_mode(ssl, SSL_SESS_CACHE_OFF);
    /* Tickets come after the handshake; a client that never reads would leave them unread when it
     * closes, and the system would then tell the other end that the connection is lost. */
    (void)SSL_CTX_set_num_tickets(ssl, 0);
    int err = load_certificate(ssl, o);
    if (err == 0)
        err = load_trusted(ssl, o);
    return err == 0 ? set_protocols(context, o->protocols) : err;
}

int kr_tls_context_create(kr_tls_context **context, const kr_tls_options *options)
{
    static const kr_tls_options defaults;
    const kr_tls_options *o = options != NULL ? options : &defaults;
    if (context == NULL)
        return -EINVAL;
    *context = NULL;
    if ((o->reserved[0] | o->reserved[1] | o->reserved[2] | o->reserved[3]) != 0 ||
        (o->minimum != 0 && o->minimum != KR_TLS_1_2 && o->minimum != KR_TLS_1_3))
        return -EINVAL;
    kr_tls_context *made = os_alloc(sizeof *made);
    if (made == NULL)
        return -ENOMEM;
    made->references.bits = 1;
    int err = set_up(made, o);
    if (err < 0)
        kr_tls_context_release(made);
    else
        *context = made;
    return err;
}

kr_tls_context *kr_tls_context_retain(kr_tls_context *context)
{
    (void)kri_add_rlx(&context->references, 1);
    return context;
}

void kr_tls_context_release(kr_tls_context *context)
{
    if (context == NULL || kri_sub_acq_rel(&context->references, 1) != 1)
        return;
    SSL_CTX_free(context->ssl);
    os_free(context->protocols);
    os_free(context);
}

#else

#include <krait/tls.h>

int kr_tls_context_create(kr_tls_context **context, const kr_tls_options *options)
{
    (void)options;
    if (context != NULL)
        *context = NULL;
    return -ENOSYS;
}

kr_tls_context *kr_tls_context_retain(kr_tls_context *context)
{
    return context;
}

void kr_tls_context_release(kr_tls_context *context)
{
    (void)context;
}

#endif

void kr_tls_context_auto(kr_tls_context **context)
{
    kr_tls_context_release(*context);
    *context = NULL;
}
