/* Processes are killed while they send through a pipe or receive from it.
 *
 * Every message carries who sent it, its number, and a checksum over its bytes, whose number varies
 * up to several times what the pipe holds.  Of a killed sender each confirmed message arrives,
 * once, whole and in order, at most one more, and never half of one; if it was the last sender, the
 * end comes after them.  A killed receiver takes with it what it had in its hands; if it was the
 * last, sending fails.
 *
 * SPDX-License-Identifier: MIT
 */
#include "kill/kill.h"

enum { VICTIMS = 3, CAPACITY = 4096, MOST_BODY = 20000, LIVES = 1 << 16, MESSAGES = 1 << 22 };

typedef struct message {
    uint32_t sender;
    uint32_t life;   /* how many senders were in its place before */
    uint32_t number; /* from 1 on */
    uint32_t size;   /* of the body */
    uint64_t sum;    /* of all but itself */
    unsigned char body[MOST_BODY];
} message;

typedef struct pipe_world {
    kr_connection *in, *out;
    kr_word life[VICTIMS];
    kr_word confirmed[VICTIMS]; /* sends that returned 0 */
    kr_word taken;
    kr_word wrong;
    kr_word cut; /* calls that ended by their time */
    uint32_t least[VICTIMS][LIVES];
    unsigned char seen[MESSAGES]; /* by the receivers */
} pipe_world;

static uint64_t sum_of(const message *m)
{
    uint64_t sum = m->sender * 31u + m->life * 1009u + m->number;
    for (uint32_t k = 0; k < m->size; k += 7)
        sum = sum * 0x100000001b3u + m->body[k];
    return sum ^ m->size;
}

static void fill(message *m, uint32_t sender, uint32_t life, uint32_t number, uint64_t *random)
{
    unsigned kind = party_random_below(random, 16);
    m->sender = sender;
    m->life = life;
    m->number = number;
    m->size = party_random_below(random, kind == 0 ? MOST_BODY : kind < 4 ? 2000 : 64);
    memset(m->body, (int)number, m->size);
    m->sum = sum_of(m);
}

static int give(pipe_world *world, const message *m, kr_time timeout)
{
    return kr_connection_send(world->out, m, offsetof(message, body) + m->size, timeout);
}

static int take(pipe_world *world, message *m, kr_time timeout)
{
    size_t size = 0;
    int err = kr_connection_recv_into(world->in, m, sizeof *m, &size, timeout);
    if (err == 0 && (size < offsetof(message, body) || size != offsetof(message, body) + m->size ||
                     m->sum != sum_of(m)))
        kri_add_rlx(&world->wrong, 1);
    return err;
}

static pipe_world *world_create(void)
{
    pipe_world *world = party_world(sizeof *world);
    CHECK_EQ(
        kr_pipe(&world->in, &world->out, &(kr_pipe_options){.one_way = true, .capacity = CAPACITY}),
        0);
    return world;
}

static void world_free(pipe_world *world)
{
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    kr_connection_release(world->in);
    kr_connection_release(world->out);
    party_world_free(world, sizeof *world);
}

/* Killed senders, others alive */

static void send_for_ever(void *arg, int index)
{
    pipe_world *world = arg;
    uint64_t random = party_random_start(index) ^ (uint64_t)kr_now();
    uint32_t life = kri_load_acq(&world->life[index]);
    message m;
    for (uint32_t number = 1;;) {
        fill(&m, (uint32_t)index, life, number, &random);
        int err = give(world, &m, party_random_below(&random, 4) ? KR_FOREVER : kr_us(20));
        if (err == 0)
            kri_store_rel(&world->confirmed[index], number++);
        else
            kri_add_rlx(err == -ETIMEDOUT ? &world->cut : &world->wrong, 1);
    }
}

/* What the only receiver has seen of each sender. */
typedef struct reader {
    uint32_t life[VICTIMS];
    uint32_t number[VICTIMS];
    uint64_t messages;
    uint64_t in_doubt; /* never confirmed, but there */
} reader;

