/* Queues in shared memory under every schedule, and under the death of a process at every point.
 *
 * Without a victim sleepers trust the bells for ever, so that a lost wake-up is a deadlock.
 *
 * SPDX-License-Identifier: MIT
 */
#include "model/scenario.h"
#include "queue/shared.h"

enum { VICTIM = 1, OTHER = 2, SIZE = 4096 };

/* A process with the number of a living one, and another start. */
#define ENDED (UINT64_C(7) << 32 | 1002)

static struct {
    kri_shared q;
    uint64_t got[4]; /* in the order of the gets of one */
    int count;
    kr_word finished;
    _Alignas(128) unsigned char memory[SIZE];
} s;

static void fresh(bool priority, size_t item_size, uint32_t maxsize, uint32_t owners, bool dies)
{
    memset(&s, 0, sizeof s);
    kri_shared_plan plan = {
        .priority = priority, .item_size = item_size, .maxsize = maxsize, .owners = owners};
    kr_explore_check(kri_shared_make(&s.q, s.memory, sizeof s.memory, &plan) == 0);
    if (!dies)
        s.q.slice = KRI_NEVER;
    kr_explore_name(&s.q.state->put, sizeof(kri_side), "put");
    kr_explore_name(&s.q.state->get, sizeof(kri_side), "get");
    kr_explore_name(&s.q.state->bells, sizeof(kri_bells), "bells");
    kr_explore_name(&s.q.state->ledger, sizeof(kri_ledger), "ledger");
}

static int put_timed(uint64_t value, kr_time timeout)
{
    kri_put put = {.items = (const unsigned char *)&value,
                   .length = sizeof value,
                   .count = 1,
                   .priority = (int64_t)value};
    return kri_shared_put(&s.q, &put, kri_deadline(timeout));
}

static void put(uint64_t value)
{
    kr_explore_check(put_timed(value, KR_FOREVER) == 1);
}

static int get_timed(uint64_t *value, kr_time timeout)
{
    kri_get get = {.items = (unsigned char *)value, .room = sizeof *value, .count = 1};
    return kri_shared_get(&s.q, &get, kri_deadline(timeout));
}

static uint64_t get(void)
{
    uint64_t value = 0;
    kr_explore_check(get_timed(&value, KR_FOREVER) == 1);
    return value;
}

static void put_7(void *arg)
{
    (void)arg;
    put(7);
}

static void put_8(void *arg)
{
    (void)arg;
    put(8);
}

static void put_two(void *arg)
{
    put_7(arg);
    put_8(arg);
}

static void get_one(void *arg)
{
    *(uint64_t *)arg = get();
}

static void get_if_any(void *arg)
{
    uint64_t value;
    if (get_timed(&value, KR_NOWAIT) == 1)
        *(uint64_t *)arg = value;
}

static void get_two(void *arg)
{
    (void)arg;
    s.got[0] = get();
    s.got[1] = get();
}

/* Nobody dies. */

static void check_two_in_order(void)
{
    kr_explore_join_all();
    kr_explore_check(s.got[0] == 7 && s.got[1] == 8);
    kr_explore_check(kri_shared_count(&s.q) == 0);
}

SCENARIO(shared_fifo_hands_over)
{
    fresh(false, 8, 1, 0, false);
    kr_explore_spawn_in(OTHER, put_two, NULL);
    get_two(NULL);
    check_two_in_order();
}

SCENARIO(shared_heap_hands_over, .preemptions = 1)
{
    fresh(true, 8, 1, 0, false);
    kr_explore_spawn_in(OTHER, put_two, NULL);
    get_two(NULL);
    check_two_in_order();
}

SCENARIO(shared_fifo_two_who_get, .stale = 1)
{
    fresh(false, 8, 2, 0, false);
    kr_explore_spawn_in(VICTIM, get_one, &s.got[0]);
    kr_explore_spawn_in(OTHER, get_one, &s.got[1]);
    put_two(NULL);
    kr_explore_join_all();
    kr_explore_check(s.got[0] + s.got[1] == 15);
}

