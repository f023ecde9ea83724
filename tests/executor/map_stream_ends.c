/* Lazy maps that end otherwise: sources that fail, callers that are cancelled, pools that go,
 * forks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "executor/help.h"
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

struct numbers {
    int next;
    int end; /* -1: none */
    int error;
};

static int next_number(void *arg, void *context)
{
    struct numbers *numbers = context;
    if (numbers->next == numbers->end)
        return numbers->error;
    *(int *)arg = numbers->next++;
    return 1;
}

static int pass(const void *arg, void *result)
{
    kri_add_sc(&ran, 1);
    *(int *)result = *(const int *)arg;
    return 0;
}

static kr_map_stream *open_map(kr_executor *pool, kr_task_fn fn, struct numbers *numbers,
                               size_t window, size_t chunk)
{
    kr_map_stream *map;
    kr_map_stream_options options = {.window = window, .chunk = chunk};
    CHECK_EQ(kr_map_open(&map, pool, fn, next_number, numbers, sizeof(int), sizeof(int), &options),
             0);
    return map;
}

static int next_of(kr_map_stream *map)
{
    int got = -1;
    int answer = kr_map_next(map, &got, sizeof got, NULL);
    return answer == 1 ? got : answer ? answer : -1;
}

static void check_passed(kr_map_stream *map, int first, int end)
{
    for (int i = first; i < end; i++)
        CHECK_EQ(next_of(map), i);
}

static void check_over(kr_map_stream *map)
{
    for (int i = 0; i < 3; i++)
        CHECK_EQ(kr_map_next(map, NULL, 0, NULL), 0);
}

TEST(a_source_that_fails_ends_the_input)
{
    kr_executor *pool = pool_of(2);
    for (int end = 0; end < 12; end++)
        for (size_t chunk = 1; chunk <= 4; chunk++) {
            struct numbers numbers = {.end = end, .error = -EIO};
            kr_map_stream *map = open_map(pool, pass, &numbers, 4, chunk);
            check_passed(map, 0, end);
            numbers.end = -1; /* it would go on now, and is not asked */
            CHECK_EQ(next_of(map), -EIO);
            check_over(map);
            CHECK_EQ(numbers.next, end);
            kr_map_close(map);
        }
    end(pool);
}

/* Sizes of nothing */

static int three_times(void *arg, void *context)
{
    CHECK(arg == NULL);
    return (*(int *)context)++ < 3 ? 100 : 0;
}

static int count_nothing(const void *arg, void *result)
{
    CHECK(arg == NULL);
    CHECK(result == NULL);
    kri_add_sc(&ran, 1);
    return kri_load_sc(&ran) == 2 ? -ENOENT : 0;
}

TEST(arguments_and_results_of_no_size)
{
    kr_executor *pool; /* one after the other, by its only worker */
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .no_outside_help = true}), 0);
    for (size_t chunk = 1; chunk <= 3; chunk++) {
        kr_map_stream *map;
        kr_map_stream_options options = {.window = 3, .chunk = chunk};
        int asked = 0, error = 1, unused;
        kri_store_sc(&ran, 0);
        CHECK_EQ(kr_map_open(&map, pool, count_nothing, three_times, &asked, 0, 0, &options), 0);
        CHECK_EQ(kr_map_next(map, NULL, 0, &error), 1);
        CHECK_EQ(error, 0);
        CHECK_EQ(kr_map_next(map, &unused, 0, &error), 1);
        CHECK_EQ(error, -ENOENT);
        CHECK_EQ(kr_map_next(map, NULL, 0, NULL), 1);
        check_over(map);
        CHECK_EQ(asked, 4);
        kr_map_close(map);
    }
    end(pool);
}

/* As in the header: lines of a file, each parsed in a task. */

struct lines {
    FILE *file;
    char *all[100]; /* what the arguments point to, also those that never begin */
    int count;
};

static int next_line(void *arg, void *context)
{
    struct lines *lines = context;
    size_t size = 0;
    char **line = &lines->all[lines->count];
    if (getline(line, &size, lines->file) < 0)
        return ferror(lines->file) ? -EIO : 0;
    lines->count++;
    *(char **)arg = *line;
    return 1;
}

