/* A connection of TLS as the transport of a stream.  See tls.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "stream/tls.h"
#include "os/os.h"

#ifdef KRI_HAVE_SSL

#include <openssl/err.h>

static kri_tls *tls_of(kri_transport *transport)
{
    return (kri_tls *)(void *)transport;
}

/* What a call of OpenSSL came to. */
enum { WANTS_MORE = 1, FAREWELL = 2 };

/* pre: the lock.  0: done; WANTS_MORE: bytes of the other end; FAREWELL; or the error, for good. */
static int judge(kri_tls *tls, int result)
{
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
        return 0;
    case SSL_ERROR_WANT_READ:
        return WANTS_MORE;
    case SSL_ERROR_ZERO_RETURN:
        return FAREWELL;
    default:
        tls->error = kri_tls_note(SSL_get_verify_result(tls->ssl));
        return tls->error;
    }
}

static int fail(kri_tls *tls, int error)
{
    kri_mutex_lock(&tls->lock);
    if (tls->error == 0)
        tls->error = error;
    kri_mutex_unlock(&tls->lock);
    return error;
}

/* Sending */

/* pre: the turn.  false: nothing more is sealed. */
static bool take_sealed(kri_tls *tls)
{
    kri_mutex_lock(&tls->lock);
    int got = BIO_read(tls->going, tls->sealed, sizeof tls->sealed);
    kri_mutex_unlock(&tls->lock);
    tls->begin = 0;
    tls->end = got > 0 ? (size_t)got : 0;
    return got > 0;
}

/* Have the stream below send all that is sealed. */
static int send_sealed(kri_tls *tls, kr_time deadline)
{
    int err = kr_lock_acquire(&tls->turn, kri_left_until(deadline));
    if (err < 0)
        return err;
    while (err == 0 && (tls->begin < tls->end || take_sealed(tls))) {
        size_t written = 0;
        err = kri_stream_pass_on(tls->over, tls->sealed + tls->begin, tls->end - tls->begin,
                                 &written, kri_left_until(deadline));
        tls->begin += written;
    }
    (void)kr_lock_release(&tls->turn);
    return err;
}

/* What is sealed cannot be sealed again: so it counts as written, unless it will never go. */
static int64_t write_bytes(kri_transport *transport, const void *bytes, size_t size,
                           kr_time timeout)
{
    kri_tls *tls = tls_of(transport);
    kr_time deadline = kri_deadline(timeout);
    size_t written = 0;
    int err = send_sealed(tls, deadline);
    if (err < 0)
        return err;
    tls->held = 0;
    if (size == 0)
        return 0;
    kri_mutex_lock(&tls->lock);
    err = tls->error;
    if (err == 0) {
        ERR_clear_error();
        size_t piece = size < KRI_TLS_PIECE ? size : KRI_TLS_PIECE;
        err = judge(tls, SSL_write_ex(tls->ssl, bytes, piece, &written));
    }
    kri_mutex_unlock(&tls->lock);
    if (err != 0)
        return err < 0 ? err : fail(tls, KR_ETLS);
    err = send_sealed(tls, deadline);
    if (err < 0 && !kri_transport_passes(err))
        return err;
    tls->held = err < 0 ? written : 0;
    return (int64_t)written;
}

static size_t held_by(const kri_transport *transport)
{
    return ((const kri_tls *)(const void *)transport)->held;
}

static kr_stream *below(const kri_transport *transport)
{
    return ((const kri_tls *)(const void *)transport)->over;
}

/* Reading */

/* What comes from below, handed to OpenSSL. */
static int take_more(kri_tls *tls, kr_time deadline)
{
    int64_t got =
        kr_stream_read(tls->over, tls->chunk, sizeof tls->chunk, kri_left_until(deadline));
    if (got == 0)
        return fail(tls, kri_tls_note_cut());
    if (got < 0)
        return (int)got;
    kri_mutex_lock(&tls->lock);
    int taken = BIO_write(tls->come, tls->chunk, (int)got);
    kri_mutex_unlock(&tls->lock);
    return taken == got ? 0 : fail(tls, -ENOMEM);
}

