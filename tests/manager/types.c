/* Each kind of object, made in the parent and used elsewhere: by a child that inherits the manager,
 * and by a process that is no relation; as CPython tests its SyncManager.
 *
 * Behaviours: section 12.9.
 *
 * SPDX-License-Identifier: MIT
 */
#include "manager/list_help.h"

/* The body runs in a child first, then in another process; `before` and `after` here around each.
 */
static void use_elsewhere(kr_manager *m, worker_body before, worker_body body, worker_body after)
{
    before(m);
    run_child(m, body);
    after(m);
    before(m);
    run_elsewhere(body);
    after(m);
}

/* Events */

static kr_managed_event *event_of(kr_manager *m)
{
    kr_managed_event *e = NULL;
    CHECK_EQ(kr_managed_event_open(&e, m, "event"), 0);
    return e;
}

static void set_event(kr_manager *m)
{
    KR_AUTO(kr_managed_event) *e = event_of(m);
    CHECK_EQ(kr_managed_event_set(e), 0);
}

static void wait_and_clear(kr_manager *m)
{
    KR_AUTO(kr_managed_event) *e = event_of(m);
    CHECK(kr_managed_event_is_set(e));
    CHECK_EQ(kr_managed_event_wait(e, KR_FOREVER), 0);
    CHECK_EQ(kr_managed_event_clear(e), 0);
    CHECK_EQ(kr_managed_event_wait(e, kr_ms(1)), -ETIMEDOUT);
}
WORKER(wait_and_clear);

static void check_cleared(kr_manager *m)
{
    KR_AUTO(kr_managed_event) *e = event_of(m);
    CHECK(!kr_managed_event_is_set(e));
    CHECK_EQ(kr_managed_event_wait(e, kr_ms(1)), -ETIMEDOUT);
}

BACKEND_TEST(test_event)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, set_event, wait_and_clear, check_cleared);
}

/* A set there ends a wait here. */
static void set_event_elsewhere(kr_manager *m)
{
    set_event(m);
}
WORKER(set_event_elsewhere);

BACKEND_TEST(an_event_set_elsewhere_ends_a_wait)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_managed_event) *e = event_of(m);
    kr_process *p = worker_start_elsewhere(set_event_elsewhere);
    CHECK_EQ(kr_managed_event_wait(e, kr_sec(60)), 0);
    worker_end_elsewhere(p);
}

/* Locks */

static void nothing(kr_manager *m)
{
    (void)m;
}

static kr_managed_lock *lock_of(kr_manager *m)
{
    kr_managed_lock *l = NULL;
    CHECK_EQ(kr_managed_lock_open(&l, m, "lock"), 0);
    return l;
}

static void acquire_lock(kr_manager *m)
{
    KR_AUTO(kr_managed_lock) *l = lock_of(m);
    CHECK_EQ(kr_managed_lock_acquire(l, KR_FOREVER), 0);
}
WORKER(acquire_lock);

/* It was acquired by a process that has ended. */
static void release_lock(kr_manager *m)
{
    KR_AUTO(kr_managed_lock) *l = lock_of(m);
    CHECK(kr_managed_lock_locked(l));
    CHECK_EQ(kr_managed_lock_release(l), 0);
    CHECK(!kr_managed_lock_locked(l));
    CHECK_EQ(kr_managed_lock_release(l), -EPERM);
}

BACKEND_TEST(test_lock)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, nothing, acquire_lock, release_lock);
}

/* The other way round: acquired here, released there, while a third waits here. */
static void release_other(kr_manager *m)
{
    KR_AUTO(kr_managed_lock) *l = lock_of(m);
    CHECK_EQ(kr_managed_lock_release(l), 0);
}
WORKER(release_other);

