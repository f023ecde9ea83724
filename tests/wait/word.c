/* Waiting on words: what kri_wait and kri_wake promise.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/party.h"
#include "harness/sanitizers.h"
#include "os/os.h"
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct word_world {
    kr_word word;
    kr_word other;
    kr_word turn;
    kr_time deadline;
    int results[PARTY_MAX];
    uint32_t order[PARTY_MAX];
} word_world;

static void wait_on_word(void *arg, int index)
{
    word_world *world = arg;

    world->results[index] = kri_wait(&world->word, 0, world->deadline, 0);
    world->order[index] = kri_add_acq_rel(&world->turn, 1);
}

TEST(test_value_differs)
{
    kr_word word = {5};

    CHECK_EQ(kri_wait(&word, 4, KRI_NEVER, 0), -EAGAIN);
    CHECK_EQ(kri_wait(&word, 4, kri_deadline(kr_sec(100)), KRI_UNCANCELLABLE), -EAGAIN);
    CHECK_EQ(kri_wait(&word, 4, KRI_NEVER, KRI_SHARED), -EAGAIN);
    CHECK_EQ(kri_waiting(&word), 0);
}

TEST(test_deadline)
{
    kr_word word = {0};

    CHECK_EQ(kri_deadline(KR_NOWAIT), 0);
    CHECK_EQ(kri_deadline(KR_FOREVER), KRI_NEVER);
    CHECK_EQ(kri_deadline(KR_FOREVER - 1), KRI_NEVER);
    CHECK_GE(kri_deadline(kr_sec(1)), kr_now() + kr_ms(500));
    for (unsigned flags = 0; flags <= (KRI_SHARED | KRI_UNCANCELLABLE); flags++) {
        kr_time start = kr_now();

        CHECK_EQ(kri_wait(&word, 0, kri_deadline(KR_NOWAIT), flags), -ETIMEDOUT);
        CHECK_EQ(kri_wait(&word, 0, kri_deadline(kr_ms(50)), flags), -ETIMEDOUT);
        CHECK_TIME(kr_now() - start, kr_ms(50));
    }
}

TEST(test_uncancellable)
{
    kr_word word = {0};
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    for (unsigned shared = 0; shared <= KRI_SHARED; shared += KRI_SHARED) {
        kr_time soon = kri_deadline(kr_ms(10));

        CHECK_EQ(kri_wait(&word, 0, soon, KRI_UNCANCELLABLE | shared), -ETIMEDOUT);
        CHECK_EQ(kri_wait(&word, 0, KRI_NEVER, shared), -ECANCELED);
    }
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
}

/* The waker changes nothing here: a wait ends by the wake, not by the value. */
PARTY_TEST_OF(test_wake_counts, threads)
{
    enum { WAITERS = 10 };
    word_world *world = party_world(sizeof *world);
    party_bunch *bunch;

    world->deadline = KRI_NEVER;
    CHECK_EQ(kri_wake(&world->word, KRI_ALL, 0), 0);
    bunch = party_start(WAITERS, wait_on_word, world);
    PARTY_AWAIT_PARKED(&world->word, WAITERS);
    CHECK_EQ(kri_waiting(&world->other), 0);
    CHECK_EQ(kri_wake(&world->other, KRI_ALL, 0), 0);
    CHECK_EQ(kri_wake(&world->word, 0, 0), 0);
    CHECK_EQ(kri_wake(&world->word, 3, 0), 3);
    CHECK_EQ(kri_waiting(&world->word), WAITERS - 3);
    CHECK_EQ(kri_wake(&world->word, 1, 0), 1);
    party_await_finished(bunch, 4);
    CHECK_EQ(kri_waiting(&world->word), WAITERS - 4);
    CHECK_EQ(kri_wake(&world->word, KRI_ALL, 0), WAITERS - 4);
    CHECK_EQ(kri_wake(&world->word, KRI_ALL, 0), 0);
    party_join(bunch);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(world->results[i], 0);
    party_world_free(world, sizeof *world);
}

