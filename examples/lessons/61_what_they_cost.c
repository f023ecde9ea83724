/* What a thread, a process and a coroutine cost to make.
 *
 * Rows 28, 29 and 50 of docs/lessons.md.  An article says that processes cost more than threads:
 * measured here, each made and waited for, one after the other.  49_preemptive_and_cooperative.c
 * has what a switch costs, and docs/benchmarks.md the rest, with what others take for the same.
 *
 * Watch the orders of magnitude, not the digits.  A process has its own address space, which the
 * system must set up and tear down; a thread has a stack and an entry in the system's tables; a
 * coroutine has a stack.
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

static int do_nothing(void *arg)
{
    (void)arg;
    return 0;
}
KR_TASK(do_nothing);

static int do_nothing_in_a_loop(const void *arg, void *result)
{
    (void)arg, (void)result;
    return 0;
}

static int with_processes(kr_start_method start, int count)
{
    int err = 0;
    for (int i = 0; i < count && !err; i++) {
        KR_AUTO(kr_process) *process = NULL;
        err =
            kr_process_start(&process, do_nothing, NULL, 0, &(kr_process_options){.start = start});
        if (!err)
            err = kr_process_join(process, NULL, KR_FOREVER);
    }
    return err;
}

static int with_fork(int count)
{
    return with_processes(KR_FORK, count);
}

static int with_spawn(int count)
{
    return with_processes(KR_SPAWN, count);
}

static int with_threads(int count)
{
    int err = 0;
    for (int i = 0; i < count && !err; i++) {
        KR_AUTO(kr_thread) *thread = NULL;
        err = kr_thread_start(&thread, do_nothing, NULL, 0, NULL);
        if (!err)
            err = kr_thread_join(thread, NULL, KR_FOREVER);
    }
    return err;
}

static int loop(void *arg)
{
    const int *count = arg;
    int err = 0;
    for (int i = 0; i < *count && !err; i++) {
        KR_AUTO(kr_future) *coroutine = NULL;
        err = kr_spawn(&coroutine, do_nothing_in_a_loop, NULL, 0, 0, NULL);
        if (!err)
            err = kr_future_exception(coroutine, NULL, KR_FOREVER);
    }
    return err;
}

static int with_coroutines(int count)
{
    return kr_run(loop, &count);
}

static int show(const char *what, int (*make)(int count), int count)
{
    kr_time begin = kr_now();
    int err = make(count);
    if (!err)
        printf("%-30s %.2f us\n", what, (double)(kr_now() - begin) / 1e3 / count);
    return err;
}

int main(int argc, char **argv)
{
    kr_init(argc, argv);
    int err = show("a process, this program anew:", with_spawn, 5);
    if (!err)
        err = show("a process, a fork:", with_fork, 20);
    if (!err)
        err = show("a thread:", with_threads, 200);
    if (!err)
        err = show("a coroutine:", with_coroutines, 20000);
    return err ? fail("start and join", err) : EXIT_SUCCESS;
}