BACKEND_TEST(another_process_releases_the_lock)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_managed_lock) *l = lock_of(m);
    CHECK_EQ(kr_managed_lock_acquire(l, KR_NOWAIT), 0);
    CHECK_EQ(kr_managed_lock_acquire(l, kr_ms(1)), -ETIMEDOUT);
    kr_process *p = worker_start_elsewhere(release_other);
    CHECK_EQ(kr_managed_lock_acquire(l, kr_sec(60)), 0);
    worker_end_elsewhere(p);
    CHECK_EQ(kr_managed_lock_release(l), 0);
}

static kr_managed_rlock *rlock_of(kr_manager *m)
{
    kr_managed_rlock *l = NULL;
    CHECK_EQ(kr_managed_rlock_open(&l, m, "rlock"), 0);
    return l;
}

static void acquire_and_release_rlock(kr_manager *m)
{
    KR_AUTO(kr_managed_rlock) *l = rlock_of(m);
    CHECK_EQ(kr_managed_rlock_acquire(l, KR_FOREVER), 0);
    CHECK_EQ(kr_managed_rlock_acquire(l, KR_NOWAIT), 0);
    CHECK(kr_managed_rlock_owned(l));
    CHECK_EQ(kr_managed_rlock_release(l), 0);
    CHECK_EQ(kr_managed_rlock_release(l), 0);
    CHECK_EQ(kr_managed_rlock_release(l), -EPERM);
}
WORKER(acquire_and_release_rlock);

BACKEND_TEST(test_rlock)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, nothing, acquire_and_release_rlock, acquire_and_release_rlock);
}

static void find_rlock_held(kr_manager *m)
{
    KR_AUTO(kr_managed_rlock) *l = rlock_of(m);
    CHECK(!kr_managed_rlock_owned(l));
    CHECK_EQ(kr_managed_rlock_acquire(l, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_managed_rlock_release(l), -EPERM);
}
WORKER(find_rlock_held);

BACKEND_TEST(an_rlock_belongs_to_its_holder)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_managed_rlock) *l = rlock_of(m);
    CHECK_EQ(kr_managed_rlock_acquire(l, KR_NOWAIT), 0);
    run_elsewhere(find_rlock_held);
    CHECK_EQ(kr_managed_rlock_release(l), 0);
}

/* Semaphores */

static kr_managed_semaphore *semaphore_of(kr_manager *m, int64_t permits, int64_t bound)
{
    kr_managed_semaphore *s = NULL;
    const char *name = bound != 0 ? "bounded" : "semaphore";
    CHECK_EQ(kr_managed_semaphore_open(&s, m, name, permits, bound), 0);
    return s;
}

static void acquire_semaphore(kr_manager *m)
{
    KR_AUTO(kr_managed_semaphore) *s = semaphore_of(m, -1, 0);
    CHECK_EQ(kr_managed_semaphore_acquire(s, KR_FOREVER), 0);
    CHECK_EQ(kr_managed_semaphore_value(s), 0);
    CHECK_EQ(kr_managed_semaphore_acquire(s, KR_NOWAIT), -ETIMEDOUT);
}
WORKER(acquire_semaphore);

static void release_semaphore(kr_manager *m)
{
    KR_AUTO(kr_managed_semaphore) *s = semaphore_of(m, -1, 0);
    CHECK_EQ(kr_managed_semaphore_release(s, 1), 0);
    CHECK_EQ(kr_managed_semaphore_value(s), 1);
}

BACKEND_TEST(test_semaphore)
{
    KR_AUTO(kr_manager) *m = manager_open();
    kr_managed_semaphore *none = NULL;
    CHECK_EQ(kr_managed_semaphore_open(&none, m, "semaphore", -1, 0), -ENOENT);
    KR_AUTO(kr_managed_semaphore) *s = semaphore_of(m, 1, 0);
    use_elsewhere(m, nothing, acquire_semaphore, release_semaphore);
}

static void acquire_bounded(kr_manager *m)
{
    KR_AUTO(kr_managed_semaphore) *s = semaphore_of(m, -1, 1);
    CHECK_EQ(kr_managed_semaphore_acquire(s, KR_FOREVER), 0);
}
WORKER(acquire_bounded);

