/* The same computation by two threads, and by two processes.
 *
 * Row 74 of docs/lessons.md.  In Python:
 *
 *     with ThreadPoolExecutor(2) as pool: pool.map(fibonacci, range(30, 35))
 *     with ProcessPoolExecutor(2) as pool: pool.map(fibonacci, range(30, 35))
 *
 * Watch the times.  In Python the processes are faster, since only one thread may be in the
 * interpreter.  Here both take the same: nothing keeps C's threads from computing.  Reasons for
 * processes remain: a crash, a leak or a limit that is to end one worker and not the program.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { FIRST = 30, COUNT = 5, WORKERS = 2 };

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static long fibonacci(int n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

static int fibonacci_task(const void *arg, void *result)
{
    *(long *)result = fibonacci(*(const int *)arg);
    return 0;
}
KR_TASK(fibonacci_task);

/* The same for either pool: that is all that there is to moving from threads to processes. */
static int run(const char *name, kr_executor *pool)
{
    int numbers[COUNT];
    long results[COUNT];
    for (int i = 0; i < COUNT; i++)
        numbers[i] = FIRST + i;
    kr_time begin = kr_now();
    int err = kr_map(pool, fibonacci_task, numbers, sizeof numbers[0], COUNT, results,
                     sizeof results[0], &(kr_map_options){.chunk = 1});
    if (err)
        return err;
    printf("%s: %.2f s\n", name, (double)(kr_now() - begin) / 1e9);
    for (int i = 0; i < COUNT; i++)
        printf("  fibonacci(%d) = %ld\n", numbers[i], results[i]);
    return 0;
}

int main(int argc, char **argv)
{
    const kr_pool_options options = {.workers = WORKERS};
    KR_AUTO(kr_executor) *processes = NULL;
    KR_AUTO(kr_executor) *threads = NULL;

    kr_init(argc, argv);
    int err = kr_process_pool(&processes, &options);
    if (err)
        return fail("process pool", err);
    err = kr_thread_pool(&threads, &options);
    if (err)
        return fail("thread pool", err);
    err = run("Two threads", threads);
    if (err)
        return fail("threads", err);
    err = run("Two processes", processes);
    if (err)
        return fail("processes", err);
    return EXIT_SUCCESS;
}
