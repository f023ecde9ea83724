/* Objects that were taken away: handles find it out, and what is in use stays.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/backends.h"

static kr_manager *new_manager(void)
{
    kr_manager *m = NULL;
    CHECK_EQ(kr_manager_open(&m, NULL, NULL), 0);
    return m;
}

TEST(held_locks_are_not_deleted)
{
    KR_AUTO(kr_manager) *m = new_manager();
    KR_AUTO(kr_managed_lock) *l = NULL;
    KR_AUTO(kr_managed_rlock) *r = NULL;
    KR_AUTO(kr_managed_condition) *c = NULL;
    CHECK_EQ(kr_managed_lock_open(&l, m, "l"), 0);
    CHECK_EQ(kr_managed_rlock_open(&r, m, "r"), 0);
    CHECK_EQ(kr_managed_condition_open(&c, m, "c"), 0);
    CHECK_EQ(kr_managed_lock_acquire(l, KR_NOWAIT), 0);
    CHECK_EQ(kr_managed_rlock_acquire(r, KR_NOWAIT), 0);
    CHECK_EQ(kr_managed_condition_acquire(c, KR_NOWAIT), 0);
    CHECK_EQ(kr_manager_delete(m, "l"), -EBUSY);
    CHECK_EQ(kr_manager_delete(m, "r"), -EBUSY);
    CHECK_EQ(kr_manager_delete(m, "c"), -EBUSY);
    CHECK_EQ(kr_managed_lock_release(l), 0);
    CHECK_EQ(kr_managed_rlock_release(r), 0);
    CHECK_EQ(kr_managed_condition_release(c), 0);
    CHECK_EQ(kr_manager_delete(m, "l"), 0);
    CHECK_EQ(kr_manager_delete(m, "r"), 0);
    CHECK_EQ(kr_manager_delete(m, "c"), 0);
    CHECK_EQ(kr_managed_lock_acquire(l, KR_NOWAIT), -ESTALE);
    CHECK_EQ(kr_managed_lock_release(l), -ESTALE);
    CHECK(!kr_managed_lock_locked(l));
    CHECK_EQ(kr_managed_rlock_acquire(r, KR_NOWAIT), -ESTALE);
    CHECK_EQ(kr_managed_condition_wait(c, KR_NOWAIT), -ESTALE);
}

TEST(stale_handles_of_every_other_kind)
{
    KR_AUTO(kr_manager) *m = new_manager();
    KR_AUTO(kr_managed_value) *v = NULL;
    KR_AUTO(kr_managed_array) *a = NULL;
    KR_AUTO(kr_queue) *q = NULL;
    KR_AUTO(kr_managed_semaphore) *s = NULL;
    KR_AUTO(kr_managed_event) *e = NULL;
    KR_AUTO(kr_managed_barrier) *b = NULL;
    KR_AUTO(kr_set) *set = NULL;
    int64_t n = 0;
    CHECK_EQ(kr_managed_value_open(&v, m, "v", sizeof n, NULL), 0);
    CHECK_EQ(kr_managed_array_open(&a, m, "a", sizeof n, 3, NULL), 0);
    CHECK_EQ(kr_manager_queue(&q, m, "q", sizeof n, 3, NULL), 0);
    CHECK_EQ(kr_managed_semaphore_open(&s, m, "s", 1, 0), 0);
    CHECK_EQ(kr_managed_event_open(&e, m, "e"), 0);
    CHECK_EQ(kr_managed_barrier_open(&b, m, "b", 2), 0);
    CHECK_EQ(kr_set_open(&set, m, "set"), 0);
    const char *const names[] = {"v", "a", "q", "s", "e", "b", "set"};
    for (int i = 0; i < 7; i++)
        CHECK_EQ(kr_manager_delete(m, names[i]), 0);
    CHECK_EQ(kr_managed_value_add(v, 1, &n), -ESTALE);
    CHECK_EQ(kr_managed_value_get(v, &n), -ESTALE);
    CHECK_EQ(kr_managed_array_set(a, 0, 1, &n), -ESTALE);
    CHECK_EQ(kr_queue_put(q, &n, KR_NOWAIT), -ESTALE);
    CHECK_EQ(kr_queue_get(q, &n, KR_NOWAIT), -ESTALE);
    CHECK_EQ(kr_managed_semaphore_acquire(s, KR_NOWAIT), -ESTALE);
    CHECK_EQ(kr_managed_semaphore_value(s), -ESTALE);
    CHECK_EQ(kr_managed_event_set(e), -ESTALE);
    CHECK_EQ(kr_managed_barrier_wait(b, KR_NOWAIT), -ESTALE);
    CHECK_EQ(kr_set_add(set, "x", 1), -ESTALE);
}

/* Sizes and bounds of values. */
TEST(values_of_other_sizes)
{
    KR_AUTO(kr_manager) *m = new_manager();
    KR_AUTO(kr_managed_value) *v = NULL, *n = NULL;
    kr_managed_value *none = NULL;
    char text[10] = "123456789", other[10] = "abcdefghi", got[10];
    int64_t sum = 0;
    CHECK_EQ(kr_managed_value_open(&none, m, "v", 0, NULL), -ENOENT);
    CHECK_EQ(kr_managed_value_open(&none, m, NULL, 0, NULL), -EINVAL);
    CHECK_EQ(kr_managed_value_open(&v, m, "v", sizeof text, text), 0);
    CHECK_EQ(kr_managed_value_open(&none, m, "v", 9, NULL), -EEXIST);
    CHECK_EQ(kr_managed_value_get(v, got), 0);
    CHECK_STR(got, text);
    CHECK_EQ(kr_managed_value_compare_and_set(v, other, text), -EAGAIN);
    CHECK_EQ(kr_managed_value_compare_and_set(v, text, other), 0);
    CHECK_EQ(kr_managed_value_get(v, got), 0);
    CHECK_STR(got, other);
    CHECK_EQ(kr_managed_value_add(v, 1, NULL), -EINVAL);
    CHECK_EQ(kr_managed_value_open(&n, m, "n", sizeof sum, &(int64_t){INT64_MAX - 1}), 0);
    CHECK_EQ(kr_managed_value_add(n, 1, &sum), 0);
    CHECK_EQ(sum, INT64_MAX);
    CHECK_EQ(kr_managed_value_add(n, 1, &sum), -EOVERFLOW);
    CHECK_EQ(kr_managed_value_get(n, &sum), 0);
    CHECK_EQ(sum, INT64_MAX);
}
