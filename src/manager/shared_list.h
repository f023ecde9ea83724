/* Lists in a manager's shared memory: their layout, and what their files have in common.
 *
 *     object   first and end, and what is under way; its body is
 *     table    the places of chunks, a ring
 *     chunk    the places of items, one for each position
 *     item     its length and its bytes
 *
 * Positions grow to the right and start in the middle of all numbers, so neither end ever comes
 * near 0.  Position p is word p % KRI_LIST_CHUNK of chunk p / KRI_LIST_CHUNK, whose place is in the
 * table at that number modulo the table's length.
 *
 * All of it is guarded by the object's domain.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SHARED_LIST_H
#define KRI_MANAGER_SHARED_LIST_H

#include "base/atomic.h"
#include "manager/graves.h"
#include "manager/items.h"
#include "manager/shared_object.h"
#include <krait/list.h>

#ifdef KRI_MODEL
enum { KRI_LIST_CHUNK = 4, KRI_LIST_HALF = 2 };
#else
enum { KRI_LIST_CHUNK = 64, KRI_LIST_HALF = 32 };
#endif
enum { KRI_LIST_LEAST = 8 }; /* places in a table */
#define KRI_LIST_MIDDLE (UINT64_C(1) << 62)

/* Of the object's words. */
enum { KRI_LIST_FIRST, KRI_LIST_END, KRI_LIST_WORK };

/* What is under way; shared_list_work.c. */
typedef enum kri_list_work {
    KRI_LIST_AT_REST,
    KRI_LIST_CLOSE_LEFT,  /* a hole moves to the beginning, and goes */
    KRI_LIST_CLOSE_RIGHT, /* to the end */
    KRI_LIST_OPEN_LEFT,   /* a hole comes from the beginning, and is filled */
    KRI_LIST_OPEN_RIGHT,  /* from the end */
    KRI_LIST_EXTEND,      /* there are items beyond the end that do not count yet */
    KRI_LIST_REWRITE,     /* all get the order that is written elsewhere */
} kri_list_work;

typedef struct kri_list_table {
    kri_grave grave;   /* once it is buried; then at and to are the positions that are left */
    kri_word64 length; /* a power of two, constant */
    kri_word64 at;     /* the numbers of what is under way */
    kri_word64 to;
    kri_word64 item;
    kri_word64 places[]; /* 0: no chunk */
} kri_list_table;

typedef struct kri_list_chunk {
    kri_word64 places[KRI_LIST_CHUNK];
} kri_list_chunk;

typedef struct kri_list_item {
    uint64_t size; /* constant, as what follows */
    unsigned char bytes[];
} kri_list_item;

_Static_assert(offsetof(kri_list_table, length) == 16, "part of the layout");
_Static_assert(offsetof(kri_list_table, at) == 24, "part of the layout");
_Static_assert(offsetof(kri_list_table, to) == 32, "part of the layout");
_Static_assert(offsetof(kri_list_table, item) == 40, "part of the layout");
_Static_assert(offsetof(kri_list_table, places) == 48, "part of the layout");
_Static_assert(offsetof(kri_list_item, bytes) == 8, "part of the layout");

static inline uint64_t kri_list_length(const kri_shared_object *l)
{
    return kri_shared_number(l, KRI_LIST_END) - kri_shared_number(l, KRI_LIST_FIRST);
}

/* kri_list_can_be - as many items as could have a place: whoever goes through more never ends. */
static inline bool kri_list_can_be(const kri_space *s, uint64_t length)
{
    return length <= s->end / sizeof(kri_word64);
}

/* kri_list_clamp - an index that may be anything, as the number of items before it. */
static inline uint64_t kri_list_clamp(int64_t index, uint64_t length)
{
    if (index >= 0)
        return (uint64_t)index < length ? (uint64_t)index : length;
    uint64_t back = 0 - (uint64_t)index;
    return back < length ? length - back : 0;
}

/* kri_list_enter - begin a transaction, in which the list is there and at rest.
 *
 * 0; -ESTALE; what kri_tx_begin returns.  Then nothing is held. */
