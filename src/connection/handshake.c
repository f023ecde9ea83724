/* A handshake over a stream.
 *
 * Its few hundred bytes fit into any socket that is new, so a message that cannot be sent at once
 * is one that the other end does not want to read.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/handshake.h"

static int send_now(kri_stream *stream, const kri_auth_message *message)
{
    if (message->size == 0)
        return 0;
    int err = kri_stream_send(stream, message->bytes, message->size, 0);
    return err == 0 ? 0 : err == -EPIPE ? KR_EOF : KR_EAUTH;
}

int kri_handshake_begin(kri_auth *auth, const kri_auth_key *key, bool listening, kri_stream *stream)
{
    kri_auth_message first;
    kri_auth_begin(auth, key, listening, &first);
    return send_now(stream, &first);
}

static int error_of_receiving(int err)
{
    switch (err) {
    case -EAGAIN:
        return -EAGAIN;
    case KR_EOF:
    case -EPROTO:
    case -ECONNRESET:
        return KR_EOF;
    default:
        return KR_EAUTH;
    }
}

int kri_handshake_step(kri_auth *auth, kri_stream *stream)
{
    for (;;) {
        const void *bytes;
        size_t size;
        kri_auth_message reply;
        int err = kri_stream_try(stream, KRI_AUTH_MESSAGE, &bytes, &size);
        if (err < 0)
            return error_of_receiving(err);
        int result = kri_auth_take(auth, bytes, size, &reply);
        err = send_now(stream, &reply);
        if (result <= 0)
            return result != 0 ? result : err;
        if (err < 0)
            return err;
    }
}
