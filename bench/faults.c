/* krait-faults FAULT - what becomes of a program with krait's processes; prints one line.
 * krait-faults --limit SECONDS COMMAND... - see faults.h.
 *
 * The same faults as in faults.py.
 *
 * SPDX-License-Identifier: MIT
 */
#include "faults.h"

#include "common.h"
#include "peers.h"

#include <krait/krait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLS = 20, ITEMS = 100, DEADLY = 50, LARGE = 1 << 20, WORKERS = 2 };

static int die_at_50(const void *arg, void *result)
{
    int number;
    memcpy(&number, arg, sizeof number);
    if (number == DEADLY)
        raise(SIGKILL);
    memcpy(result, &number, sizeof number);
    return 0;
}
KR_TASK(die_at_50);

static kr_executor *make_pool(void)
{
    kr_executor *pool;
    kr_pool_options options = {.workers = WORKERS};
    BENCH_MUST(kr_process_pool(&pool, &options));
    return pool;
}

static void map_worker_killed(void)
{
    int args[ITEMS], results[ITEMS], errors[ITEMS], crashed = 0, done = 0;
    kr_map_options options = {.chunk = 1, .errors = errors};
    kr_executor *pool = make_pool();
    for (int i = 0; i < ITEMS; i++)
        args[i] = i;
    int err =
        kr_map(pool, die_at_50, args, sizeof *args, ITEMS, results, sizeof *results, &options);
    for (int i = 0; i < ITEMS; i++) {
        crashed += errors[i] == KR_ECRASHED;
        done += errors[i] == 0 && results[i] == i;
    }
    if (err != KR_ECRASHED || crashed + done != ITEMS)
        bench_fail("kr_map");
    printf("%d of %d items done, %d crashed\n", done, ITEMS, crashed);
    kr_executor_release(pool);
}

/* What forked children and this process have in common. */
static struct shared {
    kr_lock lock;
    kr_event held;
} * shared;

static pid_t fork_child(void (*body)(void *arg), void *arg)
{
    pid_t child = fork();
    BENCH_MUST(child);
    if (child == 0) {
        body(arg);
        _exit(0);
    }
    return child;
}

