/* Scopes of the library's own, entered and left with plain stores.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "sync/waits.h"
#include "wait/internal.h"
#include <sys/wait.h>

enum { DEEP = 200 };

static bool is_joined(kr_cancel_scope *scope)
{
    return kri_load_acq(&scope->joined) != 0;
}

static bool is_clean(kr_cancel_scope *scope)
{
    return scope->children == NULL;
}

TEST(test_begin_and_end)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope outer;
    kr_cancel_scope inner;

    for (int i = 0; i < 3; i++) {
        kri_scope_begin(self, &outer);
        kri_scope_begin(self, &inner);
        CHECK(self->scope == &inner);
        CHECK(!kr_cancelled());
        kri_scope_end(self, &inner);
        CHECK(self->scope == &outer);
        kri_scope_end(self, &outer);
        CHECK(self->scope == NULL);
        memset(&inner, 0xa5, sizeof inner);
    }
}

/* A scope stays on its own as long as nobody sleeps inside. */
TEST(test_not_joined_without_a_sleep)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope root = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope scope;
    kr_event set = KR_EVENT_INIT;
    kr_event never = KR_EVENT_INIT;

    kr_event_set(&set);
    CHECK_EQ(kr_cancel_scope_enter(&root, KR_FOREVER), 0);
    kri_scope_begin(self, &scope);
    CHECK_EQ(kr_event_wait(&set, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&never, KR_NOWAIT), -ETIMEDOUT);
    CHECK(!kr_cancelled());
    CHECK(!is_joined(&scope));
    CHECK(is_clean(&root));
    CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
    CHECK(is_joined(&scope));
    kri_scope_end(self, &scope);
    CHECK(is_clean(&root));
    CHECK_EQ(kr_cancel_scope_exit(&root), 0);
}

/* Which of the chain is cancelled, and at what time: before it is joined, or after. */
static void check_chain(waits_world *world, kr_cancel_scope *cancelled, bool joined)
{
    if (joined)
        CHECK_EQ(kr_event_wait(&world->event, kr_us(10)), -ETIMEDOUT);
    kr_cancel(cancelled);
    CHECK(kr_cancelled());
    for (int i = 0; i < WAITS_KINDS; i++)
        CHECK_EQ(waits_kinds[i].wait(world, KR_FOREVER), -ECANCELED);
    CHECK(kr_cancelled());
}

TEST(test_cancelled_in_the_middle)
{
    kri_party *self = kri_party_self();
    waits_world *world;

    party_be(&party_threads);
    world = waits_begin();
    for (int at = 0; at < 5; at++) {
        for (int joined = 0; joined < 2; joined++) {
            kr_cancel_scope chain[5];

            for (int i = 0; i < 5; i++)
                kri_scope_begin(self, &chain[i]);
            check_chain(world, &chain[at], joined != 0);
            for (int i = 4; i >= 0; i--) {
                CHECK_EQ(kr_cancelled(), i >= at);
                CHECK_EQ(kri_scope_marked(&chain[i]), i >= at);
                kri_scope_end(self, &chain[i]);
            }
            CHECK(!kr_cancelled());
        }
    }
    waits_end(world);
}

/* Joined at a time, then deeper: what comes later joins below. */
TEST(test_deeper_after_joining)
{
    static kr_cancel_scope chain[DEEP];
    kri_party *self = kri_party_self();
    kr_cancel_scope root = KR_CANCEL_SCOPE_INIT;
    kr_event never = KR_EVENT_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&root, KR_FOREVER), 0);
    for (int i = 0; i < DEEP; i++) {
        kri_scope_begin(self, &chain[i]);
        if (i == 10)
            CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
    }
    for (int i = 0; i < DEEP; i++)
        CHECK_EQ(is_joined(&chain[i]), i <= 10);
    CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
    for (int i = 0; i < DEEP; i++)
        CHECK(is_joined(&chain[i]));
    kr_cancel(&root);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    for (int i = DEEP - 1; i >= 0; i--)
        kri_scope_end(self, &chain[i]);
    CHECK(is_clean(&root));
    CHECK_EQ(kr_cancel_scope_exit(&root), -ECANCELED);
}

/* The time limit of a scope around them. */
TEST(test_time_limit_from_outside)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope root = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope chain[3];
    kr_event never = KR_EVENT_INIT;
    kr_time start = kr_now();

    CHECK_EQ(kr_cancel_scope_enter(&root, kr_ms(50)), 0);
    for (int i = 0; i < 3; i++)
        kri_scope_begin(self, &chain[i]);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_TIME(kr_now() - start, kr_ms(50));
    CHECK(kr_cancelled());
    CHECK(!kri_scope_marked(&chain[2]));
    for (int i = 2; i >= 0; i--)
        kri_scope_end(self, &chain[i]);
    CHECK_EQ(kr_cancel_scope_exit(&root), -ETIMEDOUT);
}

