/* The space in which shared objects lie, and transactions on it.
 *
 *     state      the head (queue/segment.h), what the whole space has, and its domains
 *     table      one entry for each chunk
 *     chunks     of 64 pages
 *
 * Places are offsets from the beginning; 0 is none.  The whole address space that the limit allows
 * for is mapped from the start; which of it has memory the table says (pages.c).
 *
 * A domain is a lock, the undo record of who has it (undo.c), and a heap (heap.c).  Everything in
 * the space that changes is guarded by one domain: stripe n of every dict by domain n, other
 * objects by the one of their number.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef KRI_MANAGER_SPACE_H
#define KRI_MANAGER_SPACE_H

#include "queue/segment.h"
#include "sync/internal.h"
#include <krait/base.h>
#include <krait/lock.h>

#ifdef KRI_MODEL /* so small that short runs come to every part */
enum { KRI_DOMAINS = 2, KRI_UNDO_INSIDE = 12, KRI_UNDO_FIRST_PAGES = 1, KRI_SPARE_CHUNKS = 0 };
enum { KRI_PAGE = 512, KRI_CHUNK_PAGES = 8 };
#else
enum { KRI_DOMAINS = 32, KRI_UNDO_INSIDE = 93, KRI_UNDO_FIRST_PAGES = 16, KRI_SPARE_CHUNKS = 4 };
enum { KRI_PAGE = 4096, KRI_CHUNK_PAGES = 64 };
#endif
enum { KRI_CHUNK = KRI_PAGE * KRI_CHUNK_PAGES, KRI_UNDO_MORE = 6, KRI_CLASSES = 21 };
#define KRI_ALL_DOMAINS ((UINT64_C(1) << KRI_DOMAINS) - 1)
_Static_assert(KRI_DOMAINS < 64, "a set of them is one word");

/* What a word was, or what is to be done; `where` has in its lowest bits which: undo.c. */
typedef struct kri_undo {
    kri_word64 where;
    kri_word64 old;
} kri_undo;

typedef struct kri_domain {
    kr_lock lock;
    kri_word64 log;                 /* how many entries the record has, and its phase */
    kri_word64 leader;              /* 1 + the domain in whose record this one's changes are */
    kri_word64 joint;               /* which others' are in this record */
    kri_word64 graves;              /* what is cut off, and to be taken to pieces: graves.c */
    kri_word64 more[KRI_UNDO_MORE]; /* pages for further entries, each twice as many */
    kri_word64 unused[5];
    kri_word64 slabs[KRI_CLASSES]; /* the first slab with room of each class */
    kri_undo inside[KRI_UNDO_INSIDE];
} __attribute__((aligned(64))) kri_domain;

/* 64 pages, or part of a longer run of chunks.  pages.c. */
typedef struct kri_chunk {
    kri_word64 used; /* one bit a page */
    kri_word64 ends; /* the last page of each run */
    kri_word64 info; /* what it is, and how many chunks or pages long */
    kri_word64 unused;
} kri_chunk;

/* What an object has that is not part of it: 64 bytes that stay what they are. */
typedef struct kri_object {
    kri_word64 id;   /* a number that was never given before, and the kind; see directory.c */
    kri_word64 body; /* the kind's own, as what follows */
    kri_word64 words[5];
    kri_word64 next; /* of those that are free */
} kri_object;

typedef struct kri_space_state {
    kri_segment segment;
    kri_word64 taken;   /* guarded by the central domain: bytes from the system, as what follows */
    kri_word64 top;     /* no chunk from there on has memory */
    kri_word64 hint;    /* no chunk before it has a free page */
    kri_word64 spares;  /* how many chunks have memory and nothing in it */
    kri_word64 work;    /* the chunks that are given memory, or robbed of it: pages.c */
    kri_word64 free;    /* guarded by domain 0: the first free object */
    kri_word64 last_id; /* the same */
    kri_word64 objects; /* the same: how many have names */
    kri_word64 deaths;  /* atomic */
    kri_word64 undone;  /* atomic */
    uint64_t seed[2];   /* constant: of the hash */
    kri_object root;    /* the directory, a dict */
    kri_domain domains[KRI_DOMAINS + 1]; /* the last: the central one */
} kri_space_state;

/* The numbers of the segment. */
enum {
    KRI_SPACE_LIMIT,
    KRI_SPACE_TABLE,  /* where the table begins */
    KRI_SPACE_FIRST,  /* and the first chunk */
    KRI_SPACE_CHUNKS, /* how many there can be */
    KRI_SPACE_SHAPE,  /* what must be the same for all: sizes of pages and chunks, domains */
};

/* The view that a process has: private, so its numbers can be trusted.  Constant. */
typedef struct kri_space {
    kri_space_state *state;
    unsigned char *base; /* the same address */
    kri_chunk *table;
    uint64_t first; /* chunk, its offset */
    uint64_t end;   /* of the last */
    uint64_t chunks;
    uint64_t limit;
    int fd;          /* -1: memory of the caller's, none is taken or given back */
    kr_time timeout; /* for a lock */
} kri_space;

static inline void *kri_space_at(const kri_space *s, uint64_t offset)
{
    return s->base + offset;
}

