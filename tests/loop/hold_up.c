/* What a coroutine does must not hold up its loop.
 *
 * Behaviours: section 13.6
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/sanitizers.h"
#include "loop/in_loop.h"
#include "loop/poller.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

/* Messages. */

static int await_byte(const void *arg, void *result)
{
    (void)result;
    return kr_poll(*(const int *)arg, KR_READABLE, KR_FOREVER) < 0 ? -EIO : 0;
}

static int send_one(const void *arg, void *result)
{
    kr_connection *c = *(kr_connection *const *)arg;
    (void)result;
    return kr_connection_send(c, "x", 1, KR_FOREVER);
}

static void receive_one(kr_connection *c)
{
    char byte;
    size_t size;
    CHECK_EQ(kr_connection_recv_into(c, &byte, 1, &size, KR_FOREVER), 0);
    CHECK_EQ(size, 1);
}

/* Until the loop knows of it. */
static void await_event(int fd)
{
    const kri_descriptor *known = kri_descriptor_known(fd);
    CHECK(known != NULL && known->registered);
    while ((known->ready & OS_READABLE) == 0)
        CHECK_EQ(kr_yield(), 0);
}

/* An event has come of a call that was taken without a wait. */
LOOP_TEST(an_event_for_nothing_holds_up_no_receiver)
{
    kr_connection *here, *there;
    kr_future *poller, *sender;
    int ends[2];
    CHECK_EQ(kr_pipe(&here, &there, NULL), 0);
    CHECK_EQ(pipe(ends), 0);
    CHECK_EQ(kr_spawn(&poller, await_byte, &ends[0], sizeof ends[0], 0, NULL), 0);
    CHECK_EQ(kr_connection_poll(here, kr_ms(1)), -ETIMEDOUT);
    CHECK_EQ(kr_connection_send(there, "x", 1, KR_FOREVER), 0);
    await_event(kr_connection_descriptor(here));
    receive_one(here);
    CHECK_EQ(kr_connection_poll(here, 0), -ETIMEDOUT);
    CHECK_EQ(kr_spawn(&sender, send_one, &there, sizeof there, 0, NULL), 0);
    receive_one(here);
    CHECK_EQ(error_of(sender), 0);
    CHECK_EQ(write(ends[1], "x", 1), 1);
    CHECK_EQ(error_of(poller), 0);
    kr_connection_release(here);
    kr_connection_release(there);
    close(ends[0]);
    close(ends[1]);
}

/* A descriptor that has the number of one which was waited for before is another one: it is not
 * left unheard until the loop asks about waits that last. */

static bool is_watched(int fd)
{
    char path[64], line[256];
    int number;
    bool found = false;
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", kri_loop_here()->poller->events);
    FILE *file = fopen(path, "r");
    CHECK(file != NULL);
    while (!found && fgets(line, sizeof line, file) != NULL)
        found = sscanf(line, "tfd: %d", &number) == 1 && number == fd;
    fclose(file);
    return found;
}

static int take_message(const void *arg, void *result)
{
    (void)result;
    receive_one(*(kr_connection *const *)arg);
    return 0;
}

LOOP_TEST(a_pipe_with_the_number_of_another)
{
    kr_connection *here, *there;
    kr_future *receiver;
    int number = -1;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(kr_pipe(&here, &there, NULL), 0);
        CHECK(i == 0 || number == kr_connection_descriptor(here));
        number = kr_connection_descriptor(here);
        CHECK_EQ(kr_spawn(&receiver, take_message, &here, sizeof here, 0, NULL), 0);
        let_others_run();
        CHECK(is_watched(number));
        CHECK_EQ(kr_connection_send(there, "x", 1, KR_FOREVER), 0);
        CHECK_EQ(error_of(receiver), 0);
        kr_connection_release(here);
        kr_connection_release(there);
    }
}

static int stay_until(void *arg)
{
    char byte;
    return read(*(int *)arg, &byte, 1) == 0 ? 0 : 1;
}

static int join(const void *arg, void *result)
{
    kr_process *p = *(kr_process *const *)arg;
    (void)result;
    CHECK_EQ(kr_process_join(p, NULL, KR_FOREVER), 0);
    return 0;
}

