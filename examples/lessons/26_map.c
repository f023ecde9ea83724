/* One function over an array: the results stand where their arguments stood.
 *
 * Row 72 of docs/lessons.md.  In Python: executor.map(f, ["a", "b", "c"], [3, 1, 2]) with two
 * workers.  All three come after 3 s, though b was done after 1 s: the order is that of the input,
 * and a is the first.
 *
 * Here the results are an array, and kr_map returns when all are there.  (kr_map_open hands them
 * out one by one, and takes endless input.)  Watch what an error does: the others are run all the
 * same, .errors tells which it was, and kr_map returns it.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 3 };

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* Sleeps so many milliseconds and says so; less than none is an error. */
static int rest(const void *arg, void *result)
{
    const int *milliseconds = arg;
    if (*milliseconds < 0)
        return -EDOM;
    *(int *)result = *milliseconds;
    return kr_sleep(kr_ms(*milliseconds));
}

int main(void)
{
    static const int durations[TASKS] = {300, 100, 200}, wrong[TASKS] = {3, -1, 2};
    KR_AUTO(kr_executor) *pool = NULL;
    int results[TASKS] = {0}, errors[TASKS];

    int err = kr_thread_pool(&pool, &(kr_pool_options){.workers = 2});
    if (err)
        return fail("make a pool", err);

    kr_time begin = kr_now();
    err =
        kr_map(pool, rest, durations, sizeof durations[0], TASKS, results, sizeof results[0], NULL);
    if (err)
        return fail("map", err);
    printf("after %.2f s:\n", (double)(kr_now() - begin) / 1e9);
    for (int i = 0; i < TASKS; i++)
        printf("    %c has slept %d ms\n", 'a' + i, results[i]);

    err = kr_map(pool, rest, wrong, sizeof wrong[0], TASKS, results, sizeof results[0],
                 &(kr_map_options){.errors = errors});
    printf("with one that fails: %s\n", kr_errname(err));
    for (int i = 0; i < TASKS; i++)
        printf("    %c: %s\n", 'a' + i, errors[i] ? kr_errname(errors[i]) : "done");
    return EXIT_SUCCESS;
}
