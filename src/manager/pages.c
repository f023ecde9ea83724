/* Pages: which are in use, and which have memory.
 *
 * State.  A chunk of 64 pages is
 *     a hole     no memory, nothing in it
 *     divided    it has memory; a bit for each page says whether it is used, another whether a run
 *                of pages ends there.  With no page used it is a spare
 *     a run      the first of so many chunks that are used as one; those behind it count as holes
 *                and are never looked at
 *     robbed     the first of so many whose memory is being given back
 *
 * Protocol.  All of it is guarded by the central domain, the last that anybody locks.  Its record
 * holds the words that an operation changes, at most ten; it is empty again when the operation is
 * committed.  What the operation is for is committed with it, by one more word that the caller
 * names: so no page is ever taken and not known to its taker, or given twice, wherever a process
 * dies.
 *     To take and to give memory is no word, and cannot be undone by one.  So `work` names the
 *     chunks before it is done, and is cleared by the operation's commit: who finds it set gives
 *     the memory back, of chunks that are holes or robbed, which are holes then.
 *     `hint` spares the search the full chunks at the beginning: it is lowered by whoever makes
 *     room before it.
 *
 * Ordering.
 *     [undo-1]  see undo.c: each store that matters is a release, and a death is between two of
 *               them
 *     [undo-3]  the same for an entry, behind the commit of the operation before
 *
 * Why not one chain of runs, as arena.c has it, where each change is one store and nothing needs to
 * be undone?  Its rebuild, and each search, would be a walk over all pages of a space that may be
 * gigabytes.  Why are a few spares kept?  A dict that grows and shrinks by one page at the border
 * of a chunk would ask the system for memory each time.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/pages.h"
#include "os/segment.h"
#include "sync/internal.h"

enum { HOLE = 0, DIVIDED = 1, RUN = 2, ROBBED = 3, KIND = 7 };
enum { CHUNKS_AT = 8, PAGES_AT = 32, WORK_AT = 32 };
#define CHUNKS_MASK UINT64_C(0xffffff)
#define FULL        (KRI_CHUNK_PAGES == 64 ? UINT64_MAX : (UINT64_C(1) << (KRI_CHUNK_PAGES % 64)) - 1)

static kri_domain *central(kri_space *s)
{
    return &s->state->domains[KRI_DOMAINS];
}

static uint64_t info_of(kri_space *s, uint64_t chunk)
{
    return kri_load_rlx64(&s->table[chunk].info);
}

/* No chunk from there on has memory; also of a damaged one the table has no more. */
static uint64_t top_of(kri_space *s)
{
    uint64_t top = kri_load_rlx64(&s->state->top);
    return top < s->chunks ? top : s->chunks;
}

static uint64_t chunks_of(uint64_t info)
{
    return info >> CHUNKS_AT & CHUNKS_MASK;
}

static uint64_t offset_of(const kri_space *s, uint64_t chunk)
{
    return s->first + chunk * KRI_CHUNK;
}

/* The record: as kri_tx_set, of a few words that always fit. */

static void set(kri_space *s, kri_word64 *word, uint64_t value)
{
    kri_domain *c = central(s);
    uint64_t count = kri_load_rlx64(&c->log);
    kri_undo *u = &c->inside[count % KRI_UNDO_INSIDE];
    kri_store_rel64(&u->where, kri_space_offset(s, word)); /* [undo-3] */
    kri_store_rel64(&u->old, kri_load_rlx64(word));        /* [undo-3] */
    kri_store_rel64(&c->log, count + 1);                   /* [undo-1] */
    kri_store_rel64(word, value);                          /* [undo-1] */
}

static void commit(kri_space *s)
{
    kri_store_rel64(&central(s)->log, 0); /* [undo-1] */
}

static int undo(kri_space *s)
{
    kri_domain *c = central(s);
    for (uint64_t count = kri_load_rlx64(&c->log); count > 0; count--) {
        kri_word64 *word = NULL;
        if (count <= KRI_UNDO_INSIDE)
            word = kri_undo_word(s, kri_load_rlx64(&c->inside[count - 1].where));
        if (word == NULL)
            return KR_ECORRUPT;
        kri_store_rel64(word, kri_load_rlx64(&c->inside[count - 1].old)); /* [undo-1] */
    }
    commit(s);
    return 0;
}

/* Memory */

enum { TABLE_PAGE = 4096 };

/* How much of the table has memory when so many chunks may. */
static uint64_t table_bytes(uint64_t top)
{
    uint64_t bytes = (top > 0 ? top : 1) * sizeof(kri_chunk);
    return (bytes + TABLE_PAGE - 1) / TABLE_PAGE * TABLE_PAGE;
}

