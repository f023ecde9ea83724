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