int kri_list_enter(const kri_shared_object *l, kri_tx *tx);

/* Places; shared_list_place.c.  In a transaction. */

/* NULL: there is none, or it is damaged. */
kri_list_table *kri_list_table_of(const kri_shared_object *l);

/* The word of a position that has a chunk; NULL: it has none, or damaged. */
kri_word64 *kri_list_word(const kri_shared_object *l, uint64_t position);

/* The item at such a place, as far as one can see; NULL: damaged. */
kri_list_item *kri_list_item_at(const kri_shared_object *l, uint64_t place);

/* kri_list_make_room - see to it that there is a table; that the position beside first or end has a
 * chunk.  Commits.  0, or tx's error. */
int kri_list_make_table(const kri_shared_object *l, kri_tx *tx);
int kri_list_make_room(const kri_shared_object *l, kri_tx *tx, uint64_t position, uint64_t first,
                       uint64_t end);

/* kri_list_left_behind - an end has come back by one, to `edge`: the chunk that it has left behind
 * may go. */
void kri_list_left_behind(const kri_shared_object *l, kri_tx *tx, uint64_t edge, bool left);

/* kri_list_new_item - one that nobody can reach yet; 0: tx's error. */
uint64_t kri_list_new_item(const kri_shared_object *l, kri_tx *tx, const void *bytes, size_t size);

/* What takes more than one transaction; shared_list_work.c. */

/* kri_list_set_work - as part of the transaction: from its commit on this is under way. */
void kri_list_set_work(const kri_shared_object *l, kri_tx *tx, kri_list_work work, uint64_t at,
                       uint64_t to, uint64_t item);

/* kri_list_finish - do what is under way, but for an extend, as part of the transaction.
 * kri_list_go_on - whatever it is, to its end; commits.  0; KR_ECORRUPT. */
int kri_list_finish(const kri_shared_object *l, kri_tx *tx);
int kri_list_go_on(const kri_shared_object *l, kri_tx *tx);

/* kri_list_bury - take away all that the list has, as part of the transaction. */
void kri_list_bury(const kri_shared_object *l, kri_tx *tx);
extern const kri_kind kri_list_kind;

/* kri_list_close - take the item with that index out, and end the transaction. */
int kri_list_close(const kri_shared_object *l, kri_tx *tx, uint64_t index);

/* kri_list_stage - one more item beyond the end, during KRI_LIST_EXTEND; commits. */
int kri_list_stage(const kri_shared_object *l, kri_tx *tx, const void *bytes, size_t size);

/* The calls that move many; shared_list_many.c.  The rest: shared_list.c. */
int kri_shared_list_insert(const kri_shared_object *l, int64_t index, const void *item,
                           size_t size);
int kri_shared_list_take_out(const kri_shared_object *l, int64_t index);
int kri_shared_list_extend(const kri_shared_object *l, const kr_bytes *items, size_t count);
int kri_shared_list_clear(const kri_shared_object *l);
int kri_shared_list_reverse(const kri_shared_object *l);
int kri_shared_list_sort(const kri_shared_object *l, kr_list_compare compare, void *arg);
int kri_shared_list_remove(const kri_shared_object *l, const void *item, size_t size);

int kri_shared_list_append(const kri_shared_object *l, bool left, const void *item, size_t size);
int kri_shared_list_pop(const kri_shared_object *l, bool left, void *item, size_t room,
                        size_t *size);
int kri_shared_list_get(const kri_shared_object *l, int64_t index, void *item, size_t room,
                        size_t *size);
int kri_shared_list_set(const kri_shared_object *l, int64_t index, const void *item, size_t size);
int64_t kri_shared_list_index(const kri_shared_object *l, const void *item, size_t size);
int64_t kri_shared_list_count(const kri_shared_object *l, const void *item, size_t size);
int64_t kri_shared_list_length(const kri_shared_object *l);
int kri_shared_list_slice(const kri_shared_object *l, int64_t first, int64_t end, kr_items **items);

#endif
