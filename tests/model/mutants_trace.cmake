# Seeded bugs of the trace's rings.
#
# SPDX-License-Identifier: MIT

krait_mutant(trace_field_written_relaxed trace/ring.c trace/trace_read_while_written
  "kri_store_rel64(&slot->fields[i], event->fields[i]); /* [trace-1] */"
  "kri_store_rlx64(&slot->fields[i], event->fields[i]);")
krait_mutant(trace_field_read_relaxed trace/ring.c trace/trace_read_while_written
  "kri_load_acq64(&slot->fields[i]); /* [trace-1] */" "kri_load_rlx64(&slot->fields[i]);")
krait_mutant(trace_name_written_relaxed trace/ring.c trace/trace_name_read_while_written
  "kri_store_rel64(&to[i], words[i]); /* [trace-1] */" "kri_store_rlx64(&to[i], words[i]);")
krait_mutant(trace_name_read_relaxed trace/ring.c trace/trace_name_read_while_written
  "kri_load_acq64(&from[i]); /* [trace-1] */" "kri_load_rlx64(&from[i]);")
krait_mutant(trace_whole_relaxed trace/ring.c trace/trace_read_while_written
  "kri_store_rel64(&slot->stamp, stamp); /* [trace-2] */" "kri_store_rlx64(&slot->stamp, stamp);")
krait_mutant(trace_stamp_read_relaxed trace/ring.c trace/trace_read_while_written
  "kri_load_acq64(&slot->stamp); /* [trace-2] */" "kri_load_rlx64(&slot->stamp);")
krait_mutant(trace_not_marked_busy trace/ring.c trace/trace_read_while_written
  "    kri_store_rel64(&slot->stamp, stamp | BUSY);" "")
krait_mutant(trace_busy_is_read trace/ring.c trace/trace_read_while_written
  "stamp >> NUMBER_BITS != trace || stamp & BUSY" "stamp >> NUMBER_BITS != trace")
krait_mutant(trace_stamp_read_once trace/ring.c trace/trace_read_while_written
  "    return kri_load_rlx64(&slot->stamp) == stamp;" "    return true;")
krait_mutant(trace_stamp_without_number trace/ring.c trace/trace_read_while_written
  "fill(slot, stamp_of(kri_load_rlx(&ring->trace), number), event);"
  "fill(slot, stamp_of(kri_load_rlx(&ring->trace), 1), event);")
krait_mutant(trace_ring_taken_twice trace/ring.c trace/trace_ring_of_two
  "if (seen == 0 && kri_cas_acq64(&ring->owner, &seen, owner)) /* [trace-3] */"
  "if (seen == 0 && (kri_store_rlx64(&ring->owner, owner), true))")
krait_mutant(trace_ring_taken_relaxed trace/ring.c trace/trace_ring_of_two
  "kri_cas_acq64(&ring->owner, &seen, owner)" "kri_cas_rlx64(&ring->owner, &seen, owner)")