LOOP_TEST(a_process_with_the_number_of_another)
{
    kr_process *p;
    kr_future *joiner;
    int number = -1, ends[2];
    if (KRI_TSAN)
        SKIP("the sanitizer does not follow threads started after a fork");
    NEED_PROCESSES;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(pipe2(ends, O_CLOEXEC), 0);
        kr_process_options o = {.start = KR_FORK};
        CHECK_EQ(kr_process_start(&p, stay_until, &ends[0], sizeof ends[0], &o), 0);
        CHECK(i < 2 || number == kr_process_sentinel(p));
        number = kr_process_sentinel(p);
        CHECK_EQ(kr_spawn(&joiner, join, &p, sizeof p, 0, NULL), 0);
        let_others_run();
        CHECK(is_watched(number));
        CHECK_EQ(kr_process_kill(p), 0);
        CHECK_EQ(error_of(joiner), 0);
        kr_process_release(p);
        close(ends[0]);
        close(ends[1]);
    }
}

/* Without a descriptor for the loop's events. */

static void wait_without_descriptors(kr_connection *c)
{
    struct rlimit old;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
    int next = dup(0);
    close(next);
    struct rlimit few = {.rlim_cur = (rlim_t)next, .rlim_max = old.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    kr_waitable list[2] = {{.connection = c}, {.connection = c}};
    CHECK_EQ(kr_connection_wait(list, 2, KR_FOREVER), -EMFILE);
    CHECK_EQ(kr_connection_poll(c, KR_FOREVER), -EMFILE);
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
}

LOOP_TEST(waiting_for_many_without_descriptors)
{
    kr_connection *here, *there;
    kr_future *sender;
    CHECK_EQ(kr_pipe(&here, &there, NULL), 0);
    wait_without_descriptors(here);
    CHECK_EQ(kr_spawn(&sender, send_one, &there, sizeof there, 0, NULL), 0);
    kr_waitable list[2] = {{.connection = here}, {.connection = here}};
    CHECK_EQ(kr_connection_wait(list, 2, KR_FOREVER), 2);
    CHECK_EQ(error_of(sender), 0);
    kr_connection_release(here);
    kr_connection_release(there);
}

/* Shared objects, without memory for the thread that would sleep for the coroutines. */

static kr_lock shared;
static kr_event go, in_vain;

static int acquire_shared(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    CHECK_EQ(kr_event_wait(&go, KR_FOREVER), 0);
    CHECK_EQ(kr_lock_acquire(&shared, kr_ms(2)), -ETIMEDOUT);
    kr_event_set(&in_vain);
    CHECK_EQ(kr_lock_acquire(&shared, KR_FOREVER), 0);
    return kr_lock_release(&shared);
}

LOOP_TEST(waiting_for_a_shared_lock_without_threads)
{
    if (KRI_QEMU)
        SKIP("qemu sets no limit to memory");
    struct rlimit old;
    kr_future *f;
    if (KRI_ASAN || KRI_TSAN)
        SKIP("the sanitizers need address space");
    if (KRI_VALGRIND)
        SKIP("valgrind would have no memory, either");
    CHECK_EQ(kr_lock_init(&shared, KR_SHARED), 0);
    CHECK_EQ(kr_lock_acquire(&shared, KR_FOREVER), 0);
    CHECK_EQ(kr_spawn(&f, acquire_shared, NULL, 0, 0, NULL), 0);
    let_others_run();
    CHECK_EQ(getrlimit(RLIMIT_AS, &old), 0);
    struct rlimit none = {.rlim_cur = 4096, .rlim_max = old.rlim_max};
    CHECK_EQ(setrlimit(RLIMIT_AS, &none), 0);
    kr_event_set(&go);
    CHECK_EQ(kr_event_wait(&in_vain, KR_FOREVER), 0);
    let_others_run();
    CHECK_EQ(kr_lock_release(&shared), 0);
    CHECK_EQ(error_of(f), 0);
    CHECK_EQ(setrlimit(RLIMIT_AS, &old), 0);
}

/* Loops over a range, by the workers of a pool alone. */

static pthread_t loop_thread;
static kr_event sibling_ran;

static int let_range_end(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    kr_event_set(&sibling_ran);
    return 0;
}

static int await_sibling(size_t first, size_t end, void *arg)
{
    (void)arg;
    CHECK(!pthread_equal(pthread_self(), loop_thread));
    CHECK(end > first);
    return kr_event_wait(&sibling_ran, KR_FOREVER);
}

static int await_sibling_in_map(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return await_sibling(0, 1, NULL);
}

static int add_range(size_t first, size_t end, void *partial, void *arg)
{
    CHECK_EQ(await_sibling(first, end, arg), 0);
    for (size_t i = first; i < end; i++)
        *(long *)partial += (long)i;
    return 0;
}

static void join_sums(void *into, const void *partial, void *arg)
{
    (void)arg;
    *(long *)into += *(const long *)partial;
}

static kr_executor *begin_with(kr_future **sibling)
{
    kr_executor *pool;
    loop_thread = pthread_self();
    kr_event_clear(&sibling_ran);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2}), 0);
    CHECK_EQ(kr_spawn(sibling, let_range_end, NULL, 0, 0, NULL), 0);
    return pool;
}

