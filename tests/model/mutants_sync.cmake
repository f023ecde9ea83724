# Seeded bugs of the primitives of src/sync, and of what they alone use; see mutants.cmake.
#
# SPDX-License-Identifier: MIT

# Waiters of a condition that are moved to the lock's queue.
krait_mutant(requeue_taken_a_second_time wait/park.c condition/condition_notify
  "        if (!place->moved && !claim(w, TAKEN))" "        if (!claim(w, TAKEN))")
krait_mutant(requeue_uncounted wait/park.c condition/condition_notify
  "    kri_add_sc(&b->count, 1);
    kri_words_append(&b->words, place);
}" "    kri_words_append(&b->words, place);
}")
krait_mutant(requeue_lock_not_contended sync/lock.c condition/condition_notify
  "    if (!(kri_or_sc64(whole(lock), WAITERS) & HOLDER))"
  "    if (!(kri_load_rlx64(whole(lock)) & HOLDER))")
krait_mutant(requeue_retaken_as_alone sync/condition_lock.c condition/condition_notify_all
  "(queued ? kri_lock_retake : kri_lock_take)(kri_condition_lock(c));"
  "kri_lock_take(kri_condition_lock(c)) + 0 * queued;")
krait_mutant(requeue_forgotten sync/condition_lock.c condition_shared/shared_notify_all
  "    kri_or_rlx(word, REQUEUED);" "")
krait_mutant(condition_release_wakes_nobody sync/condition_lock.c condition_shared/shared_notify
  "    kri_wake(word, 1, KRI_SHARED);" "")
krait_mutant(condition_release_word_unchanged sync/condition_lock.c condition_shared/shared_notify
  "    kri_add_sc(word, ONE_CHANGE);
    int err" "    int err")
krait_mutant(condition_second_note_dropped sync/condition_lock.c condition_shared/shared_notify_twice
  "    if (c->unsent != 0)
        move(c, &c->words[(c->unsent - 1) & 1], 1);" "")

# A condition in shared memory.
krait_mutant(condition_shared_sleeps_on sync/condition.c condition_shared/shared_notify_swallowed
  "        bool last = deadline <= slice;" "        bool last = slice > 0;")
krait_mutant(condition_shared_looks_at_owed_only sync/condition.c
  condition_shared/shared_holder_dies
  "kri_load_rlx(&c->owed) != 0 || !kri_lock_at_rest(kri_condition_lock(c))" "kri_load_rlx(&c->owed) != 0")
krait_mutant(condition_shared_looks_at_lock_only sync/condition.c
  condition_shared/shared_notify_swallowed
  "kri_load_rlx(&c->owed) != 0 || !kri_lock_at_rest(kri_condition_lock(c))"
  "!kri_lock_at_rest(kri_condition_lock(c))")
krait_mutant(condition_shared_waits_for_the_dead sync/condition.c
  condition_shared/shared_notify_swallowed
  "        if (err == LOOK && stands_still(c, &s))
            restart(c);" "")
krait_mutant(condition_shared_owed_forgotten sync/condition.c
  condition_shared/shared_notify_swallowed
  "    end_change(c, owed_by(c) + granted);" "    end_change(c, owed_by(c));")
krait_mutant(condition_shared_half_changed sync/condition.c
  condition_shared/shared_death_told_beside
  "        kri_or_acq(&c->owed, EDITED); /* [condition-1] */" "        return;")
krait_mutant(condition_shared_not_mended sync/condition.c condition_shared/shared_death_told_beside
  "    if (kri_condition_is_shared(c) && (kri_load_rlx(&c->owed) & EDITED))
        restart(c);" "    (void)c;")
krait_mutant(condition_shared_death_kept_quiet sync/condition.c
  condition_shared/shared_holder_dies
  "        if (taken != 0)
            return taken;" "        if (taken < 0)
            return taken;")
krait_mutant(condition_shared_wakes_nobody sync/condition.c condition_shared/shared_notify
  "    kri_condition_send(c, word_of(c, c->group - 1), granted);" "")
krait_mutant(condition_rlock_restored_once sync/condition_lock.c condition_shared/private_over_rlock
  "kri_rlock_become(rlock, depth);" "kri_rlock_become(rlock, 1 + 0 * depth);")
krait_mutant(condition_shared_restart_within_reach sync/condition.c
  condition_shared/shared_death_told_beside
  "    c->group += 3;" "    c->group += 1;")
krait_mutant(condition_shared_restart_word_unchanged sync/condition_lock.c
  condition_shared/shared_death_told_beside
  "        move(c, &c->words[i], KRI_ALL);"
  "        kri_lock_adopt(kri_condition_lock(c), &c->words[i], KRI_ALL);")
krait_mutant(condition_shared_restart_quiet sync/condition_lock.c
  condition_shared/shared_death_wakes_all
  "        move(c, &c->words[i], KRI_ALL);" "        kri_add_sc(&c->words[i], ONE_CHANGE);")
