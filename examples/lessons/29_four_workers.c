/* Ten tasks on four workers: three waves.
 *
 * Row 75 of docs/lessons.md, the half with threads.  In Python: ThreadPoolExecutor(4).map over ten
 * tasks of time.sleep(1) takes 3 s, and with processes as well: who sleeps needs no processor.
 *
 * Watch which worker does what: its name is that of a thread, and four names come up.  The tasks
 * are handed out one by one (.chunk = 1), or a worker might take two that sleep one after the
 * other.  And without .no_outside_help main, which waits, would itself be one of the four.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 10, WORKERS = 4 };

static struct {
    kr_lock lock; /* guards the rest */
    int inside, most;
} count;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int rest(const void *arg, void *result)
{
    const int *number = arg;
    char name[KR_THREAD_NAME_SIZE];
    (void)result;
    kr_thread_name(kr_thread_current(), name, sizeof name);
    printf("task %d in %s\n", *number, name);

    kr_with (&count.lock) {
        count.inside++;
        if (count.most < count.inside)
            count.most = count.inside;
    }
    int err = kr_sleep(kr_ms(100));
    kr_with (&count.lock)
        count.inside--;
    return err;
}

int main(void)
{
    KR_AUTO(kr_executor) *pool = NULL;
    int numbers[TASKS];
    for (int i = 0; i < TASKS; i++)
        numbers[i] = i;
    kr_time begin = kr_now();

    int err = kr_thread_pool(
        &pool, &(kr_pool_options){.workers = WORKERS, .name = "worker", .no_outside_help = true});
    if (!err)
        err = kr_map(pool, rest, numbers, sizeof numbers[0], TASKS, NULL, 0,
                     &(kr_map_options){.chunk = 1});
    if (err)
        return fail("map", err);
    printf("%.2f s for %d tasks of 0.1 s, never more than %d at once\n",
           (double)(kr_now() - begin) / 1e9, TASKS, count.most);
    return EXIT_SUCCESS;
}
