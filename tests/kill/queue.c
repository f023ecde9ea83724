/* Processes are killed while they put into or get from a shared queue.
 *
 * Every item carries who put it, its number, and a checksum over its bytes, whose number varies.
 * Killed writers: each confirmed item arrives, once and in order; at most the one that was under
 * way is in doubt.  Killed readers: no item arrives twice, and none is missing but those that the
 * dead had in their hands.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"

enum { VICTIMS = 3, ROOM = 24, BYTES = 16384, MOST_BODY = 600, LIVES = 1 << 16, ITEMS = 1 << 23 };

typedef struct item {
    uint32_t writer;
    uint32_t life;   /* how many writers were in its place before */
    uint32_t number; /* from 1 on */
    uint32_t size;   /* of the body */
    uint64_t sum;    /* of all but itself */
    unsigned char body[MOST_BODY];
} item;

typedef struct queue_world {
    kr_queue *queue;
    kr_word life[VICTIMS];      /* of the writer that runs now */
    kr_word confirmed[VICTIMS]; /* its puts that returned 0 */
    kr_word taken;
    kr_word wrong;
    kr_word empty, full;
    uint32_t least[VICTIMS][LIVES]; /* confirmed puts of the dead */
    unsigned char seen[ITEMS];      /* by the readers */
} queue_world;

static uint64_t sum_of(const item *i)
{
    uint64_t sum = i->writer * 31u + i->life * 1009u + i->number;
    for (uint32_t k = 0; k < i->size; k++)
        sum = sum * 0x100000001b3u + i->body[k];
    return sum ^ i->size;
}

static size_t whole_size(const item *i)
{
    return offsetof(item, body) + i->size;
}

static void fill(item *i, uint32_t writer, uint32_t life, uint32_t number, uint64_t *random)
{
    i->writer = writer;
    i->life = life;
    i->number = number;
    i->size = party_random_below(random, 4) ? party_random_below(random, 32)
                                            : party_random_below(random, MOST_BODY);
    memset(i->body, (int)number, i->size);
    i->sum = sum_of(i);
}

/* The item, which is whole; or the error. */
static int take(queue_world *world, item *i, kr_time timeout)
{
    size_t size = 0;
    int err = kr_queue_get_bytes(world->queue, i, sizeof *i, &size, timeout);
    if (err == 0 && (size < offsetof(item, body) || size != whole_size(i) || i->sum != sum_of(i)))
        kri_add_rlx(&world->wrong, 1);
    return err;
}

static int give(queue_world *world, const item *i, kr_time timeout)
{
    return kr_queue_put_bytes(world->queue, i, whole_size(i), timeout);
}

static queue_world *world_create(void)
{
    queue_world *world = party_world(sizeof *world);
    kr_queue_options options = {.scope = KR_SHARED, .bytes = BYTES};
    CHECK_EQ(kr_queue_create(&world->queue, 0, ROOM, &options), 0);
    return world;
}

/* All room is still there: as many items fit as at the beginning. */
static void check_room(queue_world *world)
{
    item i;
    uint64_t random = 0;
    int count = 0;
    while (take(world, &i, KR_NOWAIT) == 0)
        continue;
    fill(&i, 0, 0, 1, &random);
    while (give(world, &i, KR_NOWAIT) == 0)
        count++;
    CHECK_EQ(count, ROOM);
    for (; count > 0; count--)
        CHECK_EQ(take(world, &i, KR_NOWAIT), 0);
    CHECK_EQ(take(world, &i, KR_NOWAIT), -ETIMEDOUT);
}

static void world_free(queue_world *world)
{
    check_room(world);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    kr_queue_release(world->queue);
    party_world_free(world, sizeof *world);
}

/* Killed writers */

static void write_for_ever(void *arg, int index)
{
    queue_world *world = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    uint32_t life = kri_load_acq(&world->life[index]);
    item i;
    for (uint32_t number = 1;;) {
        fill(&i, (uint32_t)index, life, number, &random);
        int err = give(world, &i, party_random_below(&random, 4) ? KR_FOREVER : kr_us(20));
        if (err == 0)
            kri_store_rel(&world->confirmed[index], number++);
        else
            kri_add_rlx(err == -ETIMEDOUT ? &world->full : &world->wrong, 1);
    }
}

/* What the only reader has seen of each writer. */
typedef struct reader {
    uint32_t life[VICTIMS];
    uint32_t number[VICTIMS];
    uint64_t items;
    uint64_t in_doubt; /* never confirmed, but there */
} reader;