static void end_with(kr_executor *pool, kr_future *sibling)
{
    CHECK_EQ(error_of(sibling), 0);
    kr_executor_release(pool);
}

static void run_range(size_t grain)
{
    kr_future *sibling;
    kr_executor *pool = begin_with(&sibling);
    kr_parallel_options o = {.grain = grain};
    CHECK_EQ(kr_parallel_for(pool, 0, 100, await_sibling, NULL, &o), 0);
    end_with(pool, sibling);
}

LOOP_TEST(a_range_is_left_to_the_pool)
{
    run_range(0);
    run_range(1);
}

static void run_reduction(size_t grain)
{
    kr_future *sibling;
    kr_executor *pool = begin_with(&sibling);
    kr_parallel_options o = {.grain = grain};
    kr_reduction how = {.size = sizeof(long), .add = add_range, .join = join_sums};
    long sum = 0;
    CHECK_EQ(kr_parallel_reduce(pool, 0, 1000, &how, NULL, &sum, &o), 0);
    CHECK_EQ(sum, 999 * 500);
    end_with(pool, sibling);
}

LOOP_TEST(a_reduction_is_left_to_the_pool)
{
    run_reduction(0);
    run_reduction(7);
}

LOOP_TEST(a_map_is_left_to_the_pool)
{
    kr_future *sibling;
    kr_executor *pool = begin_with(&sibling);
    CHECK_EQ(kr_map(pool, await_sibling_in_map, NULL, 0, 50, NULL, 0, NULL), 0);
    end_with(pool, sibling);
}

/* Where nobody else can do it. */

static int fail(void *arg)
{
    (void)arg;
    return -EIO;
}

static void ignore(const kr_task_report *report)
{
    (void)report;
}

static int count_range(size_t first, size_t end, void *arg)
{
    *(size_t *)arg += end - first;
    return 0;
}

LOOP_TEST(a_range_that_nobody_else_can_do)
{
    kr_executor *pool;
    size_t count = 0;
    (void)kr_set_task_hook(ignore);
    CHECK_EQ(kr_thread_pool(&pool, &(kr_pool_options){.workers = 2, .initializer = fail}), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 1000, count_range, &count, NULL), 0);
    CHECK_EQ(count, 1000);
    kr_executor_release(pool);
}

/* A coroutine of the executor takes part: there may be nobody else. */

static int run_range_here(const void *arg, void *result)
{
    kr_executor *pool = *(kr_executor *const *)arg;
    kr_parallel_options o = {.grain = 1};
    size_t count = 0;
    (void)result;
    CHECK_EQ(kr_parallel_for(pool, 0, 1000, count_range, &count, NULL), 0);
    CHECK_EQ(kr_parallel_for(pool, 0, 1000, count_range, &count, &o), 0);
    CHECK_EQ(count, 2000);
    return 0;
}

TEST(a_pools_own_coroutine_takes_part)
{
    kr_executor *pool;
    kr_future *f;
    CHECK_EQ(kr_loop_pool(&pool, &(kr_pool_options){.workers = 1}), 0);
    CHECK_EQ(kr_submit(pool, &f, run_range_here, &pool, sizeof pool, 0), 0);
    CHECK_EQ(error_of(f), 0);
    kr_executor_release(pool);
}
