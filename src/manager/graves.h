/* What was cut off from where others could reach it, and is still to be taken to pieces.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_GRAVES_H
#define KRI_MANAGER_GRAVES_H

#include "manager/space.h"

/* What begins a block that may be buried. */
typedef struct kri_grave {
    kri_word64 next; /* 0 until then */
    kri_word64 kind; /* constant: of enum kri_grave_kind */
} kri_grave;

enum kri_grave_kind { KRI_GRAVE_STRIPE = 1, KRI_GRAVE_LIST = 2 };

/* kri_bury - the block, which nobody can reach after this transaction, belongs to a domain that is
 * locked, with all that it leads to: it is taken to pieces later. */
void kri_bury(kri_tx *tx, unsigned domain, uint64_t grave);

/* kri_graves_dig - take some of it to pieces, by who has the domain, which is settled.  0; an error
 * leaves the domain unsettled, or the rest for later: -ETIMEDOUT, KR_ECORRUPT. */
int kri_graves_dig(kri_space *s, unsigned domain);

/* kri_graves_empty - take all of it to pieces, in parts between which others come; how the time
 * goes by is nobody's business.  0; -ETIMEDOUT, KR_ECORRUPT. */
int kri_graves_empty(kri_space *s, uint64_t domains);

/* One for each kind: free a part of what the grave leads to, and a bounded number of blocks.  True:
 * nothing is left but the block itself. */
bool kri_stripe_dig(kri_tx *tx, uint64_t grave);
bool kri_list_dig(kri_tx *tx, uint64_t grave);

#endif