/* The longest waiting first. */
PARTY_TEST_OF(test_order_of_wakes, threads)
{
    enum { WAITERS = 8 };
    party_bunch *bunches[WAITERS];
    word_world *world = party_world(sizeof *world);

    world->deadline = KRI_NEVER;
    for (int i = 0; i < WAITERS; i++) {
        bunches[i] = party_start(1, wait_on_word, world);
        PARTY_AWAIT_PARKED(&world->word, i + 1);
    }
    for (int i = 0; i < WAITERS; i++) {
        CHECK_EQ(kri_wake(&world->word, 1, 0), 1);
        party_await_finished(bunches[i], 1);
        for (int k = i + 1; k < WAITERS; k++)
            CHECK_EQ(party_finished(bunches[k]), 0);
    }
    for (int i = 0; i < WAITERS; i++)
        party_join(bunches[i]);
    party_world_free(world, sizeof *world);
}

/* Moved to another word they stand behind those who wait there, and belong to its wakes alone. */
PARTY_TEST_OF(test_requeue, threads)
{
    enum { WAITERS = 8 };
    word_world *world = party_world(sizeof *world);
    party_bunch *bunch;

    world->deadline = KRI_NEVER;
    CHECK_EQ(kri_requeue(&world->word, KRI_ALL, &world->other, 0, NULL), 0);
    bunch = party_start(WAITERS, wait_on_word, world);
    PARTY_AWAIT_PARKED(&world->word, WAITERS);
    CHECK_EQ(kri_requeue(&world->word, 3, &world->other, 0, NULL), 3);
    CHECK_EQ(kri_waiting(&world->word), WAITERS - 3);
    CHECK_EQ(kri_waiting(&world->other), 3);
    CHECK_EQ(kri_wake(&world->word, KRI_ALL, 0), WAITERS - 3);
    party_await_finished(bunch, WAITERS - 3);
    CHECK_EQ(kri_waiting(&world->other), 3);
    CHECK_EQ(kri_wake(&world->other, 1, 0), 1);
    party_await_finished(bunch, WAITERS - 2);
    CHECK_EQ(kri_requeue(&world->other, 1, &world->turn, 0, NULL), 1);
    CHECK_EQ(kri_wake(&world->other, KRI_ALL, 0), 1);
    CHECK_EQ(kri_wake(&world->turn, KRI_ALL, 0), 1);
    party_join(bunch);
    for (int i = 0; i < WAITERS; i++)
        CHECK_EQ(world->results[i], 0);
    party_world_free(world, sizeof *world);
}

/* Neither its time nor a cancel takes one back that has been moved. */
PARTY_TEST_OF(test_requeued_do_not_leave, threads)
{
    word_world *world = party_world(sizeof *world);
    party_bunch *bunch;
    int moved;

    do {
        world->deadline = kri_deadline(kr_ms(100));
        bunch = party_start(1, wait_on_word, world);
        while (party_finished(bunch) == 0 && kri_waiting(&world->word) == 0)
            kri_test_nap();
        moved = kri_requeue(&world->word, 1, &world->other, 0, NULL);
        if (moved == 0) /* too late */
            party_join(bunch);
    } while (moved == 0);
    while (kr_now() < world->deadline + kr_ms(20))
        kri_test_nap();
    CHECK_EQ(party_finished(bunch), 0);
    CHECK_EQ(kri_wake(&world->other, 1, 0), 1);
    party_join(bunch);
    CHECK_EQ(world->results[0], 0);
    party_world_free(world, sizeof *world);
}

