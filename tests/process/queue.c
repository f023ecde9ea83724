/* A queue in shared memory between processes: multiprocessing's Queue, JoinableQueue, SimpleQueue.
 *
 * Behaviours: section 12.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "process/methods.h"

#define SOON   kr_ms(100) /* until a time-out is tested */
#define WITHIN kr_sec(60)

/* A queue in a segment without a name, which children are handed the descriptor of. */
typedef struct box {
    kr_shared_memory *memory;
    kr_queue *q;
    int descriptor;
    kr_process_options options;
} box;

static void box_open(box *b, size_t item_size, size_t maxsize, const kr_queue_options *o)
{
    size_t size = kr_queue_memory_size(item_size, maxsize, o);
    CHECK(size > 0);
    CHECK_EQ(kr_shared_memory_create(&b->memory, NULL, size, NULL), 0);
    CHECK_EQ(
        kr_queue_create_at(&b->q, kr_shared_memory_data(b->memory), size, item_size, maxsize, o),
        0);
    b->descriptor = kr_shared_memory_descriptor(b->memory);
    b->options = (kr_process_options){.descriptors = &b->descriptor, .descriptor_count = 1};
}

static void box_close(box *b)
{
    kr_queue_release(b->q);
    kr_shared_memory_release(b->memory);
}

static kr_process *box_start(const box *b, kr_run_fn run)
{
    return start_with(run, NULL, 0, b->options);
}

/* In the child. */
static void box_attach(box *b)
{
    CHECK_EQ(kr_shared_memory_attach_descriptor(&b->memory, kr_process_descriptor(0)), 0);
    CHECK_EQ(
        kr_queue_attach(&b->q, kr_shared_memory_data(b->memory), kr_shared_memory_size(b->memory)),
        0);
}

static void put(kr_queue *q, int item, kr_time timeout)
{
    CHECK_EQ(kr_queue_put(q, &item, timeout), 0);
}

static void expect(kr_queue *q, int item, kr_time timeout)
{
    int got = -1;
    CHECK_EQ(kr_queue_get(q, &got, timeout), 0);
    CHECK_EQ(got, item);
}

static void put_times_out(kr_queue *q, kr_time timeout)
{
    kr_time begun = kr_now();
    CHECK_EQ(kr_queue_put(q, &(int){77}, timeout), -ETIMEDOUT);
    CHECK_GE(kr_now() - begun, timeout);
}

static void get_times_out(kr_queue *q, kr_time timeout)
{
    int item = -1;
    kr_time begun = kr_now();
    CHECK_EQ(kr_queue_get(q, &item, timeout), -ETIMEDOUT);
    CHECK_GE(kr_now() - begun, timeout);
    CHECK_EQ(item, -1);
}

static int take_six(void *arg)
{
    box b;
    (void)arg;
    box_attach(&b);
    for (int i = 1; i <= 6; i++)
        expect(b.q, i, WITHIN);
    box_close(&b);
    return 0;
}
KR_TASK(take_six);

METHOD_TEST(test_put)
{
    box b;
    box_open(&b, sizeof(int), 6, NULL);
    CHECK(kr_queue_empty(b.q) && !kr_queue_full(b.q));
    for (int i = 1; i <= 6; i++)
        put(b.q, i, i % 3 == 0 ? KR_NOWAIT : i % 3 == 1 ? KR_FOREVER : SOON);
    CHECK(!kr_queue_empty(b.q) && kr_queue_full(b.q));
    put_times_out(b.q, KR_NOWAIT);
    put_times_out(b.q, SOON);
    kr_process *p = box_start(&b, take_six);
    put(b.q, 8, WITHIN); /* waits for the child, where it is not quicker */
    CHECK_EQ(end(p), 0);
    expect(b.q, 8, KR_NOWAIT);
    CHECK(kr_queue_empty(b.q) && !kr_queue_full(b.q));
    box_close(&b);
}

static int put_four(void *arg)
{
    box b;
    (void)arg;
    box_attach(&b);
    for (int i = 2; i <= 5; i++)
        put(b.q, i, WITHIN);
    box_close(&b);
    return 0;
}
KR_TASK(put_four);

METHOD_TEST(test_get)
{
    box b;
    box_open(&b, sizeof(int), 10, NULL);
    CHECK(kr_queue_empty(b.q));
    kr_process *p = box_start(&b, put_four);
    for (int i = 2; i <= 5; i++)
        expect(b.q, i, WITHIN);
    CHECK(kr_queue_empty(b.q));
    get_times_out(b.q, KR_NOWAIT);
    get_times_out(b.q, SOON);
    CHECK_EQ(end(p), 0);
    box_close(&b);
}

