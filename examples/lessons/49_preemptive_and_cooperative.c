/* The same work by threads, which are switched, and by coroutines, which give way themselves.
 *
 * Rows 28 and 44 of docs/lessons.md.  In Python: threading beside asyncio, whose tasks give way at
 * `await asyncio.sleep(0)`.
 *
 * Watch three things, all on one processor.  Coroutines that never give way run one after the
 * other; those that do take turns, the same in each run.  Where threads change over the system
 * decides, for work as short as this mostly nowhere.  And the price: a switch of threads is the
 * system's work, one of coroutines little more than a call.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { STEPS = 5, TURNS = 1000 };

struct writer {
    char letter;
    bool gives_way;
};

static kr_lock lock = KR_LOCK_INIT; /* for the text; the threads need it */
static char text[2 * STEPS + 1];
static size_t length;
static kr_semaphore turns[2] = {KR_SEMAPHORE_INIT(1), KR_SEMAPHORE_INIT(0)};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int write_letters(const void *arg, void *result)
{
    const struct writer *writer = arg;
    int err = 0;
    (void)result;
    for (int i = 0; i < STEPS && !err; i++) {
        kr_with (&lock)
            text[length++] = writer->letter;
        err = writer->gives_way ? kr_yield() : 0;
    }
    return err;
}

/* Two that hand a turn to each other: each time the other one runs. */
static int take_turns(const void *arg, void *result)
{
    int me = *(const int *)arg, err = 0;
    (void)result;
    for (int i = 0; i < TURNS && !err; i++) {
        err = kr_semaphore_acquire(&turns[me], KR_FOREVER);
        if (!err)
            err = kr_semaphore_release(&turns[!me], 1);
    }
    return err;
}

/* Both tasks, in threads of the pool, or as coroutines of this loop. */
static int run_two(kr_executor *pool, kr_task_fn task, const void *one, const void *other,
                   size_t size)
{
    KR_AUTO(kr_future) *first = NULL;
    KR_AUTO(kr_future) *second = NULL;
    int err = pool ? kr_submit(pool, &first, task, one, size, 0)
                   : kr_spawn(&first, task, one, size, 0, NULL);
    if (!err)
        err = pool ? kr_submit(pool, &second, task, other, size, 0)
                   : kr_spawn(&second, task, other, size, 0, NULL);
    kr_future *both[] = {first, second};
    return err ? err : kr_gather(both, 2, NULL, NULL, KR_FOREVER);
}

static int show_letters(const char *who, kr_executor *pool, bool give_way)
{
    const struct writer a = {'A', give_way}, b = {'B', give_way};
    length = 0;
    int err = run_two(pool, write_letters, &a, &b, sizeof a);
    printf("%-30s %s\n", who, text);
    return err;
}

static int show_price(const char *who, kr_executor *pool)
{
    kr_time begin = kr_now();
    int err = run_two(pool, take_turns, &(int){0}, &(int){1}, sizeof(int));
    printf("%-30s %.0f ns a switch\n", who, (double)(kr_now() - begin) / (2 * TURNS));
    return err;
}

static int program(void *pool)
{
    int err = show_letters("Coroutines, never giving way:", NULL, false);
    if (!err)
        err = show_letters("Coroutines, giving way:", NULL, true);
    if (!err)
        err = show_letters("Threads:", pool, false);
    if (!err)
        err = show_price("Coroutines:", NULL);
    return err ? err : show_price("Threads:", pool);
}

int main(void)
{
    KR_AUTO(kr_executor) *pool = NULL;
    kr_cpu_set one = {{0}};
    int err = kr_cpu_set_add(&one, sched_getcpu());
    if (!err)
        err = kr_thread_set_affinity(kr_thread_current(), &one); /* and what it will start */
    if (!err)
        err = kr_thread_pool(&pool, &(kr_pool_options){.workers = 2});
    if (err)
        return fail("a pool on one processor", err);
    err = kr_run(program, pool); /* a loop in this thread, with `program` as its first coroutine */
    return err ? fail("program", err) : EXIT_SUCCESS;
}
