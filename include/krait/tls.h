/* kr_tls - encrypted streams: OpenSSL's TLS over a stream of krait's.
 *
 *     kr_tls_context *context;                        // one for the program, say
 *     err = kr_tls_context_create(&context, NULL);
 *     err = kr_tls_connect(&s, context, "example.org", "443", NULL, kr_sec(5));
 *     err = kr_stream_write(s, request, sizeof request - 1, NULL, kr_sec(5));
 *     ...
 *     kr_stream_close(s, kr_sec(5));
 *     kr_stream_release(s);
 *
 * What comes of it is a kr_stream like others: one runner may read while another writes, each call
 * has a timeout and can be cancelled, in a thread it blocks, in a coroutine it suspends.
 *
 * The other end's certificate is verified, its host name too, unless .insecure says that it be not.
 * An end that comes without the other side's saying so (close_notify) is KR_ETLS and not an end,
 * for anybody on the way could have made it.  kr_stream_close and kr_stream_write_eof say so to the
 * other end.  There is no renegotiation and no resumption.
 *
 * A write takes pieces of up to 16 KiB, each as a whole.  One that time or a cancel ends in the
 * middle of a piece counts that as written; in a thread the next write, flush or close sends the
 * rest.
 *
 * In a build without OpenSSL all of these answer -ENOSYS.
 *
 * Python's ssl, as asyncio has it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRAIT_TLS_H
#define KRAIT_TLS_H

#include <krait/stream.h>

KR_EXTERN_BEGIN

/* What connections have in common: certificates, and whom to trust.  It does not change, and serves
 * any number of connections of either kind, in any thread. */
typedef struct kr_tls_context kr_tls_context;

typedef enum kr_tls_version {
    KR_TLS_1_2 = 12,
    KR_TLS_1_3 = 13,
} kr_tls_version;

/* kr_tls_options - NULL or zero: of a client that trusts whom the system trusts.
 *
 *   .certificate   a PEM file: our certificate, and those it depends on behind it.  A server needs
 *                  one
 *   .key           a PEM file with its key; NULL: it stands in the same file
 *   .password      of the key; NULL: it needs none (nobody is ever asked for one)
 *   .ca_file, .ca_directory   whom to trust: a PEM file; a directory as `openssl rehash` makes it.
 *                  Both NULL: whom the system trusts
 *   .protocols     for ALPN, the best first, ends with NULL: such as {"h2", "http/1.1", NULL}
 *   .minimum       the oldest version to speak; 0: KR_TLS_1_2
 *   .client_certificates   as a server: only clients with a certificate that we trust
 *   .insecure      as a client: take whatever certificate comes, from whomever.  For tests
 */
typedef struct kr_tls_options {
    const char *certificate;
    const char *key;
    const char *password;
    const char *ca_file;
    const char *ca_directory;
    const char *const *protocols;
    kr_tls_version minimum;
    bool client_certificates;
    bool insecure;
    uint64_t reserved[4];
} kr_tls_options;

/* kr_tls_context_create - read all that the options name.  Files are read by the calling thread.
 *
 * Returns   0
 *           -ENOENT, -EACCES ..  a file cannot be read
 *           KR_ETLS    a file does not hold what it should, or the key is not the certificate's:
 *                      kr_tls_error_text says what
 *           -EINVAL    no such version, a protocol's name is empty or longer than 255 bytes, a key
 *                      without a certificate, or a reserved option is set
 *           -ENOMEM; -ENOSYS: built without OpenSSL
 *           On every error *context is NULL
 */
KR_API KR_NODISCARD int kr_tls_context_create(kr_tls_context **context,
                                              const kr_tls_options *options);

/* kr_tls_context_retain - one more handle; kr_tls_context_release - give one back, NULL is allowed.
 * Streams keep what they need. */
KR_API kr_tls_context *kr_tls_context_retain(kr_tls_context *context);
KR_API void kr_tls_context_release(kr_tls_context *context);
KR_API void kr_tls_context_auto(kr_tls_context **context); /* for KR_AUTO(kr_tls_context) */

