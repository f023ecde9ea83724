# Seeded bugs of the primitives of src/sync, and of what they alone use; see mutants.cmake.
#
# SPDX-License-Identifier: MIT

# Waiters of a condition that are moved to the lock's queue.
krait_mutant(requeue_taken_a_second_time wait/park.c condition/condition_notify
  "        if (!place->moved && !claim(w, TAKEN))" "        if (!claim(w, TAKEN))")
krait_mutant(requeue_uncounted wait/park.c condition/condition_notify
  "    kri_add_sc(&b->count, 1);
    append(b, place);
}" "    append(b, place);
}")
krait_mutant(requeue_lock_not_contended sync/lock.c condition/condition_notify
  "    if (!(kri_or_sc64(whole(lock), WAITERS) & HOLDER))"
  "    if (!(kri_load_rlx64(whole(lock)) & HOLDER))")
krait_mutant(requeue_retaken_as_alone sync/condition.c condition/condition_notify_all
  "(err == 0 ? kri_lock_retake : kri_lock_take)(lock);" "kri_lock_take(lock);")
