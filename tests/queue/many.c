/* Many who put and many who get: nothing is lost, nothing comes twice, each writer's items come in
 * its order.
 *
 * Behaviours: section 10
 *
 * SPDX-License-Identifier: MIT
 */
#include "queue/parties.h"

#include <signal.h>
#include <unistd.h>

enum { ITEMS = 10000, MOST_SIDE = 50 };

typedef enum get_how { BLOCKING, NONBLOCK, TIMEOUT } get_how;

typedef struct many_world {
    kr_queue *queue;
    get_how how;
    int side; /* as many who put as who get */
    kr_word taken;
    kr_word wrong;
    kr_word refused; /* calls that found nothing, or no room */
    kr_word seen[ITEMS];
} many_world;

/* Item n of writer w is n * MOST_SIDE + w, so that the order of one writer's can be seen. Of those
   who never wait one has to be refused: nobody puts before it was. */

static void put_share(many_world *world, int index)
{
    while (world->how == NONBLOCK && kri_load_rlx(&world->refused) == 0)
        party_nap();
    for (int n = 0; n * world->side + index < ITEMS; n++) {
        int64_t item = (int64_t)n * MOST_SIDE + index;
        int err;
        while ((err = kr_queue_put(world->queue, &item,
                                   world->how == BLOCKING ? KR_FOREVER : kr_us(50))) == -ETIMEDOUT)
            kri_add_rlx(&world->refused, 1);
        if (err)
            kri_add_rlx(&world->wrong, 1);
    }
}

static int64_t get_somehow(many_world *world)
{
    static const kr_time limits[] = {KR_FOREVER, KR_NOWAIT, 10000};
    int64_t item;
    while ((item = get(world->queue, limits[world->how])) == -ETIMEDOUT) {
        kri_add_rlx(&world->refused, 1);
        (void)kr_yield();
    }
    return item;
}

static void get_share(many_world *world)
{
    int64_t last[MOST_SIDE];
    memset(last, 0xff, sizeof last);
    for (int64_t item; (item = get_somehow(world)) >= 0;) {
        int writer = (int)(item % MOST_SIDE), number = (int)(item / MOST_SIDE);
        if (writer >= world->side || number * world->side + writer >= ITEMS ||
            number <= last[writer] ||
            kri_add_rlx(&world->seen[number * world->side + writer], 1) != 0)
            kri_add_rlx(&world->wrong, 1);
        last[writer] = number;
        kri_add_rlx(&world->taken, 1);
    }
}

static void put_or_get(void *arg, int index)
{
    many_world *world = arg;
    if (index < world->side)
        put_share(world, index);
    else
        get_share(world);
}

/* Those who get end by the shutdown, which comes when all is put. */
static void check_many(kr_queue *q, get_how how)
{
    many_world *world = party_world(sizeof *world);
    world->queue = q;
    world->how = how;
    world->side = party_scope() == KR_SHARED ? 6 : MOST_SIDE;
    party_bunch *bunch = party_start(2 * world->side, put_or_get, world);
    party_await_finished(bunch, world->side);
    CHECK_EQ(kr_queue_shutdown(q, false), 0);
    party_join(bunch);
    CHECK_EQ(kri_load_rlx(&world->wrong), 0);
    CHECK_EQ(kri_load_rlx(&world->taken), ITEMS);
    CHECK(kr_queue_empty(q));
    if (how == NONBLOCK)
        CHECK_GE(kri_load_rlx(&world->refused), 1);
    kr_queue_release(q);
    party_world_free(world, sizeof *world);
}

static kr_queue *make_reentrant(void)
{
    kr_queue *q;
    CHECK_EQ(kr_queue_create(&q, sizeof(int64_t), 0, &(kr_queue_options){.reentrant = true}), 0);
    return q;
}

static void check_all(get_how how)
{
    check_many(make_queue(KR_FIFO, 0), how);
    check_many(make_queue(KR_FIFO, 16), how);
    if (party_scope() == KR_PRIVATE)
        check_many(make_reentrant(), how);
}

PARTY_TEST(test_many_threads)
{
    check_all(BLOCKING);
}

PARTY_CASE(test_many_threads, runners)

PARTY_TEST(test_many_threads_nonblock)
{
    check_all(NONBLOCK);
}

PARTY_CASE(test_many_threads_nonblock, runners)

