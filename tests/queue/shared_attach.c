/* Attaching to memory that holds a queue, another thing, or a damaged queue.
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/segment.h"
#include "queue/shared.h"
#include "queue/shared_help.h"
#include "sync/internal.h"
#include <grp.h>

#define MOMENT kr_us(20)

enum { MEMORY = 8192, ITEM = 24, MAXSIZE = 8 };

static size_t make_at(void *memory, kr_queue_order order, size_t item_size)
{
    kr_queue_options o = {.order = order, .owners = 2, .bytes = item_size == 0 ? 1000 : 0};
    kr_queue *q;
    memset(memory, 0, MEMORY);
    size_t size = kr_queue_memory_size(item_size, MAXSIZE, &o);
    CHECK(size > 0 && size <= MEMORY);
    CHECK_EQ(kr_queue_create_at(&q, memory, size, item_size, MAXSIZE, &o), 0);
    char item[ITEM] = "item";
    for (int i = 0; i < 3; i++)
        CHECK_EQ(item_size != 0 ? kr_queue_put(q, item, KR_NOWAIT)
                                : kr_queue_put_bytes(q, item, (size_t)(8 * i), KR_NOWAIT),
                 0);
    kr_queue_release(q);
    return size;
}

static void *here(void)
{
    return mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

TEST(attach_to_what_is_no_queue)
{
    unsigned char *memory = here();
    kr_queue *q;
    CHECK_EQ(kr_queue_attach(&q, memory, MEMORY), KR_ECORRUPT);
    memset(memory, 0xff, MEMORY);
    CHECK_EQ(kr_queue_attach(&q, memory, MEMORY), KR_ECORRUPT);
    CHECK_EQ(kr_queue_attach(&q, NULL, MEMORY), -EINVAL);
    CHECK_EQ(kr_queue_attach(&q, memory + 4, MEMORY - 4), -EINVAL);
    CHECK(q == NULL);
    uint64_t random = kri_test_seed();
    for (int round = 0; round < 1000; round++) {
        for (size_t i = 0; i < 1024; i += 8) {
            uint64_t word = kri_test_random(&random);
            memcpy(memory + i, &word, 8);
        }
        CHECK_EQ(kr_queue_attach(&q, memory, MEMORY), KR_ECORRUPT);
    }
}

TEST(attach_to_one_cut_off)
{
    void *memory = here();
    kr_queue *q;
    size_t size = make_at(memory, KR_FIFO, ITEM);
    for (size_t cut = 0; cut < size; cut++)
        CHECK_EQ(kr_queue_attach(&q, memory, cut), KR_ECORRUPT);
    CHECK_EQ(kr_queue_attach(&q, memory, size), 0);
    kr_queue_release(q);
}

TEST(attach_to_a_damaged_head)
{
    unsigned char *memory = here();
    kr_queue *q;
    make_at(memory, KR_PRIORITY, ITEM);
    for (size_t i = 0; i < sizeof(kri_segment); i++) {
        for (int bit = 0; bit < 8; bit++) {
            memory[i] ^= (unsigned char)(1 << bit);
            CHECK_EQ(kr_queue_attach(&q, memory, MEMORY), KR_ECORRUPT);
            memory[i] ^= (unsigned char)(1 << bit);
        }
    }
    CHECK_EQ(kr_queue_attach(&q, memory, MEMORY), 0);
    kr_queue_release(q);
}

/* A head that is consistent in itself, as a foreign program could write it. */
static int attach_resealed(unsigned char *memory, void (*change)(kri_segment *head))
{
    kri_segment *head = (kri_segment *)(void *)memory;
    kr_queue *q;
    make_at(memory, KR_FIFO, ITEM);
    change(head);
    kri_segment_seal(head);
    int err = kr_queue_attach(&q, memory, MEMORY);
    kr_queue_release(q);
    return err;
}

static void change_nothing(kri_segment *head)
{
    (void)head;
}

static void change_version(kri_segment *head)
{
    head->version++;
}