/* Asking alone sees the time limit, and counts as having been cut short by it. */
TEST(test_time_limit_asked_for)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope root = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope scope;

    CHECK_EQ(kr_cancel_scope_enter(&root, KR_NOWAIT), 0);
    kri_scope_begin(self, &scope);
    CHECK(kr_cancelled());
    CHECK(!is_joined(&scope));
    kri_scope_end(self, &scope);
    CHECK_EQ(kr_cancel_scope_exit(&root), -ETIMEDOUT);
}

/* A shield between them keeps a cancel out. */
TEST(test_shielded)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope outer;
    kr_cancel_scope inner;
    kr_event never = KR_EVENT_INIT;

    kri_scope_begin(self, &outer);
    kr_cancel(&outer);
    kr_shield {
        kri_scope_begin(self, &inner);
        CHECK(!kr_cancelled());
        CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
        kri_scope_end(self, &inner);
    }
    CHECK(kr_cancelled());
    kri_scope_end(self, &outer);
}

/* A scope of the program's own below them joins all of them. */
TEST(test_entered_below)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope root = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope chain[3];
    kr_cancel_scope own = KR_CANCEL_SCOPE_INIT;

    for (int round = 0; round < 3; round++) {
        CHECK_EQ(kr_cancel_scope_enter(&root, KR_FOREVER), 0);
        for (int i = 0; i < 3; i++)
            kri_scope_begin(self, &chain[i]);
        CHECK_EQ(kr_cancel_scope_enter(&own, KR_FOREVER), 0);
        if (round == 2)
            kr_cancel(&root);
        CHECK_EQ(kr_cancel_scope_cancelled(&own), round == 2);
        CHECK_EQ(kr_cancel_scope_exit(&own), round == 2 ? -ECANCELED : 0);
        for (int i = 2; i >= 0; i--)
            kri_scope_end(self, &chain[i]);
        CHECK(is_clean(&root));
        CHECK_EQ(kr_cancel_scope_exit(&root), round == 2 ? -ECANCELED : 0);
    }
}

/* Jobs of a group: other threads begin their scopes in one of this thread. */
typedef struct family {
    kr_cancel_scope root;
    kr_cancel_scope group;
    kr_cancel_scope own;
    kr_event never;
    kr_word begun;
    int results[PARTY_MAX];
} family;

static void wait_as_job(void *arg, int index)
{
    family *f = arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope chain[3];

    self->scope = &f->group;
    for (int i = 0; i < 3; i++)
        kri_scope_begin(self, &chain[i]);
    kri_add_acq_rel(&f->begun, 1);
    f->results[index] = kr_event_wait(&f->never, KR_FOREVER);
    for (int i = 2; i >= 0; i--)
        kri_scope_end(self, &chain[i]);
    self->scope = NULL;
}

/* Some rounds cancel while jobs still begin and join. */
TEST(test_many_threads_in_one_group)
{
    enum { JOBS = 20 };
    kri_party *self = kri_party_self();

    const int rounds = KRI_VALGRIND ? 6 : 60;
    party_be(&party_threads);
    for (int round = 0; round < rounds; round++) {
        family *f = party_world(sizeof *f);
        party_bunch *bunch;

        CHECK_EQ(kr_cancel_scope_enter(&f->root, KR_FOREVER), 0);
        kri_scope_begin(self, &f->group);
        bunch = party_start(JOBS, wait_as_job, f);
        if (round % 3 == 0)
            PARTY_AWAIT_PARKED(&f->never, JOBS);
        else
            party_await_count(&f->begun, round % JOBS);
        kr_cancel(round % 2 == 0 ? &f->root : &f->group);
        party_join(bunch);
        for (int i = 0; i < JOBS; i++)
            CHECK_EQ(f->results[i], -ECANCELED);
        CHECK(is_clean(&f->group));
        kri_scope_end(self, &f->group);
        CHECK(is_clean(&f->root));
        CHECK_EQ(kr_cancel_scope_exit(&f->root), round % 2 == 0 ? -ECANCELED : 0);
        party_world_free(f, sizeof *f);
    }
}

