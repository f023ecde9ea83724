/* Many stacks from one mapping.
 *
 * State.  A slab is a mapping of equal slots; a slot is a gap and the stack above it.  Each kind of
 * slab has a list of those that have a slot to give.
 *
 *     gap | stack of slot 0 | gap | stack of slot 1 | ...
 *
 * Fields.
 *     slab.known            the next of all slabs that ever were; constant
 *     slab.base             where it is mapped, 0: it is not
 *     slab.slot, gap, slots geometry; constant while it is mapped
 *     slab.begun            the slots below were handed out before, and have their guards
 *     slab.used             how many are handed out
 *     slab.free             which of those that were begun are not
 *     slab.touched          which of the free ones have pages still
 *     slab.watched          which have a guard and no canary
 *     slab.next, back       the list that it stands in
 *     all but the first two shelf.lock
 *     shelf.open, shelf.spare   slabs with slots to give; records of slabs that are unmapped
 *     shelf.touched         how many free slots have pages still
 *     mapped_guards         how many mappings the guards have cost
 *
 * Protocol.  A slot is begun, in order, when no other is free, and is guarded then, once and for
 * all; a free slot takes no memory but its guard.  A slab of which nothing is in use is unmapped if
 * there is another with room.  Its record stays, for the next one, so that kri_slab_find can walk
 * them in a signal handler with no lock.
 *
 *     How an overflow is noticed.  Best is a guard that is no mapping of its own, from Linux 6.13
 *     on.  Else the gap is made inaccessible, at the price of two mappings of which a process has
 *     65,530: guards may take a quarter.  The stacks beyond have a canary: the upper end of the gap
 *     is zero, as untouched memory is, and looked at when the coroutine gives the processor away.
 *     So the canary costs no memory: to read an untouched page maps the system's page of zeros.
 *
 * Ordering.
 *     [slab-1] A slab's place is published by the store of its base, after its geometry: a handler
 *     that sees the base sees that.
 *     [slab-2] A record is published by the change of `records`, after its fields.
 *
 * Why not a mapping for each?  100,000 of them with guards are 200,000 mappings, three times what
 * a process may have by default.
 *
 * SPDX-License-Identifier: MIT
 */
#include "coroutine/slab.h"
#include "base/global.h"
#include "coroutine/checked.h"
#include "os/stack.h"

enum { MOST_SLOTS = 64, LEAST_SLOTS = 4 };
enum { USUAL_SLAB = 32 * 1024 * 1024 };
enum { MOST_GAP = 64 * 1024 };
enum { MOST_TOUCHED = 2048 };
enum { SHARE_OF_MAPPINGS = 4, MAPPINGS_OF_GUARD = 2 };

typedef struct kri_slab {
    struct kri_slab *known;
    kri_word64 base;
    size_t slot;
    size_t gap;
    unsigned kind;
    unsigned slots;
    unsigned begun;
    unsigned used;
    uint64_t free;
    uint64_t touched;
    uint64_t watched;
    struct kri_slab *next;
    struct kri_slab **back; /* NULL: in no list */
} slab;

typedef struct slab_shelf {
    kri_mutex lock;
    slab *open;
    slab *spare;
    size_t touched;
} __attribute__((aligned(64))) slab_shelf;

static slab_shelf shelves[KRI_STACK_KINDS] KRI_GLOBAL;
static kri_pointer records KRI_GLOBAL;
static kri_word64 mapped_guards KRI_GLOBAL;
static kri_word64 mapped_bytes KRI_GLOBAL;
static kr_word guard_in_force KRI_GLOBAL; /* a kri_stack_guard_kind + 1; 0: not yet known */
static kr_word map_share KRI_GLOBAL;      /* mappings that guards may take + 1; 0: not known */

/* Geometry */

/* Of a size that is not 0. */
unsigned kri_stack_kind(size_t size)
{
    size_t more = (size - 1) / KRI_STACK_LEAST;
    unsigned kind = more == 0 ? 0 : 64 - (unsigned)__builtin_clzll(more);
    return kind < KRI_STACK_ANY ? kind : KRI_STACK_ANY;
}

static size_t whole_pages(size_t size)
{
    size_t page = os_page_size();
    return (size + page - 1) / page * page;
}

/* Large frames step over small guards. */
static size_t gap_of(size_t size)
{
    return whole_pages(size / 4 < MOST_GAP ? size / 4 : MOST_GAP);
}

static char *low_of(const slab *s, unsigned index)
{
    return (char *)(uintptr_t)(kri_load_rlx64(&s->base) + index * s->slot + s->gap);
}

/* Lists */

static void enter(slab **list, slab *s)
{
    s->next = *list;
    s->back = list;
    if (s->next != NULL)
        s->next->back = &s->next;
    *list = s;
}

static void leave(slab *s)
{
    *s->back = s->next;
    if (s->next != NULL)
        s->next->back = s->back;
    s->back = NULL;
}

static bool has_room(const slab *s)
{
    return s->free != 0 || s->begun < s->slots;
}

