/* Shared values and arrays.
 *
 * Behaviours: section 12.5.
 *
 * SPDX-License-Identifier: MIT
 */
#include "memory/help.h"

/* One of each kind that Python's test has: i, d, h, q, c. */
typedef struct kind {
    size_t size;
    unsigned char first[8];
    unsigned char second[8];
} kind;

static kind kinds[5];

static void fill_kinds(void)
{
    int i[] = {4343, 24234}, n = 0;
    double d[] = {3.625, -4.25};
    short h[] = {-232, 234};
    int64_t q[] = {INT64_C(1) << 33, INT64_C(1) << 34};
    char c[] = {'x', 'y'};
    const void *values[] = {i, d, h, q, c};
    const size_t sizes[] = {sizeof *i, sizeof *d, sizeof *h, sizeof *q, sizeof *c};
    for (; n < 5; n++) {
        kinds[n].size = sizes[n];
        memcpy(kinds[n].first, values[n], sizes[n]);
        memcpy(kinds[n].second, (const char *)values[n] + sizes[n], sizes[n]);
    }
}

static void set_second(void *arg)
{
    kr_value **values = arg;
    for (int i = 0; i < 5; i++)
        CHECK_EQ(kr_value_set(values[i], kinds[i].second, KR_FOREVER), 0);
}

static void check_values(const kr_array_options *options)
{
    kr_value *values[5];
    unsigned char got[8];
    fill_kinds();
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(kr_value_create(&values[i], kinds[i].size, kinds[i].first, options), 0);
        CHECK_EQ(kr_value_size(values[i]), kinds[i].size);
        CHECK_EQ(kr_value_get(values[i], got, KR_NOWAIT), 0);
        CHECK(memcmp(got, kinds[i].first, kinds[i].size) == 0);
    }
    reap(child(set_second, values));
    for (int i = 0; i < 5; i++) {
        CHECK_EQ(kr_value_get(values[i], got, KR_NOWAIT), 0);
        CHECK(memcmp(got, kinds[i].second, kinds[i].size) == 0);
        CHECK(memcmp(kr_value_data(values[i]), kinds[i].second, kinds[i].size) == 0);
        kr_value_release(values[i]);
    }
}

TEST(test_value)
{
    check_values(NULL);
}

TEST(test_rawvalue)
{
    check_values(&(kr_array_options){.raw = true});
}

/* behaviour: 12.5 test_getobj_getlock_obj */
TEST(test_getobj_getlock)
{
    kr_value *v = NULL, *other = NULL;
    int n = 5;
    CHECK_EQ(kr_value_create(&v, sizeof n, &n, NULL), 0);
    kr_rlock *own = kr_value_lock(v);
    CHECK(own != NULL);
    kr_with (own) { /* recursive */
        CHECK_EQ(kr_rlock_acquire(own, KR_NOWAIT), 0);
        CHECK_EQ(kr_value_get(v, &n, KR_NOWAIT), 0);
        CHECK_EQ(kr_rlock_release(own), 0);
        CHECK_EQ(*(int *)kr_value_data(v), 5);
    }
    CHECK(!kr_rlock_locked(own));

    kr_rlock *given = kr_shared_alloc(sizeof *given);
    CHECK_EQ(kr_rlock_init(given, KR_SHARED), 0);
    CHECK_EQ(kr_value_create(&other, sizeof n, &n, &(kr_array_options){.lock = given}), 0);
    CHECK(kr_value_lock(other) == given);
    kr_value_release(other);
    CHECK_EQ(kr_value_create(&other, sizeof n, &n, &(kr_array_options){.raw = true}), 0);
    CHECK(kr_value_lock(other) == NULL);
    kr_value_release(other);

    kr_rlock private_lock = KR_RLOCK_INIT; /* the wrong kind of lock */
    CHECK_EQ(kr_value_create(&other, sizeof n, &n, &(kr_array_options){.lock = &private_lock}),
             -EINVAL);
    CHECK_EQ(kr_value_create(&other, sizeof n, &n, &(kr_array_options){.lock = given, .raw = true}),
             -EINVAL);
    kr_value_release(v);
    kr_shared_free(given);
}

/* A get waits for whoever has the lock; raw ones do not know it. */
static void get_while_held(void *arg)
{
    int n = 0;
    CHECK_EQ(kr_value_get(arg, &n, KR_NOWAIT), -ETIMEDOUT);
    CHECK_EQ(kr_value_set(arg, &n, KR_NOWAIT), -ETIMEDOUT);
}

