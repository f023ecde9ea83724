/* Handing connections and descriptors over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_PROCESS_HAND_OVER_H
#define KRI_PROCESS_HAND_OVER_H

#include "process/internal.h"

/* Until the folder of connections is here, its functions may be missing. */
struct kri_packed_connection {
    uint32_t kind, flags;
    int fds[3];
    int fd_count;
    uint64_t max_message;
};
#define KRI_MAYBE __attribute__((weak))
KRI_MAYBE int kri_connection_pack(struct kr_connection *c, kri_packed_connection *out);
KRI_MAYBE int kri_connection_unpack(const kri_packed_connection *in, struct kr_connection **c);
KRI_MAYBE void kri_connections_close_all_but(struct kr_connection *const *keep, int count);
KRI_MAYBE void kr_connection_close(struct kr_connection *c);

/* kri_hand_over_pack - fill in `packed`, and the descriptors of all: how many, at most
 * KR_HANDED_MAX; or an error.  They stay with whom they were. */
int kri_hand_over_pack(const kr_process_options *o, kri_packed_connection *packed, int *fds);

/* kri_hand_over_unpack - the other side of it. */
int kri_hand_over_unpack(const kri_order *order, kri_packed_connection *packed, const int *fds,
                         int count);

#endif