/* What reading has caused goes as far as it goes without waiting. */
static void send_answers(kri_tls *tls)
{
    (void)send_sealed(tls, 0);
}

static int64_t read_bytes(kri_transport *transport, void *bytes, size_t size, kr_time timeout)
{
    kri_tls *tls = tls_of(transport);
    kr_time deadline = kri_deadline(timeout);
    for (;;) {
        size_t got = 0;
        kri_mutex_lock(&tls->lock);
        int state = tls->error;
        if (state == 0) {
            ERR_clear_error();
            state = judge(tls, SSL_read_ex(tls->ssl, bytes, size, &got));
        }
        bool answers = BIO_ctrl_pending(tls->going) != 0;
        kri_mutex_unlock(&tls->lock);
        if (answers)
            send_answers(tls);
        if (state == 0)
            return (int64_t)got;
        if (state != WANTS_MORE)
            return state == FAREWELL ? 0 : state;
        int err = take_more(tls, deadline);
        if (err < 0)
            return err;
    }
}

/* The handshake */

int kri_tls_handshake(kri_tls *tls, kr_time deadline)
{
    for (;;) {
        kri_mutex_lock(&tls->lock);
        ERR_clear_error();
        int state = judge(tls, SSL_do_handshake(tls->ssl));
        kri_mutex_unlock(&tls->lock);
        if (state < 0) {
            send_answers(tls); /* an alert that says why */
            return state;
        }
        int err = send_sealed(tls, deadline);
        if (err == 0 && state == 0)
            return 0;
        if (err == 0)
            err = state == FAREWELL ? kri_tls_note_cut() : take_more(tls, deadline);
        if (err < 0)
            return err;
    }
}

/* The end */

/* Say that nothing more will come. */
static int say_farewell(kri_transport *transport, kr_time timeout)
{
    kri_tls *tls = tls_of(transport);
    kr_time deadline = kri_deadline(timeout);
    kri_mutex_lock(&tls->lock);
    int err = tls->error;
    if (err == 0) {
        ERR_clear_error();
        (void)SSL_shutdown(tls->ssl); /* 0: the other end has not said so yet, and need not */
        ERR_clear_error();
    }
    kri_mutex_unlock(&tls->lock);
    if (err == 0)
        err = send_sealed(tls, deadline);
    return err == 0 ? kr_stream_flush(tls->over, kri_left_until(deadline)) : err;
}

/* The other end may have gone once it had said its farewell; ours then matters to nobody. */
static int finish(kri_transport *transport, kr_time timeout)
{
    kri_tls *tls = tls_of(transport);
    int err = say_farewell(transport, timeout);
    if (err != -EPIPE && err != -ECONNRESET)
        return err;
    kri_mutex_lock(&tls->lock);
    bool over = (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0;
    kri_mutex_unlock(&tls->lock);
    return over ? 0 : err;
}

static void close_below(kri_transport *transport, bool abort)
{
    kri_tls *tls = tls_of(transport);
    if (abort)
        kr_stream_abort(tls->over);
    else
        (void)kr_stream_close(tls->over, KR_NOWAIT);
    kri_tls_free(tls);
}

static int descriptor_below(const kri_transport *transport)
{
    return kr_stream_descriptor(((const kri_tls *)(const void *)transport)->over);
}

static bool is_ending_below(const kri_transport *transport)
{
    return kri_stream_is_ending(((const kri_tls *)(const void *)transport)->over);
}

const kri_transport_ops kri_tls_ops = {
    .read = read_bytes,
    .write = write_bytes,
    .shutdown_write = say_farewell,
    .held = held_by,
    .below = below,
    .finish = finish,
    .close = close_below,
    .descriptor = descriptor_below,
    .ending = is_ending_below,
};

/* In a forked child somebody who is not here may be in the middle of a call. */
void kri_tls_free(kri_tls *tls)
{
    if (kri_mutex_try(&tls->lock))
        SSL_free(tls->ssl);
    kr_stream_release(tls->over);
    kr_tls_context_release(tls->context);
    os_free(tls);
}

#endif
