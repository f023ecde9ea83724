/* Ten tasks that wait, on four workers: three waves, with threads as with processes.
 *
 * Row 75 of docs/lessons.md.  In Python:
 *
 *     with ThreadPoolExecutor(4) as pool: list(pool.map(time.sleep, [0.1] * 10))
 *     with ProcessPoolExecutor(4) as pool: list(pool.map(time.sleep, [0.1] * 10))
 *
 * Watch the times: ceil(10 / 4) sleeps each, and never more than four inside.  For work that waits
 * processes gain nothing over threads, and cost more (61_what_they_cost.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { TASKS = 10, WORKERS = 4, SLEEP_MS = 100 };

/* Who is inside. */
struct room {
    kr_lock lock;
    int inside;
    int most;
};

static struct room *room; /* in memory that threads and forked children share */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int visit(const void *arg, void *result)
{
    (void)arg, (void)result;
    kr_with (&room->lock) {
        if (++room->inside > room->most)
            room->most = room->inside;
    }
    int err = kr_sleep(kr_ms(SLEEP_MS));
    kr_with (&room->lock)
        room->inside--;
    return err;
}

static int run(const char *name, kr_executor *pool)
{
    room->most = 0;
    kr_time begin = kr_now();
    /* No arguments, no results; one task at a time for each worker.  With threads this one stands
     * in for a worker, and does not only wait. */
    int err = kr_map(pool, visit, NULL, 0, TASKS, NULL, 0, &(kr_map_options){.chunk = 1});
    if (!err)
        printf("%s: %.2f s, at most %d at once\n", name, (double)(kr_now() - begin) / 1e9,
               room->most);
    return err;
}

int main(void)
{
    const kr_pool_options options = {.workers = WORKERS};
    KR_AUTO(kr_executor) *processes = NULL;
    KR_AUTO(kr_executor) *threads = NULL;

    room = kr_shared_alloc(sizeof *room); /* zero bytes */
    if (!room)
        return fail("memory", -ENOMEM);
    int err = kr_lock_init(&room->lock, KR_SHARED);
    if (err)
        return fail("lock", err);
    /* Workers that are forks know `room`.  They are forked while this process has one thread. */
    err = kr_process_pool_with(&processes, &options, &(kr_process_pool_options){.start = KR_FORK});
    if (err)
        return fail("process pool", err);
    err = kr_thread_pool(&threads, &options);
    if (err)
        return fail("thread pool", err);
    err = run("Threads", threads);
    if (err)
        return fail("threads", err);
    err = run("Processes", processes);
    if (err)
        return fail("processes", err);
    return EXIT_SUCCESS;
}
