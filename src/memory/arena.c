/* The calls of an arena.  How its blocks stay whole: arena_block.c, arena_deferred.c.
 *
 * Protocol.  Each call holds the arena's lock, a shared one, for one short section.  Who gets it
 * after its holder has died first makes anew what is derived, and then says that the lock is
 * recovered; if the chain of blocks is damaged it does not say so, and every later call answers
 * KR_ECORRUPT.  A free does not wait for the lock, see arena_deferred.c; whoever has the lock next
 * does what was deferred before anything else.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/arena.h"
#include "os/os.h"
#include "os/segment.h"
#include "sync/internal.h"

enum { MOST_DEAD = 16 };

/* The lock */

static int repair(const kr_arena *a)
{
    int err = kri_deferred_repair(a);
    if (err == 0)
        err = kri_blocks_rebuild(a);
    if (err == 0)
        (void)kr_lock_recover(&a->state->lock);
    return err;
}

/* What comes before any section; on failure the lock is given up. */
static int begin(const kr_arena *a, int acquired)
{
    int err = acquired == KR_OWNER_DIED ? repair(a) : 0;
    if (err == 0)
        err = kri_deferred_drain(a);
    if (err != 0)
        kri_arena_leave(a);
    return err;
}

int kri_arena_enter(const kr_arena *a)
{
    int err = kri_lock_take_within(&a->state->lock, kr_sec(1));
    if (err < 0)
        return err == -ETIMEDOUT ? err : KR_ECORRUPT;
    return begin(a, err);
}

/* Asks nobody whether a holder lives: in a signal handler it may be the interrupted call. */
bool kri_arena_try_enter(const kr_arena *a)
{
    if (!kri_lock_at_rest(&a->state->lock))
        return false;
    int err = kri_lock_take_within(&a->state->lock, KR_NOWAIT);
    return err >= 0 && begin(a, err) == 0;
}

void kri_arena_leave(const kr_arena *a)
{
    (void)kr_lock_release(&a->state->lock);
}

/* Calls */

int kr_arena_alloc(kr_arena *a, size_t size, void **memory)
{
    if (a == NULL || memory == NULL || size == 0)
        return -EINVAL;
    if (size > a->end)
        return -ENOSPC;
    uint64_t whole = (sizeof(kri_block) + size + KRI_BLOCK_UNIT - 1) & ~(uint64_t)KRI_BLOCK_KIND;
    kri_block *taken = NULL;
    int err = kri_arena_enter(a);
    if (err != 0)
        return err;
    if (whole > a->limit || a->state->occupied > a->limit - whole)
        err = -EDQUOT;
    else
        err = kri_block_take(a, whole, size, &taken);
    kri_arena_leave(a);
    if (err == 0)
        *memory = taken + 1;
    return err;
}

/* Of two that free the same piece at once, one marks it.  The other may come when it is free
 * already, and its owner a link: so that is changed only if it is what was there while it was used.
 */
static int defer(const kr_arena *a, kri_block *b)
{
    kri_owner owner;
    uint64_t state;
    do {
        owner = kri_load_acq64(&b->owner);
        state = kri_load_rlx64(&b->state);
        if (kri_block_kind(state) != KRI_BLOCK_USED)
            return -EINVAL;
    } while (!kri_cas_rel64(&b->owner, &owner, kri_process_self()));
    if (!kri_cas_rel64(&b->state, &state, kri_block_size(state) | KRI_BLOCK_DEFERRED))
        return -EINVAL;
    kri_deferred_push(a, b);
    if (kri_arena_try_enter(a)) /* which frees it */
        kri_arena_leave(a);
    return 0;
}

int kr_arena_free(kr_arena *a, void *memory)
{
    if (memory == NULL)
        return 0;
    kri_block *b = a != NULL ? kri_block_of(a, memory) : NULL;
    if (b == NULL)
        return -EINVAL;
    if (!kri_arena_try_enter(a))
        return defer(a, b);
    int err = kri_block_commit_free(b, KRI_BLOCK_USED) ? kri_block_settle(a, b) : -EINVAL;
    kri_arena_leave(a);
    return err;
}

uint64_t kr_arena_offset(const kr_arena *a, const void *memory)
{
    uintptr_t offset = (uintptr_t)memory - (uintptr_t)a->state;
    return offset > a->first && offset < a->end ? offset : 0;
}

void *kr_arena_at(const kr_arena *a, uint64_t offset)
{
    return offset > a->first && offset < a->end ? (unsigned char *)a->state + offset : NULL;
}

/* The block, and its state; NULL: no piece that is used begins there. */
static kri_block *used(const kr_arena *a, const void *memory, uint64_t *state)
{
    kri_block *b = kri_block_of(a, memory);
    if (b == NULL)
        return NULL;
    *state = kri_load_rlx64(&b->state);
    bool inside = kri_block_size(*state) >= sizeof *b &&
                  kri_block_size(*state) <= a->end - kri_block_offset(a, b);
    return inside && kri_block_kind(*state) == KRI_BLOCK_USED ? b : NULL;
}

size_t kr_arena_size(const kr_arena *a, const void *memory)
{
    uint64_t state;
    const kri_block *b = used(a, memory, &state);
    if (b == NULL)
        return 0;
    uint64_t room = kri_block_size(state) - sizeof *b;
    uint64_t asked = kri_load_rlx64(&b->more);
    return (size_t)(asked < room ? asked : room);
}

