/* Values of each thread.
 *
 * Behaviours: section 9
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/atomic.h"
#include "thread/child.h"
#include "thread/help.h"
#include <krait/krait.h>

static kr_word made, destroyed;

static int count_made(void *value)
{
    CHECK_EQ(*(int *)value, 0);
    CHECK_EQ((uintptr_t)value % _Alignof(max_align_t), 0);
    *(int *)value = 1;
    kri_add_sc(&made, 1);
    return 0;
}

static void count_destroyed(void *value)
{
    CHECK_EQ(*(int *)value, 1);
    *(int *)value = 2;
    kri_add_sc(&destroyed, 1);
}

static kr_local counted = KR_LOCAL_INIT(sizeof(int), count_made, count_destroyed);

static int touch(void *local)
{
    void *value = kr_local_get(local);
    CHECK(value != NULL);
    CHECK(value == kr_local_get(local));
    CHECK(value == kr_local_peek(local));
    return 0;
}

static void touch_in_foreign(void *local)
{
    CHECK_EQ(touch(local), 0);
}

static void check_counts(uint32_t count)
{
    CHECK_EQ(kri_load_acq(&made), count);
    CHECK_EQ(kri_load_acq(&destroyed), count);
}

TEST(test_local_refs)
{
    static const int counts[] = {20, 50, 100};
    uint32_t sum = 0;
    for (int i = 0; i < 3; i++) {
        kr_thread *threads[100];
        for (int n = 0; n < counts[i]; n++)
            threads[n] = start(touch, &counted);
        for (int n = 0; n < counts[i]; n++)
            join_well(threads[n]);
        sum += (uint32_t)counts[i];
        check_counts(sum);
    }
}

TEST(foreign_threads_have_values_too)
{
    kri_bunch bunch;
    kri_bunch_start(&bunch, 10, touch_in_foreign, &counted);
    kri_bunch_end(&bunch);
    check_counts(10);
}

static int nap_then_make(void *value)
{
    kri_test_nap();
    *(uint64_t *)value = 1;
    return 0;
}

static kr_local derived = KR_LOCAL_INIT(sizeof(uint64_t), nap_then_make, NULL);

static int set_and_read(void *arg)
{
    (void)arg;
    uint64_t *value = kr_local_get(&derived);
    CHECK(*value == 1);
    *value = kr_thread_ident(kr_thread_current());
    kri_test_nap();
    value = kr_local_get(&derived);
    CHECK(*value == kr_thread_ident(kr_thread_current()));
    return 0;
}

TEST(test_derived)
{
    kr_thread *threads[10];
    for (int i = 0; i < 10; i++)
        threads[i] = start(set_and_read, NULL);
    for (int i = 0; i < 10; i++)
        join_well(threads[i]);
}

static int sees_nothing(void *local)
{
    CHECK(kr_local_peek(local) == NULL);
    int *value = kr_local_get(local);
    CHECK_EQ(*value, 0);
    *value = 9;
    return 0;
}

static void other_threads_value(kr_local *local)
{
    int *mine = kr_local_get(local);
    CHECK(mine != NULL);
    *mine = 5;
    join_well(start(sees_nothing, local));
    CHECK(kr_local_get(local) == mine);
    CHECK_EQ(*mine, 5);
    kr_local_destroy(local);
}

TEST(test_threading_local)
{
    kr_local local;
    kr_local_init(&local, sizeof(int), NULL, NULL);
    other_threads_value(&local);
}

static int accept_zero(void *value)
{
    return *(int *)value;
}

TEST(test_threading_local_subclass)
{
    kr_local local = KR_LOCAL_INIT(sizeof(int), accept_zero, NULL);
    other_threads_value(&local);
}

/* behaviour: 9 doctests */
TEST(the_initialiser_runs_once_in_each_thread)
{
    CHECK_EQ(touch(&counted), 0);
    CHECK_EQ(touch(&counted), 0);
    CHECK_EQ(kri_load_acq(&made), 1);
    join_well(start(touch, &counted));
    CHECK_EQ(kri_load_acq(&made), 2);
}

/* A value of an old local at the same address, with the same slot, is not a value of the new.
 * behaviour: 9 test_derived_cycle_dealloc */
TEST(a_new_local_sees_no_old_values)
{
    kr_local local;
    for (int i = 0; i < 200; i++) {
        kr_local_init(&local, sizeof(int), count_made, count_destroyed);
        CHECK(kr_local_peek(&local) == NULL);
        CHECK_EQ(*(int *)kr_local_get(&local), 1);
        join_well(start(touch, &local));
        kr_local_destroy(&local);
        CHECK(kr_local_peek(&local) == NULL);
        check_counts(2 * ((uint32_t)i + 1));
    }
}

TEST(many_locals_at_a_time)
{
    enum { MANY = 300 };
    static kr_local locals[MANY];
    for (int i = 0; i < MANY; i++) {
        kr_local_init(&locals[i], sizeof(int), NULL, NULL);
        *(int *)kr_local_get(&locals[i]) = i;
    }
    for (int i = 0; i < MANY; i++)
        CHECK_EQ(*(int *)kr_local_get(&locals[i]), i);
    for (int i = 0; i < MANY; i++)
        kr_local_destroy(&locals[i]);
}

