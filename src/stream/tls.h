/* What the files of TLS share.
 *
 * State of a connection
 *   handshake   one runner, which makes the stream when it is over
 *   open        as a transport of a kr_stream
 *   failed      `error` says with what; both directions are over
 *
 * OpenSSL does not wait: it takes what has come from one buffer of memory and puts what is to go
 * into another.  What moves bytes between these and the stream below are our own calls, so all
 * waiting is krait's, and never under the lock.
 *
 * Fields: at the struct.
 *
 * Protocol
 *   - `lock` is held for a call of OpenSSL that concerns this connection, and for nothing that
 *     waits.  So a reader and a writer at once are two that take turns for microseconds.
 *   - Whoever sends holds `turn`: records must arrive in the order in which they were sealed.  It
 *     takes records out of `going` into `sealed`, and has the stream below send them.
 *   - A write seals one piece only once nothing sealed before is left, so at most one piece, and
 *     what reading has caused, is on its way.  From then on the piece counts as written: it cannot
 *     be sealed a second time.  If its sending is cut short, it is `held` until a write sends the
 *     rest, if need be a write of nothing.
 *   - Reading causes records, too: alerts, answers to a change of keys.  A reader sends them if
 * that does not have to wait, for the other end may be waiting for us to read; else the next does.
 *   - A write never needs to read: there is no renegotiation.
 *
 * Why not: a BIO of our own over the stream below would wait inside of OpenSSL, under the lock.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_STREAM_TLS_H
#define KRI_STREAM_TLS_H

#ifdef KRI_HAVE_SSL

#include "stream/stream.h"
#include <krait/lock.h>
#include <krait/tls.h>
#include <openssl/ssl.h>

struct kr_tls_context {
    kr_word references; /* atomic */
    SSL_CTX *ssl;       /* const, as all below */
    bool client_certificates;
    bool insecure;
    unsigned char *protocols; /* each with its length before it; NULL: none */
    unsigned protocols_size;
};

enum { KRI_TLS_PIECE = 16 * 1024, KRI_TLS_RECORD = KRI_TLS_PIECE + 512 };

typedef struct kri_tls {
    kri_transport base;
    kr_stream *over;         /* const, as the next */
    kr_tls_context *context; /* */
    kri_mutex lock;
    SSL *ssl;    /* guarded by lock, as the next three */
    BIO *come;   /* from the other end, for OpenSSL to read; the SSL's own */
    BIO *going;  /* to the other end; the SSL's own */
    int error;   /* what it has failed with; 0: it has not */
    size_t held; /* of the writer: the piece that is not wholly sent; 0: none */
    kr_lock turn;
    size_t begin; /* guarded by turn, as the next two: what is not sent is from here.. */
    size_t end;   /* ..to here */
    char sealed[KRI_TLS_RECORD];
    char chunk[KRI_TLS_RECORD]; /* of the reader */
} kri_tls;

/* The transport's calls for a connection that stands. */
extern const kri_transport_ops kri_tls_ops;

/* kri_tls_handshake - 0: it stands. */
int kri_tls_handshake(kri_tls *tls, kr_time deadline);

/* kri_tls_free - without a word to the other end, nor to the stream below. */
void kri_tls_free(kri_tls *tls);

/* kri_tls_note - remember for kr_tls_error_text what OpenSSL has to say about the call that has
 * just failed; `verified` is what became of a certificate, X509_V_OK where that was not it.  The
 * error to return. */
int kri_tls_note(long verified);

/* kri_tls_note_cut - the same for an end without a farewell. */
int kri_tls_note_cut(void);

#endif
#endif
