/* Signed messages between machines; see message.c.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_REMOTE_MESSAGE_H
#define KRI_REMOTE_MESSAGE_H

#include <krait/base.h>

enum { KRI_MESSAGE_HEAD = 128 };   /* bytes before the payload: fields, then the digest */
enum { KRI_MESSAGE_FIELDS = 96 };  /* of which the fields */
enum { KRI_MESSAGE_SESSION = 16 }; /* bytes of a session's name */

enum kri_message_kind {
    KRI_MESSAGE_HELLO = 1,   /* a worker: here I am; its session is a challenge */
    KRI_MESSAGE_WELCOME = 2, /* the answer: the session, and the challenge as payload */
    KRI_MESSAGE_TASK = 3,
    KRI_MESSAGE_RESULT = 4,
    KRI_MESSAGE_BEAT = 5, /* a worker is still at it */
    KRI_MESSAGE_BYE = 6,  /* to a worker: that was all; from one: it gives up */
};

/* What stands in the head, in words of this machine. */
typedef struct kri_message {
    uint8_t kind;
    uint32_t function; /* the number in the table of tasks */
    int32_t error;     /* of a result */
    uint64_t program;  /* kri_task_table_sum of the sender */
    uint64_t number;   /* of the task */
    unsigned char session[KRI_MESSAGE_SESSION];
    uint64_t items; /* of a batch, see kri_task; 0: it is none */
    uint64_t item_arg;
    uint64_t item_result;
    uint64_t result_size; /* that the task may write */
    uint64_t took;        /* a result: nanoseconds in the task; a welcome: how often to beat */
    uint64_t size;        /* of the payload */
} kri_message;

/* Signs and checks, one call at a time. */
typedef struct kri_signer {
    void *context; /* OpenSSL's; NULL: none */
} kri_signer;

/* kri_signer_begin - 0; -ENOKEY: there is no key; -EKEYREJECTED: it is too short; -ENOSYS: this
 * build knows no keyed digests; -ENOMEM.  key NULL: the environment's KRAIT_KEY. */
int kri_signer_begin(kri_signer *signer, const void *key, size_t size);
void kri_signer_end(kri_signer *signer);

/* kri_message_seal - write the head in front of the payload, which stands behind it already.
 * m->size bytes of it.  0, -EIO: OpenSSL refuses. */
int kri_message_seal(kri_signer *signer, const kri_message *m, unsigned char *bytes);

/* kri_message_open - read and check: *m, and the payload is at bytes + KRI_MESSAGE_HEAD.
 * 0; -EBADMSG: no message of this version, or not whole; KR_EAUTH: not signed with our key;
 * KR_ETASK: signed, but from another program than `program`. */
int kri_message_open(kri_signer *signer, uint64_t program, const unsigned char *bytes, size_t size,
                     kri_message *m);

#endif