static void change_kind(kri_segment *head)
{
    head->kind = 77;
}

static void change_pid_namespace(kri_segment *head)
{
    head->pid_namespace++;
}

static void change_time_namespace(kri_segment *head)
{
    head->time_namespace++;
}

TEST(attach_to_one_of_elsewhere)
{
    unsigned char *memory = here();
    CHECK_EQ(attach_resealed(memory, change_nothing), 0);
    CHECK_EQ(attach_resealed(memory, change_version), KR_ECORRUPT);
    CHECK_EQ(attach_resealed(memory, change_kind), KR_ECORRUPT);
    CHECK_EQ(attach_resealed(memory, change_pid_namespace), -EXDEV);
    CHECK_EQ(attach_resealed(memory, change_time_namespace), -EXDEV);
}

static void become(uid_t user)
{
    CHECK_EQ(setegid((gid_t)user), 0);
    CHECK_EQ(seteuid(user), 0);
}

static void take_groups(const gid_t *groups, size_t count)
{
    if (setgroups(count, groups) != 0)
        SKIP("may not change its groups");
}

static void attach_as(uint32_t mode, uint32_t group, uid_t user, int expected)
{
    unsigned char *memory = here();
    kri_segment *head = (kri_segment *)(void *)memory;
    kr_queue *q;
    make_at(memory, KR_FIFO, ITEM);
    head->mode = mode;
    head->owner = 0;
    head->group = group;
    kri_segment_seal(head);
    become(user);
    CHECK_EQ(kr_queue_attach(&q, memory, MEMORY), expected);
    kr_queue_release(q);
    CHECK_EQ(seteuid(0), 0);
    CHECK_EQ(setegid(0), 0);
    munmap(memory, MEMORY);
}

TEST(attach_to_what_belongs_to_another)
{
    if (geteuid() != 0)
        SKIP("needs to become another user");
    enum { SOMEBODY = 12345 };
    take_groups(NULL, 0);
    attach_as(0600, 0, 0, 0);
    attach_as(0600, SOMEBODY, SOMEBODY, -EPERM);
    attach_as(0660, SOMEBODY, SOMEBODY, 0);
    attach_as(0660, 0, SOMEBODY, -EPERM);
    attach_as(0666, 0, SOMEBODY, 0);
    attach_as(0606, SOMEBODY, SOMEBODY, -EPERM);
}

/* With the groups beside the first, too. */
TEST(attach_as_one_of_many_groups)
{
    if (geteuid() != 0)
        SKIP("needs to become another user");
    enum { SOMEBODY = 12345, FIRST = 20000, GROUPS = 100, OUTSIDE = FIRST + GROUPS };
    gid_t groups[GROUPS];
    for (gid_t i = 0; i < GROUPS; i++)
        groups[i] = FIRST + i;
    take_groups(groups, GROUPS);
    attach_as(0660, FIRST, SOMEBODY, 0);
    attach_as(0660, OUTSIDE - 1, SOMEBODY, 0);
    attach_as(0660, OUTSIDE, SOMEBODY, -EPERM);
    attach_as(0606, FIRST + 1, SOMEBODY, -EPERM);
    attach_as(0606, OUTSIDE, SOMEBODY, 0);
    take_groups(NULL, 0);
    attach_as(0660, FIRST, SOMEBODY, -EPERM);
}

TEST(attach_to_what_was_made_for_all)
{
    if (geteuid() != 0)
        SKIP("needs to become another user");
    unsigned char *memory = here();
    kr_queue_options o = {.mode = 01777};
    kr_queue *q;
    CHECK_EQ(kr_queue_create_at(&q, memory, MEMORY, ITEM, 4, &o), -EINVAL);
    o.mode = 0666;
    CHECK_EQ(kr_queue_create_at(&q, memory, MEMORY, ITEM, 4, &o), 0);
    kr_queue_release(q);
    become(12345);
    CHECK_EQ(kr_queue_attach(&q, memory, MEMORY), 0);
    kr_queue_release(q);
    CHECK_EQ(seteuid(0), 0); /* a sanitizer wants to look at its own process at the end */
    CHECK_EQ(setegid(0), 0);
}