static void compute_as_job(void *arg, int index)
{
    family *f = arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope scope;

    (void)index;
    self->scope = &f->group;
    kri_scope_begin(self, &scope);
    kri_add_acq_rel(&f->begun, 1);
    while (!kr_cancelled())
        sched_yield();
    CHECK(!is_joined(&scope));
    kri_scope_end(self, &scope);
    self->scope = NULL;
}

/* Who only computes sees a cancel from outside through scopes that never join. */
TEST(test_asked_on_another_thread)
{
    enum { JOBS = 3 };
    kri_party *self = kri_party_self();
    family *f;
    party_bunch *bunch;

    party_be(&party_threads);
    f = party_world(sizeof *f);
    CHECK_EQ(kr_cancel_scope_enter(&f->root, KR_FOREVER), 0);
    kri_scope_begin(self, &f->group);
    bunch = party_start(JOBS, compute_as_job, f);
    party_await_count(&f->begun, JOBS);
    kr_cancel(&f->root);
    party_join(bunch);
    CHECK(!is_joined(&f->group));
    kri_scope_end(self, &f->group);
    CHECK_EQ(kr_cancel_scope_exit(&f->root), -ECANCELED);
    party_world_free(f, sizeof *f);
}

/* Jobs come and go, asleep for a moment, while the root is cancelled at last. */
static void sleep_and_go(void *arg, int index)
{
    family *f = arg;
    kri_party *self = kri_party_self();
    uint64_t random = party_random_start(index);
    bool cancelled = false;

    self->scope = &f->group;
    while (!cancelled) {
        kr_cancel_scope scope;

        kri_scope_begin(self, &scope);
        if (party_random_below(&random, 2) == 0)
            cancelled = kr_event_wait(&f->never, kr_us(5)) == -ECANCELED;
        cancelled |= kr_cancelled();
        kri_scope_end(self, &scope);
        kri_add_acq_rel(&f->begun, 1);
    }
    self->scope = NULL;
}

TEST(test_jobs_come_and_go)
{
    kri_party *self = kri_party_self();
    kr_time end = kr_now();

    party_be(&party_threads);
    for (end += party_budget() / 2; kr_now() < end;) {
        family *f = party_world(sizeof *f);
        party_bunch *bunch;

        CHECK_EQ(kr_cancel_scope_enter(&f->root, KR_FOREVER), 0);
        kri_scope_begin(self, &f->group);
        bunch = party_start(3, sleep_and_go, f);
        party_await_count(&f->begun, 200);
        kr_cancel(&f->root);
        party_join(bunch);
        CHECK(is_clean(&f->group));
        kri_scope_end(self, &f->group);
        CHECK_EQ(kr_cancel_scope_exit(&f->root), -ECANCELED);
        party_world_free(f, sizeof *f);
    }
}

/* A child that is forked inside a chain finds it usable, joined or not, and whatever other threads
 * had joined to it. */
static void use_in_child(kr_cancel_scope *root, kr_cancel_scope *chain, bool cancel)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope own = KR_CANCEL_SCOPE_INIT;
    kr_cancel_scope more;
    kr_event never = KR_EVENT_INIT;

    CHECK(self->scope == &chain[1]);
    kri_scope_begin(self, &more);
    CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
    CHECK(is_joined(&more));
    CHECK_EQ(kr_cancel_scope_enter(&own, KR_FOREVER), 0);
    if (cancel)
        kr_cancel(root);
    CHECK_EQ(kr_event_wait(&never, kr_us(10)), cancel ? -ECANCELED : -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_exit(&own), cancel ? -ECANCELED : 0);
    kri_scope_end(self, &more);
    kri_scope_end(self, &chain[1]);
    kri_scope_end(self, &chain[0]);
    CHECK(is_clean(root));
    CHECK_EQ(kr_cancel_scope_exit(root), cancel ? -ECANCELED : 0);
}