uint64_t kri_pages_fixed(const kri_space *s, uint64_t top)
{
    return kri_space_offset(s, s->table) + table_bytes(top);
}

static int reserve(const kri_space *s, uint64_t from, uint64_t size)
{
    return s->fd < 0 || size == 0 ? 0 : os_segment_reserve_part(s->fd, from, size);
}

static void rob(const kri_space *s, uint64_t chunk, uint64_t chunks)
{
    if (s->fd >= 0)
        (void)os_segment_discard(s->base + offset_of(s, chunk), chunks * KRI_CHUNK);
}

/* The work is over: what it was about is a hole. */
static void rob_and_clear(kri_space *s, uint64_t chunk, uint64_t chunks)
{
    rob(s, chunk, chunks);
    if ((info_of(s, chunk) & KIND) == ROBBED)
        kri_store_rel64(&s->table[chunk].info, HOLE); /* [undo-1] */
    kri_store_rel64(&s->state->work, 0);              /* [undo-1] */
}

static uint64_t work_of(uint64_t chunk, uint64_t chunks)
{
    return (chunk + 1) | chunks << WORK_AT;
}

static int clear_work(kri_space *s)
{
    uint64_t work = kri_load_rlx64(&s->state->work);
    uint64_t chunk = (work & UINT32_MAX) - 1, chunks = work >> WORK_AT;
    if (work == 0)
        return 0;
    if (chunk >= s->chunks || chunks == 0 || chunks > s->chunks - chunk)
        return KR_ECORRUPT;
    rob_and_clear(s, chunk, chunks);
    return 0;
}

/* Have `bytes` of memory for chunks that are holes; the commit takes `work` away. */
static int fill(kri_space *s, uint64_t chunk, uint64_t chunks, uint64_t bytes)
{
    kri_space_state *state = s->state;
    uint64_t taken = kri_load_rlx64(&state->taken), top = top_of(s);
    uint64_t new_top = chunk + chunks > top ? chunk + chunks : top;
    uint64_t fixed = kri_pages_fixed(s, new_top), had = kri_pages_fixed(s, top);
    if (fixed + taken > s->limit || bytes > s->limit - fixed - taken)
        return -EDQUOT;
    int err = reserve(s, had, fixed - had);
    if (err != 0)
        return err == -ENOMEM ? -ENOSPC : err;
    kri_store_rel64(&state->work, work_of(chunk, chunks)); /* [undo-1] */
    err = reserve(s, offset_of(s, chunk), bytes);
    if (err != 0) {
        rob_and_clear(s, chunk, chunks);
        return err == -ENOMEM ? -ENOSPC : err;
    }
    set(s, &state->work, 0);
    set(s, &state->taken, taken + bytes);
    if (new_top != top)
        set(s, &state->top, new_top);
    return 0;
}

/* The lock */

static int settle(kri_space *s)
{
    int err = 0;
    if (kri_load_rlx64(&central(s)->log) != 0)
        err = undo(s);
    return err == 0 ? clear_work(s) : err;
}

static int enter(kri_space *s)
{
    int err = kri_domain_take(s, central(s));
    if (err != 0)
        return err;
    if ((kri_load_rlx64(&central(s)->log) | kri_load_rlx64(&s->state->work)) != 0)
        err = settle(s);
    if (err != 0)
        kri_domain_give(central(s));
    return err;
}

static void leave(kri_space *s)
{
    kri_domain_give(central(s));
}

int kri_pages_visit(kri_space *s)
{
    int err = enter(s);
    if (err == 0)
        leave(s);
    return err;
}

/* Search */

/* A mask of `pages` bits, at the lowest place where none of them is used; 0: there is none. */
static uint64_t fit(uint64_t used, uint64_t pages)
{
    uint64_t free = ~used & FULL, starts = free;
    for (uint64_t have = 1; have < pages && starts != 0;) {
        uint64_t step = have < pages - have ? have : pages - have;
        starts &= starts >> step;
        have += step;
    }
    if (starts == 0)
        return 0;
    uint64_t mask = pages == 64 ? UINT64_MAX : (UINT64_C(1) << pages) - 1;
    return mask << __builtin_ctzll(starts);
}

typedef struct place {
    uint64_t chunk;
    uint64_t mask; /* of pages in a divided chunk; 0: take it from holes */
    uint64_t hint; /* no chunk before it has a page */
} place;

/* How far it is to the next entry; 0: damaged. */
static uint64_t step_over(kri_space *s, uint64_t chunk, uint64_t top)
{
    uint64_t info = info_of(s, chunk);
    if ((info & KIND) == HOLE || (info & KIND) == DIVIDED)
        return 1;
    uint64_t chunks = chunks_of(info);
    return chunks <= top - chunk ? chunks : 0;
}

