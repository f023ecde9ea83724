/* Consumers that look at a shared list again and again.  Not recommended.
 *
 * Row 64 of docs/lessons.md.  In Python three consumers poll a list: `if items: items.pop(0)`, else
 * sleep and look again.  It works most of the time.  Between the look and the pop another may have
 * taken the last item; and the consumers never learn that no more will come.
 *
 * Watch both.  Here a barrier brings all three between look and pop at once, so what is rare
 * happens every time: three see the one item, and two find it gone.  A lock around each access does
 * not help, for it is the two accesses together that must not be parted.  After that the list is
 * empty, and they look and look.  The next lesson is how it is done.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

enum { CONSUMERS = 3 };

static struct {
    kr_lock lock; /* guards the rest */
    int items;
    int taken, too_late, looks;
    bool closed; /* what the article's program has not: so it never ends */
} list = {.items = 1};

static kr_barrier between = KR_BARRIER_INIT(CONSUMERS);

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static bool look(void)
{
    bool seen = false;
    kr_with (&list.lock) {
        seen = list.items > 0;
        list.looks++;
    }
    return seen;
}

static bool is_closed(void)
{
    bool closed = false;
    kr_with (&list.lock)
        closed = list.closed;
    return closed;
}

/* Python's pop, an IndexError when nothing is left. */
static void pop(void)
{
    kr_with (&list.lock) {
        if (list.items > 0) {
            list.items--;
            list.taken++;
        } else {
            list.too_late++;
        }
    }
}

static int consume(void *arg)
{
    (void)arg;
    bool seen = look();
    int place = kr_barrier_wait(&between, KR_FOREVER);
    if (place < 0)
        return place;
    if (seen)
        pop();
    while (!is_closed()) {
        if (look())
            pop();
        int err = kr_sleep(kr_ms(1));
        if (err)
            return err;
    }
    return 0;
}

int main(void)
{
    kr_thread *consumers[CONSUMERS] = {NULL};
    int err = 0;
    for (int i = 0; i < CONSUMERS && !err; i++)
        err = kr_thread_start(&consumers[i], consume, NULL, 0, NULL);
    if (!err)
        err = kr_sleep(kr_ms(100));
    kr_with (&list.lock)
        list.closed = true;
    if (err) {
        kr_barrier_abort(&between); /* or those who came would wait for ever */
        return fail("start", err);
    }
    for (int i = 0; i < CONSUMERS && !err; i++) {
        int result = 0;
        err = kr_thread_join(consumers[i], &result, KR_FOREVER);
        kr_thread_release(consumers[i]);
        err = err ? err : result;
    }
    if (err)
        return fail("join", err);
    printf("one item: %d has taken it, %d came too late\n", list.taken, list.too_late);
    printf("and they looked %d times\n", list.looks);
    return EXIT_SUCCESS;
}
