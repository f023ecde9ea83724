/* Producer and consumers, so that all of them end: the queue is shut down.
 *
 * Row 65 of docs/lessons.md, put right.  Queue.shutdown() came with Python 3.13; before, one put as
 * many None into the queue as there were consumers.
 *
 * After a shutdown nothing can be put any more, what is inside can still be taken, and then every
 * get says KR_ESHUTDOWN: each consumer ends by itself, after the last item.  Watch that no item is
 * lost, and that main needs neither task_done nor the queue's join: it joins the threads.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { CONSUMERS = 3, ITEMS = 10, ROOM = 4 };

struct consumer {
    kr_queue *queue;
    kr_thread *thread;
    int items, sum;
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int consume(void *arg)
{
    struct consumer *self = arg;
    int item, err;
    while ((err = kr_queue_get(self->queue, &item, KR_FOREVER)) == 0) {
        err = kr_sleep(kr_ms(10));
        if (err)
            return err;
        self->items++;
        self->sum += item;
    }
    return err == KR_ESHUTDOWN ? 0 : err; /* which is how it ends, and no error */
}

/* The queue has room for four: the producer waits until the consumers have made some. */
static int produce(kr_queue *queue)
{
    for (int item = 1; item <= ITEMS; item++) {
        int err = kr_queue_put(queue, &item, KR_FOREVER);
        if (err)
            return err;
    }
    return 0;
}

int main(void)
{
    KR_AUTO(kr_queue) *queue = NULL;
    struct consumer consumers[CONSUMERS] = {{.queue = NULL}};
    int items = 0, sum = 0;

    int err = kr_queue_create(&queue, sizeof(int), ROOM, NULL);
    for (int i = 0; i < CONSUMERS && !err; i++) {
        consumers[i].queue = queue;
        err = kr_thread_start(&consumers[i].thread, consume, &consumers[i], 0, NULL);
    }
    if (!err)
        err = produce(queue);
    kr_queue_shutdown(queue, false); /* also after an error: this is what lets the consumers end */

    for (int i = 0; i < CONSUMERS && consumers[i].thread; i++) {
        int result = 0;
        int join_error = kr_thread_join(consumers[i].thread, &result, KR_FOREVER);
        kr_thread_release(consumers[i].thread);
        err = err ? err : join_error ? join_error : result;
        items += consumers[i].items;
        sum += consumers[i].sum;
    }
    if (err)
        return fail("produce and consume", err);
    printf("%d items were consumed, their sum is %d\n", items, sum);

    err = kr_queue_put(queue, &(int){11}, KR_FOREVER);
    printf("an eleventh: %s\n", kr_errname(err));
    return EXIT_SUCCESS;
}
