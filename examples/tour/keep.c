/* What a runner costs while it just waits: memory.
 *
 * Counted is what belongs to the process alone, and its page tables; what the kernel has beside
 * that, such as a thread's stack there, cannot be seen from here.
 *
 * SPDX-License-Identifier: MIT
 */
#include "tour.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The sum of the lines of a file below /proc that begin with the word: kB in bytes; negative: it
 * cannot be read. */
static double sum_lines(int pid, const char *name, const char *word)
{
    char path[64], line[256];
    double sum = 0;
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    FILE *file = fopen(path, "re");
    if (!file)
        return -1;
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, word, strlen(word)) == 0)
            sum += 1024 * strtod(line + strcspn(line, ":") + 1, NULL);
    }
    fclose(file);
    return sum;
}

static int memory_of(int pid, double *bytes)
{
    double own = sum_lines(pid, "smaps_rollup", "Private_");
    double tables = sum_lines(pid, "status", "VmPTE");
    *bytes = own + tables;
    return own < 0 || tables < 0 ? -ENODATA : 0;
}

static kr_event over;
static kr_semaphore here;

static int wait_until_over(void *arg)
{
    (void)arg;
    int err = kr_semaphore_release(&here, 1);
    return err ? err : kr_event_wait(&over, KR_FOREVER);
}

static int wait_as_task(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    return wait_until_over(NULL);
}

static int measure_growth(double before, int count, double *each)
{
    double after = 0;
    int err = 0;
    for (int i = 0; i < count && !err; i++)
        err = kr_semaphore_acquire(&here, KR_FOREVER);
    if (!err)
        err = memory_of(getpid(), &after);
    *each = (after - before) / count;
    return err;
}

static int keep_threads(int count, double *each)
{
    kr_thread **threads = calloc((size_t)count, sizeof *threads);
    double before;
    int made = 0, err = threads ? memory_of(getpid(), &before) : -ENOMEM;
    for (; made < count && !err; made += !err)
        err = kr_thread_start(&threads[made], wait_until_over, NULL, 0, NULL);
    if (!err)
        err = measure_growth(before, count, each);
    kr_event_set(&over);
    while (made > 0) {
        kr_thread_join(threads[--made], NULL, KR_FOREVER);
        kr_thread_release(threads[made]);
    }
    free(threads);
    return err;
}

static int keep_coroutines(int count, double *each)
{
    kr_future **futures = calloc((size_t)count, sizeof *futures);
    double before;
    int made = 0, err = futures ? memory_of(getpid(), &before) : -ENOMEM;
    for (; made < count && !err; made += !err)
        err = kr_spawn(&futures[made], wait_as_task, NULL, 0, 0, NULL);
    if (!err)
        err = measure_growth(before, count, each);
    kr_event_set(&over);
    while (made > 0) {
        (void)!kr_future_result(futures[--made], NULL, 0, NULL, KR_FOREVER);
        kr_future_release(futures[made]);
    }
    free(futures);
    return err;
}

/* Says by a byte that it is there, and waits for the end of the other pipe. */
static int wait_for_end(void *arg)
{
    char byte = 0;
    (void)arg;
    if (kr_write(kr_process_descriptor(1), &byte, 1, KR_FOREVER) != 1)
        return -EPIPE;
    return (int)kr_read(kr_process_descriptor(0), &byte, 1, KR_FOREVER);
}
KR_TASK(wait_for_end);

static int sum_processes(kr_process *const *processes, int count, int ready, double *each)
{
    double sum = 0, one = 0;
    char byte;
    int err = 0;
    for (int i = 0; i < count && !err; i++)
        err = kr_read(ready, &byte, 1, kr_sec(20)) == 1 ? 0 : -ETIMEDOUT;
    for (int i = 0; i < count && !err; i++) {
        err = memory_of(kr_process_pid(processes[i]), &one);
        sum += one;
    }
    *each = sum / count;
    return err;
}

static int keep_processes(enum runner runner, int count, double *each)
{
    kr_process **processes = calloc((size_t)count, sizeof *processes);
    int end[2] = {-1, -1}, ready[2] = {-1, -1}, made = 0, err = processes ? 0 : -ENOMEM;
    if (!err && (pipe2(end, O_CLOEXEC) != 0 || pipe2(ready, O_CLOEXEC) != 0))
        err = -errno;
    for (; made < count && !err; made += !err)
        err = make_process(&processes[made], runner, wait_for_end, (int[]){end[0], ready[1]}, 2);
    if (!err)
        err = sum_processes(processes, count, ready[0], each);
    while (made >
           0) { /* a fork has the pipe's other end as well, so that it would not see its end */
        kr_process_kill(processes[--made]);
        kr_process_join(processes[made], NULL, KR_FOREVER);
        kr_process_release(processes[made]);
    }
    for (int i = 0; i < 2; i++) {
        close(end[i]);
        close(ready[i]);
    }
    free(processes);
    return err;
}

/* Not being told is no error: the rest can be measured. */
int measure_keep(enum runner runner, int count, double *bytes)
{
    int err = runner == COROUTINE ? keep_coroutines(count, bytes)
              : runner == THREAD  ? keep_threads(count, bytes)
                                  : keep_processes(runner, count, bytes);
    if (err == -ENODATA) {
        *bytes = 0;
        return 0;
    }
    return err;
}
