/* One, two and three runners count: under the interpreter lock, without it, and in processes.
 *
 * Rows 3, 6, 23, 24 and 26 of docs/lessons.md.  In Python:
 *
 *     for i in range(100_000_000): counter += 1       # in each of n threads, or processes
 *
 * Watch how the time grows with the number.  Under the lock n threads take n times as long, for
 * together they have one processor; the last column says so.  Without it, and in processes, the
 * time stays the same up to the number of processors, and no further.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { MOST = 3, INCREMENTS = 10000000 };

static kr_gil *gil;
static kr_time *used; /* processor time, of each runner: in memory that processes share, too */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static kr_time processor_time(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return kr_sec(t.tv_sec) + t.tv_nsec;
}

static int count_under_the_lock(void *arg)
{
    volatile long counter = 0;
    kr_gil_thread *self;
    int err = kr_gil_attach(gil, &self);
    if (err)
        return err;
    kr_time begin = processor_time();
    for (long i = 0; i < INCREMENTS && !err; i++) {
        counter = counter + 1;
        err = kr_gil_check(self);
    }
    used[*(int *)arg] = processor_time() - begin;
    kr_gil_detach(self);
    return err;
}

static int count(void *arg)
{
    volatile long counter = 0;
    kr_time begin = processor_time();
    for (long i = 0; i < INCREMENTS; i++)
        counter = counter + 1;
    used[*(int *)arg] = processor_time() - begin;
    return 0;
}

static int in_threads(kr_run_fn run, int runners)
{
    kr_thread *threads[MOST];
    int err = 0;
    for (int i = 0; i < runners && !err; i++)
        err = kr_thread_start(&threads[i], run, &i, sizeof i, NULL);
    for (int i = 0; i < runners && !err; i++) {
        err = kr_thread_join(threads[i], NULL, KR_FOREVER);
        kr_thread_release(threads[i]);
    }
    return err;
}

static int in_processes(kr_run_fn run, int runners)
{
    kr_process *processes[MOST];
    int err = 0;
    for (int i = 0; i < runners && !err; i++)
        err = kr_process_start(&processes[i], run, &i, sizeof i, NULL);
    for (int i = 0; i < runners && !err; i++) {
        err = kr_process_join(processes[i], NULL, KR_FOREVER);
        kr_process_release(processes[i]);
    }
    return err;
}

static int show(const char *how, int (*in_runners)(kr_run_fn run, int runners), kr_run_fn run)
{
    for (int runners = 1; runners <= MOST; runners++) {
        kr_time begin = kr_now(), sum = 0;
        int err = in_runners(run, runners);
        if (err)
            return err;
        kr_time elapsed = kr_now() - begin;
        for (int i = 0; i < runners; i++)
            sum += used[i];
        printf("%-16s n = %d: %.1f ms, on %.2f processors\n", how, runners, (double)elapsed / 1e6,
               (double)sum / (double)elapsed);
    }
    return 0;
}

int main(void)
{
    used = kr_shared_alloc(MOST * sizeof *used);
    int err = used ? kr_gil_create(&gil, NULL) : -ENOMEM;
    if (!err)
        err = show("under the lock:", in_threads, count_under_the_lock);
    if (!err)
        err = show("threads:", in_threads, count);
    if (!err)
        err = show("processes:", in_processes, count);
    if (!err)
        err = kr_gil_destroy(gil);
    return err ? fail("counting", err) : EXIT_SUCCESS;
}