static inline uint64_t kri_space_offset(const kri_space *s, const void *at)
{
    return (uint64_t)((const unsigned char *)at - s->base);
}

/* kri_space_has - do `size` bytes lie there, as far as one can see? */
static inline bool kri_space_has(const kri_space *s, uint64_t offset, uint64_t size)
{
    return offset >= s->first && offset < s->end && size <= s->end - offset && offset % 16 == 0;
}

/* Transactions: changes of words that are there all or none, wherever the process is killed.
 *
 *     kri_tx tx;
 *     int err = kri_tx_begin(&tx, s, UINT64_C(1) << domain);   // has the locks
 *     ...                                                      // look, and find out
 *     uint64_t place = kri_tx_alloc(&tx, domain, size);        // 0: tx.err says why
 *     if (place != 0) {
 *         memcpy(kri_space_at(s, place), ...);                 // nobody can reach it: no undo
 *         kri_tx_set(&tx, &head->first, place);                // was noted before
 *     }
 *     err = kri_tx_end(&tx);                                   // done, or as before; no locks
 *
 * Every word that others can reach is a kri_word64 and changed by kri_tx_set only.  After an error
 * the transaction goes on in vain: sets do nothing, allocs give 0, and the end returns the error.
 * Between begin and end nobody waits for anything else. */
enum { KRI_TX_FREED = 16 }; /* and so many without private memory */
typedef struct kri_tx {
    kri_space *space;
    kri_domain *leader;
    uint64_t domains;
    uint64_t count; /* of entries */
    uint64_t room;  /* for entries */
    int err;
    bool drops; /* pages to be given up are among the entries */
    uint32_t freed_count;
    uint32_t freed_room;
    uint64_t *freed; /* blocks that are to be free with the commit */
    uint64_t freed_inside[KRI_TX_FREED];
} kri_tx;

/* kri_tx_begin - lock the domains of the set, and put right what the dead have left there.
 *
 * 0; -ETIMEDOUT: somebody was stopped; KR_ECORRUPT.  Nothing is held then. */
int kri_tx_begin(kri_tx *tx, kri_space *s, uint64_t domains);

/* kri_tx_set - the word becomes value, and what it was is noted. */
void kri_tx_set(kri_tx *tx, kri_word64 *word, uint64_t value);

/* kri_tx_write - the same for some words beside each other. */
void kri_tx_write(kri_tx *tx, kri_word64 *words, const uint64_t *values, size_t count);

/* kri_tx_fail - end in vain, with this error, unless there was one before. */
static inline void kri_tx_fail(kri_tx *tx, int err)
{
    if (tx->err == 0)
        tx->err = err;
}

/* kri_tx_alloc - a block from the heap of a domain that is locked; aligned to 16, and to 64 if the
 * size is a multiple of that.  What is in it is not defined.  0: tx->err is -EDQUOT, -ENOSPC,
 * -ETIMEDOUT or KR_ECORRUPT. */
uint64_t kri_tx_alloc(kri_tx *tx, unsigned domain, size_t size);

/* kri_tx_free - the block is free once the transaction is committed.  Its domain is locked, or it
 * is longer than KRI_BLOCK_MOST. */
void kri_tx_free(kri_tx *tx, uint64_t block);

/* kri_tx_commit - what was done so far is done, or if tx->err undone; the locks stay, and another
 * transaction begins.  Returns what tx->err was.  The other one has failed from the start where
 * something of the first is left to be cleared away: tx->err is -ETIMEDOUT then. */
int kri_tx_commit(kri_tx *tx);

/* kri_tx_end - the same, and give up the locks. */
int kri_tx_end(kri_tx *tx);

/* kri_tx_cancel - as kri_tx_end, undone; returns err. */
int kri_tx_cancel(kri_tx *tx, int err);

/* A look at one domain, which changes nothing. */
int kri_look_begin_slowly(kri_space *s, kri_domain *d); /* as kri_tx_begin */
static inline bool kri_domain_is_settled(const kri_domain *d)
{
    return (kri_load_rlx64(&d->log) | kri_load_rlx64(&d->leader) | kri_load_rlx64(&d->graves) |
            kri_load_rlx64(&d->joint)) == 0;
}
static inline int kri_look_begin(kri_space *s, kri_domain *d)
{
    if (kri_lock_take_shared(&d->lock)) {
        if (kri_domain_is_settled(d))
            return 0;
        (void)kr_lock_release(&d->lock);
    }
    return kri_look_begin_slowly(s, d);
}
static inline void kri_look_end(kri_domain *d)
{
    if (!kri_lock_give_shared(&d->lock))
        (void)kr_lock_release(&d->lock);
}

/* For the heap. */

/* kri_tx_adopt - begin, by who has the locks of those domains, and has settled them. */
void kri_tx_adopt(kri_tx *tx, kri_space *s, uint64_t domains);

/* kri_tx_take_pages - a run of pages; 0: see tx->err.  kri_tx_drop_pages - the run that begins
 * there is free after the commit. */
uint64_t kri_tx_take_pages(kri_tx *tx, uint64_t pages);
void kri_tx_drop_pages(kri_tx *tx, uint64_t offset);

#endif