static int parse_line(const void *arg, void *result)
{
    char *end, *line = *(char *const *)arg;
    *(long *)result = strtol(line, &end, 10);
    return end != line ? 0 : -EINVAL;
}

TEST(the_lines_of_a_file)
{
    char text[] = "1\n22\nthree\n4444\n5";
    const long want[] = {1, 22, 0, 4444, 5};
    struct lines lines = {.file = fmemopen(text, sizeof text - 1, "r")};
    kr_executor *pool = pool_of(2);
    kr_map_stream *map;
    long parsed;
    int err, item_error, i = 0;
    CHECK(lines.file != NULL);
    CHECK_EQ(
        kr_map_open(&map, pool, parse_line, next_line, &lines, sizeof(char *), sizeof parsed, NULL),
        0);
    while ((err = kr_map_next(map, &parsed, sizeof parsed, &item_error)) == 1) {
        CHECK_EQ(item_error, i == 2 ? -EINVAL : 0);
        CHECK(item_error || parsed == want[i]);
        i++;
    }
    CHECK_EQ(err, 0);
    CHECK_EQ(i, 5);
    kr_map_close(map);
    end(pool);
    for (i = 0; i < 100; i++)
        free(lines.all[i]);
    CHECK_EQ(fclose(lines.file), 0);
}

/* Odd sizes beside each other: no item touches another's. */
struct odd {
    char bytes[7];
};

static int next_odd(void *arg, void *context)
{
    int n = (*(int *)context)++;
    memset(arg, n, sizeof(struct odd));
    return n < 50;
}

static int fill_odd(const void *arg, void *result)
{
    const struct odd *odd = arg;
    for (size_t i = 0; i < sizeof *odd; i++)
        CHECK_EQ(odd->bytes[i], odd->bytes[0]);
    memset(result, odd->bytes[0], 5);
    return odd->bytes[0] % 3 ? 0 : -1 - odd->bytes[0];
}

TEST(arguments_and_results_of_odd_sizes)
{
    kr_executor *pool = pool_of(2);
    for (size_t chunk = 1; chunk < 6; chunk++) {
        kr_map_stream *map;
        kr_map_stream_options options = {.chunk = chunk};
        int made = 0;
        CHECK_EQ(kr_map_open(&map, pool, fill_odd, next_odd, &made, 7, 5, &options), 0);
        for (int i = 0; i < 50; i++) {
            char got[5] = {0}, want[5] = {0};
            int error;
            if (i % 3)
                memset(want, i, sizeof want);
            CHECK_EQ(kr_map_next(map, got, sizeof got, &error), 1);
            CHECK_EQ(error, i % 3 ? 0 : -1 - i);
            CHECK(memcmp(got, want, sizeof got) == 0);
        }
        check_over(map);
        kr_map_close(map);
    }
    end(pool);
}

/* One worker, which alone runs the tasks, in their order. */
static kr_executor *lone_worker(void)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = 1, .no_outside_help = true};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    return pool;
}

/* Wait until the lone worker is through with all that was submitted. */
static void drain(kr_executor *pool)
{
    kr_shield {
        kr_future *f;
        CHECK_EQ(kr_submit(pool, &f, count_one, NULL, 0, 0), 0);
        CHECK_EQ(error_of(f), 0);
    }
}

/* The time limit: what is done is delivered after it too, but nothing new is begun. */

static void check_late(int count, int at_last)
{
    kr_executor *pool = lone_worker();
    struct numbers numbers = {.end = count};
    kr_map_stream *map;
    kr_map_stream_options options = {.window = 4, .timeout = kr_ms(500)};
    kr_event never = KR_EVENT_INIT;
    CHECK_EQ(kr_map_open(&map, pool, pass, next_number, &numbers, 4, 4, &options), 0);
    drain(pool);
    CHECK_EQ(kr_event_wait(&never, kr_ms(501)), -ETIMEDOUT);
    check_passed(map, 0, 4);
    CHECK_EQ(kr_map_next(map, NULL, 0, NULL), at_last);
    check_over(map);
    CHECK_LE(numbers.next, 5);
    kr_map_close(map);
    end(pool);
    CHECK_EQ(kri_load_sc(&ran), 4 + 1);
}

