# Seeded bugs of the interpreter lock.
#
# SPDX-License-Identifier: MIT

# Taking and giving.
krait_mutant(gil_take_relaxed gil/take.c gil/gil_two
  "    if (kri_cas_acq64(&t->gil->holder, &seen, word_of(t))) /* [gil-2] */"
  "    if (kri_cas_rlx64(&t->gil->holder, &seen, word_of(t)))")
krait_mutant(gil_acquire_relaxed gil/take.c gil/gil_region
  "    if (kri_cas_acq64(&thread->gil->holder, &seen, word_of(thread))) /* [gil-2] */"
  "    if (kri_cas_rlx64(&thread->gil->holder, &seen, word_of(thread)))")
krait_mutant(gil_release_relaxed gil/take.c gil/gil_region
  "    if (kri_cas_rel64(&thread->gil->holder, &seen, 0)) /* [gil-2] */"
  "    if (kri_cas_rlx64(&thread->gil->holder, &seen, 0))")
krait_mutant(gil_give_relaxed gil/take.c gil/gil_two
  "    if (!kri_cas_rel64(&t->gil->holder, &seen, 0)) /* [gil-2] */"
  "    if (!kri_cas_rlx64(&t->gil->holder, &seen, 0))")
krait_mutant(gil_slow_take_relaxed gil/deadline.c gil/gil_two
  "kri_or_acq64(&g->holder, KRI_GIL_SLOW)) == NULL) { /* [gil-2] */"
  "kri_or_rlx64(&g->holder, KRI_GIL_SLOW)) == NULL) {")
krait_mutant(gil_waiter_leaves_the_fast_way_open gil/deadline.c gil/gil_two
  "kri_or_acq64(&g->holder, KRI_GIL_SLOW)) == NULL) { /* [gil-2] */"
  "kri_load_acq64(&g->holder)) == NULL) {")
krait_mutant(gil_slow_bit_forgotten gil/take.c gil/gil_keeper_leaves
  "    return g->first != NULL || kri_gil_is_watched(g) ? KRI_GIL_SLOW : 0;"
  "    return kri_gil_is_watched(g) ? KRI_GIL_SLOW : 0;")

# Handing over.
krait_mutant(gil_turn_relaxed gil/wait.c gil/gil_handed
  "kri_swap_sc(word, turn) == KRI_TURN_SLEEPS; /* [gil-1] */"
  "kri_swap_rlx(word, turn) == KRI_TURN_SLEEPS;")
krait_mutant(gil_turn_seen_relaxed gil/wait.c gil/gil_handed
  "    while ((seen = kri_load_acq(&t->turn)) == KRI_TURN_SLEEPS) { /* [gil-1] */"
  "    while ((seen = kri_load_rlx(&t->turn)) == KRI_TURN_SLEEPS) {")
krait_mutant(gil_turn_not_woken gil/wait.c gil/gil_ticks
  "        os_futex_wake(wake.word, 1, false);" "        return;")
