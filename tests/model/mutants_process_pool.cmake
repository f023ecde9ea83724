# Seeded bugs of the process pool's protocol; see mutants.cmake.
#
# SPDX-License-Identifier: MIT

krait_mutant(slots_claimed_without_ticket process_pool/slots.c process_pool/process_pool_withdraw
  "    if (kri_load_rlx64(&slot->state) != ready)
        return false;"
  "    ready = kri_load_rlx64(&slot->state);
    if (kri_slot_phase(ready) == KRI_SLOT_IDLE)
        return false;")
krait_mutant(ready_tail_stored_release process_pool/ready_ring.c
  process_pool/process_pool_hands_over
  "kri_store_sc64(&ring->tail, tail + 1);" "kri_store_rel64(&ring->tail, tail + 1);")
krait_mutant(calls_no_look_before_sleep process_pool/calls.c process_pool/process_pool_hands_over
  "    if (!kri_ready_some(work) && !kri_load_sc(&work->area->closing) &&"
  "    if (!kri_load_sc(&work->area->closing) &&")
krait_mutant(calls_searcher_keeps_it_to_itself process_pool/calls.c
  process_pool/process_pool_a_searcher_calls_another
  "    if (stop_search(work, worker) && kri_ready_some(work))" "    if (stop_search(work, worker) && false)")
krait_mutant(calls_searching_while_idle process_pool/calls.c process_pool/process_pool_hands_over
  "    stop_search(work, worker);
    if (" "    if (")
krait_mutant(completion_bells_of_the_dead_are_believed process_pool/completion.c
  process_pool/process_pool_worker_dies
  "        (void)kri_swap_sc(&bell->word, KRI_CALLED);
        kri_wake(&bell->word, 1, KRI_SHARED);"
  "        if (kri_swap_sc(&bell->word, KRI_CALLED) == KRI_ASLEEP)
            kri_wake(&bell->word, 1, KRI_SHARED);")
krait_mutant(completion_patience_without_end process_pool/calls.c
  process_pool/process_pool_patience_ends
  "        if (asleep)
            kri_completion_tell(work, worker, kept);"
  "")
krait_mutant(completion_rings_before_it_counts process_pool/completion.c
  process_pool/process_pool_hands_over
  "    kri_store_sc64(&record->completed, count + 1);" "    kri_store_rel64(&record->completed, count + 1);")
krait_mutant(doze_ended_without_a_wake process_pool/doze.c
  process_pool/process_pool_relied_collector
  "    kri_wake(&doze->dozes, 1, 0);
" "")
krait_mutant(doze_in_spite_of_who_relies process_pool/doze.c
  process_pool/process_pool_relied_collector
  "    if (doze->relied)
        return false;
" "")
krait_mutant(slots_killed_after_a_look process_pool/slots.c process_pool/process_pool_condemned
  "    return kri_cas_rlx(&slot->progress, &item, item | KRI_SLOT_CONDEMNED);"
  "    return kri_load_rlx(&slot->progress) == item;")
krait_mutant(slots_condemned_reports_all_the_same process_pool/slots.c
  process_pool/process_pool_condemned
  "    return !(item & KRI_SLOT_CONDEMNED) &&
           kri_cas_rel(&slot->progress, &item, item + 1); /* [slots-3] */"
  "    kri_store_rel(&slot->progress, item + 1);
    return true;")
krait_mutant(slots_condemned_whatever_item process_pool/slots.c
  process_pool/process_pool_condemned_for_an_item
  "    return kri_cas_rlx(&slot->progress, &item, item | KRI_SLOT_CONDEMNED);"
  "    (void)item;
    return !(kri_or_rlx(&slot->progress, KRI_SLOT_CONDEMNED) & KRI_SLOT_CONDEMNED);")
krait_mutant(slots_passed_relaxed process_pool/slots.c
  process_pool/process_pool_condemned_for_an_item
  "           kri_cas_rel(&slot->progress, &item, item + 1); /* [slots-3] */"
  "           kri_cas_rlx(&slot->progress, &item, item + 1);")
krait_mutant(loop_goes_on_though_condemned process_pool/loop.c process_pool/process_pool_condemned
  "            if (!complete(work, worker, (uint32_t)slot, &kept))
                return false;
"
  "            (void)complete(work, worker, (uint32_t)slot, &kept);
")
krait_mutant(calls_dismissed_asleep process_pool/calls.c process_pool/process_pool_dismissed
  "    if (!kri_ready_some(work) && !kri_load_sc(&work->area->closing) &&
        !kri_worker_is_dismissed(work, worker))"
  "    if (!kri_ready_some(work) && !kri_load_sc(&work->area->closing))")
krait_mutant(slots_passed_and_not_told_crashes process_pool/slots.c
  process_pool/process_pool_worker_dies
  "    return kri_slot_phase(state) == KRI_SLOT_DONE ||
           (kri_slot_phase(state) == KRI_SLOT_RUNNING &&
            all_have_passed(slot, kri_load_rlx(&slot->progress)));"
  "    (void)slot;
    return kri_slot_phase(state) == KRI_SLOT_DONE;")

# Who hears of it.
krait_mutant(collector_who_takes_calls process_pool/end.c
  process_collector/collector_callback_wants_what_the_leader_has
  "    if (!announces)
        kri_teller_give(&pool->teller, &due);
" "")
krait_mutant(collector_collector_calls process_pool/collector.c
  process_collector/collector_callback_wants_what_a_follower_has
  "    kri_jobs_conclude(pool, &list, false);"
  "    kri_jobs_conclude(pool, &list, who == KRI_COLLECTOR);")
krait_mutant(collector_calls_before_it_tells_the_leader process_pool/end.c
  process_collector/collector_all_are_cancelled
  "    if (announces) /* the leader's may be among them, and what is called may wait for him */
        kri_work_bell_ring(&pool->work, KRI_BELL_LEADER);
    kri_due_announce(&due);"
  "    kri_due_announce(&due);
    if (announces)
        kri_work_bell_ring(&pool->work, KRI_BELL_LEADER);")
krait_mutant(teller_is_not_woken executor/teller.c
  process_collector/collector_callback_wants_what_the_leader_has
  "    kri_wake(&teller->bell, 1, 0);
" "")
krait_mutant(teller_sleeps_on_what_it_reads_last executor/teller.c
  process_collector/collector_callback_wants_what_the_leader_has
  "        uint32_t seen = kri_load_acq(&teller->bell);
        tell(teller);"
  "        tell(teller);
        uint32_t seen = kri_load_acq(&teller->bell);")
krait_mutant(collector_leader_leaves_without_a_look process_pool/collector.c
  process_collector/collector_two_who_wait_at_random
  "    (void)kri_collect(pool, KRI_LEADER); /* [completion-3] */
" "")
krait_mutant(collector_leader_keeps_his_bell process_pool/collector.c
  process_collector/collector_two_who_wait_at_random
  "    kri_work_bell_end(&pool->work, KRI_BELL_LEADER);
    (void)kri_collect(pool, KRI_LEADER); /* [completion-3] */"
  "    (void)kri_collect(pool, KRI_LEADER);")
krait_mutant(collector_passer_by_keeps_it_to_himself process_pool/collector.c
  process_collector/collector_passer_by
  "    if (some && who != KRI_LEADER)
        kri_work_bell_ring(&pool->work, KRI_BELL_LEADER);
" "")
krait_mutant(collector_withdrawn_in_silence process_pool/job.c
  process_collector/collector_cancelled_under_the_leader
  "    kri_work_bell_ring(&kri_job_of(f)->pool->work, KRI_BELL_LEADER);" "    (void)f;")
krait_mutant(collector_does_not_look_after_its_bell process_pool/collector.c
  process_collector/collector_two_who_wait_at_random
  "        kri_work_bell_begin(&pool->work, KRI_BELL_COLLECTOR);
        bool some = kri_collect(pool, KRI_COLLECTOR);"
  "        bool some = kri_collect(pool, KRI_COLLECTOR);
        kri_work_bell_begin(&pool->work, KRI_BELL_COLLECTOR);")
