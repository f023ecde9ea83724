/* Handing connections and descriptors over.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_PROCESS_HAND_OVER_H
#define KRI_PROCESS_HAND_OVER_H

#include "connection/connection.h"
#include "process/internal.h"

/* kri_hand_over_pack - fill in `packed`, and the descriptors of all: how many, at most
 * KR_HANDED_MAX; or an error.  They stay with whom they were. */
int kri_hand_over_pack(const kr_process_options *o, kri_packed_connection *packed, int *fds);

/* kri_hand_over_unpack - the other side of it. */
int kri_hand_over_unpack(const kri_order *order, kri_packed_connection *packed, const int *fds,
                         int count);

#endif
