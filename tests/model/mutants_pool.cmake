# Seeded bugs of the thread pool and of groups.
#
# SPDX-License-Identifier: MIT

# Futures: claims and ends.
krait_mutant(future_end_relaxed executor/future.c claim/end_shows_the_result
  "kri_cas_sc(&f->state, &state, next)); /* [future-1] [future-3] */"
  "kri_cas_rlx(&f->state, &state, next));")
krait_mutant(future_end_release executor/future.c claim/end_shows_the_result
  "kri_cas_sc(&f->state, &state, next)); /* [future-1] [future-3] */"
  "kri_cas_rel(&f->state, &state, next));")
krait_mutant(future_end_does_not_wake executor/future.c claim/end_shows_the_result
  "    else
        kri_wake(&f->state, KRI_ALL, 0);" "")
krait_mutant(future_await_relaxed executor/result.c claim/end_shows_the_result
  "uint32_t state = kri_load_acq(&f->state); /* [future-1] */"
  "uint32_t state = kri_load_rlx(&f->state);")
krait_mutant(future_end_keeps_its_reference executor/future.c claim/end_against_release
  "(state | end_phase(state, error)) - KRI_REFERENCE;" "state | end_phase(state, error);")
krait_mutant(future_end_ignores_slow executor/future.c claim/end_against_watch
  "        if (state & KRI_SLOW) {" "        if (state == 0) {")
krait_mutant(future_open_does_not_keep_the_end_off executor/future.c claim/end_against_callback
  "    return kri_or_acq_rel(&f->state, KRI_SLOW);" "    return kri_load_acq(&f->state);")
krait_mutant(future_close_forgets_who_watches executor/future.c claim/end_against_callback
  "    if (!f->watchers && !f->callbacks)
        kri_and_rel" "    kri_and_rel")
krait_mutant(future_asked_not_noted executor/future.c claim/end_of_one_asked_to_stop
  "    kri_or_rlx(&f->state, KRI_ASKED);" "")
krait_mutant(future_shell_not_passed executor/future.c claim/cancel_against_the_end_of_the_pool
  "    kri_mutex_lock(&f->mutex);
    kri_mutex_unlock(&f->mutex);" "")
krait_mutant(future_cancelled_keeps_the_reference executor/future.c claim/claim_of_three
  "    if (out)
        kr_future_release(f);" "    (void)out;")
krait_mutant(future_helped_without_reference executor/run.c claim/claim_of_two_helpers
  "        if (!f->executor->ops->claimed(f->executor, f, true)) /* [future-2] */
            kr_future_retain(f);"
  "        (void)f->executor->ops->claimed(f->executor, f, true);")
krait_mutant(future_helper_does_not_say_that_it_ran executor/run.c
  claim/claim_against_the_end_of_the_pool
  "    if (help.executor)
        help.executor->ops->ran(help.executor);" "")
krait_mutant(worker_runs_a_shell executor/worker.c claim/claim_of_three
  "    if (kri_future_claim(f, (uintptr_t)&scope))
        return run_claimed"
  "    (void)kri_future_claim(f, (uintptr_t)&scope);
    if (!kri_future_is_over(f))
        return run_claimed")
krait_mutant(worker_forgets_a_shell executor/worker.c claim/cancel_against_the_end_of_the_pool
  "    kri_future_pass(f);
    kri_sub_rlx64(&pool->shells, 1);
    kr_future_release(f);"
  "    kri_sub_rlx64(&pool->shells, 1);
    kr_future_release(f);")
krait_mutant(worker_helps_without_reference executor/worker.c claim/claim_by_waiting_worker
  "        kr_future_retain(f);
        kri_add_rlx64(&worker->pool->shells, 1);"
  "        kri_add_rlx64(&worker->pool->shells, 1);")
krait_mutant(claimed_taken_out_unseen executor/pool.c claim/cancel_against_the_end_of_the_pool
  "    kri_mutex_lock(&pool->budget->mutex);
    bool out = kri_injection_remove(&pool->lanes[f->lane], kri_item_of(f));"
  "    bool out = kri_injection_remove(&pool->lanes[f->lane], kri_item_of(f));
    kri_mutex_lock(&pool->budget->mutex);")
krait_mutant(claimed_rouses_nobody executor/pool.c claim/cancel_against_the_end_of_the_pool
  "    if (!run)
        kri_pool_rouse(pool);" "")

# Who sleeps, and who is called.
krait_mutant(pool_failed_start_keeps_search executor/idle.c
  executor/pool_start_refused_while_others_submit
  "        kri_store_sc(&pool->searching, 0); /* [pool-1] */
    }
    kri_pool_hold_drop(pool);"
  "    }
    kri_pool_hold_drop(pool);")
krait_mutant(pool_idle_is_not_called executor/pool.c executor/pool_two_submitters
  "    push->call = kri_pool_could_call(push->pool);" "    push->call = false;")
krait_mutant(pool_thief_is_not_called executor/pool.c pool_idle/idle_thief_is_called
  "        kri_pool_notify(pool);
        return 0;" "        return 0;")
krait_mutant(pool_starts_one_for_nothing executor/idle.c pool_idle/idle_one_is_enough
  "!(worker || *grow) || !claim_search_for_work(pool)) {"
  "!(worker || *grow) || !claim_search(pool)) {")
krait_mutant(pool_looks_for_work_before_the_claim executor/idle.c pool_idle/idle_one_is_enough
  "!(worker || *grow) || !claim_search_for_work(pool)) {"
  "!(worker || *grow) || !kri_pool_has_work(pool) ||
        !claim_search(pool)) {")
krait_mutant(pool_claim_kept_from_a_worker executor/worker.c pool_idle/idle_one_is_enough
  "        kri_worker_begin_search_surely(worker);"
  "        (void)kri_worker_begin_search(worker);")
krait_mutant(pool_worker_call_dropped executor/idle.c pool_idle/idle_called_again
  "    kri_wake(&worker->called, 1, 0);" "")
krait_mutant(pool_worker_called_relaxed executor/idle.c pool_idle/idle_called_again_stale
  "kri_store_sc(&worker->called, how); /* [pool-2] */" "kri_store_rlx(&worker->called, how);")
krait_mutant(pool_sleeps_without_second_look executor/idle.c pool_idle/idle_called_again
  "    if (!must_sleep && kri_pool_has_work(pool) && get_up(worker)) /* [pool-1] */"
  "    if (false)")
krait_mutant(pool_sleeps_as_if_one_too_many executor/idle.c pool_idle/idle_called_again
  "    *must_sleep = kri_roster_runs_too_many(pool);" "    *must_sleep = true;")
krait_mutant(pool_look_calls_nobody executor/idle.c pool_idle/idle_two_are_called
  "        worker->searches = claim_search(worker->pool);
    }" "    }")
krait_mutant(pool_searching_acquire executor/idle.c pool_idle/idle_searcher_called_again
  "    uint32_t searching = kri_load_sc(&pool->searching); /* [pool-1] [nap-1] */"
  "    uint32_t searching = kri_load_acq(&pool->searching);")
krait_mutant(pool_search_over_release executor/idle.c pool_idle/idle_searcher_called_again
  "        kri_store_sc(&pool->searching, 0); /* [pool-1] */
    worker->searches = false;"
  "        kri_store_rel(&pool->searching, 0);
    worker->searches = false;")
krait_mutant(pool_search_over_before_callable executor/idle.c pool_idle/idle_called_again
  "    if (leave) {
        kri_pool_leave(worker);"
  "    kri_store_sc(&pool->searching, 0);
    kri_mutex_unlock(&pool->budget->mutex);
    bool work = kri_pool_has_work(pool);
    kri_mutex_lock(&pool->budget->mutex);
    *must_sleep = !work;
    if (leave) {
        kri_pool_leave(worker);")
krait_mutant(pool_search_stopped_release executor/idle.c pool_idle/idle_second_is_called_stale
  "    kri_store_sc(&pool->searching, KRI_NOBODY_SEARCHES); /* [pool-1] */
    return" "    kri_store_rel(&pool->searching, KRI_NOBODY_SEARCHES);
    return")
krait_mutant(pool_search_stopped_looks_no_more executor/idle.c pool_idle/idle_second_is_called
  "    return kri_pool_has_work(pool);
}

/* With the mutex held: claim" "    return false;
}

/* With the mutex held: claim")
krait_mutant(pool_search_goes_on executor/worker.c pool_idle/idle_second_is_called
  "    if (worker->searches)
        kri_worker_stop_search(worker);
    note_begin" "    note_begin")
krait_mutant(pool_counts_are_not_published executor/roster.c pool_idle/wait_brings_a_spare
  "    publish(pool->budget);" "    if (waiting == 0)
        publish(pool->budget);")
krait_mutant(pool_own_queues_not_looked_at executor/idle.c pool_idle/idle_pct
  "        if (!kri_deque_is_empty(&worker->deque)) /* [pool-1] */" "        if (!worker)")
krait_mutant(pool_wait_calls_nobody executor/idle.c pool_idle/wait_brings_a_spare
  "    if (kri_pool_has_work(worker->pool))
        kri_pool_notify(worker->pool);
    call_neighbours(worker->pool);" "    call_neighbours(worker->pool);")
krait_mutant(pool_retires_who_is_called executor/idle.c pool_idle/wait_against_retirement
  "    bool gone = worker->idle && is_spare(worker->pool);
    if (gone) {
        kri_roster_raise(worker);"
  "    bool gone = is_spare(worker->pool);
    if (gone) {
        if (worker->idle)
            kri_roster_raise(worker);")
krait_mutant(pool_last_one_wakes_nobody executor/idle.c pool_idle/idle_two_are_called
  "    kri_workers_wake(others);" "    (void)others;")
krait_mutant(budget_leaver_calls_nobody executor/idle.c pool_idle/budget_left
  "    call_neighbours(pool);
    if (!stays)
        return false;" "    if (!stays)
        return false;
    call_neighbours(pool);")
krait_mutant(budget_sleeper_calls_nobody executor/idle.c pool_idle/budget_parked
  "    call_neighbours(pool);
    if (!stays)" "    if (!stays)")
krait_mutant(room_departure_wakes_nobody executor/pool.c pool_idle/room_by_departure
  "    kri_mutex_unlock(&pool->budget->mutex);
    kri_wake(&pool->room, 1, 0);" "    kri_mutex_unlock(&pool->budget->mutex);")
krait_mutant(room_of_claimed_wakes_nobody executor/pool.c pool_idle/room_by_cancel
  "    if (bounded)
        kri_wake(&pool->room, 1, 0);" "")
krait_mutant(room_of_claimed_not_given executor/pool.c pool_idle/room_by_help
  "    if (bounded) {
        pool->queued--;" "    if (bounded && !run) {
        pool->queued--;")
krait_mutant(room_seen_late executor/pool.c pool_idle/room_by_departure
  "        uint32_t seen = kri_load_rlx(&pool->room);
        kri_mutex_unlock(&pool->budget->mutex);"
  "        kri_mutex_unlock(&pool->budget->mutex);
        uint32_t seen = kri_load_rlx(&pool->room);")
krait_mutant(room_shut_wakes_nobody executor/shutdown.c pool_idle/room_against_shutdown
  "    kri_wake(&pool->room, KRI_ALL, 0);" "")
krait_mutant(lanes_high_comes_late executor/worker.c pool_idle/lanes_in_order
  "    if (!item)
        item = take_one(worker, KR_PRIORITY_HIGH);
    if (!item)
        item = kri_deque_pop(&worker->deque);"
  "    if (!item)
        item = kri_deque_pop(&worker->deque);")

# The end of a pool.
krait_mutant(end_last_ignores_work executor/idle.c pool_end/end_against_first_submit
  "pool->waiting == 0 &&
           !kri_pool_has_work(pool);" "pool->waiting == 0;")
krait_mutant(end_starts_a_late_worker executor/idle.c pool_end/end_against_next_submit
  "!(worker || *grow) || !claim_search_for_work(pool)) {"
  "!(worker || *grow) || !claim_search(pool)) {")
krait_mutant(end_starts_a_late_first_worker executor/idle.c pool_end/end_against_first_submit
  "    bool late = pool->shut; /* and perhaps ended already */" "    bool late = false;")
krait_mutant(end_first_worker_opens_again executor/pool.c pool_end/end_against_first_submit
  "!err && !pool->shut && !pool->broken" "!err && !pool->broken")
krait_mutant(end_rouses_nobody_after_refusal executor/idle.c pool_end/end_against_refused_start
  "    pool->holds--;
    kri_pool_rouse(pool);" "    pool->holds--;")
krait_mutant(end_does_not_wake executor/shutdown.c pool_end/end_by_two
  "    kri_wake(&pool->ended, KRI_ALL, 0);" "")
krait_mutant(end_wakes_one executor/shutdown.c pool_end/end_by_two
  "    kri_wake(&pool->ended, KRI_ALL, 0);" "    kri_wake(&pool->ended, 1, 0);")
krait_mutant(end_ignores_holds executor/shutdown.c claim/claim_against_the_end_of_the_pool
  "pool->alive || pool->holds ||" "pool->alive ||")
krait_mutant(end_ended_relaxed executor/shutdown.c claim/claim_against_the_end_at_random
  "    kri_store_sc(&pool->ended, 1);" "    kri_store_rlx(&pool->ended, 1);")
krait_mutant(end_idle_not_woken executor/shutdown.c pool_end/end_by_two
  "    kri_workers_wake(idle);" "    (void)idle;")
krait_mutant(end_cancels_without_hold executor/shutdown.c claim/claim_against_cancelling_shutdown
  "    pool->holds += cancel_pending; /* what is taken out of a queue may be claimed already */
    kri_pool_check_ended(pool);
    kri_mutex_unlock(&pool->budget->mutex);
    kri_workers_wake(idle);
    if (!cancel_pending)
        return;
    finish_queued(pool, -ECANCELED);
    kri_pool_let_go(pool);"
  "    kri_pool_check_ended(pool);
    kri_mutex_unlock(&pool->budget->mutex);
    kri_workers_wake(idle);
    if (cancel_pending)
        finish_queued(pool, -ECANCELED);")
krait_mutant(end_finishes_a_shell_unpassed executor/shutdown.c
  claim/claim_against_cancelling_shutdown
  "        kri_future_pass(f);" "")
krait_mutant(end_last_reference_relaxed executor/shutdown.c executor/pool_is_left_to_its_worker
  "kri_sub_acq_rel(&pool->references, 1)" "kri_sub_rlx(&pool->references, 1)")
krait_mutant(end_broken_stays_open executor/shutdown.c pool_end/end_of_broken_pool
  "    pool->broken = true;
    close_queues(pool, KR_EBROKEN);" "    pool->broken = true;")
krait_mutant(end_broken_runs_all_the_same executor/shutdown.c pool_end/end_of_broken_pool
  "    kri_store_rel(&pool->verdict, (uint32_t)-error);
    collect_lanes" "    collect_lanes")

# Groups.
krait_mutant(group_count_relaxed executor/group.c group/group_stolen
  "kri_add_sc(&group->ended_elsewhere, 1)" "kri_add_rlx(&group->ended_elsewhere, 1)")
krait_mutant(group_count_seen_relaxed executor/group.c group/group_stolen_at_random
  "uint32_t missing = kri_load_acq(&group->ended_elsewhere); /* [group-1] */"
  "uint32_t missing = kri_load_rlx(&group->ended_elsewhere);")
krait_mutant(group_missing_release executor/group.c group/group_stolen
  "kri_sub_acq_rel(&group->ended_elsewhere, missing)"
  "kri_sub_rel(&group->ended_elsewhere, missing)")
krait_mutant(group_last_does_not_wake executor/group.c group/group_stolen
  "        kri_wake(&group->ended_elsewhere, 1, 0);" "        (void)group;")
krait_mutant(group_touched_after_count executor/group.c group/group_stolen
  "    if (kri_add_sc(&group->ended_elsewhere, 1) == UINT32_MAX) /* [group-1] */"
  "    if (kri_add_sc(&group->ended_elsewhere, 1) == UINT32_MAX && !is_forked(group))")
krait_mutant(group_counts_before_its_end executor/group.c group/group_stolen
  "    self->scope = &group->scope;
    run_traced(task);
    self->scope = before;
    if (is_forked(group))"
  "    self->scope = &group->scope;
    kri_add_sc(&group->ended_elsewhere, 1);
    run_traced(task);
    kri_sub_sc(&group->ended_elsewhere, 1);
    self->scope = before;
    if (is_forked(group))")
krait_mutant(group_stranger_lost executor/group.c group/group_beside_a_stranger_shut
  "    if (strangers.futures || strangers.tasks)
        put_back(worker, &strangers);" "    (void)put_back;")
krait_mutant(group_failure_cancels_nobody executor/group.c group/group_failure_cancels
  "    kr_cancel(&group->scope);
    kri_group_members_cancel(group);
}

static void run(" "}

static void run(")
krait_mutant(group_stolen_outside_its_scope executor/group.c group/group_failure_cancels
  "    self->scope = &group->scope;
    run_traced(task);" "    run_traced(task);")
krait_mutant(group_queued_not_awaited executor/group.c group/group_from_outside
  "        (void)kri_future_await_here(task->future, KRI_NEVER, KRI_UNCANCELLABLE);" "")

# Naps.
krait_mutant(nap_release executor/nap.c pool_idle/idle_nap_ends_with_the_submitters_sleep
  "kri_store_sc(&pool->searching, KRI_NAPPING); /* [nap-1] */"
  "kri_store_rel(&pool->searching, KRI_NAPPING);")
krait_mutant(nap_is_not_relied_on executor/idle.c pool_idle/idle_nap_ends_with_the_submitters_sleep
  "        kri_pool_rely(pool);" "        (void)0;")
krait_mutant(nap_goes_on executor/nap.c pool_idle/idle_nap_ends_with_the_submitters_sleep
  "    kri_nap_rely();" "")