/* Many words, of which some share a place of the table: a wake finds its own. */
PARTY_TEST_OF(test_many_words, threads)
{
    enum { WORDS = 100 };
    word_world **worlds = party_world(WORDS * sizeof *worlds);
    party_bunch *bunches[WORDS];

    for (int i = 0; i < WORDS; i++) {
        worlds[i] = party_world(sizeof **worlds);
        worlds[i]->deadline = KRI_NEVER;
        bunches[i] = party_start(1, wait_on_word, worlds[i]);
    }
    for (int i = 0; i < WORDS; i++)
        PARTY_AWAIT_PARKED(&worlds[i]->word, 1);
    for (int i = 0; i < WORDS; i++) {
        CHECK_EQ(kri_wake(&worlds[i]->word, KRI_ALL, 0), 1);
        party_join(bunches[i]);
        CHECK_EQ(worlds[i]->results[0], 0);
        party_world_free(worlds[i], sizeof **worlds);
    }
    party_world_free(worlds, WORDS * sizeof *worlds);
}

/* A wake that counted a party makes its result 0, also where its time runs out at that moment. */
PARTY_TEST_OF(test_wake_is_exact_beside_timeouts, threads)
{
    enum { WAITERS = 4 };
    word_world *world = party_world(sizeof *world);
    kr_time end = kr_now() + party_budget();
    int woken_in_all = 0;
    int timed_out = 0;

    while (kr_now() < end) {
        party_bunch *bunch;
        int woken = 0;
        int returned = 0;

        world->deadline = kri_deadline(kr_us(150));
        bunch = party_start(WAITERS, wait_on_word, world);
        while (party_finished(bunch) < WAITERS)
            woken += kri_wake(&world->word, 1, 0);
        party_join(bunch);
        for (int i = 0; i < WAITERS; i++) {
            CHECK(world->results[i] == 0 || world->results[i] == -ETIMEDOUT);
            returned += world->results[i] == 0;
        }
        CHECK_EQ(returned, woken);
        woken_in_all += woken;
        timed_out += WAITERS - returned;
    }
    kri_test_note("%d woken, %d timed out", woken_in_all, timed_out);
    party_world_free(world, sizeof *world);
}

/* Shared memory: processes made by fork meet on a word of a shared mapping. */

typedef struct shared_world {
    kr_word word;
    kr_word asleep;
    kr_word results[8];
} shared_world;

