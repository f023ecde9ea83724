/* Fork: the child of a process whose threads wait, hold and are cancelled can use everything at
 * once.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "sync/waits.h"
#include <sys/wait.h>

/* Only exit status tells the parent; CHECK in the child ends it with 1. */
static void check_in_child(void (*run)(void *arg), void *arg)
{
    pid_t child = fork();
    int status;

    CHECK_GE(child, 0);
    if (child == 0) {
        run(arg);
        _exit(0);
    }
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK_EQ(status, 0);
}

typedef struct fork_world {
    waits_world *waits;
    kr_lock contended;   /* held by the main thread, others wait for it */
    kr_lock of_a_thread; /* held by a thread that sleeps */
    kr_cancel_scope scopes[WAITS_KINDS];
    kr_word entered;
    kr_word stop;
    kr_event go_home;
    uint32_t generation;
} fork_world;

static void wait_on_kind(void *arg, int index)
{
    fork_world *world = arg;

    CHECK_EQ(kr_cancel_scope_enter(&world->scopes[index], KR_FOREVER), 0);
    kri_add_acq_rel(&world->entered, 1);
    CHECK_EQ(waits_kinds[index].wait(world->waits, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&world->scopes[index]), -ECANCELED);
}

static void hold_a_lock(void *arg, int index)
{
    fork_world *world = arg;

    (void)index;
    CHECK_EQ(kr_lock_acquire(&world->of_a_thread, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&world->go_home, KR_FOREVER), 0);
    CHECK_EQ(kr_lock_release(&world->of_a_thread), 0);
}

static bool nobody_waits(waits_world *waits)
{
    return kri_waiting(&waits->lock.word) + kri_waiting(&waits->event.word) +
               kri_waiting(&waits->semaphore.value) + kri_waiting(&waits->condition.words[0]) +
               kri_waiting(&waits->condition.words[1]) ==
           0;
}

/* The child's own threads meet on fresh primitives and on those that it inherited. */
static void wait_fresh(void *arg, int index)
{
    (void)index;
    CHECK_EQ(kr_event_wait(arg, KR_FOREVER), 0);
}

static void meet_in_child(void)
{
    kr_event *event = party_world(sizeof *event);
    party_bunch *bunch = party_start(3, wait_fresh, event);

    PARTY_AWAIT_PARKED(&event->word, 3);
    kr_event_set(event);
    party_join(bunch);
    party_world_free(event, sizeof *event);
}

static void use_everything(void *arg)
{
    fork_world *world = arg;
    waits_world *waits = world->waits;

    CHECK(nobody_waits(waits));
    CHECK(kri_fork_generation() != world->generation);
    CHECK_EQ(pipe2(waits->pipe, O_CLOEXEC), 0); /* the inherited one is the parent's too */
    kr_lock_reinit(&waits->lock);
    kr_lock_reinit(&world->of_a_thread);
    kr_event_reinit(&waits->event);
    kr_condition_reinit(&waits->condition);
    CHECK_EQ(kr_lock_acquire(&waits->lock, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(&world->of_a_thread, KR_NOWAIT), 0);
    for (int i = 0; i < WAITS_KINDS; i++)
        CHECK_EQ(waits_kinds[i].wait(waits, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_condition_acquire(&waits->condition, KR_NOWAIT), 0);
    CHECK_EQ(kr_condition_notify_all(&waits->condition), 0);
    CHECK_EQ(kr_condition_release(&waits->condition), 0);
    for (int i = 0; i < WAITS_KINDS; i++) {
        if (waits_kinds[i].wait == waits_condition)
            continue;
        waits_kinds[i].serve(waits);
        CHECK_EQ(waits_kinds[i].wait(waits, KR_FOREVER), 0);
    }
    if (!KRI_TSAN)
        meet_in_child();
}

/* The scopes of vanished threads may be cancelled, and nothing happens. */
static void cancel_the_vanished(void *arg)
{
    fork_world *world = arg;
    kr_cancel_scope mine = KR_CANCEL_SCOPE_INIT;
    kr_event never = KR_EVENT_INIT;

    for (int i = 0; i < WAITS_KINDS; i++)
        kr_cancel(&world->scopes[i]);
    CHECK(!kr_cancelled());
    CHECK_EQ(kr_cancel_scope_enter(&mine, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&never, kr_ms(1)), -ETIMEDOUT);
    kr_cancel(&mine);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&mine), -ECANCELED);
}

