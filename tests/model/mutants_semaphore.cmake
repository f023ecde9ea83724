# Seeded bugs of events and semaphores in shared memory, and of barriers.
#
# SPDX-License-Identifier: MIT

krait_mutant(shared_event_does_not_wake sync/event.c shared_event/shared_set_wakes
  "        kri_wake(&event->word, KRI_ALL, KRI_SHARED);" "        (void)event;")
krait_mutant(shared_event_wakes_one sync/event.c shared_event/shared_set_wakes_all
  "kri_wake(&event->word, KRI_ALL, KRI_SHARED);" "kri_wake(&event->word, 1, KRI_SHARED);")
krait_mutant(shared_event_waiter_leaves_no_bit sync/event.c shared_event/shared_set_wakes
  "        (void)kri_cas_rlx(&event->word, &seen, first | WAITERS);
        int err = kri_wait_slice(&event->word, first | WAITERS, deadline, describe);"
  "        (void)seen;
        int err = kri_wait_slice(&event->word, first, deadline, describe);")
krait_mutant(shared_event_sleeps_for_good sync/event.c shared_event/shared_setter_dies
  "kri_wait_slice(&event->word, first | WAITERS, deadline, describe)"
  "kri_wait_for(&event->word, first | WAITERS, deadline, KRI_SHARED, describe)")
krait_mutant(shared_event_touched_after_wake sync/event.c shared_event/shared_event_freed_by_waiter
  "        kri_wake(&event->word, KRI_ALL, KRI_SHARED);"
  "        kri_wake(&event->word, KRI_ALL, KRI_SHARED);
    if (old & SHARED)
        kri_and_rlx(&event->word, ~(uint32_t)WAITERS);")
krait_mutant(shared_semaphore_does_not_wake sync/semaphore.c shared_semaphore/shared_hands_over
  "        kri_wake(&semaphore->value, permits, KRI_SHARED);" "        (void)permits;")
krait_mutant(shared_semaphore_sleeper_forgets_the_others sync/semaphore.c
  shared_semaphore/shared_two_releases
  "            slept = KRI_SEMAPHORE_WAITERS;" "            slept = 0;")
krait_mutant(shared_semaphore_wake_not_passed_on sync/semaphore.c
  shared_semaphore/shared_two_releases
  "        if (slept && (seen & KR_SEMAPHORE_MAX) > 1)
            kri_wake(value, 1, KRI_SHARED);" "")
krait_mutant(shared_semaphore_sleeps_for_good sync/semaphore.c
  shared_semaphore/shared_taker_dies
  "kri_wait_slice(&semaphore->value, KRI_SEMAPHORE_WAITERS, deadline, describe)"
  "kri_wait_for(&semaphore->value, KRI_SEMAPHORE_WAITERS, deadline, KRI_SHARED, describe)")
krait_mutant(shared_semaphore_touched_after_release sync/semaphore.c
  shared_semaphore/shared_freed_by_taker
  "        kri_wake(&semaphore->value, permits, KRI_SHARED);"
  "        kri_wake(&semaphore->value, permits, KRI_SHARED);
    if (flags)
        kri_spin_word_learn(&semaphore->hint, 1);")
krait_mutant(shared_semaphore_keeps_the_bit sync/semaphore.c
  shared_semaphore/shared_bit_goes_with_the_sleepers
  "kri_cas_sc(&semaphore->value, &old, value + (uint32_t)permits)"
  "kri_cas_sc(&semaphore->value, &old, old + (uint32_t)permits)")
krait_mutant(shared_semaphore_take_relaxed sync/semaphore.c shared_semaphore/shared_hands_over
  "kri_cas_acq(value, &seen, (seen - 1) | slept)"
  "kri_cas_rlx(value, &seen, (seen - 1) | slept)")

# Barriers.
krait_mutant(barrier_does_not_wake sync/barrier.c barrier/barrier_two_meet
  "        kri_wake(&b->word, KRI_ALL, 0);" "        (void)b;")
krait_mutant(barrier_does_not_wake_processes sync/barrier.c barrier/barrier_two_processes_meet
  "        kri_wake(&b->word, KRI_ALL, KRI_SHARED);" "        (void)b;")
krait_mutant(barrier_end_relaxed sync/barrier.c barrier/barrier_two_meet
  "    while (!kri_cas_sc(&b->word, &old, /* [barrier-1] */"
  "    while (!kri_cas_rlx(&b->word, &old,")
krait_mutant(barrier_tells_of_the_last_round sync/barrier.c barrier/barrier_told_late_of_success
  "    if (rounds_since(mine, word) == 1)" "    if (word != 0)")
krait_mutant(barrier_tells_of_the_last_round_again sync/barrier.c
  barrier/barrier_told_late_of_failure
  "    if (rounds_since(mine, word) == 1)" "    if (word != 0)")
krait_mutant(barrier_forgets_a_failure sync/barrier.c barrier/barrier_told_late_of_failure
  "    b->failed = how != 0 ? b->failed | bit : b->failed & ~bit;" "    b->failed &= ~bit;")
krait_mutant(barrier_breaks_what_has_ended sync/barrier.c barrier/barrier_time_out
  "    if (err >= 0 && has_ended(b, mine)) {
        leave(b);
        return outcome(b, mine, index, 0);
    }" "")
krait_mutant(barrier_joins_a_full_round sync/barrier.c barrier/barrier_late_beside_action
  "        if (kri_load_rlx(&b->arrived) < b->parties)" "        if (b->parties > 0)")
krait_mutant(barrier_broken_by_surplus sync/barrier.c barrier/barrier_surplus_gives_up
  "err = await_as_surplus(b, *mine, deadline)" "err = await_as_party(b, *mine, 0, deadline)")
krait_mutant(barrier_lets_go_before_the_action sync/barrier.c barrier/barrier_action
  "    int result = action(arg);
    int err = enter(b, patience(deadline));"
  "    int err = enter(b, patience(deadline));
    (void)end(b, 0);
    int result = action(arg);
    return result < 0 ? result : 0;
    err = enter(b, patience(deadline));")
krait_mutant(barrier_ends_well_though_broken sync/barrier.c
  barrier/barrier_given_up_without_the_lock
  "    if (how == 0 && (word & BROKEN))" "    if (how == 0 && word == 0)")
krait_mutant(barrier_tells_the_last_wrongly sync/barrier.c
  barrier/barrier_given_up_without_the_lock
  "    return how != 0 || (ended & BROKEN) ? KR_EBROKEN : 0;"
  "    return how != 0 ? KR_EBROKEN : 0;")
krait_mutant(barrier_broken_too_late sync/barrier.c barrier/barrier_given_up_without_the_lock
  "        ends = note_end(b, old, how);" "        continue;")
krait_mutant(barrier_broken_in_silence sync/barrier.c barrier/barrier_broken_without_the_lock
  "    wake(b, seen);" "    (void)b;")
krait_mutant(barrier_waits_for_the_stopped sync/barrier.c barrier/barrier_broken_without_the_lock
  "    int err = enter(b, AT_LEAST);
    if (err < 0 && err" "    int err = enter(b, KR_FOREVER);
    if (err < 0 && err")
krait_mutant(barrier_sleeps_for_good sync/barrier.c owned/owned_barrier_last_dies
  "kri_wait_slice(&b->word, mine | WAITERS, deadline, describe)"
  "kri_wait_for(&b->word, mine | WAITERS, deadline, KRI_SHARED, describe)")
krait_mutant(barrier_does_not_look sync/barrier.c owned/owned_barrier_party_dies
  "    if (!has_ended(b, mine) && kri_holders_settle(&table) > 0)"
  "    if (!has_ended(b, mine) && table.length == 0)")
krait_mutant(barrier_not_put_right sync/barrier.c owned/owned_barrier_party_dies
  "        wake(b, end_round(b, FAILED | BROKEN));" "")
krait_mutant(barrier_keeps_its_rows sync/barrier.c owned/owned_barrier_without_death
  "    kri_holders_clear(&table);
    b->cpus" "    (void)table;
    b->cpus")

# Semaphores with holders.
krait_mutant(owned_not_put_right sync/owned.c owned/owned_borrower_dies
  "        repair(s);" "")
krait_mutant(owned_does_not_look sync/owned.c owned/owned_borrower_dies
  "    if (look)
        settle(s, &wake);" "    (void)look;")
krait_mutant(owned_full_table_not_looked_through sync/owned.c owned/owned_table_is_full
  "        settle(s, wake);
        if (!kri" "        if (!kri")
krait_mutant(owned_does_not_wake sync/owned.c owned/owned_without_death
  "    if (wake > 0)" "    if (wake > 1)")
krait_mutant(owned_wake_not_passed_on sync/owned.c owned/owned_two_releases
  "    if (slept && (seen & KR_SEMAPHORE_MAX) > 1 && *wake == 0)
        *wake = 1;" "")
krait_mutant(owned_sleeper_forgets_the_others sync/owned.c owned/owned_two_releases
  "(seen - 1) | slept" "seen - 1")
krait_mutant(holders_settle_the_living sync/holder.c owned/owned_holder_is_looked_at
  "!kri_process_dead(process)" "process == kri_process_self()")
krait_mutant(holders_keep_the_row sync/holder.c owned/owned_borrower_dies
  "        freed += held_in(row);
        set_free(row);" "        freed += held_in(row);")
krait_mutant(holders_keep_the_count sync/holder.c owned/owned_borrower_dies
  "    kri_store_rlx(count_of(row), 0);
" "")
krait_mutant(holders_row_without_name sync/holder.c owned/owned_borrower_dies
  "    kri_store_rel64(process_of(row), kri_process_self()); /* [holder-1] */" "")
