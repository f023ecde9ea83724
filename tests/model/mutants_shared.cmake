# Seeded bugs of the queues in shared memory.
#
# SPDX-License-Identifier: MIT

# The ring.
krait_mutant(ring_put_relaxed queue/shared_ring.c shared_queue/shared_fifo_hands_over
  "kri_store_rel64(&side->at, at_of(unit, item)); /* [ring-1] */"
  "kri_store_rlx64(&side->at, at_of(unit, item));")
krait_mutant(ring_get_relaxed queue/shared_ring.c shared_queue/shared_fifo_hands_over
  "kri_store_rel64(&side->at, at_of(unit, item)); /* [ring-2] */"
  "kri_store_rlx64(&side->at, at_of(unit, item));")
krait_mutant(ring_put_looks_relaxed queue/shared_ring.c shared_queue/shared_fifo_hands_over
  "kri_side_look(&q->state->get); /* [ring-2] [bell-1] */"
  "kri_load_rlx64(&q->state->get.at);")
krait_mutant(ring_get_looks_relaxed queue/shared_ring.c shared_queue/shared_fifo_hands_over
  "kri_side_look(&q->state->put); /* [ring-1] [bell-1] */"
  "kri_load_rlx64(&q->state->put.at);")
krait_mutant(ring_put_looks_past_the_lock queue/shared_ring.c shared_queue/shared_fifo_hands_over
  "kri_side_look(&q->state->get); /* [ring-2] [bell-1] */"
  "kri_load_sc64(&q->state->get.at);")
krait_mutant(ring_get_looks_past_the_lock queue/shared_ring.c shared_queue/shared_fifo_hands_over
  "kri_side_look(&q->state->put); /* [ring-1] [bell-1] */"
  "kri_load_sc64(&q->state->put.at);")
krait_mutant(ring_commits_before_the_copy queue/shared_ring.c
  shared_queue/shared_fifo_long_item_dies
  "        copy_in(q, advance(q, unit, 1), put->items + i * put->length, put->length);"
  "        kri_store_sc64(&side->at, at_of(advance(q, unit, need), item + 1));
        copy_in(q, advance(q, unit, 1), put->items + i * put->length, put->length);")
krait_mutant(ring_commits_each_of_many queue/shared_ring.c
  shared_queue/shared_fifo_writer_of_many_dies
  "        unit = advance(q, unit, need);
    }"
  "        unit = advance(q, unit, need);
        kri_store_sc64(&side->at, at_of(unit, item + 1));
    }")

# The heap.
krait_mutant(heap_not_repaired queue/shared_try.c shared_queue/shared_heap_writer_dies
  "q->priority ? kri_heap_repair(q) : 0" "0")
krait_mutant(heap_repair_forgets_the_uncounted queue/shared_heap.c
  shared_queue/shared_heap_writer_dies
  "            counted = puts + 1;" "            (void)puts;")