static void end_lives(const pipe_world *world, reader *r, uint32_t sender, uint32_t life)
{
    for (uint32_t old = r->life[sender]; old < life; old++) {
        uint32_t least = world->least[sender][old];
        uint32_t got = old == r->life[sender] ? r->number[sender] : 0;
        CHECK_GE(got, least);
        CHECK_LE(got, least + 1);
        r->in_doubt += got > least;
    }
    r->life[sender] = life;
    r->number[sender] = 0;
}

static void note(const pipe_world *world, reader *r, const message *m)
{
    CHECK(m->sender < VICTIMS && m->life >= r->life[m->sender]);
    if (m->life != r->life[m->sender])
        end_lives(world, r, m->sender, m->life);
    CHECK_EQ(m->number, r->number[m->sender] + 1);
    r->number[m->sender]++;
    r->messages++;
}

static void receive_some(pipe_world *world, reader *r, unsigned count)
{
    message m;
    for (; count > 0; count--) {
        CHECK_EQ(take(world, &m, KILL_PATIENCE), 0);
        note(world, r, &m);
    }
}

static void bury(pipe_world *world, int victim)
{
    uint32_t life = kri_load_acq(&world->life[victim]);
    CHECK(life < LIVES);
    world->least[victim][life] = kri_load_acq(&world->confirmed[victim]);
    kri_store_rel(&world->confirmed[victim], 0);
    kri_store_rel(&world->life[victim], life + 1);
}

PARTY_TEST_OF(test_kill_senders, processes)
{
    pipe_world *world = world_create();
    reader r = {.messages = 0};
    kill_run run = kill_begin(VICTIMS, send_for_ever, world);
    while (kill_goes_on(&run)) {
        receive_some(world, &r, party_random_below(&run.random, 60));
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        kr_time start = kr_now();
        receive_some(world, &r, 1);
        kill_took(&run, start);
        bury(world, victim);
        kill_replace(&run, victim);
    }
    kill_end(&run);
    for (message m; take(world, &m, KR_NOWAIT) == 0;)
        note(world, &r, &m);
    for (int i = 0; i < VICTIMS; i++) {
        bury(world, i);
        end_lives(world, &r, (uint32_t)i, kri_load_acq(&world->life[i]));
    }
    kri_test_note("%d kills, %ju messages, %ju of them unconfirmed, %u waits cut, the next came "
                  "after %.1f ms at most",
                  run.kills, (uintmax_t)r.messages, (uintmax_t)r.in_doubt,
                  kri_load_rlx(&world->cut), (double)run.slowest / 1e6);
    world_free(world);
}

/* Killed receivers, others alive */

static void receive_for_ever(void *arg, int index)
{
    pipe_world *world = arg;
    (void)index;
    message m;
    for (;;) {
        int err = take(world, &m, KR_FOREVER);
        if (err == 0) {
            unsigned char before = __atomic_fetch_add(&world->seen[m.number], 1, __ATOMIC_RELAXED);
            kri_add_rlx(&world->wrong, before != 0);
            kri_add_rlx(&world->taken, 1);
        } else {
            kri_add_rlx(&world->wrong, 1);
        }
    }
}

PARTY_TEST_OF(test_kill_receivers, processes)
{
    pipe_world *world = world_create();
    kill_run run = kill_begin(VICTIMS, receive_for_ever, world);
    uint32_t number = 0, lost = 0;
    message m;
    while (kill_goes_on(&run)) {
        for (unsigned n = party_random_below(&run.random, 60); n > 0; n--) {
            CHECK(number + 1 < MESSAGES);
            fill(&m, 0, 0, ++number, &run.random);
            CHECK_EQ(give(world, &m, KILL_PATIENCE), 0);
        }
        kill_pause(&run);
        int victim = kill_one(&run, -1);
        uint32_t before = kri_load_acq(&world->taken);
        fill(&m, 0, 0, ++number, &run.random);
        kr_time start = kr_now();
        CHECK_EQ(give(world, &m, KILL_PATIENCE), 0);
        kill_await_progress(&world->taken, before, "the receivers");
        kill_took(&run, start);
        kill_replace(&run, victim);
    }
    while (kr_connection_poll(world->in, KR_NOWAIT) == 0)
        party_nap();
    kill_end(&run);
    for (uint32_t n = 1; n <= number; n++) {
        CHECK_LE(world->seen[n], 1);
        lost += world->seen[n] == 0;
    }
    kri_test_note("%d kills, %u messages, %u of them in the hands of the dead, the next was "
                  "received after %.1f ms at most",
                  run.kills, number, lost, (double)run.slowest / 1e6);
    CHECK_LE(lost, run.kills + VICTIMS);
    world_free(world);
}

