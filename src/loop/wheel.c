/* Entries that are far away.
 *
 * A key is a number of eleven digits of six bits.  An entry stands in the bucket of the first digit
 * in which its key differs from that of the base: so all in the buckets of a lower level come
 * before all of a higher one, and in a level the buckets are in order.  The first bucket is taken
 * as it is if it has few entries or one key; else its entries are put again, with what their keys
 * have in common as the base, each some levels lower.  So an entry is moved a few times, and
 * buckets become as narrow as the entries are dense, whatever the unit of time.
 *
 * Buckets are lists of chunks.  What is done to all entries goes along memory, and touches neither
 * slots nor timers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "loop/wheel.h"
#include <string.h>

enum {
    BITS = 6,
    SIDE = 1 << BITS, /* buckets of a level */
    LEVELS = 11,
    IN_CHUNK = 31,
    FEW = 512, /* that a heap sorts within the nearest cache */
};

typedef kri_timer_entry entry;

typedef struct chunk {
    uint32_t next;
    entry entries[IN_CHUNK];
} __attribute__((aligned(64))) chunk;

_Static_assert(sizeof(chunk) == 512, "lines of a cache, all used");

typedef struct bucket {
    uint32_t chunk; /* the one that is being filled; chunk 0 is none */
    uint32_t count;
} bucket;

struct kri_wheel {
    kr_time base;
    kr_time near;
    size_t count;
    uint32_t spare;  /* chunks that were used */
    uint32_t fresh;  /* chunks that were ever used */
    uint32_t levels; /* which have entries */
    uint64_t digits[LEVELS];
    bucket buckets[LEVELS * SIDE];
    chunk chunks[];
};

/* While entries are put again, one chunk more is in use than they fill. */
size_t kri_wheel_size(size_t entries)
{
    size_t chunks = entries / IN_CHUNK + (size_t)LEVELS * SIDE + 2;
    return sizeof(kri_wheel) + (chunks + 1) * sizeof(chunk);
}

void kri_wheel_copy(kri_wheel *to, const kri_wheel *from)
{
    memcpy(to, from, sizeof *from + ((size_t)from->fresh + 1) * sizeof(chunk));
}

kr_time kri_wheel_near(const kri_wheel *wheel)
{
    return wheel->near;
}

kr_time kri_wheel_open(kri_wheel *wheel, kr_time first)
{
    if (wheel->count == 0)
        wheel->base = first > 0 ? first : 0;
    wheel->near = wheel->base - 1;
    return wheel->base;
}

static uint32_t take_chunk(kri_wheel *wheel)
{
    uint32_t number = wheel->spare;
    if (number == 0)
        return ++wheel->fresh;
    wheel->spare = wheel->chunks[number].next;
    return number;
}

static void free_chunk(kri_wheel *wheel, uint32_t number)
{
    wheel->chunks[number].next = wheel->spare;
    wheel->spare = number;
}

/* The last digit counts as different if all are the same. */
static unsigned level_of(const kri_wheel *wheel, kr_time key)
{
    uint64_t differs = (uint64_t)(key ^ wheel->base) | (SIDE - 1);
    return (unsigned)(63 - __builtin_clzll(differs)) / BITS;
}

static unsigned digit_of(kr_time key, unsigned level)
{
    return (unsigned)((uint64_t)key >> level * BITS) % SIDE;
}

void kri_wheel_put(kri_wheel *wheel, entry e)
{
    unsigned level = level_of(wheel, e.key), digit = digit_of(e.key, level);
    bucket *b = &wheel->buckets[level * SIDE + digit];
    uint32_t at = b->count++ % IN_CHUNK;
    if (at == 0) {
        uint32_t number = take_chunk(wheel);
        wheel->chunks[number].next = b->chunk;
        b->chunk = number;
        wheel->digits[level] |= UINT64_C(1) << digit;
        wheel->levels |= 1u << level;
    }
    wheel->chunks[b->chunk].entries[at] = e;
    wheel->count++;
}

static bucket empty(kri_wheel *wheel, unsigned level, unsigned digit)
{
    bucket *b = &wheel->buckets[level * SIDE + digit];
    bucket all = *b;
    *b = (bucket){0};
    wheel->count -= all.count;
    wheel->digits[level] &= ~(UINT64_C(1) << digit);
    if (wheel->digits[level] == 0)
        wheel->levels &= ~(1u << level);
    return all;
}