TEST(results_that_are_ready_come_after_the_timeout)
{
    check_late(-1, -ETIMEDOUT);
}

TEST(an_input_that_ends_is_complete_after_the_timeout)
{
    check_late(4, 0);
}

/* The caller's cancel */

static kr_event open_all;

static int wait_and_pass(const void *arg, void *result)
{
    int err = kr_event_wait(&open_all, KR_FOREVER);
    return err ? err : pass(arg, result);
}

TEST(the_callers_cancel_loses_nothing)
{
    kr_executor *pool = lone_worker();
    struct numbers numbers = {.end = 30};
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_map_stream *map = open_map(pool, wait_and_pass, &numbers, 6, 2);
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    for (int i = 0; i < 3; i++)
        CHECK_EQ(next_of(map), -ECANCELED);
    CHECK_EQ(numbers.next, 6);
    kr_event_set(&open_all);
    drain(pool);
    CHECK_EQ(next_of(map), 0); /* what needs no sleep succeeds */
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    check_passed(map, 1, 30);
    check_over(map);
    kr_map_close(map);
    end(pool);
}

/* A source that waits, and is cancelled with its caller. */
struct slow_source {
    struct numbers numbers;
    kr_semaphore ready;
};

static int wait_for_number(void *arg, void *context)
{
    struct slow_source *source = context;
    int err = kr_semaphore_acquire(&source->ready, KR_FOREVER);
    return err ? err : next_number(arg, &source->numbers);
}

TEST(a_source_that_the_cancel_cuts_short_is_asked_again)
{
    kr_executor *pool = pool_of(2);
    for (size_t chunk = 1; chunk <= 3; chunk++) {
        struct slow_source source = {.numbers = {.end = 10}};
        kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
        kr_map_stream *map;
        kr_map_stream_options options = {.window = 3, .chunk = chunk};
        CHECK_EQ(kr_semaphore_release(&source.ready, 1), 0);
        CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
        kr_cancel(&scope);
        CHECK_EQ(kr_map_open(&map, pool, pass, wait_for_number, &source, 4, 4, &options), 0);
        if (chunk > 1)
            CHECK_EQ(next_of(map), -ECANCELED);
        CHECK_EQ(source.numbers.next, 1);
        CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
        CHECK_EQ(kr_semaphore_release(&source.ready, 20), 0);
        check_passed(map, 0, 10);
        check_over(map);
        kr_map_close(map);
    }
    end(pool);
}

TEST(a_source_that_says_cancelled_of_itself_ends_the_input)
{
    kr_executor *pool = pool_of(1);
    struct numbers numbers = {.end = 2, .error = -ECANCELED};
    kr_map_stream *map = open_map(pool, pass, &numbers, 4, 1);
    check_passed(map, 0, 2);
    CHECK_EQ(next_of(map), -ECANCELED);
    check_over(map);
    kr_map_close(map);
    end(pool);
}

/* A bounded queue */

TEST(a_bounded_queue_takes_a_lazy_map)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 3, .max_queued = 1}), 0);
    struct numbers numbers = {.end = 1000};
    kr_map_stream *map = open_map(pool, pass, &numbers, 20, 2);
    CHECK_EQ(numbers.next, 20);
    check_passed(map, 0, 1000);
    check_over(map);
    kr_map_close(map);
    end(pool);
}

TEST(a_cancel_while_it_waits_for_room_loses_nothing)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 1}), 0);
    struct numbers numbers = {.end = 20};
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope);
    kr_map_stream *map = open_map(pool, wait_and_pass, &numbers, 8, 2);
    CHECK_LE(numbers.next, 6); /* one task runs, one is queued, one is staged */
    CHECK_EQ(next_of(map), -ECANCELED);
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    kr_event_set(&open_all);
    check_passed(map, 0, 20);
    check_over(map);
    kr_map_close(map);
    end(pool);
}

