# Seeded bugs of the queues.
#
# SPDX-License-Identifier: MIT

# The gate.
krait_mutant(gate_call_not_passed_on queue/gate.c queue/queue_two_getters
  "    if (kri_sub_sc(&gate->waiting, 1) > 1 && look(queue))
        kri_gate_call_slow(gate, flags);"
  "    (void)look;
    (void)queue;
    (void)flags;
    kri_sub_sc(&gate->waiting, 1);")
krait_mutant(gate_looks_before_it_answers queue/gate.c queue/queue_faster_getter
  "    while (!look(queue)) {
        int err = kri_wait_for(&gate->called, 0, deadline, flags, describe);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        kri_gate_answer(gate);
    }"
  "    for (bool some = look(queue); !some;) {
        int err = kri_wait_for(&gate->called, 0, deadline, flags, describe);
        if (err == -ETIMEDOUT || err == -ECANCELED)
            return err;
        some = look(queue);
        kri_gate_answer(gate);
    }")
krait_mutant(gate_answered_relaxed queue/gate.c queue/queue_two_getters
  "kri_swap_sc(&gate->called, 0)" "kri_store_rlx(&gate->called, 0)")
krait_mutant(gate_called_without_wake queue/gate.c queue/queue_hands_over
  "        kri_wake(&gate->called, 1, flags);" "        (void)flags;")
krait_mutant(gate_entered_relaxed queue/gate.c queue/queue_hands_over
  "kri_add_sc(&gate->waiting, 1)" "kri_add_rlx(&gate->waiting, 1)")