PARTY_TEST(test_many_threads_timeout)
{
    check_all(TIMEOUT);
}

PARTY_CASE(test_many_threads_timeout, runners)

/* One who puts, one who gets: the order is that of the puts. */

typedef struct order_world {
    kr_queue *queue;
    int64_t first_wrong;
} order_world;

static void put_in_order(void *arg, int index)
{
    order_world *world = arg;
    (void)index;
    for (int64_t i = 0; i < ITEMS; i++)
        CHECK_EQ(kr_queue_put(world->queue, &i, KR_FOREVER), 0);
}

static void check_in_order(kr_queue *q)
{
    order_world *world = party_world(sizeof *world);
    world->queue = q;
    party_bunch *bunch = party_start(1, put_in_order, world);
    for (int64_t i = 0; i < ITEMS; i++)
        CHECK_EQ(get(q, KR_FOREVER), i);
    party_join(bunch);
    CHECK_EQ(get(q, KR_NOWAIT), -ETIMEDOUT);
    kr_queue_release(q);
    party_world_free(world, sizeof *world);
}

PARTY_TEST(test_order)
{
    check_in_order(make_queue(KR_FIFO, 0));
    check_in_order(make_queue(KR_FIFO, 1));
    check_in_order(make_queue(KR_FIFO, 100));
    if (party_scope() == KR_PRIVATE)
        check_in_order(make_reentrant());
}

PARTY_CASE(test_order, runners)

/* A signal handler puts while the thread that it interrupts is inside a put or a get.  Items of the
 * handler are odd, the thread's own are even; both come in order. */

static kr_queue *interrupted;
static volatile int64_t handlers_next = 1; /* of the thread that is interrupted */

static void put_from_handler(int signo)
{
    (void)signo;
    int64_t item = handlers_next;
    if (kr_queue_put(interrupted, &item, KR_NOWAIT) == 0)
        handlers_next = item + 2;
}

static void interrupt_again_and_again(void *arg, int index)
{
    kr_word *stop = arg;
    (void)index;
    while (kri_load_acq(stop) == 0) {
        kill(getpid(), SIGUSR1);
        (void)kr_yield();
    }
}

static void block_signal(int what)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    pthread_sigmask(what, &set, NULL);
}

static void put_and_get(kr_queue *q, kr_time until, int64_t taken[2])
{
    int64_t next[2] = {0, 1};
    bool putting = true;
    for (int64_t own = 0; putting || kr_queue_qsize(q) > 0;) {
        putting = kr_now() < until || taken[1] < 10;
        if (!putting && kr_queue_qsize(q) == 0)
            break;
        if (putting) {
            CHECK_EQ(kr_queue_put(q, &own, KR_NOWAIT), 0);
            own += 2;
        }
        int64_t item = get(q, KR_NOWAIT);
        CHECK_GE(item, 0);
        CHECK_EQ(item, next[item % 2]);
        next[item % 2] += 2;
        taken[item % 2]++;
        if (item % 2 == 0)
            continue;
        item = get(q, KR_NOWAIT);
        if (item >= 0) {
            CHECK_EQ(item, next[item % 2]);
            next[item % 2] += 2;
            taken[item % 2]++;
        }
    }
}

PARTY_TEST_OF(test_reentrancy, threads)
{
    kr_word stop = {0};
    int64_t taken[2] = {0, 0};
    interrupted = make_reentrant();
    struct sigaction action = {.sa_handler = put_from_handler};
    CHECK_EQ(sigaction(SIGUSR1, &action, NULL), 0);
    block_signal(SIG_BLOCK); /* the other thread is not to take them */
    party_bunch *bunch = party_start(1, interrupt_again_and_again, &stop);
    block_signal(SIG_UNBLOCK);
    put_and_get(interrupted, kr_now() + party_budget(), taken);
    kri_store_rel(&stop, 1);
    party_join(bunch);
    for (int64_t item; (item = get(interrupted, KR_NOWAIT)) >= 0;)
        taken[item % 2]++;
    kri_test_note("%jd items of the thread, %jd of the handler", (intmax_t)taken[0],
                  (intmax_t)taken[1]);
    CHECK_GE(taken[1], 10);
    CHECK_EQ(taken[1], (handlers_next - 1) / 2);
    kr_queue_release(interrupted);
}
