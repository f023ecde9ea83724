/* A reader that never ends is terminated, and the queue survives it.
 *
 * Row 39 of docs/lessons.md.  In Python:
 *
 *     writer.start(); reader.start()      # for value in "ABC": queue.put(value); while True: get()
 *     writer.join()
 *     reader.terminate()
 *
 * Watch what is missing there: nothing says that the reader had read all when it was terminated,
 * and Python's queue may be damaged by it.  Here the parent waits until each item is dealt with,
 * and then the queue goes on: a reader that is killed loses at most what it had taken.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

static kr_queue *queue; /* forked children inherit the handle */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int write_all(void *arg)
{
    int err = 0;
    for (const char *value = arg; *value && !err; value++) {
        printf("Put %c\n", *value);
        err = kr_queue_put(queue, value, KR_FOREVER);
        if (!err)
            err = kr_sleep(kr_ms(*value % 3 * 10 + 10)); /* now longer, now shorter */
    }
    return err;
}

static int read_for_ever(void *arg)
{
    char value;
    int err;
    (void)arg;
    while ((err = kr_queue_get(queue, &value, KR_FOREVER)) == 0) {
        printf("Get %c\n", value);
        err = kr_queue_task_done(queue); /* only now nobody is owed it any more */
        if (err)
            break;
    }
    return err;
}

/* A writer, and a reader that is terminated when all is read. */
static int round_of(const char *values, size_t size)
{
    const kr_process_options by_fork = {.start = KR_FORK};
    KR_AUTO(kr_process) *writer = NULL;
    KR_AUTO(kr_process) *reader = NULL;
    int exit_code = 0;
    int err = kr_process_start(&writer, write_all, values, size, &by_fork);
    if (!err)
        err = kr_process_start(&reader, read_for_ever, NULL, 0, &by_fork);
    if (!err)
        err = kr_process_join(writer, NULL, KR_FOREVER); /* all is put */
    if (!err)
        err = kr_queue_join(queue, KR_FOREVER); /* and all is dealt with */
    if (!err)
        err = kr_process_terminate(reader);
    if (!err)
        err = kr_process_join(reader, &exit_code, KR_FOREVER);
    if (!err)
        printf("The reader's exit code is %d: ended by signal %d\n", exit_code, -exit_code);
    return err;
}

int main(void)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    int err = kr_queue_create(&queue, sizeof(char), 10, &(kr_queue_options){.scope = KR_SHARED});
    if (err)
        return fail("queue", err);
    err = round_of("ABC", sizeof "ABC");
    if (err)
        return fail("first round", err);
    err = round_of("DEF", sizeof "DEF"); /* through the same queue */
    if (err)
        return fail("second round", err);
    kr_queue_release(queue);
    return EXIT_SUCCESS;
}
