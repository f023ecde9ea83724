/* krait's own event loop: what is ready runs, what is due is called, and an error ends only its
 * task.
 *
 * Rows 53 and 55 of docs/lessons.md.  In Python:
 *
 *     loop.call_soon(...); loop.call_later(0.06, ...)
 *     asyncio.create_task(...)
 *     loop.set_exception_handler(...)
 *
 * Watch the order: first what is to be called soon, then whoever is due.  One task fails, and its
 * error waits in its future until somebody asks.  Of another nobody ever will: its error goes to
 * the hook, so that it is not lost.  Neither disturbs the loop.
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

static void say(void *arg)
{
    printf("called: %s\n", (const char *)arg);
}

static void report(const kr_task_report *report)
{
    printf("hook: an error that nobody asks for: %s\n", kr_strerror(report->error));
}

struct plan {
    int64_t ms;
    int outcome; /* 0, or an error */
};

static int work(const void *arg, void *result)
{
    const struct plan *plan = arg;
    (void)result;
    int err = kr_sleep(kr_ms(plan->ms));
    if (err)
        return err;
    printf("task: has slept for %d ms, and %s\n", (int)plan->ms,
           plan->outcome ? "fails" : "is done");
    return plan->outcome;
}

static int program(void *arg)
{
    static char soon[] = "soon", later[] = "later";
    static kr_call first, second; /* to stay as long as they may be called */
    KR_AUTO(kr_future) *bad = NULL;
    KR_AUTO(kr_future) *good = NULL;
    int outcome = 0;
    (void)arg;

    int err = kr_call_later(&second, kr_ms(60), say, later); /* a timer */
    if (!err)
        err = kr_call_soon(&first, say, soon);
    if (!err)
        err = kr_spawn(&bad, work, &(struct plan){20, -EDOM}, sizeof(struct plan), 0, NULL);
    if (!err)
        err = kr_spawn(NULL, work, &(struct plan){40, -ENOENT}, sizeof(struct plan), 0, NULL);
    if (!err) /* begun last, slept longest: when it is done, so are the others */
        err = kr_spawn(&good, work, &(struct plan){80, 0}, sizeof(struct plan), 0, NULL);
    if (err)
        return err;
    printf("main: all is begun, and nothing has run yet\n");

    err = kr_future_exception(good, &outcome, KR_FOREVER); /* the loop goes on in here */
    if (!err)
        printf("main: the task that slept longest ended with %d\n", outcome);
    if (!err)
        err = kr_future_exception(bad, &outcome, KR_FOREVER); /* it has been done for long */
    if (!err)
        printf("main: the one that failed says: %s\n", kr_strerror(outcome));
    return err;
}

int main(void)
{
    (void)kr_set_task_hook(report);
    int err = kr_run(program, NULL);
    return err ? fail("program", err) : EXIT_SUCCESS;
}
