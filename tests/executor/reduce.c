/* kr_parallel_reduce: results that are joined in order, whoever made the parts.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"

#include "executor/pool.h"

/* Products of 2x2 matrices, modulo 2^64: associative, not commutative. */
struct matrix {
    uint64_t at[4];
};

static const struct matrix one = {{1, 0, 0, 1}};

static struct matrix times(struct matrix a, struct matrix b)
{
    return (struct matrix){
        {a.at[0] * b.at[0] + a.at[1] * b.at[2], a.at[0] * b.at[1] + a.at[1] * b.at[3],
         a.at[2] * b.at[0] + a.at[3] * b.at[2], a.at[2] * b.at[1] + a.at[3] * b.at[3]}};
}

static struct matrix element(size_t i)
{
    return (struct matrix){{i, 1, i + 1, 3}};
}

static int multiply(size_t first, size_t end, void *partial, void *arg)
{
    struct matrix *product = partial;
    (void)arg;
    CHECK(first < end);
    for (size_t i = first; i < end; i++)
        *product = times(*product, element(i));
    return 0;
}

static void multiply_both(void *left, const void *right, void *arg)
{
    struct matrix *a = left;
    const struct matrix *b = right;
    (void)arg;
    *a = times(*a, *b);
}

static const kr_reduction product = {sizeof(struct matrix), multiply, multiply_both};

static void check_product(kr_executor *pool, size_t first, size_t count,
                          const kr_parallel_options *options)
{
    struct matrix got = one, want = one;
    for (size_t i = 0; i < count; i++)
        want = times(want, element(first + i));
    CHECK_EQ(kr_parallel_reduce(pool, first, first + count, &product, NULL, &got, options), 0);
    CHECK(memcmp(&got, &want, sizeof got) == 0);
}

TEST(parts_are_joined_in_order)
{
    const size_t grains[] = {0, 1, 3, 1000, SIZE_MAX};
    uint64_t state = kri_test_seed();
    for (int workers = 1; workers <= 4; workers++) {
        kr_executor *pool = pool_of(workers);
        for (int i = 0; i < 100; i++) {
            kr_parallel_options options = {.grain = grains[i % 5], .runners = i % 7};
            size_t count = kri_test_random(&state) % (i % 2 ? 100000 : 300);
            check_product(pool, kri_test_random(&state) / 2, count, &options);
        }
        check_product(pool, SIZE_MAX - 2000, 2000, &(kr_parallel_options){.grain = 1});
        end(pool);
    }
}

/* Slow enough for helpers to be called by the clock, and to take many blocks. */
static int multiply_slowly(size_t first, size_t end, void *partial, void *arg)
{
    kr_time until = kr_now() + kr_us(5);
    while (kr_now() < until)
        continue;
    return multiply(first, end, partial, arg);
}

TEST(parts_of_helpers_that_come_later)
{
    const kr_reduction slow = {sizeof(struct matrix), multiply_slowly, multiply_both};
    kr_executor *pool = pool_of(3);
    enum { COUNT = 20000 };
    struct matrix want = one;
    multiply(0, COUNT, &want, NULL);
    for (int i = 0; i < 20; i++) {
        struct matrix got = one;
        kr_parallel_options options = {.runners = 3};
        CHECK_EQ(kr_parallel_reduce(pool, 0, COUNT, &slow, NULL, &got, &options), 0);
        CHECK(memcmp(&got, &want, sizeof got) == 0);
    }
    CHECK_GE(((kri_pool *)pool)->slots_used.bits, 1);
    end(pool);
}

static kr_word additions;

static int add_doubles(size_t first, size_t end, void *partial, void *arg)
{
    (void)arg;
    kri_add_rlx(&additions, 1);
    for (size_t i = first; i < end; i++)
        *(double *)partial += 1.0 / (double)(i + 1);
    return 0;
}

static void join_doubles(void *left, const void *right, void *arg)
{
    (void)arg;
    *(double *)left += *(const double *)right;
}

TEST(a_grain_of_the_whole_range_is_one_piece)
{
    const kr_reduction sum = {sizeof(double), add_doubles, join_doubles};
    kr_executor *pool = pool_of(2);
    double want = 0, got = 0;
    add_doubles(0, 100000, &want, NULL);
    CHECK_EQ(kr_parallel_reduce(pool, 0, 100000, &sum, NULL, &got,
                                &(kr_parallel_options){.grain = 100000, .runners = 4}),
             0);
    CHECK(got == want);
    CHECK_EQ(kri_load_rlx(&additions), 2);
    end(pool);
}

static int add_length(size_t first, size_t end, void *partial, void *arg)
{
    (void)arg;
    *(uint64_t *)partial += end - first;
    return 0;
}

static void join_lengths(void *left, const void *right, void *arg)
{
    (void)arg;
    *(uint64_t *)left += *(const uint64_t *)right;
}