SCENARIO(shared_fifo_two_who_put, .preemptions = 1, .stale = 1)
{
    fresh(false, 8, 1, 0, false);
    put(1);
    kr_explore_spawn_in(VICTIM, put_7, NULL);
    kr_explore_spawn_in(OTHER, put_8, NULL);
    kr_explore_check(get() == 1);
    kr_explore_check(get() + get() == 15);
    kr_explore_join_all();
}

/* Two sleep, and one call brings both their items: the first woken calls the second. */
static void put_both(void *arg)
{
    uint64_t values[2] = {7, 8};
    kri_put both = {.items = (const unsigned char *)values, .length = 8, .count = 2};
    (void)arg;
    kr_explore_check(kri_shared_put(&s.q, &both, KRI_NEVER) == 2);
}

SCENARIO(shared_fifo_passes_the_wake_on, .stale = 1)
{
    fresh(false, 8, 2, 0, false);
    kr_explore_spawn_in(VICTIM, get_one, &s.got[0]);
    kr_explore_spawn_in(OTHER, get_one, &s.got[1]);
    put_both(NULL);
    kr_explore_join_all();
    kr_explore_check(s.got[0] + s.got[1] == 15);
}

/* And room for two, that one get has made. */
SCENARIO(shared_fifo_passes_the_room_on, .preemptions = 1, .stale = 1)
{
    uint64_t values[2];
    fresh(false, 8, 2, 0, false);
    put_both(NULL);
    kr_explore_spawn_in(VICTIM, put_7, NULL);
    kr_explore_spawn_in(OTHER, put_8, NULL);
    kri_get both = {.items = (unsigned char *)values, .room = 8, .count = 2};
    kr_explore_check(kri_shared_get(&s.q, &both, KRI_NEVER) == 2);
    kr_explore_join_all();
    kr_explore_check(values[0] == 7 && values[1] == 8 && kri_shared_count(&s.q) == 2);
}

/* Who is woken and leaves with an error passes the wake on, too.  One has no room for the item. */
static void get_short(void *arg)
{
    uint64_t value;
    kri_get get = {.items = (unsigned char *)&value, .room = 4, .count = 1};
    (void)arg;
    int result = kri_shared_get(&s.q, &get, KRI_NEVER);
    kr_explore_check(result == -EMSGSIZE || result == KR_ESHUTDOWN);
}

static void fresh_of_bytes(void)
{
    memset(&s, 0, sizeof s);
    kri_shared_plan plan = {.bytes = 80};
    kr_explore_check(kri_shared_make(&s.q, s.memory, sizeof s.memory, &plan) == 0);
    s.q.slice = KRI_NEVER;
}

SCENARIO(shared_fifo_too_long_for_one, .early = KR_EXPLORE_NONE, .stale = 1)
{
    fresh_of_bytes();
    kr_explore_spawn_in(VICTIM, get_short, NULL);
    int other = kr_explore_spawn_in(OTHER, get_one, &s.got[1]);
    put(7);
    kr_explore_join(other);
    kr_explore_check(s.got[1] == 7);
    kr_explore_check(kri_shared_close(&s.q, true) == 0);
    kr_explore_join_all();
}

/* The time of one is up while it waits for the lock, which somebody holds who finds nothing. */
static void put_in_time(void *arg)
{
    (void)arg;
    int result = put_timed(7, kr_ms(1));
    kr_explore_check(result == -ETIMEDOUT || (result == 1 && get() != 0));
}

SCENARIO(shared_heap_room_that_comes_late, .preemptions = 1, .stale = KR_EXPLORE_NONE)
{
    fresh(true, 8, 1, 0, false);
    put(1);
    kr_explore_spawn_in(VICTIM, put_in_time, NULL);
    kr_explore_spawn_in(OTHER, put_8, NULL);
    kr_explore_yield(); /* so that both sleep without a preemption */
    kr_explore_check(get() != 0);
    kr_explore_spawn_in(OTHER, get_if_any, &s.got[1]);
    kr_explore_join_all();
}

static void get_shut_down(void *arg)
{
    uint64_t value;
    (void)arg;
    kr_explore_check(get_timed(&value, KR_FOREVER) == KR_ESHUTDOWN);
}