static void release_bounded(kr_manager *m)
{
    KR_AUTO(kr_managed_semaphore) *s = semaphore_of(m, -1, 1);
    CHECK_EQ(kr_managed_semaphore_release(s, 1), 0);
    CHECK_EQ(kr_managed_semaphore_release(s, 1), -EOVERFLOW);
}

BACKEND_TEST(test_bounded_semaphore)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_managed_semaphore) *s = semaphore_of(m, 1, 1);
    kr_managed_semaphore *other = NULL;
    CHECK_EQ(kr_managed_semaphore_open(&other, m, "bounded", 1, 2), -EEXIST);
    use_elsewhere(m, nothing, acquire_bounded, release_bounded);
}

/* Conditions */

static kr_managed_condition *condition_of(kr_manager *m)
{
    kr_managed_condition *c = NULL;
    CHECK_EQ(kr_managed_condition_open(&c, m, "condition"), 0);
    return c;
}

static void acquire_and_release_condition(kr_manager *m)
{
    KR_AUTO(kr_managed_condition) *c = condition_of(m);
    CHECK_EQ(kr_managed_condition_acquire(c, KR_FOREVER), 0);
    CHECK_EQ(kr_managed_condition_release(c), 0);
    CHECK_EQ(kr_managed_condition_release(c), -EPERM);
    CHECK_EQ(kr_managed_condition_notify(c, 1), -EPERM);
    CHECK_EQ(kr_managed_condition_wait(c, KR_NOWAIT), -EPERM);
}
WORKER(acquire_and_release_condition);

BACKEND_TEST(test_condition)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, nothing, acquire_and_release_condition, acquire_and_release_condition);
}

static kr_managed_value *number_of(kr_manager *m)
{
    kr_managed_value *v = NULL;
    CHECK_EQ(kr_managed_value_open(&v, m, "number", sizeof(int64_t), NULL), 0);
    return v;
}

static bool is_seven(void *arg)
{
    int64_t n = 0;
    CHECK_EQ(kr_managed_value_get(arg, &n), 0);
    return n == 7;
}

static void add_to_seven(kr_manager *m)
{
    KR_AUTO(kr_managed_condition) *c = condition_of(m);
    KR_AUTO(kr_managed_value) *v = number_of(m);
    for (int i = 0; i < 7; i++) {
        CHECK_EQ(kr_managed_condition_acquire(c, KR_FOREVER), 0);
        CHECK_EQ(kr_managed_value_add(v, 1, NULL), 0);
        CHECK_GE(kr_managed_condition_notify_all(c), 0);
        CHECK_EQ(kr_managed_condition_release(c), 0);
    }
}
WORKER(add_to_seven);

BACKEND_TEST(a_condition_between_processes)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_managed_condition) *c = condition_of(m);
    KR_AUTO(kr_managed_value) *v = number_of(m);
    CHECK_EQ(kr_managed_condition_acquire(c, KR_FOREVER), 0);
    CHECK_EQ(kr_managed_condition_wait_for(c, is_seven, v, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_managed_condition_wait_for(c, is_seven, v, kr_ms(1)), -ETIMEDOUT);
    kr_process *p = worker_start_elsewhere(add_to_seven);
    CHECK_EQ(kr_managed_condition_wait_for(c, is_seven, v, kr_sec(60)), 0);
    CHECK_EQ(kr_managed_condition_release(c), 0);
    worker_end_elsewhere(p);
}

/* Barriers */

static kr_managed_barrier *barrier_of(kr_manager *m, int64_t parties)
{
    kr_managed_barrier *b = NULL;
    CHECK_EQ(kr_managed_barrier_open(&b, m, "barrier", parties), 0);
    return b;
}

static void reset_barrier(kr_manager *m)
{
    KR_AUTO(kr_managed_barrier) *b = barrier_of(m, 0);
    CHECK_EQ(kr_managed_barrier_parties(b), 5);
    CHECK(kr_managed_barrier_broken(b));
    CHECK_EQ(kr_managed_barrier_reset(b), 0);
}
WORKER(reset_barrier);