/* With the shelf's lock: a record that describes no slab. */
static slab *new_record(slab_shelf *shelf)
{
    slab *s = shelf->spare;
    if (s != NULL) {
        shelf->spare = s->next;
        return s;
    }
    s = os_alloc(sizeof *s);
    if (s == NULL)
        return NULL;
    void *known = kri_load_rlx_ptr(&records);
    do
        s->known = known;
    while (!kri_cas_acq_rel_ptr(&records, &known, s)); /* [slab-2] */
    return s;
}

/* With the shelf's lock: fewer slots where the program has little address space. */
static slab *map_slab(slab_shelf *shelf, unsigned kind, size_t size)
{
    size_t gap = gap_of(size), slot = size + gap, slots = USUAL_SLAB / slot;
    slots = slots > MOST_SLOTS ? MOST_SLOTS : slots < LEAST_SLOTS ? LEAST_SLOTS : slots;
    if (kind == KRI_STACK_ANY)
        slots = 1;
    slab *s = new_record(shelf);
    if (s == NULL)
        return NULL;
    void *base = NULL;
    for (; base == NULL && slots > 0; slots = base == NULL ? slots / 4 : slots)
        base = os_stack_map(slots * slot);
    if (base == NULL) {
        s->next = shelf->spare;
        shelf->spare = s;
        return NULL;
    }
    (void)VALGRIND_MAKE_MEM_NOACCESS(base, slots * slot);
    s->slot = slot;
    s->gap = gap;
    s->kind = kind;
    s->slots = (unsigned)slots;
    s->begun = s->used = 0;
    s->free = s->touched = s->watched = 0;
    kri_add_rlx64(&mapped_bytes, slots * slot);
    kri_store_rel64(&s->base, (uintptr_t)base); /* [slab-1] */
    enter(&shelf->open, s);
    return s;
}

/* With the shelf's lock: takes the slab out of it, to be unmapped.  Its record is spare. */
static void retire(slab_shelf *shelf, slab *s, char **base, size_t *size)
{
    unsigned guards = (unsigned)__builtin_popcountll(s->watched);
    *base = (char *)(uintptr_t)kri_load_rlx64(&s->base);
    *size = s->slots * s->slot;
    if (kri_load_rlx(&guard_in_force) != KRI_GUARD_LIGHT + 1)
        kri_sub_rlx64(&mapped_guards, (uint64_t)guards * MAPPINGS_OF_GUARD);
    kri_sub_rlx64(&mapped_bytes, *size);
    shelf->touched -= (size_t)__builtin_popcountll(s->touched);
    kri_store_rlx64(&s->base, 0);
    leave(s);
    s->next = shelf->spare;
    shelf->spare = s;
}

/* Guards */

static uint64_t mappings_allowed(void)
{
    uint32_t known = kri_load_rlx(&map_share);
    if (known == 0) {
        known = (uint32_t)(os_map_limit() / SHARE_OF_MAPPINGS) + 1;
        kri_store_rlx(&map_share, known);
    }
    return known - 1;
}

/* What the system has. */
static kri_stack_guard_kind best_guard(void)
{
    size_t page = os_page_size();
    void *memory = os_stack_map(page);
    if (memory == NULL)
        return KRI_GUARD_MAPPED;
    bool light = os_stack_guard_light(memory, page) == 0 && os_stack_is_guarded(memory);
    os_stack_unmap(memory, page);
    return light ? KRI_GUARD_LIGHT : KRI_GUARD_MAPPED;
}

static kri_stack_guard_kind guard_kind(void)
{
    uint32_t known = kri_load_rlx(&guard_in_force);
    if (known == 0) {
        uint32_t found = (uint32_t)best_guard() + 1;
        if (kri_cas_rlx(&guard_in_force, &known, found))
            known = found;
    }
    return (kri_stack_guard_kind)(known - 1);
}

void kri_stack_allow_guard(kri_stack_guard_kind best)
{
    kri_store_rlx(&guard_in_force, (uint32_t)best + 1);
}

const char *kri_stack_guard(void)
{
    switch (guard_kind()) {
    case KRI_GUARD_LIGHT:
        return "lightweight guards";
    case KRI_GUARD_MAPPED:
        if (kri_load_rlx64(&mapped_guards) + MAPPINGS_OF_GUARD <= mappings_allowed())
            return "guard pages";
        return "guard pages and canaries";
    default:
        return "canaries";
    }
}

static bool guard_by_mapping(void *gap, size_t size)
{
    uint64_t taken = kri_add_rlx64(&mapped_guards, MAPPINGS_OF_GUARD);
    if (taken + MAPPINGS_OF_GUARD <= mappings_allowed() && os_stack_guard_mapped(gap, size) == 0)
        return true;
    kri_sub_rlx64(&mapped_guards, MAPPINGS_OF_GUARD);
    return false;
}

