/* A hundred tasks that nobody waits for one by one.
 *
 * Row 38 of docs/lessons.md.  In Python:
 *
 *     pool = multiprocessing.Pool(8)
 *     pool.map(print, range(100))
 *     pool.close()
 *     pool.join()
 *
 * Watch the numbers: each comes once, and there is no order between the workers.  A shutdown is
 * both the close and the join: no more tasks, and wait for those that are there.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int print_number(const void *arg, void *result)
{
    (void)result;
    return printf("%d\n", *(const int *)arg) < 0 ? -EIO : 0;
}
KR_TASK(print_number);

int main(int argc, char **argv)
{
    KR_AUTO(kr_executor) *pool = NULL;

    setvbuf(stdout, NULL, _IOLBF, 0); /* each line is written as a whole */
    kr_init(argc, argv);
    int err = kr_process_pool(&pool, &(kr_pool_options){.workers = 8});
    if (err)
        return fail("pool", err);
    for (int i = 0; i < 100; i++) {
        err = kr_submit(pool, NULL, print_number, &i, sizeof i, 0); /* NULL: no future is wanted */
        if (err)
            return fail("submit", err);
    }
    err = kr_executor_shutdown(pool, NULL, KR_FOREVER);
    if (err)
        return fail("shutdown", err);
    printf("All is printed\n");
    return EXIT_SUCCESS;
}