static int refuse(void *value)
{
    return *(int *)value == 0 ? -EBUSY : 0;
}

TEST(an_initialiser_may_refuse)
{
    kr_local local = KR_LOCAL_INIT(sizeof(int), refuse, count_destroyed);
    CHECK(kr_local_get(&local) == NULL);
    CHECK(kr_local_peek(&local) == NULL);
    CHECK(kr_local_get(&local) == NULL);
    kr_local_destroy(&local);
    CHECK_EQ(destroyed.bits, 0);
    kr_local huge = KR_LOCAL_INIT(SIZE_MAX, NULL, NULL);
    CHECK(kr_local_get(&huge) == NULL);
}

TEST(clear_destroys_only_the_own_value)
{
    CHECK_EQ(touch(&counted), 0);
    kr_local_clear(&counted);
    check_counts(1);
    CHECK(kr_local_peek(&counted) == NULL);
    kr_local_clear(&counted);
    check_counts(1);
    CHECK_EQ(touch(&counted), 0);
    CHECK_EQ(kri_load_acq(&made), 2);
}

static void use_krait(void *value)
{
    (void)value;
    kr_event never = KR_EVENT_INIT;
    CHECK_EQ(touch(&counted), 0); /* destroyed in the next round */
    CHECK_EQ(kr_event_wait(&never, kr_ms(1)), -ETIMEDOUT);
    CHECK(kr_thread_current() != kr_thread_main());
    CHECK(kr_thread_alive(kr_thread_current()));
}

static kr_local busy = KR_LOCAL_INIT(1, NULL, use_krait);

TEST(destructors_may_use_krait)
{
    kri_bunch bunch;
    join_well(start(touch, &busy));
    check_counts(1);
    kri_bunch_start(&bunch, 1, touch_in_foreign, &busy);
    kri_bunch_end(&bunch);
    check_counts(2);
    CHECK_EQ(kr_thread_active_count(), 1);
}

static kr_local again;

static void come_back(void *value)
{
    (void)value;
    kri_add_sc(&destroyed, 1);
    CHECK(kr_local_get(&again) != NULL);
}

TEST(a_destructor_that_never_ends_is_given_up)
{
    kr_local_init(&again, 1, NULL, come_back);
    join_well(start(touch, &again));
    CHECK_LE(destroyed.bits, 1000);
    again.destroy = NULL;
}

static int touch_until(void *arg)
{
    kr_event *stop = arg;
    while (!kr_event_is_set(stop)) {
        kri_bunch bunch;
        kri_bunch_start(&bunch, 4, touch_in_foreign, &counted);
        kri_bunch_end(&bunch);
    }
    return 0;
}

TEST(test_threading_local_clear_race)
{
    kr_event stop = KR_EVENT_INIT;
    kr_thread *t = start(touch_until, &stop);
    for (int i = 0; i < 2000; i++) {
        kr_local local = KR_LOCAL_INIT(sizeof(int), NULL, NULL);
        CHECK(kr_local_get(&local) != NULL);
        kr_local_destroy(&local);
    }
    kr_event_set(&stop);
    join_well(t);
    CHECK_EQ(kri_load_acq(&made), kri_load_acq(&destroyed));
}

typedef struct meeting {
    kr_local local;
    kr_semaphore touched;
    kr_event go;
} meeting;

static int touch_and_end(void *arg)
{
    meeting *m = arg;
    CHECK_EQ(touch(&m->local), 0);
    CHECK_EQ(kr_semaphore_release(&m->touched, 1), 0);
    return kr_event_wait(&m->go, KR_FOREVER);
}

/* Each value is destroyed once, whoever comes first. */
TEST(destroy_while_threads_end)
{
    enum { THREADS = 8 };
    for (uint32_t i = 0; i < 50; i++) {
        meeting m = {.local = KR_LOCAL_INIT(sizeof(int), count_made, count_destroyed)};
        kr_thread *threads[THREADS];
        for (int n = 0; n < THREADS; n++)
            threads[n] = start(touch_and_end, &m);
        for (int n = 0; n < THREADS; n++)
            CHECK_EQ(kr_semaphore_acquire(&m.touched, KR_FOREVER), 0);
        kr_event_set(&m.go);
        kr_local_destroy(&m.local);
        for (int n = 0; n < THREADS; n++)
            join_well(threads[n]);
        check_counts((i + 1) * THREADS);
    }
}

TEST(locals_survive_a_fork)
{
    int *mine = kr_local_get(&counted);
    pid_t pid = fork();
    if (pid == 0) {
        CHECK(kr_local_get(&counted) == mine);
        join_well(start(touch, &counted));
        kr_local_destroy(&counted);
        check_counts(2);
        exit(0);
    }
    child_wait(pid);
    CHECK_EQ(*mine, 1);
}
