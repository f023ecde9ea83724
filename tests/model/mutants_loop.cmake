# Seeded bugs of loops.
#
# SPDX-License-Identifier: MIT

# The inbox.
krait_mutant(inbox_put_acquire loop/inbox.c inbox/put_while_it_falls_asleep
  "while (!kri_cas_acq_rel64(&inbox->head, &head, item)); /* [inbox-1] */"
  "while (!kri_cas_acq64(&inbox->head, &head, item));")
krait_mutant(inbox_take_release loop/inbox.c inbox/put_while_it_falls_asleep
  "kri_swap_acq_rel64(&inbox->head, EMPTY); /* [inbox-1] */"
  "kri_swap_rel64(&inbox->head, EMPTY);")
krait_mutant(inbox_put_does_not_wake loop/inbox.c loop/unparked_by_thread
  "        os_futex_wake(rung, 1, false);" "        (void)rung;")
krait_mutant(inbox_put_does_not_ring loop/inbox.c loop/unparked_beside_descriptor
  "        os_bell_ring(inbox->bell);" "        (void)inbox;")
krait_mutant(inbox_wakes_before_it_says_so loop/inbox.c loop/unparked_by_thread
  "        kri_store_rel(rung, 1); /* [inbox-2] */
        os_futex_wake(rung, 1, false);"
  "        os_futex_wake(rung, 1, false);
        kri_store_rel(rung, 1);")
krait_mutant(inbox_touched_after_the_ring loop/inbox.c inbox/put_while_it_falls_asleep
  "        os_futex_wake(rung, 1, false);"
  "        os_futex_wake(rung, 1, false), (void)kri_load_rlx(rung);")
krait_mutant(inbox_sleeps_over_an_item loop/inbox.c loop/unparked_by_thread
  "    if (!kri_cas_acq_rel64(&inbox->head, &head, ON_WORD)) /* [inbox-2] */
        return;" "    kri_store_rel64(&inbox->head, ON_WORD);")
krait_mutant(inbox_lies_down_over_an_item loop/inbox.c loop/unparked_beside_descriptor
  "    return kri_cas_acq_rel64(&inbox->head, &head, ON_BELL);"
  "    return kri_swap_acq_rel64(&inbox->head, ON_BELL) != head + CLOSED;")
krait_mutant(inbox_lies_down_acquire loop/inbox.c inbox/put_beside_the_first_bell
  "    return kri_cas_acq_rel64(&inbox->head, &head, ON_BELL);"
  "    return kri_cas_acq64(&inbox->head, &head, ON_BELL);")
krait_mutant(inbox_gets_up_over_an_item loop/inbox.c inbox/put_while_it_gets_up
  "    inbox->owed = !kri_cas_acq_rel64(&inbox->head, &head, EMPTY);"
  "    inbox->owed = kri_swap_acq_rel64(&inbox->head, EMPTY) != head;")
krait_mutant(inbox_ring_not_noted loop/inbox.c inbox/put_while_it_gets_up
  "    inbox->owed = !kri_cas_acq_rel64(&inbox->head, &head, EMPTY);"
  "    (void)kri_cas_acq_rel64(&inbox->head, &head, EMPTY);")
krait_mutant(inbox_ends_before_the_ring loop/inbox.c loop/timed_out_against_wake
  "    settle(inbox);
    while (inbox->owed_rings" "    while (inbox->owed_rings")
krait_mutant(inbox_sleeps_before_the_ring loop/inbox.c inbox/put_while_it_gets_up
  "    settle(inbox);
    if (" "    if (")
krait_mutant(inbox_bell_not_owed loop/inbox.c loop/timed_out_beside_descriptor
  "        inbox->owed_rings++;" "        inbox->owed_rings += 0;")
krait_mutant(inbox_bell_rings_not_counted loop/inbox.c inbox/put_while_it_lies_down
  "    inbox->owed_rings -= (int64_t)os_bell_take(inbox->bell);"
  "    os_bell_clear(inbox->bell);")
krait_mutant(inbox_ends_before_the_bell loop/inbox.c inbox/put_while_it_gets_up_by_bell
  "    while (inbox->owed_rings > 0) {" "    while (inbox->owed_rings > 1) {")
krait_mutant(inbox_closed_over_an_item loop/inbox.c inbox/put_against_close
  "    return kri_cas_acq_rel64(&inbox->head, &head, CLOSED);"
  "    return kri_swap_acq_rel64(&inbox->head, CLOSED) != head + CLOSED;")
krait_mutant(inbox_put_into_a_closed_one loop/inbox.c inbox/put_against_close
  "        if (head == CLOSED)" "        if (head == CLOSED + 1)")

# Runners.
krait_mutant(runner_not_settled loop/park.c loop/timed_out_against_wake
  "    .settle = settle," "")
krait_mutant(runner_settled_once loop/park.c loop/timed_out_and_waits_again
  "    self->notified = false;" "    (void)self;")
krait_mutant(runner_notice_forgotten loop/runner.c loop/timed_out_and_woken_within_loop
  "    runner->notified = true;" "    runner->notified = runner->parked;")
krait_mutant(runner_ready_twice loop/runner.c loop/timed_out_against_wake
  "    kri_runner *runner = runner_of(timer);
    if (runner->parked)" "    kri_runner *runner = runner_of(timer);")
krait_mutant(runner_notified_before_woken loop/park.c loop/unparked_by_thread
  "    kri_waiter_set_woken(w);
    if (here)
        kri_runner_notify(runner);
    else
        (void)kri_inbox_put(&loop->inbox, item_of(w));"
  "    if (here)
        kri_runner_notify(runner);
    else
        (void)kri_inbox_put(&loop->inbox, item_of(w));
    kri_waiter_set_woken(w);")

# Handing over within a loop.
krait_mutant(lock_taken_for_one_forgets_the_others sync/lock.c loop/lock_handed_within_loop
  "seen | HELD | WAITERS)) /* [lock-1] */" "seen | HELD))")
krait_mutant(lock_taken_for_a_waiter_relaxed sync/lock.c loop/lock_handed_within_loop
  "        if (kri_cas_acq64(whole_word, &seen, seen | HELD | WAITERS)) /* [lock-1] */"
  "        if (kri_cas_rlx64(whole_word, &seen, seen | HELD | WAITERS))")
krait_mutant(semaphore_taken_for_a_waiter_twice sync/semaphore.c loop/permit_handed_within_loop
  "err == KRI_TAKEN" "err == KRI_TAKEN + 1")

# Ending.
krait_mutant(loop_pool_ends_with_tasks loop/loop_pool.c inbox/submit_against_shutdown
  "    } while (!kri_inbox_close(&loop->inbox));" "    } while (!kri_inbox_close(&loop->inbox) && false);")
krait_mutant(loop_submit_unheard loop/spawn.c inbox/submit_against_shutdown
  "    if (kri_inbox_put(&loop->inbox, item_of(f)))
        return 0;" "    (void)kri_inbox_put(&loop->inbox, item_of(f));
    if (f)
        return 0;")

krait_mutant(loop_pool_room_lost loop/runner.c inbox/room_of_one_that_failed
  "    leave_queue(loop, f);
    if (kri_future_claim(f, KRI_CLAIM_SILENT)) {" "    if (kri_future_claim(f, KRI_CLAIM_SILENT)) {")
krait_mutant(loop_pool_wakes_before_it_closes loop/loop_pool.c inbox/shutdown_while_there_is_no_room
  "        kri_or_sc(&pool->queued, CLOSED); /* for those on their way to wait there, too */
        kri_wake(&pool->queued, KRI_ALL, 0);"
  "        kri_wake(&pool->queued, KRI_ALL, 0);
        kri_or_sc(&pool->queued, CLOSED);")

krait_mutant(loop_first_future_unset loop/run.c loop_tasks/refused_by_the_system
  "    kr_future *future = NULL;" "    kr_future *future = (kr_future *)64;")

# Descriptors.
krait_mutant(poller_event_does_not_wake loop/poller.c loop/event_against_time_limit
  "    wake_for(known, event->ready);" "")
krait_mutant(poller_close_does_not_wake loop/descriptor.c loop/closed_while_waited_for
  "        (void)kri_loop_post(p->loop, &p->closed);" "        (void)p;")
krait_mutant(poller_close_wakes_nobody_here loop/poller.c loop/closed_within_loop
  "    wake_for(known, OS_READABLE | OS_WRITABLE);" "")
krait_mutant(poller_told_set_back_too_late loop/descriptor.c loop/closed_in_two_steps
  "        (void)kri_swap_sc(&known->told, 0); /* [poller-2] */
        if (known->registered && kri_descriptor_is_same(known))
            kri_store_sc(&known->heard, 1); /* [poller-1] */
        wake_closed(known);" "        if (known->registered && kri_descriptor_is_same(known))
            kri_store_sc(&known->heard, 1);
        wake_closed(known);
        (void)kri_swap_sc(&known->told, 0);")
krait_mutant(poller_not_heard_again loop/descriptor.c loop/closed_after_the_wait_began
  "            kri_store_sc(&known->heard, 1); /* [poller-1] */" "            (void)known;")
krait_mutant(poller_told_before_it_is_so loop/descriptor.c loop/closed_while_waited_for
  "    (void)kri_add_sc64(&known->generation, step);                       /* [poller-1] [poller-2] */
    if (kri_swap_sc(&known->heard, 0) && !kri_swap_sc(&known->told, 1)) /* [poller-1] [poller-2] */
        tell_loop(p, known);"
  "    if (kri_swap_sc(&known->heard, 0) && !kri_swap_sc(&known->told, 1))
        tell_loop(p, known);
    (void)kri_add_sc64(&known->generation, step);")
krait_mutant(poller_not_told_of_the_end loop/descriptor.c loop/closed_after_the_wait_began
  "        kri_loops_each(forget_what_came, &fd);" "        (void)forget_what_came;")
krait_mutant(poller_registers_what_is_gone loop/poller.c loop/closed_after_the_wait_began
  "    uint64_t now = kri_load_sc64(&known->generation); /* [poller-1] */"
  "    uint64_t now = known->seen;")
krait_mutant(direct_woken_after_a_cancel wait/slot.c loop/event_against_cancel
  "    return kri_cas_acq_rel_ptr(slot_of(scope), &seen, EMPTY);
}" "    kri_store_rel_ptr(slot_of(scope), EMPTY);
    return seen != NULL;
}")
krait_mutant(direct_wait_stays_in_its_scope wait/direct.c loop/time_limit_against_cancel
  "        kri_stand_leave(&in_scope, &w, scope);" "        (void)in_scope;")

# Sentries.
krait_mutant(sentry_not_told_of_a_new_one loop/sentry.c sentry/watched_by_two
  "    w->count++;
    kri_mutex_unlock(&w->lock);
    say_changed(w);" "    w->count++;
    kri_mutex_unlock(&w->lock);")
krait_mutant(sentry_does_not_tell loop/sentry.c sentry/watched_word_changes
  "    kri_wake(watch->told, 1, 0);" "")
krait_mutant(sentry_told_without_the_lock loop/sentry.c sentry/watched_and_cancelled
  "    kri_store_sc(watch->told, 1); /* [sentry-1] */
    kri_wake(watch->told, 1, 0);" "    kri_mutex_unlock(&w->lock);
    kri_store_sc(watch->told, 1);
    kri_wake(watch->told, 1, 0);
    kri_mutex_lock(&w->lock);")
krait_mutant(sentry_keeps_a_wake loop/sentry.c sentry/wake_passed_on
  "                os_futex_wake(n->words[i].word, 1, true);" "                (void)w;")
krait_mutant(sentry_keeps_those_before loop/sentry.c sentry/two_words_at_once
  "i <= woken || kri_load_sc(watch->word) != watch->expected" "i == woken")
krait_mutant(watched_wait_keeps_a_wake wait/wait.c sentry/wake_passed_on
  "    if (spent)
        os_futex_wake(word, 1, true);" "    (void)spent;")
