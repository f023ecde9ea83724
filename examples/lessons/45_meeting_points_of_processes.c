/* Locks, semaphores, events, conditions and barriers between processes.
 *
 * Rows 14 and 40 of docs/lessons.md.  In Python:
 *
 *     multiprocessing.Lock(), RLock(), Semaphore(2), Condition(), Event(), Barrier(4)
 *
 * They are those of the threads, in memory that all processes have: a kr_lock is a kr_lock.  Watch
 * four workers: all wait for the event, two at a time get a permit, all four meet at the barrier,
 * and who waits at the condition hears of each that is done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { WORKERS = 4, PERMITS = 2 };

struct shared {
    kr_event go;
    kr_semaphore permits;
    kr_barrier barrier;
    kr_rlock rlock; /* guards what follows */
    int inside, most;
    kr_condition condition; /* its lock guards what follows */
    int done;
};

static struct shared *shared;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static void count(int change)
{
    kr_with (&shared->rlock) {
        shared->inside += change;
        kr_with (&shared->rlock) { /* once more, for whoever has it already */
            if (shared->inside > shared->most)
                shared->most = shared->inside;
        }
    }
}

static int work(void *arg)
{
    (void)arg;
    int err = kr_event_wait(&shared->go, KR_FOREVER);
    if (err)
        return err;
    kr_with (&shared->permits) {
        count(+1);
        err = kr_sleep(kr_ms(50));
        count(-1);
    }
    int place = kr_barrier_wait(&shared->barrier, KR_FOREVER); /* 0 .. 3: who came when */
    if (err || place < 0)
        return err ? err : place;
    kr_with (&shared->condition) {
        shared->done++;
        kr_condition_notify_all(&shared->condition);
    }
    return 0;
}

static bool all_done(void *arg)
{
    (void)arg;
    return shared->done == WORKERS;
}

int main(void)
{
    shared = kr_shared_alloc(sizeof *shared);
    if (!shared)
        return fail("memory", -ENOMEM);
    *shared = (struct shared){
        .go = KR_EVENT_INIT_SHARED,
        .permits = KR_SEMAPHORE_INIT_SHARED(PERMITS),
        .barrier = KR_BARRIER_INIT_SHARED(WORKERS),
        .rlock = KR_RLOCK_INIT_SHARED,
        .condition = KR_CONDITION_INIT_SHARED,
    };
    for (int i = 0; i < WORKERS; i++) {
        int err = kr_process_start(NULL, work, NULL, 0, &(kr_process_options){.start = KR_FORK});
        if (err)
            return fail("start", err);
    }
    kr_time begin = kr_now();
    kr_event_set(&shared->go);
    int err = kr_condition_acquire(&shared->condition, KR_FOREVER);
    if (err)
        return fail("condition", err);
    err = kr_condition_wait_for(&shared->condition, all_done, NULL, KR_FOREVER);
    if (err)
        return fail("wait", err);
    printf("%d workers are done after %.2f s\n", shared->done, (double)(kr_now() - begin) / 1e9);
    (void)kr_condition_release(&shared->condition);
    printf("At most %d had a permit at once\n", shared->most);
    return EXIT_SUCCESS;
}
