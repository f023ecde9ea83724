# Seeded bugs of waiting for any of several; see mutants.cmake.
#
# SPDX-License-Identifier: MIT

krait_mutant(any_forgets_a_wake_as_it_turns_back wait/any.c wait_any/any_beside_taker_of_first
  "    *which = woken ? taken_through(wait) : changed;
    if (woken)
        return 0;"
  "    *which = changed;
    (void)woken;")
krait_mutant(any_turns_back_at_once wait/any.c wait_any/any_beside_taker_of_first
  "    bool woken = !kri_waiter_leave(&wait->waiter) && kri_waiter_sleep(&wait->waiter, KRI_NEVER);
    *which"
  "    bool woken = false;
    *which")
krait_mutant(any_stays_in_a_queue wait/any.c wait_any/any_two_takers
  "        if (!spot->shared && wait->waiter.through != &spot->place)"
  "        if (!spot->shared && wait->waiter.through == NULL)")
krait_mutant(any_stays_queued_for_a_cancel wait/any.c wait_any/any_until_cancelled
  "    if (on_scope && wait->waiter.through != &wait->on_scope)"
  "    if (on_scope && wait->waiter.through == NULL)")
krait_mutant(any_leaves_without_claim wait/any.c wait_any/any_shared_time_out_of_three
  "        woken = !kri_waiter_leave(&wait->waiter) && kri_waiter_sleep(&wait->waiter, KRI_NEVER);
    }"
  "        woken = kri_waiter_woken(&wait->waiter) && kri_waiter_sleep(&wait->waiter, KRI_NEVER);
    }")
krait_mutant(any_passes_nothing_on wait/any.c wait_any/any_shared_beside_first
  "        pass_on(wait, woken ? end.woken : end.woken - 1);" "        pass_on(wait, 0);")
krait_mutant(any_passes_too_little_on wait/any.c wait_any/any_mixed_beside_second
  "pass_on(wait, woken ? end.woken : end.woken - 1);" "pass_on(wait, end.woken - 1);")
krait_mutant(any_woken_looks_relaxed wait/any.c wait_any/any_shared_beside_second
  "(void)kri_load_sc((*which)->word); /* [wait-1] */" "")
krait_mutant(any_sleeps_unmarked wait/park.c wait_any/any_mixed_beside_second
  "    while ((*state & PHASE) != WOKEN && !(*state & ASLEEP)) {" "    while (false) {")
krait_mutant(any_sleeps_uncancellable wait/any.c wait_any/any_until_cancelled
  "    kri_party *self = wait->waiter.party;
    if (ready)"
  "    kri_party *self = wait->waiter.party;
    if (on_scope)
        kri_place_leave(&wait->on_scope);
    if (ready)")
krait_mutant(any_tries_in_order_after_a_wake sync/wait_any.c wait_any/any_beside_taker_of_second
  "int chosen = which != NULL ? attempt_one(call, which) : NONE;"
  "int chosen = NONE;")
krait_mutant(any_takes_twice sync/wait_any.c wait_any/any_takes_exactly_one
  "        if (chosen == NONE && err != -ECANCELED)"
  "        if (err != -ECANCELED)")
krait_mutant(any_event_without_count sync/event.c wait_any/any_set_then_clear
  "if (first & FLAG || raised_since(first, event))" "if (kr_event_is_set(event))")
krait_mutant(any_shared_event_unmarked sync/event.c wait_any/any_shared_event
  "        (void)kri_cas_rlx(&event->word, &seen, first | WAITERS);
    return false;" "        (void)seen;
    return false;")
krait_mutant(any_shared_permit_bit_lost sync/choose.c wait_any/any_shared_semaphores
  "        if (choice->result != -ETIMEDOUT && choice->noted)"
  "        if (choice->result > 0)")

# The diagnosis of locks.
krait_mutant(debug_enters_orders_late sync/lock.c debug/debug_finds_an_inversion
  "    if (timeout != KR_NOWAIT)
        kri_debug_order(lock, caller);"
  "")
krait_mutant(debug_row_stays sync/debug.c debug/debug_keeps_quiet
  "        *at = t->held[--t->held_count];
    close();
}

/* Orders. */"
  "        (void)at;
    close();
}

/* Orders. */")
