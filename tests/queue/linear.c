/* Histories of queues, each held against a sequential one.
 *
 * Rounds of a few dozen calls by parties that start together, on a queue that is often full or
 * empty.  Most calls do not wait, since a history in which everybody waits tells little.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/linear_objects.h"
#include "queue/parties.h"

enum { PARTIES = 3, CALLS = 30 };

/* Items of any length: the number decides it.  In shared memory each is 8 bytes more, and rounded
 * up to 8, in a ring that has 8 bytes more than was asked for. */
enum { BYTES = 112, LONGEST = BYTES / 2, UNITS = BYTES / 8 + 1 };

static size_t length_of(int64_t item)
{
    return sizeof item + (size_t)(item * 7 % (LONGEST - (int64_t)sizeof item + 1));
}

static int put_any(kr_queue *q, int64_t item, kr_time timeout)
{
    unsigned char bytes[LONGEST];
    if (kr_queue_item_size(q) != 0)
        return put(q, item, timeout);
    memset(bytes, (int)(item % 251), sizeof bytes);
    memcpy(bytes, &item, sizeof item);
    return kr_queue_put_bytes(q, bytes, length_of(item), timeout);
}

static int64_t get_any(kr_queue *q, kr_time timeout)
{
    unsigned char bytes[LONGEST];
    int64_t item;
    size_t size;
    if (kr_queue_item_size(q) != 0)
        return get(q, timeout);
    int err = kr_queue_get_bytes(q, bytes, sizeof bytes, &size, timeout);
    if (err != 0)
        return err;
    memcpy(&item, bytes, sizeof item);
    CHECK_EQ(size, length_of(item));
    for (size_t i = sizeof item; i < size; i++)
        CHECK_EQ(bytes[i], item % 251);
    return item;
}

/* Whether an item fits depends on those that are there. */
static bool step_of_bytes(void *state, const linear_call *call)
{
    const linear_queue_state *q = state;
    size_t units = 1 + (length_of(call->value) + 7) / 8;
    for (int64_t i = 0; i < q->count; i++)
        units += 1 + (length_of(q->items[i]) + 7) / 8;
    return linear_queue_step(state, call, units <= UNITS ? LINEAR_MOST_ITEMS : q->count, 0);
}

static const linear_object fifo_of_bytes = {sizeof(linear_queue_state), NULL, step_of_bytes,
                                            linear_queue_describe};

typedef struct linear_world {
    kr_queue *queue;
    kr_word round; /* the parties begin it together */
    kr_word done;
    kr_word stop;
    kr_word full, empty; /* calls that found it so */
    linear_history history;
} linear_world;

static kr_time some_time(uint64_t *random)
{
    return party_random_below(random, 3) ? KR_NOWAIT : kr_us(1 + party_random_below(random, 20));
}

/* A timed call on a shared queue may also give up since somebody had the queue's lock all the time,
 * and had been stopped with it: that says nothing about what was inside. */
static void end_call(linear_world *world, linear_call *call, kr_time timeout, int64_t result)
{
    linear_end(&world->history, call, result);
    if (result != -ETIMEDOUT)
        return;
    kri_add_rlx(call->what == LINEAR_PUT ? &world->full : &world->empty, 1);
    if (timeout != KR_NOWAIT && world->queue->scope == KR_SHARED)
        call->what = LINEAR_NOTHING;
}

static void call_once(linear_world *world, int party, int number, uint64_t *random)
{
    kr_time timeout = some_time(random);
    if (party_random_below(random, 2)) {
        int64_t item = (int64_t)(party_random_below(random, 4) * 1000) + party * 100 + number;
        linear_call *call = linear_begin(&world->history, party, LINEAR_PUT, item);
        end_call(world, call, timeout, put_any(world->queue, item, timeout));
    } else {
        linear_call *call = linear_begin(&world->history, party, LINEAR_GET, 0);
        end_call(world, call, timeout, get_any(world->queue, timeout));
    }
}

static void play(void *arg, int index)
{
    linear_world *world = arg;
    uint64_t random = party_random_start(index);
    for (int round = 1;; round++) {
        while ((int)kri_load_acq(&world->round) < round && kri_load_acq(&world->stop) == 0)
            (void)kr_yield();
        if (kri_load_acq(&world->stop))
            return;
        for (int i = 0; i < CALLS; i++)
            call_once(world, index, i, &random);
        kri_add_acq_rel(&world->done, 1);
    }
}

static bool seen_all(const linear_world *world)
{
    bool fills =
        kr_queue_maxsize(world->queue) == LINEAR_ROOM || kr_queue_item_size(world->queue) == 0;
    return kri_load_rlx(&world->empty) > 0 && (!fills || kri_load_rlx(&world->full) > 0);
}

/* Between the rounds the queue is emptied, so that each history begins with an empty one. */
static void check_rounds(const linear_object *object, kr_queue *q, const char *name)
{
    linear_world *world = party_world(sizeof *world);
    world->queue = q;
    party_bunch *bunch = party_start(PARTIES, play, world);
    kr_time end = kr_now() + party_budget() / 2;
    uint64_t steps = 0;
    int rounds = 0;
    while (kr_now() < end || !seen_all(world)) {
        linear_clear(&world->history);
        kri_store_rel(&world->round, (uint32_t)++rounds);
        party_await_count(&world->done, rounds * PARTIES);
        steps += linear_expect(object, &world->history);
        while (get_any(q, KR_NOWAIT) >= 0)
            continue;
    }
    kri_store_rel(&world->stop, 1);
    party_join(bunch);
    kri_test_note("%s: %d histories of %d calls, %u found it full, %u empty, %ju places", name,
                  rounds, PARTIES * CALLS, kri_load_rlx(&world->full), kri_load_rlx(&world->empty),
                  (uintmax_t)steps);
    kr_queue_release(q);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_fifo_is_linearizable)
{
    check_rounds(&linear_fifo, make_queue(KR_FIFO, LINEAR_ROOM), "bounded");
    check_rounds(&linear_unbounded, make_queue(KR_FIFO, 0), "unbounded");
}

PARTY_CASE(test_fifo_is_linearizable, runners)

PARTY_TEST_OF(test_lifo_is_linearizable, threads)
{
    check_rounds(&linear_lifo, make_queue(KR_LIFO, LINEAR_ROOM), "bounded");
}

PARTY_TEST(test_priority_is_linearizable)
{
    check_rounds(&linear_priority, make_queue(KR_PRIORITY, LINEAR_ROOM), "bounded");
}

PARTY_CASE(test_priority_is_linearizable, runners)

PARTY_TEST_OF(test_reentrant_is_linearizable, threads)
{
    kr_queue *q;
    CHECK_EQ(kr_queue_create(&q, sizeof(int64_t), 0, &(kr_queue_options){.reentrant = true}), 0);
    check_rounds(&linear_unbounded, q, "reentrant");
}

/* In shared memory by threads as well. */
PARTY_TEST(test_fifo_of_bytes_is_linearizable)
{
    kr_queue_options options = {.scope = KR_SHARED, .bytes = BYTES};
    kr_queue *q;
    CHECK_EQ(kr_queue_create(&q, 0, 0, &options), 0);
    check_rounds(&fifo_of_bytes, q, "of any length");
}

PARTY_CASE(test_fifo_of_bytes_is_linearizable, runners)
