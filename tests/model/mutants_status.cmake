# Seeded bugs of the status page; see mutants.cmake.
#
# SPDX-License-Identifier: MIT

krait_mutant(page_words_stored_relaxed status/page.c status/page_read_beside_writing
  "kri_store_rel64(&words[i], from[i]); /* [page-1] */" "kri_store_rlx64(&words[i], from[i]);")
krait_mutant(page_words_loaded_relaxed status/page.c status/page_read_beside_writing
  "kri_load_acq64(&words[i]); /* [page-1] */" "kri_load_rlx64(&words[i]);")
krait_mutant(page_count_stored_relaxed status/page.c status/page_read_beside_writing
  "kri_store_rel64(sequence, n + 2);        /* [page-2] */" "kri_store_rlx64(sequence, n + 2);")
krait_mutant(page_count_loaded_relaxed status/page.c status/page_read_beside_writing
  "kri_load_acq64(sequence); /* [page-2] */" "kri_load_rlx64(sequence);")
krait_mutant(page_odd_count_is_read status/page.c status/page_read_beside_writing
  "    if (n % 2 != 0)
        return false;" "")
krait_mutant(page_count_not_looked_at_again status/page.c status/page_read_beside_writing
  "return kri_load_rlx64(sequence) == n;" "return true;")
krait_mutant(contention_ends_in_another_time sync/contention.c status/contention_switched_beside_waits
  "    kri_contention_count *c =
        kri_load_rlx(&kri_contention) == wait->epoch ? find(b, wait->lock) : NULL;"
  "    kri_contention_count *c = find(b, wait->lock);")
krait_mutant(contention_begins_in_another_time sync/contention.c status/contention_switched_beside_waits
  "        kri_load_rlx(&kri_contention) == wait->epoch ? find_or_make(b, lock) : NULL;"
  "        find_or_make(b, lock);")