static void break_barrier(kr_manager *m)
{
    KR_AUTO(kr_managed_barrier) *b = barrier_of(m, 5);
    CHECK_EQ(kr_managed_barrier_abort(b), 0);
}

static void check_barrier(kr_manager *m)
{
    KR_AUTO(kr_managed_barrier) *b = barrier_of(m, 5);
    CHECK(!kr_managed_barrier_broken(b));
    CHECK_EQ(kr_managed_barrier_n_waiting(b), 0);
}

BACKEND_TEST(test_barrier)
{
    KR_AUTO(kr_manager) *m = manager_open();
    kr_managed_barrier *other = NULL;
    CHECK_EQ(kr_managed_barrier_open(&other, m, "barrier", 0), -ENOENT);
    use_elsewhere(m, break_barrier, reset_barrier, check_barrier);
    CHECK_EQ(kr_managed_barrier_open(&other, m, "barrier", 4), -EEXIST);
}

static void wait_at_pair(kr_manager *m)
{
    KR_AUTO(kr_managed_barrier) *b = NULL;
    CHECK_EQ(kr_managed_barrier_open(&b, m, "pair", 2), 0);
    CHECK_GE(kr_managed_barrier_wait(b, kr_sec(60)), 0);
}
WORKER(wait_at_pair);

BACKEND_TEST(a_barrier_between_processes)
{
    KR_AUTO(kr_manager) *m = manager_open();
    kr_process *p = worker_start_elsewhere(wait_at_pair);
    wait_at_pair(m);
    worker_end_elsewhere(p);
}

/* Queues */

static kr_queue *queue_of(kr_manager *m)
{
    kr_queue *q = NULL;
    CHECK_EQ(kr_manager_queue(&q, m, "queue", sizeof(int), 2, NULL), 0);
    return q;
}

static void fill_queue(kr_manager *m)
{
    KR_AUTO(kr_queue) *q = queue_of(m);
    for (int i = 5; i < 7; i++)
        CHECK_EQ(kr_queue_put(q, &i, KR_FOREVER), 0);
    CHECK_EQ(kr_queue_put(q, &(int){8}, KR_NOWAIT), -ETIMEDOUT);
}

static void empty_queue(kr_manager *m)
{
    KR_AUTO(kr_queue) *q = queue_of(m);
    CHECK_EQ(kr_queue_qsize(q), 2);
    CHECK(kr_queue_full(q));
    CHECK(!kr_queue_empty(q));
    for (int i = 5; i < 7; i++) {
        int got = 0;
        CHECK(!kr_queue_empty(q));
        CHECK_EQ(kr_queue_get(q, &got, KR_FOREVER), 0);
        CHECK_EQ(got, i);
    }
    CHECK(kr_queue_empty(q));
}
WORKER(empty_queue);

static void check_queue_empty(kr_manager *m)
{
    KR_AUTO(kr_queue) *q = queue_of(m);
    CHECK(kr_queue_empty(q));
    CHECK(!kr_queue_full(q));
}

BACKEND_TEST(test_queue)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, fill_queue, empty_queue, check_queue_empty);
}

static void work_off(kr_manager *m)
{
    KR_AUTO(kr_queue) *q = queue_of(m);
    for (int i = 0; i < 2; i++) {
        int got;
        CHECK_EQ(kr_queue_get(q, &got, KR_FOREVER), 0);
        CHECK_EQ(kr_queue_join(q, KR_NOWAIT), -ETIMEDOUT);
        CHECK_EQ(kr_queue_task_done(q), 0);
    }
}
WORKER(work_off);

static void join_queue(kr_manager *m)
{
    KR_AUTO(kr_queue) *q = queue_of(m);
    CHECK_EQ(kr_queue_join(q, kr_sec(60)), 0);
    CHECK_EQ(kr_queue_task_done(q), -EPERM);
}

BACKEND_TEST(test_joinable_queue)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, fill_queue, work_off, join_queue);
}

/* Lists, dicts, values, arrays, namespaces */

