/* A queue between processes that is shut down: three consumers end without a sentinel each.
 *
 * Rows 36 and 78 of docs/lessons.md.  In Python, between threads, since 3.13:
 *
 *     for i in range(9): queue.put(i)
 *     queue.shutdown()
 *     while True:
 *         try: item = queue.get()
 *         except queue.ShutDown: break
 *
 * Watch the sum: whatever was put before the shutdown is taken, once, by one of the three.  Only
 * then does a get say that it is over.  A put says so at once.  Python's queue for processes cannot
 * be shut down; here it is the same queue, in shared memory.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { ITEMS = 9, CONSUMERS = 3 };

static kr_queue *queue; /* forked children inherit the handles */
static kr_array *sums;  /* one item for each consumer */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int consume(void *arg)
{
    int number = *(const int *)arg, item, sum = 0, err;
    while ((err = kr_queue_get(queue, &item, KR_FOREVER)) == 0) {
        printf("consumer %d takes %d\n", number, item);
        sum += item;
        err = kr_sleep(kr_ms(10));
        if (err)
            break;
    }
    if (err != KR_ESHUTDOWN)
        return err;
    return kr_array_set(sums, (size_t)number, &sum, KR_FOREVER);
}

/* Everything is put, and the queue shut down, before anybody may look at the results. */
static int feed(void)
{
    for (int item = 1; item <= ITEMS; item++) {
        int err = kr_queue_put(queue, &item, KR_FOREVER); /* waits while there are four */
        if (err)
            return err;
    }
    return kr_queue_shutdown(queue, false);
}

int main(void)
{
    kr_process *consumers[CONSUMERS];
    int results[CONSUMERS], sum = 0, unwanted = 0;

    setvbuf(stdout, NULL, _IOLBF, 0);
    int err = kr_queue_create(&queue, sizeof(int), 4, &(kr_queue_options){.scope = KR_SHARED});
    if (!err)
        err = kr_array_create(&sums, sizeof(int), CONSUMERS, NULL, NULL);
    if (err)
        return fail("queue and sums", err);
    for (int i = 0; i < CONSUMERS; i++) {
        err = kr_process_start(&consumers[i], consume, &i, sizeof i,
                               &(kr_process_options){.start = KR_FORK});
        if (err)
            return fail("start", err);
    }
    err = feed();
    if (err)
        return fail("feed", err);
    for (int i = 0; i < CONSUMERS; i++) {
        err = kr_process_join(consumers[i], NULL, KR_FOREVER);
        kr_process_release(consumers[i]);
        if (err)
            return fail("join", err);
    }
    err = kr_array_get_slice(sums, 0, CONSUMERS, results, KR_FOREVER);
    if (err)
        return fail("sums", err);
    for (int i = 0; i < CONSUMERS; i++)
        sum += results[i];
    printf("The sum of all that was taken is %d\n", sum);
    printf("One more put: %s\n", kr_errname(kr_queue_put(queue, &unwanted, KR_NOWAIT)));
    kr_array_release(sums);
    kr_queue_release(queue);
    return EXIT_SUCCESS;
}
