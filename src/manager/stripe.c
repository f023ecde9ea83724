/* A stripe: a hash table that grows and shrinks by one bucket at a time (linear hashing).
 *
 * State.  Buckets 0 to n - 1.  With m the highest power of two that n reaches, a key belongs to the
 * bucket of the lowest bits of its hash that are as many as 2m has; if there is no such bucket, to
 * that of one bit less.  So one more bucket, n, gets its keys from the bucket n - m alone, and the
 * last one can be put back there.  Buckets lie in parts, of which each is as long as all before it:
 * none ever moves.
 *     A link leads to an item, or to nothing; in its highest bits are some of the item's hash, so
 *     that most items that are not wanted are not touched.
 *
 * Protocol.  All within the transaction of who has the domain.  A new item takes the old one's
 * place in its chain by one link; a short value of the same length is written over the old one,
 * each word of which is noted before. With more items than buckets a put adds one bucket.  With
 * fewer than half as many, a removal takes up to two away.  So no call ever moves more than a chain
 * or two, and the record of an undone one is short.
 *
 * Why not two tables, of which one is emptied into the other bit by bit?  Each look would go to
 * both meanwhile; and here is nothing to be finished after a death.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/heap.h"
#include "manager/look.h"
#include <string.h>

enum { AT_ONCE = KRI_UNDO_INSIDE >= 40 ? 5 : 1, IN_PLACE = 128 };
_Static_assert((int)AT_ONCE < (int)KRI_TX_FREED, "and the grave, see shared_list_place.c");

/* A part of empty buckets. */
static void add_part(kri_tx *tx, unsigned domain, kri_stripe *stripe, int part)
{
    if (part >= KRI_STRIPE_PARTS) {
        kri_tx_fail(tx, -EDQUOT);
        return;
    }
    size_t size = kri_part_length(part) * sizeof(kri_word64);
    uint64_t place = kri_tx_alloc(tx, domain, size);
    if (place == 0)
        return;
    memset(kri_space_at(tx->space, place), 0, size);
    kri_tx_set(tx, &stripe->parts[part], place);
}

uint64_t kri_stripe_new(kri_tx *tx, unsigned domain)
{
    uint64_t place = kri_tx_alloc(tx, domain, sizeof(kri_stripe));
    if (place == 0)
        return 0;
    kri_stripe *stripe = kri_space_at(tx->space, place);
    memset(stripe, 0, sizeof *stripe);
    kri_store_rlx64(&stripe->grave.kind, KRI_GRAVE_STRIPE);
    kri_store_rlx64(&stripe->buckets, KRI_FIRST_BUCKETS);
    add_part(tx, domain, stripe, 0);
    return tx->err == 0 ? place : 0;
}

/* Look */

int kri_stripe_each(kri_space *s, const kri_stripe *stripe,
                    int (*each)(const kri_item *item, void *arg), void *arg)
{
    uint64_t buckets = kri_stripe_buckets(stripe), left = kri_load_rlx64(&stripe->count);
    int err = 0;
    for (uint64_t b = 0; b < buckets && left > 0 && err == 0; b++) {
        const kri_word64 *at = kri_bucket_at(s, stripe, b);
        uint64_t link = at != NULL ? kri_load_rlx64(at) : 0;
        for (; link != 0 && err == 0; left--) {
            const kri_item *item = kri_item_at(s, link);
            if (item == NULL || left == 0)
                return KR_ECORRUPT;
            err = each(item, arg);
            link = kri_load_rlx64(&item->next);
        }
        if (at == NULL)
            return KR_ECORRUPT;
    }
    return err;
}

bool kri_stripe_any(kri_space *s, const kri_stripe *stripe, uint64_t from, kri_found *found)
{
    uint64_t buckets = kri_stripe_buckets(stripe);
    for (uint64_t i = 0; i < buckets; i++) {
        kri_word64 *at = kri_bucket_at(s, stripe, (from + i) % buckets);
        if (at == NULL)
            return false;
        if (kri_load_rlx64(at) != 0) {
            *found = (kri_found){at, kri_item_at(s, kri_load_rlx64(at))};
            return found->item != NULL;
        }
    }
    return false;
}