krait_mutant(gate_leaver_passes_nothing_on queue/private.c queue/queue_shutdown_of_two_getters
  "    kri_gate_leave(&p->items, p->ops->has_items, p, flags);
    return done;"
  "    kri_sub_sc(&p->items.waiting, 1);
    return done;")
krait_mutant(gate_putter_passes_nothing_on queue/private.c queue/heap_two_putters
  "    kri_gate_leave(&p->room, p->ops->has_room, p, flags);"
  "    kri_sub_sc(&p->room.waiting, 1);")
krait_mutant(gate_watcher_passes_nothing_on queue/private.c queue/queue_watcher_passes_on
  "    kri_gate_leave(gate_of(p, side), look_of(p, side), p, p->queue.wait_flags);"
  "    kri_sub_sc(&gate_of(p, side)->waiting, 1);")

# The latch.
krait_mutant(latch_waits_as_held queue/private.c queue/queue_two_putters_two_getters
  "    while (kri_swap_acq(latch, KRI_LATCH_CONTENDED) != KRI_LATCH_FREE) /* [latch-1] */
        kri_wait_for(latch, KRI_LATCH_CONTENDED, KRI_NEVER, KRI_UNCANCELLABLE, describe_latch);"
  "    for (;;) {
        kri_swap_acq(latch, KRI_LATCH_CONTENDED);
        kri_wait_for(latch, KRI_LATCH_CONTENDED, KRI_NEVER, KRI_UNCANCELLABLE, describe_latch);
        uint32_t seen = KRI_LATCH_FREE;
        if (kri_cas_acq(latch, &seen, KRI_LATCH_HELD))
            return;
    }")

# What is owed.
krait_mutant(join_not_told queue/private.c queue/queue_join
  "    kri_wake(&p->all_done, KRI_ALL, 0);" "")
krait_mutant(join_counted_relaxed queue/private.c queue/queue_join
  "kri_add_sc(&p->joining, 1); /* [join-1] */" "kri_add_rlx(&p->joining, 1);")
krait_mutant(join_sees_too_little queue/private.c queue/queue_join
  "    } while (!kri_cas_sc64(&p->done, &done, done + 1)); /* [join-1] [join-2] */"
  "    } while (!kri_cas_rlx64(&p->done, &done, done + 1));")
krait_mutant(immediate_settles_nothing queue/private.c
  queue/queue_immediate_shutdown_lets_join_go
  "    kri_add_sc64(&p->done, count); /* [join-1] */" "")
krait_mutant(immediate_tells_nobody queue/private.c
  queue/queue_immediate_shutdown_lets_join_go
  "    kri_add_sc64(&p->done, count); /* [join-1] */
    tell_joins(p);" "    kri_add_sc64(&p->done, count);")

# First in, first out.
krait_mutant(fifo_item_published_relaxed queue/fifo.c queue/queue_hands_over
  "kri_store_rel64(&f->tail.position, position + done); /* [fifo-1] */"
  "kri_store_rlx64(&f->tail.position, position + done);")
krait_mutant(fifo_head_reads_relaxed queue/fifo.c queue/queue_in_order
  "f->head.seen = kri_load_acq64(&f->tail.position); /* [fifo-1] */"
  "f->head.seen = kri_load_rlx64(&f->tail.position);")
krait_mutant(fifo_looks_past_the_latch queue/fifo.c queue/queue_hands_over
  "    kri_latch_look(&f->tail.latch); /* [latch-2] */
    uint64_t put" "    uint64_t put")
krait_mutant(fifo_spares_relaxed queue/fifo.c queue/queue_in_order
  "f->kept = kri_swap_acq_rel_ptr(&f->spares, NULL); /* [fifo-3] */"
  "{
            f->kept = kri_load_rlx_ptr(&f->spares);
            kri_store_rlx_ptr(&f->spares, NULL);
        }")
krait_mutant(fifo_full_forgets_to_look queue/fifo.c queue/queue_of_one_in_order
  "        f->tail.seen = kri_load_acq64(&f->head.position); /* [fifo-2] */" "        (void)0;")
krait_mutant(fifo_closed_without_last_look queue/fifo.c queue/queue_shutdown_keeps_the_last
  "        held = held_at(f, position, true);
        result = KR_ESHUTDOWN;" "        result = KR_ESHUTDOWN;")
krait_mutant(fifo_shutdown_calls_nobody queue/fifo.c queue/queue_shutdown_of_two_getters
  "    kri_private_settle(&f->private, dropped);
    kri_private_call_all(&f->private);" "    kri_private_settle(&f->private, dropped);")
krait_mutant(fifo_put_ignores_shutdown queue/fifo.c queue/queue_shutdown_against_put
  "    if (kri_load_rlx64(&p->closed) == 0) {" "    {")
krait_mutant(fifo_refused_counts queue/fifo.c queue/queue_no_memory
  "        result = done ? (int)done : room ? -ENOMEM : -EAGAIN;"
  "        result = room ? (int)room : -EAGAIN;")

# The stack and the heap.
krait_mutant(heap_equal_is_before queue/ordered.c queue/heap_many
  "a->age < b->age" "a->age > b->age")
krait_mutant(heap_does_not_sink queue/ordered.c queue/heap_many
  "    sink(s->nodes, 0, count - 1);" "    (void)sink;")
krait_mutant(ordered_looks_past_the_latch queue/ordered.c queue/heap_hands_over
  "    kri_latch_look(&s->latch); /* [latch-2] */
    return kri_load_rlx64(&s->count) != 0" "    return kri_load_rlx64(&s->count) != 0")

# The reentrant one.
krait_mutant(reentrant_item_published_relaxed queue/reentrant.c queue/reentrant_hands_over
  "kri_cas_sc64(&r->inbox, &seen, next)" "kri_cas_rlx64(&r->inbox, &seen, next)")
krait_mutant(reentrant_inbox_taken_relaxed queue/reentrant.c queue/reentrant_hands_over
  "kri_cas_acq_rel64(&r->inbox, &seen, seen & ~NUMBER)"
  "kri_cas_rlx64(&r->inbox, &seen, seen & ~NUMBER)")
krait_mutant(reentrant_not_turned_round queue/reentrant.c queue/reentrant_in_order
  "r->outbox = turn_round(r, (uint32_t)(seen & NUMBER));"
  "r->outbox = (uint32_t)(seen & NUMBER);")
krait_mutant(reentrant_free_without_turns queue/reentrant.c queue/reentrant_node_comes_back
  "next = ((seen & ~NUMBER) + ONE_TURN) | first;" "next = (seen & ~NUMBER) | first;")
krait_mutant(reentrant_freed_relaxed queue/reentrant.c queue/reentrant_nodes_used_again
  "        next = ((seen & ~NUMBER) + ONE_TURN) | first;
    } while (!kri_cas_acq_rel64(&r->free, &seen, next)); /* [reentrant-2] */"
  "        next = ((seen & ~NUMBER) + ONE_TURN) | first;
    } while (!kri_cas_rlx64(&r->free, &seen, next));")
krait_mutant(reentrant_put_ignores_shutdown queue/reentrant.c queue/reentrant_shutdown_against_put
  "        if (seen & CLOSED) {
            set_free(r, number, number);
            return KR_ESHUTDOWN;
        }" "")
krait_mutant(reentrant_shutdown_calls_nobody queue/reentrant.c
  queue/reentrant_shutdown_of_two_getters
  "    kri_gate_call(&r->private.items, KRI_SHARED);
    return 0;" "    return 0;")