/* Uses the queue as far as it goes; nothing may crash or hang, and of the results all will do. */
static void use(kr_queue *q, bool any_length)
{
    unsigned char item[2000] = {0};
    size_t size;
    int results = 0;
    for (int i = 0; i < 12; i++) {
        results |= any_length ? kr_queue_put_bytes(q, item, (size_t)(i * 20), MOMENT)
                              : kr_queue_put(q, item, MOMENT);
        results |= any_length ? kr_queue_get_bytes(q, item, sizeof item, &size, MOMENT)
                              : kr_queue_get(q, item, MOMENT);
        if (i % 3 == 0)
            results |= kr_queue_get_many(q, item, MAXSIZE, MOMENT);
    }
    results |= (int)kr_queue_qsize(q) | kr_queue_task_done(q) | kr_queue_join(q, MOMENT);
    results |= kr_queue_shutdown(q, true);
    (void)results;
}

/* Numbers that a foreign program made up, each of them alone, sealed as sound.  Some fit the size
 * all the same. */
TEST(attach_to_made_up_numbers)
{
    static const uint64_t made_up[] = {
        0, 1, 2, 7, 9, 0x7fffffff, 0x80000000, 0xffffffff, UINT64_C(1) << 62, UINT64_MAX};
    unsigned char *memory = here();
    kri_segment *head = (kri_segment *)(void *)memory;
    int refused = 0;
    for (int order = KR_FIFO; order <= KR_PRIORITY; order += KR_PRIORITY) {
        for (size_t p = 0; p < KRI_SEGMENT_PARAMETERS; p++) {
            for (size_t i = 0; i < sizeof made_up / sizeof made_up[0]; i++) {
                kr_queue *q;
                size_t size = make_at(memory, (kr_queue_order)order, ITEM);
                head->parameters[p] = made_up[i];
                kri_segment_seal(head);
                int err = kr_queue_attach(&q, memory, size);
                CHECK(err == KR_ECORRUPT || err == 0);
                if (err == 0)
                    use(q, kr_queue_item_size(q) == 0);
                for (size_t at = size; at < MEMORY; at++)
                    CHECK_EQ(memory[at], 0);
                refused += err != 0;
                kr_queue_release(q);
            }
        }
    }
    CHECK_GE(refused, 80);
}

/* Every byte behind the head, one after the other, in a queue that somebody has attached to. */
static void damage(kr_queue_order order, size_t item_size, unsigned char flip)
{
    unsigned char *memory = here();
    size_t size = make_at(memory, order, item_size);
    long sound = 0;
    for (size_t i = sizeof(kri_segment); i < size; i++) {
        kr_queue *q;
        make_at(memory, order, item_size);
        CHECK_EQ(kr_queue_attach(&q, memory, size), 0);
        memory[i] ^= flip;
        use(q, item_size == 0);
        CHECK_EQ(memory[size], 0); /* and nothing is written behind it */
        kr_queue_release(q);
        sound++;
    }
    kri_test_note("%ld bytes damaged by %#x", sound, flip);
}

TEST(damaged_fifo_does_not_crash)
{
    damage(KR_FIFO, ITEM, 0xff);
    damage(KR_FIFO, ITEM, 0x01);
}

TEST(damaged_fifo_of_any_length_does_not_crash)
{
    damage(KR_FIFO, 0, 0xff);
    damage(KR_FIFO, 0, 0x80);
}

TEST(damaged_priority_queue_does_not_crash)
{
    damage(KR_PRIORITY, ITEM, 0xff);
    damage(KR_PRIORITY, 0, 0x04);
}

/* The same with noise in all of it, and the locks as if a dead process held them: so it is
 * repaired from noise. */