int kr_arena_adopt(kr_arena *a, void *memory)
{
    uint64_t state;
    kri_block *b = used(a, memory, &state);
    if (b == NULL)
        return -EINVAL;
    kri_store_rlx64(&b->owner, kri_process_self());
    return 0;
}

/* What the dead have left.  A block that is deferred may be in the list, and is not to be freed
 * twice.  So first it is found out who is dead, then the list is emptied, and what is still there
 * of those is in no list: the dead put nothing there any more. */

typedef struct reclaim {
    kri_owner dead[MOST_DEAD];
    kri_owner alive[MOST_DEAD]; /* the last that were asked about, to ask once */
    unsigned dead_count, alive_count;
    int freed;
} reclaim;

static bool is_among(const kri_owner *list, unsigned count, kri_owner owner)
{
    unsigned kept = count < MOST_DEAD ? count : MOST_DEAD;
    for (unsigned i = 0; i < kept; i++) {
        if (list[i] == owner)
            return true;
    }
    return false;
}

static void find_dead(const kr_arena *a, kri_block *b, void *arg)
{
    reclaim *r = arg;
    (void)a;
    if (kri_block_kind(kri_load_acq64(&b->state)) == KRI_BLOCK_FREE || r->dead_count == MOST_DEAD)
        return;
    kri_owner owner = kri_load_rlx64(&b->owner);
    if (owner == 0 || owner == kri_process_self() || is_among(r->dead, r->dead_count, owner) ||
        is_among(r->alive, r->alive_count, owner))
        return;
    if (kri_process_dead(owner))
        r->dead[r->dead_count++] = owner;
    else
        r->alive[r->alive_count++ % MOST_DEAD] = owner;
}

static void free_dead(const kr_arena *a, kri_block *b, void *arg)
{
    reclaim *r = arg;
    unsigned kind = kri_block_kind(kri_load_acq64(&b->state));
    (void)a;
    if (kind != KRI_BLOCK_FREE && is_among(r->dead, r->dead_count, kri_load_rlx64(&b->owner)))
        r->freed += kri_block_commit_free(b, kind);
}

static int reclaim_some(const kr_arena *a, reclaim *r)
{
    r->dead_count = 0;
    int err = kri_blocks_each(a, find_dead, r);
    if (err == 0)
        err = kri_deferred_drain(a);
    if (err == 0)
        err = kri_blocks_each(a, free_dead, r);
    return err == 0 ? kri_blocks_rebuild(a) : err;
}

int kri_arena_reclaim_held(const kr_arena *a)
{
    reclaim r = {.freed = 0};
    int err;
    do
        err = reclaim_some(a, &r);
    while (err == 0 && r.dead_count == MOST_DEAD);
    return err != 0 ? err : r.freed;
}

int kr_arena_reclaim(kr_arena *a)
{
    if (a == NULL)
        return -EINVAL;
    int err = kri_arena_enter(a);
    if (err != 0)
        return err;
    err = kri_arena_reclaim_held(a);
    kri_arena_leave(a);
    return err;
}

/* Memory */

typedef struct trim {
    uintptr_t page;
    int err;
} trim;

static void trim_one(const kr_arena *a, kri_block *b, void *arg)
{
    trim *t = arg;
    uint64_t state = kri_load_rlx64(&b->state);
    uintptr_t from = ((uintptr_t)(b + 1) + t->page - 1) / t->page * t->page;
    uintptr_t to = ((uintptr_t)b + kri_block_size(state)) / t->page * t->page;
    bool inside = kri_block_size(state) <= a->end - kri_block_offset(a, b);
    if (kri_block_kind(state) == KRI_BLOCK_FREE && inside && to > from && t->err == 0)
        t->err = os_segment_discard((void *)from, to - from);
}

int kr_arena_trim(kr_arena *a)
{
    trim t = {.page = os_page_size()};
    if (a == NULL)
        return -EINVAL;
    int err = kri_arena_enter(a);
    if (err != 0)
        return err;
    err = kri_blocks_each(a, trim_one, &t);
    kri_arena_leave(a);
    return err != 0 ? err : t.err;
}

static void measure(const kr_arena *a, kri_block *b, void *arg)
{
    uint64_t *largest = arg, state = kri_load_rlx64(&b->state);
    uint64_t room = kri_block_size(state) - sizeof *b;
    (void)a;
    if (kri_block_kind(state) == KRI_BLOCK_FREE && room > *largest)
        *largest = room;
}

int kr_arena_read_statistics(kr_arena *a, kr_arena_statistics *statistics)
{
    if (a == NULL || statistics == NULL)
        return -EINVAL;
    int err = kri_arena_enter(a);
    if (err != 0)
        return err;
    const kri_arena_state *s = a->state;
    uint64_t size = a->end - a->first;
    *statistics = (kr_arena_statistics){.size = size,
                                        .free = size - s->occupied,
                                        .occupied = s->occupied,
                                        .limit = a->limit < size ? a->limit : size,
                                        .pieces = s->pieces,
                                        .gaps = s->gaps};
    err = kri_blocks_each(a, measure, &statistics->largest);
    kri_arena_leave(a);
    return err;
}