TEST(the_timeout_ends_the_wait_for_room)
{
    kr_executor *pool;
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .max_queued = 1}), 0);
    struct numbers numbers = {.end = -1};
    kr_map_stream *map;
    kr_map_stream_options options = {.window = 8, .timeout = kr_ms(300)};
    CHECK_EQ(kr_map_open(&map, pool, wait_and_pass, next_number, &numbers, 4, 4, &options), 0);
    CHECK_EQ(next_of(map), -ETIMEDOUT);
    check_over(map);
    CHECK_LE(numbers.next, 3);
    kr_map_close(map);
    end(pool);
}

/* Pools that go */

TEST(a_shutdown_that_cancels_ends_a_lazy_map)
{
    kr_executor *pool = pool_of(1);
    struct gate gate = {0};
    kr_future *f = submit_gate(pool, &gate);
    wait_entered(&gate, 1);
    struct numbers numbers = {.end = -1};
    kr_map_stream *map = open_map(pool, pass, &numbers, 10, 2);
    CHECK_EQ(kr_executor_shutdown(pool, &(kr_shutdown_options){.cancel_pending = true}, KR_NOWAIT),
             -ETIMEDOUT);
    CHECK_EQ(next_of(map), KR_ESHUTDOWN);
    check_over(map);
    CHECK_EQ(numbers.next, 10);
    kr_event_set(&gate.open);
    CHECK_EQ(error_of(f), 0);
    kr_map_close(map);
    end(pool);
}

TEST(a_shutdown_midway_is_told_after_what_was_accepted)
{
    for (size_t chunk = 1; chunk <= 3; chunk++) {
        struct numbers numbers = {.end = -1};
        kr_executor *pool = pool_of(2);
        kr_map_stream *map = open_map(pool, pass, &numbers, 6, chunk);
        check_passed(map, 0, 4);
        CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
        int next = 4, answer;
        while ((answer = next_of(map)) >= 0)
            CHECK_EQ(answer, next++);
        CHECK_EQ(answer, KR_ESHUTDOWN);
        CHECK_GE(next, 6);
        check_over(map);
        kr_map_close(map);
        kr_executor_release(pool);
    }
}

TEST(a_pool_that_is_shut_refuses_a_lazy_map)
{
    kr_executor *pool = pool_of(1);
    struct numbers numbers = {.end = 5}, none = {.end = 0};
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_map_stream *map = (kr_map_stream *)pool;
    CHECK_EQ(kr_map_open(&map, pool, pass, next_number, &numbers, 4, 4, NULL), KR_ESHUTDOWN);
    CHECK(map == NULL);
    CHECK_EQ(kr_map_open(&map, pool, pass, next_number, &none, 4, 4, NULL), 0);
    check_over(map);
    kr_map_close(map);
    kr_executor_release(pool);
}

static kr_event may_break;
static kr_word reports;

static int break_when_told(void *arg)
{
    (void)arg;
    CHECK_EQ(kr_event_wait(&may_break, KR_FOREVER), 0);
    return -EACCES;
}

static void count_report(const kr_task_report *report)
{
    CHECK_EQ(report->error, -EACCES);
    kri_add_sc(&reports, 1);
}

static void check_broken(bool read)
{
    kr_executor *pool;
    kr_set_task_hook(count_report);
    kr_pool_options options = {.workers = 1, .initializer = break_when_told};
    CHECK_EQ(kr_thread_pool(&pool, &options), 0);
    struct numbers numbers = {.end = -1};
    kr_map_stream *map = open_map(pool, pass, &numbers, 5, 1);
    kr_event_set(&may_break);
    while (kri_load_sc(&reports) == 0)
        kri_test_nap();
    if (read) {
        CHECK_EQ(next_of(map), KR_EBROKEN);
        check_over(map);
    }
    CHECK_EQ(kr_executor_shutdown(pool, NULL, KR_FOREVER), 0);
    kr_map_close(map);
    kr_executor_release(pool);
    CHECK_EQ(kri_load_sc(&reports), 1); /* the initializer's, and none of a future */
    CHECK_EQ(kri_load_sc(&ran), 0);
}

TEST(a_broken_pool_ends_a_lazy_map)
{
    check_broken(true);
}

TEST(closing_a_map_of_a_broken_pool_reports_nothing_more)
{
    check_broken(false);
}

