/* A task with several arguments takes a struct.
 *
 * Row 77 of docs/lessons.md.  In Python:
 *
 *     pool.starmap(work, [("A", 0.1), ("B", 0.2), ("C", 0.1), ("D", 0.2), ("E", 0.1)])
 *
 * Watch the order: that of the arguments, although C has ended before B.  There is no starmap,
 * since an argument is an element of an array, of any type without pointers.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { JOBS = 5 };

struct job {
    char name;
    int ms;
};

struct report {
    char text[48];
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int work(const void *arg, void *result)
{
    const struct job *job = arg;
    struct report *report = result;
    int err = kr_sleep(kr_ms(job->ms));
    snprintf(report->text, sizeof report->text, "Task %c took %d ms", job->name, job->ms);
    return err;
}
KR_TASK(work);

int main(int argc, char **argv)
{
    static const struct job jobs[JOBS] = {
        {'A', 100}, {'B', 200}, {'C', 100}, {'D', 200}, {'E', 100},
    };
    struct report reports[JOBS];
    KR_AUTO(kr_executor) *pool = NULL;

    kr_init(argc, argv);
    int err = kr_process_pool(&pool, &(kr_pool_options){.workers = 2});
    if (err)
        return fail("pool", err);
    kr_time begin = kr_now();
    err = kr_map(pool, work, jobs, sizeof jobs[0], JOBS, reports, sizeof reports[0],
                 &(kr_map_options){.chunk = 1});
    if (err)
        return fail("map", err);
    for (int i = 0; i < JOBS; i++)
        printf("%s\n", reports[i].text);
    printf("Total: %.2f s for 0.70 s of work on two workers\n", (double)(kr_now() - begin) / 1e9);
    return EXIT_SUCCESS;
}