static kr_queue *inherited;

static int put_ten_more(void *arg)
{
    (void)arg;
    for (int i = 10; i < 20; i++)
        put(inherited, i, WITHIN);
    return 0;
}

/* Used by the parent before, and by its handle of then. */
TEST(test_fork)
{
    kr_queue_options o = {.scope = KR_SHARED};
    CHECK_EQ(kr_queue_create(&inherited, sizeof(int), 100, &o), 0);
    method = KR_FORK;
    for (int i = 0; i < 10; i++)
        put(inherited, i, KR_NOWAIT);
    CHECK_EQ(run_code(put_ten_more, NULL, 0), 0);
    for (int i = 0; i < 20; i++)
        expect(inherited, i, KR_NOWAIT);
    get_times_out(inherited, KR_NOWAIT);
    kr_queue_release(inherited);
}

static int take_one(void *arg)
{
    box b;
    (void)arg;
    box_attach(&b);
    CHECK_EQ(kr_queue_qsize(b.q), 2);
    expect(b.q, 1, KR_NOWAIT);
    CHECK_EQ(kr_queue_qsize(b.q), 1);
    box_close(&b);
    return 0;
}
KR_TASK(take_one);

METHOD_TEST(test_qsize)
{
    box b;
    box_open(&b, sizeof(int), 10, NULL);
    CHECK_EQ(kr_queue_qsize(b.q), 0);
    put(b.q, 1, KR_NOWAIT);
    CHECK_EQ(kr_queue_qsize(b.q), 1);
    put(b.q, 5, KR_NOWAIT);
    CHECK_EQ(kr_queue_qsize(b.q), 2);
    CHECK_EQ(end(box_start(&b, take_one)), 0);
    CHECK_EQ(kr_queue_qsize(b.q), 1);
    expect(b.q, 5, KR_NOWAIT);
    CHECK_EQ(kr_queue_qsize(b.q), 0);
    box_close(&b);
}

enum { STOP = -1 };

/* Says task_done until it is told to stop; how many there were. */
static int work_off(void *arg)
{
    box b;
    int item, count = 0;
    (void)arg;
    box_attach(&b);
    do {
        CHECK_EQ(kr_queue_get(b.q, &item, WITHIN), 0);
        CHECK_EQ(kr_queue_task_done(b.q), 0);
        count += item != STOP;
    } while (item != STOP);
    box_close(&b);
    return count;
}
KR_TASK(work_off);

METHOD_TEST(test_task_done)
{
    enum { WORKERS = 4, ITEMS = 10 };
    box b;
    kr_process *workers[WORKERS];
    int done = 0;
    box_open(&b, sizeof(int), 0x100, &(kr_queue_options){.owners = WORKERS});
    for (int i = 0; i < WORKERS; i++)
        workers[i] = box_start(&b, work_off);
    for (int i = 0; i < ITEMS; i++)
        put(b.q, i, KR_NOWAIT);
    CHECK_EQ(kr_queue_join(b.q, WITHIN), 0);
    CHECK(kr_queue_empty(b.q));
    for (int i = 0; i < WORKERS; i++)
        put(b.q, STOP, KR_NOWAIT);
    for (int i = 0; i < WORKERS; i++)
        done += end(workers[i]);
    CHECK_EQ(done, ITEMS);
    CHECK_EQ(kr_queue_join(b.q, KR_NOWAIT), 0);
    CHECK_EQ(kr_queue_task_done(b.q), -EPERM);
    box_close(&b);
}

TEST(test_timeout)
{
    box b;
    box_open(&b, sizeof(int), 4, NULL);
    get_times_out(b.q, kr_ms(200));
    box_close(&b);
}

/* There is no feeder: whoever puts what cannot be put is told so there and then. */
TEST(test_queue_feeder_donot_stop_onexc)
{
    static const char long_item[1000];
    char item[8] = "";
    size_t size;
    box b;
    box_open(&b, 0, 1, &(kr_queue_options){.bytes = 100});
    CHECK_EQ(kr_queue_put_bytes(b.q, long_item, sizeof long_item, WITHIN), -EMSGSIZE);
    CHECK_EQ(kr_queue_qsize(b.q), 0);
    CHECK_EQ(kr_queue_put_bytes(b.q, "good", 4, KR_NOWAIT), 0); /* the only place is free */
    CHECK(kr_queue_full(b.q));
    CHECK_EQ(kr_queue_get_bytes(b.q, item, sizeof item, &size, KR_NOWAIT), 0);
    CHECK_EQ(size, 4);
    CHECK_STR(item, "good");
    box_close(&b);
}