TEST(a_get_waits_for_the_lock)
{
    kr_value *v = NULL;
    CHECK_EQ(kr_value_create(&v, sizeof(int), NULL, NULL), 0);
    kr_with (kr_value_lock(v))
        reap(child(get_while_held, v));
    kr_value_release(v);
}

/* Arrays */

static const int numbers[] = {680, 626, 934, 821, 150, 233, 548, 982, 714, 831};
enum { NUMBERS = sizeof numbers / sizeof numbers[0] };

/* Each becomes the sum of all up to it. */
static void sum_up(void *arg)
{
    int one = 0, sum = 0;
    for (size_t i = 0; i < kr_array_length(arg); i++) {
        CHECK_EQ(kr_array_get(arg, i, &one, KR_FOREVER), 0);
        sum += one;
        CHECK_EQ(kr_array_set(arg, i, &sum, KR_FOREVER), 0);
    }
}

static void check_array(const kr_array_options *options)
{
    kr_array *a = NULL;
    int got[NUMBERS] = {0}, some[] = {1, 2, 3}, sum = 0;
    CHECK_EQ(kr_array_create(&a, sizeof(int), NUMBERS, numbers, options), 0);
    CHECK_EQ(kr_array_length(a), NUMBERS);
    CHECK_EQ(kr_array_item_size(a), sizeof(int));
    CHECK_EQ(kr_array_get(a, 3, got, KR_FOREVER), 0);
    CHECK_EQ(got[0], 821);
    CHECK_EQ(kr_array_get(a, NUMBERS, got, KR_FOREVER), -ERANGE);
    CHECK_EQ(kr_array_set(a, SIZE_MAX, got, KR_FOREVER), -ERANGE);
    CHECK_EQ(kr_array_get_slice(a, 2, 5, got, KR_FOREVER), 0);
    CHECK(memcmp(got, numbers + 2, 5 * sizeof(int)) == 0);
    CHECK_EQ(kr_array_get_slice(a, NUMBERS, 0, got, KR_FOREVER), 0);
    CHECK_EQ(kr_array_get_slice(a, NUMBERS - 1, 2, got, KR_FOREVER), -ERANGE);
    CHECK_EQ(kr_array_get_slice(a, 2, SIZE_MAX, got, KR_FOREVER), -ERANGE);
    CHECK_EQ(kr_array_get(a, 0, got, -1), -EINVAL);
    CHECK_EQ(kr_array_get(a, 0, NULL, KR_FOREVER), -EINVAL);
    CHECK_EQ(kr_array_set_slice(a, 4, 3, some, KR_FOREVER), 0);
    CHECK_EQ(kr_array_set_slice(a, 8, 3, some, KR_FOREVER), -ERANGE);
    CHECK_EQ(((int *)kr_array_items(a))[5], 2);
    CHECK_EQ(((int *)kr_array_items(a))[8], numbers[8]);
    CHECK_EQ(kr_array_set_slice(a, 4, 3, numbers + 4, KR_FOREVER), 0);
    reap(child(sum_up, a));
    CHECK_EQ(kr_array_get_slice(a, 0, NUMBERS, got, KR_FOREVER), 0);
    for (int i = 0; i < NUMBERS; i++) {
        sum += numbers[i];
        CHECK_EQ(got[i], sum);
    }
    CHECK((kr_array_lock(a) == NULL) == (options != NULL && options->raw));
    kr_array_release(a);
    kr_array_release(NULL);
}

TEST(test_array)
{
    check_array(NULL);
}

TEST(test_rawarray)
{
    check_array(&(kr_array_options){.raw = true});
}

/* Zero also where the memory was used before. */
TEST(test_array_from_size)
{
    size_t size = kr_array_memory_size(sizeof(int), 10);
    void *memory = kr_shared_alloc(size);
    for (int round = 0; round < 3; round++) {
        kr_array *a = NULL;
        int got[10];
        CHECK_EQ(kr_array_create_at(&a, memory, size, sizeof(int), 10, NULL, NULL), 0);
        CHECK_EQ(kr_array_get_slice(a, 0, 10, got, KR_FOREVER), 0);
        for (int i = 0; i < 10; i++)
            CHECK_EQ(got[i], 0);
        CHECK_EQ(kr_array_set_slice(a, 0, 10, numbers, KR_FOREVER), 0);
        kr_array_release(a);
    }
    kr_shared_free(memory);
}