SCENARIO(shared_shutdown_wakes_all, .stale = 1)
{
    fresh(false, 8, 1, 0, false);
    kr_explore_spawn_in(VICTIM, get_shut_down, NULL);
    kr_explore_spawn_in(OTHER, get_shut_down, NULL);
    kr_explore_check(kri_shared_close(&s.q, false) == 0);
    kr_explore_join_all();
}

/* Whoever finds the queue shut down and empty has missed no item. */
static void put_or_not(void *arg)
{
    *(int *)arg = put_timed(7, KR_FOREVER);
}

/* But a lock that seems to be held for a second, which `early` would make of any. */
SCENARIO(shared_shutdown_against_put, .early = KR_EXPLORE_NONE)
{
    uint64_t value = 0;
    int result = 0;
    fresh(false, 8, 1, 0, false);
    kr_explore_spawn_in(OTHER, put_or_not, &result);
    kr_explore_check(kri_shared_close(&s.q, false) == 0);
    int got = get_timed(&value, KR_FOREVER);
    kr_explore_join_all();
    kr_explore_check(result == 1 ? got == 1 && value == 7 : got == KR_ESHUTDOWN);
}

static void get_and_settle(void *arg)
{
    (void)arg;
    kr_explore_check(get() == 7);
    kr_explore_check(kri_shared_task_done(&s.q) == 0);
    kri_store_rlx(&s.finished, 1);
}

SCENARIO(shared_join_waits)
{
    fresh(false, 8, 1, 0, false);
    put(7);
    kr_explore_spawn_in(OTHER, get_and_settle, NULL);
    kr_explore_check(kri_shared_join(&s.q, KRI_NEVER) == 0);
    kr_explore_check(kri_shared_unfinished(&s.q) == 0);
    kr_explore_join_all();
}

static void join_all(void *arg)
{
    (void)arg;
    kr_explore_check(kri_shared_join(&s.q, KRI_NEVER) == 0);
}

SCENARIO(shared_two_join, .stale = 1, .preemptions = 3)
{
    fresh(false, 8, 1, 0, false);
    put(7);
    kr_explore_spawn_in(VICTIM, join_all, NULL);
    kr_explore_spawn_in(OTHER, join_all, NULL);
    get_and_settle(NULL);
    kr_explore_join_all();
}

/* Who waits meanwhile does not give up as long as an item comes. */
static void get_or_not(void *arg)
{
    uint64_t value = 0;
    *(int *)arg = get_timed(&value, KR_FOREVER);
}

SCENARIO(shared_shutdown_between_put_and_get, .early = KR_EXPLORE_NONE, .stale = 1)
{
    int put_result = 0;
    int get_result = 0;
    fresh(false, 8, 1, 0, false);
    kr_explore_spawn_in(OTHER, get_or_not, &get_result);
    kr_explore_spawn_in(VICTIM, put_or_not, &put_result);
    kr_explore_check(kri_shared_close(&s.q, false) == 0);
    kr_explore_join_all();
    kr_explore_check(get_result == put_result);
}

/* Somebody dies, at any point. */

/* What is left: each of the two items once or, if the victim may have had it, not at all. */
static void drain(void)
{
    uint64_t value;
    int result;
    while ((result = get_timed(&value, KR_NOWAIT)) == 1) {
        kr_explore_check(s.count < 4);
        s.got[s.count++] = value;
    }
    kr_explore_check(result == -ETIMEDOUT);
}

static void put_beside_victim(bool priority)
{
    fresh(priority, 8, 2, 0, true);
    kr_explore_spawn_in(VICTIM, put_7, NULL);
    kr_explore_spawn_in(OTHER, put_8, NULL);
    kr_explore_join_all();
    kr_explore_check(kri_shared_has_room(&s.q) == (kri_shared_count(&s.q) < 2));
    drain();
    kr_explore_check(kri_shared_unfinished(&s.q) == (uint32_t)s.count);
    if (kr_explore_alive(VICTIM))
        kr_explore_check(s.count == 2);
    if (s.count == 2)
        kr_explore_check(s.got[0] + s.got[1] == 15 && (!priority || s.got[0] == 7));
    else
        kr_explore_check(s.count == 1 && s.got[0] == 8);
    put_7(NULL);
    put_8(NULL);
    kr_explore_check(get() == 7 && get() == 8);
}