/* Grow and shrink */

static void set_changed(kri_tx *tx, kri_word64 *word, uint64_t value)
{
    if (kri_load_rlx64(word) != value)
        kri_tx_set(tx, word, value);
}

/* Of a chain, those whose hash has the bit go to the other bucket, in their order. */
static void divide(kri_tx *tx, kri_word64 *from, kri_word64 *to, uint64_t bit, uint64_t left)
{
    kri_word64 *stays = from, *goes = to;
    for (uint64_t link = kri_load_rlx64(from); link != 0 && tx->err == 0; left--) {
        kri_item *item = kri_item_at(tx->space, link);
        if (item == NULL || left == 0) {
            kri_tx_fail(tx, KR_ECORRUPT);
            return;
        }
        kri_word64 **tail = item->hash & bit ? &goes : &stays;
        uint64_t next = kri_load_rlx64(&item->next);
        set_changed(tx, *tail, link);
        *tail = &item->next;
        link = next;
    }
    set_changed(tx, stays, 0);
    set_changed(tx, goes, 0);
}

static void grow(kri_tx *tx, unsigned domain, kri_stripe *stripe)
{
    uint64_t buckets = kri_stripe_buckets(stripe), half = kri_highest_bit(buckets);
    int part = kri_stripe_part(buckets);
    if (kri_part_begin(part) == buckets)
        add_part(tx, domain, stripe, part);
    if (tx->err != 0)
        return;
    kri_word64 *from = kri_bucket_at(tx->space, stripe, buckets - half);
    kri_word64 *to = kri_bucket_at(tx->space, stripe, buckets);
    if (from == NULL || to == NULL) {
        kri_tx_fail(tx, KR_ECORRUPT);
        return;
    }
    set_changed(tx, to, 0); /* what a shrinking has left */
    divide(tx, from, to, half, kri_load_rlx64(&stripe->count));
    kri_tx_set(tx, &stripe->buckets, buckets + 1);
}

static void shrink(kri_tx *tx, kri_stripe *stripe)
{
    uint64_t last = kri_stripe_buckets(stripe) - 1, left = kri_load_rlx64(&stripe->count);
    kri_word64 *from = kri_bucket_at(tx->space, stripe, last);
    kri_word64 *to = kri_bucket_at(tx->space, stripe, last - kri_highest_bit(last));
    uint64_t first = from != NULL ? kri_load_rlx64(from) : 0;
    for (; to != NULL && kri_load_rlx64(to) != 0; left--) {
        kri_item *item = kri_item_at(tx->space, kri_load_rlx64(to));
        to = item != NULL && left > 0 ? &item->next : NULL;
    }
    if (from == NULL || to == NULL) {
        kri_tx_fail(tx, KR_ECORRUPT);
        return;
    }
    if (first != 0)
        kri_tx_set(tx, to, first);
    kri_tx_set(tx, &stripe->buckets, last);
    int part = kri_stripe_part(last);
    if (kri_part_begin(part) == last) {
        kri_tx_free(tx, kri_load_rlx64(&stripe->parts[part]));
        kri_tx_set(tx, &stripe->parts[part], 0);
    }
}

/* Change */

static uint64_t make_item(kri_tx *tx, unsigned domain, const kri_key *key, const void *value,
                          size_t size)
{
    size_t key_room = (key->size + 7) & ~(size_t)7;
    if (size > UINT32_MAX) {
        kri_tx_fail(tx, -EDQUOT);
        return 0;
    }
    uint64_t place = kri_tx_alloc(tx, domain, sizeof(kri_item) + key_room + size);
    if (place == 0)
        return 0;
    kri_item *item = kri_space_at(tx->space, place);
    item->hash = key->hash;
    item->key_size = (uint32_t)key->size;
    item->value_size = (uint32_t)size;
    memcpy(item->bytes, key->bytes, key->size);
    memcpy(item->bytes + key_room, value, size);
    return place;
}

