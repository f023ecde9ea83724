/* Blocks of a domain: pages of blocks of one size.
 *
 * State.  A page of blocks is full, and in no list; or has room, and is in its domain's list of
 * that size.  An empty one is given up unless it is the only one in the list.
 *
 * Fields, of a page.
 *     head      how many blocks are used; the first of those that were freed; how many were ever
 *               given out: the rest was never touched
 *     next, previous   in the list
 *     kind      constant: the size, and whose it is
 * A freed block has in its first word which was freed before it.
 *
 * Protocol.  All within the transaction of who has the domain: an undone one leaves the lists as
 * they were.  The first word of a block that is given out is noted too, since what is put there
 * afterwards is not.
 *     A block longer than the longest size has pages of its own.
 *
 * Why one heap a domain, and not one of all?  Who has a domain's lock takes no other for a block;
 * and the pages that two processes write to are different ones, unless they want the same domain.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/heap.h"

typedef struct page {
    kri_word64 head;
    kri_word64 next;
    kri_word64 previous;
    kri_word64 kind;
    uint64_t unused[4];
} page;

enum { UNIT = 16, USED_AT = 16, FRESH_AT = 32, CLASS_AT = 8, HEAD = sizeof(page), EVEN = 7 };
#define MARK UINT64_C(0x6b72706167650000)
#define PART UINT64_C(0xffff)

/* Those of more than 128 bytes are about as many for each power of two. */
static const uint16_t sizes[KRI_CLASSES] = {32,  48,  64,  80,  96,  112, 128, 160, 192,  224, 256,
                                            320, 384, 448, 512, 576, 640, 768, 960, 1344, 1984};

static unsigned class_of(size_t size)
{
    if (size <= sizes[EVEN - 1])
        return size <= sizes[0] ? 0 : (unsigned)((size + UNIT - 1) / UNIT) - 2;
    unsigned sort = EVEN;
    while (sizes[sort] < size)
        sort++;
    return sort;
}

size_t kri_heap_size(size_t size)
{
    return size <= KRI_BLOCK_MOST ? sizes[class_of(size)]
                                  : (size + KRI_PAGE - 1) / KRI_PAGE * KRI_PAGE;
}

static page *page_at(kri_tx *tx, uint64_t offset)
{
    return kri_space_at(tx->space, offset);
}

static kri_word64 *list_of(kri_tx *tx, unsigned domain, unsigned sort)
{
    return &tx->space->state->domains[domain].slabs[sort];
}

/* The page that begins there; NULL: none. */
static page *sound_page(kri_tx *tx, uint64_t offset)
{
    bool has = kri_space_has(tx->space, offset, KRI_PAGE) && offset % KRI_PAGE == 0;
    page *p = has ? page_at(tx, offset) : NULL;
    uint64_t kind = p != NULL ? kri_load_rlx64(&p->kind) : 0;
    bool sound = (kind & ~PART) == MARK && (kind >> CLASS_AT & 255) < KRI_CLASSES &&
                 (kind & 255) < KRI_DOMAINS;
    if (!sound)
        kri_tx_fail(tx, KR_ECORRUPT);
    return sound ? p : NULL;
}

static uint64_t capacity_of(unsigned sort)
{
    return (uint64_t)(KRI_PAGE - HEAD) / sizes[sort];
}

static void link_first(kri_tx *tx, kri_word64 *list, page *p)
{
    uint64_t first = kri_load_rlx64(list), own = kri_space_offset(tx->space, p);
    page *behind = first != 0 ? sound_page(tx, first) : NULL;
    kri_tx_set(tx, &p->next, first);
    kri_tx_set(tx, &p->previous, 0);
    if (behind != NULL)
        kri_tx_set(tx, &behind->previous, own);
    kri_tx_set(tx, list, own);
}

static void link_out(kri_tx *tx, kri_word64 *list, page *p)
{
    uint64_t next = kri_load_rlx64(&p->next), previous = kri_load_rlx64(&p->previous);
    page *behind = next != 0 ? sound_page(tx, next) : NULL;
    page *before = previous != 0 ? sound_page(tx, previous) : NULL;
    if (behind != NULL)
        kri_tx_set(tx, &behind->previous, previous);
    kri_tx_set(tx, before != NULL ? &before->next : list, next);
}