/* The only sender, or the only receiver, is killed */

static void pause_at_random(uint64_t *random)
{
    kr_time until = kr_now() + kr_us(party_random_below(random, 400));
    while (kr_now() < until)
        sched_yield();
}

static void send_alone(void *arg, int index)
{
    pipe_world *world = arg;
    kr_connection_close(world->in);
    send_for_ever(arg, index);
}

static void receive_alone(void *arg, int index)
{
    pipe_world *world = arg;
    kr_connection_close(world->out);
    receive_for_ever(arg, index);
}

/* A world of which the party has one end and the test's process the other. */
static party_bunch *alone_begin(pipe_world *world, party_body body)
{
    kri_store_rel(&world->confirmed[0], 0);
    CHECK_EQ(
        kr_pipe(&world->in, &world->out, &(kr_pipe_options){.one_way = true, .capacity = CAPACITY}),
        0);
    return party_start(1, body, world);
}

PARTY_TEST_OF(test_kill_only_sender, processes)
{
    pipe_world *world = party_world(sizeof *world);
    uint64_t random = kri_test_seed(), messages = 0;
    kr_time end = kr_now() + party_budget();
    int kills = 0;
    message m;
    for (; kills < 10 || kr_now() < end; kills++) {
        party_bunch *bunch = alone_begin(world, send_alone);
        kr_connection *out = world->out;
        kr_connection_release(out);
        uint32_t got = 0;
        for (unsigned n = party_random_below(&random, 100); n > 0; n--) {
            CHECK_EQ(take(world, &m, KILL_PATIENCE), 0);
            CHECK_EQ(m.number, ++got);
        }
        pause_at_random(&random);
        party_kill(bunch, 0);
        int err;
        while ((err = take(world, &m, KILL_PATIENCE)) == 0)
            CHECK_EQ(m.number, ++got);
        CHECK_EQ(err, KR_EOF);
        CHECK_GE(got, kri_load_acq(&world->confirmed[0]));
        CHECK_LE(got, kri_load_acq(&world->confirmed[0]) + 1);
        messages += got;
        kr_connection_release(world->in);
        party_join(bunch);
    }
    kri_test_note("%d kills, %ju messages", kills, (uintmax_t)messages);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    CHECK_GE(kills, 10);
    party_world_free(world, sizeof *world);
}

PARTY_TEST_OF(test_kill_only_receiver, processes)
{
    pipe_world *world = party_world(sizeof *world);
    uint64_t random = kri_test_seed();
    kr_time end = kr_now() + party_budget();
    int kills = 0;
    message m;
    for (; kills < 10 || kr_now() < end; kills++) {
        memset(world->seen, 0, sizeof world->seen);
        party_bunch *bunch = alone_begin(world, receive_alone);
        kr_connection_release(world->in);
        uint32_t number = 0;
        unsigned most = party_random_below(&random, 200);
        while (number < most) {
            fill(&m, 0, 0, ++number, &random);
            CHECK_EQ(give(world, &m, KILL_PATIENCE), 0);
        }
        bool before = party_random_below(&random, 2);
        if (before)
            party_kill(bunch, 0);
        fill(&m, 0, 0, ++number, &random);
        int err = give(world, &m, KILL_PATIENCE);
        CHECK(err == -EPIPE || (!before && err == 0));
        if (!before)
            party_kill(bunch, 0);
        CHECK_EQ(give(world, &m, KILL_PATIENCE), -EPIPE);
        kr_connection_release(world->out);
        party_join(bunch);
    }
    kri_test_note("%d kills", kills);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    CHECK_GE(kills, 10);
    party_world_free(world, sizeof *world);
}
