/* A pool's common queue: against a reference, with producers and consumers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "queue/injection.h"

enum { CHUNK = KRI_INJECTION_CHUNK };

TEST(all_zero_is_empty_and_open)
{
    kri_injection q = {0};
    uint64_t items[CHUNK];

    CHECK(kri_injection_is_empty(&q));
    CHECK_EQ(kri_injection_length(&q), 0);
    CHECK_EQ(kri_injection_take(&q, items, CHUNK), 0);
    CHECK_EQ(kri_injection_push(&q, 5), 0);
    CHECK_EQ(kri_injection_length(&q), 1);
    CHECK_EQ(kri_injection_take(&q, items, CHUNK), 1);
    CHECK_EQ(items[0], 5);
    CHECK(kri_injection_is_empty(&q));
    kri_injection_free(&q);
    kri_injection_free(&q);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void push_some(kri_injection *q, uint64_t first, uint64_t end)
{
    for (uint64_t i = first; i < end; i++)
        CHECK_EQ(kri_injection_push(q, i), 0);
}

/* Takes exactly the items from first to end - 1. */
static void take_some(kri_injection *q, uint64_t first, uint64_t end, size_t most)
{
    uint64_t items[CHUNK];

    while (first < end) {
        size_t count = kri_injection_take(q, items, least(most, end - first));
        CHECK(count >= 1 && count <= least(most, end - first));
        for (size_t i = 0; i < count; i++)
            CHECK_EQ(items[i], first++);
    }
}

TEST(a_full_chunk_is_taken_at_once)
{
    kri_injection q = {0};
    uint64_t items[CHUNK];

    push_some(&q, 1, 1 + 2 * CHUNK);
    CHECK_EQ(kri_injection_take(&q, items, CHUNK), CHUNK);
    for (uint64_t i = 0; i < CHUNK; i++)
        CHECK_EQ(items[i], 1 + i);
    CHECK_EQ(kri_injection_take(&q, items, 1), 1);
    CHECK_EQ(items[0], 1 + CHUNK);
    CHECK_EQ(kri_injection_take(&q, items, CHUNK), CHUNK - 1);
    CHECK_EQ(items[CHUNK - 2], 2 * CHUNK);
    CHECK(kri_injection_is_empty(&q));
    kri_injection_free(&q);
}

TEST(the_order_is_kept_whatever_is_asked_for)
{
    kri_injection q = {0};

    for (size_t most = 1; most <= CHUNK; most++) {
        push_some(&q, 1, 501);
        take_some(&q, 1, 501, most);
        CHECK(kri_injection_is_empty(&q));
    }
    kri_injection_free(&q);
}

TEST(closed_takes_no_more_and_gives_what_it_has)
{
    kri_injection q = {0};

    push_some(&q, 1, 100);
    kri_injection_close(&q, KR_ESHUTDOWN);
    CHECK_EQ(kri_injection_push(&q, 1000), KR_ESHUTDOWN);
    kri_injection_close(&q, KR_EBROKEN);
    CHECK_EQ(kri_injection_push(&q, 1000), KR_EBROKEN);
    CHECK_EQ(kri_injection_length(&q), 99);
    take_some(&q, 1, 100, CHUNK);
    CHECK_EQ(kri_injection_push(&q, 1000), KR_EBROKEN);
    kri_injection_close(&q, 0);
    push_some(&q, 100, 110);
    take_some(&q, 100, 110, CHUNK);
    kri_injection_free(&q);
}

static int spares_of(const kri_injection *q)
{
    int count = 0;
    for (int i = 0; i < KRI_INJECTION_SPARES; i++)
        count += q->spares[i].bits != NULL;
    return count;
}

/* A steady flow allocates nothing. */
TEST(empty_chunks_are_used_again)
{
    kri_injection q = {0};

    push_some(&q, 1, 1 + CHUNK);
    const void *chunk = q.first;
    uint64_t next = 1;
    for (uint64_t i = 1; i < 1000; i += CHUNK) {
        take_some(&q, i, i + CHUNK, CHUNK);
        CHECK_EQ(spares_of(&q), 1);
        push_some(&q, i + CHUNK, i + 2 * CHUNK);
        CHECK(q.first == chunk);
        CHECK_EQ(spares_of(&q), 0);
        next = i + CHUNK;
    }
    take_some(&q, next, next + CHUNK, CHUNK);
    CHECK(kri_injection_is_empty(&q));
    push_some(&q, 1, 1 + 5 * CHUNK);
    take_some(&q, 1, 1 + 5 * CHUNK, CHUNK);
    CHECK_EQ(spares_of(&q), KRI_INJECTION_SPARES);
    kri_injection_free(&q);
    CHECK_EQ(spares_of(&q), 0);
}

