/* kr_map_open, kr_map_next, kr_map_close: order, windows, chunks, errors, time limits, closing.
 *
 * Behaviours: sections 11.2, 11.3
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include "harness/in_use.h"
#include <stdlib.h>

#include "executor/pool.h"

/* A source that counts, and fails when it is entered by two, or by another thread. */
struct numbers {
    int next;
    int end;    /* -1: none */
    int error;  /* instead of the end */
    bool check; /* not in the caller's thread: the source must not be called */
    pthread_t caller;
    kr_word inside;
};

static int next_number(void *arg, void *context)
{
    struct numbers *numbers = context;
    CHECK_EQ(kri_add_sc(&numbers->inside, 1), 0);
    if (numbers->check)
        CHECK(pthread_equal(numbers->caller, pthread_self()));
    int answer = numbers->error;
    CHECK_EQ(*(int *)arg, 0);
    if (numbers->next != numbers->end) {
        *(int *)arg = numbers->next++;
        answer = 1;
    }
    kri_sub_sc(&numbers->inside, 1);
    return answer;
}

static struct numbers up_to(int end)
{
    return (struct numbers){.end = end, .check = true, .caller = pthread_self()};
}

static kr_map_stream *open_map(kr_executor *pool, kr_task_fn fn, struct numbers *numbers,
                               const kr_map_stream_options *options)
{
    kr_map_stream *map;
    CHECK_EQ(kr_map_open(&map, pool, fn, next_number, numbers, sizeof(int), sizeof(long), options),
             0);
    return map;
}

static int next_of(kr_map_stream *map, long *got)
{
    return kr_map_next(map, got, sizeof *got, NULL);
}

/* The next results are the squares of first .. end - 1. */
static void check_squares(kr_map_stream *map, int first, int end)
{
    for (int i = first; i < end; i++) {
        long got = -1;
        CHECK_EQ(next_of(map, &got), 1);
        CHECK_EQ(got, (long)i * i);
    }
}

static void check_over(kr_map_stream *map)
{
    long got = -1;
    CHECK_EQ(next_of(map, &got), 0);
    CHECK_EQ(next_of(map, &got), 0);
    CHECK_EQ(got, -1);
}

static int square(const void *arg, void *result)
{
    int n = *(const int *)arg;
    CHECK_EQ(*(long *)result, 0);
    *(long *)result = (long)n * n;
    return 0;
}

TEST(test_map)
{
    kr_executor *pool = pool_of(3);
    const int counts[] = {0, 1, 2, 10, 100};
    const size_t windows[] = {0, 1, 2, 5, 7, 200};
    const size_t chunks[] = {0, 1, 2, 3, 5, 7, 50, 200};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++)
        for (size_t j = 0; j < sizeof windows / sizeof windows[0]; j++)
            for (size_t k = 0; k < sizeof chunks / sizeof chunks[0]; k++) {
                if (windows[j] && chunks[k] > windows[j])
                    continue;
                struct numbers numbers = up_to(counts[i]);
                kr_map_stream_options options = {.window = windows[j], .chunk = chunks[k]};
                kr_map_stream *map = open_map(pool, square, &numbers, &options);
                check_squares(map, 0, counts[i]);
                check_over(map);
                kr_map_close(map);
            }
    end(pool);
}

/* Each item takes a while of its own; the order is that of the input all the same. */
static int slow_square(const void *arg, void *result)
{
    uint64_t state = kri_test_seed() + (uint64_t) * (const int *)arg;
    for (uint64_t naps = kri_test_random(&state) % 3; naps > 0; naps--)
        kri_test_nap();
    return square(arg, result);
}

TEST(results_come_in_the_order_of_the_input)
{
    kr_executor *pool = pool_of(4);
    struct numbers numbers = up_to(300);
    kr_map_stream *map =
        open_map(pool, slow_square, &numbers, &(kr_map_stream_options){.window = 20, .chunk = 2});
    check_squares(map, 0, 300);
    check_over(map);
    kr_map_close(map);
    end(pool);
}

static int square_but_7(const void *arg, void *result)
{
    int n = *(const int *)arg;
    if (n % 10 == 7) {
        *(long *)result = 7;
        return -1000 - n;
    }
    return square(arg, result) + 5; /* a positive value counts as 0 */
}