static int find_pages(kri_space *s, uint64_t pages, place *p)
{
    uint64_t top = top_of(s), hole = UINT64_MAX, step;
    for (uint64_t i = kri_load_rlx64(&s->state->hint); i < top; i += step) {
        uint64_t kind = info_of(s, i) & KIND;
        p->mask = kind == DIVIDED ? fit(kri_load_rlx64(&s->table[i].used), pages) : 0;
        p->chunk = i;
        p->hint = hole < i ? hole : i;
        if (p->mask != 0)
            return 0;
        if (kind == HOLE && hole == UINT64_MAX)
            hole = i;
        step = step_over(s, i, top);
        if (step == 0)
            return KR_ECORRUPT;
    }
    p->chunk = p->hint = hole != UINT64_MAX ? hole : top;
    p->mask = 0;
    return p->chunk < s->chunks ? 0 : -EDQUOT;
}

static int find_chunks(kri_space *s, uint64_t chunks, place *p)
{
    uint64_t top = top_of(s), first = 0, step;
    for (uint64_t i = 0; i < top && i - first < chunks; i += step) {
        step = step_over(s, i, top);
        if (step == 0)
            return KR_ECORRUPT;
        if ((info_of(s, i) & KIND) != HOLE)
            first = i + step;
    }
    *p = (place){.chunk = first};
    return first <= s->chunks && chunks <= s->chunks - first ? 0 : -EDQUOT;
}

/* Take */

static int take_some(kri_space *s, uint64_t pages, uint64_t *offset)
{
    place p;
    int err = find_pages(s, pages, &p);
    if (err != 0)
        return err;
    kri_chunk *c = &s->table[p.chunk];
    uint64_t used = p.mask != 0 ? kri_load_rlx64(&c->used) : 0;
    uint64_t ends = p.mask != 0 ? kri_load_rlx64(&c->ends) : 0;
    if (p.mask == 0) {
        err = fill(s, p.chunk, 1, KRI_CHUNK);
        if (err != 0)
            return err;
        p.mask = fit(0, pages);
        set(s, &c->info, DIVIDED);
    } else if (used == 0) {
        set(s, &s->state->spares, kri_load_rlx64(&s->state->spares) - 1);
    }
    set(s, &c->used, used | p.mask);
    set(s, &c->ends, ends | (UINT64_C(1) << (63 - __builtin_clzll(p.mask))));
    if (pages == 1 && p.hint != kri_load_rlx64(&s->state->hint))
        set(s, &s->state->hint, p.hint);
    *offset = offset_of(s, p.chunk) + (uint64_t)__builtin_ctzll(p.mask) * KRI_PAGE;
    return 0;
}

static int take_many(kri_space *s, uint64_t pages, uint64_t *offset)
{
    uint64_t chunks = (pages + KRI_CHUNK_PAGES - 1) / KRI_CHUNK_PAGES;
    place p;
    if (pages > s->chunks * KRI_CHUNK_PAGES)
        return -EDQUOT;
    int err = find_chunks(s, chunks, &p);
    if (err == 0)
        err = fill(s, p.chunk, chunks, pages * KRI_PAGE);
    if (err != 0)
        return err;
    set(s, &s->table[p.chunk].info, RUN | chunks << CHUNKS_AT | pages << PAGES_AT);
    *offset = offset_of(s, p.chunk);
    return 0;
}

static int take(kri_space *s, uint64_t pages, uint64_t *offset)
{
    return pages <= KRI_CHUNK_PAGES ? take_some(s, pages, offset) : take_many(s, pages, offset);
}

static int release_spares(kri_space *s, uint64_t keep);

int kri_pages_take(kri_space *s, uint64_t pages, kri_word64 *where, uint64_t mark, kri_word64 *tell,
                   uint64_t value)
{
    uint64_t offset = 0;
    int err = enter(s);
    if (err != 0)
        return err;
    err = take(s, pages, &offset);
    if ((err == -EDQUOT || err == -ENOSPC) && kri_load_rlx64(&s->state->spares) != 0) {
        err = release_spares(s, 0); /* in the way of the limit, of a long run, or of the system */
        if (err == 0)
            err = take(s, pages, &offset);
    }
    if (err == 0 && tell != NULL) {
        kri_store_rel64(where, offset | mark); /* [undo-3] */
        set(s, tell, value);
    } else if (err == 0) {
        set(s, where, offset | mark);
    }
    commit(s);
    leave(s);
    return err;
}

/* Give */