krait_mutant(gil_turn_overwritten_by_sleep gil/wait.c gil/gil_two
  "    if (!kri_cas_acq(&t->turn, &seen, KRI_TURN_SLEEPS)) /* [gil-1] */
        return seen;" "    kri_swap_acq(&t->turn, KRI_TURN_SLEEPS);")
krait_mutant(gil_turn_touched_after_it_is_given gil/wait.c gil/gil_given_and_gone
  "        os_futex_wake(wake.word, 1, false);"
  "        os_futex_wake(wake.word, kri_load_rlx(wake.word) != 0, false);")
krait_mutant(gil_handed_to_nobody gil/deadline.c gil/gil_handed
  "    if (g->first != NULL)
        wake = hand_over(g, now, &second);" "    if (g->first == t)
        wake = hand_over(g, now, &second);")

# Asking.
krait_mutant(gil_never_asked gil/deadline.c gil/gil_asked
  "    if (kri_or_rlx(&holder->asked, KRI_GIL_DROP) & KRI_GIL_DROP)" "    if (holder != NULL)")
krait_mutant(gil_nobody_keeps_the_time gil/deadline.c gil/gil_keeper_leaves
  "    next->arranges = !next->by_coroutine && is_unkept(g, next);" "    next->arranges = false;
    now = next == NULL ? now : g->taken_at;
    if (next != NULL)
        return kri_gil_tell(next, KRI_TURN_GIVEN);")
krait_mutant(gil_early_on_one_processor_is_silent gil/deadline.c gil/gil_early
  "        ask(g, holder, due, now);
        if (g->keeper == t)" "        if (g->keeper == t)")
krait_mutant(gil_new_holder_arranges_nothing gil/deadline.c gil/gil_keeper_leaves
  "        arrange_as_holder(g, t);" "        (void)arrange_as_holder;")
krait_mutant(gil_keeper_stays_as_holder gil/deadline.c gil/gil_keeper_leaves
  "    if (g->keeper == next)
        g->keeper = NULL;" "    (void)arrange;")
krait_mutant(gil_drop_is_not_handed gil/deadline.c gil/gil_asked
  "    wakes[0] = hand_over(g, now, &wakes[1]);" "    kri_gil_release_word(g);")

krait_mutant(gil_called_and_not_woken gil/deadline.c gil/gil_next_is_called
  "        wakes[1] = call_next(g, t);" "        (void)call_next(g, t);")

# Debts.
krait_mutant(gil_debt_forgotten gil/debt.c gil/gil_debts
  "    d->end += t->spent < debt ? t->spent : debt;" "    (void)d;")
krait_mutant(gil_debt_of_all gil/debt.c gil/gil_debts
  "    size_t at = (size_t)thread;
    while (" "    size_t at = 0;
    while (thread == 0 && ")
krait_mutant(gil_debt_put_down_without_the_lock gil/attach.c gil/gil_debts
  "    kri_gil_end_share(g, t);
    unlist(g, t);
    kri_mutex_unlock(&g->lock);" "    unlist(g, t);
    kri_mutex_unlock(&g->lock);
    kri_gil_end_share(g, t);")

# The end.
krait_mutant(gil_shutdown_leaves_waiters gil/gil.c gil/gil_shutdown_by_holder
  "    while (g->first != NULL) {" "    while (g->first != NULL && !g->closed) {")
krait_mutant(gil_shutdown_lets_in gil/gil.c gil/gil_shutdown_beside_region
  "kri_gil_holder_in(kri_or_rlx64(&gil->holder, KRI_GIL_SLOW));"
  "kri_gil_holder_in(kri_load_rlx64(&gil->holder));")
krait_mutant(gil_shutdown_not_told gil/gil.c gil/gil_shutdown_beside_region
  "            kri_or_rlx(&t->asked, KRI_GIL_CLOSED);" "            (void)t;")
krait_mutant(gil_closed_is_not_asked gil/deadline.c gil/gil_shutdown_beside_region
  "    if (g->closed) {" "    if (g->closed && g->first != NULL) {")

# Forks.
krait_mutant(gil_fork_without_the_inner_lock gil/gil.c gil/gil_fork
  "        kri_mutex_lock(&g->lock);
}" "        (void)kri_mutex_try(&g->lock);
}")

# Calls and interrupts.
krait_mutant(gil_call_not_told gil/check.c gil/gil_told
  "        kri_or_rlx(&t->asked, KRI_GIL_CALLS);" "        (void)t;")
krait_mutant(gil_interrupt_not_told gil/check.c gil/gil_told
  "        kri_or_rlx(&thread->asked, KRI_GIL_INTERRUPT);" "        (void)thread;")
krait_mutant(gil_call_run_twice gil/check.c gil/gil_told
  "    calls->first = (calls->first + 1) % calls->room;
    calls->count--;" "    calls->count -= calls->first++ % 2;")

# Barging.
krait_mutant(gil_barging_wakes_nobody gil/barging.c gil/gil_ticks
  "        wake = kri_gil_tell(next, KRI_TURN_GIVEN);" "        (void)kri_gil_tell(next, KRI_TURN_GIVEN);")
krait_mutant(gil_yielder_not_told gil/barging.c gil/gil_forced
  "        wake = kri_gil_tell(g->yielder, KRI_TURN_GIVEN);" "")
krait_mutant(gil_barging_never_asks gil/barging.c gil/gil_forced
  "        ask_holder(g);" "        (void)ask_holder;")
krait_mutant(gil_yielder_after_it_is_free gil/barging.c gil/gil_forced_twice
  "    if (yields)
        become_yielder(g, t);
    kri_gil_wake wake = set_free(g, t, KR_GIL_DROPS);" "    kri_gil_wake wake = set_free(g, t, KR_GIL_DROPS);
    if (yields) {
        become_yielder(g, t);
        kri_or_rlx64(&g->holder, KRI_GIL_SLOW);
    }")
krait_mutant(gil_yielder_not_refused gil/gil.c gil/gil_yields_to_nobody
  "        kri_gil_wake_now(kri_gil_tell(g->yielder, KRI_TURN_REFUSED));" "        (void)g;")