TEST(test_map_exception)
{
    kr_executor *pool = pool_of(2);
    const size_t chunks[] = {1, 3, 20};
    for (int asked = 0; asked <= 1; asked++)
        for (size_t j = 0; j < 3; j++) {
            struct numbers numbers = up_to(100);
            kr_map_stream_options options = {.window = 20, .chunk = chunks[j]};
            kr_map_stream *map = open_map(pool, square_but_7, &numbers, &options);
            for (int i = 0; i < 100; i++) {
                bool bad = i % 10 == 7;
                long got = -1;
                int error = 99;
                int answer = kr_map_next(map, &got, sizeof got, asked ? &error : NULL);
                CHECK_EQ(answer, bad && !asked ? -1000 - i : 1);
                CHECK_EQ(error, !asked ? 99 : bad ? -1000 - i : 0);
                CHECK_EQ(got, bad ? -1 : (long)i * i);
            }
            check_over(map);
            kr_map_close(map);
        }
    end(pool);
}

/* Item 5 waits until it is cancelled and says so; the others are quick. */
static kr_semaphore at_5, gone_from_5;

static int wait_at_5(const void *arg, void *result)
{
    kr_event never = KR_EVENT_INIT;
    kri_add_sc(&ran, 1);
    if (*(const int *)arg != 5)
        return square(arg, result);
    CHECK_EQ(kr_semaphore_release(&at_5, 1), 0);
    int err = kr_event_wait(&never, KR_FOREVER);
    CHECK_EQ(kr_semaphore_release(&gone_from_5, 1), 0);
    return err;
}

TEST(test_map_timeout)
{
    kr_executor *pool = pool_of(1);
    struct numbers numbers = up_to(-1);
    kr_map_stream_options options = {.window = 8, .timeout = kr_ms(500)};
    kr_time began = kr_now();
    long got = -1;
    kr_map_stream *map = open_map(pool, wait_at_5, &numbers, &options);
    check_squares(map, 0, 5);
    CHECK_EQ(numbers.next, 13);
    CHECK_EQ(next_of(map, &got), -ETIMEDOUT);
    CHECK_TIME(kr_now() - began, kr_ms(500));
    CHECK_EQ(queued(pool), 0);
    check_over(map);
    CHECK_EQ(kr_semaphore_acquire(&gone_from_5, KR_FOREVER), 0);
    CHECK_EQ(numbers.next, 13);
    kr_map_close(map);
    end(pool);
    CHECK_EQ(kri_load_sc(&ran), 6);
}

static int time_out_7(const void *arg, void *result)
{
    return *(const int *)arg == 7 ? -ETIMEDOUT : square(arg, result);
}

TEST(test_map_timeout_from_callable)
{
    kr_executor *pool = pool_of(2);
    for (size_t chunk = 1; chunk <= 3; chunk++) {
        struct numbers numbers = up_to(20);
        kr_map_stream_options options = {.chunk = chunk, .timeout = kr_sec(60)};
        kr_map_stream *map = open_map(pool, time_out_7, &numbers, &options);
        check_squares(map, 0, 7);
        long got = -1;
        int error = 0;
        CHECK_EQ(kr_map_next(map, &got, sizeof got, &error), 1);
        CHECK_EQ(error, -ETIMEDOUT);
        check_squares(map, 8, 20);
        check_over(map);
        kr_map_close(map);
    }
    end(pool);
}

TEST(test_map_close)
{
    kr_executor *pool = pool_of(1);
    struct numbers numbers = up_to(-1);
    kr_map_stream *map =
        open_map(pool, wait_at_5, &numbers, &(kr_map_stream_options){.window = 100});
    check_squares(map, 0, 2);
    CHECK_EQ(kr_semaphore_acquire(&at_5, KR_FOREVER), 0);
    CHECK_EQ(queued(pool), 96);
    kr_map_close(map);
    CHECK_EQ(queued(pool), 0);
    CHECK_EQ(kr_semaphore_acquire(&gone_from_5, KR_FOREVER), 0);
    CHECK_EQ(numbers.next, 102);
    kr_map_close(NULL);
    end(pool);
    CHECK_EQ(kri_load_sc(&ran), 6);
}