krait_mutant(heap_says_full_too_early queue/shared_heap.c shared_queue/shared_heap_writer_dies
  "    if (slot == NULL || is_full(slot) || !fill(q, slot, item, put->length))
        return KR_ECORRUPT;"
  "    kri_store_rel(&slot->state, KRI_SLOT_FULL);
    if (!fill(q, slot, item, put->length))
        return KR_ECORRUPT;")
krait_mutant(heap_says_free_too_late queue/shared_heap.c shared_queue/shared_heap_reader_dies
  "    kri_store_rel(&slot->state, KRI_SLOT_FREE);
    kri_store_sc64(&q->state->get.at, kri_load_rlx64(&q->state->get.at) + 1); /* [bell-1] */"
  "    kri_store_sc64(&q->state->get.at, kri_load_rlx64(&q->state->get.at) + 1);
    get->priority = 0;
    q->links[0] = q->links[0];
    kri_store_rel(&slot->state, KRI_SLOT_FULL);")

# Locks.
krait_mutant(shared_lock_not_recovered queue/shared_try.c shared_queue/shared_fifo_writer_dies
  "        (void)kr_lock_recover(&side->lock);" "        (void)side;")
krait_mutant(shared_shutdown_seen_after_the_items queue/shared_try.c
  shared_queue/shared_shutdown_between_put_and_get
  "    uint32_t closed = kri_load_acq(&q->state->bells.closed); /* [shared-1] */
    if (closed == KRI_CLOSED_AND_EMPTY)
        return KR_ESHUTDOWN;
    int taken = q->priority ? kri_heap_get(q, get) : kri_ring_get(q, get);"
  "    int taken = q->priority ? kri_heap_get(q, get) : kri_ring_get(q, get);
    uint32_t closed = kri_load_acq(&q->state->bells.closed);")
krait_mutant(shared_put_does_not_see_the_shutdown queue/shared_try.c
  shared_queue/shared_closer_dies
  "if (kri_load_rlx(&q->state->bells.closed) != KRI_OPEN)"
  "if (kri_load_rlx(&q->state->bells.closed) == KRI_CLOSED)")

# Bells.
krait_mutant(bell_armed_relaxed queue/shared_bell.c shared_queue/shared_fifo_hands_over
  "        if (kri_cas_sc(bell, &seen, seen | ARMED)) /* [bell-1] */"
  "        if (kri_cas_rlx(bell, &seen, seen | ARMED))")
krait_mutant(bell_does_not_count queue/shared_bell.c shared_queue/shared_two_join
  "(seen + ONE_RING) & ~(uint32_t)ARMED" "seen & ~(uint32_t)ARMED")
krait_mutant(bell_rings_without_a_wake queue/shared_bell.c shared_queue/shared_fifo_hands_over
  "            kri_wake(bell, count, KRI_SHARED);" "            (void)count;")
krait_mutant(bell_calls_only_where_armed queue/shared_bell.c
  shared_queue/shared_shutdown_wakes_all
  "    kri_add_sc(bell, ONE_RING);
    kri_wake(bell, KRI_ALL, KRI_SHARED);"
  "    kri_bell_ring(bell, 1);")
krait_mutant(shared_sleeps_without_a_second_look queue/shared_wait.c
  shared_queue/shared_fifo_hands_over
  "        int result = want->try(q, want->call, deadline);
        if (result != -EAGAIN)
            return result;
        kr_time until"
  "        kr_time until")
krait_mutant(shared_get_calls_nobody_else queue/shared_wait.c
  shared_queue/shared_fifo_passes_the_wake_on
  "        pass_on(q, &bells->items, has_items);" "        (void)has_items;")
krait_mutant(shared_put_calls_nobody_else queue/shared_wait.c
  shared_queue/shared_fifo_passes_the_room_on
  "        pass_on(q, &bells->space, q->item_size != 0 ? kri_shared_has_room : NULL);" "")
krait_mutant(shared_get_calls_one_of_two_lengths queue/shared_wait.c
  shared_queue/shared_fifo_room_of_two_lengths "q->item_size != 0 ? 1 : KRI_ALL" "1")
krait_mutant(shared_get_refused_calls_nobody queue/shared_wait.c
  shared_queue/shared_fifo_too_long_for_one
  "    if (result < 0)
        pass_on(q, want->bell, want->more);" "")
krait_mutant(shared_put_refused_calls_nobody queue/shared_wait.c
  shared_queue/shared_heap_room_that_comes_late
  "    if (result < 0)
        pass_on(q, want->bell, want->more);" "")
krait_mutant(shared_sleeper_trusts_for_ever queue/shared_wait.c shared_queue/shared_waiter_dies
  "    if (q->slice == KRI_NEVER)" "    if (q->slice != 0)")
krait_mutant(shared_last_task_done_wakes_nobody queue/shared_try.c shared_queue/shared_join_waits
  "        kri_bell_ring(&q->state->bells.settled, KRI_ALL);" "        (void)q;")

# Debts.
krait_mutant(owing_not_resolved queue/shared_try.c shared_queue/shared_fifo_debtor_dies
  "        kri_owing_resolve(q);" "        (void)q;")
krait_mutant(owing_get_not_announced queue/shared_owing.c shared_queue/shared_fifo_debtor_dies
  "store_owed(entry, GETTING | number_of(&q->state->get.at), count_of(entry));"
  "store_owed(entry, 0, count_of(entry));")
krait_mutant(owing_settling_not_announced queue/shared_owing.c shared_queue/shared_settler_dies
  "    store_owed(entry, SETTLING | number_of(done), owed);" "")
krait_mutant(owing_never_settled queue/shared_wait.c shared_queue/shared_fifo_debtor_dies
  "    kri_owing_settle(q);" "    (void)q;")