TEST(noise_does_not_crash)
{
    unsigned char *memory = here();
    uint64_t random = kri_test_seed();
    for (int round = 0; round < 600; round++) {
        kr_queue_order order = round % 2 == 0 ? KR_FIFO : KR_PRIORITY;
        size_t item_size = round % 3 == 0 ? 0 : ITEM;
        size_t size = make_at(memory, order, item_size);
        kri_shared_state *state = (kri_shared_state *)(void *)memory;
        size_t from = round % 4 < 2 ? offsetof(kri_shared_state, put) : sizeof *state;
        kr_queue *q;
        CHECK_EQ(kr_queue_attach(&q, memory, size), 0);
        for (size_t i = from; i < size; i++) {
            if (kri_test_random(&random) % 16 == 0)
                memory[i] = (unsigned char)kri_test_random(&random);
        }
        /* No process has this number: the kernel's stop at 2^22. */
        uint64_t dead = (UINT64_C(7) << 32) | UINT32_C(0x3fffff) | KRI_LOCK_SHARED;
        memcpy(&state->put.lock, &dead, sizeof dead);
        memcpy(&state->get.lock, &dead, sizeof dead);
        use(q, item_size == 0);
        for (size_t i = size; i < MEMORY; i++)
            CHECK_EQ(memory[i], 0);
        kr_queue_release(q);
    }
}

/* Another process may change a length between the look at it and the copy. */
typedef struct restless {
    kr_word *length;
    uint32_t true_length;
} restless;

static void change_again_and_again(void *arg)
{
    const restless *r = arg;
    for (;;) {
        kri_store_rlx(r->length, 100);
        kri_store_rlx(r->length, r->true_length);
    }
}

/* Where the only item of a queue made by make_restless has its length. */
static kr_word *length_in(unsigned char *memory, kr_queue_order order, size_t size)
{
    kri_shared q;
    CHECK_EQ(kri_shared_attach(&q, memory, size), 0);
    if (order == KR_FIFO)
        return (kr_word *)(void *)q.bytes;
    uint32_t slot = 0;
    while (kri_load_rlx(&q.slots[slot].state) != KRI_SLOT_FULL)
        slot++;
    return (kr_word *)(void *)&q.slots[slot].length;
}

static size_t make_restless(unsigned char *memory, kr_queue_order order)
{
    kr_queue_options o = {.order = order, .bytes = 1000};
    kr_queue *q;
    size_t size = kr_queue_memory_size(0, 4, &o);
    CHECK(size > 0 && size <= MEMORY);
    CHECK_EQ(kr_queue_create_at(&q, memory, size, 0, 4, &o), 0);
    CHECK_EQ(kr_queue_put_bytes(q, "12345678", 8, KR_NOWAIT), 0);
    kr_queue_release(q);
    return size;
}

static void get_what_changes(kr_queue_order order)
{
    enum { ROOM = 8, GUARD = 192 };
    unsigned char *memory = shared_pages(MEMORY);
    unsigned char before[MEMORY], item[ROOM + GUARD];
    size_t size = make_restless(memory, order), length;
    restless r = {length_in(memory, order, size), 8};
    int results[2] = {0, 0};
    kr_queue *q;
    memcpy(before, memory, size);
    CHECK_EQ(kr_queue_attach(&q, memory, size), 0);
    pid_t id = child(change_again_and_again, &r);
    for (kr_time end = kr_now() + kr_ms(300); kr_now() < end;) {
        memset(item, 0xa5, sizeof item);
        results[kr_queue_get_bytes(q, item, ROOM, &length, KR_NOWAIT) != 0]++;
        for (int i = ROOM; i < ROOM + GUARD; i++)
            CHECK_EQ(item[i], 0xa5);
        memcpy(memory, before, size);
    }
    kill_and_reap(id);
    kri_test_note("%d had it, %d had an error", results[0], results[1]);
    kr_queue_release(q);
}

TEST(fifo_whose_lengths_change_writes_where_it_may)
{
    get_what_changes(KR_FIFO);
}

TEST(priority_queue_whose_lengths_change_writes_where_it_may)
{
    get_what_changes(KR_PRIORITY);
}
