/* Several threads and processes at one end, and memory that the other side has damaged.
 *
 * SPDX-License-Identifier: MIT
 */
#include "connection/help.h"
#include "connection/ring.h"
#include "harness/party.h"
#include "harness/sanitizers.h"

enum { SENDERS = 3, RECEIVERS = 2, MOST = 9000 };

typedef struct message {
    uint32_t sender;
    uint32_t number;
    uint32_t size; /* of the body */
    uint32_t sum;
    unsigned char body[MOST];
} message;

typedef struct sharing {
    kr_connection *a, *b;
    kr_time end;
    bool polls;
    unsigned most; /* bytes of a body */
    kr_word sent, received, sum_sent, sum_received, wrong, done;
} sharing;

static uint32_t sum_of(const message *m)
{
    uint32_t sum = m->sender * 31 + m->number * 1009 + m->size;
    for (uint32_t i = 0; i < m->size; i++)
        sum = sum * 16777619u + m->body[i];
    return sum;
}

static void send_many(sharing *world, int index)
{
    uint64_t random = party_random_start(index);
    message m;
    for (uint32_t number = 1; number <= 100 || kr_now() < world->end; number++) {
        m.sender = (uint32_t)index;
        m.number = number;
        m.size = party_random_below(&random, 10) ? party_random_below(&random, 100)
                                                 : party_random_below(&random, world->most);
        fill_bytes(m.body, m.size, number);
        m.sum = sum_of(&m);
        int err = kr_connection_send(world->a, &m, offsetof(message, body) + m.size,
                                     party_random_below(&random, 3) ? KR_FOREVER : kr_us(50));
        if (err == 0) {
            kri_add_rlx(&world->sent, 1);
            kri_add_rlx(&world->sum_sent, m.sum);
        } else if (err != -ETIMEDOUT) {
            kri_add_rlx(&world->wrong, 1);
        }
    }
    kri_add_sc(&world->done, 1);
    party_await_count(&world->done, SENDERS);
    m.size = 0;
    m.sender = UINT32_MAX; /* no more of this one */
    if (index < RECEIVERS)
        CHECK_EQ(kr_connection_send(world->a, &m, offsetof(message, body), KR_FOREVER), 0);
}

static void receive_many(sharing *world, int index)
{
    uint64_t random = party_random_start(index);
    static message m;
    message *mine = malloc(sizeof m);
    for (;;) {
        size_t size = 0;
        kr_time timeout = party_random_below(&random, 3) ? KR_FOREVER : kr_us(50);
        if (world->polls && party_random_below(&random, 2)) {
            kr_waitable w = {.connection = world->b};
            if (kr_connection_wait(&w, 1, kr_ms(500)) == 1)
                timeout = KR_NOWAIT; /* another may have been faster */
        }
        int err = kr_connection_recv_into(world->b, mine, sizeof *mine, &size, timeout);
        if (err == -ETIMEDOUT)
            continue;
        if (err != 0 || size < offsetof(message, body)) {
            kri_add_rlx(&world->wrong, 1);
            break;
        }
        if (mine->sender == UINT32_MAX)
            break;
        if (size != offsetof(message, body) + mine->size || mine->sum != sum_of(mine))
            kri_add_rlx(&world->wrong, 1);
        kri_add_rlx(&world->received, 1);
        kri_add_rlx(&world->sum_received, mine->sum);
    }
    free(mine);
}

static void take_part(void *arg, int index)
{
    if (index < SENDERS)
        send_many(arg, index);
    else
        receive_many(arg, index);
}

static void share(bool polls)
{
    sharing *world = party_world(sizeof *world);
    CHECK_EQ(kr_pipe(&world->a, &world->b, &(kr_pipe_options){.capacity = 8192}), 0);
    world->end = kr_now() + party_budget() / 2;
    world->polls = polls;
    /* In parts only where a receive that ends in the middle of one is gone on with. */
    world->most = party_scope() == KR_SHARED ? 3000 : MOST;
    party_bunch *bunch = party_start(SENDERS + RECEIVERS, take_part, world);
    party_join(bunch);
    CHECK_EQ(kri_load_acq(&world->wrong), 0);
    CHECK_EQ(kri_load_acq(&world->received), kri_load_acq(&world->sent));
    CHECK_EQ(kri_load_acq(&world->sum_received), kri_load_acq(&world->sum_sent));
    kri_test_note("%u messages", kri_load_rlx(&world->sent));
    kr_connection_release(world->a);
    kr_connection_release(world->b);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_shared_ends)
{
    share(false);
}

PARTY_TEST(test_shared_ends_polled)
{
    share(true);
}

/* Order, between two, through everything that can happen to a message. */
static void count_up(void *arg, int index)
{
    sharing *world = arg;
    uint64_t random = party_random_start(index);
    enum { COUNT = KRI_SANITIZED ? 2000 : 20000 };
    static unsigned char bytes[40000];
    unsigned char *mine = malloc(sizeof bytes);
    for (uint32_t i = 0; i < COUNT; i++) {
        uint64_t same = random + i;
        size_t size = 4 + (i % 50 ? kri_test_random(&same) % 200 : kri_test_random(&same) % 39000);
        if (index == 0) {
            memset(mine, (int)i, size);
            memcpy(mine, &i, 4);
            CHECK_EQ(kr_connection_send(world->a, mine, size, KR_FOREVER), 0);
        } else {
            size_t got;
            uint32_t number;
            CHECK_EQ(kr_connection_recv_into(world->b, mine, sizeof bytes, &got, PATIENCE), 0);
            memcpy(&number, mine, 4);
            CHECK_EQ(number, i);
            for (size_t k = 4; k < got; k += 97)
                CHECK_EQ(mine[k], (unsigned char)i);
        }
    }
    free(mine);
}

