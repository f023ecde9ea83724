/* Taking to pieces what is too large for one transaction.
 *
 * A clear, or the end of a dict, cuts its stripes off by a word each, and buries them in the same
 * transaction.  They are then freed in small transactions, each of which takes some items off and
 * leaves the rest where it can be found.  Whoever comes to the domain does one of them: so it does
 * not matter whether the one who began lives.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/graves.h"

/* Where all is full, more pages for a record cannot be had: so all stripes of a dict together must
 * not need any. */
void kri_bury(kri_tx *tx, unsigned domain, uint64_t grave)
{
    kri_grave *g = kri_space_at(tx->space, grave);
    kri_word64 *graves = &tx->space->state->domains[domain].graves;
    uint64_t first = kri_load_rlx64(graves);
    if (kri_load_rlx64(&g->next) != first)
        kri_tx_set(tx, &g->next, first);
    kri_tx_set(tx, graves, grave);
}

_Static_assert(KRI_UNDO_INSIDE >= 2 * KRI_DOMAINS + 24 || KRI_PAGE < 4096, "see kri_bury");

static bool dig(kri_tx *tx, uint64_t grave, uint64_t kind)
{
    if (kind == KRI_GRAVE_STRIPE)
        return kri_stripe_dig(tx, grave);
    if (kind == KRI_GRAVE_LIST)
        return kri_list_dig(tx, grave);
    kri_tx_fail(tx, KR_ECORRUPT);
    return false;
}

int kri_graves_dig(kri_space *s, unsigned domain)
{
    kri_tx tx;
    kri_word64 *graves = &s->state->domains[domain].graves;
    uint64_t grave = kri_load_rlx64(graves);
    kri_tx_adopt(&tx, s, UINT64_C(1) << domain);
    if (grave == 0)
        return 0;
    if (!kri_space_has(s, grave, sizeof(kri_grave)))
        return KR_ECORRUPT;
    const kri_grave *g = kri_space_at(s, grave);
    if (dig(&tx, grave, kri_load_rlx64(&g->kind))) {
        kri_tx_set(&tx, graves, kri_load_rlx64(&g->next));
        kri_tx_free(&tx, grave);
    }
    int err = kri_tx_commit(&tx);
    return err != 0 ? err : tx.err;
}

int kri_graves_empty(kri_space *s, uint64_t domains)
{
    int err = 0;
    for (unsigned d = 0; d < KRI_DOMAINS && err == 0; d++) {
        kri_tx tx;
        bool more = (domains >> d & 1) != 0;
        while (more && err == 0) {
            err = kri_tx_begin(&tx, s, UINT64_C(1) << d); /* which digs */
            if (err == 0) {
                more = kri_load_rlx64(&s->state->domains[d].graves) != 0;
                err = kri_tx_end(&tx);
            }
        }
    }
    return err;
}