SCENARIO(shared_fifo_writer_dies, .victim = VICTIM, .stale = 1)
{
    put_beside_victim(false);
}

SCENARIO(shared_heap_writer_dies, .victim = VICTIM, .stale = 1)
{
    put_beside_victim(true);
}

/* The victim gets 7 or 8 or nothing; the other gets what is left. */
static void get_beside_victim(bool priority)
{
    fresh(priority, 8, 2, 0, true);
    put_two(NULL);
    kr_explore_spawn_in(VICTIM, get_if_any, &s.got[2]);
    kr_explore_spawn_in(OTHER, get_if_any, &s.got[3]);
    kr_explore_join_all();
    kr_explore_check(s.got[3] != 0);
    drain();
    kr_explore_check(s.count <= 1); /* the dead one may have had one and not used it */
    uint64_t known = s.got[2] + s.got[3] + (s.count == 1 ? s.got[0] : 0);
    if (kr_explore_alive(VICTIM) || s.got[2] != 0 || s.count == 1)
        kr_explore_check(known == 15);
    put_7(NULL);
    put_8(NULL);
    kr_explore_check(get() == 7 && get() == 8);
}

SCENARIO(shared_fifo_reader_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE, .stale = 1)
{
    get_beside_victim(false);
}

SCENARIO(shared_heap_reader_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE, .stale = 1)
{
    get_beside_victim(true);
}

/* Both wait for one item each; a wake that was spent on the victim is made up for. */
SCENARIO(shared_waiter_dies, .victim = VICTIM, .preemptions = 1, .stale = 1)
{
    fresh(false, 8, 2, 0, true);
    kr_explore_spawn_in(VICTIM, get_one, &s.got[0]);
    kr_explore_spawn_in(OTHER, get_one, &s.got[1]);
    put_two(NULL);
    kr_explore_join_all();
    kr_explore_check(s.got[1] != 0);
}

/* The one who would have made room, or brought an item, dies. */
SCENARIO(shared_waker_dies, .victim = VICTIM, .stale = 1)
{
    fresh(false, 8, 1, 0, true);
    int waiter = kr_explore_spawn_in(OTHER, get_one, &s.got[0]);
    kr_explore_join(kr_explore_spawn_in(VICTIM, put_7, NULL));
    if (kri_load_rlx64(&s.q.state->put.at) == 0)
        (void)put_timed(8, KR_NOWAIT);
    kr_explore_join(waiter);
    kr_explore_check(s.got[0] != 0);
}

/* What is owed by a process that dies before it says task_done is settled. */
static void owe_beside_victim(bool priority)
{
    fresh(priority, 8, 2, 2, true);
    put_two(NULL);
    kr_explore_join(kr_explore_spawn_in(VICTIM, get_and_settle, NULL));
    uint64_t first = get();
    kr_explore_check(kri_shared_task_done(&s.q) == 0);
    if (first == 7)
        kr_explore_check(get() == 8 && kri_shared_task_done(&s.q) == 0);
    kr_explore_check(kri_shared_join(&s.q, kri_deadline(kr_sec(10))) == 0);
    kr_explore_check(kri_shared_task_done(&s.q) == -EPERM);
}

SCENARIO(shared_fifo_debtor_dies, .victim = VICTIM)
{
    owe_beside_victim(false);
}

SCENARIO(shared_heap_debtor_dies, .victim = VICTIM)
{
    owe_beside_victim(true);
}

/* Who settles for a dead one may die over it, too; the item that nobody has taken stays owed. */
static void join_in_vain(void *arg)
{
    (void)arg;
    kr_explore_check(kri_shared_join(&s.q, kri_deadline(kr_ms(200))) == -ETIMEDOUT);
}

SCENARIO(shared_settler_dies, .victim = VICTIM)
{
    fresh(false, 8, 3, 2, true);
    put_two(NULL);
    put(9);
    kr_explore_check(get() == 7 && get() == 8);
    kri_store_rlx64(&s.q.owing[0].process, ENDED); /* as if that had taken them */
    kr_explore_join(kr_explore_spawn_in(VICTIM, join_in_vain, NULL));
    join_in_vain(NULL);
    kr_explore_check(kri_load_rlx64(&s.q.state->ledger.done) == 2);
}

