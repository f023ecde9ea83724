# Seeded bugs of the lists, values and arrays of managers in shared memory.
#
# SPDX-License-Identifier: MIT

krait_mutant(list_hole_moves_before_the_copy manager/shared_list_work.c
  manager_list/list_insert_near_the_end_dies
  "        kri_store_rel64(hole, kri_load_acq64(neighbour)); /* [list-1] */
        kri_store_rel64(&table->at, next);                /* [list-1] */"
  "        kri_store_rel64(&table->at, next);
        kri_store_rel64(hole, kri_load_acq64(neighbour));")
krait_mutant(list_goes_on_with_nothing manager/shared_list.c
  manager_list/list_insert_near_the_end_dies
  "kri_shared_number(l, KRI_LIST_WORK) != KRI_LIST_AT_REST, 0)" "0, 0)")
krait_mutant(list_staged_items_leak manager/shared_list_work.c manager_list/list_extend_dies
  "        kri_tx_free(tx, kri_load_rlx64(word));
        kri_tx_set(tx, &table->at, at);"
  "        kri_tx_set(tx, &table->at, at);")
krait_mutant(list_staged_items_are_buried_without_a_name manager/shared_list_place.c
  manager_list/list_dropped_after_an_extend_died
  "        return kri_load_rlx64(&table->at);" "        return kri_shared_number(l, KRI_LIST_END);")
krait_mutant(list_is_buried_with_a_hole manager/shared_list_place.c
  manager_list/list_dropped_after_an_insert_died
  "    int err = kri_list_finish(l, tx);" "    int err = 0;")
krait_mutant(list_order_is_never_freed manager/shared_list_work.c manager_list/list_reverse_dies
  "    kri_tx_free(tx, block);
" "")
krait_mutant(list_order_before_it_is_under_way manager/shared_list_many.c
  manager_list/list_reverse_dies
  "    int err = kri_tx_commit(tx);
    if (err != 0)
        return kri_tx_cancel(tx, err);
    err = kri_tx_cancel(tx, kri_list_go_on(l, tx));"
  "    int err = kri_list_finish(l, tx);
    err = kri_tx_cancel(tx, err);")
krait_mutant(list_popped_item_leaks manager/shared_list.c manager_list/list_pop_dies
  "    kri_tx_free(&tx, kri_load_rlx64(word));
    kri_tx_set(&tx, kri_shared_word(l, which), edge);"
  "    kri_tx_set(&tx, kri_shared_word(l, which), edge);")
krait_mutant(list_end_moves_outside_the_transaction manager/shared_list.c
  manager_list/list_pop_dies
  "    kri_tx_set(&tx, kri_shared_word(l, which), edge);"
  "    kri_store_rel64(kri_shared_word(l, which), edge);")
krait_mutant(list_chunk_is_freed_and_kept manager/shared_list_place.c
  manager_list/list_pop_that_leaves_a_chunk_dies
  "    kri_tx_set(tx, place, 0);
" "")
krait_mutant(list_chunk_left_behind_stays manager/shared_list_place.c
  manager_list/list_clear_dies
  "    for (; at == to && next < length && freed < BLOCKS_AT_ONCE; next++, freed++)"
  "    for (; at == to && next + 2 < length && freed < BLOCKS_AT_ONCE; next++, freed++)")
krait_mutant(list_append_says_end_first manager/shared_list.c manager_list/list_append_dies
  "        kri_tx_set(tx, kri_shared_word(l, KRI_LIST_END), position + 1);"
  "        kri_store_rel64(kri_shared_word(l, KRI_LIST_END), position + 1);")
krait_mutant(list_new_table_outside_the_transaction manager/shared_list_place.c
  manager_list/list_append_to_new_table_dies
  "    kri_tx_set(tx, &l->ref.object->body, place);
    return kri_tx_commit(tx);"
  "    kri_store_rel64(&l->ref.object->body, place);
    return kri_tx_commit(tx);")
krait_mutant(value_counts_before_the_copy manager/shared_value.c manager_list/value_set_dies
  "        memcpy(to, value, size);
    }"
  "        kri_store_rel64(kri_shared_word(o, WORD), word);
        (void)counting(o);
        memcpy(to, value, size);
    }")
krait_mutant(array_pending_before_it_is_staged manager/shared_array.c manager_list/array_set_dies
  "    memcpy(all + stride(whole), items, count);
    kri_store_rlx64(kri_shared_word(o, FROM), from);
    kri_store_rel64(kri_shared_word(o, PENDING), count); /* [array-1] */"
  "    kri_store_rlx64(kri_shared_word(o, FROM), from);
    kri_store_rel64(kri_shared_word(o, PENDING), count);
    (void)kri_shared_number(o, FROM);
    memcpy(all + stride(whole), items, count);")
krait_mutant(array_pending_is_forgotten manager/shared_array.c manager_list/array_set_dies
  "kri_shared_number(o, PENDING) != 0, 0)" "0, 0)")