/* An error that the function returns is the item's, whatever its number. */
static int borrow_an_error(const void *arg, void *result)
{
    const int errors[] = {KR_EBROKEN, KR_ESHUTDOWN, KR_EFORKED, -ECANCELED, -ETIMEDOUT, -EDEADLK};
    (void)result;
    return errors[*(const int *)arg];
}

TEST(an_items_error_is_not_taken_for_the_pools)
{
    kr_executor *pool = pool_of(2);
    struct numbers numbers = {.end = 6};
    kr_map_stream *map = open_map(pool, borrow_an_error, &numbers, 2, 1);
    for (int i = 0; i < 6; i++) {
        int error = 0, want = borrow_an_error(&i, NULL);
        CHECK_EQ(kr_map_next(map, NULL, 0, &error), 1);
        CHECK_EQ(error, want);
    }
    check_over(map);
    kr_map_close(map);
    end(pool);
}

/* Maps inside tasks */

struct nested {
    kr_executor *pool;
    int depth;
};

struct level {
    struct nested below;
    int left;
};

static int next_below(void *arg, void *context)
{
    struct level *level = context;
    *(struct nested *)arg = level->below;
    return level->left-- > 0;
}

static int sum_below(const void *arg, void *result)
{
    const struct nested *nested = arg;
    struct level level = {{nested->pool, nested->depth - 1}, 3};
    kr_map_stream *map;
    long sum = nested->depth == 0, got;
    int answer = 0;
    if (nested->depth > 0) {
        CHECK_EQ(kr_map_open(&map, nested->pool, sum_below, next_below, &level,
                             sizeof(struct nested), sizeof sum, NULL),
                 0);
        while ((answer = kr_map_next(map, &got, sizeof got, NULL)) == 1)
            sum += got;
        kr_map_close(map);
    }
    *(long *)result = sum;
    return answer;
}

TEST(lazy_maps_within_lazy_maps)
{
    for (int workers = 1; workers <= 3; workers++) {
        kr_executor *pool = pool_of(workers);
        struct nested top = {pool, 5};
        kr_future *f;
        long sum = 0;
        CHECK_EQ(kr_submit(pool, &f, sum_below, &top, sizeof top, sizeof sum), 0);
        CHECK_EQ(kr_future_result(f, &sum, sizeof sum, NULL, KR_FOREVER), 0);
        CHECK_EQ(sum, 243);
        kr_future_release(f);
        end(pool);
    }
}

/* A source that asks the map that asks it */
static kr_map_stream *own_map;

static int ask_own_map(void *arg, void *context)
{
    if (own_map)
        CHECK_EQ(kr_map_next(own_map, NULL, 0, NULL), -EBUSY);
    return next_number(arg, context);
}

TEST(a_source_cannot_ask_its_own_map)
{
    kr_executor *pool = pool_of(1);
    struct numbers numbers = {.end = 10};
    CHECK_EQ(kr_map_open(&own_map, pool, pass, ask_own_map, &numbers, 4, 4, NULL), 0);
    check_passed(own_map, 0, 10);
    check_over(own_map);
    kr_map_close(own_map);
    end(pool);
}

static int ask_for_itself(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kr_event_wait(&open_all, KR_FOREVER), 0);
    return kr_map_next(own_map, NULL, 0, NULL);
}

TEST(an_item_cannot_wait_for_itself)
{
    kr_executor *pool = lone_worker();
    struct numbers numbers = {.end = 1};
    CHECK_EQ(kr_map_open(&own_map, pool, ask_for_itself, next_number, &numbers, 4, 4, NULL), 0);
    kr_event_set(&open_all);
    drain(pool);
    CHECK_EQ(kr_map_next(own_map, NULL, 0, NULL), -EDEADLK);
    check_over(own_map);
    kr_map_close(own_map);
    end(pool);
}

/* Several readers take turns, or are told to. */
static void read_some(void *arg)
{
    kr_word *sum = arg;
    int answer = 1;
    while (answer == 1 || answer == -EBUSY) {
        int got = 0;
        answer = kr_map_next(own_map, &got, sizeof got, NULL);
        if (answer == 1)
            kri_add_sc(sum, (uint32_t)got);
    }
    CHECK_EQ(answer, 0);
}