/* SimpleQueue's test_empty. */
static int look_and_put(void *arg)
{
    box b;
    (void)arg;
    box_attach(&b);
    CHECK(kr_queue_empty(b.q));
    put(b.q, 1, WITHIN);
    put(b.q, 2, WITHIN);
    CHECK(!kr_queue_empty(b.q));
    box_close(&b);
    return 0;
}
KR_TASK(look_and_put);

METHOD_TEST(test_empty)
{
    box b;
    box_open(&b, sizeof(int), 4, NULL);
    CHECK(kr_queue_empty(b.q));
    CHECK_EQ(end(box_start(&b, look_and_put)), 0);
    CHECK(!kr_queue_empty(b.q));
    expect(b.q, 1, KR_NOWAIT);
    expect(b.q, 2, KR_NOWAIT);
    CHECK(kr_queue_empty(b.q));
    box_close(&b);
}

static int find_it_closed(void *arg)
{
    box b;
    int item;
    (void)arg;
    box_attach(&b);
    CHECK(kr_queue_is_shutdown(b.q));
    CHECK_EQ(kr_queue_put(b.q, &(int){3}, WITHIN), KR_ESHUTDOWN);
    expect(b.q, 2, WITHIN);
    CHECK_EQ(kr_queue_get(b.q, &item, WITHIN), KR_ESHUTDOWN);
    CHECK(kr_queue_empty(b.q));
    box_close(&b);
    return 0;
}
KR_TASK(find_it_closed);

/* Closed for all processes; what is inside can still be taken.
 * behaviours: 12.3 test_closed, test_closed_queue_put_get_exceptions */
METHOD_TEST(closed_in_every_process)
{
    box b;
    box_open(&b, sizeof(int), 4, NULL);
    put(b.q, 2, KR_NOWAIT);
    CHECK(!kr_queue_is_shutdown(b.q));
    CHECK_EQ(kr_queue_shutdown(b.q, false), 0);
    CHECK(kr_queue_is_shutdown(b.q));
    CHECK_EQ(end(box_start(&b, find_it_closed)), 0);
    CHECK_EQ(kr_queue_get(b.q, &(int){0}, KR_NOWAIT), KR_ESHUTDOWN);
    CHECK_EQ(kr_queue_put(b.q, &(int){0}, KR_NOWAIT), KR_ESHUTDOWN);
    box_close(&b);
}

TEST(test_close)
{
    box b;
    box_open(&b, sizeof(int), 4, NULL);
    CHECK_EQ(kr_queue_shutdown(b.q, false), 0);
    CHECK_EQ(kr_queue_shutdown(b.q, false), 0);
    kr_queue_auto(&b.q);
    b.q = NULL;
    kr_queue_auto(&b.q);
    CHECK_EQ(kr_queue_put(b.q, &(int){0}, KR_NOWAIT), -EINVAL);
    box_close(&b);
}

static int wait_for_an_item(void *arg)
{
    box b;
    int item;
    (void)arg;
    box_attach(&b);
    CHECK_EQ(write(kr_process_descriptor(1), "r", 1), 1); /* it is about to wait */
    CHECK_EQ(kr_queue_get(b.q, &item, WITHIN), 0);
    box_close(&b);
    return item;
}
KR_TASK(wait_for_an_item);

static kr_process *start_reader(const box *b)
{
    channel c;
    char byte;
    channel_open(&c);
    int descriptors[] = {b->descriptor, c.ends[1]};
    kr_process_options o = {.descriptors = descriptors, .descriptor_count = 2};
    kr_process *p = start_with(wait_for_an_item, NULL, 0, o);
    channel_read(&c, &byte, 1);
    close(c.ends[0]);
    close(c.ends[1]);
    return p;
}

/* One that is killed while it waits keeps nothing from the others, nor does it hang them. */
METHOD_TEST(a_killed_reader_takes_nothing_along)
{
    box b;
    box_open(&b, sizeof(int), 4, NULL);
    kr_process *killed = start_reader(&b);
    CHECK_EQ(kr_process_kill(killed), 0);
    CHECK_EQ(end(killed), -SIGKILL);
    kr_process *other = start_reader(&b);
    put(b.q, 42, KR_NOWAIT);
    CHECK_EQ(end(other), 42);
    CHECK(kr_queue_empty(b.q));
    box_close(&b);
}