/* Whole chunks away at the front, in the middle, at the end, and all. */
typedef struct range {
    uint64_t first, end;
    size_t asked;
} range;

static bool is_within(uint64_t item, void *context)
{
    range *r = context;
    r->asked++;
    return item >= r->first && item < r->end;
}

TEST(sweep_drops_the_stale_ones_only)
{
    enum { ALL = 3 * CHUNK + 10 };
    static const range ranges[] = {
        {1, 2, 0},           {1, CHUNK + 1, 0}, {1, ALL, 0},     {CHUNK, CHUNK + 3, 0},
        {5, 2 * CHUNK, 0},   {ALL - 1, ALL, 0}, {100, ALL, 0},   {0, 0, 0},
        {2 * CHUNK, ALL, 0}, {3, 4, 0},         {70, ALL - 1, 0}};

    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++)
        for (uint64_t gone = 0; gone < CHUNK; gone += 21) {
            kri_injection q = {0};
            range r = ranges[i];
            r.first = r.first > gone ? r.first : gone + 1;
            r.end = r.end > r.first ? r.end : r.first;
            push_some(&q, 1, ALL);
            take_some(&q, 1, gone + 1, CHUNK);
            CHECK_EQ(kri_injection_sweep(&q, is_within, &r), r.end - r.first);
            CHECK_EQ(r.asked, ALL - 1 - gone);
            CHECK_EQ(kri_injection_length(&q), ALL - 1 - gone - (r.end - r.first));
            push_some(&q, ALL, ALL + 100);
            take_some(&q, gone + 1, r.first, CHUNK);
            take_some(&q, r.end, ALL + 100, CHUNK);
            CHECK(kri_injection_is_empty(&q));
            kri_injection_free(&q);
        }
}

TEST(sweep_of_nothing)
{
    kri_injection q = {0};
    range all = {0, UINT64_MAX, 0};

    CHECK_EQ(kri_injection_sweep(&q, is_within, &all), 0);
    push_some(&q, 1, 3);
    take_some(&q, 1, 3, 2);
    CHECK_EQ(kri_injection_sweep(&q, is_within, &all), 0);
    CHECK_EQ(all.asked, 0);
    kri_injection_free(&q);
}

/* One item in three or so, by a hash of the item and the round. */
static bool is_unlucky(uint64_t item, void *context)
{
    uint64_t state = item ^ *(const uint64_t *)context;
    return kri_test_random(&state) % 3 == 0;
}

/* The reference is a plain array. */
typedef struct reference {
    uint64_t items[4096];
    size_t count;
} reference;

static void take_both(kri_injection *q, reference *ref, uint64_t *random)
{
    uint64_t items[CHUNK];
    size_t most = 1 + (size_t)(kri_test_random(random) % CHUNK);
    size_t count = kri_injection_take(q, items, most);

    CHECK_LE(count, least(most, ref->count));
    CHECK_EQ(count == 0, ref->count == 0);
    CHECK_EQ(memcmp(items, ref->items, count * sizeof items[0]), 0);
    ref->count -= count;
    memmove(ref->items, ref->items + count, ref->count * sizeof items[0]);
}

static void sweep_both(kri_injection *q, reference *ref, uint64_t *random)
{
    uint64_t round = kri_test_random(random);
    size_t kept = 0;

    for (size_t i = 0; i < ref->count; i++)
        if (!is_unlucky(ref->items[i], &round))
            ref->items[kept++] = ref->items[i];
    CHECK_EQ(kri_injection_sweep(q, is_unlucky, &round), ref->count - kept);
    ref->count = kept;
}

TEST(random_operations_do_as_an_array_does)
{
    static reference ref;
    kri_injection q = {0};
    uint64_t random = kri_test_seed();
    uint64_t next = 1;
    bool closed = false;

    for (int i = 0; i < 20000; i++) {
        uint64_t what = kri_test_random(&random) % 100;
        if (what < 45) {
            for (uint64_t n = kri_test_random(&random) % 60; n > 0 && ref.count < 4096; n--) {
                CHECK_EQ(kri_injection_push(&q, next), closed ? -ECANCELED : 0);
                if (!closed)
                    ref.items[ref.count++] = next++;
            }
        } else if (what < 97) {
            take_both(&q, &ref, &random);
        } else if (what < 98) {
            closed = !closed;
            kri_injection_close(&q, closed ? -ECANCELED : 0);
        } else {
            sweep_both(&q, &ref, &random);
        }
        CHECK_EQ(kri_injection_length(&q), ref.count);
        CHECK_EQ(kri_injection_is_empty(&q), ref.count == 0);
    }
    while (ref.count > 0)
        take_both(&q, &ref, &random);
    kri_injection_free(&q);
}