/* A writer's next life has begun to arrive: of the former ones all that was confirmed has. */
static void end_lives(const queue_world *world, reader *r, uint32_t writer, uint32_t life)
{
    for (uint32_t old = r->life[writer]; old < life; old++) {
        uint32_t least = world->least[writer][old];
        uint32_t got = old == r->life[writer] ? r->number[writer] : 0;
        CHECK_GE(got, least);
        CHECK_LE(got, least + 1);
        r->in_doubt += got > least;
    }
    r->life[writer] = life;
    r->number[writer] = 0;
}

static void note_item(const queue_world *world, reader *r, const item *i)
{
    CHECK(i->writer < VICTIMS && i->life >= r->life[i->writer]);
    if (i->life != r->life[i->writer])
        end_lives(world, r, i->writer, i->life);
    CHECK_EQ(i->number, r->number[i->writer] + 1);
    r->number[i->writer]++;
    r->items++;
}

static void read_some(queue_world *world, reader *r, unsigned count)
{
    item i;
    for (; count > 0; count--) {
        CHECK_EQ(take(world, &i, KILL_PATIENCE), 0);
        note_item(world, r, &i);
    }
}

static void bury(queue_world *world, int victim)
{
    uint32_t life = kri_load_acq(&world->life[victim]);
    CHECK(life < LIVES);
    world->least[victim][life] = kri_load_acq(&world->confirmed[victim]);
    kri_store_rel(&world->confirmed[victim], 0);
    kri_store_rel(&world->life[victim], life + 1);
}

PARTY_TEST_OF(test_kill_queue_writers, processes)
{
    queue_world *world = world_create();
    reader r = {.items = 0};
    kill_run run = kill_begin(VICTIMS, write_for_ever, world);
    while (kill_goes_on(&run)) {
        read_some(world, &r, party_random_below(&run.random, 3 * ROOM));
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        kr_time start = kr_now();
        read_some(world, &r, 1);
        kill_took(&run, start);
        bury(world, victim);
        kill_replace(&run, victim);
    }
    kill_end(&run);
    for (item i; take(world, &i, KR_NOWAIT) == 0;)
        note_item(world, &r, &i);
    for (int i = 0; i < VICTIMS; i++) {
        bury(world, i);
        end_lives(world, &r, (uint32_t)i, kri_load_acq(&world->life[i]));
    }
    kri_test_note("%d kills, %ju items, %ju of them unconfirmed, %u waits cut, the next item after "
                  "%.1f ms at most",
                  run.kills, (uintmax_t)r.items, (uintmax_t)r.in_doubt, kri_load_rlx(&world->full),
                  (double)run.slowest / 1e6);
    if (kill_was_often(&run))
        CHECK_GE(kri_load_rlx(&world->full), 1);
    world_free(world);
}

/* Killed readers */

static void read_for_ever(void *arg, int index)
{
    queue_world *world = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    item i;
    for (;;) {
        int err = take(world, &i, party_random_below(&random, 4) ? KR_FOREVER : kr_us(20));
        if (err == 0) {
            unsigned char before = __atomic_fetch_add(&world->seen[i.number], 1, __ATOMIC_RELAXED);
            kri_add_rlx(&world->wrong, before != 0);
            kri_add_rlx(&world->taken, 1);
        } else {
            kri_add_rlx(err == -ETIMEDOUT ? &world->empty : &world->wrong, 1);
        }
    }
}

PARTY_TEST_OF(test_kill_queue_readers, processes)
{
    queue_world *world = world_create();
    kill_run run = kill_begin(VICTIMS, read_for_ever, world);
    uint32_t number = 0, lost = 0;
    while (kill_goes_on(&run)) {
        item i;
        for (unsigned n = party_random_below(&run.random, 4 * ROOM); n > 0; n--) {
            CHECK(number + 1 < ITEMS);
            fill(&i, 0, 0, ++number, &run.random);
            CHECK_EQ(give(world, &i, KILL_PATIENCE), 0);
        }
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        uint32_t before = kri_load_acq(&world->taken);
        fill(&i, 0, 0, ++number, &run.random);
        kr_time start = kr_now();
        CHECK_EQ(give(world, &i, KILL_PATIENCE), 0);
        kill_await_progress(&world->taken, before, "the readers");
        kill_took(&run, start);
        kill_replace(&run, victim);
    }
    while (!kr_queue_empty(world->queue))
        party_nap();
    kill_end(&run);
    for (uint32_t n = 1; n <= number; n++) {
        CHECK_LE(world->seen[n], 1);
        lost += world->seen[n] == 0;
    }
    kri_test_note("%d kills, %u items, %u of them in the hands of the dead, %u waits cut, the next "
                  "was read after %.1f ms at most",
                  run.kills, number, lost, kri_load_rlx(&world->empty), (double)run.slowest / 1e6);
    CHECK_LE(lost, run.kills + VICTIMS);
    if (kill_was_often(&run))
        CHECK_GE(kri_load_rlx(&world->empty), 1);
    world_free(world);
}