/* Holes from the next commit on, but for the memory. */
static void begin_to_rob(kri_space *s, uint64_t chunk, uint64_t chunks, uint64_t bytes)
{
    set(s, &s->table[chunk].info, ROBBED | chunks << CHUNKS_AT);
    set(s, &s->state->work, work_of(chunk, chunks));
    set(s, &s->state->taken, kri_load_rlx64(&s->state->taken) - bytes);
}

static void lower_hint(kri_space *s, uint64_t chunk)
{
    if (chunk < kri_load_rlx64(&s->state->hint))
        set(s, &s->state->hint, chunk);
}

static int give_some(kri_space *s, uint64_t chunk, uint64_t page)
{
    kri_chunk *c = &s->table[chunk];
    uint64_t used = kri_load_rlx64(&c->used), ends = kri_load_rlx64(&c->ends);
    uint64_t behind = ends >> page << page;
    if (behind == 0)
        return KR_ECORRUPT;
    uint64_t end = behind & -behind, mask = (end | (end - 1)) >> page << page;
    if ((used & mask) != mask)
        return KR_ECORRUPT;
    set(s, &c->used, used & ~mask);
    set(s, &c->ends, ends & ~end);
    lower_hint(s, chunk);
    if ((used & ~mask) != 0)
        return 0;
    uint64_t spares = kri_load_rlx64(&s->state->spares);
    if (spares + 1 <= KRI_SPARE_CHUNKS)
        set(s, &s->state->spares, spares + 1);
    else
        begin_to_rob(s, chunk, 1, KRI_CHUNK);
    return 0;
}

static int give(kri_space *s, uint64_t offset)
{
    if (!kri_space_has(s, offset, KRI_PAGE) || offset % KRI_PAGE != 0)
        return KR_ECORRUPT;
    uint64_t chunk = (offset - s->first) / KRI_CHUNK;
    uint64_t page = (offset - s->first) % KRI_CHUNK / KRI_PAGE, info = info_of(s, chunk);
    if ((info & KIND) == DIVIDED)
        return give_some(s, chunk, page);
    if ((info & KIND) != RUN || page != 0 || chunks_of(info) > s->chunks - chunk)
        return KR_ECORRUPT;
    lower_hint(s, chunk);
    begin_to_rob(s, chunk, chunks_of(info), (info >> PAGES_AT) * KRI_PAGE);
    return 0;
}

int kri_pages_give(kri_space *s, uint64_t offset, kri_word64 *tell, uint64_t value)
{
    int err = enter(s);
    if (err != 0)
        return err;
    err = give(s, offset);
    if (err == 0)
        set(s, tell, value);
    if (err == 0)
        commit(s);
    else
        (void)undo(s);
    if (err == 0)
        err = clear_work(s);
    leave(s);
    return err;
}

/* All but so many. */
static int release_spares(kri_space *s, uint64_t keep)
{
    uint64_t top = top_of(s), step;
    for (uint64_t i = 0; i < top; i += step) {
        uint64_t spares = kri_load_rlx64(&s->state->spares);
        step = step_over(s, i, top);
        if (spares <= keep || step == 0)
            return step == 0 ? KR_ECORRUPT : 0;
        if ((info_of(s, i) & KIND) != DIVIDED || kri_load_rlx64(&s->table[i].used) != 0)
            continue;
        set(s, &s->state->spares, spares - 1);
        lower_hint(s, i);
        begin_to_rob(s, i, 1, KRI_CHUNK);
        commit(s);
        (void)clear_work(s);
    }
    return 0;
}

int kri_pages_trim(kri_space *s)
{
    int err = enter(s);
    if (err != 0)
        return err;
    err = release_spares(s, 0);
    leave(s);
    return err;
}

int kri_pages_look(kri_space *s, kri_pages_picture *picture)
{
    int err = enter(s);
    if (err != 0)
        return err;
    uint64_t top = top_of(s), step;
    *picture = (kri_pages_picture){.fixed = kri_pages_fixed(s, top)};
    picture->taken = picture->fixed + kri_load_rlx64(&s->state->taken);
    for (uint64_t i = 0; i < top && err == 0; i += step) {
        uint64_t info = info_of(s, i), used = kri_load_rlx64(&s->table[i].used);
        step = step_over(s, i, top);
        if (step == 0)
            err = KR_ECORRUPT;
        else if ((info & KIND) == RUN)
            picture->used += (info >> PAGES_AT) * KRI_PAGE;
        else if ((info & KIND) == DIVIDED)
            picture->used += (uint64_t)__builtin_popcountll(used) * KRI_PAGE;
    }
    picture->spare = picture->taken - picture->fixed - picture->used;
    leave(s);
    return err;
}