/* Two producers, two consumers, and one who sweeps, closes and opens. */
enum { ITEMS = 1 << 19, PRODUCERS = 2, MEMBERS = 4 };

static struct {
    kri_injection queue;
    kr_word members;
    kr_word producing; /* producers that are not through yet */
    kr_time end;
    uint32_t payload[PRODUCERS][ITEMS];
    kr_word seen[PRODUCERS][ITEMS];
    uint64_t pushed[PRODUCERS];
    uint64_t refused[PRODUCERS];
    uint64_t taken[MEMBERS];
} s;

/* Item: its number + 1, above that the producer. */
static uint32_t producer_of(uint64_t item)
{
    return (uint32_t)(item >> 32);
}

static uint32_t number_of(uint64_t item)
{
    return (uint32_t)item - 1;
}

static void produce(uint32_t me)
{
    uint64_t n = 0;
    while (n < ITEMS && (n % 256 != 0 || kr_now() < s.end)) {
        s.payload[me][n] = (uint32_t)n * 3;
        int err = kri_injection_push(&s.queue, (uint64_t)me << 32 | (n + 1));
        CHECK(err == 0 || err == KR_ESHUTDOWN);
        if (err == 0)
            n++;
        else
            s.refused[me]++;
    }
    s.pushed[me] = n;
    kri_sub_acq_rel(&s.producing, 1);
}

static void count_it(uint64_t item)
{
    uint32_t producer = producer_of(item);
    uint32_t number = number_of(item);

    CHECK(producer < PRODUCERS && number < ITEMS);
    CHECK_EQ(s.payload[producer][number], number * 3);
    CHECK_EQ(kri_add_rlx(&s.seen[producer][number], 1), 0);
}

static void consume(uint32_t me)
{
    uint64_t items[CHUNK];
    uint32_t next[PRODUCERS] = {0}; /* in order of each producer */
    uint64_t random = kri_test_seed() + me;

    for (;;) {
        bool over = kri_load_acq(&s.producing) == 0;
        size_t most = 1 + (size_t)(kri_test_random(&random) % CHUNK);
        size_t count = kri_injection_take(&s.queue, items, most);
        CHECK_LE(count, most);
        for (size_t i = 0; i < count; i++) {
            CHECK_GE(number_of(items[i]), next[producer_of(items[i])]);
            next[producer_of(items[i])] = number_of(items[i]) + 1;
            count_it(items[i]);
        }
        s.taken[me] += count;
        if (count == 0 && over)
            return;
    }
}

static void take_part(void *arg)
{
    (void)arg;
    uint32_t me = kri_add_rlx(&s.members, 1);

    if (me < PRODUCERS)
        produce(me);
    else
        consume(me);
}

static bool is_seventh(uint64_t item, void *context)
{
    if (number_of(item) % 7 != 0)
        return false;
    count_it(item);
    ++*(uint64_t *)context;
    return true;
}

TEST(every_item_comes_once_and_in_order)
{
    kri_bunch bunch;
    uint64_t swept = 0, dropped = 0, sweeps = 0;

    s.end = kr_now() + kr_sec(kri_test_budget());
    kri_store_rlx(&s.producing, PRODUCERS);
    kri_bunch_start(&bunch, MEMBERS, take_part, NULL);
    while (kri_load_acq(&s.producing) > 0) {
        dropped += kri_injection_sweep(&s.queue, is_seventh, &swept);
        if (++sweeps % 4 == 0) {
            kri_injection_close(&s.queue, KR_ESHUTDOWN);
            kri_injection_close(&s.queue, 0);
        }
        kri_test_nap();
    }
    kri_bunch_end(&bunch);
    CHECK(kri_injection_is_empty(&s.queue));
    for (int p = 0; p < PRODUCERS; p++)
        for (uint64_t n = 0; n < s.pushed[p]; n++)
            CHECK_EQ(kri_load_rlx(&s.seen[p][n]), 1);
    CHECK_EQ(dropped, swept);
    CHECK_EQ(s.taken[2] + s.taken[3] + swept, s.pushed[0] + s.pushed[1]);
    kri_test_note("%llu items, %llu swept in %llu sweeps, %llu refused",
                  (unsigned long long)(s.pushed[0] + s.pushed[1]), (unsigned long long)swept,
                  (unsigned long long)sweeps, (unsigned long long)(s.refused[0] + s.refused[1]));
    kri_injection_free(&s.queue);
}