/* Items that were put together are all there, or none is. */
SCENARIO(shared_fifo_writer_of_many_dies, .victim = VICTIM)
{
    fresh(false, 8, 4, 0, true);
    kr_explore_join(kr_explore_spawn_in(VICTIM, put_both, NULL));
    put(9);
    drain();
    kr_explore_check(s.count == 3 || (s.count == 1 && !kr_explore_alive(VICTIM)));
    kr_explore_check(s.count == 1 || (s.got[0] == 7 && s.got[1] == 8));
    kr_explore_check(s.got[s.count - 1] == 9);
}

/* Longer than a line, and round the end of the ring: a reader never sees half of one. */
enum { LONG = 40 };

static void put_long(uint64_t value)
{
    uint64_t item[LONG / 8];
    for (int i = 0; i < LONG / 8; i++)
        item[i] = value;
    kri_put put = {.items = (const unsigned char *)item, .length = LONG, .count = 1};
    kr_explore_check(kri_shared_put(&s.q, &put, KRI_NEVER) == 1);
}

static bool get_long(uint64_t *value)
{
    uint64_t item[LONG / 8];
    kri_get get = {.items = (unsigned char *)item, .room = LONG, .count = 1};
    if (kri_shared_get(&s.q, &get, 0) != 1)
        return false;
    for (int i = 1; i < LONG / 8; i++)
        kr_explore_check(item[i] == item[0]);
    *value = item[0];
    return true;
}

static void put_long_7(void *arg)
{
    (void)arg;
    put_long(7);
}

/* Room for one is none for another, so all are called for it. */
SCENARIO(shared_fifo_room_of_two_lengths, .preemptions = 1, .early = KR_EXPLORE_NONE)
{
    uint64_t value = 0;
    fresh_of_bytes();
    put_two(NULL);
    put_long(1);
    kr_explore_spawn_in(VICTIM, put_long_7, NULL);
    int other = kr_explore_spawn_in(OTHER, put_8, NULL);
    kr_explore_yield(); /* so that both sleep without a preemption */
    kr_explore_check(get() == 7);
    kr_explore_join(other);
    kr_explore_check(get() == 8 && get_long(&value) && value == 1);
    kr_explore_join_all();
    kr_explore_check(kri_shared_count(&s.q) == 2);
}

SCENARIO(shared_fifo_long_item_dies, .victim = VICTIM, .early = KR_EXPLORE_NONE)
{
    uint64_t value = 0;
    memset(&s, 0, sizeof s);
    kri_shared_plan plan = {.bytes = 80};
    kr_explore_check(kri_shared_make(&s.q, s.memory, sizeof s.memory, &plan) == 0);
    put_long(1);
    kr_explore_check(get_long(&value) && value == 1);
    kr_explore_spawn_in(VICTIM, put_long_7, NULL);
    bool early = get_long(&value);
    kr_explore_check(!early || value == 7);
    kr_explore_join_all();
    bool late = get_long(&value);
    kr_explore_check(early != late || (!early && !kr_explore_alive(VICTIM)));
    put_long(3);
    kr_explore_check(get_long(&value) && value == 3);
}

/* One who shuts the queue down dies: it is shut down, or another does it. */
static void shut_down(void *arg)
{
    (void)arg;
    kr_explore_check(kri_shared_close(&s.q, true) == 0);
}

SCENARIO(shared_closer_dies, .victim = VICTIM, .stale = 1)
{
    fresh(false, 8, 1, 0, true);
    int waiter = kr_explore_spawn_in(OTHER, get_shut_down, NULL);
    kr_explore_join(kr_explore_spawn_in(VICTIM, shut_down, NULL));
    if (kri_load_rlx(&s.q.state->bells.closed) == KRI_OPEN)
        shut_down(NULL);
    kr_explore_join(waiter);
    kr_explore_check(put_timed(7, KR_NOWAIT) == KR_ESHUTDOWN);
}