static void kill_child(pid_t child)
{
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void hold(void *arg)
{
    (void)arg;
    BENCH_MUST(kr_lock_acquire(&shared->lock, KR_FOREVER));
    kr_event_set(&shared->held);
    pause();
}

static void lock_holder_killed(void)
{
    shared = kr_shared_alloc(sizeof *shared);
    BENCH_MUST(shared ? 0 : -ENOMEM);
    BENCH_MUST(kr_lock_init(&shared->lock, KR_SHARED));
    BENCH_MUST(kr_event_init(&shared->held, KR_SHARED));
    pid_t holder = fork_child(hold, NULL);
    BENCH_MUST(kr_event_wait(&shared->held, KR_FOREVER));
    kill_child(holder);
    if (kr_lock_acquire(&shared->lock, KR_FOREVER) != KR_OWNER_DIED)
        bench_fail("the lock");
    BENCH_MUST(kr_lock_recover(&shared->lock));
    BENCH_MUST(kr_lock_release(&shared->lock));
    printf("got it, told of the death\n");
}

static unsigned char room[LARGE];

static void put_much(void *arg)
{
    for (int i = 0; i < 60; i++)
        BENCH_MUST(kr_queue_put_bytes(arg, room, sizeof room, KR_FOREVER));
}

static void put_last(void *arg)
{
    BENCH_MUST(kr_queue_put_bytes(arg, "last", 4, KR_FOREVER));
}

static size_t get_size(kr_queue *queue)
{
    size_t size;
    BENCH_MUST(kr_queue_get_bytes(queue, room, sizeof room, &size, KR_FOREVER));
    return size;
}

static kr_queue *make_queue(void)
{
    kr_queue *queue;
    kr_queue_options options = {.scope = KR_SHARED, .bytes = (size_t)4 * LARGE};
    BENCH_MUST(kr_queue_create(&queue, 0, 4, &options));
    return queue;
}

static void queue_writer_killed(void)
{
    kr_queue *queue = make_queue();
    for (int i = 0; i < KILLS; i++) {
        pid_t writer = fork_child(put_much, queue);
        get_size(queue);
        usleep(5000 * (unsigned)(i % 4));
        kill_child(writer);
        pid_t other = fork_child(put_last, queue);
        while (get_size(queue) != 4)
            continue;
        waitpid(other, NULL, 0);
    }
    printf("%d killed, what others put came\n", KILLS);
}

static void get_one(void *arg)
{
    get_size(arg);
}

static void queue_reader_killed(void)
{
    kr_queue *queue = make_queue();
    for (int i = 0; i < KILLS; i++) {
        pid_t reader = fork_child(get_one, queue);
        usleep(50000);
        kill_child(reader);
        put_last(queue);
        get_size(queue);
    }
    printf("%d killed, others got the item\n", KILLS);
}

static int submit_and_wait(kr_executor *pool, int count)
{
    kr_future *futures[ITEMS];
    int failed = 0;
    for (int i = 0; i < count; i++)
        BENCH_MUST(kr_submit(pool, &futures[i], die_at_50, &i, sizeof i, sizeof i));
    for (int i = 0; i < count; i++) {
        int error, result;
        BENCH_MUST(kr_future_result(futures[i], &result, sizeof result, &error, KR_FOREVER));
        failed += error != 0;
        kr_future_release(futures[i]);
    }
    return failed;
}

static void one_death(void)
{
    kr_executor *pool = make_pool();
    int failed = submit_and_wait(pool, ITEMS);
    printf("%d of %d tasks fail, the pool %s\n", failed, ITEMS,
           submit_and_wait(pool, DEADLY) == 0 ? "goes on" : "is broken");
    kr_executor_release(pool);
}

static int slow(const void *arg, void *result)
{
    (void)arg;
    (void)result;
    usleep(50000);
    return 0;
}
KR_TASK(slow);

static void make_and_wait(void *arg)
{
    int pids[WORKERS], to = *(int *)arg;
    kr_executor *pool = make_pool();
    BENCH_MUST(kr_map(pool, slow, NULL, 0, 20, NULL, 0, NULL));
    if (kr_process_pool_workers(pool, pids, WORKERS) != WORKERS ||
        write(to, pids, sizeof pids) != (ssize_t)sizeof pids)
        bench_fail("the workers");
    pause();
}

static bool alive(int pid)
{
    char path[64], state = 'Z';
    snprintf(path, sizeof path, "/proc/%d/stat", pid);
    FILE *stat = fopen(path, "re");
    if (stat) {
        if (fscanf(stat, "%*d (%*[^)]) %c", &state) != 1)
            state = 'Z';
        fclose(stat);
    }
    return state != 'Z';
}

static void parent_killed(void)
{
    int ends[2], pids[WORKERS], left = 1;
    BENCH_MUST(pipe(ends));
    pid_t parent = fork_child(make_and_wait, &ends[1]);
    if (read(ends[0], pids, sizeof pids) != (ssize_t)sizeof pids)
        bench_fail("the workers");
    kill_child(parent);
    double begun = bench_now();
    while (left && bench_now() - begun < 2e9) {
        usleep(1000);
        left = 0;
        for (int i = 0; i < WORKERS; i++)
            left += alive(pids[i]);
    }
    if (left)
        printf("%d of %d workers alive after 2 s\n", left, WORKERS);
    else
        printf("no worker left after %.0f ms\n", (bench_now() - begun) / 1e6);
}

static void interrupt_all(void *arg)
{
    (void)arg;
    usleep(500000);
    kill(0, SIGINT);
}

/* As at a terminal: all processes get the signal. */
static void ctrl_c_in_join(void)
{
    kr_cancel_scope scope = KR_CANCEL_SCOPE_INIT;
    kr_future *futures[ITEMS];
    int done = 0;
    pid_t other = fork_child(interrupt_all, NULL);
    kr_executor *pool = make_pool();
    BENCH_MUST(kr_cancel_on_signal(SIGINT, &scope));
    for (int i = 0; i < ITEMS; i++)
        BENCH_MUST(kr_submit(pool, &futures[i], slow, NULL, 0, 0));
    BENCH_MUST(kr_cancel_scope_enter(&scope, KR_FOREVER));
    int err = kr_executor_shutdown(pool, NULL, KR_FOREVER);
    double begun = bench_now();
    kr_cancel_scope_exit(&scope);
    if (err != -ECANCELED)
        bench_fail("kr_executor_shutdown");
    BENCH_MUST(kr_executor_terminate_workers(pool));
    BENCH_MUST(kr_executor_shutdown(pool, NULL, KR_FOREVER));
    double taken = bench_now() - begun;
    for (int i = 0; i < ITEMS; i++) {
        done += kr_future_result(futures[i], NULL, 0, NULL, KR_NOWAIT) == 0;
        kr_future_release(futures[i]);
    }
    waitpid(other, NULL, 0);
    kr_executor_release(pool);
    printf("ended in %.0f ms, %d tasks done\n", taken / 1e6, done);
}

int main(int argc, char **argv)
{
    static const struct {
        const char *name;
        void (*happen)(void);
    } faults[] = {
        {"map-worker-killed", map_worker_killed},
        {"lock-holder-killed", lock_holder_killed},
        {"queue-writer-killed", queue_writer_killed},
        {"queue-reader-killed", queue_reader_killed},
        {"one-death", one_death},
        {"parent-killed", parent_killed},
        {"ctrl-c-in-join", ctrl_c_in_join},
    };
    kr_init(argc, argv);
    if (argc > 3 && strcmp(argv[1], "--limit") == 0)
        return run_limited(strtod(argv[2], NULL), argv + 3);
    for (size_t i = 0; argc == 2 && i < sizeof faults / sizeof *faults; i++) {
        if (strcmp(argv[1], faults[i].name) == 0) {
            faults[i].happen();
            return fflush(stdout) == 0 ? 0 : 1;
        }
    }
    fputs("usage: krait-faults FAULT, or krait-faults --limit SECONDS COMMAND...\n", stderr);
    return 2;
}