/* Scalars, a struct, an array, a string: doubled in a child. */
typedef struct foo {
    int x;
    double y;
} foo;

typedef struct doubled {
    kr_value *x, *y, *foo;
    kr_array *numbers, *text;
} doubled;

static void double_all(void *arg)
{
    doubled *d = arg;
    *(int *)kr_value_data(d->x) *= 2;
    *(double *)kr_value_data(d->y) *= 2;
    foo *f = kr_value_data(d->foo);
    f->x *= 2;
    f->y *= 2;
    for (size_t i = 0; i < kr_array_length(d->numbers); i++)
        ((double *)kr_array_items(d->numbers))[i] *= 2;
    char *text = kr_array_items(d->text);
    memcpy(text + strlen(text), text, strlen(text));
}

static void check_doubled(const kr_array_options *o)
{
    doubled d;
    double ten[10];
    for (int i = 0; i < 10; i++)
        ten[i] = i;
    CHECK_EQ(kr_value_create(&d.x, sizeof(int), &(int){7}, o), 0);
    CHECK_EQ(kr_value_create(&d.y, sizeof(double), &(double){1.0 / 3}, o), 0);
    CHECK_EQ(kr_value_create(&d.foo, sizeof(foo), &(foo){3, 2}, o), 0);
    CHECK_EQ(kr_array_create(&d.numbers, sizeof(double), 10, ten, o), 0);
    CHECK_EQ(kr_array_create(&d.text, 1, 20, NULL, o), 0);
    CHECK_EQ(kr_array_set_slice(d.text, 0, 5, "hello", KR_FOREVER), 0);
    reap(child(double_all, &d));
    CHECK_EQ(*(int *)kr_value_data(d.x), 14);
    CHECK(*(double *)kr_value_data(d.y) > 0.66 && *(double *)kr_value_data(d.y) < 0.67);
    foo f;
    CHECK_EQ(kr_value_get(d.foo, &f, KR_FOREVER), 0);
    CHECK(f.x == 6 && f.y > 3.9 && f.y < 4.1);
    CHECK_EQ(kr_array_get_slice(d.numbers, 0, 10, ten, KR_FOREVER), 0);
    CHECK(ten[9] > 17.9 && ten[9] < 18.1);
    CHECK_STR(kr_array_items(d.text), "hellohello");
    kr_value_release(d.x);
    kr_value_release(d.y);
    kr_value_release(d.foo);
    kr_array_release(d.numbers);
    kr_array_release(d.text);
}

TEST(test_sharedctypes)
{
    check_doubled(&(kr_array_options){.raw = true});
}

TEST(test_synchronize)
{
    check_doubled(NULL);
}

TEST(test_copy)
{
    kr_value *one = NULL, *two = NULL;
    CHECK_EQ(kr_value_create(&one, sizeof(foo), &(foo){2, 5}, NULL), 0);
    CHECK_EQ(kr_value_create(&two, sizeof(foo), kr_value_data(one), NULL), 0);
    *(foo *)kr_value_data(one) = (foo){0, 0};
    foo f;
    CHECK_EQ(kr_value_get(two, &f, KR_FOREVER), 0);
    CHECK_EQ(f.x, 2);
    CHECK(f.y > 4.9);
    kr_value_release(one);
    kr_value_release(two);
}

/* Death of a holder */

static void die_in_the_middle(void *arg)
{
    kr_with (kr_array_lock(arg)) {
        ((int *)kr_array_items(arg))[0] = -1;
        _exit(0);
    }
}

TEST(a_dead_holder_is_told_once)
{
    kr_array *a = NULL;
    int n = 0;
    CHECK_EQ(kr_array_create(&a, sizeof(int), NUMBERS, numbers, NULL), 0);
    reap(child(die_in_the_middle, a));
    CHECK_EQ(kr_array_get(a, 0, &n, KR_FOREVER), KR_OWNER_DIED);
    CHECK_EQ(n, -1);
    CHECK_EQ(kr_array_get(a, 0, &n, KR_FOREVER), 0);
    reap(child(die_in_the_middle, a));
    CHECK_EQ(kr_array_set(a, 1, &n, KR_FOREVER), KR_OWNER_DIED);
    CHECK_EQ(kr_array_get(a, 1, &n, KR_FOREVER), 0);
    CHECK_EQ(n, -1);
    /* Who has the lock decides, not the gets inside. */
    reap(child(die_in_the_middle, a));
    CHECK_EQ(kr_rlock_acquire(kr_array_lock(a), KR_FOREVER), KR_OWNER_DIED);
    CHECK_EQ(kr_array_get(a, 1, &n, KR_FOREVER), 0);
    CHECK(kr_rlock_inconsistent(kr_array_lock(a)));
    CHECK_EQ(kr_rlock_release(kr_array_lock(a)), 0);
    CHECK_EQ(kr_array_get(a, 1, &n, KR_FOREVER), -ENOTRECOVERABLE);
    kr_array_release(a);
}

