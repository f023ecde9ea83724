/* What the files of src/trace share.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_TRACE_INSIDE_H
#define KRI_TRACE_INSIDE_H

#include "trace/trace.h"

/* point.c */
extern kri_pointer kri_trace_current; /* atomic: the area; NULL: there never was a trace */
extern kri_word64 kri_trace_image;    /* atomic: where the program's image lies; 0: not known */
void kri_trace_forget_own(void); /* the calling thread has no ring: it is another process's now */

static inline kri_trace_area *kri_trace_area_now(void)
{
    return kri_load_acq_ptr(&kri_trace_current); /* [trace-4] */
}

uint64_t kri_trace_image_of(kri_trace_area *area, int32_t process); /* 0: not known */

/* segment.c: one at a time starts or reads.  -EBUSY: the calling thread does already. */
int kri_trace_lock(void);
void kri_trace_unlock(void);

/* segment.c: a trace that gives way to the next start.  Its number, which kri_trace_last returns
 * until then; negative: as kr_trace_start. */
int kri_trace_start_yielding(void);
int kri_trace_last(void); /* the number of the last trace that was started; 0: none */

/* environment.c */
void kri_trace_from_environment(void);

/* An event as it is told, and the arrows from and to it. */
typedef struct kri_trace_item {
    kr_trace_event event; /* first */
    uint64_t flow_from;   /* the arrow that begins here; 0: none */
    uint64_t flow_to;     /* the arrow that ends here */
    bool to_end;          /* .. at its end, not at its beginning */
} kri_trace_item;

typedef struct kri_trace_book {
    kri_trace_area *area;
    uint32_t trace;
    kri_trace_item *items; /* in order of time */
    size_t count;
    kr_trace_totals totals;
    kr_time begin;
    kr_time end;
} kri_trace_book;

/* gather.c.  pre: the lock is held.  0, -ENODATA, -ENOMEM. */
int kri_trace_gather(kri_trace_book *book);
void kri_trace_book_free(kri_trace_book *book);
int kri_trace_name_of(const kri_trace_book *book, int32_t process, int32_t thread,
                      char name[KRI_TRACE_NAME]); /* -ENOENT */

/* match.c: copies become items; -ENOMEM. */
typedef struct kri_trace_found {
    kri_trace_copy copy;
    uint32_t ring;
} kri_trace_found;
int kri_trace_match(kri_trace_book *book, const kri_trace_found *found, size_t count);

/* table.c: from two numbers to two others. */
typedef struct kri_trace_table {
    struct kri_trace_entry *entries;
    size_t room; /* a power of two; 0: none yet */
    size_t used;
} kri_trace_table;
typedef struct kri_trace_entry {
    uint64_t kind; /* 0: empty; see match.c */
    uint64_t key;
    uint64_t value;
    uint64_t more;
} kri_trace_entry;
/* The entry with that key, made with zeroes if there was none; NULL: no memory.  Until the next. */
kri_trace_entry *kri_trace_entry_of(kri_trace_table *table, uint64_t kind, uint64_t key);
void kri_trace_table_free(kri_trace_table *table);

#endif
