/* A second kind of party, and blocking hooks.
 *
 * The double is a machine that one thread drives: to park is to take the script's next step, which
 * may start further waits on the same thread, until the machine is woken.  So several machines
 * wait at once beside real threads, without a thread of their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "sync/waits.h"

enum { LOG_SIZE = 32 };

typedef struct log {
    kr_word next;
    kr_word entries[LOG_SIZE];
} log_book;

static void note(log_book *book, uint32_t what)
{
    uint32_t at = kri_add_acq_rel(&book->next, 1);

    CHECK_LE(at, LOG_SIZE - 1);
    kri_store_rel(&book->entries[at], what);
}

static void await_notes(log_book *book, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        while (kri_load_acq(&book->entries[i]) == 0)
            kri_test_nap();
}

typedef struct machine {
    kri_party party; /* first, so that a party's address is its machine's */
    uint32_t name;
    log_book *book;
    void (*step)(void *arg); /* what the driver does while this one sleeps; once */
    void *arg;
    int parks;
    kr_word unparks;
} machine;

static void machine_park(kri_waiter *w, kr_time deadline)
{
    machine *m = (machine *)kri_waiter_party(w);
    void (*step)(void *) = m->step;

    m->parks++;
    m->step = NULL;
    if (step != NULL)
        step(m->arg);
    while (!kri_waiter_woken(w) && (deadline == KRI_NEVER || kr_now() < deadline))
        sched_yield();
}

static void machine_unpark(kri_waiter *w)
{
    machine *m = (machine *)kri_waiter_party(w);

    kri_add_acq_rel(&m->unparks, 1);
    note(m->book, m->name);
    kri_waiter_set_woken(w);
}

static const kri_party_ops machine_ops = {.park = machine_park, .unpark = machine_unpark};

static machine machine_new(uint32_t name, log_book *book)
{
    return (machine){
        .party = {.ops = &machine_ops},
        .name = name,
        .book = book,
    };
}

static int machine_wait(machine *m, kr_word *word, kr_time deadline)
{
    kri_party *previous = kri_party_enter(&m->party);
    int err;

    CHECK(kri_party_self() == &m->party);
    err = kri_wait(word, 0, deadline, 0);
    kri_party_leave(previous);
    CHECK(kri_party_self() == previous);
    return err;
}

/* Machine 1 waits, thread 2, machine 3, thread 4, machine 5: woken in this order. */
typedef struct mixed {
    kr_word word;
    log_book book;
    machine machines[3];
    int results[3];
    party_bunch *threads[2];
} mixed;

typedef struct mixed_step {
    mixed *all;
    int next; /* machine */
} mixed_step;

static void thread_waits(void *arg, int index)
{
    mixed *all = arg;

    (void)index;
    CHECK_EQ(kri_wait(&all->word, 0, KRI_NEVER, 0), 0);
    note(&all->book, 100);
}

static void run_machine(mixed *all, int which);

static void start_the_next(void *arg)
{
    mixed_step *step = arg;
    mixed *all = step->all;
    int next = step->next;

    all->threads[next - 1] = party_start(1, thread_waits, all);
    PARTY_AWAIT_PARKED(&all->word, 2 * next);
    run_machine(all, next);
}

static void run_machine(mixed *all, int which)
{
    mixed_step step = {all, which + 1};

    all->machines[which] = machine_new((uint32_t)which + 1, &all->book);
    if (which < 2) {
        all->machines[which].step = start_the_next;
        all->machines[which].arg = &step;
    }
    all->results[which] = machine_wait(&all->machines[which], &all->word, KRI_NEVER);
}

static void drive(void *arg, int index)
{
    (void)index;
    run_machine(arg, 0);
}