/* In an arena, or any memory */

static void set_by_attaching(void *arg)
{
    kr_arena *mine = NULL;
    kr_array *a = NULL;
    int *numbers_there = arg;
    CHECK_EQ(kr_arena_attach_descriptor(&mine, numbers_there[0]), 0);
    void *memory = kr_arena_at(mine, (uint64_t)numbers_there[1]);
    CHECK_EQ(kr_array_attach(&a, memory, kr_arena_size(mine, memory), NULL), 0);
    CHECK_EQ(kr_array_set(a, 2, &(int){77}, KR_FOREVER), 0);
    kr_array_release(a);
    kr_arena_release(mine);
}

TEST(an_array_in_an_arena)
{
    kr_arena *arena = NULL;
    kr_array *a = NULL;
    void *memory = NULL;
    int n = 0;
    size_t size = kr_array_memory_size(sizeof(int), 10);
    CHECK_EQ(kr_arena_create(&arena, 1 << 20, NULL), 0);
    CHECK_EQ(kr_arena_alloc(arena, size, &memory), 0);
    CHECK_EQ(kr_array_create_at(&a, memory, size, sizeof(int), 10, NULL, NULL), 0);
    int place[] = {kr_arena_descriptor(arena), (int)kr_arena_offset(arena, memory)};
    reap(child(set_by_attaching, place));
    CHECK_EQ(kr_array_get(a, 2, &n, KR_FOREVER), 0);
    CHECK_EQ(n, 77);
    kr_array_release(a);
    kr_value *v = NULL;
    CHECK_EQ(kr_value_attach(&v, memory, size, NULL), KR_ECORRUPT);
    CHECK_EQ(kr_value_create_at(&v, memory, size, sizeof n, &n, NULL), 0);
    kr_value_release(v);
    CHECK_EQ(kr_value_attach(&v, memory, size, NULL), 0);
    CHECK_EQ(kr_value_get(v, &n, KR_FOREVER), 0);
    kr_value_release(v);
    kr_arena_release(arena);
}

TEST(bad_arguments_are_refused)
{
    kr_array *a = NULL;
    kr_value *v = NULL;
    char *memory = kr_shared_alloc(4096);
    kr_rlock *lock = kr_shared_alloc(sizeof *lock);
    CHECK_EQ(kr_rlock_init(lock, KR_SHARED), 0);
    CHECK_EQ(kr_array_create(&a, 0, 5, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_array_create(&a, 5, 0, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_array_create(&a, SIZE_MAX / 2, 3, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_array_create(&a, SIZE_MAX / 4, 1, NULL, NULL), -ENOMEM);
    CHECK_EQ(kr_array_create(NULL, 5, 5, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_value_create(NULL, 5, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_array_create(&a, 5, 5, NULL, &(kr_array_options){.reserved = {1}}), -EINVAL);
    CHECK_EQ(kr_array_create_at(&a, memory, 100, 5, 5, NULL, NULL), -ENOSPC);
    CHECK_EQ(kr_array_create_at(&a, memory + 1, 4000, 5, 5, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_array_attach(&a, memory, 4096, NULL), KR_ECORRUPT);
    kr_array_options given = {.lock = lock};
    CHECK_EQ(kr_array_create_at(&a, memory, 4096, 5, 5, NULL, &given), 0);
    kr_array_release(a);
    CHECK_EQ(kr_array_attach(&a, memory, 4096, NULL), -EINVAL);
    CHECK_EQ(kr_array_attach(&a, memory, 200, &given), KR_ECORRUPT);
    CHECK_EQ(kr_array_attach(&a, memory, 4096, &given), 0);
    CHECK(kr_array_lock(a) == lock);
    kr_array_release(a);
    CHECK_EQ(kr_value_memory_size(0), 0);
    CHECK_EQ(kr_value_attach(&v, memory, 10, NULL), KR_ECORRUPT);
    kr_shared_free(memory);
    kr_shared_free(lock);
}
