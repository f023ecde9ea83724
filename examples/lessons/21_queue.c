/* Producer and consumers with a queue between them; and why the program does not end.
 *
 * Row 65 of docs/lessons.md.  In Python one producer puts ten items into a Queue(maxsize=20), after
 * 2 s; three consumers get them, work for 0.5 s on each and say task_done(); main waits in
 * queue.join() and prints "All tasks completed" after 4 s.  And then nothing: the consumers wait
 * for an eleventh item for ever, and a program waits for its threads.
 *
 * Watch krait's report of just that, a second later.  The hook ends it here by shutting the queue
 * down, which the next lesson does where it belongs: as soon as it is known that no more will come.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { CONSUMERS = 3, ITEMS = 10, ROOM = 20 };

static kr_queue *queue; /* never released: the consumers still have it when main returns */
static kr_time begin;

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int produce(void *arg)
{
    (void)arg;
    int err = kr_sleep(kr_ms(200));
    for (int item = 1; item <= ITEMS && !err; item++)
        err = kr_queue_put(queue, &item, KR_FOREVER); /* a copy of it; waits while it is full */
    return err;
}

static int consume(void *arg)
{
    int item, err;
    (void)arg;
    while ((err = kr_queue_get(queue, &item, KR_FOREVER)) == 0) {
        err = kr_sleep(kr_ms(50));
        if (err)
            return err;
        printf("item %d is done\n", item);
        kr_queue_task_done(queue);
    }
    return err == KR_ESHUTDOWN ? 0 : err;
}

/* Called by one of those who wait. */
static void end_it(const char *report)
{
    puts(report);
    kr_queue_shutdown(queue, false);
}

int main(void)
{
    static const char *const names[CONSUMERS] = {"consumer-1", "consumer-2", "consumer-3"};
    KR_AUTO(kr_thread) *producer = NULL;
    kr_set_stall_hook(end_it);
    begin = kr_now();

    int err = kr_queue_create(&queue, sizeof(int), ROOM, NULL);
    if (err)
        return fail("make a queue", err);
    err = kr_thread_start(&producer, produce, NULL, 0, NULL);
    for (int i = 0; i < CONSUMERS && !err; i++)
        err = kr_thread_start(NULL, consume, NULL, 0, &(kr_thread_options){.name = names[i]});
    if (err)
        return fail("start", err);

    /* The producer first: until it has put something, join would find that nothing is left to do.
     */
    err = kr_thread_join(producer, NULL, KR_FOREVER);
    if (!err)
        err = kr_queue_join(queue, KR_FOREVER);
    if (err)
        return fail("join", err);
    printf("%.2f s: all tasks completed\n", (double)(kr_now() - begin) / 1e9);
    return EXIT_SUCCESS; /* where the program waits for the consumers */
}