/* kr_tls_connect - connect to a TCP server that speaks TLS.
 *
 *   host, service, options   as kr_stream_connect; the certificate has to be for `host`
 *   timeout                  for all of it
 *
 * Returns   0; as kr_stream_connect and kr_tls_wrap; nothing is left open.  On every error *s is
 *           NULL
 */
KR_API KR_NODISCARD int kr_tls_connect(kr_stream **s, kr_tls_context *context, const char *host,
                                       const char *service, const kr_stream_options *options,
                                       kr_time timeout);

/* kr_tls_wrap - become a client of TLS on a stream that is there, whatever was said on it before:
 * Python's start_tls.
 *
 *   over      the stream below.  It is closed with *s, which has a handle of its own; until then
 *             nobody else may read from it or write to it
 *   host      whose certificate is wanted, a name (not with a dot before it) or a number; NULL
 *             only with .insecure
 *
 * Returns   0
 *           KR_ECERT  the certificate is not trusted, not of that host, or not of now:
 *                     kr_tls_error_text says why
 *           KR_ETLS   the other end does not speak TLS, or not with us, or went away
 *           -ETIMEDOUT, -ECANCELED, -ENOMEM; errors of the stream below
 *           -EINVAL   no context, no host, a negative timeout, or an option of streams
 *           On every error *s is NULL, and what lies below has had a part of it and can only be
 *           closed (not with -EINVAL)
 */
KR_API KR_NODISCARD int kr_tls_wrap(kr_stream **s, kr_tls_context *context, kr_stream *over,
                                    const char *host, const kr_stream_options *options,
                                    kr_time timeout);

/* kr_tls_accept - TLS over a stream of one's own, as a server, whose context has a certificate: in
 * the function that a kr_server calls, for instance.
 *
 * Returns   as kr_tls_wrap; KR_ECERT: the client's
 */
KR_API KR_NODISCARD int kr_tls_accept(kr_stream **s, kr_tls_context *context, kr_stream *over,
                                      const kr_stream_options *options, kr_time timeout);

/* About a stream that is one of these and not closed */

/* kr_tls_version_of - "TLSv1.3"; kr_tls_cipher_of - such as "TLS_AES_256_GCM_SHA384".  NULL: it is
 * not one of TLS, or closed. */
KR_API const char *kr_tls_version_of(kr_stream *s);
KR_API const char *kr_tls_cipher_of(kr_stream *s);

/* kr_tls_protocol_of - which of the .protocols both ends have; "": none.
 *
 * Returns   0; -ENOSPC: it does not fit into `size` bytes with a zero behind it; -EINVAL: it is not
 *           one of TLS, or closed
 */
KR_API KR_NODISCARD int kr_tls_protocol_of(kr_stream *s, char *text, size_t size);

/* kr_tls_peer_certificate - the other end's, as DER.
 *
 *   bytes     receives it, when it fits into `size` bytes
 *
 * Returns   how many bytes it has; 0: there is none; -ENOMEM; -EINVAL: it is not one of
 *           TLS, or closed
 */
KR_API KR_NODISCARD int64_t kr_tls_peer_certificate(kr_stream *s, void *bytes, size_t size);

/* kr_tls_update_keys - have both ends change their keys: with the next write.  TLS 1.3 only, and
 * seldom needed: OpenSSL does it when it is time.
 *
 * Returns   0; -EOPNOTSUPP: not with this version; -EINVAL: it is not one of TLS, or closed
 */
KR_API KR_NODISCARD int kr_tls_update_keys(kr_stream *s);

/* kr_tls_error_text - what KR_ETLS or KR_ECERT was about, such as "certificate has expired".
 *
 * Of the last call that failed so in this thread; a coroutine asks before it waits again.
 *
 * Returns   text
 */
KR_API const char *kr_tls_error_text(char *text, size_t size);

KR_EXTERN_END

#endif