static page *new_page(kri_tx *tx, unsigned domain, unsigned sort)
{
    uint64_t offset = kri_tx_take_pages(tx, 1);
    if (offset == 0)
        return NULL;
    page *p = page_at(tx, offset);
    kri_store_rlx64(&p->head, 0);
    kri_store_rlx64(&p->next, 0);
    kri_store_rlx64(&p->previous, 0);
    kri_store_rlx64(&p->kind, MARK | sort << CLASS_AT | domain);
    kri_tx_set(tx, list_of(tx, domain, sort), offset);
    return p;
}

static uint64_t take_block(kri_tx *tx, kri_word64 *list, page *p, unsigned sort)
{
    uint64_t own = kri_space_offset(tx->space, p), head = kri_load_rlx64(&p->head);
    uint64_t freed = head & PART, used = (head >> USED_AT & PART) + 1, fresh = head >> FRESH_AT;
    uint64_t block = freed != 0 ? own + freed * UNIT : own + HEAD + fresh * sizes[sort];
    if (used > capacity_of(sort) || block - own > (uint64_t)KRI_PAGE - sizes[sort]) {
        kri_tx_fail(tx, KR_ECORRUPT);
        return 0;
    }
    if (freed != 0) {
        kri_word64 *first = kri_space_at(tx->space, block);
        uint64_t link = kri_load_rlx64(first);
        kri_tx_set(tx, first, link);
        freed = link & PART;
    } else {
        fresh++;
    }
    kri_tx_set(tx, &p->head, freed | used << USED_AT | fresh << FRESH_AT);
    if (used == capacity_of(sort))
        link_out(tx, list, p);
    return tx->err == 0 ? block : 0;
}

uint64_t kri_tx_alloc(kri_tx *tx, unsigned domain, size_t size)
{
    if (tx->err != 0)
        return 0;
    if (size > KRI_BLOCK_MOST)
        return kri_tx_take_pages(tx, (size + KRI_PAGE - 1) / KRI_PAGE);
    unsigned sort = class_of(size);
    kri_word64 *list = list_of(tx, domain, sort);
    uint64_t first = kri_load_rlx64(list);
    page *p = first != 0 ? sound_page(tx, first) : new_page(tx, domain, sort);
    return p != NULL ? take_block(tx, list, p, sort) : 0;
}

/* The only page with room may be empty; behind another one it is not needed. */
static void drop_if_empty(kri_tx *tx, kri_word64 *list, uint64_t offset)
{
    page *p = offset != 0 ? sound_page(tx, offset) : NULL;
    if (p == NULL || (kri_load_rlx64(&p->head) >> USED_AT & PART) != 0)
        return;
    link_out(tx, list, p);
    kri_tx_drop_pages(tx, offset);
}

void kri_heap_free(kri_tx *tx, uint64_t block)
{
    if (block % KRI_PAGE == 0) {
        kri_tx_drop_pages(tx, block);
        return;
    }
    page *p = sound_page(tx, block / KRI_PAGE * KRI_PAGE);
    if (block % UNIT != 0)
        kri_tx_fail(tx, KR_ECORRUPT);
    if (p == NULL || tx->err != 0)
        return;
    uint64_t kind = kri_load_rlx64(&p->kind), head = kri_load_rlx64(&p->head);
    unsigned sort = (unsigned)(kind >> CLASS_AT & 255);
    kri_word64 *list = list_of(tx, (unsigned)(kind & 255), sort);
    uint64_t used = head >> USED_AT & PART;
    if (used == 0) {
        kri_tx_fail(tx, KR_ECORRUPT);
        return;
    }
    kri_tx_set(tx, kri_space_at(tx->space, block), head & PART);
    kri_tx_set(tx, &p->head,
               block % KRI_PAGE / UNIT | (used - 1) << USED_AT | head >> FRESH_AT << FRESH_AT);
    if (used == capacity_of(sort)) {
        uint64_t second = kri_load_rlx64(list);
        link_first(tx, list, p);
        drop_if_empty(tx, list, second);
    } else if (used == 1 && (kri_load_rlx64(&p->next) | kri_load_rlx64(&p->previous)) != 0) {
        link_out(tx, list, p);
        kri_tx_drop_pages(tx, kri_space_offset(tx->space, p));
    }
}

void kri_heap_trim(kri_tx *tx, unsigned domain)
{
    for (unsigned sort = 0; sort < KRI_CLASSES && tx->err == 0; sort++) {
        kri_word64 *list = list_of(tx, domain, sort);
        drop_if_empty(tx, list, kri_load_rlx64(list));
    }
}