PARTY_TEST(test_order)
{
    sharing *world = party_world(sizeof *world);
    CHECK_EQ(kr_pipe(&world->a, &world->b, &(kr_pipe_options){.one_way = false}), 0);
    party_join(party_start(2, count_up, world));
    CHECK_EQ(kr_connection_poll(world->b, KR_NOWAIT), -ETIMEDOUT);
    kr_connection_release(world->a);
    kr_connection_release(world->b);
    party_world_free(world, sizeof *world);
}

/* A process that sleeps in recv, one that waits for its turn, and one that does not wait. */
static void receive_one(void *arg, int index)
{
    sharing *world = arg;
    char byte;
    (void)index;
    CHECK_EQ(kr_connection_recv_into(world->b, &byte, 1, NULL, KR_FOREVER), 0);
}

PARTY_TEST(test_receivers_queue_up)
{
    char byte;
    sharing *world = party_world(sizeof *world);
    CHECK_EQ(kr_pipe(&world->a, &world->b, NULL), 0);
    party_bunch *bunch = party_start(3, receive_one, world);
    for (int left = 3; left > 0; left--) {
        CHECK_EQ(kr_connection_recv_into(world->b, &byte, 1, NULL, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_connection_recv_into(world->b, &byte, 1, NULL, kr_ms(1)), -ETIMEDOUT);
        CHECK_EQ(kr_connection_send(world->a, "x", 1, KR_FOREVER), 0);
        party_await_finished(bunch, 4 - left);
    }
    party_join(bunch);
    kr_connection_release(world->a);
    kr_connection_release(world->b);
    party_world_free(world, sizeof *world);
}

/* Damage */

/* Whatever stands in the memory, no call crashes, waits for ever, or touches what is not its own.
 */
static void use_damaged(kr_connection *a, kr_connection *b)
{
    static unsigned char room[70000];
    size_t size;
    int fd, err, ready;
    kr_connection *end;
    for (int i = 0; i < 5; i++) {
        err = kr_connection_send(a, room, i % 2 ? 10 : 60000, KR_NOWAIT);
        CHECK(err == 0 || err == -ETIMEDOUT || err == KR_ECORRUPT);
        err = kr_connection_recv_into(b, room, sizeof room, &size, KR_NOWAIT);
        CHECK(err == 0 || err == -ETIMEDOUT || err == KR_ECORRUPT || err == -EBADMSG ||
              err == -EMSGSIZE || err == -ENOMEM);
        err = kr_connection_recv_descriptor(b, &fd, KR_NOWAIT);
        CHECK(err == 0 || err == -ETIMEDOUT || err == KR_ECORRUPT || err == -EBADMSG);
        if (err == 0)
            close(fd);
        err = kr_connection_recv_connection(b, &end, KR_NOWAIT);
        CHECK(err == -ETIMEDOUT || err == KR_ECORRUPT || err == -EBADMSG);
        ready = kr_connection_poll(b, KR_NOWAIT);
        CHECK(ready == 0 || ready == -ETIMEDOUT);
    }
}

TEST(test_damaged_positions)
{
    static const uint64_t values[] = {1, 7, 4096, 1 << 20, UINT64_MAX, UINT64_MAX / 2 + 1};
    for (size_t i = 0; i < 4 * sizeof values / sizeof values[0]; i++) {
        pipe_pair pair = pair_make(NULL);
        CHECK_EQ(kr_connection_send(pair.a, "hello", 5, KR_FOREVER), 0);
        kri_ring_state *state = kri_pipe_of(pair.b)->in.state;
        kri_word64 *words[] = {&state->put.at, &state->get.at, &state->put.seen, &state->get.seen};
        kri_store_sc64(words[i % 4], values[i / 4]);
        char byte;
        int err = kr_connection_recv_into(pair.b, &byte, 1, NULL, kr_ms(1));
        CHECK(err == KR_ECORRUPT || err == -EMSGSIZE || err == -ETIMEDOUT);
        use_damaged(pair.a, pair.b);
        pair_release(&pair);
    }
}

TEST(test_damaged_at_random)
{
    uint64_t random = kri_test_seed();
    kr_time end = kr_now() + party_budget() / 2;
    int rounds = 0;
    while (rounds < 20 || kr_now() < end) {
        pipe_pair pair = pair_make(&(kr_pipe_options){.capacity = 4096});
        kri_pipe_end *p = kri_pipe_of(pair.b);
        static unsigned char bytes[3000];
        for (unsigned i = party_random_below(&random, 4); i > 0; i--)
            (void)!kr_connection_send(pair.a, bytes, party_random_below(&random, 3000), KR_NOWAIT);
        (void)!kr_connection_send_descriptor(pair.a, 0, KR_NOWAIT);
        for (unsigned i = party_random_below(&random, 8) + 1; i > 0; i--) {
            /* Anywhere but in the locks, whose holder is looked for among the processes. */
            unsigned char *where = (unsigned char *)p->in.state + party_random_below(&random, 384);
            if (party_random_below(&random, 2))
                where = p->in.bytes + party_random_below(&random, 4096);
            size_t offset = (size_t)(where - (unsigned char *)p->in.state);
            if (offset < 8 || (offset >= 128 && offset < 136) || offset == 32 || offset == 160)
                continue;
            *where = (unsigned char)kri_test_random(&random);
        }
        kri_store_sc(&p->in.state->put.sleeps, 0);
        kri_store_sc(&p->in.state->get.sleeps, 0);
        use_damaged(pair.a, pair.b);
        pair_release(&pair);
        rounds++;
    }
    CHECK_EQ(open_descriptors(), 0);
    kri_test_note("%d pipes", rounds);
}
