# Seeded bugs: each is one exact change of a real source, and must be found by its scenario.
#
# krait_mutant(NAME SOURCE SCENARIO OLD NEW): in src/SOURCE the text OLD, which must stand there
# exactly once, becomes NEW.  SCENARIO is program/case of this folder.  The program built here has
# one case, called as the mutant, which passes when a schedule fails.
#
# SPDX-License-Identifier: MIT
function(krait_mutant name source scenario old new)
  set(original ${PROJECT_SOURCE_DIR}/src/${source})
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${original})
  file(READ ${original} text)
  string(FIND "${text}" "${old}" first)
  string(FIND "${text}" "${old}" last REVERSE)
  if(first EQUAL -1)
    message(FATAL_ERROR "mutant ${name}: not in src/${source}: ${old}")
  endif()
  if(NOT first EQUAL last)
    message(FATAL_ERROR "mutant ${name}: more than once in src/${source}: ${old}")
  endif()
  string(REPLACE "${old}" "${new}" text "${text}")
  get_filename_component(file ${source} NAME)
  get_filename_component(program ${scenario} DIRECTORY)
  get_filename_component(case ${scenario} NAME)
  set(mutated ${CMAKE_CURRENT_BINARY_DIR}/mutants/${name}/${file})
  file(CONFIGURE OUTPUT ${mutated} CONTENT "#line 1 \"${original}\"\n@text@
extern const char *const kri_mutant;
extern const char *const kri_mutant_scenario;
const char *const kri_mutant = \"@name@\";
const char *const kri_mutant_scenario = \"@case@\";\n" @ONLY)
  # The mutated object defines all that the library's own would, so that one is not linked.
  krait_model_program(mutant_${name} ${mutated} $<TARGET_OBJECTS:model_${program}_objects>
                      $<TARGET_OBJECTS:model_scenario>)
  set_source_files_properties(${mutated} PROPERTIES COMPILE_OPTIONS -w)
endfunction()

