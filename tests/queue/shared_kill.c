/* Queues in shared memory whose writers and readers are killed at random instants.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/shared_help.h"
#include <stdatomic.h>

enum { WRITERS = 2, READERS = 2, SENDERS = 100000, NUMBERS = 1 << 24 };

typedef struct shop {
    atomic_bool stop;
    atomic_uint senders;
    atomic_uint next;           /* number, where all senders share them */
    atomic_uchar sent[NUMBERS]; /* the put of that number has returned */
    atomic_uint_least64_t received;
    atomic_uint_least64_t done[SENDERS]; /* puts that have returned */
    atomic_uchar seen[NUMBERS];          /* how often that letter of the one sender was taken */
} shop;

typedef struct trial {
    kr_queue *q;
    bool priority;
    size_t fixed; /* length of each item; 0: they differ */
    shop *shop;
    uint32_t sender; /* of the next writer */
    uint64_t random;
    long kills;
} trial;

/* Nobody waits this long for anybody unless something hangs. */
static kr_time patience(void)
{
    return kr_sec(20);
}

static size_t length_of(const trial *t, uint64_t *random)
{
    if (t->fixed != 0)
        return t->fixed;
    uint64_t r = kri_test_random(random);
    return LETTER_LEAST +
           (size_t)(r % 4 == 0 ? (r >> 8) % (LETTER_MOST - LETTER_LEAST) : (r >> 8) % 64);
}

/* What was sent first comes first also out of a priority queue. */
static int send(const trial *t, const kri_letter *l, kr_time timeout)
{
    if (t->fixed != 0)
        return t->priority ? kr_queue_put_priority(t->q, l, (int64_t)l->number, timeout)
                           : kr_queue_put(t->q, l, timeout);
    return t->priority
               ? kr_queue_put_bytes_priority(t->q, l, l->length, (int64_t)l->number, timeout)
               : kr_queue_put_bytes(t->q, l, l->length, timeout);
}

static int receive(const trial *t, kri_letter *l, size_t *length)
{
    *length = t->fixed;
    return t->fixed != 0 ? kr_queue_get(t->q, l, patience())
                         : kr_queue_get_bytes(t->q, l, LETTER_MOST, length, patience());
}

static void write_on(void *arg)
{
    trial *t = arg;
    shop *s = t->shop;
    uint64_t random = t->random + t->sender;
    kri_letter *l = malloc(LETTER_MOST);
    for (uint64_t number = 0; !atomic_load(&s->stop) && number < NUMBERS; number++) {
        write_letter(l, t->sender, number, length_of(t, &random));
        CHECK_EQ(send(t, l, patience()), 0);
        atomic_store(&s->done[t->sender], number + 1);
    }
}

/* One reader for all: it sees of each writer every number, in order. */
static void read_in_order(void *arg)
{
    const trial *t = arg;
    uint64_t *expected = calloc(SENDERS, sizeof *expected);
    kri_letter *l = malloc(LETTER_MOST);
    size_t length;
    int err;
    while ((err = receive(t, l, &length)) == 0) {
        check_letter(l, length);
        CHECK_EQ(l->number, expected[l->sender]);
        expected[l->sender]++;
        atomic_fetch_add(&t->shop->received, 1);
    }
    CHECK_EQ(err, KR_ESHUTDOWN);
    for (uint32_t i = 0; i < atomic_load(&t->shop->senders);
         i++) { /* what the dead one had not finished may be there */
        uint64_t done = atomic_load(&t->shop->done[i]);
        CHECK(expected[i] == done || expected[i] == done + 1);
    }
    free(expected);
}

static void read_some(void *arg)
{
    const trial *t = arg;
    kri_letter *l = malloc(LETTER_MOST);
    size_t length;
    int err;
    while ((err = receive(t, l, &length)) == 0) {
        check_letter(l, length);
        CHECK_EQ(atomic_fetch_add(&t->shop->seen[l->number], 1), 0);
        atomic_fetch_add(&t->shop->received, 1);
    }
    CHECK_EQ(err, KR_ESHUTDOWN);
    free(l);
}

static void pause_up_to(uint64_t *random, unsigned microseconds)
{
    usleep((unsigned)(kri_test_random(random) % microseconds));
}

static pid_t start_writer(trial *t)
{
    pid_t id = child(write_on, t);
    t->sender++;
    atomic_store(&t->shop->senders, t->sender);
    return id;
}

/* Kill one after the other for the time given, and put another in its place. */
static void reap_harvest(trial *t, pid_t *ids, int count, double seconds, pid_t (*start)(trial *t))
{
    kr_time end = kr_now() + (kr_time)(seconds * 1e9);
    while ((t->kills == 0 || kr_now() < end) && t->sender + WRITERS < SENDERS) {
        int i = (int)(kri_test_random(&t->random) % (unsigned)count);
        pause_up_to(&t->random, 3000);
        kill_and_reap(ids[i]);
        t->kills++;
        ids[i] = start(t);
    }
}

static trial *begin(bool priority, size_t fixed)
{
    trial *t = calloc(1, sizeof *t); /* a child has its own */
    kr_queue_options o = {.order = priority ? KR_PRIORITY : KR_FIFO,
                          .bytes = fixed == 0 ? 8192 : 0};
    *t = (trial){.priority = priority,
                 .fixed = fixed,
                 .shop = shared_pages(sizeof(shop)),
                 .random = kri_test_seed(),
                 .q = shared_queue(fixed, 16, o)};
    return t;
}

