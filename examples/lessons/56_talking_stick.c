/* The interpreter lock is a talking stick: one has it, and hands it on when another asks.
 *
 * Rows 3, 5 and 57 of docs/lessons.md.  CPython's lock is of this kind, and its threads hold it
 * whenever they run bytecode; krait has it for every interpreter and old library (docs/gil.md).
 * Here the switch interval is a millisecond:
 *
 *     sys.setswitchinterval(0.001)
 *
 * Watch the turns: Alice computes, and at a check point finds that Bob has asked for long enough.
 * There are two threads that could run at once, and never more than one that does.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { HAND_OVERS = 6, EVENTS = 200 };

static kr_gil *gil;
static kr_barrier start = KR_BARRIER_INIT(2);
static int computing, most; /* guarded by the lock */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static void compute_a_little(void)
{
    volatile unsigned sum = 0;
    if (++computing > most)
        most = computing;
    for (unsigned i = 0; i < 20000; i++)
        sum = sum + i;
    computing--;
}

static int talk(void *arg)
{
    kr_gil_metrics metrics = {0};
    kr_gil_thread *self;
    (void)arg;
    int err = kr_barrier_wait(&start, KR_FOREVER);
    if (err >= 0)
        err = kr_gil_attach(gil, &self); /* from here on it holds the lock */
    if (err)
        return err;
    while (!err && metrics.switches < HAND_OVERS) {
        compute_a_little();
        err = kr_gil_check(self); /* if somebody has asked: given away, and taken again later */
        kr_gil_measure(gil, &metrics);
    }
    kr_gil_detach(self);
    return err;
}

/* From the lock's own log: who had it, for how long, and why no longer. */
static void print_turns(void)
{
    static const char *const why[] = {[KR_GIL_DROPS] = "was asked for it",
                                      [KR_GIL_BLOCKS] = "had to wait",
                                      [KR_GIL_LEAVES] = "had no more to say"};
    static kr_gil_event events[EVENTS];
    const kr_gil_event *take = NULL; /* of who has it */
    size_t count = kr_gil_log(gil, events, EVENTS);
    for (size_t i = 0; i < count; i++) {
        const kr_gil_event *event = &events[i];
        if (event->what == KR_GIL_TAKES) {
            take = event;
        } else if (event->what >= KR_GIL_DROPS && take && take->thread == event->thread) {
            printf("%s had it for %.2f ms, and %s\n", event->name,
                   (double)(event->time - take->time) / 1e6, why[event->what]);
            take = NULL;
        }
    }
}

int main(void)
{
    static const char *const names[] = {"Alice", "Bob"};
    kr_thread *threads[2];
    int err = kr_gil_create(&gil, &(kr_gil_options){.switch_interval = kr_ms(1), .log = EVENTS});
    if (err)
        return fail("lock", err);
    for (int i = 0; i < 2; i++) {
        err = kr_thread_start(&threads[i], talk, NULL, 0, &(kr_thread_options){.name = names[i]});
        if (err)
            return fail("start", err);
    }
    for (int i = 0; i < 2; i++) {
        int result = 0;
        err = kr_thread_join(threads[i], &result, KR_FOREVER);
        kr_thread_release(threads[i]);
        if (err || result)
            return fail(names[i], err ? err : result);
    }
    print_turns();
    printf("At most %d computed at a time\n", most);
    err = kr_gil_destroy(gil);
    return err ? fail("destroy", err) : EXIT_SUCCESS;
}
