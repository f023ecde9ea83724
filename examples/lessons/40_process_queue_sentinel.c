/* A queue between two processes, whose last item says that it is the last.
 *
 * Row 78 of docs/lessons.md.  In Python:
 *
 *     queue = multiprocessing.Queue()
 *     producer: for i in range(5): queue.put(f"Item-{i}")
 *               queue.put(None)
 *     consumer: while (item := queue.get()) is not None: ...
 *
 * Watch the consumer's end: it knows the last item when it sees it.  That works for one consumer;
 * several need a sentinel each, or a shutdown (41_process_queue_shutdown.c).
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

/* An item: a queue in shared memory holds bytes, so the text itself and no pointer to it. */
struct item {
    bool last;
    char text[24];
};

static kr_queue *queue; /* forked children inherit the handle */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int produce(void *arg)
{
    int err = 0;
    (void)arg;
    for (int i = 0; i < 5 && !err; i++) {
        struct item item = {.last = false};
        snprintf(item.text, sizeof item.text, "Item-%d", i);
        err = kr_sleep(kr_ms(20)); /* it takes a while to make one */
        if (!err)
            err = kr_queue_put(queue, &item, KR_FOREVER);
    }
    if (!err)
        err = kr_queue_put(queue, &(struct item){.last = true}, KR_FOREVER);
    printf("Producer finished\n");
    return err;
}

static int consume(void *arg)
{
    struct item item;
    int err;
    (void)arg;
    while ((err = kr_queue_get(queue, &item, KR_FOREVER)) == 0 && !item.last)
        printf("Consumed: %s\n", item.text);
    printf("Consumer finished\n");
    return err;
}

int main(void)
{
    static int (*const functions[])(void *arg) = {produce, consume};
    kr_process *children[2];

    setvbuf(stdout, NULL, _IOLBF, 0);
    int err =
        kr_queue_create(&queue, sizeof(struct item), 3, &(kr_queue_options){.scope = KR_SHARED});
    if (err)
        return fail("queue", err);
    for (int i = 0; i < 2; i++) {
        err = kr_process_start(&children[i], functions[i], NULL, 0,
                               &(kr_process_options){.start = KR_FORK});
        if (err)
            return fail("start", err);
    }
    for (int i = 0; i < 2; i++) {
        int exit_code = 0;
        err = kr_process_join(children[i], &exit_code, KR_FOREVER);
        kr_process_release(children[i]);
        if (err || exit_code)
            return fail("a child", err ? err : -ECHILD);
    }
    printf("Both processes have ended\n");
    kr_queue_release(queue);
    return EXIT_SUCCESS;
}