static void end(trial *t)
{
    kr_queue_release(t->q);
    free(t);
}

static void writers_die(bool priority, size_t fixed, double seconds)
{
    trial *t = begin(priority, fixed);
    pid_t reader = child(read_in_order, t);
    pid_t writers[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        writers[i] = start_writer(t);
    reap_harvest(t, writers, WRITERS, seconds, start_writer);
    while (atomic_load(&t->shop->received) == 0)
        kri_test_nap();
    atomic_store(&t->shop->stop, true);
    for (int i = 0; i < WRITERS; i++)
        reap(writers[i]);
    CHECK_EQ(kr_queue_shutdown(t->q, false), 0);
    reap(reader);
    CHECK_EQ(kr_queue_qsize(t->q), 0);
    kri_test_note("writers killed: %ld, items read in order: %llu", t->kills,
                  (unsigned long long)atomic_load(&t->shop->received));
    end(t);
}

static pid_t start_reader(trial *t)
{
    return child(read_some, t);
}

static void readers_die(bool priority, size_t fixed, double seconds)
{
    trial *t = begin(priority, fixed);
    pid_t readers[READERS];
    for (int i = 0; i < READERS; i++)
        readers[i] = start_reader(t);
    pid_t writer = start_writer(t);
    reap_harvest(t, readers, READERS, seconds, start_reader);
    atomic_store(&t->shop->stop, true);
    reap(writer);
    CHECK_EQ(kr_queue_shutdown(t->q, false), 0);
    for (int i = 0; i < READERS; i++)
        reap(readers[i]);
    CHECK_EQ(kr_queue_qsize(t->q), 0);
    uint64_t done = atomic_load(&t->shop->done[0]);
    long lost = 0;
    for (uint64_t i = 0; i < done; i++)
        lost += atomic_load(&t->shop->seen[i]) == 0;
    CHECK_LE(lost, t->kills); /* each had one in its hands at most */
    CHECK_GE(t->kills, 1);
    kri_test_note("readers killed: %ld, items put: %llu, in the hands of the dead: %ld", t->kills,
                  (unsigned long long)done, lost);
    end(t);
}

/* Writers and readers both die: their letters have numbers that no other has. */
static void write_shared_numbers(void *arg)
{
    trial *t = arg;
    shop *s = t->shop;
    uint64_t random = t->random + t->sender;
    kri_letter *l = malloc(LETTER_MOST);
    while (!atomic_load(&s->stop)) {
        unsigned number = atomic_fetch_add(&s->next, 1);
        if (number >= NUMBERS)
            break;
        write_letter(l, t->sender, number, length_of(t, &random));
        CHECK_EQ(send(t, l, patience()), 0);
        atomic_store(&s->sent[number], 1);
    }
    free(l);
}

static pid_t start_either(trial *t)
{
    bool writes = t->sender++ % 2 == 0;
    return child(writes ? write_shared_numbers : read_some, t);
}

/* Each in its place again: even places write, odd ones read. */
static void all_die(bool priority, double seconds)
{
    enum { ALL = 4 };
    trial *t = begin(priority, 0);
    pid_t ids[ALL];
    for (int i = 0; i < ALL; i++)
        ids[i] = start_either(t);
    kr_time until = kr_now() + (kr_time)(seconds * 1e9);
    while (kr_now() < until) {
        unsigned i = (unsigned)(kri_test_random(&t->random) % ALL);
        pause_up_to(&t->random, 3000);
        kill_and_reap(ids[i]);
        t->kills++;
        t->sender += t->sender % 2 != i % 2;
        ids[i] = start_either(t);
    }
    atomic_store(&t->shop->stop, true);
    reap(ids[0]);
    reap(ids[2]);
    CHECK_EQ(kr_queue_shutdown(t->q, false), 0);
    reap(ids[1]);
    reap(ids[3]);
    CHECK_EQ(kr_queue_qsize(t->q), 0);
    long lost = 0;
    long extra = 0; /* put, but the writer did not live to say so */
    unsigned count = atomic_load(&t->shop->next);
    for (unsigned i = 0; i < count && i < NUMBERS; i++) {
        lost += atomic_load(&t->shop->sent[i]) && !atomic_load(&t->shop->seen[i]);
        extra += !atomic_load(&t->shop->sent[i]) && atomic_load(&t->shop->seen[i]);
    }
    CHECK_LE(lost + extra, t->kills);
    CHECK_GE(t->kills, 1);
    kri_test_note(
        "killed: %ld, items put: %u, in the hands of dead readers: %ld, of dead writers: %ld",
        t->kills, count, lost, extra);
    end(t);
}

static double share(void)
{
    return kri_test_budget() / 3.0;
}

TEST(shared_fifo_survives_killed_writers)
{
    writers_die(false, 0, share());
}

TEST(shared_fifo_survives_killed_readers)
{
    readers_die(false, 0, share());
}

TEST(shared_fifo_of_one_size_survives_killed_writers)
{
    writers_die(false, 64, share());
}

TEST(shared_fifo_of_one_size_survives_killed_readers)
{
    readers_die(false, 64, share());
}

TEST(shared_priority_queue_survives_killed_writers)
{
    writers_die(true, 0, share());
}

TEST(shared_priority_queue_survives_killed_readers)
{
    readers_die(true, 0, share());
}

TEST(shared_fifo_survives_all)
{
    all_die(false, share());
}

TEST(shared_priority_queue_survives_all)
{
    all_die(true, share());
}