/* The entries of a chunk at a time, the last first; the chunk is free after the next call. */
static uint32_t fill_of(const bucket *rest)
{
    return rest->count == 0 ? 0 : (rest->count - 1) % IN_CHUNK + 1;
}

static void drop_chunk(kri_wheel *wheel, bucket *rest, uint32_t fill)
{
    uint32_t number = rest->chunk;
    rest->chunk = wheel->chunks[number].next;
    rest->count -= fill;
    free_chunk(wheel, number);
}

bool kri_wheel_take_back(kri_wheel *wheel, entry e)
{
    unsigned level = level_of(wheel, e.key), digit = digit_of(e.key, level);
    bucket *b = &wheel->buckets[level * SIDE + digit];
    uint32_t fill = fill_of(b);
    if (fill == 0)
        return false;
    const entry *last = &wheel->chunks[b->chunk].entries[fill - 1];
    if (last->slot != e.slot || last->order != e.order)
        return false;
    if (b->count == 1) {
        bucket all = empty(wheel, level, digit);
        drop_chunk(wheel, &all, 1);
    } else if (fill == 1) {
        drop_chunk(wheel, b, 1);
        wheel->count--;
    } else {
        b->count--;
        wheel->count--;
    }
    return true;
}

static void put_again(kri_wheel *wheel, bucket rest)
{
    for (uint32_t fill; (fill = fill_of(&rest)) > 0; drop_chunk(wheel, &rest, fill))
        for (uint32_t i = 0; i < fill; i++)
            kri_wheel_put(wheel, wheel->chunks[rest.chunk].entries[i]);
}

static size_t take_all(kri_wheel *wheel, bucket rest, entry *to)
{
    size_t count = rest.count;
    for (uint32_t fill; (fill = fill_of(&rest)) > 0; drop_chunk(wheel, &rest, fill)) {
        memcpy(to, wheel->chunks[rest.chunk].entries, fill * sizeof *to);
        to += fill;
    }
    return count;
}

/* Which bits are not the same in all keys. */
static uint64_t difference(const kri_wheel *wheel, bucket rest)
{
    uint64_t differs = 0;
    kr_time key = wheel->chunks[rest.chunk].entries[0].key;
    for (uint32_t fill; (fill = fill_of(&rest)) > 0; rest.count -= fill) {
        const chunk *c = &wheel->chunks[rest.chunk];
        for (uint32_t i = 0; i < fill; i++)
            differs |= (uint64_t)(key ^ c->entries[i].key);
        rest.chunk = c->next;
    }
    return differs;
}

size_t kri_wheel_take(kri_wheel *wheel, entry *to)
{
    for (;;) {
        unsigned level = (unsigned)__builtin_ctz(wheel->levels);
        unsigned digit = (unsigned)__builtin_ctzll(wheel->digits[level]);
        bucket first = empty(wheel, level, digit);
        uint64_t key = (uint64_t)wheel->chunks[first.chunk].entries[0].key;
        uint64_t width = UINT64_C(1) << level * BITS;
        uint64_t differs = first.count <= FEW ? width - 1 : difference(wheel, first);
        if (first.count <= FEW || differs == 0) {
            wheel->base = (kr_time)(key & ~differs);
            wheel->near = (kr_time)(key | differs);
            return take_all(wheel, first, to);
        }
        width = UINT64_C(2) << (63 - __builtin_clzll(differs));
        wheel->base = (kr_time)(key & ~(width - 1));
        put_again(wheel, first);
    }
}

static void sweep_bucket(kri_wheel *wheel, bucket rest,
                         bool (*out)(const void *arg, const entry *e), const void *arg)
{
    for (uint32_t fill; (fill = fill_of(&rest)) > 0; drop_chunk(wheel, &rest, fill)) {
        for (uint32_t i = 0; i < fill; i++) {
            entry e = wheel->chunks[rest.chunk].entries[i];
            if (!out(arg, &e))
                kri_wheel_put(wheel, e);
        }
    }
}

size_t kri_wheel_sweep(kri_wheel *wheel, bool (*out)(const void *arg, const entry *e),
                       const void *arg)
{
    for (unsigned level = 0; level < LEVELS; level++) {
        for (uint64_t digits = wheel->digits[level]; digits != 0; digits &= digits - 1) {
            unsigned digit = (unsigned)__builtin_ctzll(digits);
            sweep_bucket(wheel, empty(wheel, level, digit), out, arg);
        }
    }
    return wheel->count;
}

void kri_wheel_clear(kri_wheel *wheel)
{
    memset(wheel, 0, sizeof *wheel);
}