TEST(test_child_of_waiting_threads)
{
    if (KRI_QEMU)
        SKIP("qemu starts no thread in a child of a process with several");
    fork_world *world;
    party_bunch *waiters;
    party_bunch *holder;

    party_be(&party_threads);
    world = party_world(sizeof *world);
    world->waits = waits_begin();
    world->generation = kri_fork_generation();
    waiters = party_start(WAITS_KINDS, wait_on_kind, world);
    for (int i = 0; i < WAITS_KINDS; i++)
        if (waits_kinds[i].word != NULL)
            waits_await_asleep(&waits_kinds[i], world->waits);
    holder = party_start(1, hold_a_lock, world);
    PARTY_AWAIT_PARKED(&world->go_home, 1);
    for (int i = 0; i < 3; i++) {
        check_in_child(use_everything, world);
        check_in_child(cancel_the_vanished, world);
    }
    CHECK_EQ(kri_fork_generation(), world->generation);
    CHECK(!nobody_waits(world->waits));
    party_await_count(&world->entered, WAITS_KINDS);
    for (int i = 0; i < WAITS_KINDS; i++)
        kr_cancel(&world->scopes[i]);
    party_join(waiters);
    kr_event_set(&world->go_home);
    party_join(holder);
    waits_end(world->waits);
    party_world_free(world, sizeof *world);
}

/* Forks at any moment of a busy process: the child finds no lock of the library held by a thread
 * that it has not got. */
static void be_busy(void *arg, int index)
{
    fork_world *world = arg;

    while (kri_load_acq(&world->stop) == 0) {
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        if (index == 0)
            kr_cancel(&scope);
        if (kr_lock_acquire(&world->contended, kr_us(20)) == 0)
            kr_lock_release(&world->contended);
        kr_cancel_scope_exit(&scope);
    }
}

static void use_inside_own_scope(void *arg)
{
    fork_world *world = arg;
    kr_event event = KR_EVENT_INIT;
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;

    kr_lock_reinit(&world->contended);
    CHECK_EQ(kr_lock_acquire(&world->contended, KR_NOWAIT), 0);
    CHECK_EQ(kr_lock_acquire(&world->contended, kr_us(50)), -ETIMEDOUT);
    CHECK_EQ(kr_cancel_scope_enter(&inner, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&event, kr_us(50)), -ETIMEDOUT);
    kr_cancel(&world->scopes[0]);
    CHECK_EQ(kr_event_wait(&event, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&inner), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&world->scopes[0]), -ECANCELED);
    CHECK(!kr_cancelled());
}

/* The forking thread stands in a scope, with children of other threads below it. */
static void wait_below(void *arg, int index)
{
    fork_world *world = arg;
    kri_party *self = kri_party_self();
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    (void)index;
    self->scope = &world->scopes[0];
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&world->go_home, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    self->scope = NULL;
}

TEST(test_forks_of_a_busy_process)
{
    fork_world *world;
    party_bunch *busy;
    party_bunch *below;
    kr_time end;
    int forks = 0;

    party_be(&party_threads);
    world = party_world(sizeof *world);
    CHECK_EQ(kr_cancel_scope_enter(&world->scopes[0], KR_FOREVER), 0);
    busy = party_start(3, be_busy, world);
    below = party_start(3, wait_below, world);
    PARTY_AWAIT_PARKED(&world->go_home, 3);
    end = kr_now() + party_budget();
    while (kr_now() < end) {
        check_in_child(use_inside_own_scope, world);
        forks++;
    }
    kri_store_rel(&world->stop, 1);
    party_join(busy);
    kr_cancel(&world->scopes[0]);
    party_join(below);
    CHECK_EQ(kr_cancel_scope_exit(&world->scopes[0]), -ECANCELED);
    kri_test_note("%d forks", forks);
    party_world_free(world, sizeof *world);
}

static kr_word handler_calls;

static void count_call(void)
{
    kri_add_rlx(&handler_calls, 1);
}

static void check_one_call(void *arg)
{
    (void)arg;
    CHECK_EQ(kri_load_rlx(&handler_calls), 1);
}

TEST(test_at_fork_child)
{
    CHECK_EQ(kri_at_fork_child(count_call), 0);
    CHECK_EQ(kri_at_fork_child(count_call), 0);
    check_in_child(check_one_call, NULL);
    CHECK_EQ(kri_load_rlx(&handler_calls), 0);
}

/* A generation for each fork, also of a child's child. */
static void check_grandchild(void *arg)
{
    uint32_t *first = arg;

    CHECK(kri_fork_generation() != first[0]);
    CHECK(kri_fork_generation() != first[1]);
}