TEST(test_woken_in_order_beside_threads)
{
    static const uint32_t order[] = {1, 100, 2, 100, 3};
    mixed *all;
    party_bunch *driver;

    party_be(&party_threads);
    all = party_world(sizeof *all);
    driver = party_start(1, drive, all);
    PARTY_AWAIT_PARKED(&all->word, 5);
    for (uint32_t i = 0; i < 5; i++) {
        CHECK_EQ(kri_wake(&all->word, 1, 0), 1);
        await_notes(&all->book, i + 1);
        CHECK_EQ(kri_load_acq(&all->book.entries[i]), order[i]);
        CHECK_EQ(kri_waiting(&all->word), 4 - (int)i);
    }
    party_join(driver);
    for (int i = 0; i < 2; i++)
        party_join(all->threads[i]);
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(all->results[i], 0);
        CHECK_EQ(kri_load_acq(&all->machines[i].unparks), 1);
    }
    party_world_free(all, sizeof *all);
}

/* One wake of all unparks each machine once. */
TEST(test_woken_together)
{
    mixed *all;
    party_bunch *driver;

    party_be(&party_threads);
    all = party_world(sizeof *all);
    driver = party_start(1, drive, all);
    PARTY_AWAIT_PARKED(&all->word, 5);
    CHECK_EQ(kri_wake(&all->word, KRI_ALL, 0), 5);
    party_join(driver);
    for (int i = 0; i < 2; i++)
        party_join(all->threads[i]);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kri_load_acq(&all->machines[i].unparks), 1);
    party_world_free(all, sizeof *all);
}

TEST(test_machine_times_out)
{
    log_book book = {{0}, {{0}}};
    machine m = machine_new(1, &book);
    kr_word word = {0};
    kr_time start = kr_now();

    CHECK_EQ(machine_wait(&m, &word, kri_deadline(kr_ms(50))), -ETIMEDOUT);
    CHECK_TIME(kr_now() - start, kr_ms(50));
    CHECK_EQ(kri_load_acq(&m.unparks), 0);
    CHECK_EQ(kri_waiting(&word), 0);
    CHECK_EQ(machine_wait(&m, &word, kri_deadline(KR_NOWAIT)), -ETIMEDOUT);
    CHECK_EQ(m.parks, 1);
}

/* Scopes and hooks belong to the party, not to the thread that drives it. */
typedef struct cancelled_machine {
    machine m;
    kr_cancel_scope scope;
    kr_word word;
    log_book book;
} cancelled_machine;

static void cancel_own_scope(void *arg)
{
    cancelled_machine *c = arg;

    kr_cancel(&c->scope);
}

TEST(test_machine_is_cancelled)
{
    cancelled_machine *c;
    kri_party *previous;

    party_be(&party_threads);
    c = party_world(sizeof *c);
    c->m = machine_new(1, &c->book);
    c->m.step = cancel_own_scope;
    c->m.arg = c;
    previous = kri_party_enter(&c->m.party);
    CHECK_EQ(kr_cancel_scope_enter(&c->scope, KR_FOREVER), 0);
    CHECK_EQ(kri_wait(&c->word, 0, KRI_NEVER, 0), -ECANCELED);
    CHECK(kr_cancelled());
    kri_party_leave(previous);
    CHECK(!kr_cancelled());
    CHECK_EQ(kri_wait(&c->word, 0, kri_deadline(kr_ms(1)), 0), -ETIMEDOUT);
    previous = kri_party_enter(&c->m.party);
    CHECK_EQ(kr_cancel_scope_exit(&c->scope), -ECANCELED);
    kri_party_leave(previous);
    CHECK_EQ(kri_load_acq(&c->m.unparks), 1);
    CHECK_EQ(kri_waiting(&c->word), 0);
    party_world_free(c, sizeof *c);
}

/* Machines use the primitives as threads do. */
typedef struct user {
    kr_lock lock;
    kr_event event;
    kr_semaphore semaphore;
    kr_word result;
} user;

static void use_as_machine(void *arg, int index)
{
    user *u = arg;
    log_book book = {{0}, {{0}}};
    machine m = machine_new(1, &book);
    kri_party *previous = kri_party_enter(&m.party);

    (void)index;
    CHECK_EQ(kr_event_wait(&u->event, KR_FOREVER), 0);
    CHECK_EQ(kr_lock_acquire(&u->lock, KR_FOREVER), 0);
    CHECK_EQ(kr_lock_release(&u->lock), 0);
    CHECK_EQ(kr_semaphore_acquire(&u->semaphore, KR_FOREVER), 0);
    kri_party_leave(previous);
    /* Not how often it parked: a wake may come between its queueing and its sleep. */
    kri_store_rel(&u->result, kri_load_acq(&m.unparks));
}

