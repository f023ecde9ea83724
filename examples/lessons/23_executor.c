/* An executor: hand in a function, get a future, ask it for the result.
 *
 * Row 42 of docs/lessons.md.  In Python: ThreadPoolExecutor(1), future = executor.submit(f), and
 * future.result(), which prints a time and 1.
 *
 * Watch how a task's failure travels: the task returns it, and future.result() raises it in Python.
 * Here kr_future_result has two answers: what became of the call, and what became of the task.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>

/* Any bytes can be a result. */
struct answer {
    int value, remainder;
};

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

/* A task gets a copy of what was submitted, and a place for its result. */
static int divide(const void *arg, void *result)
{
    const int *by = arg;
    if (*by == 0)
        return -EDOM;
    *(struct answer *)result = (struct answer){6 / *by, 6 % *by};
    return 0;
}

static int ask(kr_executor *pool, int by)
{
    KR_AUTO(kr_future) *future = NULL;
    struct answer answer;
    int task_error = 0;

    int err = kr_submit(pool, &future, divide, &by, sizeof by, sizeof answer);
    if (!err)
        err = kr_future_result(future, &answer, sizeof answer, &task_error, kr_sec(60));
    if (err)
        return err; /* it could not be run, or took longer than a minute */
    if (task_error)
        printf("6 / %d: the task failed with %s\n", by, kr_errname(task_error));
    else
        printf("6 / %d is %d, and %d is left\n", by, answer.value, answer.remainder);
    return 0;
}

int main(void)
{
    /* As with `with`: at the end of main it is shut down, and what it still has to do is done. */
    KR_AUTO(kr_executor) *pool = NULL;

    int err = kr_thread_pool(&pool, &(kr_pool_options){.workers = 1, .name = "calculator"});
    if (err)
        return fail("make a pool", err);
    for (int by = 4; by >= 0 && !err; by -= 2)
        err = ask(pool, by);
    if (err)
        return fail("ask", err);
    return EXIT_SUCCESS;
}