static void check_child(kr_cancel_scope *root, kr_cancel_scope *chain, bool cancel)
{
    pid_t child = fork();
    int status;

    CHECK_GE(child, 0);
    if (child == 0) {
        use_in_child(root, chain, cancel);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

/* Joined up to: nothing, the outer of two, both. */
TEST(test_forked_inside)
{
    kri_party *self = kri_party_self();
    kr_event never = KR_EVENT_INIT;

    for (int joined = 0; joined < 3; joined++) {
        kr_cancel_scope root = KR_CANCEL_SCOPE_INIT;
        kr_cancel_scope chain[2];

        CHECK_EQ(kr_cancel_scope_enter(&root, KR_FOREVER), 0);
        for (int i = 0; i < 2; i++) {
            kri_scope_begin(self, &chain[i]);
            if (joined == i + 1)
                CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
        }
        check_child(&root, chain, false);
        check_child(&root, chain, true);
        kri_scope_end(self, &chain[1]);
        kri_scope_end(self, &chain[0]);
        CHECK_EQ(kr_cancel_scope_exit(&root), 0);
    }
}

/* A scope that a vanished thread had entered may be entered as a new one. */
static void wait_in_own(void *arg, int index)
{
    family *f = arg;
    kri_party *self = kri_party_self();

    (void)index;
    self->scope = &f->group;
    CHECK_EQ(kr_cancel_scope_enter(&f->own, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&f->never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&f->own), -ECANCELED);
    self->scope = NULL;
}

static void enter_the_vanished(family *f)
{
    CHECK_EQ(kr_cancel_scope_enter(&f->own, KR_FOREVER), 0);
    kr_cancel(&f->root);
    CHECK(kr_cancel_scope_cancelled(&f->own));
    CHECK_EQ(kr_cancel_scope_exit(&f->own), -ECANCELED);
    CHECK(kri_party_self()->scope == &f->group);
}

TEST(test_child_enters_what_a_vanished_thread_had_entered)
{
    kri_party *self = kri_party_self();
    family *f;
    party_bunch *bunch;
    pid_t child;
    int status;

    party_be(&party_threads);
    f = party_world(sizeof *f);
    CHECK_EQ(kr_cancel_scope_enter(&f->root, KR_FOREVER), 0);
    kri_scope_begin(self, &f->group);
    bunch = party_start(1, wait_in_own, f);
    PARTY_AWAIT_PARKED(&f->never, 1);
    child = fork();
    if (child == 0) {
        enter_the_vanished(f);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
    kr_cancel(&f->root);
    party_join(bunch);
    kri_scope_end(self, &f->group);
    CHECK_EQ(kr_cancel_scope_exit(&f->root), -ECANCELED);
    party_world_free(f, sizeof *f);
}

TEST(test_forked_beside_jobs)
{
    kri_party *self = kri_party_self();
    kr_cancel_scope inner;
    family *f;
    party_bunch *bunch;

    party_be(&party_threads);
    f = party_world(sizeof *f);
    CHECK_EQ(kr_cancel_scope_enter(&f->root, KR_FOREVER), 0);
    kri_scope_begin(self, &f->group);
    bunch = party_start(5, wait_as_job, f);
    PARTY_AWAIT_PARKED(&f->never, 5);
    kri_scope_begin(self, &inner);
    for (int i = 0; i < 6; i++) {
        pid_t child = fork();
        int status;

        if (child == 0) {
            kr_cancel_scope *chain[2] = {&f->group, &inner};
            kr_cancel(i % 2 == 0 ? &f->root : &f->group);
            CHECK(kr_cancelled());
            CHECK_EQ(kr_event_wait(&f->never, KR_FOREVER), -ECANCELED);
            for (int at = 1; at >= 0; at--)
                kri_scope_end(self, chain[at]);
            CHECK_EQ(kr_cancel_scope_exit(&f->root), i % 2 == 0 ? -ECANCELED : 0);
            _exit(0);
        }
        CHECK_EQ(waitpid(child, &status, 0), child);
        CHECK_EQ(status, 0);
    }
    kri_scope_end(self, &inner);
    kr_cancel(&f->group);
    party_join(bunch);
    kri_scope_end(self, &f->group);
    CHECK_EQ(kr_cancel_scope_exit(&f->root), 0);
    party_world_free(f, sizeof *f);
}

/* In a child, where every lock of a scope says which fork it has seen. */
TEST(test_begun_in_a_child)
{
    pid_t child = fork();
    int status;

    if (child == 0) {
        kri_party *self = kri_party_self();
        kr_cancel_scope root = KR_CANCEL_SCOPE_INIT;
        kr_cancel_scope chain[2];
        kr_event never = KR_EVENT_INIT;

        CHECK_EQ(kr_cancel_scope_enter(&root, KR_FOREVER), 0);
        kri_scope_begin(self, &chain[0]);
        CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
        kri_scope_begin(self, &chain[1]);
        CHECK_EQ(kr_event_wait(&never, kr_us(10)), -ETIMEDOUT);
        kr_cancel(&root);
        CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
        kri_scope_end(self, &chain[1]);
        kri_scope_end(self, &chain[0]);
        CHECK_EQ(kr_cancel_scope_exit(&root), -ECANCELED);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}