TEST(a_chunk_begins_no_further_item_after_the_close)
{
    kr_executor *pool = pool_of(1);
    struct numbers numbers = up_to(-1);
    kr_map_stream *map =
        open_map(pool, wait_at_5, &numbers, &(kr_map_stream_options){.window = 30, .chunk = 10});
    CHECK_EQ(kr_semaphore_acquire(&at_5, KR_FOREVER), 0);
    kr_map_close(map);
    end(pool);
    CHECK_EQ(kri_load_sc(&ran), 6);
}

static int block(const void *arg, void *result)
{
    (void)result;
    kr_event *open = *(kr_event *const *)arg;
    return kr_event_wait(open, KR_FOREVER);
}

TEST(test_executor_map_current_future_cancel)
{
    kr_executor *pool = pool_of(1);
    kr_event open = KR_EVENT_INIT, *at = &open;
    kr_future *f;
    long got;
    CHECK_EQ(kr_submit(pool, &f, block, &at, sizeof at, 0), 0);
    while (!kr_future_running(f))
        kri_test_nap();
    struct numbers numbers = up_to(50);
    kr_map_stream_options options = {.window = 50, .timeout = kr_ms(300)};
    kr_map_stream *map = open_map(pool, wait_at_5, &numbers, &options);
    CHECK_EQ(queued(pool), 50);
    CHECK_EQ(next_of(map, &got), -ETIMEDOUT);
    CHECK_EQ(queued(pool), 0);
    kr_map_close(map);
    kr_event_set(&open);
    CHECK_EQ(error_of(f), 0);
    end(pool);
    CHECK_EQ(kri_load_sc(&ran), 0);
}

/* At most as many arguments are taken as the window has, and one more for each result. */
static void check_window(kr_executor *pool, size_t window, size_t chunk, int end)
{
    struct numbers numbers = up_to(end);
    kr_map_stream *map = open_map(pool, square, &numbers,
                                  &(kr_map_stream_options){.window = window, .chunk = chunk});
    for (int i = 0; i < 40; i++) {
        int most = i + (int)window;
        CHECK_EQ(numbers.next, end >= 0 && most > end ? end : most);
        check_squares(map, i, i + 1);
    }
    if (end >= 0)
        check_over(map);
    kr_map_close(map);
}

TEST(test_map_buffersize)
{
    kr_executor *pool = pool_of(4);
    for (size_t window = 1; window < 8; window++)
        for (size_t chunk = 1; chunk <= window; chunk++)
            check_window(pool, window, chunk, 40);
    check_window(pool, 1000, 1, 40);
    end(pool);
}

TEST(test_map_buffersize_on_infinite_iterable)
{
    kr_executor *pool = pool_of(2);
    check_window(pool, 3, 1, -1);
    check_window(pool, 9, 3, -1);
    end(pool);
}

/* Several sources as one: an item is a struct of one of each, and the shortest ends it. */
struct zipped {
    struct numbers left;
    struct numbers right;
};

struct pair {
    int left;
    int right;
};

static int next_pair(void *arg, void *context)
{
    struct zipped *zipped = context;
    struct pair *pair = arg;
    int more = next_number(&pair->left, &zipped->left);
    return more == 1 ? next_number(&pair->right, &zipped->right) : more;
}

static int multiply(const void *arg, void *result)
{
    const struct pair *pair = arg;
    *(long *)result = (long)pair->left * pair->right;
    return 0;
}

static void check_zipped(int left_end, int right_end, int count)
{
    kr_executor *pool = pool_of(2);
    struct zipped zipped = {up_to(left_end), up_to(right_end)};
    kr_map_stream *map;
    kr_map_stream_options options = {.window = 4, .chunk = 2};
    CHECK_EQ(kr_map_open(&map, pool, multiply, next_pair, &zipped, sizeof(struct pair),
                         sizeof(long), &options),
             0);
    CHECK_EQ(zipped.right.next, 4);
    check_squares(map, 0, count);
    if (left_end >= 0 || right_end >= 0)
        check_over(map);
    kr_map_close(map);
    end(pool);
}

TEST(test_map_buffersize_on_multiple_iterables)
{
    check_zipped(10, 20, 10);
    check_zipped(20, 10, 10);
}