TEST(test_machine_uses_primitives)
{
    user *u;
    party_bunch *bunch;

    party_be(&party_threads);
    u = party_world(sizeof *u);
    CHECK_EQ(kr_lock_acquire(&u->lock, KR_FOREVER), 0);
    bunch = party_start(1, use_as_machine, u);
    PARTY_AWAIT_PARKED(&u->event, 1);
    kr_event_set(&u->event);
    PARTY_AWAIT_PARKED(&u->lock, 1);
    CHECK_EQ(kr_lock_release(&u->lock), 0);
    PARTY_AWAIT_PARKED(&u->semaphore.value, 1);
    CHECK_EQ(kr_semaphore_release(&u->semaphore, 1), 0);
    party_join(bunch);
    CHECK_EQ(kri_load_acq(&u->result), 3);
    party_world_free(u, sizeof *u);
}

TEST(test_party_ids)
{
    uint64_t first = kri_party_new_id();
    uint64_t second = kri_party_new_id();

    CHECK(first != 0 && second != 0 && first != second);
    CHECK(kri_party_self() == kri_party_self());
    kri_party inner = {.ops = kri_party_self()->ops};
    uint64_t mine = kri_party_id(kri_party_self());
    CHECK(mine != 0 && mine != first && mine != second);
    kri_party *previous = kri_party_enter(&inner);
    uint64_t others = kri_party_id(kri_party_self());
    CHECK(others != 0 && others != mine);
    CHECK(kri_party_id(kri_party_self()) == others);
    kri_party_leave(previous);
    CHECK(kri_party_id(kri_party_self()) == mine);
}

/* Blocking hooks. */

typedef struct hook {
    kri_block_hook base; /* first */
    uint32_t name;
    log_book *book;
} hook;

static void hook_before(kri_block_hook *base)
{
    hook *h = (hook *)base;

    note(h->book, h->name);
}

static void hook_after(kri_block_hook *base)
{
    hook *h = (hook *)base;

    note(h->book, h->name + 100);
}

static hook hook_new(uint32_t name, log_book *book)
{
    return (hook){{NULL, hook_before, hook_after}, name, book};
}

/* Before and after stand like brackets, whichever hook comes first. */
static void check_brackets(log_book *book, uint32_t from)
{
    uint32_t first = kri_load_acq(&book->entries[from]);
    uint32_t second = kri_load_acq(&book->entries[from + 1]);

    CHECK_EQ(kri_load_acq(&book->next), from + 4);
    CHECK_EQ(first + second, 1 + 2);
    CHECK_EQ(kri_load_acq(&book->entries[from + 2]), second + 100);
    CHECK_EQ(kri_load_acq(&book->entries[from + 3]), first + 100);
}

TEST(test_hooks_around_each_kind_of_sleep)
{
    waits_world *world;
    log_book book = {{0}, {{0}}};
    hook first = hook_new(1, &book);
    hook second = hook_new(2, &book);

    party_be(&party_threads);
    world = waits_begin();
    kri_block_hook_add(&first.base);
    kri_block_hook_add(&second.base);
    for (uint32_t i = 0; i < WAITS_KINDS; i++) {
        CHECK_EQ(waits_kinds[i].wait(world, kr_ms(5)), -ETIMEDOUT);
        check_brackets(&book, 4 * i);
    }
    kri_block_hook_remove(&first.base);
    kri_block_hook_remove(&second.base);
    CHECK_EQ(kr_event_wait(&world->event, kr_ms(5)), -ETIMEDOUT);
    CHECK_EQ(kri_load_acq(&book.next), 4 * WAITS_KINDS);
    waits_end(world);
}