# The inner lock.
krait_mutant(mutex_acquire_relaxed wait/mutex.c mutex/mutex_two
  "    uint32_t seen = FREE;
    if (kri_cas_acq(m, &seen, HELD)) /* [mutex-1] */
        return;"
  "    uint32_t seen = FREE;
    if (kri_cas_rlx(m, &seen, HELD))
        return;")
krait_mutant(mutex_slow_acquire_relaxed wait/mutex.c mutex/mutex_two
  "kri_swap_acq(m, HELD_WITH_SLEEPERS)" "kri_swap_rlx(m, HELD_WITH_SLEEPERS)")
krait_mutant(mutex_unlock_relaxed wait/mutex.c mutex/mutex_two
  "kri_swap_rel(m, FREE)" "kri_swap_rlx(m, FREE)")
krait_mutant(mutex_wake_dropped wait/mutex.c mutex/mutex_two
  "        os_futex_wake(m, 1, false);" "        (void)m;")
krait_mutant(mutex_woken_takes_as_held wait/mutex.c mutex/mutex_three
  "    while (kri_swap_acq(m, HELD_WITH_SLEEPERS) != FREE) /* [mutex-1] */
        os_futex_wait(m, HELD_WITH_SLEEPERS, OS_NEVER, false);"
  "    while (kri_swap_acq(m, HELD_WITH_SLEEPERS) != FREE) {
        os_futex_wait(m, HELD_WITH_SLEEPERS, OS_NEVER, false);
        seen = FREE;
        if (kri_cas_acq(m, &seen, HELD))
            return;
    }")

# The waiting point.
krait_mutant(park_no_second_look wait/park.c mutex/wait_and_wake
  "kri_load_sc(word) == expected; /* [wait-1] */" "(void *)word != NULL; (void)expected;")
krait_mutant(park_look_before_counting wait/park.c mutex/wait_and_wake
  "    kri_add_sc(&b->count, 1);                       /* [wait-1] */
    bool unchanged = kri_load_sc(word) == expected; /* [wait-1] */"
  "    bool unchanged = kri_load_sc(word) == expected;
    kri_add_sc(&b->count, 1);")
krait_mutant(park_second_look_acquire wait/park.c mutex/wait_and_wake
  "kri_load_sc(word) == expected; /* [wait-1] */" "kri_load_acq(word) == expected;")
krait_mutant(park_count_relaxed wait/park.c mutex/wait_and_wake
  "    if (kri_load_sc(&b->count) == 0) /* [wait-1] */" "    if (kri_load_rlx(&b->count) == 0)")
krait_mutant(park_woken_relaxed wait/park.c mutex/wait_and_wake_plain
  "kri_swap_rel(state, WOKEN); /* [wait-2] */" "kri_swap_rlx(state, WOKEN);")
krait_mutant(park_wake_dropped wait/park.c mutex/wait_and_wake
  "    if (before & ASLEEP)
        os_futex_wake(state, 1, false);" "    (void)before;")
krait_mutant(park_claim_without_swap wait/park.c mutex/time_out_against_wake
  "        if (kri_cas_rlx(&w->state, &state, state | phase))
            return true;"
  "        kri_store_rlx(&w->state, state | phase);
        return true;")
krait_mutant(park_counts_whom_it_missed wait/park.c mutex/time_out_beside_waiter
  "        if (!place->moved && !claim(w, TAKEN))
            continue;"
  "        if (!place->moved && !claim(w, TAKEN)) {
            ++*taken;
            continue;
        }")
krait_mutant(park_touches_waiter_after_wake wait/park.c mutex/wake_counts
  "        kri_waiter *next = w->next;
        w->party->ops->unpark(w);
        w = next;"
  "        w->party->ops->unpark(w);
        w = w->next;")
krait_mutant(park_place_left_behind wait/wait.c mutex/time_out_and_again
  "    leave(&w, &on_word);" "    if (w.through != NULL)
        leave(&w, &on_word);")
krait_mutant(cancel_does_not_wake wait/scope_tree.c slot/slot_two_sleepers_cancelled
  "    kri_wake(&scope->state, KRI_ALL, 0);" "")
krait_mutant(cancel_passes_the_slot_by wait/scope_tree.c mutex/cancel_ends_a_wait
  "    kri_slot_close(scope);" "")
krait_mutant(cancel_not_handed_down wait/scope_tree.c cancel/cancel_enters_late
  "        if (kri_scope_reached(parent))
            mark(scope);" "")
krait_mutant(cancel_exit_does_not_wait wait/cancel.c cancel/cancel_then_freed
  "    kri_scope_lock(scope);
    int result = outcome(scope);
    scope->flags = 0;
    kri_scope_unlock(scope);"
  "    int result = outcome(scope);
    scope->flags = 0;")

# The slot of a scope.
krait_mutant(slot_left_open wait/slot.c slot/slot_used_again
  "kri_swap_acq_rel_ptr(slot_of(scope), CLOSED)" "kri_swap_acq_rel_ptr(slot_of(scope), EMPTY)")
krait_mutant(slot_closed_in_two_steps wait/slot.c slot/slot_used_again
  "    kri_waiter *w = kri_swap_acq_rel_ptr(slot_of(scope), CLOSED); /* [slot-1] [slot-2] */"
  "    kri_waiter *w = kri_load_acq_ptr(slot_of(scope));
    kri_store_rel_ptr(slot_of(scope), CLOSED);")
krait_mutant(slot_filled_over_another wait/slot.c slot/slot_two_sleepers_cancelled
  "kri_cas_acq_rel_ptr(slot_of(scope), &seen, w); /* [slot-1] [slot-2] */"
  "kri_load_acq_ptr(slot_of(scope)) != CLOSED;
    if (stand->in_slot)
        (void)kri_swap_acq_rel_ptr(slot_of(scope), w);
    (void)seen;")
krait_mutant(slot_second_stands_nowhere wait/slot.c slot/slot_second_sleeper_cancelled
  "    return stand->in_slot || kri_place_enter(" "    return true || kri_place_enter(")
krait_mutant(slot_not_emptied wait/slot.c slot/slot_cancel_against_wake
  "    } else if (!kri_cas_acq_rel_ptr(slot_of(scope), &seen, EMPTY)) {"
  "    } else if (kri_load_acq_ptr(slot_of(scope)) != seen) {")
krait_mutant(slot_left_at_once_woken wait/slot.c slot/slot_cancel_against_wake
  "        kri_scope_lock(scope);
        kri_scope_unlock(scope);" "        return;")
krait_mutant(slot_left_at_once_by_time wait/slot.c slot/slot_cancel_against_time_out
  "        kri_scope_lock(scope);
        kri_scope_unlock(scope);" "        return;")
krait_mutant(slot_left_at_once_at_the_end wait/slot.c slot/slot_cancel_against_end
  "        kri_scope_lock(scope);
        kri_scope_unlock(scope);" "        return;")
krait_mutant(slot_waiter_taken_twice wait/park.c slot/slot_cancel_against_wake
  "    if (!claim(w, TAKEN))
        return;
    (void)kri_party_self();" "    (void)claim(w, TAKEN);
    (void)kri_party_self();")
krait_mutant(slot_unlocked_before_the_wake wait/scope_tree.c slot/slot_cancel_against_wake
  "    kri_slot_close(scope);" "    kri_scope_unlock(scope);
    kri_slot_close(scope);
    kri_scope_lock(scope);")
krait_mutant(slot_closed_before_marked wait/scope_tree.c slot/slot_two_sleepers_cancelled
  "    if (kri_swap_sc(&scope->state, KRI_SCOPE_CANCELLED) != KRI_SCOPE_LIVE) /* [scope-1] */
        return;
    kri_slot_close(scope);
    kri_wake(&scope->state, KRI_ALL, 0);"
  "    kri_slot_close(scope);
    kri_wake(&scope->state, KRI_ALL, 0);
    if (kri_swap_sc(&scope->state, KRI_SCOPE_CANCELLED) != KRI_SCOPE_LIVE)
        return;")

# Scopes that join the tree late.
krait_mutant(lazy_sleeps_unjoined wait/wait.c lazy_scope/lazy_two_join_against_cancel
  "        kri_scope_join(scope);" "")
krait_mutant(lazy_polls_unjoined wait/descriptor.c lazy_scope/lazy_poll_against_cancel
  "        kri_scope_join(scope);" "")
krait_mutant(lazy_joins_twice wait/scope_tree.c lazy_scope/lazy_two_join_against_cancel
  "    if (kri_load_rlx(&scope->joined) == 0) {" "    {")
krait_mutant(lazy_joins_inside_first wait/scope_tree.c lazy_scope/lazy_two_join_against_cancel
  "batch[(count - 1 - i) % BATCH]" "batch[i]")
krait_mutant(lazy_joins_one_batch wait/scope_tree.c lazy_scope/lazy_deep_against_cancel
  "    while (!is_joined(innermost)) {" "    if (!is_joined(innermost)) {")
krait_mutant(lazy_joined_before_marked wait/scope_tree.c lazy_scope/lazy_asked_while_joined
  "        if (kri_scope_reached(parent))
            mark(scope);
        kri_store_rel(&scope->joined, 1); /* [scope-3] */"
  "        kri_store_rel(&scope->joined, 1);
        if (kri_scope_reached(parent))
            mark(scope);")
krait_mutant(lazy_joined_relaxed wait/scope_tree.c lazy_scope/lazy_asked_while_joined
  "kri_store_rel(&scope->joined, 1);" "kri_store_rlx(&scope->joined, 1);")
krait_mutant(lazy_seen_joined_relaxed wait/scope_tree.c lazy_scope/lazy_asked_while_joined
  "kri_load_acq(&scope->joined) != 0; /* [scope-3] */" "kri_load_rlx(&scope->joined) != 0;")
krait_mutant(lazy_mark_seen_before_joined wait/scope_tree.c lazy_scope/lazy_asked_while_joined
  "        joined = is_joined(scope); /* [scope-3] */
        if (kri_scope_reached(scope))
            return true;"
  "        if (kri_scope_reached(scope))
            return true;
        joined = is_joined(scope);")
krait_mutant(lazy_asks_innermost_only wait/scope_tree.c lazy_scope/lazy_asked_while_joined
  "        joined = is_joined(scope); /* [scope-3] */" "        joined = true;")
krait_mutant(lazy_end_stays_linked wait/scope_tree.c
  lazy_scope/lazy_end_of_joined_against_cancel
  "    if (parent == NULL)
        return;" "    return;")
krait_mutant(lazy_end_unlocked wait/scope_tree.c lazy_scope/lazy_end_of_joined_against_cancel
  "    kri_scope_lock(parent);
    *(scope->previous" "    kri_fork_generation();
    *(scope->previous")

# The primitives.
krait_mutant(event_without_count sync/event.c event/event_set_then_clear
  "old & FLAG ? old : ((old + ONE_RAISE) | FLAG) & ~(uint32_t)WAITERS"
  "(old | FLAG) & ~(uint32_t)WAITERS")
krait_mutant(event_set_again_writes_nothing sync/event.c event/event_set_again_against_clear
  "    while (!kri_cas_sc(&event->word, &old, raised(old))) { /* [event-1] [event-2] */
    }"
  "    do {
        if (old & FLAG)
            return;
    } while (!kri_cas_sc(&event->word, &old, raised(old)));")
krait_mutant(event_clear_relaxed sync/event.c event/event_set_again_against_clear
  "kri_and_acq(&event->word, ~(uint32_t)FLAG);" "kri_and_rlx(&event->word, ~(uint32_t)FLAG);")
krait_mutant(event_wakes_one sync/event.c event/event_set_wakes_all
  "kri_wake(&event->word, KRI_ALL, 0);" "kri_wake(&event->word, 1, 0);")
krait_mutant(event_set_relaxed sync/event.c event/event_set_wakes
  "while (!kri_cas_sc(&event->word, &old, raised(old)))"
  "while (!kri_cas_rlx(&event->word, &old, raised(old)))")
krait_mutant(event_wakes_before_it_sets sync/event.c event/event_set_wakes
  "    uint32_t old = kri_load_rlx(&event->word);"
  "    kri_wake(&event->word, KRI_ALL, 0);
    uint32_t old = kri_load_rlx(&event->word);
    if (!(old & FLAG) && kri_cas_sc(&event->word, &old, (old + ONE_RAISE) | FLAG))
        return;")
krait_mutant(event_touched_after_wake sync/event.c event/event_freed_by_waiter
  "    kri_wake(&event->word, KRI_ALL, 0);"
  "    {
        kri_wake(&event->word, KRI_ALL, 0);
        (void)kri_load_rlx(&event->word);
    }")
krait_mutant(semaphore_release_wakes_one sync/semaphore.c semaphore/semaphore_two_takers_one_release
  "    kri_wake(&semaphore->value, permits, 0);" "    kri_wake(&semaphore->value, 1, 0);")
krait_mutant(semaphore_take_relaxed sync/semaphore.c semaphore/semaphore_hands_over
  "kri_cas_acq(value, &seen, (seen - 1) | slept)"
  "kri_cas_rlx(value, &seen, (seen - 1) | slept)")
krait_mutant(semaphore_leaver_loses_a_permit sync/semaphore.c semaphore/semaphore_time_out
  "        int err = kri_wait_to_take(&semaphore->value, 0, deadline, 0, describe, take_for_waiter);"
  "        int err = kri_wait_to_take(&semaphore->value, 0, deadline, 0, describe, take_for_waiter);
        if (err == -ETIMEDOUT)
            (void)kri_semaphore_take(&semaphore->value, 0);")
krait_mutant(semaphore_wakes_only_from_zero sync/semaphore.c semaphore/semaphore_two_releases
  "    kri_wake(&semaphore->value, permits, 0);"
  "    {
        if (old == 0)
            kri_wake(&semaphore->value, permits, 0);
    }")
krait_mutant(semaphore_touched_after_release sync/semaphore.c semaphore/semaphore_freed_by_taker
  "    kri_wake(&semaphore->value, permits, 0);"
  "    {
        kri_wake(&semaphore->value, permits, 0);
        if (kr_semaphore_value(semaphore) > most)
            return -EOVERFLOW;
    }")
krait_mutant(condition_sleeps_after_release sync/condition.c condition/condition_notify
  "    uint32_t seen = kri_load_rlx(word);
    bool alone = c->older - c->permits + c->newer == 1; /* of those not notified */
    int64_t depth = kri_condition_let_go(c);"
  "    bool alone = c->older - c->permits + c->newer == 1;
    int64_t depth = kri_condition_let_go(c);
    uint32_t seen = kri_load_rlx(word);")
krait_mutant(condition_newcomer_joins_the_older sync/condition.c condition/condition_newcomer
  "    stay s = {.group = c->group, .still = -1};
    c->newer++;"
  "    stay s = {.group = c->older > 0 ? c->group - 1 : c->group, .still = -1};
    *(c->older > 0 ? &c->older : &c->newer) += 1;")
krait_mutant(condition_leaver_stays_counted sync/condition.c condition/condition_time_out
  "            leave(c, s.group);" "")
krait_mutant(condition_notified_counts_as_time_out sync/condition.c condition/condition_time_out
  "        if (take_notification(c, s.group))
            return 0;"
  "        if (err != -ETIMEDOUT && take_notification(c, s.group))
            return 0;")
krait_mutant(condition_word_not_changed sync/condition_lock.c condition/condition_notify
  "    kri_add_sc(word, ONE_CHANGE);
    kri_lock_adopt" "    kri_lock_adopt")
krait_mutant(condition_permit_not_taken sync/condition.c condition/condition_exact_two
  "        c->permits--;" "")

# Futures; those of the pool are in mutants_pool.cmake.
krait_mutant(future_wake_dropped executor/future.c executor/future_result_wakes_and_is_freed_once
  "    kri_wake(&f->state, KRI_ALL, 0);
    if (callbacks)" "    if (callbacks)")
krait_mutant(future_done_relaxed executor/future.c executor/future_result_wakes_and_is_freed_once
  "kri_or_sc(&f->state, phase); /* [future-1] */" "kri_or_rlx(&f->state, phase);")
krait_mutant(future_cancel_over_result executor/future.c executor/future_finish_or_cancel
  "    bool removed = kri_future_claim(f, KRI_CLAIM_DROPPED | KRI_CLAIM_OUTSIDE);"
  "    bool removed = true;")
krait_mutant(future_asked_when_over executor/future.c executor/future_ask_while_it_runs
  "    if (!is_over(state))
        answer = ask(f);" "    answer = ask(f);")
krait_mutant(callback_lost_when_done executor/future.c executor/future_callback_is_called_once
  "    bool waiting = !is_over(open(f));
    if (waiting) {
        callback->next"
  "    bool waiting = (open(f), true);
    if (waiting) {
        callback->next")
krait_mutant(wait_members_not_taken_off executor/completed.c executor/wait_for_the_first_of_two
  "            kri_future_unwatch_shared(group->futures[i], &group->watcher);" "            (void)group;")
krait_mutant(wait_let_go_after_the_first executor/completed.c executor/wait_for_the_first_of_two
  "        kri_store_sc(&group->ready, HOLDS); /* [completed-1] */"
  "        kri_store_sc(&group->ready, ALL);")
krait_mutant(wait_counted_before_the_last_touch executor/completed.c completed/wait_for_first
  "    if (over)
        kri_store_sc(&group->ready, HOLDS); /* [completed-1] */
    if (is_stuck_without(group, held_up) || over)
        kri_wake(&group->ready, 1, 0);
    if (kri_sub_acq_rel(&group->left, 1) != 1) /* [completed-1] */
        return;
    kri_store_sc(&group->ready, ALL); /* [completed-1] */"
  "    bool last = kri_sub_acq_rel(&group->left, 1) == 1;
    if (last)
        kri_store_sc(&group->ready, ALL);
    if (is_stuck_without(group, held_up) || over)
        kri_wake(&group->ready, 1, 0);
    if (over && !last)
        kri_store_sc(&group->ready, HOLDS);")
krait_mutant(wait_counted_relaxed executor/completed.c completed/wait_for_all
  "    if (kri_sub_acq_rel(&group->left, 1) != 1) /* [completed-1] */"
  "    if (kri_sub_rlx(&group->left, 1) != 1)")

# Threads, and more of futures.
krait_mutant(thread_end_does_not_wake thread/thread.c thread/thread_start_and_join
  "    kri_mutex_unlock(&kri_threads.lock);
    kri_wake(&t->state, KRI_ALL, 0);"
  "    kri_mutex_unlock(&kri_threads.lock);")
krait_mutant(thread_release_relaxed thread/thread.c thread/thread_released_by_two
  "kri_sub_acq_rel(&t->references, 1)" "kri_sub_rlx(&t->references, 1)")
krait_mutant(future_release_relaxed executor/future.c future/future_released_by_both
  "kri_sub_acq_rel(&f->state, KRI_REFERENCE); /* [future-3] */"
  "kri_sub_rlx(&f->state, KRI_REFERENCE);")
krait_mutant(future_last_release_relaxed executor/future.c future/future_released_by_both
  "    uint32_t state = kri_load_acq(&f->state); /* [future-3] */"
  "    uint32_t state = kri_load_rlx(&f->state);")
krait_mutant(future_wakes_one executor/future.c future/future_two_waiters
  "    kri_wake(&f->state, KRI_ALL, 0);
    if (callbacks)"
  "    kri_wake(&f->state, 1, 0);
    if (callbacks)")

# A worker's queue.
krait_mutant(deque_push_release queue/deque.c deque/deque_push_or_sleep
  "kri_store_sc64(&d->bottom, bottom + 1); /* [deque-1] [deque-3] */"
  "kri_store_rel64(&d->bottom, bottom + 1);")
krait_mutant(deque_push_relaxed queue/deque.c deque/deque_push_and_steal
  "kri_store_sc64(&d->bottom, bottom + 1); /* [deque-1] [deque-3] */"
  "kri_store_rlx64(&d->bottom, bottom + 1);")
krait_mutant(deque_push_bottom_before_slot queue/deque.c deque/deque_push_and_steal
  "    kri_store_rlx64(&d->slots[slot_of(bottom)], item);
    kri_store_sc64(&d->bottom, bottom + 1); /* [deque-1] [deque-3] */"
  "    kri_store_sc64(&d->bottom, bottom + 1);
    kri_store_rlx64(&d->slots[slot_of(bottom)], item);")
krait_mutant(deque_push_one_too_many queue/deque.c deque/deque_full
  "        if (between(d->top_seen, bottom) >= KRI_DEQUE_ROOM)
            return false;"
  "        if (between(d->top_seen, bottom) > KRI_DEQUE_ROOM)
            return false;")
krait_mutant(deque_pop_store_release queue/deque.c deque/deque_thief_comes_down
  "kri_store_sc64(&d->bottom, bottom);   /* [deque-1] [deque-2] */"
  "kri_store_rel64(&d->bottom, bottom);")
krait_mutant(deque_pop_store_relaxed queue/deque.c deque/deque_push_and_steal
  "kri_store_sc64(&d->bottom, bottom);   /* [deque-1] [deque-2] */"
  "kri_store_rlx64(&d->bottom, bottom);")
krait_mutant(deque_pop_load_acquire queue/deque.c deque/deque_thief_comes_down
  "d->top_seen = kri_load_sc64(&d->top); /* [deque-2] */"
  "d->top_seen = kri_load_acq64(&d->top);")
krait_mutant(deque_pop_looks_before_it_lowers queue/deque.c deque/deque_thief_comes_down
  "    kri_store_sc64(&d->bottom, bottom);   /* [deque-1] [deque-2] */
    d->top_seen = kri_load_sc64(&d->top); /* [deque-2] */"
  "    d->top_seen = kri_load_sc64(&d->top);
    kri_store_sc64(&d->bottom, bottom);")
krait_mutant(deque_pop_takes_the_last_without_race queue/deque.c deque/deque_last_item
  "    if (below > 0)" "    if (below >= 0)")
krait_mutant(deque_pop_last_without_swap queue/deque.c deque/deque_last_item
  "kri_cas_acq64(&d->top, &top, bottom + 1); /* [deque-4] */"
  "kri_load_sc64(&d->top) == bottom;
    kri_store_sc64(&d->top, bottom + 1);")
krait_mutant(deque_pop_last_does_not_put_back queue/deque.c deque/deque_goes_on_after_the_last
  "    kri_store_rlx64(&d->bottom, bottom + 1);
    return won" "    return won")
krait_mutant(deque_pop_of_nothing_does_not_put_back queue/deque.c deque/deque_pop_of_nothing
  "    kri_store_rlx64(&d->bottom, bottom + 1);
    return 0;" "    return 0;")
krait_mutant(deque_steal_load_acquire queue/deque.c deque/deque_thief_comes_down
  "kri_load_sc64(&d->bottom); /* [deque-1] [deque-2] */" "kri_load_acq64(&d->bottom);")
krait_mutant(deque_steal_load_relaxed queue/deque.c deque/deque_push_and_steal
  "kri_load_sc64(&d->bottom); /* [deque-1] [deque-2] */" "kri_load_rlx64(&d->bottom);")
krait_mutant(deque_steal_reads_bottom_first queue/deque.c
  deque/deque_two_thieves_come_down
  "    uint64_t top = kri_load_sc64(&d->top); /* [deque-2] */
    for (;;) {
        uint64_t bottom = kri_load_sc64(&d->bottom); /* [deque-1] [deque-2] */"
  "    for (;;) {
        uint64_t bottom = kri_load_sc64(&d->bottom);
        uint64_t top = kri_load_sc64(&d->top);")
krait_mutant(deque_steal_change_not_sc queue/deque.c deque/deque_thief_comes_down
  "kri_cas_sc64(&d->top" "kri_cas_acq_rel64(&d->top")
krait_mutant(deque_steal_without_swap queue/deque.c deque/deque_two_thieves_come_down
  "        if (kri_cas_sc64(&d->top, &top, top + 1)) /* [deque-2] [deque-4] */
            return item;"
  "        kri_store_sc64(&d->top, top + 1);
        return item;")
krait_mutant(deque_steal_reads_the_slot_after queue/deque.c deque/deque_full
  "            return item;" "            return kri_load_rlx64(&d->slots[slot_of(top)]);")
krait_mutant(deque_steal_gives_up queue/deque.c deque/deque_no_thief_goes_away_empty
  "            return item;" "            return item;
        return 0;")
krait_mutant(deque_empty_look_acquire queue/deque.c deque/deque_push_or_sleep
  "kri_load_sc64(&d->bottom)) <= 0; /* [deque-3] */" "kri_load_acq64(&d->bottom)) <= 0;")

# The pool's common queue.
krait_mutant(injection_push_release queue/injection.c injection/injection_push_or_sleep
  "kri_store_sc64(&q->length, kri_load_rlx64(&q->length) + 1); /* [injection-1] */"
  "kri_store_rel64(&q->length, kri_load_rlx64(&q->length) + 1);")
krait_mutant(injection_empty_look_acquire queue/injection.c injection/injection_push_or_sleep
  "kri_load_sc64(&q->length) == 0; /* [injection-1] */" "kri_load_acq64(&q->length) == 0;")
krait_mutant(injection_spare_given_relaxed queue/injection.c injection/injection_chunk_used_again
  "chunk = kri_swap_acq_rel_ptr(&q->spares[i], chunk); /* [injection-2] */"
  "chunk = (kri_injection_chunk *)KRI_CHANGE(&q->spares[i].bits, KRI_SWAP, x,
                                                  KRI_AS_BITS(chunk), __ATOMIC_ACQUIRE);")
krait_mutant(injection_spare_taken_relaxed queue/injection.c injection/injection_chunk_used_again
  "chunk = kri_swap_acq_rel_ptr(&q->spares[i], NULL); /* [injection-2] */"
  "chunk = (kri_injection_chunk *)KRI_CHANGE(&q->spares[i].bits, KRI_SWAP, x, 0,
                                                      __ATOMIC_RELEASE);")
krait_mutant(injection_spare_before_copy queue/injection.c injection/injection_chunk_used_again
  "    if (whole)
        copy_out(whole, items, count);
    give_spare(q, whole);"
  "    give_spare(q, whole);
    if (whole)
        copy_out(whole, items, count);")
krait_mutant(injection_takes_a_chunk_being_filled queue/injection.c
  injection/injection_push_and_take
  "        if (is_filled(first) && held <= most) {
            whole = unlink_first(q);"
  "        if (held <= most) {
            whole = is_filled(first) ? unlink_first(q) : NULL;")
krait_mutant(injection_copies_without_lock queue/injection.c injection/injection_two_takers
  "            copy_out(first, items, count);"
  "            unlock(q);
            copy_out(first, items, count);
            lock(q);")
krait_mutant(injection_unlinked_stays_last queue/injection.c injection/injection_chunk_used_again
  "    if (!q->first)
        q->last = NULL;" "")
krait_mutant(injection_closed_while_it_allocated queue/injection.c
  injection/injection_close_against_push
  "    int err = q->error;" "    int err = fresh ? 0 : q->error;")
krait_mutant(injection_closed_without_lock queue/injection.c injection/injection_close_against_push
  "    lock(q);
    q->error = error;
    unlock(q);" "    q->error = error;")
krait_mutant(injection_sweep_without_lock queue/injection.c injection/injection_sweep
  "    lock(q);
    if (q->first) {
        dropped = compact(q, is_stale, context, &left_over);
        shorten(q, dropped);
    }
    unlock(q);"
  "    if (q->first) {
        dropped = compact(q, is_stale, context, &left_over);
        shorten(q, dropped);
    }")
krait_mutant(injection_sweep_length_kept queue/injection.c injection/injection_sweep
  "        shorten(q, dropped);" "")
krait_mutant(injection_unused_chunk_lost queue/injection.c injection/injection_two_pushers
  "    os_free(fresh);" "    (void)fresh;")
# The lazy map.
krait_mutant(stream_closed_from_the_oldest executor/map_stream.c
  map_stream/stream_close_against_worker
  "    for (size_t i = map->length; i-- > 0;) {" "    for (size_t i = 0; i < map->length; i++) {")
krait_mutant(stream_busy_relaxed executor/map_stream.c map_stream/stream_two_readers
  "kri_cas_acq(&map->busy, &idle, 1)" "kri_cas_rlx(&map->busy, &idle, 1)")
krait_mutant(stream_refused_is_kept executor/map_stream.c map_stream/stream_under_refusals
  "    destroy(map);
    return NULL;" "    return NULL;")
# Loops.
krait_mutant(team_takes_without_compare executor/team.c parallel/loop_two_runners
  "    } while (!kri_cas_rlx64(&team->next, &next, *end)); /* [team-1] */"
  "    } while (kri_swap_rlx64(&team->next, *end) > *end);")
krait_mutant(team_leaves_who_has_begun executor/team.c parallel/loop_error_against_take
  "    (void)kri_future_await_here(helper, KRI_NEVER, KRI_UNCANCELLABLE);" "")
krait_mutant(team_waits_for_the_queued executor/team.c parallel/loop_in_the_only_worker
  "    if (team->leads)
        remove_queued(team);" "")
krait_mutant(team_error_does_not_cancel executor/team.c parallel/loop_error_ends_a_wait
  "        kr_cancel(&team->scope);" "        return;")
krait_mutant(team_cut_is_an_error executor/team.c parallel/loop_times_out
  "    if (!kr_cancelled() && kri_cas_rlx(" "    if (kri_cas_rlx(")
krait_mutant(team_helper_outside_the_scope executor/team.c parallel/loop_cancelled
  "    self->scope = &team->scope;" "")
krait_mutant(reduce_joins_as_they_began executor/parallel.c parallel/reduce_joins_in_order
  "    char *partial = block_at(sum, (first - sum->split_at) / team->grain);"
  "    char *partial = block_at(sum, kri_add_rlx64((kri_word64 *)&team->timeout, 1));")
krait_mutant(reduce_without_room_for_blocks executor/parallel.c parallel/loops_under_refusals
  "    if (!sum->partials)
        return false;
    sum->blocks = blocks;"
  "    sum->blocks = blocks;
    if (!sum->partials)
        return false;")
krait_mutant(map_adds_up_without_lock executor/map.c completed/map_pct
  "    kri_mutex_lock(&job->mutex);
    job->done += tally.done;" "    job->done += tally.done;")

# The watch over stuck workers.
krait_mutant(watch_not_rung executor/watchdog.c watchdog/watch_that_has_gone_to_sleep
  "    wake_service(watch->span);" "")
krait_mutant(watch_sleeps_over_a_ring executor/watchdog.c watchdog/watch_of_two_paces
  "    if (span != NO_LIMIT && !kri_cas_sc(&asleep_for, &seen, span)) /* [watch-1] */
        return;" "    (void)seen;
    kri_store_sc(&asleep_for, span);")
krait_mutant(watch_heeds_no_pace executor/watchdog.c watchdog/watch_of_two_paces
  "    while (span > unless_within)" "    while (span == NO_LIMIT)")
krait_mutant(watch_end_not_rung executor/watchdog.c watchdog/watch_as_pools_come_and_go
  "        wake_service(0);" "        (void)last;")
krait_mutant(watch_ends_while_wanted executor/watchdog.c watchdog/watch_as_pools_come_and_go
  "    int err = serving ? 0 : start_service();" "    int err = watches ? 0 : start_service();")
krait_mutant(watch_reports_twice executor/watchdog.c watchdog/watch_of_one_pool
  "    seen->reported = true;" "")

include(mutants_lock.cmake)
include(mutants_pool.cmake)
include(mutants_process_pool.cmake)
include(mutants_sync.cmake)
include(mutants_any.cmake)
include(mutants_semaphore.cmake)
include(mutants_shared.cmake)
include(mutants_queue.cmake)
include(mutants_loop.cmake)
include(mutants_gil.cmake)
include(mutants_manager.cmake)
include(mutants_manager_list.cmake)
include(mutants_trace.cmake)
include(mutants_status.cmake)
