/* Who waits has no use for the interpreter lock, and gives it away for that time.
 *
 * Rows 4, 6 and 51 of docs/lessons.md.  In CPython's C code, around each call that blocks:
 *
 *     Py_BEGIN_ALLOW_THREADS
 *     usleep(100000);
 *     Py_END_ALLOW_THREADS
 *
 * Watch the three ways in which four threads sleep, each of which holds the lock when it begins.
 * krait's own waits give it away by themselves.  A wait that krait does not know of keeps it, and
 * so keeps everybody else out, unless it stands in a block that says so.
 *
 * SPDX-License-Identifier: MIT
 */
#include <krait/krait.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { THREADS = 4, SLEEP_MS = 50 };

static kr_gil *gil;
static kr_barrier start = KR_BARRIER_INIT(THREADS);
static int asleep, most; /* guarded by the lock */

static int fail(const char *what, int err)
{
    fprintf(stderr, "%s: %s\n", what, kr_strerror(err));
    return EXIT_FAILURE;
}

static int by_krait(kr_gil_thread *self)
{
    (void)self;
    return kr_sleep(kr_ms(SLEEP_MS));
}

static int by_the_system(kr_gil_thread *self)
{
    (void)self;
    return usleep(SLEEP_MS * 1000) == 0 ? 0 : -errno;
}

static int by_the_system_in_a_block(kr_gil_thread *self)
{
    int err = 0;
    kr_allow_threads (self)
        err = by_the_system(self);
    return err;
}

typedef int (*way)(kr_gil_thread *self);

static int run(void *arg)
{
    way sleep_for_a_while = *(way *)arg;
    kr_gil_thread *self;
    int err = kr_barrier_wait(&start, KR_FOREVER);
    if (err >= 0)
        err = kr_gil_attach(gil, &self);
    if (err)
        return err;
    if (++asleep > most) /* one at a time is here */
        most = asleep;
    err = sleep_for_a_while(self);
    asleep--; /* and here */
    kr_gil_detach(self);
    return err;
}

static int show(const char *how, way sleep_for_a_while)
{
    kr_thread *threads[THREADS];
    kr_time begin = kr_now();
    int err;
    most = 0;
    for (int i = 0; i < THREADS; i++) {
        err = kr_thread_start(&threads[i], run, &sleep_for_a_while, sizeof sleep_for_a_while, NULL);
        if (err)
            return err;
    }
    for (int i = 0; i < THREADS; i++) {
        int result = 0;
        err = kr_thread_join(threads[i], &result, KR_FOREVER);
        kr_thread_release(threads[i]);
        if (err || result)
            return err ? err : result;
    }
    printf("%-32s %.2f s, %d at once\n", how, (double)(kr_now() - begin) / 1e9, most);
    return 0;
}

int main(void)
{
    int err = kr_gil_create(&gil, NULL);
    if (err)
        return fail("lock", err);
    err = show("kr_sleep:", by_krait);
    if (!err)
        err = show("usleep:", by_the_system);
    if (!err)
        err = show("usleep in kr_allow_threads:", by_the_system_in_a_block);
    if (err)
        return fail("threads", err);
    err = kr_gil_destroy(gil);
    return err ? fail("destroy", err) : EXIT_SUCCESS;
}