TEST(the_longest_range_there_is)
{
    const kr_reduction length = {sizeof(uint64_t), add_length, join_lengths};
    const size_t grains[] = {0, SIZE_MAX / 1000, SIZE_MAX / 3, SIZE_MAX};
    kr_executor *pool = pool_of(3);
    for (int i = 0; i < 4; i++) {
        uint64_t got = 0;
        kr_parallel_options options = {.grain = grains[i], .runners = 3};
        CHECK_EQ(kr_parallel_reduce(pool, 0, SIZE_MAX, &length, NULL, &got, &options), 0);
        CHECK_EQ(got, SIZE_MAX);
    }
    end(pool);
}

/* The largest partial result, in which every byte counts. */
struct large {
    uint64_t sums[512];
};

static int add_large(size_t first, size_t end, void *partial, void *arg)
{
    struct large *large = partial;
    (void)arg;
    for (size_t i = first; i < end; i++)
        large->sums[i % 512] += i;
    return 0;
}

static void join_large(void *left, const void *right, void *arg)
{
    struct large *a = left;
    const struct large *b = right;
    (void)arg;
    for (int i = 0; i < 512; i++)
        a->sums[i] += b->sums[i];
}

static const kr_reduction large_sum = {sizeof(struct large), add_large, join_large};

static void check_large(kr_executor *pool)
{
    static struct large want, got;
    memset(&want, 0, sizeof want);
    memset(&got, 0, sizeof got);
    add_large(0, 10000, &want, NULL);
    kr_parallel_options options = {.grain = 1, .runners = 3};
    CHECK_EQ(kr_parallel_reduce(pool, 0, 10000, &large_sum, NULL, &got, &options), 0);
    CHECK(memcmp(&want, &got, sizeof got) == 0);
}

TEST(a_partial_result_of_4096_bytes)
{
    kr_executor *pool = pool_of(3);
    check_large(pool);
    end(pool);
}

/* Errors leave the result as it is. */

static int fail_at_1000(size_t first, size_t end, void *partial, void *arg)
{
    int error = *(int *)arg;
    if (end <= 1000)
        return multiply(first, end, partial, arg);
    memset(partial, 0xff, sizeof(struct matrix));
    kr_event never = KR_EVENT_INIT;
    return error ? error : kr_event_wait(&never, KR_FOREVER);
}

TEST(an_error_leaves_the_result)
{
    const kr_reduction failing = {sizeof(struct matrix), fail_at_1000, multiply_both};
    const int errors[][2] = {{-EPIPE, -EPIPE}, {0, -ETIMEDOUT}};
    const size_t grains[] = {0, 1, 5000};
    kr_executor *pool = pool_of(3);
    for (int i = 0; i < 6; i++) {
        struct matrix result = {{1, 2, 3, 4}}, before = result;
        int error = errors[i % 2][0];
        kr_parallel_options options = {
            .grain = grains[i / 2], .runners = 3, .timeout = error ? 0 : kr_ms(30)};
        CHECK_EQ(kr_parallel_reduce(pool, 0, 3000, &failing, &error, &result, &options),
                 errors[i % 2][1]);
        CHECK(memcmp(&result, &before, sizeof result) == 0);
    }
    end(pool);
}

TEST(an_empty_range_is_its_initial_value)
{
    kr_executor *pool = pool_of(1);
    struct matrix result = {{5, 6, 7, 8}}, before = result;
    CHECK_EQ(kr_parallel_reduce(pool, 9, 9, &product, NULL, &result, NULL), 0);
    CHECK(memcmp(&result, &before, sizeof result) == 0);
    CHECK_EQ(((kri_pool *)pool)->slots_used.bits, 0);
    end(pool);
}

TEST(wrong_reductions_are_refused)
{
    kr_executor *pool = pool_of(1);
    struct matrix result = one;
    const kr_reduction wrong[] = {{0, multiply, multiply_both},
                                  {4097, multiply, multiply_both},
                                  {sizeof result, NULL, multiply_both},
                                  {sizeof result, multiply, NULL}};
    for (int i = 0; i < 4; i++)
        CHECK_EQ(kr_parallel_reduce(pool, 0, 9, &wrong[i], NULL, &result, NULL), -EINVAL);
    CHECK_EQ(kr_parallel_reduce(pool, 0, 9, NULL, NULL, &result, NULL), -EINVAL);
    CHECK_EQ(kr_parallel_reduce(pool, 0, 9, &product, NULL, NULL, NULL), -EINVAL);
    CHECK_EQ(kr_parallel_reduce(pool, 9, 8, &product, NULL, &result, NULL), -EINVAL);
    CHECK_EQ(kr_parallel_reduce(NULL, 0, 9, &product, NULL, &result, NULL), -EINVAL);
    CHECK(memcmp(&result, &one, sizeof result) == 0);
    end(pool);
}

static int reduce_in_task(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    (void)result;
    for (int i = 0; i < 20; i++)
        check_product(pool, 5, 1000, &(kr_parallel_options){.grain = 10, .runners = 3});
    return 0;
}

TEST(reductions_in_tasks)
{
    kr_executor *pool = pool_of(2);
    kr_future *futures[6];
    for (int i = 0; i < 6; i++)
        CHECK_EQ(kr_submit(pool, &futures[i], reduce_in_task, &pool, sizeof pool, 0), 0);
    for (int i = 0; i < 6; i++)
        CHECK_EQ(error_of(futures[i]), 0);
    end(pool);
}
