# Seeded bugs of managers in shared memory.
#
# What the system is asked for, and does, no schedule shows: a chunk whose memory is forgotten costs
# memory and nothing else.  tests/manager looks at that.
#
# SPDX-License-Identifier: MIT

# The record.
krait_mutant(undo_noted_after_the_change manager/undo.c manager/manager_set_dies
  "    kri_store_rel64(&tx->leader->log, ++tx->count);                       /* [undo-1] */
    kri_store_rel64(word, value);                                         /* [undo-1] */"
  "    kri_store_rel64(word, value);
    kri_store_rel64(&tx->leader->log, ++tx->count);")
krait_mutant(undo_noted_after_the_write manager/undo.c manager/manager_overwrite_dies
  "    kri_store_rel64(&tx->leader->log, tx->count); /* [undo-1] */
    for (size_t i = 0; i < count; i++)
        kri_store_rel64(&words[i], values[i]); /* [undo-1] */"
  "    for (size_t i = 0; i < count; i++)
        kri_store_rel64(&words[i], values[i]);
    kri_store_rel64(&tx->leader->log, tx->count);")
krait_mutant(undo_entry_before_the_commit manager/undo.c manager/manager_set_dies
  "        kri_store_rel64(&d->log, 0); /* [undo-1] */
        return true;"
  "        kri_store_rel64(&d->inside[0].old, 1);
        kri_store_rel64(&d->log, 0);
        return true;")
krait_mutant(undo_not_run manager/undo.c manager/manager_set_dies
  "    if (err == 0)
        err = empty(s, d);"
  "    kri_store_rel64(&d->log, 0);")
krait_mutant(undo_keeps_the_pages manager/undo.c manager/manager_first_set_dies
  "        return kri_pages_give(s, place, &d->log, index);" "        (void)place;")
krait_mutant(undo_drops_counted_before manager/undo.c manager/manager_long_set_again_dies
  "        return kri_pages_give(s, where & ~(uint64_t)KIND, &d->log, left);"
  "        return kri_store_rel64(&d->log, left),
               kri_pages_give(s, where & ~(uint64_t)KIND, &d->log, left);")
krait_mutant(undo_drops_without_a_mark manager/undo.c manager/manager_long_set_dies
  "kri_store_rel64(&d->log, (tx->drops ? tx->count : 1) | COMMITTED); /* [undo-1] */"
  "kri_store_rel64(&d->log, tx->count);")
krait_mutant(undo_pages_first manager/undo.c manager/manager_refused_after_a_death
  "    if (u == NULL || tx->count != 0)
        return u;"
  "    return u;")
krait_mutant(undo_own_pages_last manager/undo.c manager/manager_large_batch_after_a_death
  "        if (count == 1)
            err = give_more_back(s, d);
        if (err == 0)
            err = log & COMMITTED ? drop_one(s, d, count - 1) : undo_one(s, d, count - 1);
    }"
  "        err = log & COMMITTED ? drop_one(s, d, count - 1) : undo_one(s, d, count - 1);
    }
    if (err == 0)
        err = give_more_back(s, d);")
krait_mutant(undo_lock_not_recovered manager/undo.c manager/manager_set_dies
  "        (void)kr_lock_recover(&d->lock); /* the record says what is to be put right */" "")
krait_mutant(undo_does_not_look_at_the_record manager/undo.c manager/manager_set_dies
  "(kri_load_rlx64(&d->log) | kri_load_rlx64(&d->joint)) != 0)
        err = settle_record(s, d);"
  "false)
        err = settle_record(s, d);")

krait_mutant(undo_counted_before_the_word manager/undo.c manager/manager_undoing_dies
  "        kri_store_rel64(word, kri_load_rlx64(&u->old)); /* [undo-1] */
    }
    kri_store_rel64(&d->log, index); /* [undo-1] */"
  "        kri_store_rel64(&d->log, index);
        kri_store_rel64(word, kri_load_rlx64(&u->old));
    }
    kri_store_rel64(&d->log, index);")
krait_mutant(undo_joint_forgotten_before manager/undo.c manager/manager_undoing_for_one_dies
  "    int err = kri_pages_visit(s);
    uint64_t log"
  "    int err = kri_pages_visit(s);
    kri_store_rel64(&d->joint, 0);
    uint64_t log")
krait_mutant(undo_drops_forgotten_first manager/undo.c manager/manager_giving_up_pages_dies
  "        return kri_pages_give(s, where & ~(uint64_t)KIND, &d->log, left);"
  "        return kri_store_rel64(&d->log, left),
               kri_pages_give(s, where & ~(uint64_t)KIND, &d->log, left);")

# Of several domains.
krait_mutant(undo_leader_not_named manager/undo.c manager/manager_batch_dies_beside_another
  "        kri_store_rel64(&first_of(s, left)->leader, number); /* [undo-1] */" "        (void)number;")
krait_mutant(undo_led_does_not_wait manager/undo.c manager/manager_batch_dies_beside_another
  "    while (is_joint(leader, bit)) {" "    while (false && is_joint(leader, bit)) {")
krait_mutant(undo_joint_not_named manager/undo.c manager/manager_batch_dies_beside_another
  "    kri_store_rel64(&leader->joint, others); /* [undo-1] */" "    (void)leader;")

# Pages.
krait_mutant(pages_told_after_the_commit manager/pages.c manager/manager_first_set_dies
  "        set(s, tell, value);
    } else if (err == 0) {"
  "        commit(s);
        kri_store_rel64(tell, value);
    } else if (err == 0) {")
krait_mutant(pages_not_undone manager/pages.c manager/manager_first_set_dies
  "        err = undo(s);
    return err == 0 ? clear_work(s) : err;"
  "        commit(s);
    return err == 0 ? clear_work(s) : err;")
krait_mutant(pages_noted_after_the_change manager/pages.c manager/manager_first_set_dies
  "    kri_store_rel64(&c->log, count + 1);                   /* [undo-1] */
    kri_store_rel64(word, value);                          /* [undo-1] */"
  "    kri_store_rel64(word, value);
    kri_store_rel64(&c->log, count + 1);")
krait_mutant(pages_robbed_of_what_is_used manager/pages.c manager/manager_first_set_dies
  "    set(s, &state->work, 0);
    set(s, &state->taken, taken + bytes);"
  "    set(s, &state->taken, taken + bytes);")

# Blocks.
krait_mutant(heap_link_not_noted manager/heap.c manager/manager_second_set_dies
  "        kri_tx_set(tx, first, link);
        freed = link & PART;"
  "        freed = link & PART;")
krait_mutant(heap_page_never_given_up manager/heap.c manager/manager_long_set_dies
  "    link_out(tx, list, p);
    kri_tx_drop_pages(tx, offset);"
  "    (void)p;")

# Stripes.
krait_mutant(stripe_bucket_not_noted manager/stripe.c manager/manager_growth_dies
  "    kri_tx_set(tx, &stripe->buckets, buckets + 1);"
  "    kri_store_rel64(&stripe->buckets, buckets + 1);")
krait_mutant(stripe_count_not_noted manager/stripe.c manager/manager_growth_dies
  "    kri_tx_set(tx, &stripe->count, count);
    if (count > kri_stripe_buckets"
  "    kri_store_rel64(&stripe->count, count);
    if (count > kri_stripe_buckets")
krait_mutant(stripe_link_not_noted manager/stripe.c manager/manager_second_set_dies
  "    kri_tx_set(tx, found->link, place | kri_link_tag(key->hash));"
  "    kri_store_rel64(found->link, place | kri_link_tag(key->hash));")
krait_mutant(stripe_dug_without_a_note manager/stripe.c manager/manager_clear_dies
  "            kri_tx_set(tx, at, kri_load_rlx64(&item->next));
        } else {"
  "            kri_store_rel64(at, kri_load_rlx64(&item->next));
        } else {")

# Whole dicts.
krait_mutant(table_cut_off_without_a_note manager/table.c manager/manager_clear_dies
  "        kri_tx_set(tx, place, 0);" "        kri_store_rel64(place, 0);")
krait_mutant(graves_not_dug manager/graves.c manager/manager_clear_dies
  "    if (dig(&tx, grave, kri_load_rlx64(&g->kind))) {"
  "    if ((void)dig, true) {")
