/* A handshake over a stream, step by step; what is said in it is auth.h's.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_HANDSHAKE_H
#define KRI_CONNECTION_HANDSHAKE_H

#include "connection/auth.h"
#include "connection/stream.h"

#define KRI_HANDSHAKE_TIMEOUT kr_sec(20)
#define KRI_MAX_MESSAGE       ((uint64_t)64 << 20)

/* kri_handshake_begin - 0, or as kri_handshake_step. */
int kri_handshake_begin(kri_auth *auth, const kri_auth_key *key, bool listening,
                        kri_stream *stream);

/* kri_handshake_step - go on as far as what has come allows; never waits.
 *
 * 0: both have the key; -EAGAIN: wait for the descriptor; KR_EAUTH: they have not, or the other end
 * speaks another language; KR_EOF: it left */
int kri_handshake_step(kri_auth *auth, kri_stream *stream);

#endif