TEST(test_map_buffersize_on_multiple_infinite_iterables)
{
    check_zipped(-1, -1, 50);
    check_zipped(-1, 10, 10);
}

TEST(test_map_buffersize_on_empty_iterable)
{
    kr_executor *pool = pool_of(2);
    struct numbers numbers = up_to(0);
    kr_map_stream *map = open_map(pool, square, &numbers, &(kr_map_stream_options){.window = 3});
    check_over(map);
    kr_map_close(map);
    CHECK_EQ(((kri_pool *)pool)->slots_used.bits, 0);
    end(pool);
}

TEST(test_map_buffersize_without_iterable)
{
    kr_executor *pool = pool_of(1);
    kr_map_stream *map = (kr_map_stream *)pool;
    kr_map_stream_options options = {.window = 1};
    CHECK_EQ(kr_map_open(&map, pool, square, NULL, NULL, 4, 8, &options), -EINVAL);
    CHECK(map == NULL);
    end(pool);
}

/* The first item holds up the reader; those behind it are done, and no more is taken. */
static kr_event first_open;

static int first_waits(const void *arg, void *result)
{
    kri_add_sc(&ran, 1);
    if (*(const int *)arg == 0)
        CHECK_EQ(kr_event_wait(&first_open, KR_FOREVER), 0);
    return square(arg, result);
}

TEST(test_map_buffersize_when_buffer_is_full)
{
    kr_executor *pool = pool_of(4);
    struct numbers numbers = up_to(-1);
    kr_map_stream *map =
        open_map(pool, first_waits, &numbers, &(kr_map_stream_options){.window = 4});
    while (kri_load_sc(&ran) < 4)
        kri_test_nap();
    CHECK_EQ(numbers.next, 4);
    kr_event_set(&first_open);
    check_squares(map, 0, 1);
    CHECK_EQ(numbers.next, 5);
    kr_map_close(map);
    end(pool);
    CHECK_LE(kri_load_sc(&ran), 5);
}

TEST(test_map_buffersize_value_validation)
{
    kr_executor *pool = pool_of(3);
    struct numbers numbers = up_to(-1);
    kr_map_stream *map = open_map(pool, square, &numbers, &(kr_map_stream_options){.window = 0});
    CHECK_EQ(numbers.next, 6);
    kr_map_close(map);
    numbers = up_to(-1);
    map = open_map(pool, square, &numbers, &(kr_map_stream_options){.chunk = 10});
    CHECK_EQ(numbers.next, 60);
    kr_map_close(map);
    const struct {
        int answer;
        kr_map_stream_options options;
    } bad[] = {
        {-EINVAL, {.window = 2, .chunk = 3}},
        {-EINVAL, {.timeout = -1}},
        {-EINVAL, {.reserved = {0, 0, 0, 1}}},
        {-ENOMEM, {.window = SIZE_MAX}},
        {-ENOMEM, {.window = SIZE_MAX, .chunk = SIZE_MAX}},
        {-ENOMEM, {.chunk = SIZE_MAX}},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        map = (kr_map_stream *)pool;
        CHECK_EQ(kr_map_open(&map, pool, square, next_number, &numbers, 4, 8, &bad[i].options),
                 bad[i].answer);
        CHECK(map == NULL);
    }
    CHECK_EQ(numbers.next, 60);
    end(pool);
}

TEST(wrong_calls_are_refused)
{
    kr_executor *pool = pool_of(1);
    struct numbers numbers = up_to(10);
    kr_map_stream *map;
    long got[2];
    int error;
    CHECK_EQ(kr_map_open(NULL, pool, square, next_number, &numbers, 4, 8, NULL), -EINVAL);
    CHECK_EQ(kr_map_open(&map, NULL, square, next_number, &numbers, 4, 8, NULL), -EINVAL);
    CHECK_EQ(kr_map_open(&map, pool, NULL, next_number, &numbers, 4, 8, NULL), -EINVAL);
    CHECK_EQ(kr_map_open(&map, pool, square, next_number, &numbers, SIZE_MAX, 8, NULL), -ENOMEM);
    CHECK_EQ(kr_map_open(&map, pool, square, next_number, &numbers, 4, SIZE_MAX, NULL), -ENOMEM);
    CHECK_EQ(numbers.next, 0);
    CHECK_EQ(kr_map_next(NULL, NULL, 0, NULL), -EINVAL);
    map = open_map(pool, square, &numbers, NULL);
    CHECK_EQ(kr_map_next(map, got, sizeof got, &error), -EINVAL);
    CHECK_EQ(kr_map_next(map, got, 0, &error), -EINVAL);
    CHECK_EQ(kr_map_next(map, NULL, sizeof got[0], &error), -EINVAL);
    check_squares(map, 0, 3);
    CHECK_EQ(kr_map_next(map, NULL, 0, &error), 1);
    CHECK_EQ(error, 0);
    CHECK_EQ(kr_map_next(map, NULL, 0, NULL), 1);
    check_squares(map, 5, 10);
    check_over(map);
    kr_map_close(map);
    end(pool);
}