/* In place of one of the same length, which few words hold. */
static void overwrite(kri_tx *tx, kri_item *item, const void *value, size_t size)
{
    uint64_t words[IN_PLACE / sizeof(uint64_t)] = {0};
    memcpy(words, value, size);
    kri_tx_write(tx, (kri_word64 *)(uintptr_t)kri_item_value(item), words, (size + 7) / 8);
}

void kri_stripe_put(kri_tx *tx, unsigned domain, kri_stripe *stripe, const kri_found *found,
                    const kri_key *key, const void *value, size_t size)
{
    if (found->item != NULL && found->item->value_size == size && size <= IN_PLACE) {
        overwrite(tx, found->item, value, size);
        return;
    }
    uint64_t place = make_item(tx, domain, key, value, size);
    if (place == 0)
        return;
    kri_item *item = kri_space_at(tx->space, place);
    uint64_t old = kri_load_rlx64(found->link);
    uint64_t next = found->item != NULL ? kri_load_rlx64(&found->item->next) : old;
    kri_store_rlx64(&item->next, next);
    kri_tx_set(tx, found->link, place | kri_link_tag(key->hash));
    if (found->item != NULL) {
        kri_tx_free(tx, kri_link_place(old));
        return;
    }
    uint64_t count = kri_load_rlx64(&stripe->count) + 1;
    kri_tx_set(tx, &stripe->count, count);
    if (count > kri_stripe_buckets(stripe) &&
        kri_stripe_buckets(stripe) < kri_part_begin(KRI_STRIPE_PARTS))
        grow(tx, domain, stripe);
}

void kri_stripe_remove(kri_tx *tx, kri_stripe *stripe, const kri_found *found)
{
    uint64_t link = kri_load_rlx64(found->link), count = kri_load_rlx64(&stripe->count) - 1;
    kri_tx_set(tx, found->link, kri_load_rlx64(&found->item->next));
    kri_tx_set(tx, &stripe->count, count);
    kri_tx_free(tx, kri_link_place(link));
    for (int i = 0; i < 2 && tx->err == 0; i++) {
        uint64_t buckets = kri_stripe_buckets(stripe);
        if (buckets > KRI_FIRST_BUCKETS && 2 * count < buckets)
            shrink(tx, stripe);
    }
}

/* The last bucket goes first, whose items are what is left to count. */
bool kri_stripe_dig(kri_tx *tx, uint64_t grave)
{
    kri_stripe *stripe = kri_stripe_at(tx->space, grave);
    for (int i = 0; i < AT_ONCE && stripe != NULL && tx->err == 0; i++) {
        uint64_t buckets = kri_stripe_buckets(stripe);
        kri_word64 *at = buckets != 0 ? kri_bucket_at(tx->space, stripe, buckets - 1) : NULL;
        if (buckets == 0)
            return true;
        kri_item *item = at != NULL ? kri_item_at(tx->space, kri_load_rlx64(at)) : NULL;
        int part = kri_stripe_part(buckets - 1);
        if (at != NULL && kri_load_rlx64(at) == 0) {
            kri_tx_set(tx, &stripe->buckets, buckets - 1);
            if (kri_part_begin(part) == buckets - 1)
                kri_tx_free(tx, kri_load_rlx64(&stripe->parts[part]));
        } else if (item != NULL) {
            kri_tx_free(tx, kri_link_place(kri_load_rlx64(at)));
            kri_tx_set(tx, at, kri_load_rlx64(&item->next));
        } else {
            kri_tx_fail(tx, KR_ECORRUPT);
        }
    }
    if (stripe == NULL)
        kri_tx_fail(tx, KR_ECORRUPT);
    return false;
}