static bool guard(void *gap, size_t size)
{
    switch (guard_kind()) {
    case KRI_GUARD_LIGHT:
        return os_stack_guard_light(gap, size) == 0;
    case KRI_GUARD_MAPPED:
        return guard_by_mapping(gap, size);
    default:
        return false;
    }
}

/* Slots */

/* With the shelf's lock, from a slab with room. */
static unsigned take_slot(slab_shelf *shelf, slab *s, bool *fresh)
{
    unsigned index = s->begun;
    *fresh = s->free == 0;
    if (*fresh) {
        s->begun++;
    } else {
        index = (unsigned)__builtin_ctzll(s->touched != 0 ? s->touched : s->free);
        s->free &= ~(UINT64_C(1) << index);
        shelf->touched -= s->touched >> index & 1;
        s->touched &= ~(UINT64_C(1) << index);
    }
    s->used++;
    if (!has_room(s))
        leave(s);
    return index;
}

static unsigned index_of(const slab *s, const kri_stack *stack)
{
    return (unsigned)((uintptr_t)(stack->low - low_of(s, 0)) / s->slot);
}

int kri_slab_take(kri_stack *stack, unsigned kind, size_t size)
{
    slab_shelf *shelf = &shelves[kind];
    if (size > SIZE_MAX / 4)
        return -ENOMEM;
    size = kind == KRI_STACK_ANY ? whole_pages(size) : whole_pages((size_t)KRI_STACK_LEAST << kind);
    kri_mutex_lock(&shelf->lock);
    slab *s = shelf->open != NULL ? shelf->open : map_slab(shelf, kind, size);
    if (s == NULL) {
        kri_mutex_unlock(&shelf->lock);
        return -ENOMEM;
    }
    bool fresh;
    unsigned index = take_slot(shelf, s, &fresh);
    uint64_t watched = s->watched >> index & 1;
    kri_mutex_unlock(&shelf->lock);

    *stack = (kri_stack){.low = low_of(s, index), .size = size, .slab = s, .kind = (uint8_t)kind};
    if (fresh && guard(stack->low - s->gap, s->gap)) {
        watched = 1;
        kri_mutex_lock(&shelf->lock);
        s->watched |= watched << index;
        kri_mutex_unlock(&shelf->lock);
    }
    stack->canary = !watched;
    if (stack->canary)
        (void)VALGRIND_MAKE_MEM_DEFINED(stack->low - s->gap, s->gap);
    kri_stack_show(stack->low, size);
    stack->valgrind = VALGRIND_STACK_REGISTER(stack->low, stack->low + size);
    return 0;
}

/* With the shelf's lock.  true: its pages have to be discarded first. */
static bool give_slot(slab_shelf *shelf, slab *s, uint64_t slot, bool discarded)
{
    if (!discarded && s->used > 1) {
        if (shelf->touched >= MOST_TOUCHED)
            return true;
        shelf->touched++;
        s->touched |= slot;
    }
    s->free |= slot;
    s->used--;
    if (s->back == NULL)
        enter(&shelf->open, s);
    return false;
}

void kri_slab_give(kri_stack *stack)
{
    slab *s = stack->slab;
    slab_shelf *shelf = &shelves[s->kind];
    uint64_t slot = UINT64_C(1) << index_of(s, stack);
    char *unneeded = NULL;
    size_t size = 0;
    kri_stack_hide(stack->low, stack->size);
    VALGRIND_STACK_DEREGISTER(stack->valgrind);
    kri_mutex_lock(&shelf->lock);
    if (give_slot(shelf, s, slot, false)) {
        kri_mutex_unlock(&shelf->lock);
        os_stack_discard(stack->low, stack->size);
        kri_mutex_lock(&shelf->lock);
        (void)give_slot(shelf, s, slot, true);
    }
    if (s->used == 0 && (s->kind == KRI_STACK_ANY || shelf->open->next != NULL))
        retire(shelf, s, &unneeded, &size);
    kri_mutex_unlock(&shelf->lock);
    if (unneeded != NULL) {
        kri_stack_show(unneeded, size); /* what is mapped there next is not ours */
        os_stack_unmap(unneeded, size);
    }
}

size_t kri_slab_mapped(void)
{
    return kri_load_rlx64(&mapped_bytes);
}

bool kri_slab_find(uintptr_t address, kri_stack *stack)
{
    const slab *s = kri_load_acq_ptr(&records); /* [slab-2] */
    for (; s != NULL; s = s->known) {
        uintptr_t base = kri_load_acq64(&s->base); /* [slab-1] */
        if (base == 0 || address < base || address - base >= s->slots * s->slot)
            continue;
        unsigned index = (unsigned)((address - base) / s->slot);
        if ((address - base) % s->slot >= s->gap)
            return false;
        *stack = (kri_stack){.low = low_of(s, index), .size = s->slot - s->gap};
        return true;
    }
    return false;
}

void kri_slab_forked(void)
{
    for (slab_shelf *s = shelves; s < shelves + KRI_STACK_KINDS; s++) {
        if (kri_load_rlx(&s->lock) != 0)
            *s = (slab_shelf){0};
    }
}