static kr_list *list_of(kr_manager *m)
{
    kr_list *l = NULL;
    CHECK_EQ(kr_list_open(&l, m, "list"), 0);
    return l;
}

static void append_five(kr_manager *m)
{
    KR_AUTO(kr_list) *l = list_of(m);
    append_int(l, 5);
}

static void use_list(kr_manager *m)
{
    KR_AUTO(kr_list) *l = list_of(m);
    int64_t five = 5;
    CHECK_EQ(get_int(l, 0), 5);
    CHECK_EQ(kr_list_count(l, &five, sizeof five), 1);
    CHECK_EQ(kr_list_index(l, &five, sizeof five), 0);
    CHECK_EQ(kr_list_sort(l, NULL, NULL), 0);
    CHECK_EQ(kr_list_reverse(l), 0);
    check_ints(l, 1, &five);
    CHECK_EQ(pop_left_int(l), 5);
}
WORKER(use_list);

static void check_list_empty(kr_manager *m)
{
    KR_AUTO(kr_list) *l = list_of(m);
    CHECK_EQ(kr_list_length(l), 0);
}

BACKEND_TEST(test_list)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, append_five, use_list, check_list_empty);
}

static kr_dict *dict_of(kr_manager *m)
{
    kr_dict *d = NULL;
    CHECK_EQ(kr_dict_open(&d, m, "dict"), 0);
    return d;
}

static void set_foo(kr_manager *m)
{
    KR_AUTO(kr_dict) *d = dict_of(m);
    CHECK_EQ(kr_dict_set_int(d, "foo", 5), 0);
}

static void use_dict(kr_manager *m)
{
    KR_AUTO(kr_dict) *d = dict_of(m);
    KR_AUTO(kr_dict_items) *items = NULL;
    kr_dict_item *item = NULL;
    int64_t n = 0;
    CHECK_EQ(kr_dict_length(d), 1);
    CHECK_EQ(kr_dict_get_int(d, "foo", &n), 0);
    CHECK_EQ(n, 5);
    CHECK_EQ(kr_dict_snapshot(d, &items), 0);
    CHECK_EQ(kr_dict_items_count(items), 1);
    CHECK_EQ(kr_dict_popitem(d, &item), 0);
    CHECK_STR(item->key, "foo");
    CHECK_STR(item->value, "5");
    free(item);
}
WORKER(use_dict);

static void check_dict_empty(kr_manager *m)
{
    KR_AUTO(kr_dict) *d = dict_of(m);
    CHECK_EQ(kr_dict_length(d), 0);
}

BACKEND_TEST(test_dict)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, set_foo, use_dict, check_dict_empty);
}

static void set_value_one(kr_manager *m)
{
    KR_AUTO(kr_managed_value) *v = number_of(m);
    CHECK_EQ(kr_managed_value_set(v, &(int64_t){1}), 0);
}

static void use_value(kr_manager *m)
{
    KR_AUTO(kr_managed_value) *v = NULL;
    int64_t n = 0;
    CHECK_EQ(kr_managed_value_open(&v, m, "number", 0, NULL), 0);
    CHECK_EQ(kr_managed_value_size(v), sizeof n);
    CHECK_EQ(kr_managed_value_get(v, &n), 0);
    CHECK_EQ(n, 1);
    CHECK_EQ(kr_managed_value_set(v, &(int64_t){2}), 0);
}
WORKER(use_value);

static void check_value_two(kr_manager *m)
{
    KR_AUTO(kr_managed_value) *v = number_of(m);
    int64_t n = 0;
    CHECK_EQ(kr_managed_value_get(v, &n), 0);
    CHECK_EQ(n, 2);
}

BACKEND_TEST(test_value)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, set_value_one, use_value, check_value_two);
}

static const int zero_and_one[] = {0, 1};

static kr_managed_array *array_of(kr_manager *m)
{
    kr_managed_array *a = NULL;
    CHECK_EQ(kr_managed_array_open(&a, m, "array", sizeof(int), 2, zero_and_one), 0);
    return a;
}

