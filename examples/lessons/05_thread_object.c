/* A thread as an object: what a subclass of Thread is in C.
 *
 * Row 63 of docs/lessons.md.  In Python a class derives from threading.Thread and overrides run();
 * two such threads sleep 2 s and 4 s, and after both join() 4.00 s have passed.
 *
 * A struct whose first member is the base, and a function pointer that each kind sets: no more is
 * needed.  Watch where results go: into the object.  Who has joined the thread may read them
 * without a lock, for all that the thread did comes before its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

/* The base: a name, a thread, and what it is to do. */
struct worker {
    const char *name;
    int (*run)(struct worker *self);
    kr_thread *thread;
};

/* The same for every kind. */
static int worker_main(void *arg)
{
    struct worker *self = arg;
    return self->run(self);
}

static int worker_start(struct worker *self)
{
    /* With a size of 0 the thread gets this very address, so the object must stay until the end. */
    return kr_thread_start(&self->thread, worker_main, self, 0,
                           &(kr_thread_options){.name = self->name});
}

static int worker_join(struct worker *self)
{
    int result = 0;
    int err = kr_thread_join(self->thread, &result, KR_FOREVER);
    kr_thread_release(self->thread);
    return err ? err : result;
}

/* One kind. */
struct sleeper {
    struct worker worker;
    int milliseconds;
};

static int sleeper_run(struct worker *self)
{
    struct sleeper *sleeper = (struct sleeper *)self;
    return kr_sleep(kr_ms(sleeper->milliseconds));
}

/* Another, with a result. */
struct adder {
    struct worker worker;
    long last, sum;
};

static int adder_run(struct worker *self)
{
    struct adder *adder = (struct adder *)self;
    for (long i = 1; i <= adder->last; i++)
        adder->sum += i;
    return 0;
}

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* Not in main's frame: should main have to give up, they would be gone while the threads run. */
static struct sleeper nap = {{.name = "nap", .run = sleeper_run}, 200};
static struct sleeper night = {{.name = "night", .run = sleeper_run}, 400};
static struct adder sum = {{.name = "sum", .run = adder_run}, .last = 1000};

int main(void)
{
    struct worker *workers[] = {&nap.worker, &night.worker, &sum.worker};
    kr_time begin = kr_now();

    for (int i = 0; i < 3; i++) {
        int err = worker_start(workers[i]);
        if (err)
            return fail(workers[i]->name, err);
    }
    for (int i = 0; i < 3; i++) {
        int err = worker_join(workers[i]);
        if (err)
            return fail(workers[i]->name, err);
        printf("%s has ended\n", workers[i]->name);
    }
    printf("the sum is %ld\n", sum.sum);
    printf("%.2f s, not %.2f s\n", (double)(kr_now() - begin) / 1e9, 0.2 + 0.4);
    return EXIT_SUCCESS;
}