/* Nothing has to be asked for the tasks to run, incomplete chunks too. */
TEST(test_map_submits_without_iteration)
{
    kr_executor *pool = pool_of(2);
    for (size_t chunk = 1; chunk <= 5; chunk++) {
        struct numbers numbers = up_to(20);
        kri_store_sc(&ran, 0);
        kr_event_set(&first_open);
        kr_map_stream_options options = {.window = 12, .chunk = chunk};
        kr_map_stream *map = open_map(pool, first_waits, &numbers, &options);
        while (kri_load_sc(&ran) < 12)
            kri_test_nap();
        CHECK_EQ(numbers.next, 12);
        kr_map_close(map);
    }
    end(pool);
}

/* Big results, of which at no time more are alive than the window has. */
enum { BIG = 1 << 20 };

static int big_result(const void *arg, void *result)
{
    *(int *)result = *(const int *)arg;
    return 0;
}

TEST(test_free_reference)
{
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind have allocators of their own");
    kr_executor *pool = pool_of(1);
    struct numbers numbers = up_to(-1);
    char *got = malloc(BIG);
    kr_map_stream *map;
    kr_map_stream_options options = {.window = 2};
    CHECK(got != NULL);
    size_t before = in_use();
    CHECK_EQ(kr_map_open(&map, pool, big_result, next_number, &numbers, 4, BIG, &options), 0);
    for (int i = 0; i < 50; i++) {
        CHECK_EQ(kr_map_next(map, got, BIG, NULL), 1);
        CHECK_EQ(*(int *)(void *)got, i);
        /* The window, what is ready, what the worker is about to let go; one to spare. */
        CHECK_LE(in_use(), before + (2 + 1 + 1 + 1) * (size_t)BIG);
    }
    kr_map_close(map);
    end(pool);
    CHECK_LE(in_use(), before + BIG / 2);
    free(got);
}

/* The copies of arguments go with their tasks: however long the input, it needs no more memory. */
struct fat {
    int number;
    char rest[10000];
};

static int next_fat(void *arg, void *context)
{
    return next_number(&((struct fat *)arg)->number, context);
}

TEST(test_no_stale_references)
{
    if (KRI_CHECKED)
        SKIP("sanitizers and valgrind have allocators of their own");
    kr_executor *pool = pool_of(2);
    struct numbers numbers = up_to(-1);
    kr_map_stream *map;
    kr_map_stream_options options = {.window = 6, .chunk = 3};
    CHECK_EQ(kr_map_open(&map, pool, square, next_fat, &numbers, sizeof(struct fat), sizeof(long),
                         &options),
             0);
    check_squares(map, 0, 100);
    size_t before = in_use();
    check_squares(map, 100, 3000);
    CHECK_LE(in_use(), before + 20 * sizeof(struct fat));
    kr_map_close(map);
    end(pool);
}

TEST(test_shutdown_race_issue12456)
{
    for (int round = 0; round < 50; round++) {
        kr_executor *pool = pool_of(2);
        struct numbers numbers = up_to(100);
        kr_map_stream *map =
            open_map(pool, square, &numbers, &(kr_map_stream_options){.window = 9});
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
        check_squares(map, 0, 9);
        long got = -1;
        CHECK_EQ(next_of(map, &got), KR_ESHUTDOWN);
        check_over(map);
        kr_map_close(map);
        kr_executor_release(pool);
    }
}