TEST(test_hooks_around_a_shared_sleep)
{
    log_book book = {{0}, {{0}}};
    hook first = hook_new(1, &book);
    hook second = hook_new(2, &book);
    kr_word word = {0};

    kri_block_hook_add(&first.base);
    kri_block_hook_add(&second.base);
    CHECK_EQ(kri_wait(&word, 0, kri_deadline(kr_ms(5)), KRI_SHARED), -ETIMEDOUT);
    check_brackets(&book, 0);
}

TEST(test_no_hooks_without_a_sleep)
{
    waits_world *world;
    log_book book = {{0}, {{0}}};
    hook only = hook_new(1, &book);
    kr_word word = {1};
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;

    party_be(&party_threads);
    world = waits_begin();
    kri_block_hook_add(&only.base);
    for (int i = 0; i < WAITS_KINDS; i++)
        CHECK_EQ(waits_kinds[i].wait(world, KR_NOWAIT), -ETIMEDOUT);
    for (int i = 0; i < WAITS_KINDS; i++) {
        if (waits_kinds[i].wait == waits_condition || waits_kinds[i].wait == waits_fd)
            continue;
        waits_kinds[i].serve(world);
        CHECK_EQ(waits_kinds[i].wait(world, KR_FOREVER), 0);
    }
    CHECK_EQ(kri_wait(&word, 0, KRI_NEVER, 0), -EAGAIN);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    CHECK_EQ(kri_wait(&word, 1, KRI_NEVER, 0), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    CHECK_EQ(kri_load_acq(&book.next), 0);
    kri_block_hook_remove(&only.base);
    waits_end(world);
}

/* What a hook is for: a lock is given up before the sleep and taken again, without cancel, after.
 */
typedef struct giver {
    kri_block_hook base; /* first */
    kr_lock big;
    kr_event event;
    kr_cancel_scope scope;
    int result;
    bool held_after;
} giver;

static void give_up(kri_block_hook *base)
{
    CHECK_EQ(kr_lock_release(&((giver *)base)->big), 0);
}

static void take_again(kri_block_hook *base)
{
    kr_shield
        CHECK_EQ(kr_lock_acquire(&((giver *)base)->big, KR_FOREVER), 0);
}

static void wait_with_big_lock(void *arg, int index)
{
    giver *g = arg;

    (void)index;
    CHECK_EQ(kr_lock_acquire(&g->big, KR_FOREVER), 0);
    kri_block_hook_add(&g->base);
    CHECK_EQ(kr_cancel_scope_enter(&g->scope, KR_FOREVER), 0);
    g->result = kr_event_wait(&g->event, KR_FOREVER);
    g->held_after = kr_lock_locked(&g->big);
    CHECK_EQ(kr_cancel_scope_exit(&g->scope), -ECANCELED);
    kri_block_hook_remove(&g->base);
    CHECK_EQ(kr_lock_release(&g->big), 0);
}

static void hold_and_release(void *arg, int index)
{
    giver *g = arg;

    (void)index;
    CHECK_EQ(kr_lock_acquire(&g->big, KR_FOREVER), 0);
    PARTY_AWAIT_PARKED(&g->event, 1);
    kr_cancel(&g->scope);
    PARTY_AWAIT_PARKED(&g->big, 1);
    CHECK_EQ(kr_lock_release(&g->big), 0);
}

/* The other party gets the lock only because the waiter has given it up, and the waiter, cancelled,
 * has to sleep until it has it back: a sleep inside a hook, around which no hook runs. */
TEST(test_hook_gives_up_a_lock)
{
    giver *g;
    party_bunch *waiter;

    party_be(&party_threads);
    g = party_world(sizeof *g);
    g->base.before = give_up;
    g->base.after = take_again;
    waiter = party_start(1, wait_with_big_lock, g);
    PARTY_AWAIT_PARKED(&g->event, 1);
    party_join(party_start(1, hold_and_release, g));
    party_join(waiter);
    CHECK_EQ(g->result, -ECANCELED);
    CHECK(g->held_after);
    CHECK(!kr_lock_locked(&g->big));
    party_world_free(g, sizeof *g);
}