TEST(two_readers_at_once_are_told)
{
    kr_executor *pool = pool_of(2);
    struct numbers numbers = {.end = 1000};
    kr_word sum = {0};
    kri_bunch bunch;
    own_map = open_map(pool, pass, &numbers, 8, 2);
    kri_bunch_start(&bunch, 4, read_some, &sum);
    kri_bunch_end(&bunch);
    CHECK_EQ(kri_load_sc(&sum), 499500);
    kr_map_close(own_map);
    end(pool);
}

/* Fork */

static int status_of(pid_t child)
{
    int status;
    CHECK_EQ(waitpid(child, &status, 0), child);
    CHECK(WIFEXITED(status));
    return WEXITSTATUS(status);
}

TEST(a_forked_child_can_only_close)
{
    kr_executor *pool = pool_of(2);
    struct numbers numbers = {.end = 30};
    kr_map_stream *map = open_map(pool, wait_and_pass, &numbers, 6, 2);
    pid_t child = fork();
    if (child == 0) {
        kr_map_stream *other;
        CHECK_EQ(kr_map_next(map, NULL, 0, NULL), KR_EFORKED);
        CHECK_EQ(kr_map_open(&other, pool, pass, next_number, &numbers, 4, 4, NULL), KR_EFORKED);
        CHECK(other == NULL);
        kr_map_close(map);
        _exit(0);
    }
    CHECK_EQ(status_of(child), 0);
    kr_event_set(&open_all);
    check_passed(map, 0, 30);
    check_over(map);
    kr_map_close(map);
    end(pool);
}

static void read_first(void *arg)
{
    int answer;
    while ((answer = next_of(arg)) == -EBUSY)
        kri_test_nap();
    CHECK_EQ(answer, 0);
}

TEST(a_forked_child_closes_a_map_in_use)
{
    kr_executor *pool = lone_worker();
    struct numbers numbers = {.end = 30};
    kr_map_stream *map = open_map(pool, wait_and_pass, &numbers, 6, 2);
    kri_bunch bunch;
    kri_bunch_start(&bunch, 1, read_first, map);
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    CHECK_EQ(kr_cancel_scope_enter(&scope, KR_FOREVER), 0);
    kr_cancel(&scope); /* so that asking here does not wait */
    while (kr_map_next(map, NULL, 0, NULL) != -EBUSY)
        kri_test_nap();
    CHECK_EQ(kr_cancel_scope_exit(&scope), -ECANCELED);
    pid_t child = fork();
    if (child == 0) {
        CHECK_EQ(kr_map_next(map, NULL, 0, NULL), KR_EFORKED);
        kr_map_close(map);
        _exit(0);
    }
    CHECK_EQ(status_of(child), 0);
    kr_event_set(&open_all);
    kri_bunch_end(&bunch);
    check_passed(map, 1, 30);
    kr_map_close(map);
    end(pool);
}

/* A source that forks: the child comes back to a map that it cannot use. */
struct forking {
    struct numbers numbers;
    int at;
    bool child;
};

static int next_or_fork(void *arg, void *context)
{
    struct forking *forking = context;
    if (forking->numbers.next == forking->at) {
        pid_t child = fork();
        if (child != 0)
            CHECK_EQ(status_of(child), 0);
        forking->child = child == 0;
    }
    return next_number(arg, &forking->numbers);
}

TEST(a_source_that_forks)
{
    kr_executor *pool = pool_of(1);
    for (int at = 0; at < 4; at++) {
        struct forking forking = {{.end = 10}, at, false};
        kr_map_stream *map;
        kr_map_stream_options options = {.window = 2};
        int err = kr_map_open(&map, pool, pass, next_or_fork, &forking, 4, 4, &options);
        CHECK_EQ(err, forking.child && at == 0 ? KR_EFORKED : 0);
        for (int i = 0; i < 10 && !forking.child; i++)
            CHECK_EQ(next_of(map), i);
        if (!forking.child)
            check_over(map);
        else if (map)
            CHECK_EQ(next_of(map), KR_EFORKED);
        kr_map_close(map);
        if (forking.child)
            _exit(0);
    }
    end(pool);
}
