/* The handshake by which two ends prove to each other that they have the same key; see auth.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_CONNECTION_AUTH_H
#define KRI_CONNECTION_AUTH_H

#include <krait/base.h>

enum { KRI_AUTH_MESSAGE = 256 }; /* the longest message of a handshake */

typedef struct kri_auth_key {
    const void *bytes;
    size_t size;
    bool allow_md5;
} kri_auth_key;

typedef struct kri_auth {
    kri_auth_key key; /* its bytes outlive the handshake */
    bool listening;   /* asks first */
    int stage;
    unsigned char challenge[64]; /* ours */
    size_t challenge_size;
} kri_auth;

typedef struct kri_auth_message {
    size_t size; /* 0: nothing is to be sent */
    unsigned char bytes[KRI_AUTH_MESSAGE];
} kri_auth_message;

/* kri_auth_check_key - 0; -EINVAL: the key is empty; -ENOSYS: this build knows no keyed digests. */
int kri_auth_check_key(const kri_auth_key *key);

/* kri_auth_begin - pre: the key was checked.  first: what is to be sent before anything comes. */
void kri_auth_begin(kri_auth *auth, const kri_auth_key *key, bool listening,
                    kri_auth_message *first);

/* kri_auth_take - a message of the other end.  Whatever the result, reply is to be sent.
 * 1: the next one is awaited; 0: both ends have the key; KR_EAUTH: the other has not, or does not
 * keep to the protocol, or says that we have not. */
int kri_auth_take(kri_auth *auth, const void *bytes, size_t size, kri_auth_message *reply);

#endif
