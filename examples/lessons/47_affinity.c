/* Which processors a runner may use, and which it uses under an interpreter lock.
 *
 * Rows 19 and 33 of docs/lessons.md.  In Python:
 *
 *     os.sched_setaffinity(0, {first})
 *
 * An article says that Python's threads use a single core.  They use one *at a time*: watch how
 * threads that take turns are moved about by the kernel, unless they are bound.  Binding all that
 * share such a lock to one processor makes each hand-over cheaper, and gives away the others.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 2, ROUNDS = 200 };

static kr_gil *gil;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* Computes, and notes on which processor, holding the lock: so `seen` is never written by two. */
static int compute(void *arg)
{
    kr_cpu_set *seen = *(kr_cpu_set **)arg;
    volatile unsigned sum = 0;
    kr_gil_thread *self;
    int err = kr_gil_attach(gil, &self);
    if (err)
        return err;
    for (int round = 0; round < ROUNDS && !err; round++) {
        for (unsigned i = 0; i < 20000; i++)
            sum = sum + i;
        err = kr_cpu_set_add(seen, sched_getcpu());
        if (!err)
            err = kr_gil_check(self);
    }
    kr_gil_detach(self);
    return err;
}

static int run(kr_cpu_set *seen, const kr_cpu_set *affinity)
{
    const kr_thread_options options = {.affinity = affinity};
    kr_thread *threads[THREADS];
    int err = 0;
    for (int i = 0; i < THREADS; i++) {
        err = kr_thread_start(&threads[i], compute, &seen, sizeof seen, &options);
        if (err)
            return err;
    }
    for (int i = 0; i < THREADS; i++) {
        int result = 0;
        kr_thread_join(threads[i], &result, KR_FOREVER);
        kr_thread_release(threads[i]);
        err = err ? err : result;
    }
    return err;
}

int main(void)
{
    kr_cpu_set ours, first = {{0}}, free_seen = {{0}}, bound_seen = {{0}};
    int cpu = 0;

    int err = kr_thread_get_affinity(kr_thread_current(), &ours);
    if (err)
        return fail("affinity", err);
    while (!kr_cpu_set_has(&ours, cpu))
        cpu++;
    err = kr_cpu_set_add(&first, cpu);
    if (err)
        return fail("set", err);
    printf("This program may run on %d processors\n", kr_cpu_set_count(&ours));

    err = kr_gil_create(&gil, &(kr_gil_options){.switch_interval = kr_ms(1)});
    if (err)
        return fail("lock", err);
    err = run(&free_seen, NULL);
    if (err)
        return fail("free", err);
    err = run(&bound_seen, &first);
    if (err)
        return fail("bound", err);
    printf("Two threads, one at a time, were seen on %d of them\n", kr_cpu_set_count(&free_seen));
    printf("Bound to the first one, on %d, which %s it\n", kr_cpu_set_count(&bound_seen),
           kr_cpu_set_has(&bound_seen, cpu) ? "is" : "IS NOT");
    err = kr_gil_destroy(gil);
    if (err)
        return fail("destroy", err);
    return EXIT_SUCCESS;
}