static void check_child(void *arg)
{
    uint32_t *first = arg;

    first[1] = kri_fork_generation();
    CHECK(first[1] != first[0]);
    check_in_child(check_grandchild, first);
}

/* Told of its fork although nobody has used the library before. */
static void look_at_forks(void *arg)
{
    (void)arg;
    CHECK_EQ(kri_load_rlx(&kri_forks), 1);
}

TEST(test_first_fork_is_seen)
{
    check_in_child(look_at_forks, NULL);
}

TEST(test_generation)
{
    uint32_t generations[2] = {kri_fork_generation(), 0};

    CHECK_EQ(kri_fork_generation(), generations[0]);
    check_in_child(check_child, generations);
    CHECK_EQ(kri_fork_generation(), generations[0]);
}

/* As if a thread were in the midst of a cancel, below which a scope of its own is linked, and
 * another one slept inside. */
static void leave_locked(kr_cancel_scope *scope)
{
    kri_store_rlx(&scope->lock, 1);
    scope->children = (kr_cancel_scope *)(uintptr_t)sizeof *scope;
    scope->sleeper.bits = scope->children;
}

static void cancel_the_locked(void *arg)
{
    kr_cancel_scope *scope = arg;
    kr_event never = KR_EVENT_INIT;

    CHECK(!kr_cancel_scope_cancelled(scope));
    kr_cancel(scope);
    CHECK(kr_cancel_scope_cancelled(scope));
    CHECK_EQ(kr_cancel_scope_enter(scope, KR_FOREVER), 0);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(scope), -ECANCELED);
}

TEST(test_child_cancels_what_a_vanished_thread_had_locked)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK(!kr_cancelled());
    leave_locked(&scope);
    check_in_child(cancel_the_locked, &scope);
}

/* As if another party slept in the scope of the forking one. */
static void sleep_where_one_slept(void *arg)
{
    kr_cancel_scope *scope = arg;
    kr_event never = KR_EVENT_INIT;

    CHECK(scope->sleeper.bits == NULL);
    CHECK_EQ(kr_event_wait(&never, kr_us(50)), -ETIMEDOUT);
    kr_cancel(scope);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(scope), -ECANCELED);
}

TEST(test_child_empties_the_slot_of_its_scope)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    scope.sleeper.bits = (void *)(uintptr_t)sizeof scope;
    check_in_child(sleep_where_one_slept, &scope);
    scope.sleeper.bits = NULL;
    CHECK_EQ(kr_cancel_scope_exit(&scope), 0);
}

/* A scope that begins in a child is no copy: who sleeps there is found by the first who locks it.
 */
typedef struct begun_world {
    kr_cancel_scope scope;
    kr_event never;
} begun_world;

static void sleep_in_begun(void *arg, int index)
{
    begun_world *world = arg;
    kri_party *self = kri_party_self();

    (void)index;
    kri_scope_begin(self, &world->scope);
    CHECK_EQ(kr_event_wait(&world->never, KR_FOREVER), -ECANCELED);
    kri_scope_end(self, &world->scope);
}

static void cancel_begun(void *arg)
{
    begun_world *world = party_world(sizeof *world);
    party_bunch *sleeper = party_start(1, sleep_in_begun, world);

    (void)arg;
    PARTY_AWAIT_PARKED(&world->never, 1);
    kr_cancel(&world->scope);
    party_join(sleeper);
    party_world_free(world, sizeof *world);
}

TEST(test_child_cancels_what_it_began)
{
    if (KRI_TSAN)
        SKIP("a forked child has no threads there");
    party_be(&party_threads);
    check_in_child(cancel_begun, NULL);
}

/* The parties around the forking one have scopes that live on in the child. */
static void leave_both(void *arg)
{
    kr_cancel_scope *scope = arg;
    kr_cancel_scope inner = KR_CANCEL_SCOPE_INIT;
    kr_event never = KR_EVENT_INIT;

    kri_party_leave(kri_party_self()->outer);
    CHECK(kri_party_self()->scope == scope);
    CHECK_EQ(kr_cancel_scope_enter(&inner, KR_FOREVER), 0);
    kr_cancel(scope);
    CHECK_EQ(kr_event_wait(&never, KR_FOREVER), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&inner), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(scope), -ECANCELED);
}

TEST(test_child_of_a_party_inside_another)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kri_party inner = {.ops = kri_party_self()->ops};

    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kri_party_enter(&inner);
    leave_locked(&scope);
    check_in_child(leave_both, &scope);
}
