/* Pages, and the memory that they have of the system.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_PAGES_H
#define KRI_MANAGER_PAGES_H

#include "manager/space.h"

/* kri_pages_take - a run of pages.  In one step with it, seen from outside:
 *
 *   where    receives its offset | mark
 *   commit   becomes value; NULL: where is what commits
 *
 * 0; -EDQUOT: the limit; -ENOSPC: the system has no memory; -ETIMEDOUT, KR_ECORRUPT */
int kri_pages_take(kri_space *s, uint64_t pages, kri_word64 *where, uint64_t mark,
                   kri_word64 *commit, uint64_t value);

/* kri_pages_give - the run that begins there is free; in one step with it commit becomes value.
 *
 * 0; -ETIMEDOUT; KR_ECORRUPT: no run begins there */
int kri_pages_give(kri_space *s, uint64_t offset, kri_word64 *commit, uint64_t value);

/* kri_pages_visit - what a dead process has left half done here is put right. */
int kri_pages_visit(kri_space *s);

/* kri_pages_fixed - how much administration takes, when so many chunks may have memory. */
uint64_t kri_pages_fixed(const kri_space *s, uint64_t top);

/* kri_pages_trim - give spare chunks back to the system. */
int kri_pages_trim(kri_space *s);

/* kri_pages_look - taken, fixed, spare and used of the statistics. */
typedef struct kri_pages_picture {
    uint64_t taken, fixed, spare, used;
} kri_pages_picture;
int kri_pages_look(kri_space *s, kri_pages_picture *picture);

/* kri_domain_take - a domain's lock; deaths are counted.  0; -ETIMEDOUT, KR_ECORRUPT. */
int kri_domain_take(kri_space *s, kri_domain *d);

static inline void kri_domain_give(kri_domain *d)
{
    (void)kr_lock_release(&d->lock);
}

/* kri_undo_entry - of a domain's record; NULL: damaged. */
kri_undo *kri_undo_entry(kri_space *s, kri_domain *d, uint64_t index);

/* kri_undo_word - the word that an entry is about; NULL: damaged. */
kri_word64 *kri_undo_word(kri_space *s, uint64_t where);

#endif