static shared_world *shared_begin(void)
{
    shared_world *world =
        mmap(NULL, sizeof *world, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    CHECK(world != MAP_FAILED);
    return world;
}

static pid_t start_child(void (*run)(shared_world *world, int index), shared_world *world,
                         int index)
{
    pid_t child = fork();

    CHECK_GE(child, 0);
    if (child == 0) {
        run(world, index);
        _exit(0);
    }
    return child;
}

static void await_child(pid_t child)
{
    int status;

    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

static void wait_shared(shared_world *world, int index)
{
    int err = kri_wait(&world->word, 0, KRI_NEVER, KRI_SHARED);

    kri_store_rel(&world->results[index], err == 0 ? 1 : 2);
}

/* The wake's own count says when a sleeper was there. */
static void wake_one(shared_world *world)
{
    int woken;

    while ((woken = kri_wake(&world->word, 1, KRI_SHARED)) == 0)
        kri_test_nap();
    CHECK_EQ(woken, 1);
}

TEST(test_shared_wake_counts)
{
    enum { CHILDREN = 4 };
    shared_world *world = shared_begin();
    pid_t children[CHILDREN];

    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(wait_shared, world, i);
    for (int i = 0; i < CHILDREN; i++)
        wake_one(world);
    for (int i = 0; i < CHILDREN; i++) {
        await_child(children[i]);
        CHECK_EQ(kri_load_acq(&world->results[i]), 1);
    }
    CHECK_EQ(kri_wake(&world->word, KRI_ALL, KRI_SHARED), 0);
}

TEST(test_shared_requeue)
{
    enum { CHILDREN = 4 };
    shared_world *world = shared_begin();
    pid_t children[CHILDREN];
    kr_word *other = &world->results[CHILDREN];
    int moved = 0;

    for (int i = 0; i < CHILDREN; i++)
        children[i] = start_child(wait_shared, world, i);
    while (moved < CHILDREN) {
        moved += kri_requeue(&world->word, 1, other, KRI_SHARED, NULL);
        kri_test_nap();
    }
    /* Where the machine stands still, some have meanwhile looked at their own word again. */
    for (int woken = 0; woken < CHILDREN; kri_test_nap()) {
        woken += kri_wake(other, 1, KRI_SHARED);
        (void)kri_requeue(&world->word, KRI_ALL, other, KRI_SHARED, NULL);
    }
    CHECK_EQ(kri_wake(&world->word, KRI_ALL, KRI_SHARED), 0);
    for (int i = 0; i < CHILDREN; i++) {
        await_child(children[i]);
        CHECK_EQ(kri_load_acq(&world->results[i]), 1);
    }
}

/* Whom the store before it has let go may be gone, and the word with him: a wake needs its address
 * alone, also in the eyes of valgrind. */
TEST(test_wake_of_a_word_that_is_gone)
{
    const size_t size = (size_t)sysconf(_SC_PAGESIZE);
    kr_word *word = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    CHECK(word != MAP_FAILED);
    CHECK_EQ(munmap(word, size), 0);
    errno = 0;
    CHECK_EQ(os_futex_wake(word, 1, false), 0);
    CHECK_EQ(os_futex_wake(word, 1, true), 0);
    CHECK_EQ(errno, 0);
}

/* The same memory at two addresses is one word. */
TEST(test_shared_word_at_two_addresses)
{
    if (KRI_QEMU)
        SKIP("qemu makes no second mapping of memory by mremap");
    if (KRI_VALGRIND)
        SKIP("valgrind makes no second mapping of memory by mremap");
    shared_world *world = shared_begin();
    shared_world *again = mremap(world, 0, sizeof *world, MREMAP_MAYMOVE);
    pid_t child;

    CHECK(again != MAP_FAILED);
    CHECK(again != world);
    child = start_child(wait_shared, world, 0);
    wake_one(again);
    await_child(child);
}

/* Two processes hand a turn to and fro. */
enum { TURNS = 2000 };

static void take_turns(shared_world *world, int index)
{
    for (uint32_t turn = (uint32_t)index; turn < TURNS; turn += 2) {
        uint32_t seen;

        while ((seen = kri_load_acq(&world->word)) != turn) {
            int err = kri_wait(&world->word, seen, kri_deadline(kr_sec(20)), KRI_SHARED);

            if (err != 0 && err != -EAGAIN)
                _exit(3);
        }
        kri_add_sc(&world->word, 1);
        kri_wake(&world->word, 1, KRI_SHARED);
    }
}

TEST(test_shared_turns)
{
    shared_world *world = shared_begin();
    pid_t first = start_child(take_turns, world, 0);
    pid_t second = start_child(take_turns, world, 1);

    await_child(first);
    await_child(second);
    CHECK_EQ(kri_load_acq(&world->word), TURNS);
}

typedef struct shared_victim {
    shared_world *world;
    kr_cancel_scope scope;
    int result;
    int exit;
} shared_victim;

static void wait_shared_in_scope(void *arg, int index)
{
    shared_victim *victim = arg;

    (void)index;
    CHECK_EQ(kr_cancel_scope_enter(&victim->scope, KR_FOREVER), 0);
    kri_store_rel(&victim->world->asleep, 1);
    do {
        victim->result = kri_wait(&victim->world->word, 0, KRI_NEVER, KRI_SHARED);
    } while (victim->result == 0);
    victim->exit = kr_cancel_scope_exit(&victim->scope);
}

PARTY_TEST_OF(test_shared_cancel, threads)
{
    for (int round = 0; round < 50; round++) {
        shared_victim *victim = party_world(sizeof *victim);
        party_bunch *bunch;

        victim->world = shared_begin();
        bunch = party_start(1, wait_shared_in_scope, victim);
        party_await_count(&victim->world->asleep, 1);
        if (round % 2 == 0)
            kri_test_nap();
        kr_cancel(&victim->scope);
        party_join(bunch);
        CHECK_EQ(victim->result, -ECANCELED);
        CHECK_EQ(victim->exit, -ECANCELED);
        munmap(victim->world, sizeof *victim->world);
        party_world_free(victim, sizeof *victim);
    }
}
