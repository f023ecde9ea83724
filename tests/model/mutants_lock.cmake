# Seeded bugs of the locks.
#
# What a shared lock's time-outs make up for, such as a wake that is not sent, is no bug that a
# schedule could show.
#
# SPDX-License-Identifier: MIT

krait_mutant(lock_acquire_relaxed sync/lock.c lock/lock_two
  "return kri_cas_acq64(whole(lock), &seen, mine); /* [lock-1] */"
  "return kri_cas_rlx64(whole(lock), &seen, mine);")
krait_mutant(lock_slow_acquire_relaxed sync/lock.c lock/lock_two
  "kri_or_acq64(word, marks); /* [lock-1] */" "kri_or_rlx64(word, marks);")
krait_mutant(lock_release_relaxed sync/lock.c lock/lock_two
  "kri_cas_sc64(whole(lock), &seen, seen & ~LOW)) /* [lock-1] */"
  "kri_cas_rlx64(whole(lock), &seen, seen & ~LOW))")
krait_mutant(lock_slow_release_acquire sync/lock.c lock/lock_two
  "if (!kri_cas_sc64(word, &seen, next)) /* [lock-1] */"
  "if (!kri_cas_acq64(word, &seen, next))")
krait_mutant(lock_release_does_not_wake sync/lock.c lock/lock_two
  "            kri_wake(&lock->word, 1, 0);" "            (void)lock;")
krait_mutant(lock_woken_forgets_the_others sync/lock.c lock/lock_three
  "        if (lost == 0)
            lost = os_now();"
  "        seen = kri_load_rlx64(word);
        if (!(seen & LOW) && kri_cas_acq64(word, &seen, seen | HELD))
            return 0;
        if (lost == 0)
            lost = os_now();")
krait_mutant(lock_leaver_clears_waiters sync/lock.c lock/lock_timed_beside_waiter
  "            return err;
        if (lost == 0)"
  "            return kri_and_rlx64(word, ~WAITERS), err;
        if (lost == 0)")
krait_mutant(lock_touched_after_release sync/lock.c lock/lock_freed_by_last_owner
  "            kri_wake(&lock->word, 1, 0);"
  "            kri_wake(&lock->word, 1, 0), (void)kri_load_rlx64(word);")

# Handing over.
krait_mutant(lock_turn_not_counted sync/lock.c lock_handed/handed_beside_waiter
  "(seen & ~STARVING) + ONE_TURN" "(seen & ~STARVING)")
krait_mutant(lock_starving_not_woken sync/lock.c lock_handed/handed_to_one
  "if (kri_wake(&lock->more, 1, KRI_HANDS) > 0) /* [lock-2] */" "if (false)")
krait_mutant(lock_handed_and_released sync/lock.c lock_handed/handed_is_handed
  "if (kri_wake(&lock->more, 1, KRI_HANDS) > 0) /* [lock-2] */"
  "if (kri_wake(&lock->more, 1, KRI_HANDS) > 1)")
krait_mutant(lock_never_handed sync/lock.c lock_handed/handed_is_handed
  "            marks |= STARVING;" "            lost = os_now();")
krait_mutant(lock_starving_stays sync/lock.c lock_handed/handed_to_timed
  "(seen & ~STARVING) + ONE_TURN" "seen + ONE_TURN")
krait_mutant(lock_touched_after_handing_over sync/lock.c lock_handed/handed_and_freed
  "            if (kri_wake(&lock->more, 1, KRI_HANDS) > 0) /* [lock-2] */
                return note_handed_over(lock);"
  "            if (kri_wake(&lock->more, 1, KRI_HANDS) > 0)
                return kri_load_rlx64(word) == 7;")
krait_mutant(lock_handed_by_any_wake sync/lock.c lock_handed/handed_by_no_stray_wake
  "        if (err == KRI_TAKEN) {" "        if (err == KRI_TAKEN || (starving && err == 0)) {")

# In shared memory.
krait_mutant(shared_acquire_relaxed sync/lock.c lock_shared/shared_two
  "return kri_cas_acq64(whole(lock), seen, mine) ? 0 : -EAGAIN; /* [lock-1] */"
  "return kri_cas_rlx64(whole(lock), seen, mine) ? 0 : -EAGAIN;")
krait_mutant(shared_release_relaxed sync/lock.c lock_shared/shared_two
  "        if (kri_cas_sc64(whole(lock), &seen, SHARED)) /* [lock-1] */"
  "        if (kri_cas_rlx64(whole(lock), &seen, SHARED))")
krait_mutant(shared_slow_release_relaxed sync/lock.c lock_shared/shared_two
  "kri_cas_sc64(whole(lock), &seen, SHARED | (gone ? GONE : 0)))"
  "kri_cas_rlx64(whole(lock), &seen, SHARED | (gone ? GONE : 0)))")
krait_mutant(shared_inherited_from_the_living sync/lock.c lock_shared/shared_two
  "    return kri_process_dead(holder_in(seen)) &&" "    return")
krait_mutant(shared_inherited_twice sync/lock.c lock_shared/shared_death_and_two_tries
  "           kri_cas_acq64(whole(lock), &seen, /* [lock-1] */
                         kri_process_self() | SHARED | WAITERS | INCONSISTENT);"
  "           kri_swap_acq64(whole(lock),
                         kri_process_self() | SHARED | WAITERS | INCONSISTENT) != 0;")
krait_mutant(shared_inherited_in_silence sync/lock.c lock_shared/shared_death
  "SHARED | WAITERS | INCONSISTENT);" "SHARED | WAITERS);")
krait_mutant(shared_never_looks sync/lock.c lock_shared/shared_death
  "            if (inherit(lock, seen))" "            if (!lock)")
krait_mutant(shared_try_does_not_look sync/lock.c lock_shared/shared_death
  "    return inherit(lock, seen) ? KR_OWNER_DIED : -ETIMEDOUT;" "    return -ETIMEDOUT;")
krait_mutant(shared_recover_does_nothing sync/lock.c lock_shared/shared_death
  "seen & ~INCONSISTENT))" "seen))")
krait_mutant(shared_released_as_if_whole sync/lock.c lock_shared/shared_not_recovered
  "SHARED | (gone ? GONE : 0)" "SHARED")
krait_mutant(rlock_number_of_any_process sync/rlock.c lock_shared/shared_rlock_asked_by_another
  "(kri_process_self() & PROCESS) << PROCESS_SHIFT | me;" "me;")
krait_mutant(rlock_runner_of_any_process sync/rlock.c lock_shared/shared_rlock_asked_by_another
  "    if (!is_shared(r))
        return kri_load_rlx64" "    if (r != NULL)
        return kri_load_rlx64")