static void use_array(kr_manager *m)
{
    KR_AUTO(kr_managed_array) *a = NULL;
    int items[2] = {7, 7};
    CHECK_EQ(kr_managed_array_open(&a, m, "array", 0, 0, NULL), 0);
    CHECK_EQ(kr_managed_array_item_size(a), sizeof(int));
    CHECK_EQ(kr_managed_array_length(a), 2);
    CHECK_EQ(kr_managed_array_get(a, 0, 2, items), 0);
    CHECK_EQ(items[0], 0);
    CHECK_EQ(items[1], 1);
    CHECK_EQ(kr_managed_array_get(a, 1, 2, items), -ENOENT);
    CHECK_EQ(kr_managed_array_set(a, 1, 1, &(int){9}), 0);
}
WORKER(use_array);

static void check_array(kr_manager *m)
{
    KR_AUTO(kr_managed_array) *a = array_of(m);
    int items[2];
    CHECK_EQ(kr_managed_array_get(a, 0, 2, items), 0);
    CHECK_EQ(items[0], 0);
    CHECK_EQ(items[1], 9);
    CHECK_EQ(kr_managed_array_set(a, 0, 2, zero_and_one), 0);
}

static void make_array(kr_manager *m)
{
    KR_AUTO(kr_managed_array) *a = array_of(m);
    CHECK_STR(kr_managed_array_name(a), "array");
}

BACKEND_TEST(test_array)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, make_array, use_array, check_array);
}

static kr_namespace *namespace_of(kr_manager *m)
{
    kr_namespace *n = NULL;
    CHECK_EQ(kr_namespace_open(&n, m, "namespace"), 0);
    return n;
}

static void set_x_and_y(kr_manager *m)
{
    KR_AUTO(kr_namespace) *n = namespace_of(m);
    CHECK_EQ(kr_namespace_set_int(n, "x", 0), 0);
    CHECK_EQ(kr_namespace_set_int(n, "y", 1), 0);
}

static void use_namespace(kr_manager *m)
{
    KR_AUTO(kr_namespace) *n = namespace_of(m);
    int64_t x = 7, y = 7;
    CHECK_EQ(kr_namespace_get_int(n, "x", &x), 0);
    CHECK_EQ(kr_namespace_get_int(n, "y", &y), 0);
    CHECK_EQ(x, 0);
    CHECK_EQ(y, 1);
    CHECK_EQ(kr_namespace_delete(n, "x"), 0);
}
WORKER(use_namespace);

static void check_namespace(kr_manager *m)
{
    KR_AUTO(kr_namespace) *n = namespace_of(m);
    CHECK_EQ(kr_namespace_has(n, "x"), 0);
    CHECK_EQ(kr_namespace_has(n, "y"), 1);
}

BACKEND_TEST(test_namespace)
{
    KR_AUTO(kr_manager) *m = manager_open();
    use_elsewhere(m, set_x_and_y, use_namespace, check_namespace);
}

/* The rest of 12.9's set rows: a set from another process has all its members. */
static void add_members(kr_manager *m)
{
    KR_AUTO(kr_set) *s = NULL;
    CHECK_EQ(kr_set_open(&s, m, "set"), 0);
    CHECK_EQ(kr_set_update(s, (const kr_bytes[]){{"a", 1}, {"b", 1}, {"c", 1}}, 3), 3);
}
WORKER(add_members);

BACKEND_TEST(test_set_contain_all_method)
{
    KR_AUTO(kr_manager) *m = manager_open();
    KR_AUTO(kr_set) *s = NULL;
    run_elsewhere(add_members);
    CHECK_EQ(kr_set_open(&s, m, "set"), 0);
    CHECK_EQ(kr_set_length(s), 3);
    for (const char *member = "abc"; *member != '\0'; member++)
        CHECK_EQ(kr_set_contains(s, member, 1), 1);
    CHECK_EQ(kr_set_contains(s, "d", 1), 0);
}
